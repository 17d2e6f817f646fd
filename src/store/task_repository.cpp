#include "store/task_repository.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "base/json.h"
#include "base/log.h"
#include "store/dialect.h"
#include "store/list_statement.h"
#include "store/row_reading.h"

namespace funcgate::store {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
using base::text_of;
using domain::Task;
using domain::TaskStatus;
namespace json = base::json;

constexpr std::size_t kPrunedAtOnceMax = 1000;
// What the column api_id holds for a task without an API: this and its function. No id contains a blank.
constexpr std::string_view kFunctionMark = "func ";

std::string bound_of(const Task& task) { return task.api_id.empty() ? std::string(kFunctionMark) + task.func_id : task.api_id; }

// The members that never change after insert().
std::string document_of(const Task& task) {
  const domain::PrincipalFields& caller = task.caller;
  return base::to_json(json::object{{"funcId", task.func_id},
                                    {"rootTaskId", task.root_task_id},
                                    {"traceId", task.trace_id},
                                    {"origin", task.origin},
                                    {"originId", task.origin_id},
                                    {"functionChain", task.function_chain},
                                    {"callerJson", task.caller_json},
                                    {"caller", json::object{{"type", caller.type},
                                                            {"authId", caller.auth_id},
                                                            {"name", caller.name},
                                                            {"runAs", caller.run_as},
                                                            {"userId", caller.user_id},
                                                            {"keyId", caller.key_id},
                                                            {"keyName", caller.key_name},
                                                            {"attributes", caller.attributes}}},
                                    {"kwargs", task.kwargs},
                                    {"files", task.files},
                                    {"request", task.request},
                                    {"eta", task.eta},
                                    {"delay", task.delay},
                                    {"queue", task.queue},
                                    {"unbox", task.unbox},
                                    {"jsonDumps", task.json_dumps},
                                    {"timeoutMs", task.timeout_ms},
                                    {"triggerTimeMs", task.trigger_time_ms}});
}

std::string outcome_of(const Task& task) {
  return base::to_json(json::object{{"statusCode", task.status_code},
                                    {"contentType", task.content_type},
                                    {"headers", task.headers},
                                    {"failure", task.failure}});
}

std::int64_t integer_of(const json::object& object, std::string_view name, std::int64_t otherwise) {
  const json::value* value = object.if_contains(name);
  const std::int64_t* number = value == nullptr ? nullptr : value->if_int64();
  return number == nullptr ? otherwise : *number;
}
bool flag_of(const json::object& object, std::string_view name, bool otherwise) {
  const json::value* value = object.if_contains(name);
  const bool* flag = value == nullptr ? nullptr : value->if_bool();
  return flag == nullptr ? otherwise : *flag;
}

Status read_document(const std::string& document, const std::string& outcome, Task& task) {
  TRY(const json::value parsed, base::parse_json(document));
  TRY(const json::value ended, base::parse_json(outcome));
  if (!parsed.is_object() || !ended.is_object()) return Error{Code::DataLoss, "a stored task cannot be read", task.id};
  const json::object& members = parsed.get_object();
  task.func_id = text_of(members, "funcId");
  task.root_task_id = text_of(members, "rootTaskId");
  task.trace_id = text_of(members, "traceId");
  task.origin = text_of(members, "origin");
  task.origin_id = text_of(members, "originId");
  task.function_chain = text_of(members, "functionChain");
  task.caller_json = text_of(members, "callerJson");
  task.kwargs = text_of(members, "kwargs");
  task.files = text_of(members, "files");
  task.request = text_of(members, "request");
  task.eta = text_of(members, "eta");
  task.delay = text_of(members, "delay");
  task.queue = integer_of(members, "queue", task.queue);
  task.unbox = flag_of(members, "unbox", true);
  task.json_dumps = flag_of(members, "jsonDumps", false);
  task.timeout_ms = integer_of(members, "timeoutMs", 0);
  task.trigger_time_ms = integer_of(members, "triggerTimeMs", 0);
  const json::value* caller = members.if_contains("caller");
  if (caller == nullptr || !caller->is_object()) return Error{Code::DataLoss, "a stored task has no caller", task.id};
  const json::object& who = caller->get_object();
  task.caller = {.type = text_of(who, "type"),
                 .auth_id = text_of(who, "authId"),
                 .name = text_of(who, "name"),
                 .run_as = text_of(who, "runAs"),
                 .user_id = text_of(who, "userId"),
                 .key_id = text_of(who, "keyId"),
                 .key_name = text_of(who, "keyName"),
                 .attributes = text_of(who, "attributes")};
  const json::object& end = ended.get_object();
  task.status_code = static_cast<int>(integer_of(end, "statusCode", 0));
  task.content_type = text_of(end, "contentType");
  task.headers = text_of(end, "headers");
  task.failure = text_of(end, "failure");
  return base::kDone;
}

// `document`: the column, or an expression that holds a part of it.
std::string columns(std::string_view document = "document") {
  return fmt::format(
      "id, api_id, status, earliest_ms, expires_at_ms, start_time_ms, end_time_ms, result_ttl_s, attempts, retry_on_crash, "
      "folder, {}, outcome",
      document);
}

struct TaskRow {
  Task task;
  std::string status_name, document, outcome;
  std::int64_t start_time_ms = 0, end_time_ms = 0;
  int retry_on_crash = 0;

