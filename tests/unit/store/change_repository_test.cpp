#include "store/change_repository.h"

#include <thread>

#include "identity_fixture.h"
#include "store/configuration_repository.h"

namespace funcgate::store {
namespace {

using base::Code;
using domain::ChangeSet;
using domain::IdentityKind;
using domain::Privilege;
using ::testing::HasSubstr;

class ChangeRepositoryTest : public IdentityStoreTest {
 protected:
  // Everything that a refused change might have left behind.
  std::string state() {
    std::string text;
    for (const char* table :
         {"users", "user_passwords", "memberships", "user_groups", "group_roles", "roles", "api_keys", "secret_keys",
          "applications", "sessions", "setup_tokens", "audit_entries", "changes", "identity_documents"}) {
      text += std::to_string(count(std::string("SELECT COUNT(*) FROM ") + table)) + " ";
    }
    return text;
  }
};

TEST_F(ChangeRepositoryTest, WhatWasCommittedIsReadBack) {
  domain::User mia = a_user("mia", {"grp-Staff"});
  mia.must_change_password = true;
  mia.last_login_at_ms = 77;
  const domain::Role role = a_role("Maker", {Privilege::UseApiKey, Privilege::PublishApis}, "app-1");
  commit(
      {put(mia), put(a_key("main", mia.id)), put(a_group("Staff", {"rol-Maker"})), put(role), put(a_secret("APIKey", "Ping"))});

  const auto user = store_.user(mia.id);
  ASSERT_TRUE(user.ok());
  EXPECT_EQ(user->login, "mia");
  EXPECT_EQ(user->first_name, "First mia");
  EXPECT_EQ(user->surname, "Surname mia");
  EXPECT_EQ(user->email, "mia@example.org");
  EXPECT_EQ(user->description, "about mia");
  EXPECT_TRUE(user->enabled && user->must_change_password && !user->built_in);
  EXPECT_EQ(user->password_hash, mia.password_hash);
  EXPECT_EQ(user->pepper_kid, mia.pepper_kid);
  EXPECT_EQ(user->past_password_hashes, mia.past_password_hashes);
  EXPECT_EQ(user->password_changed_at_ms, 5);
  EXPECT_EQ(user->last_login_at_ms, 77);
  EXPECT_EQ(user->groups, std::vector<std::string>{"grp-Staff"});
  EXPECT_EQ(user->meta.version, 1);
  EXPECT_EQ(user->meta.created_by, "mia");
  EXPECT_EQ(user->meta.updated_by, "tom");
  EXPECT_EQ(user->meta.apply_set, "default");
  EXPECT_EQ(store_.user_by_login("mia")->id, mia.id);

  const auto key = store_.api_key("key-main");
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->apis, (std::vector<std::string>{"quote", "total"}));
  EXPECT_EQ(key->addresses, std::vector<std::string>{"10.0.0.0/8"});
  EXPECT_EQ(key->expires_at_ms, 9000);
  EXPECT_EQ(key->kid, "8899aabbccddeeff");

  const auto secret = store_.secret_key("sec-PingAPIKey");
  ASSERT_TRUE(secret.ok());
  EXPECT_EQ(secret->sealed, "v1.0123456789abcdef.nonce.box");
  EXPECT_EQ(secret->flow, "Ping");

