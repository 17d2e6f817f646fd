// The part of Sessions that makes the first administrator, and the one that finds a lost instance again.
#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "service/admin/identity_events.h"
#include "service/admin/identity_rules.h"
#include "service/admin/sessions_state.h"
#include "service/admin/users.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::SecretString;
using base::Status;
using domain::ChangeSet;
using domain::User;

constexpr std::size_t kTokenBytes = 32;
// Enough for any policy: 24 random characters and one of each class.
constexpr std::size_t kOneTimePasswordCharacters = 24;

Error administrator_exists() { return Error{Code::Conflict, "This instance has an administrator already", {}}; }

void join_administrators(User& user) {
  const std::string group(kAdministratorsGroupId);
  if (std::find(user.groups.begin(), user.groups.end(), group) != user.groups.end()) return;
  user.groups.push_back(group);
  std::sort(user.groups.begin(), user.groups.end());
}

// Whoever may change groups can take the role from this one; being in it would help nobody.
void restore_administrators(const domain::Directory& current, const domain::Actor& actor, std::int64_t now_ms,
                            ChangeSet& changes) {
  const domain::UserGroup* present = current.group(kAdministratorsGroupId);
  const domain::Role* role = current.role(kAdministratorRoleId);
  if (present == nullptr || role == nullptr) return;
  domain::UserGroup group = *present;
  if (!set_link(group.roles, role->id, true)) return;
  mark_changed(group.meta, actor, now_ms);
  auto event = object_event("membership.added", actor, "UserGroup", group.id, group.name, group.meta.version,
                            fmt::format("Role \"{}\" given to user group \"{}\"", role->name, group.name));
  event.changes.push_back({"roles", "", base::json_string(role->name)});
  changes.events.push_back(std::move(event));
  changes.identity.push_back({.kind = domain::IdentityKind::UserGroup,
                              .id = present->id,
                              .expected_version = present->meta.version,
                              .value = std::move(group)});
}

Status record_denied(IdentityService& identity, const domain::Actor& actor, std::string reason) {
  domain::AuditEvent event =
      object_event("setup.done", actor, "", "", "", 0, "A set-up with a wrong or expired token was refused");
  event.outcome = domain::AuditOutcome::Denied;
  event.reason = std::move(reason);
  return identity.record({event});
}

}  // namespace

bool Sessions::setup_pending() const {
  if (state_->administrator.load(std::memory_order_relaxed)) return false;
  const bool exists = state_->identity.directory()->has_administrator();
  if (exists) state_->administrator = true;
  return !exists;
}

std::int64_t Sessions::setup_done_at_ms() const { return state_->setup_done_ms.load(); }

Result<SecretString> Sessions::make_setup_token() {
  State& state = *state_;
  if (!setup_pending())
    return Error{Code::FailedPrecondition, "This instance has an administrator: there is nothing to set up", {}};
  SecretString token(base::base64url_encode(state.random.bytes(kTokenBytes)));
  domain::StoredSetupToken stored;
  stored.sha256 = crypto::sha256_hex(token.reveal());
  stored.expires_at_ms = state.clock.wall_ms() + state.settings.setup_token_ms;
  TRY_DONE(state.store.put_setup_token(stored));
  return token;
}

Result<User> Sessions::State::add_administrator(User first, PasswordHashing::Hashed hashed, const domain::Actor& actor,
                                                bool by_token) {
  const auto plan = [&](const domain::Directory& current, ChangeSet& changes) -> Status {
    // Decided under the lock of the change: of two calls only one finds nobody.
    if (current.has_administrator()) return administrator_exists();
    first.id = new_id(domain::IdPrefix::User);
    first.enabled = true;
    first.meta = created_by(actor, clock.wall_ms());
    if (actor.login.empty()) first.meta.created_by = first.meta.updated_by = first.login;
    join_administrators(first);
    first.password_hash = std::move(hashed.phc);
    first.pepper_kid = std::move(hashed.pepper_kid);
    first.password_changed_at_ms = first.meta.created_at_ms;
    restore_administrators(current, actor, first.meta.created_at_ms, changes);
    changes.identity.push_back({.kind = domain::IdentityKind::User, .id = first.id, .expected_version = 0, .value = first});
    changes.events.push_back(object_event("user.created", actor, "User", first.id, first.login, first.meta.version,
                                          fmt::format("User \"{}\" created, in the user group Administrators", first.login)));
    changes.events.push_back(object_event("setup.done", actor, "User", first.id, first.login, first.meta.version,
                                          fmt::format("Set-up done: \"{}\" is the first administrator", first.login)));
    changes.setup_done = by_token;
    changes.author = first.meta.created_by;
    return base::kDone;
  };
  TRY(const domain::DirectoryPtr live, identity.change(plan));
  administrator = true;
  setup_done_ms = clock.wall_ms();
  if (!by_token) {
    if (const Status removed = store.remove_setup_token(); !removed.ok())
      base::log::warning("setup.token_not_removed", {{"problem", removed.error().message}});
  }
  return first;
}

