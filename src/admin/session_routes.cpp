// /setup, /session, /me, /me/password, /password-policy, /sessions: how people come in, and what keeps them in.
#include <fmt/format.h>

#include "admin/caller.h"
#include "admin/etag.h"
#include "admin/identity_documents.h"
#include "admin/list.h"
#include "domain/password_policy_json.h"
#include "admin/router.h"
#include "admin/services.h"
#include "base/log.h"
#include "domain/session_cookie.h"
#include "service/admin/identity_events.h"
#include "service/admin/identity_rules.h"
#include "service/admin/users.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using base::SecretString;
using domain::Fault;
using domain::Method;
using domain::Privilege;
using domain::Reason;
using service::Sessions;
using service::SignedIn;

constexpr std::string_view kSecureCookie = domain::kSecureSessionCookie, kPlainCookie = domain::kPlainSessionCookie;

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

// The prefix __Host- makes browsers demand Secure and Path=/ and forbid Domain (RFC 6265bis, 4.1.3).
std::string cookie(const Request& request, std::string_view value, std::string_view more) {
  if (request.tls) return fmt::format("{}={}; Path=/; Secure; HttpOnly; SameSite=Lax{}", kSecureCookie, value, more);
  return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Lax{}", kPlainCookie, value, more);
}

Answer plain_http() {
  return refused(Fault::PlainHttp, Reason::AuthPlainHttp,
                 "Signing in over plain HTTP is possible on this machine only; use HTTPS, or set console.allow_plain_http");
}

// Strangers learn which secret is meant, and the log where it is missing.
Answer pepper_unusable(const Context& context, const std::string& problem) {
  base::log::error("keystore.secret_unusable", {{"message", problem}});
  constexpr std::string_view kMessage =
      "Passwords cannot be checked: the secret \"{}\" of the keystore cannot be used; the server's log says more";
  return refused(Fault::Keystore, Reason::AuthSecretUnreadable, fmt::format(kMessage, context.services.keystore.pepper_alias()));
}

Answer throttled(std::int64_t retry_after_s, std::string message) {
  Answer answer = refused(Fault::AuthThrottling, Reason::AuthBlockedAccount, std::move(message));
  answer.refusal->retry_after_s = std::max<std::int64_t>(1, retry_after_s);
  return answer;
}

// A secret member: all bytes count, and none of them goes into a finding.
SecretString read_secret(base::ObjectReader& reader, std::string_view name) {
  const json::value* value = reader.member(name);
  if (value == nullptr) {
    reader.finding(name, "missing", "is required");
    return {};
  }
  const json::string* text = value->if_string();
  if (text == nullptr) {
    reader.finding(name, "type", "must be a text");
    return {};
  }
  return SecretString(std::string(text->data(), text->size()));
}

json::object session_data(const Context& context, const domain::User& user, const domain::Session& session,
                          const SecretString& csrf_token, bool must_change) {
  json::object data;
  data["user"] = user_json(context, user);
  data["csrfToken"] = view(csrf_token.reveal());
  data["expiresAt"] = time_json(session.expires_at_ms);
  data["mustChangePassword"] = must_change;
  return data;
}

