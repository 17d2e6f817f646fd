#include "app/keystore_access.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "crypto/seal.h"
#include "support/fake_clock.h"
#include "support/temporary_folder.h"

namespace funcgate::app {
namespace {

using base::SecretString;
using keystore::Purpose;
using ::testing::ElementsAre;

constexpr std::int64_t kHourMs = 3'600'000, kDefaultMs = 720 * kHourMs;
const std::string kKid = "0123456789abcdef";

struct OverlapsTest : testing::Test {
  std::unique_ptr<KeyOverlaps> open(bool kept_before) { return open({kept_before, kept_before}); }
  std::unique_ptr<KeyOverlaps> open(KeyOverlaps::History history) {
    auto opened = KeyOverlaps::open(path, history);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return std::move(*opened);
  }
  test::TemporaryFolder folder;
  const std::string path = folder / "key-overlaps.json";
  const base::WallMs now = test::kStartMs;
};

TEST_F(OverlapsTest, AnEndThatWasChosenHoldsAfterARestart) {
  ASSERT_TRUE(open(false)->choose(kKid, now + kHourMs).ok());
  EXPECT_EQ(open(true)->verifies_until(kKid, now, kDefaultMs, now), now + kHourMs);
}

// Whatever date an entry bears: whoever wrote it may have chosen that, and it may have lain there while no server ran.
TEST_F(OverlapsTest, WithoutAChoiceTheDefaultCountsFromTheFirstSightAndIsRemembered) {
  ASSERT_TRUE(open(false));
  for (const base::WallMs date : {base::WallMs{0}, now - 2 * kDefaultMs, now, now + 2 * kDefaultMs}) {
    const std::string kid = "kid of " + std::to_string(date);
    EXPECT_EQ(open(true)->verifies_until(kid, date, kDefaultMs, now), now + kDefaultMs) << date;
    EXPECT_EQ(open(true)->verifies_until(kid, date, kDefaultMs, now + kHourMs), now + kDefaultMs) << "not anew at each start";
    EXPECT_EQ(open(true)->verifies_until(kid, now + kHourMs, kDefaultMs, now + kHourMs), now + kDefaultMs)
        << "nor when it is put there again";
  }
}

TEST_F(OverlapsTest, WhereThereNeverWasAFileWhatWasRetiredBeforeCountsFromItsDate) {
  const base::WallMs long_ago = now - 2 * kDefaultMs;
  const auto overlaps = open(false);
  EXPECT_EQ(overlaps->verifies_until("old", long_ago, kDefaultMs, now), long_ago + kDefaultMs) << "it is over, and stays so";
  EXPECT_EQ(overlaps->verifies_until("future", now + kDefaultMs, kDefaultMs, now), now + kDefaultMs);
  EXPECT_EQ(overlaps->verifies_until("untold", 0, kDefaultMs, now), now + kDefaultMs);
  EXPECT_EQ(open(false)->verifies_until("more", long_ago, kDefaultMs, now), long_ago + kDefaultMs)
      << "killed before it was noted";
  overlaps->all_seen();
  EXPECT_EQ(overlaps->verifies_until("later", long_ago, kDefaultMs, now), now + kDefaultMs);
  EXPECT_EQ(open(true)->verifies_until("old", long_ago, kDefaultMs, now), long_ago + kDefaultMs);
}

// An earlier release wrote down the chosen ends alone, and worked out the others from the date at each start.
TEST_F(OverlapsTest, WhatWasOverInAnEarlierReleaseThatHadTheFileIsNotGoodAgain) {
  const base::WallMs long_ago = now - 60 * 24 * kHourMs;
  folder.write("key-overlaps.json", R"({"chosen":4102444800000})");
  const auto overlaps = open({.had_file = true, .all_seen = false});
  EXPECT_EQ(overlaps->verifies_until("old", long_ago, kDefaultMs, now), long_ago + kDefaultMs);
  EXPECT_EQ(overlaps->verifies_until("chosen", long_ago, kDefaultMs, now), 4'102'444'800'000);
  overlaps->all_seen();
  EXPECT_EQ(overlaps->verifies_until("later", long_ago, kDefaultMs, now), now + kDefaultMs);
  EXPECT_EQ(open(true)->verifies_until("old", long_ago, kDefaultMs, now), long_ago + kDefaultMs) << "nor after a restart";
  // The file must be there all the same.
  std::filesystem::remove(path);
  EXPECT_EQ(open({.had_file = true, .all_seen = false})->verifies_until("chosen", long_ago, kDefaultMs, now), 0);
}

// An instance of an older release may have retired secrets and no file.
TEST_F(OverlapsTest, AFileThatNeverWasIsMade) {
  open(false);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(OverlapsTest, WhereTheFileIsLostRetiredSecretsVerifyNoMore) {
  const std::string whole = R"({"0123456789abcdef":1})";
  const std::pair<const char*, std::string> rows[] = {{"empty", ""},
                                                      {"cut off", R"({"0123456789abc)"},
                                                      {"no object", "[]"},
                                                      {"no time", R"({"0123456789abcdef":"soon"})"},
                                                      {"one of two is no time", R"({"0123456789abcdef":4102444800000,"b":null})"},
                                                      {"too large", whole + std::string(2 << 20, ' ')}};
  for (const auto& [what, content] : rows) {
    for (const bool kept_before : {true, false}) {
      folder.write("key-overlaps.json", content);
      EXPECT_EQ(open(kept_before)->verifies_until(kKid, now, kDefaultMs, now), 0) << what;
    }
  }
  std::filesystem::remove(path);
  EXPECT_EQ(open(true)->verifies_until(kKid, now, kDefaultMs, now), 0) << "removed";
  EXPECT_FALSE(std::filesystem::exists(path)) << "an empty one would let them verify at the next start";
  std::filesystem::create_directory(path);
  EXPECT_EQ(open(true)->verifies_until(kKid, now, kDefaultMs, now), 0) << "unreadable";
}

TEST_F(OverlapsTest, ARotationAfterTheLossReopensNothing) {
  folder.write("key-overlaps.json", "damaged");
  const auto overlaps = open(true);
  EXPECT_EQ(overlaps->verifies_until("old", now, kDefaultMs, now), 0);
  ASSERT_TRUE(overlaps->choose("new", now + kHourMs).ok());
  const auto again = open(true);
  EXPECT_EQ(again->verifies_until("old", now, kDefaultMs, now), 0);
  EXPECT_EQ(again->verifies_until("new", now, kDefaultMs, now), now + kHourMs);
}

TEST_F(OverlapsTest, WhereOnlyTheOthersAreLostTheNamedOnesVerifyOn) {
  folder.write("key-overlaps.json", R"({"0123456789abcdef":4102444800000,"*":0})");
  const auto overlaps = open(true);
  EXPECT_EQ(overlaps->verifies_until(kKid, now, kDefaultMs, now), 4'102'444'800'000);
  EXPECT_EQ(overlaps->verifies_until("old", now, kDefaultMs, now), 0);
  ASSERT_TRUE(overlaps->choose("new", now + kHourMs).ok());
  const auto again = open(true);
  EXPECT_EQ(again->verifies_until("old", now, kDefaultMs, now), 0);
  EXPECT_EQ(again->verifies_until("later", now, kDefaultMs, now), now + kDefaultMs) << "retired when its time was kept again";
}

struct AccessTest : OverlapsTest {
  AccessTest() {
    auto created = keystore::Keystore::create({folder / "keystore.p12", {}}, SecretString("keystore password"), clock, random);
    if (!created.ok()) throw std::runtime_error(created.error().message);
    keystore = std::move(*created);
    overlaps = open(false);
    KeystoreAccess::Effects effects;
    effects.publish_signing_keys = [this] { happened.emplace_back("keys"); };
    effects.record = [this](const std::string& event, std::string_view alias, const std::string& summary,
                            const domain::Actor& by) {
      happened.push_back(fmt::format("{} {} by {}: {}", event, alias, by.login, summary));
    };
    effects.publish_all = [this] {
      happened.emplace_back("all");
      if (std::exchange(no_memory, false)) throw std::bad_alloc();
    };
    effects.while_nothing_changes = [this](const std::function<base::Status()>& work) {
      happened.emplace_back("alone");
      base::Status done = work();
      happened.emplace_back("not alone");
      return done;
    };
    access = std::make_unique<KeystoreAccess>(*keystore, KeystoreAccess::Overlap{*overlaps, kDefaultMs}, clock, effects);
    actor.login = "root";
  }
  std::string kid(Purpose purpose) { return crypto::key_id(*keystore->content()->usable(purpose)); }
  std::size_t retired(Purpose purpose) { return keystore->content()->previous(purpose).size(); }

  test::FakeClock clock;
  base::SystemRandom random;
  std::unique_ptr<keystore::Keystore> keystore;
  std::unique_ptr<KeyOverlaps> overlaps;
  std::unique_ptr<KeystoreAccess> access;
  std::vector<std::string> happened;
  bool no_memory = false;  // for the next publication
  domain::Actor actor;
  const keystore::Aliases aliases;
};

TEST_F(AccessTest, EveryRotationOfTheSigningSecretSaysWhenTheOldOneEnds) {
  for (const std::int64_t overlap_ms : {kHourMs, std::int64_t{-1}}) {
    const std::string old_kid = kid(Purpose::ApiKeySigning);
    ASSERT_TRUE(access->rotate("PHIXFLOW-API-KEY", overlap_ms, actor).ok());
    const base::WallMs until = now + (overlap_ms < 0 ? kDefaultMs : overlap_ms);
    EXPECT_EQ(open(true)->verifies_until(old_kid, now, 1, now), until);
  }
  EXPECT_EQ(retired(Purpose::ApiKeySigning), 2u);
}

// What waits comes last: a crash while it waits must leave a record, and no key that was ended.
TEST_F(AccessTest, AChangeEndsKeysAndIsRecordedBeforeItWaitsForAnybody) {
  const std::string kid_now = *access->rotate("PepperKey", 0, actor);
  EXPECT_THAT(happened, ElementsAre("keys",
                                    fmt::format("keystore.rotated {0} by root: Secret \"{0}\" rotated; the new kid is {1}",
                                                base::to_lower(aliases.pepper), kid_now),
                                    "all"));
}

// A leaked signing secret is replaced while somebody applies a bundle for minutes: nothing of it waits, not even the answer.
TEST_F(AccessTest, AChangeThatTheCatalogIsNotMadeOfWaitsForNobody) {
  for (const std::int64_t overlap_ms : {kHourMs, std::int64_t{0}}) {
    happened.clear();
    ASSERT_TRUE(access->rotate("Phixflow-Api-Key", overlap_ms, actor).ok());
    EXPECT_THAT(happened, ElementsAre("keys", ::testing::StartsWith("keystore.rotated phixflow-api-key by root")));
  }
  const std::pair<const char*, std::function<base::Status()>> changes[] = {
      {"keystore.reloaded  by root: Keystore read again", [&] { return access->reload(actor); }},
      {"keystore.changed mine by root: made", [&] { return access->generate("Mine", {"made", actor}); }},
      {"keystore.changed mine by root: set", [&] { return access->set("MINE", SecretString("a value"), {"set", actor}); }},
      {"keystore.changed mine by root: gone", [&] { return access->remove("mine", {"gone", actor}); }}};
  for (const auto& [record, change] : changes) {
    happened.clear();
    EXPECT_TRUE(change().ok()) << record;
    EXPECT_THAT(happened, ElementsAre("keys", record));
  }
}

TEST_F(AccessTest, WhatElseWasChangedInTheFileIsPublishedToo) {
  auto keytool = keystore::Keystore::open({folder / "keystore.p12", {}}, SecretString("keystore password"), clock, random);
  ASSERT_TRUE(keytool.ok());
  const std::pair<const char*, std::function<base::Status()>> reads[] = {
      {"reload", [&] { return access->reload(actor); }}, {"set", [&] { return access->generate("other", {"made", actor}); }}};
  for (const auto& [what, read] : reads) {
    ASSERT_TRUE((*keytool)->rotate(aliases.pepper).ok());
    happened.clear();
    EXPECT_TRUE(read().ok());
    EXPECT_THAT(happened, ::testing::Contains("all")) << what << ": another pepper";
    ASSERT_TRUE(
        (*keytool)->remove(aliases.pepper + ".prev." + (*keytool)->content()->previous(Purpose::PasswordPepper)[0].kid).ok());
    happened.clear();
    EXPECT_TRUE(read().ok());
    EXPECT_THAT(happened, ::testing::Contains("all")) << what << ": a retired pepper is gone";
  }
}

TEST_F(AccessTest, WhatCouldNotBePublishedIsPublishedWithTheNextChange) {
  no_memory = true;
  EXPECT_THROW(std::ignore = access->rotate(aliases.pepper, -1, actor), std::bad_alloc);
  happened.clear();
  ASSERT_TRUE(access->reload(actor).ok());
  EXPECT_THAT(happened, ::testing::Contains("all"));
  happened.clear();
  ASSERT_TRUE(access->reload(actor).ok());
  EXPECT_THAT(happened, ::testing::Not(::testing::Contains("all"))) << "once";
}

// Somebody may have sealed under it what is not written, and not counted, yet.
TEST_F(AccessTest, ASealingKeyIsJudgedAndRemovedWhileNobodySeals) {
  const std::string retired_alias = aliases.sealing + ".prev." + kid(Purpose::Sealing);
  ASSERT_TRUE(access->rotate(aliases.sealing, -1, actor).ok());
  for (const std::string& alias : {retired_alias, base::to_lower(retired_alias), aliases.sealing}) {
    happened.clear();
    const auto in_use = [&]() -> base::Status {
      EXPECT_THAT(happened, ElementsAre("alone")) << alias;
      return base::Error{base::Code::FailedPrecondition, "in use", {}};
    };
    EXPECT_FALSE(access->remove(alias, {"gone", actor, in_use}).ok());
    happened.clear();
    EXPECT_FALSE(access->set(alias, SecretString(std::string(40, 'x')), {"set", actor, in_use}).ok());
    EXPECT_THAT(happened, ElementsAre("alone", "not alone")) << alias << ": nothing is recorded that was not done";
    EXPECT_TRUE(keystore->get(alias)) << alias;
  }
  happened.clear();
  EXPECT_TRUE(access->remove(retired_alias, {"gone", actor, [] { return base::Status(base::kDone); }}).ok());
  EXPECT_THAT(happened, ElementsAre("alone", "not alone", "keys", ::testing::EndsWith("by root: gone"), "all"));
  EXPECT_FALSE(keystore->get(retired_alias));
}

TEST_F(AccessTest, WithoutAnOverlapTheOldSigningSecretLeavesTheKeystore) {
  const std::string old_kid = kid(Purpose::ApiKeySigning);
  ASSERT_TRUE(access->rotate(aliases.api_key, 0, actor).ok());
  EXPECT_NE(kid(Purpose::ApiKeySigning), old_kid);
  EXPECT_EQ(retired(Purpose::ApiKeySigning), 0u);
}

TEST_F(AccessTest, TheOverlapConcernsNoOtherSecret) {
  for (const Purpose purpose : {Purpose::Sealing, Purpose::PasswordPepper}) {
    ASSERT_TRUE(access->rotate(aliases.of(purpose), 0, actor).ok());
    EXPECT_EQ(retired(purpose), 1u) << "what was made with it would be lost";
  }
  EXPECT_EQ(*base::read_file(path, 1000), "{}");
}

// Otherwise a crash in between, or a full disk, would leave the old secret with another end than the chosen one.
TEST_F(AccessTest, WhereTheEndCannotBeSavedNothingIsRotated) {
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  const std::string old_kid = kid(Purpose::ApiKeySigning);
  EXPECT_FALSE(access->rotate(aliases.api_key, kHourMs, actor).ok());
  EXPECT_EQ(kid(Purpose::ApiKeySigning), old_kid);
  EXPECT_EQ(retired(Purpose::ApiKeySigning), 0u);
  EXPECT_TRUE(happened.empty());
  std::filesystem::remove(path);
  EXPECT_EQ(overlaps->verifies_until(old_kid, now, kDefaultMs, now), now + kDefaultMs)
      << "the end that was not saved is forgotten";
}

}  // namespace
}  // namespace funcgate::app
