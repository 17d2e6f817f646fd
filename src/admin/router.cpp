#include "admin/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "admin/caller.h"
#include "admin/denial_log.h"
#include "admin/idempotency.h"
#include "admin/list.h"
#include "admin/privilege_uses.h"
#include "admin/services.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/text.h"

namespace funcgate::admin {
namespace {

using domain::Fault;
using domain::Method;
using domain::Reason;

constexpr std::string_view kSetupPath = "/setup", kSessionPath = "/session", kOwnPasswordPath = "/me/password";
constexpr std::string_view kApplyPath = "/resources/apply", kDiffPath = "/resources/diff", kExportPath = "/resources/export",
                           kAuditPath = "/audit", kKeystorePaths = "/keystore/";

// Segments of a path, still encoded; nullopt: it cannot be one of ours ("/a//b", "/a/").
std::optional<std::vector<std::string_view>> segments_of(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  std::vector<std::string_view> segments = base::split(path.substr(1), '/');
  if (std::any_of(segments.begin(), segments.end(), [](std::string_view one) { return one.empty(); })) return std::nullopt;
  return segments;
}

// "name=value; …": the value; empty where a cookie is taken back.
std::string cookie_value(std::string_view set_cookie) {
  const std::string_view pair = set_cookie.substr(0, set_cookie.find(';'));
  const std::size_t mark = pair.find('=');
  return mark == std::string_view::npos ? std::string() : std::string(pair.substr(mark + 1));
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

// The decoded parameters if the path has the form of the pattern. `literals`: '1' for each segment that is no parameter, so that
// the greatest text is the pattern that says most.
std::optional<std::vector<std::string>> match_pattern(std::string_view pattern, const std::vector<std::string_view>& path,
                                                      std::string& literals) {
  const std::vector<std::string_view> wanted = base::split(pattern.substr(1), '/');
  if (wanted.size() != path.size()) return std::nullopt;
  std::vector<std::string> parameters;
  literals.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!is_parameter(wanted[i])) {
      if (wanted[i] != path[i]) return std::nullopt;
      literals.push_back('1');
      continue;
    }
    auto decoded = base::percent_decode(path[i]);
    if (!decoded || !base::is_valid_utf8(*decoded) || base::has_control(*decoded)) return std::nullopt;
    parameters.push_back(std::move(*decoded));
    literals.push_back('0');
  }
  return parameters;
}

bool is_write(Method method) { return method != Method::Get && method != Method::Head; }

Answer no_route() { return refused(Fault::NotFound, Reason::RouteUnknown, "There is no such address in the management API"); }

Answer wrong_method(std::string allow) {
  Answer answer = refused(Fault::MethodNotAllowed, Reason::MethodNotAllowed, "Method not allowed");
  answer.refusal->allow = std::move(allow);
  return answer;
}

Answer setup_pending() {
  return refused(Fault::SetupPending, Reason::ArgumentsInvalid,
                 "This server has no administrator yet: POST /admin/api/v1/setup with the token that stands in the file "
                 "setup-token of the data directory; funcgate setup-token makes another");
}

Answer system_error() {
  return refused(Fault::System, Reason::Internal, "The request could not be completed; see the server's log");
}

domain::AuditEvent denied_event(const Context& context, const Route& route, std::string_view reason) {
  domain::AuditEvent event;
  event.event = route.rules.event;
  event.outcome = domain::AuditOutcome::Denied;
  event.actor = context.actor();
  event.object_kind = "Route";
  event.object_id = route.pattern;
  event.object_name = context.path_parameters.empty() ? "" : context.path_parameters.front();
  event.summary = fmt::format("{} {} was refused", domain::method_name(route.method), route.pattern);
  event.reason = reason;
  return event;
}

// What a route demands that names nothing: it is open to nobody but the local caller.
constexpr domain::Privilege kNobodyHoldsThis = domain::Privilege::AdministerServer;

// Unknown parameters would be ignored, and ?dry_run=true be anything but that.
std::optional<Answer> check_query(const Context& context, const Query& query) {
  if (query.list) return std::nullopt;
  std::vector<std::string_view> known = query.texts;
  known.insert(known.end(), query.flags.begin(), query.flags.end());
  std::vector<base::Finding> findings;
  std::set<std::string_view> seen;
  for (const auto& [name, value] : context.request.query) {
    const bool is_flag = std::find(query.flags.begin(), query.flags.end(), name) != query.flags.end();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      findings.push_back(unknown_parameter(name, known));
    } else if (!seen.insert(name).second) {
      findings.push_back({name, "duplicate", "may be given once"});
    } else if (is_flag && value != "true" && value != "false") {
      findings.push_back({name, "value", "must be true or false"});
    }
  }
  if (findings.empty()) return std::nullopt;
  return invalid(findings);
}