  // Binds the columns of columns() in their order.
  template <class Statement>
  auto bind(Statement&& statement) {
    return (std::forward<Statement>(statement), soci::into(task.id), soci::into(task.api_id), soci::into(status_name),
            soci::into(task.earliest_ms), soci::into(task.expires_at_ms), soci::into(start_time_ms), soci::into(end_time_ms),
            soci::into(task.result_ttl_s), soci::into(task.attempts), soci::into(retry_on_crash), soci::into(task.folder),
            soci::into(document), soci::into(outcome));
  }
  // The same for a statement that is put together piece by piece.
  void into(soci::statement& statement) {
    for (std::string* text : {&task.id, &task.api_id, &status_name}) statement.exchange(soci::into(*text));
    for (std::int64_t* number : {&task.earliest_ms, &task.expires_at_ms, &start_time_ms, &end_time_ms, &task.result_ttl_s})
      statement.exchange(soci::into(*number));
    statement.exchange(soci::into(task.attempts));
    statement.exchange(soci::into(retry_on_crash));
    for (std::string* text : {&task.folder, &document, &outcome}) statement.exchange(soci::into(*text));
  }

  Result<Task> read() const {
    Task result = task;
    const auto known = domain::parse_task_status(status_name);
    if (!known) return Error{Code::DataLoss, "a stored task has an unknown status", task.id};
    result.status = *known;
    if (result.api_id.starts_with(kFunctionMark)) result.api_id.clear();
    result.retry_on_crash = retry_on_crash != 0;
    if (start_time_ms != 0) result.start_time_ms = start_time_ms;
    if (end_time_ms != 0) result.end_time_ms = end_time_ms;
    TRY_DONE(read_document(document, outcome, result));
    return result;
  }
};

Result<Task> fetch(soci::session& session, const std::string& id) {
  TaskRow row;
  soci::statement statement =
      row.bind((session.prepare << fmt::format("SELECT {} FROM tasks WHERE id = :id", columns()), soci::use(id)));
  if (!statement.execute(true)) return Error{Code::NotFound, "no such task", {}};
  return row.read();
}

std::string status_text(TaskStatus status) { return std::string(domain::task_status_name(status)); }

// Ends a task that had no end of its own. Its document is not looked at.
void fail(soci::session& session, const std::string& id, std::int64_t now_ms, const std::string& failure) {
  Task ended;
  ended.failure = failure;
  const std::string outcome = outcome_of(ended);
  session << "UPDATE tasks SET status = 'failure', end_time_ms = :now, remove_at_ms = :now2 + 1000 * result_ttl_s, "
             "outcome = :outcome WHERE id = :id",
      soci::use(now_ms), soci::use(now_ms), soci::use(outcome), soci::use(id);
}

using Type = ListColumn::Type;
constexpr ListColumn kListColumns[] = {
    {"id", "id", Type::Exact},
    // Of tasks without an API the column holds the function; see kFunctionMark.
    {"apiId", "CASE WHEN api_id LIKE 'func %' THEN '' ELSE lower(api_id) END", Type::Text},
    {"funcId", "lower(func_id)", Type::Text},
    {"status", "status", Type::Text},
    {"caller", "lower(caller)", Type::Text},
    {"authId", "lower(auth_id)", Type::Text},
    {"traceId", "trace_id", Type::Exact},
    {"triggerTime", "trigger_time_ms", Type::Time},
    {"startTime", "start_time_ms", Type::Time},
    {"endTime", "end_time_ms", Type::Time},
};
constexpr std::string_view kSearched =
    "id || ' ' || api_id || ' ' || func_id || ' ' || status || ' ' || caller || ' ' || auth_id || ' ' || trace_id";

void log_unreadable(const std::string& id, const Error& error) {
  base::log::error("task.unreadable", {{"task", id}, {"error", error.message}});
}

}  // namespace