  const Loaded loaded = load();
  ASSERT_EQ(loaded.rows.roles.size(), 1u);
  EXPECT_EQ(loaded.rows.roles[0].privileges, role.privileges);
  EXPECT_EQ(loaded.rows.roles[0].application, "app-1");
  ASSERT_EQ(loaded.rows.groups.size(), 1u);
  EXPECT_EQ(loaded.rows.groups[0].roles, std::vector<std::string>{"rol-Maker"});
  EXPECT_EQ(loaded.users.at(mia.id).groups, std::vector<std::string>{"grp-Staff"});
  EXPECT_TRUE(loaded.users.at(mia.id).password_hash.empty()) << "start-up does not touch hashes";
  EXPECT_EQ(loaded.keys.at("key-main").apis.size(), 2u);
}

TEST_F(ChangeRepositoryTest, NothingIsFoundThatIsNotThere) {
  EXPECT_EQ(store_.user("usr-x").error().code, Code::NotFound);
  EXPECT_EQ(store_.user_by_login("x").error().code, Code::NotFound);
  EXPECT_EQ(store_.api_key("key-x").error().code, Code::NotFound);
  EXPECT_EQ(store_.secret_key("sec-x").error().code, Code::NotFound);
  EXPECT_EQ(store_.session("x").error().code, Code::NotFound);
}

TEST_F(ChangeRepositoryTest, ConflictsNameWhatIsInTheWayAndChangeNothing) {
  commit({put(a_user("mia")), put(a_user("tom")), put(a_group("Staff")), put(a_role("Maker")), put(a_role("Maker2", {}, "app-1")),
          put(a_key("main", "usr-mia")), put(a_secret("APIKey", "Ping"))});
  const auto renamed = [](auto object, const std::string& name) {
    object.id += "-2";
    object.name = name;
    return object;
  };
  domain::User twin = a_user("mia");
  twin.id = "usr-other";
  domain::SecretKey same_key = renamed(a_secret("APIKey", "Ping"), "Other");
  domain::User stray = a_user("new", {"grp-Nobody"});
  domain::UserGroup strange = a_group("New", {"rol-Nobody"});
  domain::User tom = a_user("tom");
  tom.login = "mia";
  tom.meta.version = 2;
  struct Case {
    const char* rule;
    domain::IdentityChange change;
    const char* message;
  };
  const Case cases[] = {
      {"two users with one login", put(twin), "login \"mia\" is taken"},
      {"a rename to a taken login", put(tom, 1), "login \"mia\" is taken"},
      {"group names ignore case", put(renamed(a_group("Staff"), "sTAFF")), "user group name \"sTAFF\" is taken"},
      {"role names ignore case", put(renamed(a_role("Maker"), "MAKER")), "role name \"MAKER\" is taken"},
      {"a key's name within its owner's", put(renamed(a_key("main", "usr-mia"), "Main")), "API key name \"Main\" is taken"},
      {"a secret's name within its owner's", put(renamed(a_secret("APIKey", "Ping"), "apikey")),
       "secret key name \"apikey\" is taken"},
      {"a secret's key", put(same_key), "key \"key of PingAPIKey\" is taken"},
      {"an object that is not new", put(a_user("mia")), "user \"mia\" exists already"},
      {"an older version", put(a_user("mia"), 7),
       "user \"mia\" was changed meanwhile: it has version 1, the change was made from 7"},
      {"an object that is gone", put(a_group("Gone"), 1), "user group \"Gone\" does not exist any more"},
      {"a key that is gone", put(a_key("gone", "usr-mia"), 1), "API key \"gone\" does not exist any more"},
      {"an unknown group", put(stray), "user group \"grp-Nobody\" does not exist"},
      {"an unknown role", put(strange), "role \"rol-Nobody\" does not exist"},
      {"a key of nobody", put(a_key("k", "usr-nobody")), "user \"usr-nobody\" does not exist"},
      {"removing another version", removal(IdentityKind::User, "usr-mia", 9), "was changed meanwhile"},
      {"removing what is gone", removal(IdentityKind::Role, "rol-x", 1), "role \"rol-x\" does not exist any more"},
      {"removing a group's other version", removal(IdentityKind::UserGroup, "grp-Staff", 2), "was changed meanwhile"},
      {"removing a secret's other version", removal(IdentityKind::SecretKey, "sec-PingAPIKey", 2), "was changed meanwhile"},
  };
  const std::string before = state();
  for (const Case& each : cases) {
    // Something valid before it, which must go with it.
    EXPECT_THAT(conflict({put(a_role("Valid")), each.change}), HasSubstr(each.message)) << each.rule;
    EXPECT_EQ(state(), before) << each.rule;
  }
}

TEST_F(ChangeRepositoryTest, AKeyIsNeverDeleted) {
  commit({put(a_user("mia")), put(a_key("main", "usr-mia"))});
  EXPECT_EQ(try_commit({removal(IdentityKind::ApiKey, "key-main", 1)}).error().code, Code::InvalidArgument);
  EXPECT_TRUE(store_.api_key("key-main").ok());
}

TEST_F(ChangeRepositoryTest, TheSameNamesAreFreeElsewhere) {
  commit({put(a_user("mia")), put(a_user("tom")), put(a_role("Maker")), put(a_key("main", "usr-mia")),
          put(a_secret("APIKey", "Ping"))});
  domain::Role in_application = a_role("Maker", {}, "app-1");
  in_application.id = "rol-2";
  domain::ApiKey of_tom = a_key("main", "usr-tom");
  of_tom.id = "key-2";
  EXPECT_EQ(conflict({put(in_application), put(of_tom), put(a_secret("APIKey", "Pong"))}), "done");
}

TEST_F(ChangeRepositoryTest, ARenameWithinOneObjectsOwnNamesIsNoConflict) {
  commit({put(a_group("Staff")), put(a_user("mia"))});
  domain::UserGroup group = a_group("Staff");
  group.name = "STAFF";
  group.meta.version = 2;
  EXPECT_EQ(conflict({put(group, 1)}), "done");
  EXPECT_EQ(load().rows.groups[0].name, "STAFF");
}

TEST_F(ChangeRepositoryTest, NamesInAnyScriptIgnoreCase) {
  commit({put(a_group("Büro"))});
  domain::UserGroup group = a_group("BÜRO");
  EXPECT_THAT(conflict({put(group)}), HasSubstr("is taken"));
}

TEST_F(ChangeRepositoryTest, AnUpdateReplacesFieldsAndMembershipsButNotLastUse) {
  commit({put(a_user("mia", {"grp-A", "grp-B"})), put(a_group("A")), put(a_group("B")), put(a_group("C")),
          put(a_key("main", "usr-mia"))});
  ASSERT_TRUE(store_.touch_login("usr-mia", 500).ok());
  ASSERT_TRUE(store_.touch_key("key-main", 600, "10.1.1.1", "quote").ok());
  domain::User mia = a_user("mia", {"grp-C", "grp-B", "grp-B"});
  mia.email = "new@example.org";
  mia.enabled = false;
  mia.password_hash.clear();
  mia.past_password_hashes.clear();
  mia.meta = a_meta(2);
  domain::ApiKey key = a_key("main", "usr-mia");
  key.revoked_at_ms = 700;
  key.revoked_by = "ada";
  key.revoked_reason = "lost";
  key.apis.clear();
  key.meta = a_meta(2);
  commit({put(mia, 1), put(key, 1)});

  const auto user = store_.user("usr-mia");
  EXPECT_EQ(user->email, "new@example.org");
  EXPECT_FALSE(user->enabled);
  EXPECT_TRUE(user->password_hash.empty() && user->past_password_hashes.empty());
  EXPECT_EQ(user->groups, (std::vector<std::string>{"grp-B", "grp-C"}));
  EXPECT_EQ(user->last_login_at_ms, 500);
  EXPECT_EQ(user->meta.version, 2);
  const auto stored = store_.api_key("key-main");
  EXPECT_EQ(stored->revoked_reason, "lost");
  EXPECT_TRUE(stored->apis.empty());
  EXPECT_EQ(stored->last_used_at_ms, 600);
  EXPECT_EQ(stored->last_used_from, "10.1.1.1");
  EXPECT_EQ(stored->last_used_api, "quote");
}

TEST_F(ChangeRepositoryTest, DeletingAUserEndsSessionsDropsMembershipsAndRevokesKeys) {
  commit({put(a_user("mia", {"grp-A"})), put(a_group("A")), put(a_key("main", "usr-mia"))});
  ChangeSet begun;
  begun.sessions_begun = {{"ses-1", "hash1", "usr-mia", 1, 1, 100, "10.0.0.1"}};
  ASSERT_TRUE(changes_.commit(begun).ok());
  commit({removal(IdentityKind::User, "usr-mia", 1)});
  EXPECT_EQ(store_.user("usr-mia").error().code, Code::NotFound);
  EXPECT_EQ(store_.session("hash1").error().code, Code::NotFound);
  EXPECT_EQ(count("SELECT COUNT(*) FROM memberships"), 0);
  EXPECT_EQ(count("SELECT COUNT(*) FROM user_passwords"), 0);
  const auto key = store_.api_key("key-main");
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->revoked_at_ms, clock_.wall_ms());
  EXPECT_EQ(key->revoked_by, "ada");
  EXPECT_EQ(key->meta.version, 2);
  EXPECT_EQ(conflict({put(a_user("mia"))}), "done") << "the login is free again";
}

