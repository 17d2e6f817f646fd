#include "service/admin/applications.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "service/admin/identity_events.h"
#include "service/admin/identity_rules.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using base::Result;
using base::Status;
using domain::Application;
using domain::ChangeSet;
using domain::Directory;
using domain::IdentityKind;

constexpr std::string_view kKind = "Application", kNoun = "application";
constexpr std::size_t kUsedByMax = 50, kIdBytes = 10;

Result<Application> find(const Directory& directory, const std::string& id) {
  const Application* application = directory.application(id);
  if (application == nullptr) return unknown_object(kNoun, id);
  return *application;
}

void put(ChangeSet& changes, Application application, std::int64_t expected_version) {
  std::string id = application.id;
  changes.identity.push_back({.kind = IdentityKind::Application,
                              .id = std::move(id),
                              .expected_version = expected_version,
                              .value = std::move(application)});
}

// Secret keys may name an application that does not exist. One that took this name would have them in the hands of whoever
// manages its own. Which ones they are is not for him to know.
Status require_no_secret_keys(domain::IdentityStore& store, const std::string& name, ChangeProblem& problem) {
  TRY(const std::vector<std::string> waiting, secret_keys_of(store, name));
  if (waiting.empty()) return base::kDone;
  problem.kind = ChangeProblem::Kind::InUse;
  return base::Error{base::Code::FailedPrecondition,
                     fmt::format("Secret keys name the application \"{}\" already; take another name, or delete them first",
                                 base::printable(name)),
                     {}};
}

// The list with the ids of its groups.
domain::AccessList resolved_access(const ApplicationFields& fields, const Directory& directory,
                                   std::vector<base::Finding>& findings) {
  domain::AccessList access{.all_users = fields.all_users, .groups = {}};
  for (std::size_t i = 0; i < fields.groups.size(); ++i) {
    const std::string& name = fields.groups[i];
    const domain::UserGroup* group = directory.group(name);
    if (group == nullptr) group = directory.group_by_name(name);
    if (group != nullptr) {
      set_link(access.groups, group->id, true);
    } else {
      findings.push_back(
          {fmt::format("access.groups[{}]", i), "value", fmt::format("there is no user group \"{}\"", base::printable(name))});
    }
  }
  return access;
}

}  // namespace

void read_access(const json::value* access, ApplicationFields& fields, std::vector<base::Finding>& findings) {
  constexpr std::size_t kTextMax = 10'000;
  if (access == nullptr) return;
  base::ObjectReader reader(*access, "access", findings);
  reader.boolean("allUsers", fields.all_users).text_list("groups", fields.groups, kAccessGroupsMax, kTextMax);
  reader.finish();
}

json::object access_json(const domain::AccessList& access, const Directory& directory) {
  std::vector<std::string> names;
  for (const std::string& id : access.groups) {
    if (const domain::UserGroup* group = directory.group(id)) names.push_back(group->name);
  }
  std::sort(names.begin(), names.end());
  json::array groups;
  for (const std::string& name : names) groups.emplace_back(name);
  return {{"allUsers", access.all_users}, {"groups", std::move(groups)}};
}

json::object audited_fields(const Application& application, const Directory& directory) {
  return {{"name", application.name},
          {"description", application.description},
          {"access", access_json(application.access, directory)}};
}

FindApplication find_application_in(domain::DirectoryPtr directory) {
  return [directory = std::move(directory)](std::string_view id_or_name) -> std::optional<std::string> {
    const Application* application = directory->application(id_or_name);
    if (application == nullptr) application = directory->application_by_name(id_or_name);
    return application == nullptr ? std::nullopt : std::optional(application->id);
  };
}

std::vector<std::string> roles_inside(const Directory& directory, std::string_view application_id) {
  std::vector<std::string> out;
  for (const domain::Role* role : directory.roles()) {
    if (out.size() < kUsedByMax && role->application == application_id) out.push_back(fmt::format("Role \"{}\"", role->name));
  }
  return out;
}

