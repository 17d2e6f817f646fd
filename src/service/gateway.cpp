#include "service/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "service/explain_call.h"
#include "service/fault_text.h"
#include "service/run_answer.h"

namespace funcgate::service {
namespace {

using domain::Fault;
using domain::Reason;
using domain::Refusal;

domain::ArgumentForm form_of(domain::Method method, bool simplified) {
  if (domain::takes_body(method)) return simplified ? domain::ArgumentForm::PostSimplified : domain::ArgumentForm::PostStandard;
  return simplified ? domain::ArgumentForm::GetSimplified : domain::ArgumentForm::GetStandard;
}

Refusal refuse(Fault fault, Reason reason, std::string message, std::string detail = {}) {
  return Refusal{.fault = fault, .reason = reason, .message = std::move(message), .detail = std::move(detail)};
}

// Where `text` stands in `texts`; their number: nowhere.
template <std::size_t Count>
std::size_t place_of(std::string_view text, const std::array<std::string_view, Count>& texts) {
  std::size_t place = 0;
  while (place < Count && texts[place] != text) ++place;
  return place;
}

Answer answer_of(Refusal refusal) {
  Answer answer;
  answer.refusal = std::move(refusal);
  return answer;
}

}  // namespace

std::optional<ApiRoute> parse_api_route(std::string_view path) {
  using Path = domain::ApiPath;
  if (!path.starts_with(Path::kPrefix)) return std::nullopt;
  path.remove_prefix(Path::kPrefix.size());
  const std::size_t first = path.find('/');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t word = place_of(path.substr(0, first), Path::kWords);
  if (word == Path::kWords.size()) return std::nullopt;
  path.remove_prefix(first + 1);
  const std::size_t second = path.find('/');
  ApiRoute route{path.substr(0, second), false, Path(word, Path::kForms.size())};
  if (!base::is_object_id(route.api_id)) return std::nullopt;
  if (second == std::string_view::npos) return route;
  const std::size_t form = place_of(path.substr(second + 1), Path::kForms);
  if (form == Path::kForms.size()) return std::nullopt;
  route.simplified = form != 0;
  route.path = Path(word, form);
  return route;
}

Gateway::Gateway(const GatewayShared& shared, base::IoThread& io, auth::AuthThread& auth_thread, domain::FunctionRunner& runner,
                 domain::Recorder& recorder)
    : shared_(shared),
      pin_(shared.catalog),
      directory_(shared.directory),
      io_(io),
      auth_thread_(auth_thread),
      runner_(runner),
      recorder_(recorder),
      observer_(shared.metrics, shared.cache_key) {}

std::string Gateway::masked_target(const domain::Call& call, std::string_view api_id) {
  const auto found = pin_.get()->endpoints.find(api_id);
  return found == pin_.get()->endpoints.end() ? std::string(call.path) : service::masked_target(call, found->second->strip);
}

base::Async<void> Gateway::serve(domain::Call& call, BodySource& body, ApiRoute route, Answer& answer) {
  Passage passage{.call = call, .body_source = body, .route = route};
  passage.catalog = pin_.get();
  call.api_id = route.api_id;
  try {
    co_await decide_and_run(passage, answer);
  } catch (const std::exception& error) {
    // Memory ran out, most likely. Whatever was reserved is given back below, and the call has its record.
    base::log::error("call.exception", {{"traceId", call.trace_id}, {"what", base::printable(error.what())}});
    answer = answer_of(refuse(Fault::System, Reason::Internal, "Internal error"));
  }
  // The clock is asked once: for the record, for the head of the answer and for the metrics.
  base::SteadyNs ended_ns = io_.clock().steady_ns();
  finish(passage, answer, ended_ns);
  if (shared_.settings.record_before_reply && passage.slot_reserved) {
    const bool durable = co_await recorder_.durable(io_, ended_ns + kRecordWaitMs * base::kNsPerMs);
    if (!durable) answer = withheld(passage, answer);
    answer.ended_ms = 0;
    ended_ns = io_.clock().steady_ns();
  }
  count(passage, answer, ended_ns);
}

// The function has run, and the record that cannot be written says how. Who asked for evidence first gets no answer without it; a
// second record tells what the caller was told instead.
Answer Gateway::withheld(const Passage& passage, const Answer& answer) {
  Answer out = answer_of(
      refuse(Fault::LimitReached, Reason::CapacityRecord, "The call was made, but its record could not be written in time"));
  out.refusal->retry_after_s = 1;
  out.cors_origin = answer.cors_origin;
  out.cors_vary = answer.cors_vary;
  out.authenticated = answer.authenticated;
  out.async_api = answer.async_api;
  recorder_.record_refusal(record_of(passage, out, io_.clock().wall_ms(), io_.clock().steady_ns()));
  return out;
}

void Gateway::count(const Passage& passage, const Answer& answer, base::SteadyNs ended_ns) {
  const Endpoint* endpoint = passage.endpoint;
  if (endpoint == nullptr) return;
  (answer.refusal ? endpoint->calls_failed : endpoint->calls_ok)->add();
  endpoint->duration->observe_ns(ended_ns - passage.call.arrival_ns);
}

// The order of checks. Each step stands where it does for the reason beside it; docs/functions.md shows the same list.
base::Async<void> Gateway::decide_and_run(Passage& passage, Answer& answer) {
  // Each step says here why it ends the call.
  Refused& refused = answer.refusal;
  // Route and API: costs nothing, needs no secret; every unknown id looks alike.
  if ((refused = find(passage))) co_return;
  // Preflight: browsers send it without credentials; it consults corsOrigins only.
  if (preflight(passage, answer)) co_return;
  // Method: no work for a request that can never succeed.
  if ((refused = check_method(passage))) co_return;
  // Blocked addresses, credentials, authorisation: before any state, body or quota of the API shows.
  if (auto rest = try_authenticate(passage, refused)) refused = co_await std::move(*rest);
  if (refused) co_return;
  // Disabled, expired: state is told to callers only.
  if ((refused = check_state(passage))) co_return;
  // Throttling counts verified callers, so that a stranger cannot use up the quota.
  if ((refused = check_rate(passage))) co_return;
  name(passage);
  // The rest of the body: first point where large input is worth reading.
  if (passage.call.has_body) {
    refused = co_await read_body(passage);
    if (refused) co_return;
  }
  if ((refused = check_body(passage))) co_return;
  if (passage.endpoint->function == nullptr) {
    refused = refuse(Fault::FunctionUnavailable, Reason::FunctionMissing, "The function of this API is not available");
    co_return;
  }
  read_shortened_times(passage);
  if (passage.endpoint->api.exec_mode == domain::ExecMode::Async) {
    co_await submit_task(passage, answer);
  } else if (passage.endpoint->cache_ttl_s > 0 && passage.files_json.empty()) {
    // The result cache: only for those who may have the answer.
    // Files are no part of its key, so calls with files pass it by.
    co_await run_cached(passage, answer);
  } else {
    co_await run(passage, answer);
  }
}

Gateway::Refused Gateway::check_method(const Passage& passage) const {
  const domain::FunctionApi& api = passage.endpoint->api;
  if (std::find(api.methods.begin(), api.methods.end(), passage.call.method) != api.methods.end()) return std::nullopt;
  Refusal refusal = refuse(Fault::MethodNotAllowed, Reason::MethodNotAllowed, "Method not allowed");
  refusal.allow = passage.endpoint->allow;
  return refusal;
}

void Gateway::name(Passage& passage) {
  constexpr std::string_view kTask = "task-";
  const std::size_t used = kTask.copy(passage.task_letters.data(), kTask.size());
  auth_thread_.random.write_alphanumeric(passage.task_letters.data() + used, passage.task_letters.size() - used);
  passage.task_id = std::string_view(passage.task_letters.data(), passage.task_letters.size());
}

const std::string& Gateway::folder_of(Passage& passage) const {
  if (passage.folder.empty()) {
    const std::string& parent = shared_.settings.call_folder;
    passage.folder.reserve(parent.size() + 1 + passage.task_id.size());
    passage.folder.append(parent).append("/").append(passage.task_id);
  }
  return passage.folder;
}

Gateway::Refused Gateway::find(Passage& passage) {
  const auto found = passage.catalog->endpoints.find(passage.route.api_id);
  if (found == passage.catalog->endpoints.end()) return refuse(Fault::NotFound, Reason::ApiUnknown, "No such API");
  passage.endpoint = found->second.get();
  passage.form = form_of(passage.call.method, passage.route.simplified);
  return std::nullopt;
}

bool Gateway::preflight(const Passage& passage, Answer& answer) const {
  const domain::Call& call = passage.call;
  if (call.method != domain::Method::Options) return false;
  if (call.header("origin") == nullptr || call.header("access-control-request-method") == nullptr) return false;
  answer.status = 204;
  add_cors(passage, answer);
  if (!answer.cors_origin.empty()) {
    answer.cors_methods = passage.endpoint->allow;
    if (const auto* headers = call.header("access-control-request-headers"); headers != nullptr && !base::has_control(*headers)) {
      answer.cors_headers = *headers;
    }
  }
  return true;
}

void Gateway::add_cors(const Passage& passage, Answer& answer) const {
  if (passage.endpoint == nullptr || passage.endpoint->api.cors_origins.empty()) return;
  answer.cors_vary = true;
  bool repeated = false;
  const auto* origin = passage.call.header("origin", &repeated);
  if (origin == nullptr || repeated || *origin == "null") return;
  for (const std::string& listed : passage.endpoint->api.cors_origins) {
    if (listed == *origin || (listed == "*" && passage.endpoint->chain.is_anonymous_for(passage.call)))
      answer.cors_origin = listed;
  }
}

Gateway::Refused Gateway::check_state(const Passage& passage) const {
  const domain::FunctionApi& api = passage.endpoint->api;
  const auto detail = [&] { return fmt::format("{{\"id\":{}}}", base::json_string(api.id)); };
  if (api.is_disabled) return refuse(Fault::ApiDisabled, Reason::ApiDisabled, "This API is disabled", detail());
  if (api.expire_time_ms && passage.call.arrival_ms >= *api.expire_time_ms) {
    return refuse(Fault::ApiExpired, Reason::ApiExpired, "This API has expired", detail());
  }
  return std::nullopt;
}

Gateway::Refused Gateway::check_rate(const Passage& passage) {
  const domain::FunctionApi& api = passage.endpoint->api;
  if (api.throttling.empty()) return std::nullopt;
  // Length-prefixed: no caller can choose a name that counts as somebody else.
  std::string subject = fmt::format("{}:{}", api.id.size(), api.id);
  if (api.throttle_per == domain::ThrottlePer::Caller) {
    const auto& who = passage.principal->fields();
    for (const std::string* part : {&who.type, &who.auth_id, &who.name, &who.key_id})
      subject += fmt::format("/{}:{}", part->size(), *part);
  } else if (api.throttle_per == domain::ThrottlePer::Address) {
    subject += "@" + passage.call.peer.network().text();
  }
  const auto excess = shared_.rates.take(subject, api.throttling, passage.call.arrival_ms);
  if (!excess) return std::nullopt;
  Refusal refusal = refuse(Fault::ApiThrottling, Reason::ApiThrottled, "Too many calls");
  refusal.retry_after_s = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(excess->wait_seconds)));
  refusal.detail = fmt::format("{{\"rule\":\"{}\",\"limit\":{},\"currentCount\":{},\"waitSeconds\":{:.3f}}}", excess->rule.rule,
                               excess->rule.limit, excess->current, excess->wait_seconds);
  return refusal;
}

