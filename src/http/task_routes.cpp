#include "http/task_routes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/json_scan.h"
#include "base/log.h"
#include "base/text.h"
#include "service/fault_text.h"

namespace funcgate::http {
namespace {

using domain::Fault;
using domain::Reason;
using service::Answer;

constexpr std::int64_t kWaitMaxS = 30;

Answer refused(Fault fault, Reason reason, std::string message) {
  Answer answer;
  answer.refusal = domain::Refusal{.fault = fault, .reason = reason, .message = std::move(message)};
  return answer;
}

// The same for ids that never were, are outdated, or belong to somebody else.
Answer unknown() { return refused(Fault::NotFound, Reason::TaskUnknown, "No such task"); }

// Why a task could not be read or cancelled; `what`: "read", "cancelled".
Answer failed(const base::Error& error, std::string_view what) {
  if (error.code == base::Code::NotFound) return unknown();
  if (error.code == base::Code::Conflict) return refused(Fault::Conflict, Reason::TaskFinished, "The task has already ended");
  if (error.code == base::Code::Unavailable) {
    Answer answer = refused(Fault::LimitReached, Reason::CapacityTasks, error.message);
    answer.refusal->retry_after_s = 1;
    return answer;
  }
  base::log::error("task.store_failed", {{"what", what}, {"error", error.message}, {"detail", error.detail}});
  return refused(Fault::System, Reason::Internal, fmt::format("The task could not be {}", what));
}

bool is_task_id(std::string_view id) {
  return id.size() == 27 && id.starts_with("task-") && std::all_of(id.begin() + 5, id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
         });
}

std::string seconds(const std::optional<std::int64_t>& ms) {
  return ms ? fmt::format("{}.{:03}", *ms / 1000, *ms % 1000) : std::string("null");
}

std::string result_json(const domain::Task& task) {
  if (task.status != domain::TaskStatus::Success) return "null";
  // Only a None of compat mode has no media type.
  if (task.content_type.empty() && task.result.empty()) return "null";
  if (domain::media_type_is(task.content_type, "application/json")) return task.result.empty() ? "null" : task.result;
  if (base::is_valid_utf8(task.result)) return base::json_string(task.result);
  return "null";
}

std::string describe(const domain::Task& task) {
  return fmt::format(
      R"({{"id":"{}","apiId":{},"status":"{}","triggerTime":{},"startTime":{},"endTime":{},"result":{},"failure":{}}})", task.id,
      base::json_string(task.api_id), domain::task_status_name(task.status), seconds(task.trigger_time_ms),
      seconds(task.start_time_ms), seconds(task.end_time_ms), result_json(task), task.failure.empty() ? "null" : task.failure);
}

// What a synchronous call would have been refused with.
Answer failure_answer(const domain::Task& task) {
  Answer answer = task.status == domain::TaskStatus::Expire
                      ? refused(Fault::Expired, Reason::QueueExpired, "No worker became free in time")
                      : refused(Fault::Conflict, Reason::TaskFinished, "The task was cancelled");
  const auto members = base::find_members(task.failure, {{"error"}, {"reason"}, {"message"}, {"detail"}}, 512);
  if (!members || !(*members)[0].found || !(*members)[1].string_value) return answer;
  const auto raw = [&](const base::JsonMember& member) {
    return task.failure.substr(member.value_begin, member.value_end - member.value_begin);
  };
  const auto fault = service::find_fault(raw((*members)[0]), *(*members)[1].string_value);
  if (!fault) return answer;
  answer.refusal->fault = *fault;
  answer.refusal->message = (*members)[2].string_value.value_or("");
  if ((*members)[3].found) answer.refusal->detail = raw((*members)[3]);
  return answer;
}

Answer result_answer(const domain::Task& task) {
  Answer answer;
  if (!task.end_time_ms) {
    answer.status = 202;
    answer.envelope = true;
    answer.owned_body = describe(task);
    answer.retry_after_s = 1;
    return answer;
  }
  if (task.status != domain::TaskStatus::Success) return failure_answer(task);
  answer.status = task.status_code;
  answer.authenticated = true;  // whoever polls proved who he is, or holds the id
  answer.owned_content_type = task.content_type;
  answer.owned_body = task.result;
  answer.envelope = !task.unbox && domain::media_type_is(task.content_type, "application/json");
  const auto headers = base::parse_json(task.headers.empty() ? "[]" : task.headers);
  if (headers.ok() && headers->is_array()) {
    for (const base::json::value& pair : headers->get_array()) {
      const auto* both = pair.if_array();
      if (both == nullptr || both->size() != 2 || !both->at(0).is_string() || !both->at(1).is_string()) continue;
      answer.own_headers.emplace_back(std::string(both->at(0).get_string()), std::string(both->at(1).get_string()));
    }
  }
  return answer;
}

std::optional<std::int64_t> wait_seconds(std::string_view query, bool& valid) {
  valid = true;
  if (query.empty()) return std::nullopt;
  if (query.starts_with("wait=")) {
    const auto value = base::parse_digits(query.substr(5));
    if (value && *value <= kWaitMaxS) return value;
  }
  valid = false;
  return std::nullopt;
}

// The caller must be who made the task, by the list of the API that made it; for an anonymous API the id is the proof.
base::Async<std::optional<Answer>> check_caller(service::Gateway& gateway, domain::Call& call, service::BodySource& body,
                                                const domain::Task& task, std::string& query) {
  service::Passage passage{.call = call, .body_source = body, .route = {task.api_id, true}};
  passage.catalog = gateway.catalog();
  const auto found = passage.catalog->endpoints.find(task.api_id);
  if (found == passage.catalog->endpoints.end()) co_return unknown();
  passage.endpoint = found->second.get();
  auto refusal = co_await gateway.authenticate(passage);
  // A credential may stand in the query; what is left are the parameters of the poll.
  bool removed = false;
  query = service::strip_query(call.query, passage.endpoint->strip.query_names, removed);
  if (refusal) {
    Answer answer;
    answer.refusal = std::move(*refusal);
    co_return answer;
  }
  if (!passage.principal->same_caller(task.caller)) co_return unknown();
  co_return std::nullopt;
}

}  // namespace