Result<std::vector<std::string>> secret_keys_of(domain::IdentityStore& store, const std::string& application_name) {
  std::vector<std::string> out;
  domain::ListQuery query;
  query.filters = {{"application", application_name}};
  query.limit = 200;
  query.count_total = false;
  do {
    TRY(domain::ListPage<domain::SecretKey> page, store.secret_keys(query));
    for (const domain::SecretKey& secret : page.rows) {
      // Again: a star at the end of the name means more to the query than itself.
      if (out.size() < kUsedByMax && base::equals_ignore_case(secret.application, application_name))
        out.push_back(fmt::format("SecretKey \"{}\"", secret.name));
    }
    query.after = std::move(page.next);
  } while (query.after && out.size() < kUsedByMax);
  return out;
}

std::vector<base::Finding> Applications::check(ApplicationFields& fields) {
  std::vector<base::Finding> findings;
  check_name(fields.name, "name", findings);
  check_free_text(fields.description, "description", kDescriptionCharactersMax, true, findings);
  return findings;
}

Result<Application> Applications::create(ApplicationFields fields, const domain::Actor& actor, ChangeProblem& problem) {
  Application application;
  application.id = domain::make_id(domain::IdPrefix::Application, parts_.random.bytes(kIdBytes));
  application.meta = created_by(actor, parts_.clock.wall_ms());
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    auto findings = check(fields);
    application.access = resolved_access(fields, current, findings);
    if (!findings.empty()) return invalid_change(problem, std::move(findings));
    application.name = fields.name;
    application.description = fields.description;
    if (current.application_by_name(application.name) != nullptr) return name_taken(problem, kNoun, application.name);
    auto event = object_event("application.created", actor, kKind, application.id, application.name, 1,
                              fmt::format("Application \"{}\" created", application.name));
    event.changes = changes_between({}, audited_fields(application, current));
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    put(changes, application, 0);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return application;
}

Result<Application> Applications::replace(const std::string& id, std::int64_t expected_version, ApplicationFields fields,
                                          const domain::Actor& actor, ChangeProblem& problem) {
  Application after;
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(const Application before, find(current, id));
    auto findings = check(fields);
    after = before;
    after.access = resolved_access(fields, current, findings);
    if (!findings.empty()) return invalid_change(problem, std::move(findings));
    if (before.meta.version != expected_version) return stale_change(problem, before.meta.version);
    after.name = fields.name;
    after.description = fields.description;
    if (after.name != before.name) {
      const Application* holder = current.application_by_name(after.name);
      if (holder != nullptr && holder->id != id) return name_taken(problem, kNoun, after.name);
      TRY(std::vector<std::string> used_by, secret_keys_of(parts_.store, before.name));
      if (!used_by.empty()) return in_use(problem, kNoun, before.name, std::move(used_by));
      TRY_DONE(require_no_secret_keys(parts_.store, after.name, problem));
    }
    auto differences = changes_between(audited_fields(before, current), audited_fields(after, current));
    if (differences.empty()) return base::kDone;
    mark_changed(after.meta, actor, parts_.clock.wall_ms());
    auto event = object_event("application.changed", actor, kKind, id, after.name, after.meta.version,
                              fmt::format("Application \"{}\" changed", after.name));
    event.changes = std::move(differences);
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    put(changes, after, before.meta.version);
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return after;
}

Status Applications::remove(const std::string& id, std::int64_t expected_version, const domain::Actor& actor,
                            ChangeProblem& problem) {
  auto made = parts_.identity.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(const Application application, find(current, id));
    if (application.meta.version != expected_version) return stale_change(problem, application.meta.version);
    std::vector<std::string> used_by = roles_inside(current, id);
    TRY(const std::vector<std::string> secrets, secret_keys_of(parts_.store, application.name));
    used_by.insert(used_by.end(), secrets.begin(), secrets.end());
    if (!used_by.empty()) return in_use(problem, kNoun, application.name, std::move(used_by));
    auto event = object_event("application.deleted", actor, kKind, id, application.name, application.meta.version,
                              fmt::format("Application \"{}\" deleted", application.name));
    event.changes = changes_between(audited_fields(application, current), {});
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    changes.identity.push_back({.kind = IdentityKind::Application,
                                .id = id,
                                .deleted = true,
                                .expected_version = application.meta.version,
                                .value = {}});
    return base::kDone;
  });
  if (!made.ok()) return std::move(made).error();
  return base::kDone;
}

}  // namespace funcgate::service
