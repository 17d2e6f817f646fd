#include "domain/access.h"

#include <gtest/gtest.h>

#include "directory_builder.h"
#include "support/counting_allocator.h"

namespace funcgate::domain {
namespace {

constexpr std::int64_t kNow = 1'000'000;

// bob: Use API Key inside app-1 by "Callers"; kim: everywhere by "Keys"; dis: disabled, everywhere; ann: no such privilege.
class AccessTest : public ::testing::Test {
 protected:
  AccessTest() {
    Directory::Builder builder;
    builder.add(a_role("rol-app", "Token", {Privilege::UseApiKey}, "app-1"));
    builder.add(a_role("rol-all", "Keys Everywhere", {Privilege::UseApiKey}));
    builder.add(a_group("grp-app", "Callers", {"rol-app"}));
    builder.add(a_group("grp-all", "Keys", {"rol-all"}));
    builder.add(a_user("usr-ann", "ann"));
    builder.add(a_user("usr-bob", "bob", {"grp-app"}));
    builder.add(a_user("usr-kim", "kim", {"grp-all"}));
    builder.add(a_user("usr-dis", "dis", {"grp-all"}, false));
    directory_ = builder.finish();
  }

  AccessDecision judge(const ApiKey& key, const CallTarget& target) {
    directory_ = with(directory_, {put(key)});
    return judge_key(*directory_, *directory_->key(key.id), directory_->user(key.user_id), target, kNow);
  }
  AccessDecision judge_list(const char* user, const CallerLists& lists, std::string_view application = {}) {
    return judge_lists(*directory_, *directory_->user(user), lists, application);
  }