Gateway::Refused Gateway::reserve(Passage& passage) {
  const Endpoint& endpoint = *passage.endpoint;
  const auto full = [](Reason reason) {
    Refusal refusal = refuse(Fault::LimitReached, reason, "The server is at its limit");
    refusal.retry_after_s = 1;
    return refusal;
  };
  if (endpoint.state->running.fetch_add(1, std::memory_order_relaxed) >= endpoint.api.max_concurrent &&
      endpoint.api.max_concurrent > 0) {
    endpoint.state->running.fetch_sub(1, std::memory_order_relaxed);
    return full(Reason::CapacityConcurrency);
  }
  passage.running_counted = true;
  // What cannot be recorded is not run.
  if (!recorder_.reserve()) {
    return full(Reason::CapacityRecord);
  }
  passage.slot_reserved = true;
  return std::nullopt;
}

domain::Invocation Gateway::invocation(Passage& passage, domain::RunKind kind) const {
  const Endpoint& endpoint = *passage.endpoint;
  const domain::Limits& limits = shared_.settings.limits;
  domain::Invocation out;
  out.kind = kind;
  out.generation = passage.catalog->generation;
  out.function = endpoint.function;
  out.form = passage.form;
  out.queue = kind == domain::RunKind::Validate ? 1 : endpoint.queue;
  out.queue_deadline_ns = io_.clock().steady_ns() + passage.expires_ms * base::kNsPerMs;
  out.timeout_ms = passage.timeout_ms;
  out.strict_validation = endpoint.api.strict_validation;
  out.unbox = endpoint.api.unbox;
  out.json_dumps = endpoint.api.return_type == domain::ReturnType::JsonDumps;
  out.async_api = endpoint.api.exec_mode == domain::ExecMode::Async;
  out.restricted = endpoint.cache_ttl_s > 0;
  out.readable = endpoint.readable;
  out.want_arguments = endpoint.api.record_detail;
  out.fixed_kwargs = endpoint.fixed_kwargs;
  out.api_id = endpoint.api.id;
  out.trace_id = passage.call.trace_id;
  out.task_id = passage.task_id;
  out.root_task_id = "ROOT";
  out.origin = "funcAPI";
  out.origin_id = endpoint.api.id;
  out.trigger_time_ms = passage.call.arrival_ms;
  out.caller = passage.principal;
  out.call = &passage.call;
  out.request = &*passage.visible;
  out.parts = std::move(passage.multipart.parts);
  out.files = passage.files_json;
  out.folder = folder_of(passage);
  out.result_bytes_max = limits.result_bytes;
  out.large_result_bytes_max = limits.large_result_bytes;
  out.json_depth_max = limits.json_depth;
  return out;
}

