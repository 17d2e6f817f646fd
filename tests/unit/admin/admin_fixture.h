// The management API over stores in memory (users, sessions, audit) and on a temporary disk (everything else), with passwords
// that cost nothing and a keystore that a test may break.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "admin/router.h"
#include "admin/services.h"
#include "audit/trail.h"
#include "base/text.h"
#include "service/admin/users.h"
#include "store/configuration_repository.h"
#include "store/draft_repository.h"
#include "store/journal_repository.h"
#include "store/migrations.h"
#include "store/task_repository.h"
#include "support/fake_clock.h"
#include "support/fake_function_host.h"
#include "support/fake_password_hashing.h"
#include "support/fake_random.h"
#include "support/fake_secrets.h"
#include "support/memory_identity_store.h"
#include "support/temporary_folder.h"

namespace funcgate::test {

inline constexpr std::string_view kPassword = "Correct-Horse1!";

class FakeKeystore final : public service::KeystorePort {
 public:
  std::string pepper;  // what is wrong with it
  std::vector<service::KeystoreEntry> entries() const override { return {}; }
  std::vector<std::string> degraded() const override { return {}; }
  base::Status reload(const domain::Actor&) override { return base::kDone; }
  base::Result<std::string> rotate(const std::string&, std::int64_t, const domain::Actor&) override { return std::string("new"); }
  std::string api_key_problem() const override { return ""; }
  std::string pepper_problem() const override { return pepper; }
  std::string pepper_alias() const override { return "pepperKey"; }
  bool has_alias(const std::string&) const override { return false; }
};

class AdminWorld : public ::testing::Test {
 protected:
  AdminWorld() {
    auto opened = store::Database::open(folder / "funcgate.db", store::sqlite_migrations(), clock);
    auto journal_opened = store::Database::open(folder / "journal.db", store::sqlite_journal_migrations(), clock);
    EXPECT_TRUE(opened.ok() && journal_opened.ok());
    database = std::move(*opened);
    journal_database = std::move(*journal_opened);
    EXPECT_TRUE(identity.start().ok());
    configuration = std::make_unique<store::ConfigurationRepository>(*database, clock, random);
    tasks_store = std::make_unique<store::TaskRepository>(*database, clock);
    drafts = std::make_unique<store::DraftRepository>(*database, clock, trail);
    journal = std::make_unique<store::JournalRepository>(*journal_database);
    resources = std::make_unique<service::ResourceService>(
        service::ResourceService::Parts{*configuration, host, codec, vault, clock, &directory},
        [](service::ConfigurationPtr, domain::GenerationPtr) {});
    EXPECT_TRUE(resources->start().ok());
    const auto run = [](const domain::GenerationPtr&, const std::string&,
                        const std::string&) -> base::Result<base::json::object> {
      return base::Error{base::Code::Unavailable, "no workers here", {}};
    };
    scripts.reset(new service::Scripts({*resources, identity, *drafts, *configuration, host, clock, run}));
    services.reset(new admin::Services{
        .clock = clock,
        .random = random,
        .settings = settings,
        .catalog = catalog,
        .identity = identity,
        .sessions = sessions,
        .api_keys = api_keys,
        .resources = *resources,
        .audit = audit,
        .explanations = explanations,
        .keystore = keystore,
        .identity_store = identities,
        .scripts = *scripts,
        .journal = *journal,
        .task_store = *tasks_store,
        .secret_keys = secret_keys,
        .verify_key = [this](const base::SecretString& presented, const domain::Address&) { return verify_key(presented); },
        .verify_token = [this](const base::SecretString& token) { return verify_token ? verify_token(token) : no_verdict(); },
        .cancel_task =
            [this](const std::string& id) {
              recorded_before_cancelling = identities.take_event_names();
              cancelled_tasks.push_back(id);
              return cancelling;
            },
        .clear_throttle =
            [this](const std::optional<domain::Address>& address) {
              cleared_throttles.push_back(address ? address->text() : "all");
              return std::size_t{1};
            },
        .try_authentication = [](const service::Trial&) -> base::Result<service::TrialVerdict> {
          return base::Error{base::Code::Unavailable, "no workers here", {}};
        },
        .settings_document = {},
        .instance_id = "instance-1",
        .node_name = "main",
        .started_ms = clock.wall_ms(),
        .request_key = base::SecretString("a key of the tests"),
        .setup_done = {}});
    router = std::make_unique<admin::Router>(*services);
  }

  // "good <key id> <user id>" is a key; all else is none.
  admin::KeyVerdict verify_key(const base::SecretString& presented) {
    const auto words = base::split(presented.reveal(), '.');
    if (words.size() == 3 && words[0] == "good") return {std::nullopt, std::string(words[2]), std::string(words[1])};
    admin::KeyVerdict verdict;
    verdict.refusal = domain::Refusal{
        .fault = domain::Fault::Unauthenticated, .reason = domain::Reason::KeySignature, .message = "API Key Auth failed"};
    return verdict;
  }

  static auth::KeyVerification no_verdict() { return {domain::Reason::KeyMalformed, {}}; }
  std::function<auth::KeyVerification(const base::SecretString&)> verify_token;

