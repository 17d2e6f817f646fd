// An apply beside changes of users, groups and roles: what it was computed from holds when it is written, and what it wrote is
// live before anything else is decided.
#include <atomic>
#include <chrono>
#include <future>

#include "audit/trail.h"
#include "resource_fixture.h"
#include "service/admin/identity_service.h"
#include "service/admin/api_keys.h"
#include "service/admin/user_groups.h"
#include "service/admin/users.h"
#include "store/change_repository.h"
#include "store/identity_repository.h"
#include "support/fake_password_hashing.h"

namespace funcgate::service {
namespace {

using base::Code;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kKeysOfCrew =
    "{kind: ApiAuthentication, metadata: {name: keys}, spec: {title: T, type: apiKey, allowedGroups: [Crew]}}";

class ApplyIdentityTest : public ResourceTest {
 protected:
  ApplyIdentityTest() {
    EXPECT_TRUE(identity_.start().ok());
    service_ = std::make_unique<ResourceService>(ResourceService::Parts{*store_, host_, codec_, vault_, clock_, &directory_,
                                                                        &identity_, &identities_, &hashing_, &random_},
                                                 [this](ConfigurationPtr configuration, domain::GenerationPtr) {
                                                   if (while_publishing_) std::exchange(while_publishing_, nullptr)();
                                                   live_ = std::move(configuration);
                                                 });
    EXPECT_TRUE(service_->start().ok());
    actor_.login = "root";
    options_.actor = actor_;
    ChangeProblem problem;
    crew_ = groups_.create({.name = "Crew"}, actor_, problem)->id;
  }
  base::Status remove_crew() {
    ChangeProblem problem;
    return groups_.remove(crew_, directory_.current()->group(crew_)->meta.version, actor_, problem);
  }
  // Has `change` happen while an apply is planned; how often it was planned.
  int planned_while(const std::function<void(int round)>& change, const std::string& yaml, base::Result<ApplyResult>& result) {
    int rounds = 0;
    options_.permit = [&](const ApplyResult&) -> base::Status {
      change(++rounds);
      return base::kDone;
    };
    result = service_->apply(bundle_of(yaml), options_);
    return rounds;
  }

