#include "service/admin/sessions.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "service/admin/identity_events.h"
#include "service/admin/sessions_state.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::SecretString;
using base::Status;
using domain::AuditEvent;
using domain::ChangeSet;
using domain::User;

constexpr std::size_t kTokenBytes = 32, kTokenCharacters = 43;
constexpr std::size_t kSessionsPerUserMax = 50;
constexpr std::size_t kLoginBytesMax = 100;
constexpr std::int64_t kTouchMs = 60 * 1000;

std::string token_hash(const SecretString& token) { return crypto::sha256_hex(token.reveal()); }

}  // namespace

AuditEvent session_event(std::string event, const domain::Actor& actor, const User* user, std::string summary) {
  AuditEvent made =
      object_event(std::move(event), actor, "User", user == nullptr ? "" : user->id, user == nullptr ? "" : user->login,
                   user == nullptr ? 0 : user->meta.version, std::move(summary));
  // Whoever signs in is known from then on; before it is only what somebody claims.
  if (user != nullptr && made.actor.user_id.empty()) made.actor.login = user->login;
  return made;
}

void tell_blocks(const SignInThrottle::Began& began, const domain::Actor& actor, const User* user,
                 std::vector<AuditEvent>& events) {
  const auto tell = [&](const User* whom, std::string summary, std::string reason) {
    events.push_back(session_event("login.throttled", actor, whom, std::move(summary)));
    events.back().outcome = domain::AuditOutcome::Denied;
    events.back().reason = std::move(reason);
  };
  if (began.lock) tell(user, "Further sign-ins are refused for a while", "login.failures");
  // Of nobody in particular: who shares the network is kept out, too.
  if (began.network) tell(nullptr, "Sign-ins from this network are refused, whatever the login", "login.network_failures");
}

Sessions::Sessions(IdentityService& identity, domain::IdentityStore& store, PasswordHashing& hashing, const base::Clock& clock,
                   base::Random& random, SecretString csrf_key, SessionSettings settings)
    : state_(std::make_unique<State>(identity, store, hashing, clock, random, std::move(csrf_key), settings)) {}

Sessions::~Sessions() = default;

SecretString Sessions::State::csrf_token(const SecretString& token) const {
  const auto tag = csrf_key.start().update("csrf\n").update(token.reveal()).finish();
  return SecretString(base::base64url_encode(crypto::as_view(tag)));
}

std::int64_t Sessions::State::last_used(const domain::Session& session) {
  const std::lock_guard lock(used_mutex);
  const std::int64_t* noted = used_ms.find(session.id);
  return noted == nullptr ? session.last_used_at_ms : std::max(*noted, session.last_used_at_ms);
}

void Sessions::State::note_use(const domain::Session& session, std::int64_t now_ms) {
  {
    const std::lock_guard lock(used_mutex);
    used_ms.put(session.id, now_ms);
  }
  if (now_ms - session.last_used_at_ms < kTouchMs) return;
  if (const auto status = store.touch_session(session.id, now_ms); !status.ok())
    base::log::warning("session.not_touched", {{"session", session.id}, {"problem", status.error().message}});
}

SignedIn Sessions::State::begin_session(const User& user, const std::string& address, ChangeSet& changes) {
  SignedIn signed_in;
  signed_in.token = SecretString(base::base64url_encode(random.bytes(kTokenBytes)));
  signed_in.csrf_token = csrf_token(signed_in.token);
  signed_in.user = user;
  signed_in.must_change_password = age(user) != domain::PasswordAge::Good;
  const std::int64_t now = clock.wall_ms();
  domain::Session& session = signed_in.session;
  session.id = new_id(domain::IdPrefix::Session);
  session.token_sha256 = token_hash(signed_in.token);
  session.user_id = user.id;
  session.created_at_ms = session.last_used_at_ms = now;
  session.expires_at_ms = now + settings.absolute_ms;
  session.address = address;
  changes.sessions_begun.push_back(session);
  return signed_in;
}

