// A ResourceService over a real database, with functions and secrets that a test can foresee.
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "service/admin/resource_service.h"
#include "service/apply/bundle_reader.h"
#include "store/configuration_repository.h"
#include "support/fake_clock.h"
#include "support/fake_function_host.h"
#include "support/fake_random.h"
#include "support/fake_secrets.h"
#include "support/temporary_folder.h"

namespace funcgate::service {

// Passes on to a repository, unless a test wants a commit to fail.
class FailingStore final : public domain::ConfigurationStore {
 public:
  explicit FailingStore(domain::ConfigurationStore& real) : real_(real) {}
  bool fail_before = false, fail_after = false, fail_load = false;

  base::Result<domain::Configuration> load() override {
    if (fail_load) return base::Error{base::Code::Unavailable, "the disk does not answer", {}};
    return real_.load();
  }
  base::Result<std::int64_t> commit(const std::vector<domain::ResourceChange>& changes, std::int64_t expected_sequence,
                                    const std::string& author, const std::string& note) override {
    const base::Error failure{base::Code::Unavailable, "no space is left", {}};
    if (fail_before) return failure;
    auto result = real_.commit(changes, expected_sequence, author, note);
    if (fail_after) return failure;
    return result;
  }
  base::Result<std::string> instance_id() override { return real_.instance_id(); }

 private:
  domain::ConfigurationStore& real_;
};

class ResourceTest : public ::testing::Test {
 protected:
  ResourceTest() {
    auto opened = store::Database::open(folder_ / "funcgate.db", store::sqlite_migrations(), clock_);
    EXPECT_TRUE(opened.ok());
    database_ = std::move(*opened);
    repository_ = std::make_unique<store::ConfigurationRepository>(*database_, clock_, random_);
    store_ = std::make_unique<FailingStore>(*repository_);
    restart();
  }
  // The server starts anew on the same database.
  void restart() {
    service_ = std::make_unique<ResourceService>(ResourceService::Parts{*store_, host_, codec_, vault_, clock_, &directory_},
                                                 [this](ConfigurationPtr configuration, domain::GenerationPtr generation) {
                                                   if (std::exchange(publishing_fails_, false)) throw std::bad_alloc();
                                                   ++published_;
                                                   live_ = std::move(configuration);
                                                   live_generation_ = std::move(generation);
                                                 });
    EXPECT_TRUE(service_->start().ok());
  }
  static Bundle bundle_of(const std::string& yaml) {
    test::TemporaryFolder folder;
    folder.write("all.yaml", yaml);
    std::vector<Problem> problems;
    Bundle bundle = read_bundle(folder.path(), [](const std::string&) { return std::nullopt; }, problems);
    for (const Problem& problem : problems) ADD_FAILURE() << problem.text();
    return bundle;
  }
  ApplyResult apply(const std::string& yaml, const ApplyOptions& options = {}) {
    clock_.advance_ms(1000);
    auto result = service_->apply(bundle_of(yaml), options);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? std::move(*result) : ApplyResult();
  }
  // "created", "changed (title)", … per object, or the problems.
  static std::vector<std::string> report(const ApplyResult& result) {
    std::vector<std::string> out;
    for (const Problem& problem : result.problems) out.push_back(problem.text());
    if (!out.empty()) return out;
    for (const ObjectResult& object : result.objects) out.push_back(object.text());
    return out;
  }
  std::vector<std::string> applied(const std::string& yaml, const ApplyOptions& options = {}) {
    return report(apply(yaml, options));
  }
  static std::vector<std::string> warnings(const ApplyResult& result) {
    std::vector<std::string> out;
    for (const Problem& problem : result.warnings) out.push_back(problem.text());
    return out;
  }

  test::TemporaryFolder folder_;
  test::FakeClock clock_;
  test::FakeRandom random_;
  test::FakeFunctionHost host_;
  test::FakeSecretCodec codec_;
  test::FakeSecretVault vault_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::ConfigurationRepository> repository_;
  std::unique_ptr<FailingStore> store_;
  base::Snapshot<domain::Directory> directory_{std::make_shared<const domain::Directory>()};
  std::unique_ptr<ResourceService> service_;
  int published_ = 0;
  bool publishing_fails_ = false;  // once
  ConfigurationPtr live_;
  domain::GenerationPtr live_generation_;
};

inline constexpr const char* kScripts = R"(
kind: ScriptSet
metadata: {name: sales}
spec:
  title: Sales
  scripts:
    prices:
      source: |
        api quote(sku, qty=1)
        api check()
        async api later()
)";
inline constexpr const char* kShop = R"(
---
kind: ApiAuthentication
metadata: {name: shop}
spec: {type: fixedField, fields: [{label: north, location: header, name: X-Shop-Token, value: w9-Kq3vT-w9-Kq3vT}]}
)";
inline constexpr const char* kQuote = R"(
---
kind: FuncApi
metadata: {name: quote}
spec: {funcId: sales__prices.quote, apiAuthIds: [shop]}
)";
inline constexpr const char* kRegion = R"(
---
kind: EnvVariable
metadata: {name: REGION}
spec: {value: north, scriptSets: [sales]}
)";
inline const std::string kEverything = std::string(kScripts) + kShop + kQuote + kRegion;

}  // namespace funcgate::service
