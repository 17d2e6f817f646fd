#include "auth/func.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "auth/authorization_header.h"
#include "auth/credential_fields.h"
#include "auth/func_outcome.h"
#include "base/io_thread.h"
#include "base/json.h"
#include "base/text.h"
#include "base/timer_wheel.h"
#include "domain/session_cookie.h"

namespace funcgate::auth {
namespace {

using domain::FieldLocation;
using domain::FieldReference;
using domain::Reason;

constexpr std::int64_t kResultBytesMax = 16 * 1024;
constexpr std::size_t kTaskIdCharacters = 22;

bool is_multipart(const domain::Call& call) {
  return base::starts_with_ignore_case(base::trim(call.content_type()), "multipart/");
}

bool is_encoded(const domain::Call& call) {
  const std::string_view* coding = call.header("content-encoding");
  return coding != nullptr && !coding->empty() && !base::equals_ignore_case(*coding, "identity");
}

}  // namespace

FuncScheme::FuncScheme(const domain::ApiAuthentication& authentication, const domain::FuncConfig& config,
                       const crypto::KeyedHash& process, std::int64_t timeout_ms)
    : config_(config), process_(process), timeout_ms_(config.timeout_ms.value_or(timeout_ms)) {
  identify(authentication, "func");
  base::json::array readable;
  for (FieldReference& field : config_.credential_fields) {
    if (field.location == FieldLocation::Header) field.name = base::to_lower(field.name);
    if (field.location == FieldLocation::Body) body_names_.push_back(field.name);
    body_declared_ |= field.location == FieldLocation::Body;
    query_declared_ |= field.location == FieldLocation::Query;
    readable.push_back(base::json::string(std::string(domain::location_name(field.location)) + ':' + field.name));
  }
  readable_ = base::to_json(readable);
  function_chain_ = '[' + base::json_string(config_.function_id) + ']';
  mark_ = mark(authentication);
}

// The version alone would not do: a configuration that is deleted and made again begins with 1 again, and an accepted outcome
// holds the principal of the one it was given under.
crypto::Digest128 FuncScheme::mark(const domain::ApiAuthentication& authentication) const {
  std::vector<std::string> facts{id, run_as, config_.function_id, readable_, std::to_string(require_tls)};
  for (const std::int64_t number :
       {version, authentication.created_at_ms, timeout_ms_, config_.cache_ttl_s, config_.negative_cache_ttl_s,
        config_.body_bytes_max, static_cast<std::int64_t>(config_.expose_detail)})
    facts.push_back(std::to_string(number));
  const std::vector<std::string_view> parts(facts.begin(), facts.end());
  return process_.digest128(parts);
}

// ---- what the call presents ----

bool FuncScheme::any_head_field(const domain::Call& call) const {
  bool any = false;
  const auto found = [&](std::string_view) { any = true; };
  for (const FieldReference& field : config_.credential_fields) {
    if (field.location == FieldLocation::Header) for_each_header(call, field.name, found);
    if (field.location == FieldLocation::Query) for_each_form_value(call.query, field.name, found);
  }
  return any;
}

FuncScheme::Presented FuncScheme::present(const domain::Call& call) const {
  Presented out;
  BodyFields body;
  if (body_declared_) body = read_body_fields(call, body_names_);
  std::size_t body_index = 0;
  for (const FieldReference& field : config_.credential_fields) {
    std::vector<std::string_view> values;
    const auto add = [&](std::string_view value) { values.push_back(value); };
    switch (field.location) {
      case FieldLocation::Header: for_each_header(call, field.name, add); break;
      case FieldLocation::Query: for_each_form_value(call.query, field.name, add); break;
      case FieldLocation::Body: values = body.fields[body_index++].raw_values; break;
    }
    out.any |= !values.empty();
    out.parts.emplace_back(domain::location_name(field.location));
    out.parts.push_back(field.name);
    out.parts.push_back(std::to_string(values.size()));
    for (const std::string_view value : values) out.parts.emplace_back(value);
  }
  return out;
}

crypto::Digest128 FuncScheme::cache_key(const AuthCall& call, const domain::FunctionInfo& function,
                                        const Presented& presented) const {
  // The number of the generation counts whatever is published: the function may decide by what it imports.
  const std::string publish_version = std::to_string(function.publish_version) + '.' + std::to_string(call.generation->number);
  // How a body is read is part of what it says.
  const std::string form = std::to_string(body_declared_ ? static_cast<int>(body_form(call.call)) : -1);
  std::vector<std::string_view> parts{"func", crypto::as_view(mark_), publish_version, call.api_id, form};
  parts.insert(parts.end(), presented.parts.begin(), presented.parts.end());
  return process_.digest128(parts);
}

bool FuncScheme::shows_body(const domain::Call& call) const {
  if (!call.has_body || config_.body_bytes_max == 0 || call.content_length > config_.body_bytes_max) return false;
  if (is_multipart(call) || is_encoded(call)) return false;
  return !caches() || body_declared_;
}

Needs FuncScheme::needs(const AuthCall& call, AuthThread& thread) const {
  std::ignore = thread;  // what is remembered does not change what must be read
  if (!call.call.has_body) return Needs::Head;
  const BodyForm form = body_form(call.call);
  if (body_declared_ && form == BodyForm::Multipart) return Needs::HeadAndBodyStart;
  if (body_declared_ && form != BodyForm::None) return Needs::HeadAndBody;
  if (!config_.credential_fields.empty() && !any_head_field(call.call)) return Needs::Head;
  return shows_body(call.call) ? Needs::HeadAndBody : Needs::Head;
}

const domain::FunctionInfo* FuncScheme::function(const AuthCall& call) const {
  const domain::FunctionInfo* found = call.generation ? call.generation->function(config_.function_id) : nullptr;
  return found == nullptr || found->is_async || !found->required_parameters.empty() ? nullptr : found;
}

// ---- stage 1 ----

Outcome FuncScheme::try_now(const AuthCall& call, AuthThread& thread) const {
  const BodyForm form = body_form(call.call);
  if (body_declared_ && !call.call.body_complete && (form == BodyForm::Json || form == BodyForm::Urlencoded)) {
    Outcome outcome = Outcome::rejected(Reason::AuthBodyTooLarge, "The body is too large to look for a credential in it", false);
    outcome.fault = domain::Fault::BodyTooLarge;
    return outcome;
  }
  if (!config_.credential_fields.empty()) {
    const Presented presented = present(call.call);
    if (!presented.any) return Outcome::absent(Reason::FuncAbsent);
    const domain::FunctionInfo* info = function(call);
    if (caches() && info != nullptr) {
      const Outcome* known = thread.verdicts.find(cache_key(call, *info, presented), thread.clock.steady_ns());
      if (known != nullptr) return *known;
    }
  }
  if (function(call) == nullptr) return Outcome::unavailable(Reason::FuncMissing);
  return Outcome::undecided();
}

// ---- stage 2 ----

base::SteadyNs FuncScheme::deadline(const AuthCall& call, AuthThread& thread) const {
  const base::SteadyNs own = thread.clock.steady_ns() + timeout_ms_ * base::kNsPerMs;
  return call.deadline_ns > 0 ? std::min(call.deadline_ns, own) : own;
}

void FuncScheme::remember(const Outcome& outcome, const crypto::Digest128& key, AuthThread& thread) const {
  std::int64_t ttl_s = 0;
  if (outcome.verdict == Verdict::Accepted) ttl_s = config_.cache_ttl_s;
  if (is_returned_refusal(outcome)) ttl_s = config_.negative_cache_ttl_s;
  if (ttl_s > 0) thread.verdicts.remember(key, outcome, thread.clock.steady_ns() + ttl_s * 1000 * base::kNsPerMs);
}

base::Async<Outcome> FuncScheme::wait_for_leader(const AuthCall& call, AuthThread& thread, VerdictCache::WaiterPtr waiter) const {
  base::OneShot<std::optional<Outcome>> answer;
  waiter->answer = &answer;
  struct Leave {
    VerdictCache::Waiter& waiter;
    ~Leave() { waiter.answer = nullptr; }
  } leave{*waiter};
  base::Timer late([&answer] { answer.complete(Outcome::unavailable(Reason::FuncTimeout)); });
  if (thread.io != nullptr) thread.io->timers().arm(late, deadline(call, thread));
  const std::optional<Outcome> outcome = co_await answer.wait();
  if (!outcome) co_return Outcome::unavailable(Reason::AuthInternal);
  co_return *outcome;
}

base::Async<Outcome> FuncScheme::authenticate(const AuthCall& call, AuthThread& thread) const {
  const domain::FunctionInfo* info = function(call);
  if (info == nullptr || thread.functions == nullptr) co_return Outcome::unavailable(Reason::FuncMissing);
  if (!caches()) co_return co_await run(call, thread, *info);

  const Presented presented = present(call.call);
  if (!presented.any) co_return Outcome::absent(Reason::FuncAbsent);
  const crypto::Digest128 key = cache_key(call, *info, presented);
  auto waiter = std::make_shared<VerdictCache::Waiter>();
  if (!thread.verdicts.lead_or_join(key, waiter)) co_return co_await wait_for_leader(call, thread, waiter);

  // Whatever becomes of this run, those who joined it are told.
  struct Flight {
    VerdictCache& verdicts;
    const crypto::Digest128& key;
    std::optional<Outcome> outcome;
    ~Flight() { verdicts.finish(key, outcome); }
  } flight{thread.verdicts, key, std::nullopt};
  Outcome outcome = co_await run(call, thread, *info);
  remember(outcome, key, thread);
  flight.outcome = outcome;
  co_return outcome;
}

domain::VisibleRequest FuncScheme::visible_request(const domain::Call& call, std::forward_list<std::string>& cookies) const {
  domain::VisibleRequest request;
  for (domain::Header header : call.headers) {
    const bool declared = std::any_of(
        config_.credential_fields.begin(), config_.credential_fields.end(),
        [&](const FieldReference& field) { return field.location == FieldLocation::Header && field.name == header.name; });
    if ((!caches() || declared) && domain::hide_session_cookies(header, cookies)) request.headers.push_back(header);
  }
  if (!caches() || query_declared_) request.query = call.query;
  const bool body_shown = shows_body(call) && call.body_complete && std::ssize(call.body) <= config_.body_bytes_max;
  if (body_shown) {
    request.body = call.body;
    request.content_type = call.content_type();
  }
  request.raw_body_intact = body_shown && !caches();
  return request;
}

base::Async<Outcome> FuncScheme::run(const AuthCall& call, AuthThread& thread, const domain::FunctionInfo& info) const {
  const std::int64_t trigger_time_ms = thread.clock.wall_ms();
  const base::SteadyNs ends_at = deadline(call, thread);
  const std::string task_id = "task-" + thread.random.alphanumeric(kTaskIdCharacters);
  std::forward_list<std::string> cookies;
  const domain::VisibleRequest request = visible_request(call.call, cookies);
  domain::Invocation invocation;
  invocation.kind = domain::RunKind::Auth;
  invocation.generation = call.generation;
  invocation.function = &info;
  invocation.form = domain::ArgumentForm::None;
  invocation.share_key = id;
  invocation.queue_deadline_ns = ends_at;
  invocation.total_deadline_ns = ends_at;
  invocation.timeout_ms = timeout_ms_;
  invocation.restricted = caches();
  if (caches()) invocation.readable = readable_;
  invocation.api_id = call.api_id;
  invocation.trace_id = call.call.trace_id;
  invocation.task_id = task_id;
  invocation.root_task_id = task_id;
  invocation.origin = "apiAuth";
  invocation.origin_id = id;
  invocation.function_chain = function_chain_;
  invocation.trigger_time_ms = trigger_time_ms;
  invocation.call = &call.call;
  invocation.request = &request;
  invocation.result_bytes_max = kResultBytesMax;
  invocation.large_result_bytes_max = kResultBytesMax;
  invocation.json_depth_max = call.json_depth_max;
  domain::RunResult result;
  co_await thread.functions->run(invocation, result);
  const FuncRun facts{.config_id = id,
                      .run_as = run_as,
                      .refusal_message = refusal_message(),
                      .task_id = task_id,
                      .trigger_time_ms = trigger_time_ms,
                      .end_time_ms = thread.clock.wall_ms(),
                      .expose = config_.expose_detail};
  co_return func_outcome(facts, result);
}

std::vector<std::string> FuncScheme::challenges(AuthThread& thread, bool stale) const {
  std::ignore = thread;
  std::ignore = stale;
  return {plain_challenge("Func", realm)};
}

}  // namespace funcgate::auth