namespace {

// Those that were not used the longest make room.
void end_oldest(domain::IdentityStore& store, const std::string& user_id, ChangeSet& changes) {
  auto open = store.sessions(user_id);
  if (!open.ok() || open->size() < kSessionsPerUserMax) return;
  std::sort(open->begin(), open->end(), [](const auto& a, const auto& b) { return a.last_used_at_ms < b.last_used_at_ms; });
  open->resize(open->size() - kSessionsPerUserMax + 1);
  for (const domain::Session& session : *open) changes.sessions_ended.push_back(session.id);
}

}  // namespace

Result<SignedIn> Sessions::sign_in(std::string_view login_as_typed, const SecretString& password, const domain::Actor& actor,
                                   const domain::Address& address, SignInFailure& failure) {
  State& state = *state_;
  failure = {};
  const std::string login = base::to_lower(login_as_typed.substr(0, kLoginBytesMax + 1));
  const domain::PasswordPolicy policy = state.identity.directory()->password_policy();
  if (const std::int64_t wait_s = state.throttle.begin(login, address, policy); wait_s > 0) {
    failure.kind = SignInFailure::Kind::Throttled;
    failure.retry_after_s = wait_s;
    return Error{Code::ResourceExhausted, "Too many failed sign-ins; wait before the next attempt", {}};
  }
  Result<User> found = state.store.user_by_login(login);
  if (!found.ok() && found.error().code != Code::NotFound) {
    state.throttle.abandoned(login, address, policy);
    failure.kind = SignInFailure::Kind::Unavailable;
    return found.error();
  }
  const User* user = found.ok() ? &*found : nullptr;
  // Whoever cannot sign in costs the same work as whoever can.
  const bool too_long = password.size() > domain::kPasswordBytesMax || login.size() > kLoginBytesMax;
  const bool may_sign_in = user != nullptr && user->enabled && !user->built_in && !user->password_hash.empty();
  const std::string_view phc = may_sign_in && !too_long ? std::string_view(user->password_hash) : std::string_view();
  const Result<bool> right = state.hashing.verify(too_long ? std::string_view() : password.reveal(), phc,
                                                  phc.empty() ? std::string_view() : std::string_view(user->pepper_kid), address);
  if (!right.ok()) {
    state.throttle.abandoned(login, address, policy);
    failure.kind = SignInFailure::Kind::Unavailable;
    failure.message = right.error().message;
    return right.error();
  }
  const bool too_old = *right && may_sign_in && state.age(*user) == domain::PasswordAge::Dead;
  if (*right && may_sign_in && !too_old) {
    auto accepted = accept(*user, password, actor, address);
    if (accepted.ok()) {
      state.throttle.succeeded(login, address, policy);
      return accepted;
    }
    if (accepted.error().code != Code::Unauthenticated) {
      state.throttle.abandoned(login, address, policy);
      failure.kind = SignInFailure::Kind::Unavailable;
      return accepted;
    }
  }
  const SignInThrottle::Began began = state.throttle.failed(login, address, policy);
  std::vector<AuditEvent> events;
  // What was typed as the name of nobody may be a password: it is not recorded.
  events.push_back(session_event("login.failed", actor, user, "A sign-in failed"));
  events.back().outcome = domain::AuditOutcome::Denied;
  events.back().reason = user == nullptr ? "login.unknown"
                         : !may_sign_in  ? "login.not_allowed"
                         : too_old       ? "login.password_expired"
                                         : "login.password";  // also one that was right until a moment ago
  tell_blocks(began, actor, user, events);
  if (const Status recorded = state.identity.record(std::move(events)); !recorded.ok())
    base::log::error("audit.not_written", {{"event", "login.failed"}, {"problem", recorded.error().message}});
  return Error{Code::Unauthenticated, "Sign-in failed", {}};
}

