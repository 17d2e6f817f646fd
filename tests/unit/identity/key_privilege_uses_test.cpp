#include "service/admin/key_privilege_uses.h"

#include <gmock/gmock.h>

#include "identity_fixture.h"

namespace funcgate::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kMinuteMs = 60'000, kHourMs = 60 * kMinuteMs;
constexpr std::int64_t kHour = test::kStartMs / kHourMs * kHourMs + kHourMs;  // the beginning of one

class KeyPrivilegeUsesTest : public test::IdentityWorld {
 protected:
  void audit(bool on) {
    domain::AuditedPrivileges set;
    if (on) set.add(domain::Privilege::UseApiKey);
    const auto done = identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> base::Status {
      changes.identity.push_back({.kind = domain::IdentityKind::PrivilegeAudit, .id = "default", .value = set});
      return base::kDone;
    });
    ASSERT_TRUE(done.ok()) << done.error().message;
    store.take_event_names();
  }
  static auth::KeyUse use(const std::string& key, std::int64_t time_ms) {
    return {key, time_ms, *domain::Address::parse("192.0.2.7"), "quote"};
  }
  // "key minute" of each event since the last call, minutes counted from kHour.
  std::vector<std::string> told(const auth::KeyUsageReport& report) {
    const std::size_t before = store.events().size();
    status_ok = uses.record(report).ok();
    std::vector<std::string> out;
    const auto events = store.events();
    for (std::size_t i = before; i < events.size(); ++i) {
      EXPECT_EQ(events[i].event, "privilege.used");
      out.push_back(fmt::format("{} {}", events[i].actor.key_id, (events[i].time_ms - kHour) / kMinuteMs));
    }
    return out;
  }
  auth::KeyUsageReport report(std::vector<auth::KeyUse> first_calls) {
    auth::KeyUsageReport made;
    made.first_calls = std::move(first_calls);
    return made;
  }

  KeyPrivilegeUses uses{identity};
  bool status_ok = false;
};

TEST_F(KeyPrivilegeUsesTest, NothingIsToldOfWhatNobodyWantsToKnow) {
  EXPECT_THAT(told(report({use("a", kHour)})), IsEmpty());
  EXPECT_TRUE(status_ok);
}

TEST_F(KeyPrivilegeUsesTest, AKeyIsToldOnceAnHour) {
  audit(true);
  EXPECT_THAT(told(report({use("a", kHour)})), ElementsAre("a 0"));
  EXPECT_THAT(told(report({use("a", kHour + 3 * kMinuteMs)})), IsEmpty());
  EXPECT_THAT(told(report({use("b", kHour + 4 * kMinuteMs), use("a", kHour + 5 * kMinuteMs)})), ElementsAre("b 4"));
  // A drain in which an hour ends: both of its hours.
  EXPECT_THAT(told(report({use("c", kHour + 59 * kMinuteMs), use("a", kHour + 60 * kMinuteMs), use("a", kHour + 61 * kMinuteMs),
                           use("c", kHour + 60 * kMinuteMs)})),
              ElementsAre("c 59", "a 60", "c 60"));
}

// key.first_use of this hour was told long ago.
TEST_F(KeyPrivilegeUsesTest, TheSwitchCountsWithinTheHour) {
  EXPECT_THAT(told(report({use("a", kHour)})), IsEmpty());
  audit(true);
  EXPECT_THAT(told(report({use("a", kHour + 30 * kMinuteMs)})), ElementsAre("a 30"));
  audit(false);
  EXPECT_THAT(told(report({use("b", kHour + 31 * kMinuteMs)})), ElementsAre("b 31")) << "it may have come before";
  EXPECT_THAT(told(report({use("c", kHour + 32 * kMinuteMs)})), IsEmpty());
}

// Those were recorded one by one.
TEST_F(KeyPrivilegeUsesTest, UsesForTheManagementApiAreNotToldAgain) {
  audit(true);
  auth::KeyUsage usage(1);
  usage.management().note("a", kHour, *domain::Address::parse("192.0.2.7"), "management");
  EXPECT_THAT(told(usage.drain()), IsEmpty());
  usage.table(0).note("a", kHour + kMinuteMs, *domain::Address::parse("192.0.2.7"), "quote");
  usage.table(0).note("a", kHour + 3 * kMinuteMs, *domain::Address::parse("192.0.2.7"), "quote");
  usage.management().note("a", kHour + 2 * kMinuteMs, *domain::Address::parse("192.0.2.7"), "management");
  EXPECT_THAT(told(usage.drain()), ElementsAre("a 1"));
}

TEST_F(KeyPrivilegeUsesTest, WhatCouldNotBeWrittenIsToldWithTheNextUse) {
  audit(true);
  store.fail_next_commit();
  EXPECT_THAT(told(report({use("a", kHour)})), IsEmpty());
  EXPECT_FALSE(status_ok);
  EXPECT_THAT(told(report({use("a", kHour + kMinuteMs)})), ElementsAre("a 1"));
}

TEST_F(KeyPrivilegeUsesTest, TheEventNamesKeyOwnerAndPrivilege) {
  audit(true);
  const std::string owner = user("agent");
  domain::ApiKey key;
  key.id = "key-0000000000000001";
  key.user_id = owner;
  key.name = "Nightly";
  ASSERT_TRUE(identity
                  .change([&](const domain::Directory&, domain::ChangeSet& changes) -> base::Status {
                    changes.identity.push_back({.kind = domain::IdentityKind::ApiKey, .id = key.id, .value = key});
                    return base::kDone;
                  })
                  .ok());
  ASSERT_THAT(told(report({use(key.id, kHour)})), ElementsAre(key.id + " 0"));
  const domain::AuditEvent event = store.events().back();
  EXPECT_EQ(event.reason, "Use API Key");
  EXPECT_EQ(event.outcome, domain::AuditOutcome::Ok);
  EXPECT_EQ(event.actor.kind, "API_KEY");
  EXPECT_EQ(event.actor.origin, "API");
  EXPECT_EQ(event.actor.login, "agent");
  EXPECT_EQ(event.actor.user_id, owner);
  EXPECT_EQ(event.actor.address, "192.0.2.7");
  EXPECT_EQ(event.object_kind, "ApiKey");
  EXPECT_EQ(event.object_name, "Nightly");
  EXPECT_THAT(event.summary, ::testing::HasSubstr("\"quote\""));
}

}  // namespace
}  // namespace funcgate::service
