// Drafts of scripts, and the records of their changes in the same transactions.
#include "store/draft_repository.h"

#include <stdexcept>

#include "identity_fixture.h"

namespace funcgate::store {
namespace {

using base::Code;
using domain::ScriptDraft;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Links as the real one, unless a test wants that nothing can be recorded.
class BreakingChain final : public domain::EventChain {
 public:
  bool broken = false;

  domain::AuditEntry link(const domain::AuditEvent& event, std::int64_t sequence,
                          const std::string& previous_hash) const override {
    if (broken) throw std::runtime_error("nothing can be recorded");
    return real_.link(event, sequence, previous_hash);
  }

 private:
  const audit::Trail real_{"main"};
};

class DraftRepositoryTest : public DatabaseTest {
 protected:
  base::Status put(ScriptDraft draft, const std::string& expected) { return drafts_.put(draft, expected, event("saved")); }
  base::Status remove(const std::string& id, const std::string& expected) {
    return drafts_.remove(id, expected, event("removed"));
  }
  // "saved over h1", "removed over h2", or "… over nothing", oldest first.
  std::vector<std::string> recorded() {
    std::vector<std::string> names;
    const auto entries = IdentityRepository(*database_).audit_from(1, 100);
    EXPECT_TRUE(entries.ok());
    if (entries.ok()) {
      for (const domain::AuditEntry& entry : *entries) names.push_back(entry.event);
    }
    return names;
  }

  BreakingChain chain_;
  DraftRepository drafts_{*database_, clock_, chain_};

 private:
  static domain::DraftEvent event(const std::string& verb) {
    return [verb](const std::optional<ScriptDraft>& before) {
      domain::AuditEvent made;
      made.event = verb + " over " + (before ? before->sha256 : "nothing");
      return made;
    };
  }
};

TEST_F(DraftRepositoryTest, ADraftIsReplacedOnlyByWhoHasSeenIt) {
  EXPECT_FALSE(drafts_.get("a__b")->has_value());
  ASSERT_TRUE(put({"a__b", "one", "h1", "mia", 5}, "").ok());
  EXPECT_EQ((*drafts_.get("a__b"))->source, "one");
  const auto blind = put({"a__b", "two", "h2", "tom", 6}, "");
  EXPECT_EQ(blind.error().code, Code::Conflict);
  EXPECT_THAT(blind.error().message, HasSubstr("the draft of script \"a__b\" was saved by \"mia\" meanwhile"));
  ASSERT_TRUE(put({"a__b", "two", "h2", "tom", 6}, "h1").ok());
  EXPECT_EQ(put({"a__b", "three", "h3", "mia", 7}, "h1").error().code, Code::Conflict);
  ASSERT_TRUE(put({"a__b", "three", "h3", "mia", 7}, "*").ok());
  ASSERT_TRUE(put({"a__a", "x", "hx", "mia", 7}, "").ok());
  const auto listed = drafts_.list();
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[0].script_id, "a__a");
  EXPECT_EQ((*listed)[1].sha256, "h3");
  EXPECT_TRUE((*listed)[1].source.empty());
  EXPECT_EQ(remove("a__b", "h1").error().code, Code::Conflict);
  ASSERT_TRUE(remove("a__b", "h3").ok());
  EXPECT_EQ(remove("a__b", "h3").error().code, Code::Conflict);
  EXPECT_TRUE(remove("a__b", "").ok());
}

TEST_F(DraftRepositoryTest, EachChangeIsRecordedAndWhatChangesNothingIsNot) {
  ASSERT_TRUE(put({"a__b", "one", "h1", "mia", 5}, "").ok());
  ASSERT_TRUE(put({"a__b", "two", "h2", "tom", 6}, "h1").ok());
  ASSERT_FALSE(put({"a__b", "three", "h3", "mia", 7}, "h1").ok());
  ASSERT_FALSE(remove("a__b", "h1").ok());
  ASSERT_TRUE(remove("a__b", "*").ok());
  ASSERT_TRUE(remove("a__b", "*").ok());
  EXPECT_THAT(recorded(), ElementsAre("saved over nothing", "saved over h1", "removed over h2"));
}

TEST_F(DraftRepositoryTest, WhatCannotBeRecordedIsNotDone) {
  chain_.broken = true;
  EXPECT_FALSE(put({"a__b", "one", "h1", "mia", 5}, "").ok());
  EXPECT_FALSE(drafts_.get("a__b")->has_value());
  chain_.broken = false;
  ASSERT_TRUE(put({"a__b", "one", "h1", "mia", 5}, "").ok());
  chain_.broken = true;
  EXPECT_FALSE(put({"a__b", "two", "h2", "mia", 6}, "h1").ok());
  EXPECT_FALSE(remove("a__b", "h1").ok());
  EXPECT_EQ((*drafts_.get("a__b"))->source, "one");
  EXPECT_THAT(recorded(), ElementsAre("saved over nothing"));
}

}  // namespace
}  // namespace funcgate::store