base::Async<void> Gateway::run(Passage& passage, Answer& answer) {
  if ((answer.refusal = reserve(passage))) co_return;
  const domain::Invocation work = invocation(passage, domain::RunKind::Call);
  co_await runner_.run(work, passage.run);
  fill_answer(answer, {passage.run, *passage.endpoint, passage.task_id, passage.call, passage.timeout_ms, passage.folder,
                       shared_.settings, passage.endpoint->function});
}

void Gateway::add_authentication_info(const Passage& passage, Answer& answer) {
  if (passage.scheme == nullptr || !passage.outcome || answer.refusal) return;
  std::optional<std::string_view> body;
  constexpr std::size_t kBufferedMax = 8 << 20;
  // Enveloped and streamed bodies are not known here as bytes: the header goes without their hash.
  if (!answer.file && !answer.envelope && answer.body_bytes().size() <= kBufferedMax) body = answer.body_bytes();
  if (auto info = passage.scheme->authentication_info(*passage.outcome, body, auth_thread_))
    answer.authentication_info = std::move(*info);
}

void Gateway::explain(Passage& passage, const domain::Refusal& refusal) {
  if (shared_.explanations == nullptr || passage.explained) return;
  passage.explained = true;
  shared_.explanations->note(explain_refusal(passage.call, passage.route.api_id, refusal, std::move(passage.steps),
                                             passage.call.arrival_ms, shared_.settings.compat_dataflux));
}