Status TaskRepository::insert(const Task& task) {
  return database_.write("store a task", [&](soci::session& session) -> Status {
    const std::string status = status_text(task.status), document = document_of(task), outcome = outcome_of(task);
    const std::string bound = bound_of(task);
    const int retry = task.retry_on_crash ? 1 : 0;
    session << "INSERT INTO tasks (id, sequence, api_id, status, earliest_ms, expires_at_ms, start_time_ms, end_time_ms, "
               "remove_at_ms, result_ttl_s, attempts, retry_on_crash, folder, document, outcome, func_id, caller, auth_id, "
               "trace_id, trigger_time_ms) SELECT :id, COALESCE(MAX(sequence), 0) + 1, :api_id, :status, :earliest, :expires, 0, "
               "0, 0, :result_ttl, :attempts, :retry, :folder, :document, :outcome, :func_id, :caller, :auth_id, :trace_id, "
               ":trigger_time FROM tasks",
        soci::use(task.id), soci::use(bound), soci::use(status), soci::use(task.earliest_ms), soci::use(task.expires_at_ms),
        soci::use(task.result_ttl_s), soci::use(task.attempts), soci::use(retry), soci::use(task.folder), soci::use(document),
        soci::use(outcome), soci::use(task.func_id), soci::use(task.caller.name), soci::use(task.caller.auth_id),
        soci::use(task.trace_id), soci::use(task.trigger_time_ms);
    return base::kDone;
  });
}

Result<Task> TaskRepository::get(const std::string& id) {
  const std::int64_t now_ms = clock_.wall_ms();
  return database_.read("read a task", [&](soci::session& session) -> Result<Task> {
    TRY(Task task, fetch(session, id));
    if (task.end_time_ms && *task.end_time_ms + task.result_ttl_s * 1000 <= now_ms)
      return Error{Code::NotFound, "no such task", {}};
    soci::blob result(session);
    soci::indicator present = soci::i_null;
    session << "SELECT result FROM tasks WHERE id = :id", soci::use(id), soci::into(result, present);
    if (present == soci::i_ok) task.result = dialect::read_blob(result);
    return task;
  });
}

Result<std::vector<Task>> TaskRepository::claim(std::int64_t now_ms, std::size_t count, const std::string& unreadable) {
  return database_.write("claim tasks", [&](soci::session& session) -> Result<std::vector<Task>> {
    session << "UPDATE tasks SET status = 'expire', end_time_ms = :now, remove_at_ms = :now2 + 1000 * result_ttl_s "
               "WHERE status = 'waiting' AND expires_at_ms > 0 AND expires_at_ms <= :now3",
        soci::use(now_ms), soci::use(now_ms), soci::use(now_ms);
    std::vector<Task> tasks;
    std::vector<std::string> broken;
    TaskRow row;
    const auto limit = static_cast<std::int64_t>(count);
    soci::statement waiting =
        row.bind((session.prepare << fmt::format("SELECT {} FROM tasks WHERE status = 'waiting' AND earliest_ms <= :now "
                                                 "ORDER BY sequence LIMIT :count",
                                                 columns()),
                  soci::use(now_ms), soci::use(limit)));
    waiting.execute();
    while (waiting.fetch()) {
      Result<Task> task = row.read();
      if (task.ok()) {
        tasks.push_back(std::move(*task));
      } else {
        log_unreadable(row.task.id, task.error());
        broken.push_back(row.task.id);
      }
    }
    for (const std::string& id : broken) fail(session, id, now_ms, unreadable);
    for (Task& task : tasks) {
      session << "UPDATE tasks SET status = 'running', start_time_ms = :now, attempts = attempts + 1 WHERE id = :id",
          soci::use(now_ms), soci::use(task.id);
      task.status = TaskStatus::Running;
      task.start_time_ms = now_ms;
      ++task.attempts;
    }
    return tasks;
  });
}

Status TaskRepository::put_back(const std::string& id, std::int64_t earliest_ms) {
  return database_.write("put a task back", [&](soci::session& session) -> Status {
    session << "UPDATE tasks SET status = 'waiting', start_time_ms = 0, attempts = attempts - 1, earliest_ms = :earliest "
               "WHERE id = :id AND status = 'running'",
        soci::use(earliest_ms), soci::use(id);
    return base::kDone;
  });
}

Status TaskRepository::finish(const Task& task) {
  if (!task.end_time_ms) return Error{Code::InvalidArgument, "an ended task needs an end time", {}};
  return database_.write("store the end of a task", [&](soci::session& session) -> Status {
    const std::string status = status_text(task.status), outcome = outcome_of(task);
    const std::int64_t end_ms = *task.end_time_ms, remove_at_ms = end_ms + task.result_ttl_s * 1000;
    soci::blob result(session);
    soci::indicator present = task.result.empty() ? soci::i_null : soci::i_ok;
    dialect::write_blob(result, task.result);
    soci::statement statement =
        (session.prepare << "UPDATE tasks SET status = :status, end_time_ms = :end, remove_at_ms = :remove, outcome = :outcome, "
                            "result = :result WHERE id = :id AND status IN ('waiting', 'running')",
         soci::use(status), soci::use(end_ms), soci::use(remove_at_ms), soci::use(outcome), soci::use(result, present),
         soci::use(task.id));
    statement.execute(true);
    if (statement.get_affected_rows() == 1) return base::kDone;
    TRY(const Task stored, fetch(session, task.id));
    return Error{Code::Conflict, fmt::format("the task has already ended ({})", domain::task_status_name(stored.status)), {}};
  });
}