Result<User> Sessions::set_up(const SecretString& token, User first, const SecretString& password, const domain::Actor& actor,
                              SetupFailure& failure, std::vector<std::string>& failed_rules) {
  State& state = *state_;
  failure = SetupFailure::None;
  failed_rules.clear();
  // One at a time: wrong tokens are counted, and a right one is used once.
  const std::lock_guard lock(state.setup_mutex);
  if (!setup_pending()) {
    failure = SetupFailure::AlreadyDone;
    return administrator_exists();
  }
  TRY(std::optional<domain::StoredSetupToken> stored, state.store.setup_token());
  const bool right = stored && base::constant_time_equal(stored->sha256, crypto::sha256_hex(token.reveal()));
  const bool expired = stored && state.clock.wall_ms() >= stored->expires_at_ms;
  if (!right || expired) {
    failure = SetupFailure::WrongToken;
    const Error refused{Code::Unauthenticated, "The set-up token is wrong or expired; funcgate setup-token makes a new one", {}};
    // Without a token nothing can be guessed, and nothing is written for strangers.
    if (!stored || expired) return refused;
    if (++stored->failures >= state.settings.setup_failures_max) {
      base::log::warning("setup.token_dead",
                         {{"failures", stored->failures}, {"remedy", "funcgate setup-token makes a new one"}});
      TRY_DONE(state.store.remove_setup_token());
    } else {
      TRY_DONE(state.store.put_setup_token(*stored));
    }
    TRY_DONE(record_denied(state.identity, actor, "setup.token"));
    return refused;
  }
  auto hashed = state.hash_checked(first.login, password, nullptr, failed_rules);
  if (!hashed.ok()) {
    if (!failed_rules.empty()) failure = SetupFailure::Invalid;
    return hashed.error();
  }
  auto made = state.add_administrator(std::move(first), std::move(*hashed), actor, true);
  if (!made.ok() && made.error().code == Code::Conflict && !setup_pending()) failure = SetupFailure::AlreadyDone;
  return made;
}

Result<User> Sessions::make_administrator(User first, const SecretString& password, const domain::Actor& actor,
                                          std::vector<std::string>& failed_rules) {
  if (!setup_pending()) return administrator_exists();
  TRY(PasswordHashing::Hashed hashed, state_->hash_checked(first.login, password, nullptr, failed_rules));
  return state_->add_administrator(std::move(first), std::move(hashed), actor, false);
}

Result<SecretString> Sessions::recover_administrator(const std::string& login, const domain::Actor& actor) {
  State& state = *state_;
  SecretString password(state.random.alphanumeric(kOneTimePasswordCharacters) + "-aA1");
  TRY(PasswordHashing::Hashed hashed, state.hashing.hash(password.reveal()));
  auto found = state.store.user_by_login(login);
  if (!found.ok() && found.error().code != Code::NotFound) return found.error();
  const bool is_new = !found.ok();
  User user;
  if (!is_new) user = *found;
  if (user.built_in) return Error{Code::FailedPrecondition, fmt::format("The user \"{}\" cannot sign in", login), {}};
  if (is_new) {
    user.id = state.new_id(domain::IdPrefix::User);
    user.login = login;
    user.meta = created_by(actor, state.clock.wall_ms());
    user.meta.version = 0;
  }
  const std::int64_t expected_version = user.meta.version;
  user.enabled = true;
  join_administrators(user);
  state.put_password(user, std::move(hashed), true, actor);
  const std::int64_t expires_at_ms = state.clock.wall_ms() + state.settings.setup_token_ms;
  TRY_DONE(state.store.put_one_time_password({user.id, user.password_changed_at_ms, expires_at_ms}));
  const auto plan = [&](const domain::Directory& current, ChangeSet& changes) -> Status {
    restore_administrators(current, actor, state.clock.wall_ms(), changes);
    changes.identity.push_back(
        {.kind = domain::IdentityKind::User, .id = user.id, .expected_version = expected_version, .value = user});
    changes.events.push_back(object_event("server.recovered", actor, "User", user.id, user.login, user.meta.version,
                                          fmt::format("\"{}\" was made administrator on the data directory", user.login)));
    changes.sessions_ended_of_users.push_back(user.id);
    changes.author = author_name(actor);
    return base::kDone;
  };
  TRY(const domain::DirectoryPtr live, state.identity.change(plan));
  state.administrator = true;
  return password;
}

}  // namespace funcgate::service