TEST_F(ChangeRepositoryTest, DeletingGroupsAndRolesTakesTheirLinks) {
  commit({put(a_user("mia", {"grp-A"})), put(a_group("A", {"rol-R"})), put(a_role("R"))});
  commit({removal(IdentityKind::Role, "rol-R")});
  EXPECT_TRUE(load().rows.groups[0].roles.empty());
  commit({removal(IdentityKind::UserGroup, "grp-A")});
  EXPECT_TRUE(load().users.at("usr-mia").groups.empty());
}

TEST_F(ChangeRepositoryTest, PolicyAndAuditedPrivilegesHaveDefaultsAndVersions) {
  EXPECT_EQ(load().rows.policy.min_length, 10);
  EXPECT_TRUE(load().rows.audited.empty());
  EXPECT_EQ(load().rows.audited_version, 1);
  domain::PasswordPolicy policy;
  policy.min_length = 14;
  policy.not_login = false;
  policy.lock_whole_account = true;
  policy.lock_minutes = 3;
  policy.meta = a_meta(2);
  const domain::IdentityChange first{IdentityKind::PasswordPolicy, "default", false, 1, policy};
  commit({first, {IdentityKind::PrivilegeAudit, "default", false, 0, domain::AuditedPrivileges{Privilege::CancelTasks}}});
  const Loaded loaded = load();
  EXPECT_EQ(loaded.rows.policy.min_length, 14);
  EXPECT_FALSE(loaded.rows.policy.not_login);
  EXPECT_TRUE(loaded.rows.policy.lock_whole_account);
  EXPECT_EQ(loaded.rows.policy.lock_minutes, 3);
  EXPECT_EQ(loaded.rows.policy.meta.version, 2);
  EXPECT_EQ(loaded.rows.audited, domain::AuditedPrivileges{Privilege::CancelTasks});
  EXPECT_EQ(loaded.rows.audited_version, 2);
  EXPECT_THAT(conflict({first}), HasSubstr("password policy \"default\" was changed meanwhile"));
  EXPECT_THAT(conflict({{IdentityKind::PrivilegeAudit, "default", false, 5, domain::AuditedPrivileges{}}}),
              HasSubstr("was changed"));
  EXPECT_EQ(try_commit({removal(IdentityKind::PasswordPolicy, "default")}).error().code, Code::InvalidArgument);
}

