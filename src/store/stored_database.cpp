#include "store/stored_database.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <chrono>

#include "base/json.h"
#include "store/dialect.h"

namespace funcgate::store {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
namespace json = base::json;

constexpr std::chrono::milliseconds kBusyMax{10'000};

// Runs `work` on a connection of its own. `what` completes "cannot …".
template <class Work>
std::invoke_result_t<Work, soci::session&> with_file(const std::string& path, const std::string& what, Work&& work) {
  try {
    soci::session session;
    dialect::open_existing(session, path, kBusyMax);
    return work(session);
  } catch (const std::exception&) {
    return dialect::translate_exception(what);
  }
}

void count_rows(soci::session& session, const std::string& statement, std::map<std::string, std::int64_t>& counts) {
  std::string kid;
  std::int64_t count = 0;
  soci::statement rows = (session.prepare << statement, soci::into(kid), soci::into(count));
  rows.execute();
  while (rows.fetch()) {
    if (!kid.empty()) counts[kid] += count;
  }
}

void count_sealed(const json::value& value, const std::function<std::string(std::string_view)>& kid_of,
                  std::map<std::string, std::int64_t>& counts) {
  if (value.is_string()) {
    if (const std::string kid = kid_of(std::string_view(value.get_string())); !kid.empty()) ++counts[kid];
  } else if (value.is_array()) {
    for (const json::value& element : value.get_array()) count_sealed(element, kid_of, counts);
  } else if (value.is_object()) {
    for (const auto& member : value.get_object()) count_sealed(member.value(), kid_of, counts);
  }
}

// The text of a task's document with the uploads below `to` that were below `from`; as it was if there are none.
std::string with_files_moved(const std::string& text, const std::string& from, const std::string& to) {
  auto document = base::parse_json(text);
  if (!document.ok() || !document->is_object()) return text;
  json::value* const files = document->get_object().if_contains("files");
  if (files == nullptr || !files->is_string()) return text;
  auto list = base::parse_json(std::string_view(files->get_string()));
  if (!list.ok() || !list->is_array()) return text;
  for (json::value& file : list->get_array()) {
    json::value* const path = file.is_object() ? file.get_object().if_contains("filePath") : nullptr;
    if (path == nullptr || !path->is_string()) continue;
    const std::string_view old = path->get_string();
    if (old.starts_with(from + "/")) *path = to + std::string(old.substr(from.size()));
  }
  *files = base::to_json(*list);
  return base::to_json(*document);
}

}  // namespace

Result<SchemaState> schema_state(const std::string& path, std::span<const Migration> migrations) {
  return with_file(path, "read the schema of " + path, [&](soci::session& session) -> Result<SchemaState> {
    SchemaState state;
    auto version = schema_version(session, migrations);
    if (!version.ok()) return Error{version.error().code, path + ": " + version.error().message, version.error().detail};
    state.version = *version;
    state.newest = static_cast<int>(migrations.size());
    for (const Migration& migration : migrations.subspan(static_cast<std::size_t>(state.version)))
      state.missing.emplace_back(migration.name);
    return state;
  });
}

Status copy_database(const std::string& path, const std::string& target, const GoOn& go_on) {
  return with_file(path, fmt::format("copy the database {} to {}", path, target), [&](soci::session& session) -> Status {
    dialect::copy_to(session, target, go_on);
    return base::kDone;
  });
}

Status check_integrity(const std::string& path, const GoOn& go_on) {
  return with_file(path, "check the database " + path, [&](soci::session& session) -> Status {
    const std::string problem = dialect::integrity_problem(session, go_on);
    if (!problem.empty()) return Error{Code::DataLoss, fmt::format("the database {} is damaged: {}", path, problem), {}};
    return base::kDone;
  });
}

Result<KeyUse> key_use(const std::string& path, const std::function<std::string(std::string_view)>& kid_of) {
  return with_file(path, "read which keys are needed from " + path, [&](soci::session& session) -> Result<KeyUse> {
    KeyUse use;
    // Older schemas have fewer tables.
    if (dialect::has_table(session, "secret_keys"))
      count_rows(session, "SELECT sealed_kid, COUNT(*) FROM secret_keys WHERE sealed <> '' GROUP BY sealed_kid", use.sealing);
    if (dialect::has_table(session, "user_passwords"))
      count_rows(session, "SELECT pepper_kid, COUNT(*) FROM user_passwords GROUP BY pepper_kid", use.peppers);
    if (dialect::has_table(session, "api_keys"))
      count_rows(session, "SELECT kid, COUNT(*) FROM api_keys WHERE revoked_at_ms = 0 GROUP BY kid", use.signing);
    for (const std::string table : {"env_variables", "api_authentications"}) {
      soci::rowset<std::string> documents = (session.prepare << "SELECT document FROM " + table);
      for (const std::string& text : documents) {
        const auto document = base::parse_json(text);
        if (document.ok()) count_sealed(*document, kid_of, use.sealing);
      }
    }
    return use;
  });
}

Result<std::vector<UnfinishedTask>> unfinished_tasks(const std::string& path) {
  return with_file(path, "read the tasks of " + path, [&](soci::session& session) -> Result<std::vector<UnfinishedTask>> {
    std::vector<UnfinishedTask> tasks;
    soci::rowset<soci::row> rows =
        (session.prepare << "SELECT id, folder FROM tasks WHERE status IN ('waiting', 'running') ORDER BY sequence");
    for (const soci::row& row : rows) tasks.push_back({row.get<std::string>(0), row.get<std::string>(1)});
    return tasks;
  });
}

Status move_task_folders(const std::string& path, const std::string& call_folder) {
  return with_file(path, "correct the tasks of " + path, [&](soci::session& session) -> Status {
    session << dialect::kBeginWrite;
    std::vector<UnfinishedTask> tasks;
    {
      soci::rowset<soci::row> rows = (session.prepare << "SELECT id, folder FROM tasks WHERE folder <> ''");
      for (const soci::row& row : rows) tasks.push_back({row.get<std::string>(0), row.get<std::string>(1)});
    }
    for (const UnfinishedTask& task : tasks) {
      const std::string folder = call_folder + "/" + task.id;
      std::string document;
      session << "SELECT document FROM tasks WHERE id = :id", soci::use(task.id), soci::into(document);
      document = with_files_moved(document, task.folder, folder);
      session << "UPDATE tasks SET folder = :folder, document = :document WHERE id = :id", soci::use(folder), soci::use(document),
          soci::use(task.id);
    }
    session << "COMMIT";
    return base::kDone;
  });
}

}  // namespace funcgate::store
