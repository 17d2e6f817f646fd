// The way of a script from draft to published version.
#include "service/admin/scripts.h"

#include "audit/trail.h"
#include "resource_fixture.h"
#include "store/draft_repository.h"
#include "store/identity_repository.h"
#include "support/memory_identity_store.h"

namespace funcgate::service {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Passes on to a repository, unless a test wants drafts to stay.
class StubbornDrafts final : public domain::DraftStore {
 public:
  explicit StubbornDrafts(domain::DraftStore& real) : real_(real) {}
  bool fail = false;

  base::Result<std::optional<domain::ScriptDraft>> get(const std::string& script_id) override { return real_.get(script_id); }
  base::Status put(const domain::ScriptDraft& draft, const std::string& expected, const domain::DraftEvent& event) override {
    return real_.put(draft, expected, event);
  }
  base::Status remove(const std::string& script_id, const std::string& expected, const domain::DraftEvent& event) override {
    if (fail) return base::Error{Code::Unavailable, "no space is left", {}};
    return real_.remove(script_id, expected, event);
  }
  base::Result<std::vector<domain::ScriptDraft>> list() override { return real_.list(); }

 private:
  domain::DraftStore& real_;
};

class ScriptsTest : public ResourceTest {
 protected:
  ScriptsTest() {
    apply(kScripts);
    mia_.login = "mia";
    mia_.trace_id = "TRACE-1";
    EXPECT_TRUE(save("api total()\n", "").ok());
  }
  base::Result<domain::ScriptDraft> save(const std::string& source, const std::string& expected) {
    domain::ScriptDraft draft;
    draft.script_id = "sales__prices";
    draft.source = source;
    draft.sha256 = codec_.sha256_hex(draft.source);
    draft.author = "mia";
    return scripts_.save(std::move(draft), expected, mia_);
  }
  std::string published() { return service_->configuration()->scripts.at("sales__prices").value.source; }

  // Records of drafts, oldest first.
  std::vector<base::json::object> records() {
    std::vector<base::json::object> out;
    const auto entries = store::IdentityRepository(*database_).audit_from(1, 100);
    EXPECT_TRUE(entries.ok());
    if (!entries.ok()) return out;
    for (const domain::AuditEntry& entry : *entries) out.push_back(*domain::exported_record(entry));
    return out;
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const auto& record : records()) out.emplace_back(record.at("event").as_string());
    return out;
  }

  domain::Actor mia_;
  const audit::Trail trail_{"main"};
  store::DraftRepository repository_of_drafts_{*database_, clock_, trail_};
  StubbornDrafts drafts_{repository_of_drafts_};
  test::MemoryIdentityStore identities_;
  IdentityService identity_{{identities_, identities_, directory_, clock_}};
  std::vector<std::string> recorded_before_run_;  // of the trial run, when the function began
  int runs_ = 0;
  Scripts scripts_{{*service_, identity_, drafts_, *repository_, host_, clock_,
                    [this](const auto&, const auto&, const auto&) -> base::Result<base::json::object> {
                      ++runs_;
                      recorded_before_run_ = identities_.take_event_names();
                      return base::json::object();
                    }}};
};

TEST_F(ScriptsTest, PublishingTakesTheDraftAway) {
  const auto result = scripts_.publish("sales__prices", {});
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(published(), "api total()\n");
  EXPECT_EQ(scripts_.publish("sales__prices", {}).error().code, Code::FailedPrecondition);
}

TEST_F(ScriptsTest, WhatIsLiveIsNoFailureThoughTheDraftStays) {
  drafts_.fail = true;
  const auto result = scripts_.publish("sales__prices", {});
  ASSERT_TRUE(result.ok()) << "it is published, whatever became of the draft: " << result.error().message;
  EXPECT_EQ(published(), "api total()\n");
  EXPECT_EQ(scripts_.current("sales__prices")->author, "mia") << "the draft is still there";
}