  DirectoryPtr directory_;
};

TEST_F(AccessTest, JudgesAKeyByItsRowItsOwnerAndItsRestrictions) {
  const Address inside = *Address::parse("10.1.2.3"), outside = *Address::parse("11.1.2.3"), six = *Address::parse("2001:db8::1");
  const ApiKey good = a_key("key-1", "usr-kim");
  const auto changed = [&](auto change) {
    ApiKey key = good;
    change(key);
    return key;
  };
  const auto of = [&](const char* user) { return changed([&](ApiKey& key) { key.user_id = user; }); };
  const ApiKey for_apis = changed([](ApiKey& key) { key.apis = {"quote", "ask"}; });
  const ApiKey from_ten = changed([](ApiKey& key) { key.addresses = {"10.0.0.0/8", "2001:db8::/32"}; });
  const ApiKey from_nowhere = changed([](ApiKey& key) { key.addresses = {"10.0.0.0/99"}; });
  const ApiKey management = changed([](ApiKey& key) { key.scopes = static_cast<std::uint8_t>(KeyScope::Management); });
  struct Case {
    const char* what;
    ApiKey key;
    CallTarget target;
    Reason reason;
    AccessRule rule;
  };
  const Case cases[] = {
      {"a good key", good, {.api_id = "quote"}, Reason::None, AccessRule::Everyone},
      {"revoked", changed([](ApiKey& key) { key.revoked_at_ms = 1; }), {}, Reason::KeyRevoked, AccessRule::KeyRevoked},
      {"expires now", changed([](ApiKey& key) { key.expires_at_ms = kNow; }), {}, Reason::KeyExpired, AccessRule::KeyExpired},
      {"expires later", changed([](ApiKey& key) { key.expires_at_ms = kNow + 1; }), {}, Reason::None, AccessRule::Everyone},
      {"for the management only", management, {}, Reason::KeyAudience, AccessRule::KeyScope},
      {"management asked", management, {.scope = KeyScope::Management}, Reason::None, AccessRule::Everyone},
      {"management asked of another", good, {.scope = KeyScope::Management}, Reason::KeyAudience, AccessRule::KeyScope},
      {"of nobody", of("usr-none"), {}, Reason::KeyOwner, AccessRule::OwnerUnknown},
      {"of a disabled user", of("usr-dis"), {}, Reason::KeyOwner, AccessRule::OwnerDisabled},
      {"of one without the privilege", of("usr-ann"), {}, Reason::KeyPrivilege, AccessRule::OwnerPrivilege},
      {"held in the application", of("usr-bob"), {.application = "app-1"}, Reason::None, AccessRule::Everyone},
      {"held in another one", of("usr-bob"), {.application = "app-2"}, Reason::KeyPrivilege, AccessRule::OwnerPrivilege},
      {"held in an application, function API", of("usr-bob"), {}, Reason::KeyPrivilege, AccessRule::OwnerPrivilege},
      {"held everywhere, flow", good, {.application = "app-2"}, Reason::None, AccessRule::Everyone},
      {"a named API", for_apis, {.api_id = "ask"}, Reason::None, AccessRule::Everyone},
      {"another API", for_apis, {.api_id = "as"}, Reason::KeyRestricted, AccessRule::KeyApis},
      {"from a named network", from_ten, {.address = &inside}, Reason::None, AccessRule::Everyone},
      {"from a named IPv6 network", from_ten, {.address = &six}, Reason::None, AccessRule::Everyone},
      {"from elsewhere", from_ten, {.address = &outside}, Reason::KeyRestricted, AccessRule::KeyAddresses},
      {"a network that cannot be read", from_nowhere, {.address = &inside}, Reason::KeyRestricted, AccessRule::KeyAddresses},
  };
  for (const Case& test : cases) {
    const AccessDecision decision = judge(test.key, test.target);
    EXPECT_EQ(decision.reason, test.reason) << test.what << ": " << reason_token(decision.reason);
    EXPECT_EQ(decision.rule, test.rule) << test.what;
    EXPECT_FALSE(access_text(decision).empty()) << test.what;
  }
}

TEST_F(AccessTest, AnswersPrivilegeAndRestrictionDifferently) {
  EXPECT_EQ((AccessDecision{Reason::KeyPrivilege}.fault()), Fault::UserPrivilege);
  EXPECT_EQ((AccessDecision{Reason::KeyRestricted}.fault()), Fault::UserAccess);
  for (const Reason reason : {Reason::KeyRevoked, Reason::KeyExpired, Reason::KeyAudience, Reason::KeyOwner}) {
    EXPECT_EQ(AccessDecision{reason}.fault(), Fault::Unauthenticated);
  }
}

TEST_F(AccessTest, AdmitsWhomAListNames) {
  const std::vector<std::string> bob{"BOB"}, callers{"callers"}, token{"token"}, gone{"gone"}, none;
  struct Case {
    const char* what;
    const char* user;
    CallerLists lists;
    std::string_view application;
    AccessRule rule;
  };
  const Case cases[] = {
      {"no lists", "usr-ann", {}, "", AccessRule::Everyone},
      {"by login, in any case", "usr-bob", {bob, none, none}, "", AccessRule::ListedUser},
      {"another login", "usr-kim", {bob, none, none}, "", AccessRule::NotListed},
      {"by group", "usr-bob", {none, callers, none}, "", AccessRule::ListedGroup},
      {"not in the group", "usr-kim", {none, callers, none}, "", AccessRule::NotListed},
      {"by role of the application", "usr-bob", {none, none, token}, "app-1", AccessRule::ListedRole},
      {"by role of another application", "usr-bob", {none, none, token}, "app-2", AccessRule::NotListed},
      {"by role of no application", "usr-bob", {none, none, token}, "", AccessRule::NotListed},
      {"any of them suffices", "usr-bob", {gone, gone, token}, "app-1", AccessRule::ListedRole},
      {"a name that is gone admits nobody", "usr-bob", {gone, gone, gone}, "app-1", AccessRule::NotListed},
  };
  for (const Case& test : cases) {
    const AccessDecision decision = judge_list(test.user, test.lists, test.application);
    EXPECT_EQ(decision.rule, test.rule) << test.what;
    EXPECT_EQ(decision.allowed(), test.rule != AccessRule::NotListed) << test.what;
    if (!decision.allowed()) EXPECT_EQ(decision.fault(), Fault::UserAccess);
  }
}

TEST_F(AccessTest, PutsKeyUserAndListsTogether) {
  const std::vector<std::string> callers{"Callers"}, none;
  const CallerLists lists{none, callers, none};
  const UserEntry& bob = *directory_->user("usr-bob");
  const UserEntry& kim = *directory_->user("usr-kim");
  EXPECT_TRUE(may_call(*directory_, bob, {.application = "app-1"}, lists).allowed());
  EXPECT_EQ(may_call(*directory_, bob, {}, lists).reason, Reason::KeyPrivilege) << "the privilege comes first";
  EXPECT_EQ(may_call(*directory_, kim, {}, lists).rule, AccessRule::NotListed);
  EXPECT_EQ(may_call(*directory_, *directory_->user("usr-dis"), {}, {}).rule, AccessRule::OwnerDisabled);
  const DirectoryPtr next = with(directory_, {put(a_key("key-1", "usr-kim"))});
  EXPECT_TRUE(may_call(*next, *next->key("key-1"), {}, {}, kNow).allowed());
  EXPECT_EQ(may_call(*next, *next->key("key-1"), {}, lists, kNow).rule, AccessRule::NotListed);
}

TEST_F(AccessTest, JudgesAKeyWithoutAllocation) {
  if (!test::can_count_allocations()) GTEST_SKIP();
  ApiKey key = a_key("key-1", "usr-kim");
  key.apis = {"an API with a long name that is stored elsewhere"};
  key.addresses = {"10.0.0.0/8"};
  directory_ = with(directory_, {put(key)});
  const Address address = *Address::parse("10.0.0.1");
  const test::AllocationCount count;
  const KeyEntry* entry = directory_->key("key-1");
  const CallTarget target{.api_id = key.apis[0], .address = &address};
  EXPECT_TRUE(judge_key(*directory_, *entry, directory_->user(entry->user_id()), target, kNow).allowed());
  EXPECT_EQ(count.value(), 0U);
}

}  // namespace
}  // namespace funcgate::domain
