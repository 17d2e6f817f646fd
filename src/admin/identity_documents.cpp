#include "admin/identity_documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "admin/etag.h"
#include "admin/merge_patch.h"
#include "admin/services.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using base::ObjectReader;

constexpr std::size_t kPasswordBytesMax = 1024, kTextMax = 10'000;
constexpr std::size_t kPrivilegesMax = 200;

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

struct ReportedMember {
  std::string_view name;
  bool may_differ = false;  // changes of its own accord, or is of no use to somebody who writes
};
constexpr ReportedMember kUserReports[] = {{"id"},
                                           {"groups"},
                                           {"userType"},
                                           {"builtIn"},
                                           {"lockedUntil", true},
                                           {"lastLoginAt", true},
                                           {"passwordChangedAt", true},
                                           {"version", true},
                                           {"createdAt", true},
                                           {"createdBy", true},
                                           {"updatedAt", true},
                                           {"updatedBy", true}};
constexpr ReportedMember kGroupReports[] = {{"id"},
                                            {"roles"},
                                            {"builtIn"},
                                            {"users", true},
                                            {"userCount", true},
                                            {"version", true},
                                            {"createdAt", true},
                                            {"createdBy", true},
                                            {"updatedAt", true},
                                            {"updatedBy", true}};
constexpr ReportedMember kMetaReports[] = {
    {"id"}, {"version", true}, {"createdAt", true}, {"createdBy", true}, {"updatedAt", true}, {"updatedBy", true}};
constexpr ReportedMember kRoleReports[] = {{"id"},
                                           {"builtIn"},
                                           {"userGroups", true},
                                           {"version", true},
                                           {"createdAt", true},
                                           {"createdBy", true},
                                           {"updatedAt", true},
                                           {"updatedBy", true}};

void read_reports(ObjectReader& reader, std::span<const ReportedMember> reports, const json::object* current) {
  for (const ReportedMember& report : reports) {
    const json::value* sent = reader.member(report.name);
    if (sent == nullptr) continue;
    if (current == nullptr) {
      reader.finding(report.name, "value", "is read-only and cannot be given");
      continue;
    }
    const json::value* is = current->if_contains(view(report.name));
    if (!report.may_differ && (is == nullptr || *is != *sent)) reader.finding(report.name, "value", "is read-only");
  }
}

json::array role_links(const domain::Directory& directory, const std::vector<std::string>& ids) {
  json::array out;
  for (const std::string& id : ids) {
    const domain::Role* role = directory.role(id);
    if (role != nullptr) out.push_back(json::object{{"id", role->id}, {"name", role->name}});
  }
  return out;
}

json::array group_links(const std::vector<const domain::UserGroup*>& groups) {
  json::array out;
  for (const domain::UserGroup* group : groups) out.push_back(json::object{{"id", group->id}, {"name", group->name}});
  return out;
}

}  // namespace

json::value time_json(std::int64_t time_ms) { return time_ms == 0 ? json::value() : json::value(base::format_rfc3339(time_ms)); }

void append_meta(json::object& out, const domain::Bookkeeping& meta) {
  out["version"] = meta.version;
  out["createdAt"] = time_json(meta.created_at_ms);
  out["createdBy"] = meta.created_by;
  out["updatedAt"] = time_json(meta.updated_at_ms);
  out["updatedBy"] = meta.updated_by;
}

void read_meta_reports(ObjectReader& reader, const json::object* current) { read_reports(reader, kMetaReports, current); }

json::value application_name(const Context& context, const std::string& id) {
  if (id.empty()) return {};
  const domain::Application* application = context.directory->application(id);
  return application == nullptr ? json::value(id) : json::value(application->name);
}

json::array privilege_names(domain::PrivilegeSet privileges) {
  json::array out;
  for (const std::string_view name : domain::privilege_names(privileges)) out.emplace_back(view(name));
  return out;
}

