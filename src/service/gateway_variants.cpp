// The two variants of Gateway::run(): answers from the result cache, and asynchronous tasks.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/encoding.h"
#include "base/field_limit.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "domain/ports/caller_presence.h"
#include "service/gateway.h"
#include "service/run_answer.h"

namespace funcgate::service {
namespace {

using domain::Fault;
using domain::Reason;
namespace json = base::json;

// Sorted member names, so that the order of arguments does not matter; values keep their types.
std::string canonical(const json::value& value) {
  if (const json::object* object = value.if_object()) {
    std::map<std::string_view, const json::value*> sorted;
    for (const auto& [name, member] : *object) sorted.emplace(std::string_view(name.data(), name.size()), &member);
    std::string out = "{";
    for (const auto& [name, member] : sorted) out += base::json_string(name) + ":" + canonical(*member) + ",";
    return out + "}";
  }
  if (const json::array* array = value.if_array()) {
    std::string out = "[";
    for (const json::value& element : *array) out += canonical(element) + ",";
    return out + "]";
  }
  return base::to_json(value);
}

// A run of more than 15 digits: the worker keeps every digit, our numbers do not.
bool has_long_number(std::string_view text) {
  std::size_t run = 0;
  for (char c : text) {
    const bool digit = (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E';
    run = digit ? run + 1 : 0;
    if (run > 15) return true;
  }
  return false;
}

std::string canonical_json(std::string_view text) {
  if (has_long_number(text)) return std::string(text);
  const auto value = base::parse_json(text);
  // What cannot be parsed is refused by the worker; until then it is its own key.
  return value.ok() ? canonical(*value) : std::string(text);
}

std::string canonical_fields(std::string_view query) {
  const auto fields = base::split_query(query, base::kFieldsMax);
  if (!fields) return std::string(query);
  // Sorted by name only: the order of values of one name is the order of the list that the function gets.
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const base::QueryField& field : *fields) {
    auto name = base::decode_form(field.raw_name), value = base::decode_form(field.raw_value);
    if (!name || !value) return std::string(query);
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  for (const auto& [name, value] : pairs) out += fmt::format("{}:{}={}:{}&", name.size(), name, value.size(), value);
  return out;
}

// Tagged by kind and with lengths: texts of one kind never look like those of another.
std::string canonical_arguments(const Passage& passage) {
  const domain::VisibleRequest& request = *passage.visible;
  switch (passage.form) {
    case domain::ArgumentForm::GetStandard:
    case domain::ArgumentForm::GetSimplified: return "query " + canonical_fields(request.query);
    case domain::ArgumentForm::PostStandard: return "json " + canonical_json(request.body);
    case domain::ArgumentForm::PostSimplified:
    case domain::ArgumentForm::Kwargs:
    case domain::ArgumentForm::None: break;
  }
  if (domain::media_type_is(request.content_type, "application/json")) return "json " + canonical_json(request.body);
  if (domain::media_type_is(request.content_type, "application/x-www-form-urlencoded"))
    return "form " + canonical_fields(request.body);
  std::string out = fmt::format("other {}:{}", request.content_type.size(), request.content_type);
  for (const domain::FormPart& part : passage.multipart.parts) {
    out += fmt::format("/{}:{}={}:{}", part.name.size(), part.name, part.value.size(), part.value);
  }
  return out + fmt::format("/{}:{}", request.body.size(), request.body);
}

std::string varied_part(const Passage& passage, std::string_view part) {
  const domain::Call& call = passage.call;
  if (part == "method") return std::string(call.method_text);
  if (part == "url") return std::string(call.path);
  if (part == "query") return std::string(passage.visible->query);
  if (part == "body") return std::string(passage.visible->body);
  if (part == "ip") return call.peer.text();
  if (!part.starts_with("header:")) return {};
  std::string out;
  for (const domain::Header& header : passage.visible->headers) {
    if (base::equals_ignore_case(header.name, part.substr(7))) out += fmt::format("{}:{}", header.value.size(), header.value);
  }
  return out;
}

CachedResultPtr cacheable(const Answer& answer, std::int64_t bytes_max) {
  if (answer.refusal || answer.file || !answer.reply.cacheable || answer.status >= 400 || answer.status == 304) return nullptr;
  if (static_cast<std::int64_t>(answer.body.size()) > bytes_max) return nullptr;
  auto result = std::make_shared<CachedResult>();
  result->status = answer.status;
  result->content_type = answer.media();
  result->body = answer.body_bytes();
  result->envelope = answer.envelope;
  for (const domain::Header& header : answer.headers) result->headers.emplace_back(header.name, header.value);
  return result;
}

void fill_answer_from(Answer& answer, CachedResultPtr cached) {
  answer.status = cached->status;
  answer.content_type = cached->content_type;
  answer.body = cached->body;
  answer.envelope = cached->envelope;
  answer.own_headers = cached->headers;
  answer.kept = std::move(cached);
}

// With its length, so that no two lists of parts make one text.
void append_part(std::string& out, std::string_view part) {
  const std::uint64_t size = part.size();
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  out += part;
}

// Lets those who wait for the same answer go on, whatever happens to the first.
struct Flight {
  ResultCache& results;
  const std::string& key;
  ~Flight() { results.landed(key); }
};

std::string request_json(const Passage& passage) {
  json::array headers;
  for (const domain::Header& header : passage.visible->headers) {
    headers.push_back(json::array{json::string(header.name), json::string(header.value)});
  }
  json::array proxies;
  for (const domain::Address& proxy : passage.call.proxies) proxies.push_back(json::string(proxy.text()));
  return base::to_json(json::object{{"method", passage.call.method_text},
                                    {"path", passage.call.path},
                                    {"query", passage.visible->query},
                                    {"host", passage.call.host},
                                    {"protocol", passage.call.tls ? "https" : "http"},
                                    {"ip", passage.call.peer.text()},
                                    {"proxies", std::move(proxies)},
                                    {"headers", std::move(headers)}});
}

}  // namespace

std::string Gateway::result_key(const Passage& passage) {
  const Endpoint& endpoint = *passage.endpoint;
  const char form = static_cast<char>('0' + static_cast<int>(passage.form));
  key_text_.clear();
  append_part(key_text_, endpoint.cache_identity);
  append_part(key_text_, passage.call.method_text == "HEAD" ? "HEAD" : "");
  append_part(key_text_, std::string_view(&form, 1));
  append_part(key_text_, canonical_arguments(passage));
  for (const std::string& part : endpoint.cache_vary) {
    append_part(key_text_, part);
    if (part == "caller") {
      append_part(key_text_, passage.principal->caller_json());
    } else {
      append_part(key_text_, varied_part(passage, part));
    }
  }
  return shared_.cache_key(key_text_);
}

base::Async<void> Gateway::run_cached(Passage& passage, Answer& answer) {
  const Endpoint& endpoint = *passage.endpoint;
  const std::string key = result_key(passage);
  const base::SteadyNs begun = io_.clock().steady_ns();
  while (true) {
    if (auto hit = shared_.results.find(key, io_.clock().steady_ns())) {
      passage.cached = true;
      // A hit is an admitted call like any other: no record, no answer.
      if ((answer.refusal = reserve(passage))) co_return;
      fill_answer_from(answer, std::move(hit));
      co_return;
    }
    auto landed = std::make_shared<base::OneShot<bool>>();
    if (shared_.results.take_off(key, io_, [landed] { landed->complete(true); })) break;
    base::Timer timer([landed] { landed->complete(false); });
    io_.timers().arm(timer, begun + passage.expires_ms * base::kNsPerMs);
    const bool flown = co_await landed->wait();
    // What was waited here is not waited again in the queue.
    const std::int64_t waited_ms = (io_.clock().steady_ns() - begun) / base::kNsPerMs;
    passage.expires_ms = std::max<std::int64_t>(1, passage.expires_ms - waited_ms);
    if (flown && shared_.results.find(key, io_.clock().steady_ns())) continue;
    if (passage.call.presence != nullptr && passage.call.presence->gone()) {
      answer.refusal = {.fault = Fault::BadRequest, .reason = Reason::CallerGone, .message = "The caller has gone"};
      co_return;
    }
    // The first one is late, or its answer was not kept: everybody runs for himself.
    co_await run(passage, answer);
    co_return;
  }
  const Flight flight{shared_.results, key};
  co_await run(passage, answer);
  if (auto result = cacheable(answer, shared_.results.entry_bytes_max())) {
    shared_.results.keep(key, std::move(result), io_.clock().steady_ns() + static_cast<std::int64_t>(endpoint.cache_ttl_s * 1e9));
  }
}

base::Async<void> Gateway::submit_task(Passage& passage, Answer& answer) {
  const Endpoint& endpoint = *passage.endpoint;
  if ((answer.refusal = reserve(passage))) co_return;
  // Arguments are checked now, by the code that will use them: a caller learns of a mistake at once.
  const domain::Invocation check = invocation(passage, domain::RunKind::Validate);
  co_await runner_.run(check, passage.run);
  if (passage.run.status != domain::RunStatus::Replied || passage.run.reply.outcome != domain::ReplyOutcome::Value) {
    fill_answer(answer, {passage.run, endpoint, passage.task_id, passage.call, passage.timeout_ms, passage.folder,
                         shared_.settings, endpoint.function});
    co_return;
  }
  const domain::FunctionReply& reply = passage.run.reply;
  domain::Task task;
  task.id = passage.task_id;
  task.api_id = endpoint.api.id;
  task.func_id = endpoint.api.func_id;
  task.root_task_id = "ROOT";
  task.trace_id = passage.call.trace_id;
  task.origin = "funcAPI";
  task.origin_id = endpoint.api.id;
  task.function_chain = "[" + base::json_string(endpoint.api.func_id) + "]";
  task.caller_json = passage.principal->caller_json();
  task.caller = passage.principal->fields();
  task.kwargs = member_json(reply.body, "kwargs");
  if (task.kwargs.empty()) {
    // Not without its arguments: better no run than another one.
    base::log::error("task.arguments_missing", {{"traceId", passage.call.trace_id}, {"api", endpoint.api.id}});
    answer.refusal = {.fault = Fault::System, .reason = Reason::Internal, .message = "Internal error"};
    co_return;
  }
  task.files = passage.files_json;
  if (passage.has_folder) task.folder = passage.folder;
  task.request = request_json(passage);
  task.queue = endpoint.queue;
  const std::string unbox = member_json(reply.options, "unbox"), return_type = text_member(reply.options, "returnType");
  task.unbox = unbox.empty() ? endpoint.api.unbox : unbox == "true";
  task.json_dumps = return_type.empty() ? endpoint.api.return_type == domain::ReturnType::JsonDumps : return_type == "jsonDumps";
  task.retry_on_crash = endpoint.api.retry_on_crash;
  task.timeout_ms = passage.timeout_ms;
  task.trigger_time_ms = passage.call.arrival_ms;
  task.earliest_ms = passage.call.arrival_ms;
  task.delay = member_json(reply.options, "delay");
  task.eta = member_json(reply.options, "eta");
  if (const auto delay_s = base::parse_number(task.delay)) task.earliest_ms += static_cast<std::int64_t>(*delay_s * 1000);
  if (const auto eta = base::parse_rfc3339(text_member(reply.options, "eta")); eta.ok()) task.earliest_ms = *eta;
  task.expires_at_ms = task.earliest_ms + passage.expires_ms;
  task.result_ttl_s = endpoint.api.result_ttl_s;
  passage.run = {};
  base::Status stored = co_await shared_.tasks.submit(io_, task);
  if (!stored.ok()) {
    answer.refusal = {
        .fault = Fault::LimitReached, .reason = Reason::CapacityTasks, .message = stored.error().message, .retry_after_s = 1};
    co_return;
  }
  // From here the task owns the uploads; the quota bounds calls that are being answered.
  passage.has_folder = false;
  shared_.uploads.give_back(passage.upload_bytes);
  passage.upload_bytes = 0;
  answer.status = shared_.settings.compat_dataflux ? 200 : 202;
  answer.envelope = true;
  answer.owned_body = fmt::format("{{\"id\":\"{0}\",\"url\":\"/api/v1/tasks/{0}\"}}", task.id);
  answer.own_headers.emplace_back("Location", "/api/v1/tasks/" + task.id);
}

}  // namespace funcgate::service