TEST_F(ChangeRepositoryTest, UnreadableDocumentsGrantNothing) {
  commit({put(a_user("mia")), put(a_role("R", {Privilege::ViewUsers, Privilege::CancelTasks})), put(a_key("main", "usr-mia")),
          put(a_key("other", "usr-mia"))});
  EXPECT_EQ(run_sql("UPDATE roles SET privileges = '[\"View Users, User Groups and Roles\",\"Fly\"]'"), "");
  EXPECT_EQ(load().rows.roles[0].privileges, domain::PrivilegeSet{Privilege::ViewUsers});
  EXPECT_EQ(run_sql("UPDATE roles SET privileges = '{'"), "");
  EXPECT_TRUE(load().rows.roles[0].privileges.empty());
  EXPECT_EQ(run_sql("UPDATE api_keys SET apis = '[1]' WHERE id = 'key-main'"), "");
  const Loaded loaded = load();
  EXPECT_FALSE(loaded.keys.contains("key-main")) << "where it may be used is not known";
  EXPECT_TRUE(loaded.keys.contains("key-other"));
  EXPECT_EQ(store_.api_key("key-main")->scopes, 0);
  EXPECT_EQ(run_sql("INSERT INTO identity_documents VALUES ('PasswordPolicy', '[]', 3, 1, '', 1, '', '')"), "");
  EXPECT_EQ(load().rows.policy.min_length, 10);
}

TEST_F(ChangeRepositoryTest, OfTwoWritersWithOneVersionExactlyOneSucceeds) {
  commit({put(a_user("mia"))});
  for (std::int64_t version = 1; version <= 20; ++version) {
    std::atomic<int> done{0}, refused{0};
    std::vector<std::thread> writers;
    for (int i = 0; i < 4; ++i) {
      writers.emplace_back([&, i] {
        domain::User mia = a_user("mia");
        mia.surname = "of " + std::to_string(i);
        mia.meta = a_meta(version + 1);
        const auto result = try_commit({put(mia, version)}, {an_event("user.changed")});
        (result.ok() ? done : refused) += 1;
        if (!result.ok()) EXPECT_EQ(result.error().code, Code::Conflict);
      });
    }
    for (std::thread& writer : writers) writer.join();
    EXPECT_EQ(done, 1);
    EXPECT_EQ(refused, 3);
  }
  EXPECT_EQ(store_.user("usr-mia")->meta.version, 21);
  EXPECT_EQ(store_.audit_head()->sequence, 20) << "a refused change leaves no event";
}

TEST_F(ChangeRepositoryTest, OfTwoSetUpsOneWins) {
  ASSERT_TRUE(store_.put_setup_token({"abc", 900, 3}).ok());
  EXPECT_EQ((*store_.setup_token())->failures, 3);
  ChangeSet set;
  set.setup_done = true;
  set.identity = {put(a_user("admin"))};
  ASSERT_TRUE(changes_.commit(set).ok());
  EXPECT_FALSE(store_.setup_token()->has_value());
  set.identity = {put(a_user("second"))};
  const auto second = changes_.commit(set);
  EXPECT_EQ(second.error().code, Code::Conflict);
  EXPECT_EQ(store_.user("usr-second").error().code, Code::NotFound);
}

