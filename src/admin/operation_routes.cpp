// /tasks, /server, /settings, /nodes: the running of it.
#include <fmt/format.h>

#include "admin/identity_documents.h"
#include "admin/list.h"
#include "admin/router.h"
#include "admin/services.h"
#include "base/clock.h"
#include "base/log.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using domain::Privilege;

json::value time_or_null(std::int64_t ms) { return ms == 0 ? json::value() : json::value(base::format_rfc3339(ms)); }

json::object task_json(const domain::Task& task) {
  json::object out{{"id", task.id},
                   {"apiId", task.api_id},
                   {"funcId", task.func_id},
                   {"status", domain::task_status_name(task.status)},
                   {"caller", task.caller.name},
                   {"authId", task.caller.auth_id},
                   {"traceId", task.trace_id},
                   {"attempts", task.attempts},
                   {"triggerTime", time_or_null(task.trigger_time_ms)},
                   {"startTime", time_or_null(task.start_time_ms.value_or(0))},
                   {"endTime", time_or_null(task.end_time_ms.value_or(0))}};
  if (const auto failure = base::parse_json(task.failure); failure.ok() && failure->is_object()) out["failure"] = *failure;
  return out;
}

Answer list_tasks(Context& context) {
  static const ListFields fields{.filters = {"id", "apiId", "funcId", "status", "caller", "authId", "traceId"},
                                 .sorts = {"id", "apiId", "funcId", "status", "triggerTime", "startTime", "endTime"},
                                 .default_sort = "-triggerTime"};
  Answer problem;
  const auto query = read_list_query(context, fields, problem);
  if (!query) return problem;
  const auto page = context.services.task_store.list(*query);
  if (!page.ok()) return from_error(page.error());
  json::array rows;
  for (const domain::Task& task : page->rows) rows.push_back(task_json(task));
  PageInfo info{.page_size = query->limit, .next_cursor = {}, .total = page->total};
  if (page->next) info.next_cursor = make_cursor(*query, *page->next);
  return listed(std::move(rows), std::move(info));
}

Answer get_task(Context& context) {
  const auto task = context.services.task_store.get(context.path_parameters.at(0));
  if (!task.ok()) return from_error(task.error());
  return shown_as(context, task_json(*task));
}

// What cannot be recorded is not done: then the answer.
std::optional<Answer> record_cancelling(const Context& context, const domain::Task& task) {
  domain::AuditEvent event;
  event.event = "process.cancelled";
  event.actor = context.actor();
  event.object_kind = "Task";
  event.object_id = task.id;
  event.object_name = task.func_id;
  event.summary = fmt::format("task {} of {} is cancelled while it is {}", task.id, task.func_id, task_status_name(task.status));
  const auto status = context.services.identity.record({event});
  if (status.ok()) return std::nullopt;
  base::log::error("audit.not_written", {{"event", event.event}, {"problem", status.error().message}});
  return refused(domain::Fault::LimitReached, domain::Reason::CapacityRecord,
                 "The cancelling cannot be recorded in the audit trail now, so the task goes on; see the server's log");
}

Answer cancel_task(Context& context) {
  const std::string& id = context.path_parameters.at(0);
  const auto task = context.services.task_store.get(id);
  if (!task.ok()) return from_error(task.error());
  if (domain::has_ended(task->status))
    return conflict(fmt::format("the task has already ended ({})", domain::task_status_name(task->status)));
  // Should it end by itself at this very moment, the refusal has a record of its own, FAILED.
  if (auto refusal = record_cancelling(context, *task)) return std::move(*refusal);
  if (auto status = context.services.cancel_task(id); !status.ok()) return from_error(status.error());
  Answer answer = ok(json::object{{"id", id}});
  answer.status = 202;
  return answer;
}

Answer server(Context& context) {
  const auto catalog = context.services.catalog.current();
  json::array degraded;
  for (const std::string& purpose : context.services.keystore.degraded()) degraded.emplace_back(purpose);
  return ok(json::object{{"version", context.services.settings.version},
                         {"instanceId", context.services.instance_id},
                         {"startedAt", base::format_rfc3339(context.services.started_ms)},
                         {"sequence", catalog->sequence},
                         {"functionApis", catalog->endpoints.size()},
                         {"functions", catalog->generation == nullptr ? 0 : catalog->generation->functions.size()},
                         {"generation", catalog->generation == nullptr ? 0 : catalog->generation->number},
                         {"users", context.directory->user_count()},
                         {"apiKeys", context.directory->key_count()},
                         {"degraded", std::move(degraded)}});
}

// One node: this one. What it serves is told so that a second one can be compared with it.
Answer nodes(Context& context) {
  const auto catalog = context.services.catalog.current();
  std::vector<json::object> rows;
  rows.push_back(json::object{{"id", context.services.node_name},
                              {"version", context.services.settings.version},
                              {"startedAt", base::format_rfc3339(context.services.started_ms)},
                              {"sequence", catalog->sequence},
                              {"self", true}});
  return list_in_memory(context, {{"id"}, {"id"}, "id"}, std::move(rows));
}

// What the configuration file says; it is changed there and read at start.
Answer settings(Context& context) { return ok(base::json::value(context.services.settings_document)); }

}  // namespace

void add_operation_routes(std::vector<Route>& routes) {
  using domain::Method;
  routes.push_back(
      {Method::Get, "/tasks", Access::needs({Privilege::ViewSystemConsole}), list_tasks, {.query = Query::of_list()}});
  routes.push_back({Method::Get, "/tasks/{id}", Access::needs({Privilege::ViewSystemConsole}), get_task});
  routes.push_back(
      {Method::Post, "/tasks/{id}/cancel", Access::needs({Privilege::CancelTasks}), cancel_task, {.event = "process.cancelled"}});
  routes.push_back({Method::Get, "/server", Access::needs({Privilege::ViewServer}), server});
  routes.push_back({Method::Get, "/nodes", Access::needs({Privilege::ViewServer}), nodes, {.query = Query::of_list()}});
  routes.push_back({Method::Get, "/settings", Access::needs({Privilege::AdministerServer}), settings});
}

}  // namespace funcgate::admin