  audit::Trail trail_{"main"};
  store::ChangeRepository changes_{*database_, clock_, trail_};
  store::IdentityRepository identities_{*database_};
  test::FakePasswordHashing hashing_;
  IdentityService identity_{{changes_, identities_, directory_, clock_}};
  const FindReferences references_ = [this](domain::IdentityKind kind, const std::string& id, const std::string& name) {
    return references_in(*service_->configuration(), kind, id, name);
  };
  UserGroups groups_{{identity_, identities_, clock_, random_, references_}};
  Users users_{{identity_, identities_, clock_, random_, references_}};
  std::function<void()> while_publishing_;
  domain::Actor actor_;
  ApplyOptions options_;
  std::string crew_;
};

TEST_F(ApplyIdentityTest, WhatWentWhileItWasPlannedIsMissed) {
  base::Result<ApplyResult> result = ApplyResult();
  const int rounds = planned_while([&](int round) { ASSERT_TRUE(round > 1 || remove_crew().ok()); }, kKeysOfCrew, result);
  EXPECT_EQ(rounds, 2);
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(report(*result), ElementsAre(HasSubstr("no such group \"Crew\"")));
  EXPECT_FALSE(repository_->load()->api_authentications.contains("keys"));
}

TEST_F(ApplyIdentityTest, WhatChangesAllTheTimeEndsInAConflict) {
  base::Result<ApplyResult> result = ApplyResult();
  ChangeProblem problem;
  const int rounds =
      planned_while([&](int round) { ASSERT_TRUE(groups_.create({.name = fmt::format("G{}", round)}, actor_, problem).ok()); },
                    kKeysOfCrew, result);
  EXPECT_EQ(rounds, 5);
  EXPECT_EQ(result.error().code, Code::Conflict);
  EXPECT_FALSE(repository_->load()->api_authentications.contains("keys"));
}

TEST_F(ApplyIdentityTest, ANewKeyDisturbsNoPlan) {
  ChangeProblem problem;
  const std::string mia = users_.create({.login = "mia"}, {}, actor_, problem)->id;
  const auto issue = [](const domain::ApiKey&) -> base::Result<IssuedToken> { return IssuedToken{base::SecretString("t"), "k"}; };
  ApiKeys keys(identity_, identities_, clock_, random_, issue, [](const base::SecretString&) { return std::string(); });
  base::Result<ApplyResult> result = ApplyResult();
  domain::ApiKey wanted;
  wanted.name = "Call API";
  EXPECT_EQ(planned_while([&](int) { ASSERT_TRUE(keys.create(mia, wanted, actor_).ok()); }, kKeysOfCrew, result), 1);
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(report(*result), ElementsAre("ApiAuthentication keys: created"));
}

// Building the catalog may take long: nobody who changes identities waits for it, and references are looked up in what is written.
TEST_F(ApplyIdentityTest, WhatItRefersToCannotGoBeforeItIsLiveAndNobodyWaitsForThat) {
  base::Status removed = base::kDone, created = base::kDone;
  ChangeProblem problem;
  std::future<void> beside;
  while_publishing_ = [&] {
    beside = std::async(std::launch::async, [&] {
      removed = remove_crew();
      created = groups_.create({.name = "Other"}, actor_, problem).ok() ? base::Status(base::kDone)
                                                                       : base::Error{Code::Internal, "not created", {}};
    });
    EXPECT_EQ(beside.wait_for(std::chrono::seconds(20)), std::future_status::ready) << "it waits for the catalog";
  };
  EXPECT_THAT(applied(kKeysOfCrew, options_), ElementsAre("ApiAuthentication keys: created"));
  beside.get();
  ASSERT_FALSE(removed.ok());
  EXPECT_THAT(removed.error().message, HasSubstr("is in use"));
  EXPECT_NE(directory_.current()->group(crew_), nullptr);
  EXPECT_TRUE(created.ok());
}

// Argon2id of a thousand users takes minutes: who changes his password meanwhile must not make all of it begin again.
TEST_F(ApplyIdentityTest, WhatIsPlannedAnewHashesNoPasswordAndLoadsNoScriptAgain) {
  const std::string yaml = std::string(kScripts) + R"(
---
kind: ApiAuthentication
metadata: {name: staff}
spec: {type: httpBasic, users: [{username: a, password: the same long pass}, {username: b, password: the same long pass}]}
---
{kind: User, metadata: {name: mia}, spec: {password: Correct-Horse-22!}}
---
{kind: User, metadata: {name: joe}, spec: {password: Correct-Horse-22!}}
)";
  base::Result<ApplyResult> result = ApplyResult();
  ChangeProblem problem;
  const auto change = [&](int round) {
    if (round < 3) ASSERT_TRUE(groups_.create({.name = fmt::format("G{}", round)}, actor_, problem).ok());
  };
  const int staged_before = host_.staged;
  EXPECT_EQ(planned_while(change, yaml, result), 3);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_THAT(report(*result), Not(Contains(HasSubstr("password"))));
  EXPECT_EQ(host_.staged - staged_before, 1);
  EXPECT_EQ(codec_.passwords_hashed, 2);
  EXPECT_EQ(hashing_.hashes, 2);
  const auto& users = std::get<domain::BasicConfig>(live_->api_authentications.at("staff").value.config).users;
  ASSERT_EQ(users.size(), 2u);
  EXPECT_NE(users[0].password_hash, users[1].password_hash) << "equal passwords must not be told from their hashes";
}

// Nobody knows then whether it is the present password, or one that may not come again.
TEST_F(ApplyIdentityTest, APasswordThatCannotBeComparedIsAProblem) {
  const auto user = [](const char* password) {
    return fmt::format("{{kind: User, metadata: {{name: mia}}, spec: {{password: {}, force: true}}}}", password);
  };
  applied("{kind: PasswordPolicy, metadata: {name: default}, spec: {noReuseCount: 3}}", options_);
  for (const char* password : {"Correct-Horse-21!", "Correct-Horse-22!"}) applied(user(password), options_);
  const std::string before = identities_.user(std::string(directory_.current()->user_by_login("mia")->id()))->password_hash;
  for (const int compared_before : {0, 1}) {
    for (const bool dry_run : {true, false}) {
      options_.dry_run = dry_run;
      hashing_.checks_before_overload = compared_before;
      EXPECT_THAT(applied(user("Correct-Horse-21!"), options_), ElementsAre(HasSubstr("too many"))) << compared_before;
      hashing_.checks_before_overload = -1;
      const auto after = identities_.user(std::string(directory_.current()->user_by_login("mia")->id()));
      EXPECT_EQ(after->password_hash, before) << compared_before;
    }
  }
}

TEST_F(ApplyIdentityTest, AFailedCommitLeavesIdentitiesAndConfigurationAlone) {
  base::Result<ApplyResult> result = ApplyResult();
  const std::string both = std::string(kKeysOfCrew) + "\n---\n{kind: User, metadata: {name: mia}, spec: {}}";
  // Somebody else takes the login behind the back of this server.
  planned_while(
      [&](int) {
        domain::ChangeSet other;
        domain::User mia;
        mia.id = "usr-other00000000000";
        mia.login = "mia";
        other.identity.push_back({.kind = domain::IdentityKind::User, .id = mia.id, .value = mia});
        ASSERT_TRUE(changes_.commit(other).ok());
      },
      both, result);
  EXPECT_EQ(result.error().code, Code::Conflict);
  EXPECT_FALSE(service_->configuration()->api_authentications.contains("keys"));
  EXPECT_FALSE(repository_->load()->api_authentications.contains("keys"));
}

TEST_F(ApplyIdentityTest, PruningAUserWithAKeyWorksOnTheDatabase) {
  applied("{kind: User, metadata: {name: mia}, spec: {}}", options_);
  const std::string mia(directory_.current()->user_by_login("mia")->id());
  const auto issue = [](const domain::ApiKey&) -> base::Result<IssuedToken> { return IssuedToken{base::SecretString("t"), "k"}; };
  ApiKeys keys(identity_, identities_, clock_, random_, issue, [](const base::SecretString&) { return std::string(); });
  domain::ApiKey wanted;
  wanted.name = "Call API";
  const std::string key = keys.create(mia, wanted, actor_)->key.id;
  options_.prune = true;
  EXPECT_THAT(applied("{kind: User, metadata: {name: other}, spec: {}}", options_),
              ElementsAre("User other: created", "User mia: pruned"));
  EXPECT_NE(identities_.api_key(key)->revoked_at_ms, 0);
  EXPECT_TRUE(directory_.current()->key(key)->revoked());
}

TEST_F(ApplyIdentityTest, ASetIsNoPattern) {
  applied("{kind: User, metadata: {name: mia}, spec: {}}", options_);
  for (const char* set : {"def*", "*", "", "a\nb"}) {
    options_.set = set;
    options_.prune = true;
    const auto result = service_->apply(bundle_of("{kind: User, metadata: {name: x}, spec: {}}"), options_);
    ASSERT_FALSE(result.ok()) << set;
    EXPECT_EQ(result.error().code, Code::InvalidArgument) << set;
    EXPECT_EQ(service_->diff(bundle_of("{kind: User, metadata: {name: x}, spec: {}}"), options_).error().code,
              Code::InvalidArgument)
        << set;
  }
  EXPECT_NE(directory_.current()->user_by_login("mia"), nullptr);
  for (const char* set : {"default", "prod eu", "of-Müller", "a.b_c-1"}) EXPECT_TRUE(check_set_name(set).ok()) << set;
  EXPECT_FALSE(check_set_name(std::string(101, 'a')).ok());
}

}  // namespace
}  // namespace funcgate::service