void Gateway::finish(Passage& passage, Answer& answer, base::SteadyNs ended_ns) {
  // Of the turn's two times, which were read together: up to a millisecond early, but not before the run that it ends, as far as
  // this server itself has seen it.
  const base::WallMs ended_ms = io_.turn_wall_ms() + (ended_ns - io_.turn_steady_ns()) / base::kNsPerMs;
  answer.ended_ms = std::max(ended_ms, passage.run.end_time_ms);
  // What ran and failed was not refused: its record tells about it.
  if (answer.refusal && !passage.slot_reserved) explain(passage, *answer.refusal);
  add_cors(passage, answer);
  add_authentication_info(passage, answer);
  answer.authenticated = passage.principal != nullptr && passage.principal->fields().type != "anonymous";
  answer.cached = passage.cached;
  answer.async_api = passage.endpoint != nullptr && passage.endpoint->api.exec_mode == domain::ExecMode::Async;
  if (passage.running_counted) passage.endpoint->state->running.fetch_sub(1, std::memory_order_relaxed);
  const bool killed = passage.run.status == domain::RunStatus::TimedOut || passage.run.status == domain::RunStatus::WorkerLost;
  if (passage.has_folder || killed || answer.reply.body_kind == domain::ReplyBody::CallFile) {
    shared_.uploads.remove(passage.folder, passage.upload_bytes);
  }
  if (passage.visible && passage.visible->headers.capacity() > spare_headers_.capacity()) {
    passage.visible->headers.clear();
    spare_headers_.swap(passage.visible->headers);
  }
  domain::CallRecord record = record_of(passage, answer, answer.ended_ms, ended_ns);
  fill_record_texts(record, answer, passage.endpoint, passage.call, passage.catalog->passwords);
  if (passage.slot_reserved) {
    recorder_.record(std::move(record));
  } else {
    recorder_.record_refusal(std::move(record));
  }
  if (answer.refusal && base::log::enabled(base::log::Level::Debug)) {
    base::log::debug("call.refused", {{"traceId", passage.call.trace_id},
                                      {"api", passage.route.api_id},
                                      {"reason", domain::reason_token(answer.refusal->reason)},
                                      {"address", passage.call.peer.text()}});
  }
}

