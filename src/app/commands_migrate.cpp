// `funcgate migrate`: brings the databases of a stopped instance to the schema of this release, or tells what that would do.
#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "app/commands.h"
#include "app/data_directory.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "store/database.h"
#include "store/stored_database.h"

namespace funcgate::app {
namespace {

namespace json = base::json;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

struct Step {
  std::string name, path;
  std::span<const store::Migration> migrations;
  store::SchemaState before;
};

// Both are looked at before either is changed. One that is not there is made, as by a start.
Result<std::vector<Step>> look(const std::string& data) {
  std::vector<Step> steps;
  steps.push_back({"funcgate.db", data + "/funcgate.db", store::sqlite_migrations(), {}});
  steps.push_back({"journal.db", data + "/journal.db", store::sqlite_journal_migrations(), {}});
  for (Step& step : steps) {
    std::error_code error;
    if (std::filesystem::exists(step.path, error)) {
      TRY(step.before, store::schema_state(step.path, step.migrations));
    } else {
      step.before.newest = static_cast<int>(step.migrations.size());
      for (const store::Migration& migration : step.migrations) step.before.missing.emplace_back(migration.name);
    }
  }
  return steps;
}

json::object document_of(const Step& step) {
  json::array names;
  for (const std::string& name : step.before.missing) names.push_back(json::string(name));
  return {{"name", step.name}, {"from", step.before.version}, {"to", step.before.newest}, {"migrations", std::move(names)}};
}

void print_steps(const CommonOptions& common, const std::vector<Step>& steps, bool dry_run) {
  if (!is_for_people(common)) {
    json::array databases;
    for (const Step& step : steps) databases.push_back(document_of(step));
    return print_document(common, json::object{{"dryRun", dry_run}, {"databases", std::move(databases)}});
  }
  bool missing = false;
  for (const Step& step : steps) {
    const store::SchemaState& state = step.before;
    missing = missing || !state.missing.empty();
    if (state.missing.empty()) {
      fmt::print("{}: schema {}, up to date\n", step.name, state.version);
    } else {
      fmt::print("{}: schema {} -> {} ({})\n", step.name, state.version, state.newest, base::join(state.missing, ", "));
    }
  }
  if (dry_run && missing)
    fmt::print("Nothing was changed. There is no way back but a backup: take one with funcgate backup FILE\n");
}

Result<std::vector<Step>> run(const std::string& data, bool dry_run) {
  TRY_DONE(check_has_database(data));
  if (dry_run) return look(data);
  TRY_DONE(check_own(data));
  auto lock = lock_data_directory(data);
  if (!lock.ok() && lock.error().code == Code::Conflict)
    return Error{Code::Conflict,
                 lock.error().message + ": stop it first. --dry-run tells what is missing beside a running server, too",
                 {}};
  if (!lock.ok()) return std::move(lock).error();
  TRY(auto steps, look(data));
  base::SystemClock clock;
  for (const Step& step : steps) {
    TRY(const auto opened, store::Database::open(step.path, step.migrations, clock));
    std::ignore = opened;
  }
  return steps;
}

}  // namespace

int fail_on_files(const Error& error) {
  constexpr int kUnreachable = 6, kFailed = 1;
  const int code = fail(error);
  return code == kUnreachable ? kFailed : code;
}

int migrate(const CommonOptions& common, bool dry_run) {
  base::log::configure(base::log::Level::Error, "-");
  const auto steps = run(common.data_dir, dry_run);
  if (!steps.ok()) return fail_on_files(steps.error());
  print_steps(common, *steps, dry_run);
  return 0;
}

}  // namespace funcgate::app