Answer set_up(Context& context) {
  Sessions& sessions = context.services.sessions;
  if (!sessions.setup_pending()) {
    // Who came before it was done has lost a race; who comes later finds nothing.
    if (context.request.received_ms < sessions.setup_done_at_ms()) return conflict("Set-up was done by another call");
    return not_found("address", "/setup");
  }
  if (!may_use_session(context)) return plain_http();
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  base::ObjectReader reader(*body, "", findings);
  service::UserFields fields;
  const SecretString token = read_secret(reader, "token"), password = read_secret(reader, "password");
  reader.text("login", fields.login, 1, 100, true)
      .text("firstName", fields.first_name, 0, 100)
      .text("surname", fields.surname, 0, 100);
  reader.text("email", fields.email, 0, service::kEmailCharactersMax).finish();
  if (findings.empty()) findings = service::Users::check(fields);
  if (!findings.empty()) return invalid(findings);
  if (const std::string pepper = context.services.keystore.pepper_problem(); !pepper.empty())
    return pepper_unusable(context, pepper);
  domain::User first;
  first.login = fields.login;
  first.first_name = fields.first_name;
  first.surname = fields.surname;
  first.email = fields.email;
  Sessions::SetupFailure failure{};
  std::vector<std::string> failed_rules;
  const auto made = sessions.set_up(token, std::move(first), password, context.actor(), failure, failed_rules);
  switch (failure) {
    case Sessions::SetupFailure::WrongToken: return refused(Fault::UserAuth, Reason::KeyUnknown, made.error().message);
    case Sessions::SetupFailure::AlreadyDone: return conflict("Set-up was done by another call");
    case Sessions::SetupFailure::Invalid: return password_refused(failed_rules);
    case Sessions::SetupFailure::None: break;
  }
  if (!made.ok()) return from_error(made.error());
  if (context.services.setup_done) context.services.setup_done();
  context.directory = context.services.identity.directory();
  return created_at(user_json(context, *made), "/users");
}

