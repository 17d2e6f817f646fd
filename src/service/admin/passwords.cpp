// The part of Sessions that judges and changes passwords.
#include <fmt/format.h>

#include <optional>

#include "domain/password_policy.h"
#include "service/admin/identity_events.h"
#include "service/admin/sessions_state.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::SecretString;
using base::Status;
using domain::ChangeSet;
using domain::User;

Error rules_not_kept() { return Error{Code::InvalidArgument, "The password does not keep the rules of the password policy", {}}; }

}  // namespace

domain::PasswordAge Sessions::State::age(const User& user) const {
  return domain::password_age(identity.directory()->password_policy(), user, clock.wall_ms());
}

Result<PasswordHashing::Hashed> Sessions::State::hash_checked(std::string_view login, const SecretString& password,
                                                              const User* user, std::vector<std::string>& failed_rules) {
  const domain::DirectoryPtr directory = identity.directory();
  const domain::PasswordPolicy& policy = directory->password_policy();
  failed_rules = domain::failed_password_rules(policy, password.reveal(), login);
  if (failed_rules.empty() && user != nullptr) {
    // Old hashes do not say under which pepper they were made. One that cannot be looked at now may be the same password.
    std::optional<Error> not_checked;
    const auto same = [&](std::string_view phc) {
      const auto equal =
          hashing.verify(password.reveal(), phc, phc == user->password_hash ? user->pepper_kid : "", domain::Address());
      if (!equal.ok() && equal.error().code == Code::Unavailable) not_checked = equal.error();
      return equal.ok() && *equal;
    };
    failed_rules = domain::failed_reuse_rules(policy, *user, clock.wall_ms(), same);
    if (failed_rules.empty() && not_checked) return *std::move(not_checked);
  }
  if (!failed_rules.empty()) return rules_not_kept();
  return hashing.hash(password.reveal());
}

void Sessions::State::put_password(User& user, PasswordHashing::Hashed hashed, bool must_change_next,
                                   const domain::Actor& actor) const {
  std::int64_t now = clock.wall_ms();
  // It tells one password of a user from the next, also of the same millisecond.
  if (now == user.password_changed_at_ms) ++now;
  domain::remember_past_password(identity.directory()->password_policy(), user, now);
  user.password_hash = std::move(hashed.phc);
  user.pepper_kid = std::move(hashed.pepper_kid);
  user.password_changed_at_ms = now;
  user.must_change_password = must_change_next;
  mark_changed(user.meta, actor, now);
}

namespace {

domain::AuditEvent password_event(std::string name, const domain::Actor& actor, const User& user, std::string summary) {
  domain::AuditEvent event =
      object_event(std::move(name), actor, "User", user.id, user.login, user.meta.version, std::move(summary));
  event.changes.push_back({"password", std::string(kHiddenValue), std::string(kHiddenValue)});
  return event;
}

void put_user(const User& user, std::int64_t expected_version, ChangeSet& changes) {
  changes.identity.push_back(
      {.kind = domain::IdentityKind::User, .id = user.id, .expected_version = expected_version, .value = user});
}

}  // namespace

Result<PasswordHashing::Hashed> Sessions::hash_new_password(std::string_view login, const SecretString& password,
                                                            std::vector<std::string>& failed_rules) {
  return state_->hash_checked(login, password, nullptr, failed_rules);
}

Result<SignedIn> Sessions::change_password(const Found& found, const SecretString& old_password, const SecretString& new_password,
                                           const domain::Actor& actor, std::vector<std::string>& failed_rules) {
  State& state = *state_;
  failed_rules.clear();
  TRY(User user, state.store.user(found.session.user_id));
  const domain::PasswordPolicy policy = state.identity.directory()->password_policy();
  const domain::Address address = domain::Address::parse(actor.address).value_or(domain::Address());
  if (state.throttle.begin(user.login, address, policy) > 0)
    return Error{Code::ResourceExhausted, "Too many wrong passwords; wait before the next attempt", {}};
  const Result<bool> right = old_password.size() > domain::kPasswordBytesMax
                                 ? Result<bool>(false)
                                 : state.hashing.verify(old_password.reveal(), user.password_hash, user.pepper_kid, address);
  if (!right.ok()) {
    state.throttle.abandoned(user.login, address, policy);
    return right.error();
  }
  if (!*right) {
    const SignInThrottle::Began began = state.throttle.failed(user.login, address, policy);
    std::vector<domain::AuditEvent> events{password_event("password.changed", actor, user, "The old password was wrong")};
    events.back().outcome = domain::AuditOutcome::Denied;
    events.back().reason = "login.password";
    events.back().changes.clear();
    tell_blocks(began, actor, &user, events);
    TRY_DONE(state.identity.record(std::move(events)));
    return Error{Code::Unauthenticated, "The old password is wrong", {}};
  }
  state.throttle.succeeded(user.login, address, policy);
  TRY(PasswordHashing::Hashed hashed, state.hash_checked(user.login, new_password, &user, failed_rules));
  const std::int64_t expected_version = user.meta.version;
  state.put_password(user, std::move(hashed), false, actor);
  SignedIn signed_in;
  const auto plan = [&](const domain::Directory&, ChangeSet& changes) -> Status {
    put_user(user, expected_version, changes);
    changes.events.push_back(password_event("password.changed", actor, user, "Changed the own password"));
    changes.sessions_ended_of_users.push_back(user.id);
    signed_in = state.begin_session(user, found.session.address, changes);
    changes.session_kept = signed_in.session.id;
    changes.author = user.login;
    return base::kDone;
  };
  TRY(const domain::DirectoryPtr live, state.identity.change(plan));
  return signed_in;
}

Status Sessions::set_password(const std::string& user_id, const SecretString& password, bool must_change,
                              const domain::Actor& actor, std::vector<std::string>& failed_rules) {
  State& state = *state_;
  failed_rules.clear();
  TRY(User user, state.store.user(user_id));
  if (user.built_in) return Error{Code::FailedPrecondition, fmt::format("The user \"{}\" has no password", user.login), {}};
  TRY(PasswordHashing::Hashed hashed, state.hash_checked(user.login, password, &user, failed_rules));
  const std::int64_t expected_version = user.meta.version;
  state.put_password(user, std::move(hashed), must_change, actor);
  const auto plan = [&](const domain::Directory&, ChangeSet& changes) -> Status {
    put_user(user, expected_version, changes);
    changes.events.push_back(
        password_event("password.reset", actor, user, fmt::format("Set the password of \"{}\"", user.login)));
    changes.sessions_ended_of_users.push_back(user.id);
    changes.author = author_name(actor);
    return base::kDone;
  };
  TRY(const domain::DirectoryPtr live, state.identity.change(plan));
  return base::kDone;
}

}  // namespace funcgate::service
