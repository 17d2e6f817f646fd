#include "store/application_rows.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/unicode.h"
#include "store/conflict.h"
#include "store/row_reading.h"

namespace funcgate::store {
namespace {

using base::Status;
using domain::Application;

struct ApplicationRow {
  Application application;
  int all_users = 0;

  void into(soci::statement& statement) {
    for (std::string* text : {&application.id, &application.name, &application.description})
      statement.exchange(soci::into(*text));
    statement.exchange(soci::into(all_users));
    into_bookkeeping(statement, application.meta);
  }
  Application take() {
    application.access.all_users = all_users != 0;
    return application;
  }
};

std::int64_t version_of(soci::session& session, const std::string& id) {
  std::int64_t version = 0;
  session << "SELECT version FROM applications WHERE id = :id", soci::use(id), soci::into(version);
  return version;
}

Status write_groups(soci::session& session, const Application& application) {
  session << "DELETE FROM application_groups WHERE application_id = :id", soci::use(application.id);
  const std::vector<std::string>& groups = application.access.groups;
  for (const std::string& group : std::set<std::string>(groups.begin(), groups.end())) {
    std::string found;
    session << "SELECT id FROM user_groups WHERE id = :id", soci::use(group), soci::into(found);
    if (found.empty()) return dangling("user group", group);
    session << "INSERT INTO application_groups (application_id, group_id) VALUES (:id, :group)", soci::use(application.id),
        soci::use(group);
  }
  return base::kDone;
}

}  // namespace

Status put_application(soci::session& session, const Application& application, std::int64_t expected_version) {
  TRY_DONE(check_version("application", application.name, expected_version, version_of(session, application.id)));
  const std::string folded = base::fold_case(application.name);
  std::string other;
  session << statements::kOtherApplicationOfName, soci::use(folded), soci::use(application.id), soci::into(other);
  if (session.got_data()) return taken("application name", application.name);

  const int all_users = application.access.all_users ? 1 : 0;
  soci::statement statement(session);
  statement.exchange(soci::use(application.id, "id"));
  statement.exchange(soci::use(application.name, "name"));
  statement.exchange(soci::use(folded, "folded"));
  statement.exchange(soci::use(application.description, "description"));
  statement.exchange(soci::use(all_users, "all_users"));
  use_bookkeeping(statement, application.meta);
  run_prepared(
      statement,
      fmt::format("INSERT INTO applications (id, name, name_folded, description, all_users, {}) VALUES (:id, :name, :folded, "
                  ":description, :all_users, :version, :created_at_ms, :created_by, :updated_at_ms, :updated_by, :apply_set) ON "
                  "CONFLICT (id) DO UPDATE SET name = excluded.name, name_folded = excluded.name_folded, description = "
                  "excluded.description, all_users = excluded.all_users, version = excluded.version, updated_at_ms = "
                  "excluded.updated_at_ms, updated_by = excluded.updated_by, apply_set = excluded.apply_set",
                  kBookkeepingColumns));
  return write_groups(session, application);
}

Status remove_application(soci::session& session, const std::string& id, std::int64_t expected_version) {
  const std::int64_t version = version_of(session, id);
  if (version == 0 || (expected_version != 0 && expected_version != version))
    return stale("application", id, expected_version, version);
  session << "DELETE FROM applications WHERE id = :id", soci::use(id);
  return base::kDone;
}

std::vector<Application> read_applications(soci::session& session) {
  std::vector<Application> applications = read_rows<ApplicationRow>(
      session, fmt::format("SELECT id, name, description, all_users, {} FROM applications ORDER BY id", kBookkeepingColumns));
  std::map<std::string, std::vector<std::string>> groups;
  std::string application, group;
  soci::statement statement =
      (session.prepare << "SELECT application_id, group_id FROM application_groups ORDER BY application_id, group_id",
       soci::into(application), soci::into(group));
  statement.execute();
  while (statement.fetch()) groups[application].push_back(group);
  for (Application& each : applications) each.access.groups = std::move(groups[each.id]);
  return applications;
}

}  // namespace funcgate::store