json::object user_json(const Context& context, const domain::User& user) {
  json::array groups;
  for (const std::string& id : user.groups) {
    const domain::UserGroup* group = context.directory->group(id);
    if (group != nullptr) groups.push_back(json::object{{"id", group->id}, {"name", group->name}});
  }
  json::object out{{"id", user.id},
                   {"login", user.login},
                   {"firstName", user.first_name},
                   {"surname", user.surname},
                   {"email", user.email},
                   {"description", user.description},
                   {"enabled", user.enabled},
                   {"userType", "LOCAL"},
                   {"mustChangePassword", user.must_change_password},
                   {"groups", std::move(groups)}};
  out["lockedUntil"] = time_json(context.services.sessions.locked_until_ms(user.login));
  out["lastLoginAt"] = time_json(user.last_login_at_ms);
  out["passwordChangedAt"] = time_json(user.password_changed_at_ms);
  out["builtIn"] = user.built_in;
  append_meta(out, user.meta);
  return out;
}

json::object user_group_json(const Context& context, const domain::UserGroup& group, bool with_users) {
  const domain::Directory& directory = *context.directory;
  json::object out{{"id", group.id}, {"name", group.name}, {"description", group.description}};
  if (with_users) {
    json::array users;
    for (const domain::UserEntry* user : directory.members(group.id, kMembersShownMax)) {
      users.push_back(json::object{{"id", view(user->id())}, {"login", view(user->login())}});
    }
    out["users"] = std::move(users);
  }
  out["userCount"] = directory.member_count(group.id);
  out["roles"] = role_links(directory, group.roles);
  out["builtIn"] = group.built_in;
  append_meta(out, group.meta);
  return out;
}

json::object role_json(const Context& context, const domain::Role& role) {
  json::object out{{"id", role.id}, {"name", role.name}, {"description", role.description}};
  out["application"] = application_name(context, role.application);
  out["privileges"] = admin::privilege_names(role.privileges);
  out["userGroups"] = group_links(context.directory->groups_with_role(role.id));
  out["builtIn"] = role.built_in;
  append_meta(out, role.meta);
  return out;
}

json::object privilege_json(const Context& context, const domain::PrivilegeInfo& info) {
  json::array roles;
  for (const domain::Role* role : context.directory->roles()) {
    if (role->privileges.has(info.privilege)) roles.push_back(json::object{{"id", role->id}, {"name", role->name}});
  }
  // Lists tell rows apart by `id`; a privilege's is its name.
  json::object out{{"id", view(info.name)},
                   {"name", view(info.name)},
                   {"area", view(info.area)},
                   {"permits", view(info.permits)},
                   {"scopable", info.scopable}};
  out["auditAction"] = context.directory->audited_privileges().has(info.privilege);
  out["roles"] = std::move(roles);
  return out;
}

service::UserFields read_user(const json::value& body, const json::object* current, base::SecretString* password,
                              std::vector<base::Finding>& findings) {
  service::UserFields fields;
  ObjectReader reader(body, "", findings);
  reader.text("login", fields.login, 1, kTextMax, true)
      .text("firstName", fields.first_name, 0, kTextMax)
      .text("surname", fields.surname, 0, kTextMax)
      .text("email", fields.email, 0, kTextMax)
      .text("description", fields.description, 0, kTextMax)
      .boolean("enabled", fields.enabled)
      .boolean("mustChangePassword", fields.must_change_password);
  if (password != nullptr) {
    std::string text;
    reader.text("password", text, 1, kPasswordBytesMax);
    *password = base::SecretString(std::move(text));
  } else if (reader.member("password") != nullptr) {
    reader.finding("password", "value", "is set with PUT /users/{id}/password");
  }
  read_reports(reader, kUserReports, current);
  reader.finish();
  return fields;
}

service::UserGroupFields read_user_group(const json::value& body, const json::object* current,
                                         std::vector<base::Finding>& findings) {
  service::UserGroupFields fields;
  ObjectReader reader(body, "", findings);
  reader.text("name", fields.name, 1, kTextMax, true).text("description", fields.description, 0, kTextMax);
  read_reports(reader, kGroupReports, current);
  reader.finish();
  return fields;
}