Answer sign_in(Context& context) {
  if (!may_use_session(context)) return plain_http();
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  base::ObjectReader reader(*body, "", findings);
  std::string login;
  const SecretString password = read_secret(reader, "password");
  reader.text("login", login, 0, 10'000, true).finish();
  if (!findings.empty()) return invalid(findings);
  if (const std::string pepper = context.services.keystore.pepper_problem(); !pepper.empty())
    return pepper_unusable(context, pepper);
  service::SignInFailure failure;
  const auto signed_in = context.services.sessions.sign_in(login, password, context.actor(), context.request.address, failure);
  if (!signed_in.ok()) {
    switch (failure.kind) {
      case service::SignInFailure::Kind::Throttled: return throttled(failure.retry_after_s, signed_in.error().message);
      case service::SignInFailure::Kind::Unavailable:
        return from_error({base::Code::Unavailable, "Signing in is not possible now", {}});
      case service::SignInFailure::Kind::SetupPending:
      case service::SignInFailure::Kind::Failed: break;
    }
    if (signed_in.error().code == base::Code::Unauthenticated)
      return refused(Fault::UserAuth, Reason::BasicPassword, "Sign-in failed");
    return from_error(signed_in.error());
  }
  Answer answer =
      ok(session_data(context, signed_in->user, signed_in->session, signed_in->csrf_token, signed_in->must_change_password));
  answer.set_cookie = cookie(context.request, signed_in->token.reveal(), "");
  answer.shows_secret = true;
  return answer;
}

Answer own_session(Context& context) {
  if (context.caller.kind != Caller::Kind::Session) return not_found("session", "of this caller");
  const auto user = context.services.identity_store.user(context.caller.user_id);
  if (!user.ok()) return from_error(user.error());
  const Sessions::Found& found = *context.session;
  return ok(session_data(context, *user, found.session, found.csrf_token, found.must_change_password));
}

Answer sign_out(Context& context) {
  if (context.caller.kind != Caller::Kind::Session) return not_found("session", "of this caller");
  const auto status = context.services.sessions.sign_out(context.session->session, context.actor());
  if (!status.ok()) return from_error(status.error());
  Answer answer = no_content();
  answer.set_cookie = cookie(context.request, "", "; Max-Age=0");
  return answer;
}

// Who asks, with what the console needs to know which of its parts to show.
Answer me(Context& context) {
  json::object data;
  domain::PrivilegeSet everywhere;
  json::array scoped;
  if (context.caller.kind == Caller::Kind::Local) {
    data["login"] = view(context.caller.login);
    for (const domain::PrivilegeInfo& info : domain::privilege_table()) everywhere.add(info.privilege);
  } else {
    const auto user = context.services.identity_store.user(context.caller.user_id);
    const domain::UserEntry* entry = context.user();
    if (!user.ok() || entry == nullptr)
      return from_error(user.ok() ? base::Error{base::Code::NotFound, "The user is gone", {}} : user.error());
    data = user_json(context, *user);
    everywhere = context.directory->privileges(*entry);
    for (const domain::EffectivePrivilege& held : context.directory->effective(*entry)) {
      if (held.application.empty()) continue;
      json::object row{{"privilege", view(domain::privilege_name(held.privilege))}};
      row["scope"] = application_name(context, held.application);
      scoped.push_back(std::move(row));
    }
  }
  data["privileges"] = admin::privilege_names(everywhere);
  data["applicationPrivileges"] = std::move(scoped);
  data["keyId"] = context.caller.key_id.empty() ? json::value() : json::value(view(context.caller.key_id));
  return ok(std::move(data));
}

Answer change_own_password(Context& context) {
  if (context.caller.kind != Caller::Kind::Session)
    return conflict("A password is changed by whoever is signed in with it, not with an API key");
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  base::ObjectReader reader(*body, "", findings);
  const SecretString old_password = read_secret(reader, "old"), new_password = read_secret(reader, "new");
  reader.finish();
  if (!findings.empty()) return invalid(findings);
  if (const std::string pepper = context.services.keystore.pepper_problem(); !pepper.empty())
    return pepper_unusable(context, pepper);
  std::vector<std::string> failed_rules;
  const auto changed =
      context.services.sessions.change_password(*context.session, old_password, new_password, context.actor(), failed_rules);
  if (!changed.ok()) {
    if (!failed_rules.empty()) return password_refused(failed_rules);
    if (changed.error().code == base::Code::Unauthenticated) return invalid("old", "value", "is not the present password");
    if (changed.error().code == base::Code::ResourceExhausted) {
      const std::int64_t until = context.services.sessions.locked_until_ms(context.caller.login);
      return throttled((until - context.services.clock.wall_ms()) / 1000, changed.error().message);
    }
    return from_error(changed.error());
  }
  Answer answer = no_content();
  answer.set_cookie = cookie(context.request, changed->token.reveal(), "");
  answer.shows_secret = true;
  return answer;
}

Answer show_policy(Context& context) {
  const domain::PasswordPolicy& policy = context.directory->password_policy();
  return shown(context, domain::password_policy_json(policy), policy.meta.version);
}

Answer change_policy(Context& context) {
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  domain::PasswordPolicy wanted = domain::read_password_policy(*body, findings);
  if (!findings.empty()) return invalid(findings);
  std::optional<Answer> refusal;
  const auto plan = [&](const domain::Directory& current, domain::ChangeSet& changes) -> base::Status {
    const domain::PasswordPolicy& present = current.password_policy();
    refusal = check_if_match(context, present.meta.version);
    if (refusal) return base::kDone;
    wanted.meta = present.meta;
    const auto fields = service::changes_between(domain::password_policy_json(present), domain::password_policy_json(wanted));
    if (fields.empty()) return base::kDone;
    const domain::Actor actor = context.actor();
    service::mark_changed(wanted.meta, actor, context.services.clock.wall_ms());
    domain::AuditEvent event = service::object_event("policy.changed", actor, "PasswordPolicy", "default", "default",
                                                     wanted.meta.version, "Password policy changed");
    event.changes = fields;
    changes.events.push_back(std::move(event));
    changes.identity.push_back({.kind = domain::IdentityKind::PasswordPolicy,
                                .id = "default",
                                .expected_version = present.meta.version,
                                .value = wanted});
    changes.author = service::author_name(actor);
    return base::kDone;
  };
  const auto live = context.services.identity.change(plan);
  if (refusal) return std::move(*refusal);
  if (!live.ok()) return from_error(live.error());
  const domain::PasswordPolicy& policy = (*live)->password_policy();
  return ok(domain::password_policy_json(policy), policy.meta.version);
}

// --- sessions of anybody

json::object session_json(const Context& context, const domain::Session& session) {
  const domain::UserEntry* user = context.directory->user(session.user_id);
  json::object out{{"id", session.id}, {"userId", session.user_id}};
  out["login"] = user == nullptr ? json::value() : json::value(view(user->login()));
  out["address"] = session.address;
  out["createdAt"] = time_json(session.created_at_ms);
  out["lastUsedAt"] = time_json(session.last_used_at_ms);
  out["expiresAt"] = time_json(session.expires_at_ms);
  out["current"] = session.id == context.caller.session_id;
  return out;
}

base::Result<domain::Session> find_session(const Context& context) {
  const std::string& id = context.path_parameters.front();
  auto session = context.services.identity_store.session_by_id(id);
  const bool ended = session.ok() ? !context.services.sessions.is_live(*session) : session.error().code == base::Code::NotFound;
  if (ended) return base::Error{base::Code::NotFound, fmt::format("There is no session \"{}\"", id), {}};
  return session;
}

Answer list_sessions(Context& context) {
  static const ListFields kFields{
      {"userId", "login", "address"}, {"login", "createdAt", "lastUsedAt", "expiresAt"}, "-createdAt"};
  Answer problem;
  const auto asked = read_list_query(context, kFields, problem);
  if (!asked) return problem;
  domain::ListQuery query = *asked;  // `asked` is what the cursor belongs to
  query.filters.emplace_back("expiresAt", fmt::format(">={}", context.services.clock.wall_ms() + 1));
  query.filters.emplace_back("lastUsedAt", fmt::format(">={}", context.services.sessions.idle_since_ms()));
  const auto page = context.services.identity_store.list_sessions(query);
  if (!page.ok()) return from_error(page.error());
  json::array rows;
  for (const domain::Session& session : page->rows) {
    // What the store knows of the last use may be a minute old: of the few that lie between, this decides.
    if (context.services.sessions.is_live(session)) rows.push_back(session_json(context, session));
  }
  PageInfo info{.page_size = query.limit, .next_cursor = {}, .total = page->total};
  if (page->next) info.next_cursor = make_cursor(*asked, *page->next);
  return listed(std::move(rows), std::move(info));
}

Answer show_session(Context& context) {
  const auto session = find_session(context);
  return session.ok() ? shown_as(context, session_json(context, *session)) : from_error(session.error());
}

Answer end_session(Context& context) {
  const auto session = find_session(context);
  if (!session.ok()) return from_error(session.error());
  const auto status = context.services.sessions.sign_out(*session, context.actor());
  return status.ok() ? no_content() : from_error(status.error());
}

}  // namespace