  std::vector<std::string> cleared_throttles;  // an address, or "all"
  std::vector<std::string> cancelled_tasks, recorded_before_cancelling;
  base::Status cancelling = base::kDone;  // how it goes
  // A user with the password kPassword in these groups.
  std::string add_user(const std::string& login, std::vector<std::string> groups) {
    domain::User user;
    user.id = domain::make_id(domain::IdPrefix::User, random.bytes(10));
    user.login = login;
    user.password_hash = "fake$" + std::string(kPassword);
    user.pepper_kid = "pepper-2";
    user.password_changed_at_ms = clock.wall_ms();
    user.groups = std::move(groups);
    const auto done = identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> base::Status {
      changes.identity.push_back({.kind = domain::IdentityKind::User, .id = user.id, .value = user});
      return base::kDone;
    });
    EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().message);
    return user.id;
  }
  std::string add_administrator() { return add_user("root", {std::string(service::kAdministratorsGroupId)}); }

  static admin::Request request(domain::Method method, std::string path, std::string body = "") {
    admin::Request made;
    made.method = method;
    made.path = std::move(path);
    made.body = std::move(body);
    if (!made.body.empty()) made.content_type = "application/json";
    made.address = *domain::Address::parse("203.0.113.7");
    made.host = "fn.example.net";
    made.tls = true;
    made.trace_id = "TRACE-1";
    return made;
  }
  admin::Answer sign_in(const std::string& login, std::string_view password = kPassword,
                        const std::string& address = "203.0.113.7") {
    admin::Request made = request(domain::Method::Post, "/session",
                                  base::to_json(base::json::object{{"login", login}, {"password", std::string(password)}}));
    made.address = *domain::Address::parse(address);
    return router->handle(made);
  }
  struct Browser {
    base::SecretString cookie, csrf;
  };
  Browser browser(const std::string& login) {
    const admin::Answer answer = sign_in(login);
    EXPECT_FALSE(answer.refusal) << answer.refusal->message;
    const std::size_t begin = answer.set_cookie.find('=') + 1;
    return {base::SecretString(answer.set_cookie.substr(begin, answer.set_cookie.find(';') - begin)),
            base::SecretString(std::string(answer.data->at("csrfToken").as_string()))};
  }
  static admin::Request with(admin::Request made, const Browser& browser) {
    made.session_cookie = browser.cookie;
    made.csrf_token = browser.csrf;
    return made;
  }
  std::vector<std::string> event_names() {
    std::vector<std::string> names;
    for (const auto& event : recorded()) names.push_back(event.event);
    return names;
  }
  // What is in the stream when everything until now is recorded.
  std::vector<domain::AuditEvent> recorded() {
    router->await_records();
    return identities.events();
  }

  TemporaryFolder folder;
  FakeClock clock;
  FakeRandom random;
  const audit::Trail trail{"main"};
  service::ServerSettings settings;
  std::unique_ptr<store::Database> database, journal_database;
  std::unique_ptr<store::ConfigurationRepository> configuration;
  std::unique_ptr<store::TaskRepository> tasks_store;
  std::unique_ptr<store::DraftRepository> drafts;
  std::unique_ptr<store::JournalRepository> journal;
  MemoryIdentityStore identities;
  base::Snapshot<domain::Directory> directory{std::make_shared<const domain::Directory>()};
  base::Snapshot<service::Catalog> catalog{std::make_shared<const service::Catalog>()};
  service::IdentityService identity{{identities, identities, directory, clock}};
  std::string known_key;  // the id of the key that "a known token" is
  FakePasswordHashing hashing;
  FakeKeystore keystore;
  FakeFunctionHost host;
  FakeSecretCodec codec;
  FakeSecretVault vault;
  service::Sessions sessions{identity, identities, hashing, clock, random, base::SecretString("csrf key"), {}};
  service::ApiKeys api_keys{identity,
                            identities,
                            clock,
                            random,
                            [](const domain::ApiKey& key) -> base::Result<service::IssuedToken> {
                              return service::IssuedToken{base::SecretString("token of " + key.id), "kid"};
                            },
                            [this](const base::SecretString& token) {
                              return token == base::SecretString("a known token") ? known_key : std::string();
                            }};
  service::SecretKeys secret_keys{
      {identity, identities, vault, keystore, clock, random, [](const base::SecretString&) { return std::string(); }}};
  service::Explanations explanations{clock};
  std::unique_ptr<service::ResourceService> resources;
  std::unique_ptr<service::Scripts> scripts;
  service::AuditService audit{
      identities,
      {.calls = [](const domain::CallTrailQuery&) -> base::Result<service::AuditPage> { return service::AuditPage(); },
       .verify = {},
       .checkpoint = {}}};
  std::unique_ptr<admin::Services> services;
  std::unique_ptr<admin::Router> router;
};

// What is refused, or that nothing is.
MATCHER_P(IsRefused, fault, "") {
  if (!arg.refusal) {
    *result_listener << "answered " << arg.status;
    return false;
  }
  *result_listener << "refused: " << arg.refusal->message << " " << arg.refusal->detail;
  return arg.refusal->fault == fault;
}
MATCHER_P(Answers, status, "") {
  if (arg.refusal) *result_listener << "refused: " << arg.refusal->message << " " << arg.refusal->detail;
  return !arg.refusal && arg.status == status;
}

}  // namespace funcgate::test