TEST_F(ScriptsTest, RecordsOfDraftsTellWhoAndWhichTextButNotTheText) {
  const std::string first = codec_.sha256_hex("api total()\n"), second = codec_.sha256_hex("api other()\n");
  ASSERT_TRUE(save("api other()\n", first).ok());
  ASSERT_TRUE(scripts_.discard("sales__prices", second, mia_).ok());
  const auto all = records();
  ASSERT_THAT(names(), ElementsAre("script.draft_saved", "script.draft_saved", "script.draft_removed"));
  for (const auto& record : all) {
    EXPECT_EQ(record.at("actor").at("login"), "mia");
    EXPECT_EQ(record.at("traceId"), "TRACE-1");
    EXPECT_EQ(record.at("object").at("kind"), "Script");
    EXPECT_EQ(record.at("object").at("id"), "sales__prices");
    EXPECT_THAT(base::to_json(record), Not(HasSubstr("api ")));
  }
  const auto changes = [&](std::size_t index) { return base::to_json(all[index].at("changes")); };
  EXPECT_EQ(changes(0), R"([{"field":"sha256","new":")" + first + R"("},{"field":"bytes","new":12}])");
  EXPECT_EQ(changes(1), R"([{"field":"sha256","new":")" + second + R"(","old":")" + first + R"("}])");
  EXPECT_EQ(changes(2), R"([{"field":"sha256","old":")" + second + R"("},{"field":"bytes","old":12}])");
}

TEST_F(ScriptsTest, ADraftThatIsPublishedLeavesWithARecord) {
  ASSERT_TRUE(scripts_.publish("sales__prices", {.actor = mia_}).ok());
  ASSERT_THAT(names(), ElementsAre("script.draft_saved", "script.draft_removed"));
  EXPECT_EQ(records().back().at("actor").at("login"), "mia");
}

TEST_F(ScriptsTest, ATrialRunIsRecordedBeforeItBegins) {
  std::vector<domain::StageProblem> problems;
  ASSERT_TRUE(scripts_.run_draft("sales__prices", "total", R"({"word":"of the caller"})", mia_, problems).ok());
  EXPECT_THAT(recorded_before_run_, ElementsAre("script.draft_run"));
  const domain::AuditEvent event = identities_.events().back();
  EXPECT_EQ(event.object_kind, "Script");
  EXPECT_EQ(event.object_id, "sales__prices");
  EXPECT_EQ(event.actor.login, "mia");
  EXPECT_EQ(event.actor.trace_id, "TRACE-1");
  EXPECT_THAT(event.summary, HasSubstr("\"total\" in the draft: 12 bytes, SHA-256 " + codec_.sha256_hex("api total()\n")));
  EXPECT_THAT(event.summary, Not(HasSubstr("of the caller")));
  // What does not load has run as far as it came.
  ASSERT_TRUE(save("fail here\n", "*").ok());
  EXPECT_FALSE(scripts_.run_draft("sales__prices", "total", "{}", mia_, problems).ok());
  EXPECT_THAT(identities_.take_event_names(), ElementsAre("script.draft_run"));
  ASSERT_TRUE(scripts_.discard("sales__prices", "*", mia_).ok());
  problems.clear();
  ASSERT_TRUE(scripts_.run_draft("sales__prices", "quote", "{}", mia_, problems).ok());
  EXPECT_THAT(identities_.events().back().summary, HasSubstr("\"quote\" in the published text"));
}

TEST_F(ScriptsTest, ATrialRunThatCannotBeRecordedIsNotRun) {
  const int staged = host_.staged;
  std::vector<domain::StageProblem> problems;
  identities_.fail_next_commit(Code::Internal);
  const auto refused = scripts_.run_draft("sales__prices", "total", "{}", mia_, problems);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::Unavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("cannot be recorded"));
  EXPECT_EQ(runs_, 0);
  EXPECT_EQ(host_.staged, staged) << "loading it runs what stands outside of its functions";
  EXPECT_FALSE(scripts_.run_draft("sales__nothing", "total", "{}", mia_, problems).ok());
  EXPECT_THAT(identities_.take_event_names(), IsEmpty()) << "what is not there was not run";
  EXPECT_TRUE(scripts_.run_draft("sales__prices", "total", "{}", mia_, problems).ok());
  EXPECT_EQ(runs_, 1);
}

}  // namespace
}  // namespace funcgate::service