domain::CallRecord Gateway::record_of(const Passage& passage, const Answer& answer, base::WallMs ended_ms,
                                      base::SteadyNs ended_ns) const {
  domain::CallRecord record;
  record.trigger_time_ms = passage.call.arrival_ms;
  record.start_time_ms = passage.run.start_time_ms;
  record.end_time_ms = ended_ms;
  record.duration_ns = ended_ns - passage.call.arrival_ns;
  record.queue_us = passage.run.queue_ns / 1000;
  record.run_us = passage.run.reply.run_ns / 1000;
  record.trace_id = passage.call.trace_id;
  record.task_id = passage.task_id;
  record.address = passage.call.peer;
  record.method = passage.call.method;
  record.path = passage.route.path;
  record.caller = passage.principal;
  record.cached = passage.cached;
  if (passage.principal == nullptr) record.auth_id = passage.deciding_auth_id;
  record.status = answer.status;
  if (answer.refusal) {
    const FaultIdentity identity = fault_identity(answer.refusal->fault, shared_.settings.compat_dataflux);
    record.status = identity.status;
    record.error = identity.error;
    record.reason = answer.refusal->reason;
  }
  if (const Endpoint* endpoint = passage.endpoint; endpoint != nullptr) {
    record.api_id = endpoint->id;
    record.func_id = endpoint->func_id;
    record.api_version = endpoint->api.version;
    record.publish_version = endpoint->function != nullptr ? endpoint->function->publish_version : 0;
    record.records_kept_max = endpoint->api.task_record_limit;
  } else {
    record.asked_id = std::make_unique<const std::string>(passage.route.api_id);
  }
  return record;
}

}  // namespace funcgate::service