TEST_F(ChangeRepositoryTest, AnIdentityChangeDoesNotDisturbAPublisher) {
  ConfigurationRepository configuration(*database_, clock_, random_);
  const auto publish = [&](const std::string& id, std::int64_t expected) {
    ChangeSet set;
    domain::FunctionApi api;
    api.id = id;
    api.func_id = "sales__prices.quote";
    api.api_auth_ids = {"shop"};
    set.resources = {{.kind = domain::ResourceKind::FuncApi,
                      .id = id,
                      .function_api = domain::Stored<domain::FunctionApi>{api, {1, 1, 1, ""}}}};
    set.identity = {put(a_role("of " + id))};
    set.expected_sequence = expected;
    return changes_.commit(set);
  };
  const auto first = publish("one", configuration.load()->sequence);
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_EQ(configuration.load()->sequence, *first);
  commit({put(a_user("mia"))});
  EXPECT_EQ(configuration.load()->sequence, *first);
  const auto second = publish("two", *first);
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_EQ(publish("three", *first).error().code, Code::Conflict) << "but another publisher does";
  EXPECT_EQ(publish("three", 1000).error().code, Code::Conflict) << "and so does a sequence of another database";
  EXPECT_EQ(configuration.load()->function_apis.size(), 2u);
  EXPECT_EQ(count("SELECT COUNT(*) FROM roles"), 2) << "the role of a refused publish is not there";
  EXPECT_EQ(count("SELECT COUNT(*) FROM changes WHERE kind = 'User' AND id = 'usr-mia' AND author = 'ada'"), 1);
}

TEST_F(ChangeRepositoryTest, SessionsBeginAndEnd) {
  commit({put(a_user("mia")), put(a_user("tom"))});
  ChangeSet set;
  set.sessions_begun = {{"ses-1", "h1", "usr-mia", 1, 10, 100, "10.0.0.1"},
                        {"ses-2", "h2", "usr-mia", 2, 20, 200, "10.0.0.2"},
                        {"ses-3", "h3", "usr-tom", 3, 30, 300, "10.0.0.3"},
                        {"ses-4", "h4", "usr-tom", 3, 30, 300, "10.0.0.3"}};
  ASSERT_TRUE(changes_.commit(set).ok());
  EXPECT_EQ(store_.session("h1")->address, "10.0.0.1");
  EXPECT_EQ(store_.sessions("usr-mia")->size(), 2u);
  EXPECT_EQ(store_.sessions("")->size(), 4u);
  EXPECT_EQ(store_.sessions("")->back().id, "ses-1") << "the one used last comes first";
  EXPECT_EQ(store_.session_by_id("ses-2")->token_sha256, "h2");
  EXPECT_EQ(store_.session_by_id("h2").error().code, Code::NotFound);
  domain::ListQuery wanted{.filters = {{"login", "TO*"}}, .sort = {{"expiresAt", true}, {"login"}}, .limit = 1};
  const auto page = store_.list_sessions(wanted);
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(page->total, 2);
  EXPECT_EQ(page->rows.front().id, "ses-3");
  wanted.after = page->next;
  EXPECT_EQ(store_.list_sessions(wanted)->rows.front().id, "ses-4");
  wanted = {.filters = {{"lastUsedAt", ">=20"}, {"expiresAt", ">=201"}}};
  EXPECT_EQ(store_.list_sessions(wanted)->total, 2);
  ChangeSet ended;
  ended.sessions_ended = {"ses-4"};
  ended.sessions_ended_of_users = {"usr-mia"};
  ended.session_kept = "ses-2";
  ASSERT_TRUE(changes_.commit(ended).ok());
  EXPECT_EQ(store_.session("h1").error().code, Code::NotFound);
  EXPECT_EQ(store_.session("h4").error().code, Code::NotFound);
  EXPECT_TRUE(store_.session("h2").ok() && store_.session("h3").ok());

  ASSERT_TRUE(store_.touch_session("ses-2", 90).ok());
  ASSERT_TRUE(store_.touch_session("ses-2", 50).ok());
  EXPECT_EQ(store_.session("h2")->last_used_at_ms, 90) << "never back";
  EXPECT_EQ(*store_.prune_sessions(150, 60), 1u) << "tom's is idle";
  EXPECT_EQ(*store_.prune_sessions(200, 60), 1u) << "mia's is at its end";
  ChangeSet nobody;
  nobody.sessions_begun = {{"ses-5", "h5", "usr-x", 1, 1, 1, ""}};
  EXPECT_EQ(changes_.commit(nobody).error().code, Code::Conflict);
}

}  // namespace
}  // namespace funcgate::store