base::Async<Answer> serve_task(service::Gateway& gateway, domain::Call& call, service::BodySource& body) {
  std::string_view rest = call.path.substr(kTaskPrefix.size());
  const bool wants_result = rest.ends_with("/result");
  if (wants_result) rest.remove_suffix(7);
  if (!is_task_id(rest)) co_return unknown();
  const std::string id(rest);
  const bool is_delete = call.method == domain::Method::Delete && !wants_result;
  if (!is_delete && call.method != domain::Method::Get && call.method != domain::Method::Head) {
    Answer answer = refused(Fault::MethodNotAllowed, Reason::MethodNotAllowed, "Method not allowed");
    answer.refusal->allow = wants_result ? "GET, HEAD" : "GET, HEAD, DELETE";
    co_return answer;
  }
  service::Tasks& tasks = gateway.shared().tasks;
  base::Result<domain::Task> task = co_await tasks.get(gateway.io(), id);
  if (!task.ok()) co_return failed(task.error(), "read");
  std::string query;
  auto stranger = co_await check_caller(gateway, call, body, *task, query);
  if (stranger) co_return std::move(*stranger);
  const domain::ThrottleRule rule{"bySecond", 1, gateway.shared().settings.limits.task_polls_per_second};
  const std::vector<domain::ThrottleRule> rules{rule};
  if (gateway.shared().rates.take("task/" + id, rules, call.arrival_ms)) {
    Answer answer = refused(Fault::ApiThrottling, Reason::TaskPolling, "This task is polled too often");
    answer.refusal->retry_after_s = 1;
    co_return answer;
  }
  if (is_delete) {
    base::Status cancelled = co_await tasks.cancel(gateway.io(), id);
    if (!cancelled.ok()) co_return failed(cancelled.error(), "cancelled");
  } else {
    bool valid = true;
    const auto wait_s = wait_seconds(query, valid);
    if (!valid) co_return refused(Fault::BadRequest, Reason::ArgumentsInvalid, "The only parameter is wait, 0 to 30 seconds");
    if (wait_s && !task->end_time_ms) {
      co_await tasks.wait_for_end(gateway.io(), id, gateway.io().clock().steady_ns() + *wait_s * 1000 * base::kNsPerMs);
    }
  }
  base::Result<domain::Task> now = co_await tasks.get(gateway.io(), id);
  if (!now.ok()) co_return failed(now.error(), "read");
  if (wants_result) co_return result_answer(*now);
  Answer answer;
  answer.envelope = true;
  answer.owned_body = describe(*now);
  if (!now->end_time_ms) answer.retry_after_s = 1;
  co_return answer;
}

}  // namespace funcgate::http
