#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <new>
#include <thread>

#include "resource_fixture.h"

namespace funcgate::service {
namespace {

using base::Code;
using domain::ResourceKind;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class ResourceServiceTest : public ResourceTest {
 protected:
  static void write(const test::TemporaryFolder& folder, const std::vector<ExportedFile>& files) {
    for (const ExportedFile& file : files) folder.write(file.path, file.content);
  }
  static std::string joined(const std::vector<ExportedFile>& files) {
    std::string all;
    for (const ExportedFile& file : files) all += "== " + file.path + "\n" + file.content;
    return all;
  }
};

TEST_F(ResourceServiceTest, PublishesWhatWasStoredAfterARestart) {
  apply(kEverything);
  live_ = nullptr;
  restart();
  ASSERT_NE(live_, nullptr);
  EXPECT_EQ(live_->function_apis.size(), 1u);
  EXPECT_NE(live_generation_->function("sales__prices.quote"), nullptr);
}

TEST_F(ResourceServiceTest, AFailedCommitPublishesNothing) {
  apply(std::string(kScripts) + kShop);
  const auto before = live_;
  const int published = published_;
  store_->fail_before = true;
  auto result = service_->apply(bundle_of(kQuote), {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::Unavailable);
  EXPECT_EQ(published_, published);
  EXPECT_EQ(live_, before);
  store_->fail_before = false;
  EXPECT_THAT(applied(kQuote), ElementsAre("FuncApi quote: created"));
}

TEST_F(ResourceServiceTest, ACommitThatWasDoneButNotConfirmedBecomesLive) {
  store_->fail_after = true;
  EXPECT_FALSE(service_->apply(bundle_of(kEverything), {}).ok());
  EXPECT_EQ(live_->function_apis.size(), 1u) << "what the store holds is what is served";
  store_->fail_after = false;
  EXPECT_THAT(applied(kEverything), Contains("FuncApi quote: unchanged"));
}

// Otherwise calls would be answered from the old one, an API that was closed, say, and repeating the change would do nothing.
TEST_F(ResourceServiceTest, WhatWasWrittenAndCouldNotBeMadeLiveIsMadeLiveFirstOfAll) {
  const std::pair<const char*, std::function<void()>> next[] = {
      {"the same once more", [&] { EXPECT_THAT(applied(kRegion), ElementsAre("EnvVariable REGION: unchanged")); }},
      {"by hand", [&] { std::ignore = service_->remove(ResourceKind::EnvVariable, "NONE", {}, {}); }},
      {"housekeeping", [&] { EXPECT_TRUE(service_->publish_what_is_stored().ok()); }},
      {"a new secret", [&] { service_->publish_again([] {}); }}};
  for (const auto& [what, again] : next) {
    ASSERT_TRUE(service_->apply(bundle_of(kEverything), {}).ok());
    std::ignore = service_->remove(ResourceKind::EnvVariable, "REGION", {}, {});
    ASSERT_FALSE(live_->env_variables.contains("REGION")) << what;
    const domain::GenerationPtr loaded = live_generation_;
    publishing_fails_ = true;
    EXPECT_THROW(std::ignore = service_->apply(bundle_of(kRegion), {}), std::bad_alloc) << what;
    EXPECT_FALSE(live_->env_variables.contains("REGION")) << what;
    again();
    EXPECT_TRUE(live_->env_variables.contains("REGION")) << what;
    EXPECT_EQ(live_generation_, loaded) << what << ": its scripts were loaded already";
  }
  const int published = published_;
  EXPECT_TRUE(service_->publish_what_is_stored().ok());
  EXPECT_EQ(published_, published) << "it is live";
}

TEST_F(ResourceServiceTest, WhereTheStoredCannotBeReadNoChangeBegins) {
  apply(kEverything);
  publishing_fails_ = true;
  EXPECT_THROW(service_->publish_again([] {}), std::bad_alloc);
  store_->fail_load = true;
  const auto result = service_->apply(bundle_of(kEverything), {});
  ASSERT_FALSE(result.ok()) << "not unchanged";
  EXPECT_EQ(result.error().code, Code::Unavailable);
  store_->fail_load = false;
  const int published = published_;
  EXPECT_THAT(applied(kRegion), ElementsAre("EnvVariable REGION: unchanged"));
  EXPECT_EQ(published_, published + 1);
}

// Waits until the thread has gone to sleep, as one does that waits for a lock.
void await_sleep_of(const std::atomic<int>& thread_id) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < until) {
    std::string state;
    if (thread_id != 0) std::ifstream(fmt::format("/proc/self/task/{}/stat", thread_id.load())) >> state >> state >> state;
    if (state == "S") return;
    std::this_thread::yield();
  }
  ADD_FAILURE() << "the thread does not wait";
}

TEST_F(ResourceServiceTest, OfThoseThatWaitToPublishAgainTheFirstDoesItForAll) {
  apply(kEverything);
  for (const bool first_fails : {false, true}) {
    const int published = published_;
    std::atomic<int> prepared = 0, refused = 0;
    std::array<std::atomic<int>, 5> thread_ids{};
    std::vector<std::thread> threads;
    const base::Status done = service_->while_nothing_changes([&]() -> base::Status {
      for (std::atomic<int>& id : thread_ids) {
        threads.emplace_back([&] {
          id = ::gettid();
          try {
            service_->publish_again([&] { ++prepared; });
          } catch (const std::bad_alloc&) {
            ++refused;
          }
        });
        await_sleep_of(id);
      }
      publishing_fails_ = first_fails;
      return base::kDone;
    });
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(done.ok());
    EXPECT_EQ(published_, published + (first_fails ? 2 : 1)) << "after a failure first what is stored";
    EXPECT_EQ(refused, first_fails ? 1 : 0);
    EXPECT_EQ(prepared, first_fails ? 2 : 1) << "what failed is done for nobody";
  }
  const int published = published_;
  service_->publish_again([] {});
  EXPECT_EQ(published_, published + 1) << "who asks later is not served by what was done before";
}

TEST_F(ResourceServiceTest, AnotherWriterIsSeenAndTheChangeCanBeRepeated) {
  domain::EnvVariable variable;
  variable.id = "FOREIGN";
  domain::ResourceChange foreign{.kind = ResourceKind::EnvVariable, .id = "FOREIGN"};
  foreign.env_variable = domain::Stored<domain::EnvVariable>{variable, {1, 1, 1, ""}};
  ASSERT_TRUE(repository_->commit({foreign}, 0, "elsewhere", "").ok());
  auto result = service_->apply(bundle_of(kRegion), {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::Conflict);
  EXPECT_TRUE(live_->env_variables.contains("FOREIGN"));
  EXPECT_THAT(applied(kRegion), ElementsAre("EnvVariable REGION: created"));
}

TEST_F(ResourceServiceTest, AScriptThatNoLongerLoadsDoesNotTakeTheOthersAlong) {
  domain::Script script;
  script.id = "old__broken";
  script.set_id = "old";
  script.publish_version = 1;
  script.source = "fail the library is gone\n";
  domain::ScriptSet set;
  set.id = "old";
  apply(kEverything);
  ASSERT_TRUE(
      repository_
          ->commit({{.kind = ResourceKind::ScriptSet, .id = "old", .script_set = domain::Stored<domain::ScriptSet>{set, {}}},
                    {.kind = ResourceKind::Script, .id = script.id, .script = domain::Stored<domain::Script>{script, {}}}},
                   live_->sequence, "", "")
          .ok());
  restart();
  EXPECT_NE(live_generation_->function("sales__prices.quote"), nullptr);
}

TEST_F(ResourceServiceTest, PutNeedsTheExpectedVersion) {
  apply(kEverything);
  const BundleDocument quote =
      bundle_of("{kind: FuncApi, metadata: {name: quote}, spec: {funcId: sales__prices.quote, apiAuthIds: [shop], title: T}}")
          .documents[0];
  EXPECT_EQ(service_->put(quote, 7, {}).error().code, Code::FailedPrecondition);
  EXPECT_EQ(service_->put(quote, 0, {}).error().code, Code::FailedPrecondition);
  EXPECT_THAT(report(*service_->put(quote, 1, {})), ElementsAre("FuncApi quote: changed (title)"));
  EXPECT_EQ(live_->function_apis.at("quote").meta.apply_set, "default") << "a change by hand does not change where it came from";
}

TEST_F(ResourceServiceTest, OfTwoWritersWithOneVersionOneSucceeds) {
  apply(kEverything);
  std::atomic<int> done = 0, refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      BundleDocument quote;
      quote.kind = "FuncApi";
      quote.name = "quote";
      quote.spec = {
          {"funcId", "sales__prices.quote"}, {"apiAuthIds", base::json::array{"shop"}}, {"title", "T" + std::to_string(i)}};
      (service_->put(quote, 1, {}).ok() ? done : refused)++;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(refused, 3);
}

TEST_F(ResourceServiceTest, WhatIsInUseIsNotRemoved) {
  apply(kEverything);
  const auto used = service_->remove(ResourceKind::ApiAuthentication, "shop", std::nullopt, {});
  ASSERT_TRUE(used.ok());
  EXPECT_EQ(used->failure(), ApplyFailure::InUse);
  EXPECT_THAT(used->used_by, ElementsAre("FuncApi quote"));
  const auto set_used = service_->remove(ResourceKind::ScriptSet, "sales", std::nullopt, {});
  EXPECT_EQ(set_used->failure(), ApplyFailure::InUse);
  EXPECT_THAT(report(*service_->remove(ResourceKind::FuncApi, "quote", 1, {})), ElementsAre("FuncApi quote: deleted"));
  EXPECT_THAT(report(*service_->remove(ResourceKind::ApiAuthentication, "shop", std::nullopt, {})),
              ElementsAre("ApiAuthentication shop: deleted"));
  EXPECT_THAT(report(*service_->remove(ResourceKind::ScriptSet, "sales", std::nullopt, {})),
              ElementsAre("ScriptSet sales: deleted"));
  EXPECT_TRUE(live_->scripts.empty());
  EXPECT_EQ(service_->remove(ResourceKind::FuncApi, "quote", std::nullopt, {}).error().code, Code::NotFound);
}

const std::string kWithSecrets = kEverything + R"(
---
kind: ApiAuthentication
metadata: {name: staff}
spec: {title: Staff, type: httpBasic, realm: Staff only,
  users: [{username: mia, password: 'long pass:word', notAfter: '2027-01-01T00:00:00Z'}]}
---
kind: ApiAuthentication
metadata: {name: stock}
spec: {type: httpDigest, users: [{username: jörg, password: 'long pass:word', disabled: true}]}
---
kind: ApiAuthentication
metadata: {name: badge}
spec: {type: func, funcId: sales__prices.check, cacheTtl: 30, credentialFields: [{location: header, name: X-Badge}]}
---
kind: EnvVariable
metadata: {name: TOKEN}
spec: {type: password, value: secret-token-of-partner, scriptSets: ['*']}
---
kind: FuncApi
metadata: {name: open}
spec:
  funcId: sales__prices.quote
  funcCallKwargs: {sku: 'yes', qty: 1.5}
  anonymous: true
  anonymousReason: 'open data: #1'
  throttling: {byMinute: 5, per: address}
  corsOrigins: ['*']
)";

TEST_F(ResourceServiceTest, ExportIsStableAndHoldsNoSecret) {
  apply(kWithSecrets);
  const std::string first = joined(*service_->export_documents({}));
  EXPECT_EQ(joined(*service_->export_documents({})), first);
  restart();
  EXPECT_EQ(joined(*service_->export_documents({})), first);
  for (const char* secret : {"w9-Kq3vT", "long pass", "secret-token", "$fake$", "v1."})
    EXPECT_EQ(first.find(secret), std::string::npos) << secret;
  EXPECT_THAT(first, HasSubstr("== script-sets/sales/prices.py\napi quote(sku, qty=1)\n"));
  EXPECT_THAT(first, HasSubstr("passwordFrom:\n        keep: true"));
}

TEST_F(ResourceServiceTest, ExportThenApplyChangesNothing) {
  apply(kWithSecrets);
  test::TemporaryFolder folder;
  write(folder, *service_->export_documents({}));
  std::vector<Problem> problems;
  const Bundle bundle = read_bundle(folder.path(), process_environment, problems);
  ASSERT_THAT(problems, SizeIs(0)) << problems[0].text();
  const auto result = service_->apply(bundle, {});
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(report(*result), Each(HasSubstr(": unchanged")));
  EXPECT_THAT(report(*result), SizeIs(9));
}

TEST_F(ResourceServiceTest, ExportOntoAnEmptyInstanceBringsEverythingButSecrets) {
  apply(kWithSecrets);
  test::TemporaryFolder folder;
  write(folder, *service_->export_documents({}));
  const std::string original = joined(*service_->export_documents({}));
  auto other_database = store::Database::open(folder_ / "other.db", store::sqlite_migrations(), clock_);
  ASSERT_TRUE(other_database.ok());
  store::ConfigurationRepository other_repository(**other_database, clock_, random_);
  ResourceService other({other_repository, host_, codec_, vault_, clock_}, [](ConfigurationPtr, domain::GenerationPtr) {});
  ASSERT_TRUE(other.start().ok());
  std::vector<Problem> problems;
  const auto result = other.apply(read_bundle(folder.path(), process_environment, problems), {});
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(report(*result), Each(HasSubstr(": created")));
  EXPECT_THAT(warnings(*result), SizeIs(4)) << "each secret is listed as to be filled";
  EXPECT_EQ(joined(*other.export_documents({})), original);
}

TEST_F(ResourceServiceTest, ExportsTheKindsAsked) {
  apply(kWithSecrets);
  EXPECT_THAT(*service_->export_documents({ResourceKind::FuncApi}), SizeIs(2));
}

}  // namespace
}  // namespace funcgate::service