// The privilege that is missing, or nullptr.
const domain::Privilege* missing_privilege(const Context& context, const Access& access) {
  switch (access.kind) {
    case Access::Kind::Open:
    case Access::Kind::SignedIn: return nullptr;
    case Access::Kind::Needs:
      for (const domain::Privilege& privilege : access.privileges) {
        if (!context.has(privilege)) return &privilege;
      }
      return access.privileges.empty() && context.caller.kind != Caller::Kind::Local ? &kNobodyHoldsThis : nullptr;
    case Access::Kind::Scoped: break;
  }
  if (context.caller.kind == Caller::Kind::Local) return nullptr;
  if (access.privileges.empty()) return &kNobodyHoldsThis;
  const domain::UserEntry* user = context.user();
  if (user != nullptr) {
    for (const domain::EffectivePrivilege& held : context.directory->effective(*user)) {
      if (std::find(access.privileges.begin(), access.privileges.end(), held.privilege) != access.privileges.end())
        return nullptr;
    }
  }
  return &access.privileges.front();
}

// Media type and text of a JSON body; nullopt: Context::body holds it.
std::optional<Answer> read_body(Context& context, const Route& route) {
  const Request& request = context.request;
  if (route.rules.raw_body || request.body.empty()) return std::nullopt;
  const bool merge = route.method == Method::Patch && domain::media_type_is(request.content_type, "application/merge-patch+json");
  if (!merge && !domain::media_type_is(request.content_type, "application/json"))
    return refused(Fault::MediaType, Reason::BodyMediaType, "The body must be JSON (Content-Type: application/json)");
  if (request.body.size() > kBodyBytesMax)
    return refused(Fault::BodyTooLarge, Reason::BodyTooLarge, "The body has more than 2 MiB");
  auto document = base::parse_json(request.body);
  if (!document.ok()) return invalid("", "value", document.error().message);
  context.body = std::move(*document);
  return std::nullopt;
}

}  // namespace

std::vector<Route> product_routes() {
  std::vector<Route> routes;
  add_session_routes(routes);
  add_identity_routes(routes);
  add_application_routes(routes);
  add_api_key_routes(routes);
  add_access_routes(routes);
  add_resource_routes(routes);
  add_apply_routes(routes);
  add_script_routes(routes);
  add_operation_routes(routes);
  add_audit_routes(routes);
  add_secret_routes(routes);
  add_throttle_routes(routes);
  add_trial_routes(routes);
  return routes;
}

struct Router::Match {
  const Route* route = nullptr;  // null: unknown path, or unknown method of a known path
  std::vector<std::string> parameters;
  std::string allow;  // methods of the path; empty: the path is unknown
};

Router::Router(Services& services) : Router(services, product_routes()) {}

Router::Router(Services& services, std::vector<Route> routes)
    : services_(services),
      routes_(std::move(routes)),
      started_ms_(services.clock.wall_ms()),
      denials_(std::make_unique<DenialLog>(services.identity, services.clock)),
      known_(services.random) {}

Router::~Router() = default;

Router::Match Router::find(const Request& request) const {
  Match match;
  const auto path = segments_of(request.path);
  if (!path) return match;
  const Method method = request.method == Method::Head ? Method::Get : request.method;
  std::string literals, best;
  for (const Route& route : routes_) {
    auto parameters = match_pattern(route.pattern, *path, literals);
    if (!parameters || literals < best) continue;
    if (literals > best) match = Match{};
    best = literals;
    match.allow += fmt::format("{}{}", match.allow.empty() ? "" : ", ", domain::method_name(route.method));
    if (route.method == Method::Get) match.allow += ", HEAD";
    if (route.method != method) continue;
    match.route = &route;
    match.parameters = std::move(*parameters);
  }
  if (!match.allow.empty()) match.allow += ", OPTIONS";
  return match;
}

Answer Router::handle(const Request& request) {
  try {
    return answer(request);
  } catch (const std::exception& error) {
    base::log::error("admin.exception", {{"what", base::printable(error.what())}, {"trace", request.trace_id}});
  } catch (...) {
    base::log::error("admin.exception", {{"what", "unknown"}, {"trace", request.trace_id}});
  }
  return system_error();
}