void add_session_routes(std::vector<Route>& routes) {
  const auto view_users = Access::needs({Privilege::ViewUsers}), administer = Access::needs({Privilege::AdministerUsers});
  routes.push_back({Method::Post, "/setup", Access::open(), set_up, {.event = "setup.done"}});
  routes.push_back({Method::Post, "/session", Access::open(), sign_in, {.event = "login.failed"}});
  routes.push_back({Method::Get, "/session", Access::signed_in(), own_session});
  routes.push_back({Method::Delete, "/session", Access::signed_in(), sign_out, {.event = "logout"}});
  routes.push_back({Method::Get, "/me", Access::signed_in(), me});
  routes.push_back({Method::Put, "/me/password", Access::signed_in(), change_own_password, {.event = "password.changed"}});
  routes.push_back({Method::Get, "/password-policy", view_users, show_policy});
  routes.push_back({Method::Put, "/password-policy", administer, change_policy, {.event = "policy.changed", .if_match = true}});
  routes.push_back({Method::Get, "/sessions", view_users, list_sessions, {.query = Query::of_list()}});
  routes.push_back({Method::Get, "/sessions/{id}", view_users, show_session});
  routes.push_back({Method::Delete, "/sessions/{id}", administer, end_session, {.event = "session.ended"}});
}

}  // namespace funcgate::admin