service::RoleFields read_role(const json::value& body, const json::object* current, std::vector<base::Finding>& findings) {
  service::RoleFields fields;
  ObjectReader reader(body, "", findings);
  reader.text("name", fields.name, 1, kTextMax, true).text("description", fields.description, 0, kTextMax);
  const json::value* application = reader.member("application");
  if (application != nullptr && !application->is_null()) reader.text("application", fields.application, 1, kTextMax);
  reader.list("privileges", kPrivilegesMax, [&](const json::value& element, const std::string& path) {
    const json::string* name = element.if_string();
    if (name == nullptr) {
      findings.push_back({path, "type", "must be a text"});
      return;
    }
    const auto privilege = domain::parse_privilege(std::string_view(name->data(), name->size()));
    if (privilege) {
      fields.privileges.add(*privilege);
    } else {
      findings.push_back(
          {path, "value", fmt::format("there is no privilege \"{}\"", std::string_view(name->data(), name->size()))});
    }
  });
  read_reports(reader, kRoleReports, current);
  reader.finish();
  return fields;
}

std::optional<json::value> required_body(const Context& context, Answer& problem) {
  if (context.body.is_object()) return context.body;
  problem = invalid("", "type", "the body must be a JSON object");
  return std::nullopt;
}

std::optional<json::object> required_object(const Context& context, Answer& problem) {
  auto body = required_body(context, problem);
  if (!body) return std::nullopt;
  return std::move(body->get_object());
}

std::optional<json::value> wanted_document(const Context& context, const json::object& current, Answer& problem) {
  auto body = required_body(context, problem);
  if (!body) return std::nullopt;
  if (context.request.method != domain::Method::Patch) return body;
  return merge_patch(current, *body);
}

Answer change_answer(const base::Error& error, const service::ChangeProblem& problem) {
  switch (problem.kind) {
    case service::ChangeProblem::Kind::Invalid: return invalid(problem.findings);
    case service::ChangeProblem::Kind::NameTaken: return duplicated(error.message);
    case service::ChangeProblem::Kind::InUse: return in_use(error.message, problem.used_by);
    case service::ChangeProblem::Kind::Stale: return stale(problem.current_version);
    case service::ChangeProblem::Kind::Other: break;
  }
  return from_error(error);
}

Answer password_refused(const std::vector<std::string>& failed_rules) {
  json::array rules;
  for (const std::string& rule : failed_rules) rules.emplace_back(rule);
  return refused(domain::Fault::UserPassword, domain::Reason::ArgumentsInvalid, "The password does not meet the password policy",
                 base::to_json(rules));
}

Answer created_at(json::object object, std::string_view collection) {
  const std::string id(object.at("id").as_string());
  const std::int64_t version = object.at("version").as_int64();
  Answer answer = created(std::move(object), version);
  answer.location = fmt::format("{}{}/{}", kPathPrefix, collection, id);
  answer.object_id = id;
  return answer;
}

Answer shown(const Context& context, json::object object, std::int64_t version) {
  if (!not_modified(context, version)) return ok(std::move(object), version);
  Answer answer;
  answer.status = 304;
  answer.etag = make_etag(version);
  return answer;
}

Answer shown_as(const Context& context, json::object object, std::string etag) {
  constexpr std::size_t kHashShown = 32;
  if (etag.empty()) etag = crypto::sha256_hex(base::to_json(object)).substr(0, kHashShown);
  etag = "\"" + etag + "\"";
  Answer answer;
  if (not_modified(context, etag)) {
    answer.status = 304;
  } else {
    answer = ok(std::move(object));
  }
  answer.etag = std::move(etag);
  return answer;
}

service::FindReferences references_of(const Context& context) {
  return [configuration = context.services.resources.configuration()](domain::IdentityKind kind, const std::string& id,
                                                                      const std::string& name) {
    return configuration == nullptr ? std::vector<std::string>() : service::references_in(*configuration, kind, id, name);
  };
}

}  // namespace funcgate::admin
