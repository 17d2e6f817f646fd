// The two variants of Gateway::run(): answers from the result cache, and asynchronous tasks.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "domain/ports/caller_presence.h"
#include "service/canonical_arguments.h"
#include "service/gateway.h"
#include "service/run_answer.h"

namespace funcgate::service {
namespace {

using domain::Fault;
using domain::Reason;
namespace json = base::json;

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

// With its length, so that no two lists of parts make one text. In the place of a length stand: kCaller in front of a caller's
// mark, kLong in front of eight bytes of length.
constexpr unsigned char kCaller = 254, kLong = 255;
void append_part(std::string& out, std::string_view part) {
  const std::uint64_t size = part.size();
  const bool is_long = size >= kCaller;
  out.push_back(static_cast<char>(is_long ? kLong : size));
  if (is_long) out.append(reinterpret_cast<const char*>(&size), sizeof size);
  out += part;
}

// Lets those who wait for the same answer go on, whatever happens to the first.
struct Flight {
  ResultCache& results;
  const ResultCache::Key& key;
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

// Digests stand for what is the same in many calls, so that the key of a usual call fits into one block of the hash.
ResultCache::Key Gateway::result_key(const Passage& passage) {
  const Endpoint& endpoint = *passage.endpoint;
  constexpr char kHead = 0x10;
  const char form = static_cast<char>(passage.form);
  key_text_.clear();
  key_text_.push_back(passage.call.method_text == "HEAD" ? static_cast<char>(form | kHead) : form);
  key_text_ += crypto::as_view(endpoint.cache_identity);
  for (const std::string& part : endpoint.cache_vary) {
    const bool is_caller = part == "caller";
    const domain::Principal& caller = *passage.principal;
    if (is_caller && caller.mark() != domain::Principal::Mark{}) {
      key_text_.push_back(static_cast<char>(kCaller));
      key_text_ += crypto::as_view(caller.mark());
    } else {
      append_part(key_text_, part);
      append_part(key_text_, is_caller ? caller.caller_json() : varied_part(passage, part));
    }
  }
  append_part(key_text_, {});  // no part has an empty name: the arguments begin
  append_canonical_arguments(key_text_, passage.form, *passage.visible, passage.multipart.parts);
  const crypto::Digest256 whole = shared_.cache_key(key_text_);
  ResultCache::Key key;
  std::copy_n(whole.begin(), key.size(), key.begin());
  return key;
}

base::Async<void> Gateway::run_cached(Passage& passage, Answer& answer) {
  const Endpoint& endpoint = *passage.endpoint;
  const ResultCache::Key key = result_key(passage);
  const auto answer_from = [&](CachedResultPtr hit) {
    passage.cached = true;
    // A hit is an admitted call like any other: no record, no answer.
    if (!(answer.refusal = reserve(passage))) fill_answer_from(answer, std::move(hit));
  };
  if (auto hit = shared_.results.find(key, io_.turn_steady_ns())) co_return answer_from(std::move(hit));
  const base::SteadyNs begun = io_.clock().steady_ns();
  auto landed = std::make_shared<base::OneShot<bool>>();
  if (!shared_.results.take_off(key, io_, [landed] { landed->complete(true); })) {
    base::Timer timer([landed] { landed->complete(false); });
    io_.timers().arm(timer, begun + passage.expires_ms * base::kNsPerMs);
    const bool flown = co_await landed->wait();
    // What was waited here is not waited again in the queue.
    const std::int64_t waited_ms = (io_.clock().steady_ns() - begun) / base::kNsPerMs;
    passage.expires_ms = std::max<std::int64_t>(1, passage.expires_ms - waited_ms);
    if (flown) {
      if (auto hit = shared_.results.find(key, io_.clock().steady_ns())) co_return answer_from(std::move(hit));
    }
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
