// Builders and a database for what the identity tests of the store share.
#pragma once

#include <soci/soci.h>

#include "audit/trail.h"
#include "database_fixture.h"
#include "store/change_repository.h"
#include "store/identity_repository.h"

namespace funcgate::store {

inline domain::Bookkeeping a_meta(std::int64_t version = 1) { return {version, 1000, 1000 + version, "mia", "tom", "default"}; }

inline domain::User a_user(const std::string& login, std::vector<std::string> groups = {}) {
  domain::User user;
  user.id = "usr-" + login;
  user.login = login;
  user.first_name = "First " + login;
  user.surname = "Surname " + login;
  user.email = login + "@example.org";
  user.description = "about " + login;
  user.password_hash = "$argon2id$" + login;
  user.pepper_kid = "0011223344556677";
  user.password_changed_at_ms = 5;
  user.past_password_hashes = {"3:$argon2id$older", "1:$argon2id$oldest"};
  user.groups = std::move(groups);
  user.meta = a_meta();
  return user;
}
inline domain::UserGroup a_group(const std::string& name, std::vector<std::string> roles = {}) {
  return {"grp-" + name, name, "about " + name, false, std::move(roles), a_meta()};
}
inline domain::Role a_role(const std::string& name, domain::PrivilegeSet privileges = {}, const std::string& application = "") {
  return {"rol-" + name, name, "about " + name, application, false, privileges, a_meta()};
}
inline domain::ApiKey a_key(const std::string& name, const std::string& user_id) {
  domain::ApiKey key;
  key.id = "key-" + name;
  key.user_id = user_id;
  key.name = name;
  key.apis = {"quote", "total"};
  key.addresses = {"10.0.0.0/8"};
  key.expires_at_ms = 9000;
  key.kid = "8899aabbccddeeff";
  key.meta = a_meta();
  return key;
}
inline domain::SecretKey a_secret(const std::string& name, const std::string& flow) {
  domain::SecretKey secret;
  secret.id = "sec-" + flow + name;
  secret.name = name;
  secret.key = "key of " + flow + name;
  secret.owner_kind = "action";
  secret.application = "Shop";
  secret.flow = flow;
  secret.action = "call";
  secret.owner_id = "Shop/" + flow + "/call";
  secret.sealed = "v1.0123456789abcdef.nonce.box";
  secret.meta = a_meta();
  return secret;
}

template <class T>
domain::IdentityChange put(domain::IdentityKind kind, T value, std::int64_t expected_version = 0) {
  const std::string id = value.id;
  return {kind, id, false, expected_version, std::move(value)};
}
inline domain::IdentityChange put(domain::User value, std::int64_t expected = 0) {
  return put(domain::IdentityKind::User, std::move(value), expected);
}
inline domain::IdentityChange put(domain::UserGroup value, std::int64_t expected = 0) {
  return put(domain::IdentityKind::UserGroup, std::move(value), expected);
}
inline domain::IdentityChange put(domain::Role value, std::int64_t expected = 0) {
  return put(domain::IdentityKind::Role, std::move(value), expected);
}
inline domain::IdentityChange put(domain::Application value, std::int64_t expected = 0) {
  return put(domain::IdentityKind::Application, std::move(value), expected);
}
inline domain::IdentityChange put(domain::ApiKey value, std::int64_t expected = 0) {
  return put(domain::IdentityKind::ApiKey, std::move(value), expected);
}
inline domain::IdentityChange put(domain::SecretKey value, std::int64_t expected = 0) {
  return put(domain::IdentityKind::SecretKey, std::move(value), expected);
}
inline domain::IdentityChange removal(domain::IdentityKind kind, const std::string& id, std::int64_t expected = 0) {
  return {kind, id, true, expected, {}};
}
inline domain::AuditEvent an_event(const std::string& name, const std::string& object = "usr-mia") {
  domain::AuditEvent event;
  event.event = name;
  event.actor = {"USER", "usr-ada", "ada", "", "CONSOLE", "10.0.0.7", "TRACE-" + object};
  event.object_kind = "User";
  event.object_id = object;
  event.object_name = "name of " + object;
  event.object_version = 2;
  event.summary = "did " + name;
  event.changes = {{"enabled", "true", "false"}};
  return event;
}

class IdentityStoreTest : public DatabaseTest {
 protected:
  base::Result<std::int64_t> try_commit(std::vector<domain::IdentityChange> identity,
                                        std::vector<domain::AuditEvent> events = {}) {
    domain::ChangeSet set;
    set.identity = std::move(identity);
    set.events = std::move(events);
    set.author = "ada";
    return changes_.commit(set);
  }
  void commit(std::vector<domain::IdentityChange> identity, std::vector<domain::AuditEvent> events = {}) {
    const auto done = try_commit(std::move(identity), std::move(events));
    ASSERT_TRUE(done.ok()) << done.error().message << " " << done.error().detail;
  }
  std::string conflict(std::vector<domain::IdentityChange> identity) {
    const auto done = try_commit(std::move(identity));
    if (done.ok()) return "done";
    EXPECT_EQ(done.error().code, base::Code::Conflict) << done.error().message << " " << done.error().detail;
    return done.error().message;
  }
  // Runs one statement beside everything; the message of its failure, or "".
  std::string run_sql(const std::string& sql) {
    const auto status = database_->write("test", [&](soci::session& session) -> base::Status {
      session << sql;
      return base::kDone;
    });
    return status.ok() ? "" : status.error().detail;
  }
  std::int64_t count(const std::string& sql) {
    const auto number = database_->read("test", [&](soci::session& session) -> base::Result<std::int64_t> {
      std::int64_t found = 0;
      session << sql, soci::into(found);
      return found;
    });
    EXPECT_TRUE(number.ok());
    return number.ok() ? *number : -1;
  }
  struct Loaded {
    std::map<std::string, domain::User> users;
    std::map<std::string, domain::ApiKey> keys;
    domain::IdentityRows rows;
  };
  Loaded load() {
    Loaded loaded;
    const auto done = store_.load([&](domain::IdentityRows&& rows) { loaded.rows = std::move(rows); },
                                  [&](domain::User&& user) { loaded.users[user.id] = std::move(user); },
                                  [&](domain::ApiKey&& key) { loaded.keys[key.id] = std::move(key); });
    EXPECT_TRUE(done.ok());
    return loaded;
  }

  audit::Trail trail_{"main"};
  ChangeRepository changes_{*database_, clock_, trail_};
  IdentityRepository store_{*database_};
};

}  // namespace funcgate::store