Result<SignedIn> Sessions::accept(User user, const SecretString& password, const domain::Actor& actor,
                                  const domain::Address& address) {
  State& state = *state_;
  domain::Actor signed_in_actor = actor;
  signed_in_actor.kind = "USER";
  signed_in_actor.user_id = user.id;
  signed_in_actor.login = user.login;
  TRY(const bool lets_in, state.store.use_password(user.id, user.password_changed_at_ms, state.clock.wall_ms()));
  if (!lets_in) return Error{Code::Unauthenticated, "Sign-in failed", {}};
  SignedIn signed_in;
  const auto plan = [&](const domain::Directory& current, ChangeSet& changes) -> Status {
    const domain::UserEntry* entry = current.user(user.id);
    // Checking the password took a while. Whoever set another one meanwhile has ended all sessions that the old one began: this
    // one would come too late for that.
    const bool stale = entry == nullptr || entry->password_changed_at_ms() != user.password_changed_at_ms;
    if (stale || !entry->enabled()) return Error{Code::Unauthenticated, "Sign-in failed", {}};
    end_oldest(state.store, user.id, changes);
    signed_in = state.begin_session(user, address.text(), changes);
    changes.author = user.login;
    changes.events.push_back(session_event("login.ok", signed_in_actor, &user, "Signed in"));
    return base::kDone;
  };
  TRY(const domain::DirectoryPtr live, state.identity.change(plan));
  const std::int64_t now = state.clock.wall_ms();
  if (const Status touched = state.store.touch_login(user.id, now); !touched.ok())
    base::log::warning("login.not_noted", {{"user", user.id}, {"problem", touched.error().message}});
  signed_in.user.last_login_at_ms = now;
  if (!state.hashing.is_outdated(user.password_hash, user.pepper_kid)) return signed_in;
  const auto renewed = state.hashing.hash(password.reveal());
  const Status stored =
      renewed.ok() ? state.store.rehash(user.id, user.password_hash, renewed->phc, renewed->pepper_kid) : Status(renewed.error());
  if (!stored.ok()) base::log::warning("password.not_renewed", {{"user", user.id}, {"problem", stored.error().message}});
  return signed_in;
}

std::optional<Sessions::Found> Sessions::find(const SecretString& token) {
  State& state = *state_;
  if (token.size() != kTokenCharacters) return std::nullopt;
  const auto session = state.store.session(token_hash(token));
  if (!session.ok()) {
    if (session.error().code != Code::NotFound) base::log::error("session.not_read", {{"problem", session.error().message}});
    return std::nullopt;
  }
  const std::int64_t now = state.clock.wall_ms();
  if (!is_live(*session)) return std::nullopt;
  const auto directory = state.identity.directory();
  const domain::UserEntry* entry = directory->user(session->user_id);
  if (entry == nullptr || !entry->enabled()) return std::nullopt;
  const domain::PasswordAge age =
      domain::password_age(directory->password_policy(), entry->must_change_password(), entry->password_changed_at_ms(), now);
  if (age == domain::PasswordAge::Dead) return std::nullopt;
  state.note_use(*session, now);
  return Found{*session, state.csrf_token(token), age != domain::PasswordAge::Good};
}

bool Sessions::is_live(const domain::Session& session) const {
  const std::int64_t now = state_->clock.wall_ms();
  return now < session.expires_at_ms && now - state_->last_used(session) < state_->settings.idle_ms;
}

std::int64_t Sessions::idle_since_ms() const { return state_->clock.wall_ms() - state_->settings.idle_ms - kTouchMs; }

bool Sessions::csrf_matches(const Found& found, const SecretString& presented) const {
  return !presented.empty() && presented == found.csrf_token;
}

Status Sessions::sign_out(const domain::Session& session, const domain::Actor& actor) {
  const auto plan = [&](const domain::Directory& current, ChangeSet& changes) -> Status {
    changes.sessions_ended.push_back(session.id);
    changes.author = author_name(actor);
    const bool own = actor.user_id == session.user_id;
    const domain::UserEntry* user = current.user(session.user_id);
    changes.events.push_back(object_event(own ? "logout" : "session.ended", actor, "User", session.user_id,
                                          user == nullptr ? "" : user->login(), user == nullptr ? 0 : user->version(),
                                          own ? "Signed out" : "A session was ended"));
    return base::kDone;
  };
  TRY(const domain::DirectoryPtr live, state_->identity.change(plan));
  return base::kDone;
}

void Sessions::unlock(std::string_view login) { state_->throttle.unlock(base::to_lower(login)); }

std::int64_t Sessions::locked_until_ms(std::string_view login) const {
  return state_->throttle.locked_until_ms(base::to_lower(login));
}

}  // namespace funcgate::service
