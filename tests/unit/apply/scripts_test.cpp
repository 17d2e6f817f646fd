// The way of a script from draft to published version.
#include "service/admin/scripts.h"

#include "resource_fixture.h"
#include "store/draft_repository.h"

namespace funcgate::service {
namespace {

using base::Code;

// Passes on to a repository, unless a test wants drafts to stay.
class StubbornDrafts final : public domain::DraftStore {
 public:
  explicit StubbornDrafts(domain::DraftStore& real) : real_(real) {}
  bool fail = false;

  base::Result<std::optional<domain::ScriptDraft>> get(const std::string& script_id) override { return real_.get(script_id); }
  base::Status put(const domain::ScriptDraft& draft, const std::string& expected) override { return real_.put(draft, expected); }
  base::Status remove(const std::string& script_id, const std::string& expected) override {
    if (fail) return base::Error{Code::Unavailable, "no space is left", {}};
    return real_.remove(script_id, expected);
  }
  base::Result<std::vector<domain::ScriptDraft>> list() override { return real_.list(); }

 private:
  domain::DraftStore& real_;
};

class ScriptsTest : public ResourceTest {
 protected:
  ScriptsTest() {
    apply(kScripts);
    domain::ScriptDraft draft;
    draft.script_id = "sales__prices";
    draft.source = "api total()\n";
    draft.sha256 = codec_.sha256_hex(draft.source);
    draft.author = "mia";
    EXPECT_TRUE(scripts_.save(draft, "").ok());
  }
  std::string published() { return service_->configuration()->scripts.at("sales__prices").value.source; }

  store::DraftRepository repository_of_drafts_{*database_};
  StubbornDrafts drafts_{repository_of_drafts_};
  Scripts scripts_{
      {*service_, drafts_, *repository_, host_, clock_,
       [](const auto&, const auto&, const auto&) -> base::Result<base::json::object> { return base::json::object(); }}};
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

}  // namespace
}  // namespace funcgate::service