Answer Router::answer(const Request& request) {
  const Match match = find(request);
  Context context = context_of(request, match);
  if (auto refused = settled_by_head(context, match)) return std::move(*refused);
  Answer answer = answer_known(context, match);
  // Who has just signed in must not stand among strangers with his next request.
  if (!answer.refusal && !answer.set_cookie.empty()) known_.note_session(base::SecretString(cookie_value(answer.set_cookie)));
  return answer;
}

Context Router::context_of(const Request& request, const Match& match) {
  return {.request = request,
          .services = services_,
          .caller = {},
          .directory = services_.identity.directory(),
          .path_parameters = match.parameters,
          .session = {},
          .body = {}};
}

// Fills the caller; the answer if the request ends here.
std::optional<Answer> Router::settled_by_head(Context& context, const Match& match) {
  const Request& request = context.request;
  const bool open = match.route != nullptr && match.route->access.kind == Access::Kind::Open;
  const bool pending = !request.local && services_.sessions.setup_pending();
  if (pending && !(open && match.route->pattern == kSetupPath)) return setup_pending();
  // These two give nothing away: the same for every path, whoever asks.
  if (request.method == Method::Options) return no_content();
  if (request.method == Method::Trace || request.method == Method::Connect || request.method == Method::Other)
    return wrong_method("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

  if (request.local) {
    context.caller = local_caller();
  } else if (open) {
    if (auto refusal = check_origin(context)) return refusal;
  } else {
    auto refusal = authenticate(context, *denials_);
    known_.note(request, !refusal);
    if (refusal) return refusal;
  }
  if (context.caller.must_change_password && request.path != kSessionPath && request.path != kOwnPasswordPath)
    return refused(Fault::PasswordExpired, Reason::ArgumentsInvalid, "The password must be changed first: PUT /me/password");
  if (context.caller.kind == Caller::Kind::Session) {
    if (auto refusal = check_csrf(context)) {
      if (match.route != nullptr) denials_->record(denied_event(context, *match.route, "csrf"));
      return refusal;
    }
  }
  if (match.allow.empty()) return no_route();
  if (match.route == nullptr) return wrong_method(match.allow);
  if (const domain::Privilege* missing = missing_privilege(context, match.route->access)) {
    denials_->record(denied_event(context, *match.route, domain::privilege_name(*missing)));
    return privilege_missing(domain::privilege_name(*missing));
  }
  return std::nullopt;
}

Admission Router::admit(const Request& head) {
  Admission admission;
  try {
    const Match match = find(head);
    Context context = context_of(head, match);
    admission.refusal = settled_by_head(context, match);
    const bool bundle = match.route != nullptr && (match.route->pattern == kApplyPath || match.route->pattern == kDiffPath);
    if (bundle) admission.body_bytes_max = kApplyBodyBytesMax;
  } catch (const std::exception& error) {
    base::log::error("admin.exception", {{"what", base::printable(error.what())}, {"trace", head.trace_id}});
    admission.refusal = system_error();
  }
  return admission;
}

// Changes of resources wait for each other, and any of them may be an apply whose scripts take long to load.
std::span<const std::string_view> long_writes() {
  static constexpr std::string_view kAll[] = {kApplyPath,
                                              kDiffPath,
                                              "/func-apis",
                                              "/func-apis/{id}",
                                              "/api-authentications",
                                              "/api-authentications/{id}",
                                              "/api-authentications/{id}/test",
                                              "/env-variables",
                                              "/env-variables/{id}",
                                              "/script-sets",
                                              "/script-sets/{id}",
                                              "/scripts/{id}",
                                              "/scripts/{id}/draft/run",
                                              "/scripts/{id}/publish",
                                              "/scripts/{id}/versions/{version}/restore",
                                              "/audit/verify",
                                              "/audit/checkpoints"};
  return kAll;
}

Work Router::work_of(const Request& head) const {
  const Match match = find(head);
  if (match.route == nullptr) return Work::Quick;
  const Route& route = *match.route;
  if (is_write(route.method)) {
    if (route.pattern.starts_with(kKeystorePaths)) return Work::Keystore;
    const auto all = long_writes();
    return std::find(all.begin(), all.end(), route.pattern) != all.end() ? Work::Long : Work::Quick;
  }
  // As a list it is one page, as a file of lines everything that was recorded.
  const bool lines =
      head.accept.find("application/x-ndjson") != std::string::npos || head.accept.find("text/csv") != std::string::npos;
  // Calls are searched for in the journal, block by block.
  const bool calls =
      std::find(head.query.begin(), head.query.end(), std::pair<std::string, std::string>("stream", "calls")) != head.query.end();
  return route.pattern == kExportPath || (route.pattern == kAuditPath && (lines || calls)) ? Work::Long : Work::Quick;
}

void Router::await_records() { denials_->await_written(kRecordsWait); }

Answer Router::answer_known(Context& context, const Match& match) {
  const Route& route = *match.route;
  if (auto refusal = check_query(context, route.rules.query)) return std::move(*refusal);
  if (route.rules.if_match && context.request.if_match.empty()) return if_match_missing();
  if (auto refusal = read_body(context, route)) return std::move(*refusal);
  PrivilegeUses uses(services_.identity, route);
  context.uses = &uses;
  // Whoever comes with a key uses the privilege to have one, too.
  if (context.caller.kind == Caller::Kind::Key && !uses.note(context, domain::Privilege::UseApiKey)) return cannot_record_use();
  if (route.access.kind == Access::Kind::Needs) {
    for (const domain::Privilege privilege : route.access.privileges) {
      if (!context.holds(privilege)) return cannot_record_use();
    }
  }
  // Set-up and sign-in are not repeatable: their answers belong to whoever knew the secret in the body.
  const bool idempotent = route.method == Method::Post && !route.rules.only_asks && !context.request.idempotency_key.empty() &&
                          context.caller.kind != Caller::Kind::Nobody;
  // Who reads the stream finds what was refused before he asked.
  if (route.pattern.starts_with(kAuditPath)) await_records();
  if (!idempotent) return run(context, route);
  Idempotency idempotency(context, started_ms_);
  if (auto first = idempotency.begin()) return std::move(*first);
  Answer answer = run(context, route);
  idempotency.finish(answer);
  return answer;
}

Answer Router::run(Context& context, const Route& route) {
  Answer answer;
  const auto threw = [&](std::string_view what) {
    base::log::error("admin.exception",
                     {{"what", base::printable(what)}, {"route", route.pattern}, {"trace", context.request.trace_id}});
    answer = system_error();
  };
  // Whatever is thrown: an Idempotency-Key would otherwise stay "running" for a day.
  try {
    answer = route.handler(context);
    if (context.uses->failed()) answer = cannot_record_use();
    if (answer.refusal && is_write(route.method) && route.access.kind != Access::Kind::Open)
      note_refusal(context, route, *answer.refusal);
  } catch (const std::exception& error) {
    threw(error.what());
  } catch (...) {
    threw("unknown");
  }
  return answer;
}

// What a handler refused although the route was allowed: the caller may not do it to this object (DENIED), or the state forbids
// it (FAILED). Documents that are merely wrong are not worth a record.
void Router::note_refusal(const Context& context, const Route& route, const domain::Refusal& refusal) {
  const bool denied = refusal.fault == Fault::UserPrivilege || refusal.fault == Fault::UserAccess;
  const bool failed = refusal.fault == Fault::Conflict || refusal.fault == Fault::System || refusal.fault == Fault::Keystore;
  if (!denied && !failed) return;
  domain::AuditEvent event = denied_event(context, route, refusal.message);
  if (failed) event.outcome = domain::AuditOutcome::Failed;
  denials_->record(std::move(event));
}

void Router::record_block(const auth::BlockBegun& block) {
  domain::AuditEvent event;
  event.event = "auth.throttled";
  event.outcome = domain::AuditOutcome::Denied;
  event.actor.kind = "ANONYMOUS";
  event.actor.login = block.tried.account;
  event.actor.address = block.address.text();
  event.actor.trace_id = block.tried.trace_id;
  const bool is_published = !block.tried.api_id.empty();
  event.actor.origin = is_published ? "API" : "MANAGEMENT";
  event.object_kind = is_published ? "ApiAuthentication" : "Throttle";
  event.object_id = event.object_name = is_published ? block.config_id : "management";
  const std::string where = is_published ? fmt::format("API \"{}\"", base::printable(block.tried.api_id)) : "the management API";
  event.summary = fmt::format("Wrong credentials at {}: {} refused for {} s", where,
                              block.of_account ? "this account is, from this address," : "this address is", block.seconds);
  event.reason = domain::reason_token(block.of_account ? Reason::AuthBlockedAccount : Reason::AuthBlockedAddress);
  denials_->record(std::move(event));
}

Answer Router::revoke_by_possession(const Request& request) {
  try {
    return revoke_presented_key(services_, request);
  } catch (const std::exception& thrown) {
    base::log::error("management.failed", {{"route", "revoke by possession"}, {"error", thrown.what()}});
    return system_error();
  }
}

}  // namespace funcgate::admin
