#include "service/apply/export_identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "domain/password_policy_json.h"
#include "domain/secret_key_json.h"
#include "service/admin/applications.h"
#include "service/admin/built_ins.h"
#include "service/apply/bundle.h"
#include "service/apply/result.h"
#include "service/apply/yaml_writer.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using domain::ResourceKind;

// Names may hold what a file name cannot; what is not plain becomes its code, so that no two names share a file.
std::string folder_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                       c == '@' || (c == '.' && !out.empty());
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}
std::string file_name(std::string_view name) { return folder_name(name) + ".yaml"; }

void add_text(json::object& spec, std::string_view name, const std::string& value) {
  if (!value.empty()) spec[json::string_view(name.data(), name.size())] = value;
}

json::array sorted_texts(std::vector<std::string> values) {
  std::sort(values.begin(), values.end());
  json::array out;
  for (const std::string& value : values) out.emplace_back(value);
  return out;
}

ExportedFile user_file(const domain::User& user) {
  json::object spec;
  add_text(spec, "firstName", user.first_name);
  add_text(spec, "surname", user.surname);
  add_text(spec, "email", user.email);
  add_text(spec, "description", user.description);
  if (!user.enabled) spec["enabled"] = false;
  if (user.has_password) spec["passwordFrom"] = json::object{{"keep", true}};
  return {"users/" + file_name(user.login), export_document(ResourceKind::User, user.login, std::move(spec))};
}

base::Status export_users(domain::IdentityStore& store, std::vector<ExportedFile>& files) {
  domain::ListQuery query;
  query.sort = {{"login"}};
  query.limit = 200;
  query.count_total = false;
  do {
    TRY(domain::ListPage<domain::User> page, store.users(query));
    for (const domain::User& user : page.rows) {
      if (!user.built_in) files.push_back(user_file(user));
    }
    query.after = std::move(page.next);
  } while (query.after);
  return base::kDone;
}

ExportedFile secret_key_file(const domain::SecretKey& secret) {
  const std::string folder = "secret-keys/" + folder_name(secret.application);
  const std::string owner = secret.owner_kind == "httpConfiguration"
                                ? folder_name(secret.http_configuration)
                                : folder_name(secret.flow) + "/" + folder_name(secret.action);
  return {fmt::format("{}/{}/{}", folder, owner, file_name(secret.name)),
          export_document(ResourceKind::SecretKey, secret.name, domain::secret_key_spec(secret), secret.application),
          secret.application};
}

base::Status export_secret_keys(const domain::Directory& directory, domain::IdentityStore& store,
                                const std::set<std::string>& hidden, std::vector<ExportedFile>& files) {
  domain::ListQuery query;
  query.sort = {{"name"}};
  query.limit = 200;
  query.count_total = false;
  do {
    TRY(domain::ListPage<domain::SecretKey> page, store.secret_keys(query));
    for (const domain::SecretKey& secret : page.rows) {
      const domain::Application* inside = directory.application_by_name(secret.application);
      if (inside == nullptr || !hidden.contains(inside->id)) files.push_back(secret_key_file(secret));
    }
    query.after = std::move(page.next);
  } while (query.after);
  return base::kDone;
}

void export_groups(const domain::Directory& directory, std::vector<ExportedFile>& files) {
  for (const domain::UserGroup* group : directory.groups()) {
    json::object spec;
    if (!group->built_in) add_text(spec, "description", group->description);
    std::vector<std::string> logins;
    for (const domain::UserEntry* user : directory.members(group->id)) logins.emplace_back(user->login());
    spec["users"] = sorted_texts(std::move(logins));
    // Of other roles their own documents tell; of these nobody else would.
    std::vector<std::string> held, usual;
    for (const std::string& id : group->roles) {
      if (const domain::Role* role = directory.role(id); role != nullptr && role->built_in) held.push_back(role->name);
    }
    if (const BuiltIn* own = built_in_of_group(group->name)) usual.emplace_back(own->role_name);
    if (held != usual) spec["roles"] = sorted_texts(std::move(held));
    files.push_back(
        {"user-groups/" + file_name(group->name), export_document(ResourceKind::UserGroup, group->name, std::move(spec))});
  }
}

void export_applications(const domain::Directory& directory, const std::set<std::string>& hidden,
                         std::vector<ExportedFile>& files) {
  for (const domain::Application* application : directory.applications()) {
    if (hidden.contains(application->id)) continue;
    json::object spec;
    add_text(spec, "description", application->description);
    spec["access"] = access_json(application->access, directory);
    files.push_back({"applications/" + file_name(application->name),
                     export_document(ResourceKind::Application, application->name, std::move(spec)), application->name});
  }
}

void export_roles(const domain::Directory& directory, const std::set<std::string>& hidden, std::vector<ExportedFile>& files) {
  for (const domain::Role* role : directory.roles()) {
    if (role->built_in || hidden.contains(role->application)) continue;
    const domain::Application* inside = directory.application(role->application);
    json::object spec;
    add_text(spec, "description", role->description);
    const auto held = domain::privilege_names(role->privileges);
    std::vector<std::string> privileges(held.begin(), held.end()), groups;
    for (const domain::UserGroup* group : directory.groups_with_role(role->id)) groups.push_back(group->name);
    spec["privileges"] = sorted_texts(std::move(privileges));
    spec["userGroups"] = sorted_texts(std::move(groups));
    // Not below roles/, where the file of a role could be called like the folder of an application.
    const std::string folder = inside == nullptr ? "roles/" : "application-roles/" + folder_name(inside->name) + "/";
    const std::string application = inside == nullptr ? "" : inside->name;
    files.push_back({folder + file_name(role->name),
                     export_document(ResourceKind::Role, role->name, std::move(spec), application), application});
  }
}

}  // namespace

base::Result<std::vector<ExportedFile>> export_identities(const domain::Directory& directory, domain::IdentityStore& store,
                                                          const std::set<ResourceKind>& kinds,
                                                          const std::set<std::string>& hidden) {
  const auto wanted = [&](ResourceKind kind) { return kinds.empty() || kinds.contains(kind); };
  std::vector<ExportedFile> files;
  if (wanted(ResourceKind::User)) TRY_DONE(export_users(store, files));
  if (wanted(ResourceKind::SecretKey)) TRY_DONE(export_secret_keys(directory, store, hidden, files));
  if (wanted(ResourceKind::UserGroup)) export_groups(directory, files);
  if (wanted(ResourceKind::Application)) export_applications(directory, hidden, files);
  if (wanted(ResourceKind::Role)) export_roles(directory, hidden, files);
  if (wanted(ResourceKind::PasswordPolicy)) {
    json::object spec = domain::password_policy_json(directory.password_policy());
    for (const char* reported : {"version", "updatedAt", "updatedBy"}) spec.erase(reported);
    files.push_back({"password-policy.yaml", export_document(ResourceKind::PasswordPolicy, "default", std::move(spec))});
  }
  if (wanted(ResourceKind::PrivilegeAudit)) {
    for (const std::string_view name : domain::privilege_names(directory.audited_privileges())) {
      files.push_back({"privilege-audits/" + file_name(name),
                       export_document(ResourceKind::PrivilegeAudit, std::string(name), json::object{{"auditAction", true}})});
    }
  }
  std::sort(files.begin(), files.end(), [](const ExportedFile& a, const ExportedFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace funcgate::service