Result<bool> TaskRepository::cancel_waiting(const std::string& id, std::int64_t now_ms) {
  return database_.write("cancel a task", [&](soci::session& session) -> Result<bool> {
    TRY(const Task task, fetch(session, id));
    switch (task.status) {
      case TaskStatus::Waiting: break;
      case TaskStatus::Running: return false;
      case TaskStatus::Success:
      case TaskStatus::Failure:
      case TaskStatus::Timeout:
      case TaskStatus::Expire:
      case TaskStatus::Cancelled:
        return Error{Code::Conflict, fmt::format("the task has already ended ({})", domain::task_status_name(task.status)), {}};
    }
    const std::int64_t remove_at_ms = now_ms + task.result_ttl_s * 1000;
    session << "UPDATE tasks SET status = 'cancelled', end_time_ms = :now, remove_at_ms = :remove WHERE id = :id AND status = "
               "'waiting'",
        soci::use(now_ms), soci::use(remove_at_ms), soci::use(id);
    return true;
  });
}

Result<std::size_t> TaskRepository::recover(std::int64_t now_ms, const std::string& failure) {
  return database_.write("recover tasks", [&](soci::session& session) -> Result<std::size_t> {
    std::vector<std::string> ids;
    {
      std::string id;
      soci::statement running =
          (session.prepare << "SELECT id FROM tasks WHERE status = 'running' ORDER BY sequence", soci::into(id));
      running.execute();
      while (running.fetch()) ids.push_back(id);
    }
    for (const std::string& id : ids) {
      const Result<Task> task = fetch(session, id);
      if (!task.ok()) log_unreadable(id, task.error());
      if (task.ok() && task->retry_on_crash && task->attempts < 2) {
        session << "UPDATE tasks SET status = 'waiting', start_time_ms = 0 WHERE id = :id", soci::use(id);
      } else {
        fail(session, id, now_ms, failure);
      }
    }
    return ids.size();
  });
}

Result<std::vector<std::string>> TaskRepository::prune(std::int64_t now_ms) {
  return database_.write("remove outdated tasks", [&](soci::session& session) -> Result<std::vector<std::string>> {
    std::vector<std::string> ids, folders;
    {
      std::string id, folder;
      const auto limit = static_cast<std::int64_t>(kPrunedAtOnceMax);
      soci::statement outdated =
          (session.prepare << "SELECT id, folder FROM tasks WHERE remove_at_ms > 0 AND remove_at_ms <= :now "
                              "ORDER BY remove_at_ms LIMIT :count",
           soci::use(now_ms), soci::use(limit), soci::into(id), soci::into(folder));
      outdated.execute();
      while (outdated.fetch()) {
        ids.push_back(id);
        folders.push_back(folder);
      }
    }
    for (const std::string& id : ids) session << "DELETE FROM tasks WHERE id = :id", soci::use(id);
    return folders;
  });
}

Result<domain::ListPage<Task>> TaskRepository::list(const domain::ListQuery& query) {
  // Arguments and requests may be megabytes each.
  static const std::string light =
      columns(dialect::json_without("document", {"kwargs", "files", "request", "callerJson", "caller.attributes"}));
  domain::ListQuery wanted = query;
  if (wanted.sort.empty()) wanted.sort = {{"triggerTime", true}};
  const ListTable table{"tasks", light, kSearched, kListColumns, "triggerTime", true};
  return database_.read("list tasks", [&](soci::session& session) {
    return read_page_with<TaskRow, Task>(session, table, wanted, [](TaskRow& row, domain::ListPage<Task>& page) {
      if (auto task = row.read(); task.ok()) {
        page.rows.push_back(std::move(*task));
      } else {
        log_unreadable(row.task.id, task.error());
      }
      return row.task.id;
    });
  });
}

Result<std::size_t> TaskRepository::count_waiting(const Task& task) {
  return database_.read("count tasks", [&](soci::session& session) -> Result<std::size_t> {
    std::int64_t count = 0;
    const std::string bound = bound_of(task);
    session << "SELECT COUNT(*) FROM tasks WHERE status = 'waiting' AND api_id = :bound", soci::use(bound), soci::into(count);
    return static_cast<std::size_t>(count);
  });
}

}  // namespace funcgate::store
