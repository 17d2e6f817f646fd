#include "service/apply/plan_identity.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "domain/api_auth_document.h"
#include "domain/password_policy.h"
#include "domain/password_policy_json.h"
#include "service/admin/identity_rules.h"
#include "service/admin/roles.h"
#include "service/admin/user_groups.h"
#include "service/admin/users.h"
#include "service/apply/secrets.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using base::Finding;
using domain::ResourceKind;

template <class Text>
json::array texts(const std::vector<Text>& values) {
  json::array out;
  for (const Text& value : values) out.emplace_back(json::string_view(value.data(), value.size()));
  return out;
}

void add_link_change(std::vector<FieldChange>& changes, std::string name, const IdentityDraft::Difference& difference) {
  if (difference.empty()) return;
  changes.push_back({std::move(name), base::to_json(texts(difference.removed)), base::to_json(texts(difference.added))});
}

// --- users

json::object own_fields(const domain::User& user) {
  return {{"firstName", user.first_name},    {"surname", user.surname}, {"email", user.email},
          {"description", user.description}, {"enabled", user.enabled}, {"mustChangePassword", user.must_change_password}};
}

struct UserDocument {
  UserFields fields;
  domain::SecretReference password;
  bool force = false;
};

UserDocument read_user(const BundleDocument& document, std::vector<Finding>& findings) {
  UserDocument out;
  out.fields.login = document.name;
  const json::value spec(document.spec);
  base::ObjectReader reader(spec, "", findings);
  reader.text("firstName", out.fields.first_name, 0, 100).text("surname", out.fields.surname, 0, 100);
  reader.text("email", out.fields.email, 0, 254).text("description", out.fields.description, 0, 2000);
  reader.boolean("enabled", out.fields.enabled).boolean("mustChangePassword", out.fields.must_change_password);
  reader.boolean("force", out.force);
  if (const json::value* reference = reader.member("passwordFrom"))
    out.password = domain::read_secret_reference(*reference, "passwordFrom", findings);
  reader.finish();
  if (findings.empty()) {
    findings = Users::check(out.fields);
    for (Finding& finding : findings) {
      if (finding.path == "login") finding.path = "metadata.name";
    }
  }
  return out;
}

// Whether `password` may become the password of the user; what is wrong with it is a problem. Without a server nobody knows which
// policy will hold, unless the documents bring one: then it is only a warning.
bool keeps_policy(PlanContext& context, const BundleDocument& document, std::string_view password,
                  const IdentityDraft::DraftedUser& user) {
  const IdentityDraft& draft = *context.identity;
  std::vector<std::string> failed = domain::failed_password_rules(draft.policy(), password, user.after.login);
  if (failed.empty() && !user.is_new) {
    // Old hashes do not say under which pepper they were made. One that cannot be looked at may be the same password.
    std::optional<base::Error> not_checked;
    const auto same = [&](std::string_view phc) {
      const auto equal = draft.tools().hashing.verify(password, phc, "", domain::Address());
      if (!equal.ok()) not_checked = equal.error();
      return equal.ok() && *equal;
    };
    domain::User past = user.before;
    past.password_hash.clear();  // the present one is no change at all, and was looked at before
    failed = domain::failed_reuse_rules(draft.policy(), past, context.tools.now_ms, same);
    if (failed.empty() && not_checked) {
      context.problem(document, {"password", "secret", not_checked->message});
      return false;
    }
  }
  if (failed.empty()) return true;
  const bool known = !draft.offline() || context.document_of(ResourceKind::PasswordPolicy, "default") != nullptr;
  Finding finding{"password", "policy",
                  fmt::format("does not keep the {}password policy: {}", known ? "" : "default ", fmt::join(failed, ", "))};
  if (known) {
    context.problem(document, std::move(finding));
  } else {
    context.warning(document, std::move(finding));
  }
  return false;
}

// Sets the password of a user that is made, or with force; returns whether it was set.
bool plan_password(PlanContext& context, const BundleDocument& document, const UserDocument& wanted,
                   IdentityDraft::DraftedUser& user) {
  if (!user.is_new && !wanted.force) return false;
  const ResolvedSecret secret = resolve_secret(context, document, wanted.password, "password", "passwordFrom");
  if (secret.source != SecretSource::Given) return false;
  const std::string_view password = secret.value.reveal();
  IdentityDraft& draft = *context.identity;
  if (!user.before.password_hash.empty() && password.size() <= domain::kPasswordBytesMax) {
    const auto same =
        draft.tools().hashing.verify(password, user.before.password_hash, user.before.pepper_kid, domain::Address());
    if (!same.ok()) context.problem(document, {"password", "secret", same.error().message});
    if (!same.ok() || *same) return false;
  }
  if (!keeps_policy(context, document, password, user) || draft.offline()) return false;
  // Nobody will see the hash of a plan that is only looked at, and each costs as much as a sign-in.
  if (context.options.dry_run) return true;
  auto hashed = draft.tools().hashing.hash(password);
  if (!hashed.ok()) {
    context.problem(document, {"password", "secret", hashed.error().message});
    return false;
  }
  if (!user.is_new) domain::remember_past_password(draft.policy(), user.after, context.tools.now_ms);
  user.after.password_hash = std::move(hashed->phc);
  user.after.pepper_kid = std::move(hashed->pepper_kid);
  user.after.password_changed_at_ms = context.tools.now_ms;
  return true;
}

// As the same changes by hand: their events, and the end of the sessions.
base::Status note_user(IdentityDraft& draft, const IdentityDraft::DraftedUser& user, const std::vector<FieldChange>& changes,
                       bool password_set) {
  const domain::User& after = user.after;
  if (user.is_new) {
    auto fields = audited(member_changes({}, own_fields(after)));
    if (password_set) fields.push_back({"password", "", std::string(kHidden)});
    draft.note("user.created", "User", after.id, after.login, 1, fmt::format("User \"{}\" created", after.login),
               std::move(fields));
    return base::kDone;
  }
  const bool disabled = user.before.enabled && !after.enabled;
  if (!changes.empty()) {
    draft.note("user.changed", "User", after.id, after.login, 0,
               fmt::format("User \"{}\" {}", after.login, disabled ? "disabled" : "changed"), audited(changes));
  }
  if (password_set) {
    draft.note("password.reset", "User", after.id, after.login, 0, fmt::format("Set the password of \"{}\"", after.login),
               {{"password", std::string(kHidden), std::string(kHidden)}});
  }
  if (!disabled && !password_set) return base::kDone;
  return draft.end_sessions(user, disabled ? "the user was disabled" : "");
}

}  // namespace

void report_object(PlanContext& context, ResourceKind kind, const std::string& name, bool is_new, std::int64_t version,
                   std::vector<FieldChange> changes) {
  ObjectResult object{kind, name, ObjectOutcome::Unchanged, version, {}};
  if (is_new) {
    object.outcome = ObjectOutcome::Created;
  } else if (!changes.empty()) {
    object.outcome = ObjectOutcome::Changed;
    object.fields = std::move(changes);
  }
  context.plan.result.objects.push_back(std::move(object));
}

void plan_user(PlanContext& context, const BundleDocument& document) {
  std::vector<Finding> findings;
  const UserDocument wanted = read_user(document, findings);
  if (!context.report(document, findings)) return;
  IdentityDraft& draft = *context.identity;
  const auto found = draft.user(wanted.fields.login);
  if (!found.ok()) {
    context.problem(document, {"metadata.name", "unavailable", found.error().message});
    return;
  }
  IdentityDraft::DraftedUser* user = *found;
  if (user != nullptr && user->after.built_in) {
    context.problem(document, {"metadata.name", "value", "this user is built in and cannot be changed"});
    return;
  }
  if (user == nullptr) user = &draft.make_user(wanted.fields.login);
  domain::User& after = user->after;
  after.first_name = wanted.fields.first_name;
  after.surname = wanted.fields.surname;
  after.email = wanted.fields.email;
  after.description = wanted.fields.description;
  after.enabled = wanted.fields.enabled;
  // Signing in and a new password clear this mark; a document that repeats itself must not set it again.
  if (user->is_new || wanted.force) after.must_change_password = wanted.fields.must_change_password;
  const bool password_set = plan_password(context, document, wanted, *user);
  if (user->is_new && !password_set && !draft.offline())
    context.warning(document, {"passwordFrom", "missing", "there is no password: nobody can sign in as this user yet"});
  std::vector<FieldChange> changes;
  if (!user->is_new) changes = member_changes(own_fields(user->before), own_fields(after));
  if (const auto noted = note_user(draft, *user, changes, password_set); !noted.ok()) {
    context.problem(document, {"", "unavailable", noted.error().message});
    return;
  }
  if (password_set && !user->is_new) changes.push_back({"password", std::string(kHidden), std::string(kHidden)});
  user->own_changed = !changes.empty();
  report_object(context, ResourceKind::User, after.login, user->is_new, after.meta.version, std::move(changes));
}

namespace {

// Each link of a role to a group stands in one document: of a role that is built in with the group, which may not have been there
// before; of any other with the role. So no two documents can contradict each other. Without `roles` a group has what it has from
// the beginning: those that are built in their own, others none.
std::set<const BuiltIn*> read_built_in_roles(PlanContext& context, const BundleDocument& document, const std::string& group,
                                             const std::vector<std::string>& names) {
  std::set<const BuiltIn*> roles;
  if (!document.spec.contains("roles")) {
    if (const BuiltIn* own = built_in_of_group(group)) roles.insert(own);
    return roles;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string path = fmt::format("roles[{}]", i), name = base::printable(names[i], 100);
    if (const BuiltIn* role = built_in_of_role(names[i])) {
      roles.insert(role);
    } else if (context.identity->role(names[i]) != nullptr || context.document_of(ResourceKind::Role, names[i]) != nullptr) {
      context.problem(document,
                      {path, "value",
                       fmt::format("role \"{}\" is not built in: name this group in the userGroups of its own document", name)});
    } else {
      std::vector<std::string_view> known;
      for (const BuiltIn& one : kBuiltIns) known.push_back(one.role_name);
      const std::string_view meant = base::nearest(names[i], known);
      context.problem(document,
                      {path, "missing",
                       meant.empty() ? fmt::format("no built-in role is called \"{}\"; they are {}", name, fmt::join(known, ", "))
                                     : fmt::format("no built-in role is called \"{}\"; did you mean \"{}\"?", name, meant)});
    }
  }
  return roles;
}

}  // namespace

void plan_user_group(PlanContext& context, const BundleDocument& document) {
  std::vector<Finding> findings;
  UserGroupFields fields{document.name, {}};
  std::vector<std::string> logins, role_names;
  const json::value spec(document.spec);
  base::ObjectReader reader(spec, "", findings);
  reader.text("description", fields.description, 0, 2000).text_list("users", logins, 1'000'000, 100);
  reader.text_list("roles", role_names, 100, 100);
  reader.finish();
  check_name(fields.name, "metadata.name", findings);
  if (!context.report(document, findings)) return;
  IdentityDraft& draft = *context.identity;
  for (std::size_t i = 0; i < logins.size(); ++i) {
    const std::string path = fmt::format("users[{}]", i), login = std::exchange(logins[i], base::to_lower(logins[i]));
    if (draft.is_built_in_user(logins[i])) {
      context.problem(document, {path, "value", fmt::format("user \"{}\" is built in and has no groups", login)});
    } else if (!draft.offline() && draft.state_of(domain::IdentityKind::User, logins[i]) == IdentityState::Missing) {
      context.problem(document, {path, "missing", fmt::format("no such user \"{}\"", login)});
    }
  }
  std::sort(logins.begin(), logins.end());
  logins.erase(std::unique(logins.begin(), logins.end()), logins.end());
  const std::set<const BuiltIn*> roles = read_built_in_roles(context, document, fields.name, role_names);
  IdentityDraft::DraftedGroup* group = draft.group(fields.name);
  if (group == nullptr) group = &draft.make_group(fields.name);
  std::vector<FieldChange> changes;
  // What a built-in group is for stands in its description.
  if (!group->after.built_in) {
    group->after.description = fields.description;
    changes = member_changes({{"description", group->before.description}}, {{"description", fields.description}});
    group->own_changed = !changes.empty();
  }
  if (group->is_new) {
    changes.clear();
    draft.note("group.created", "UserGroup", group->after.id, fields.name, 1,
               fmt::format("User group \"{}\" created", fields.name));
  } else if (group->own_changed) {
    draft.note("group.changed", "UserGroup", group->after.id, fields.name, 0,
               fmt::format("User group \"{}\" changed", fields.name), audited(changes));
  }
  const auto difference = draft.set_members(*group, logins);
  if (!difference.ok()) {
    context.problem(document, {"users", "unavailable", difference.error().message});
    return;
  }
  if (!group->is_new) add_link_change(changes, "users", *difference);
  const auto given = draft.set_built_in_roles(*group, roles);
  if (!group->is_new) add_link_change(changes, "roles", given);
  report_object(context, ResourceKind::UserGroup, fields.name, group->is_new, group->after.meta.version, std::move(changes));
}

namespace {

// `inside`: of a role of an application.
domain::PrivilegeSet read_privileges(const std::vector<std::string>& names, bool inside, std::vector<Finding>& findings) {
  std::vector<std::string_view> known;
  for (const domain::PrivilegeInfo& info : domain::privilege_table()) known.push_back(info.name);
  domain::PrivilegeSet set;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const auto privilege = domain::parse_privilege(names[i])) {
      const domain::PrivilegeInfo& info = domain::privilege_info(*privilege);
      if (inside && !info.scopable)
        findings.push_back({fmt::format("privileges[{}]", i), "value", not_inside_an_application(info)});
      set.add(*privilege);
      continue;
    }
    const std::string_view nearest = base::nearest(names[i], known);
    findings.push_back({fmt::format("privileges[{}]", i), "value",
                        nearest.empty() ? fmt::format("no such privilege \"{}\"", base::printable(names[i], 100))
                                        : fmt::format("no such privilege \"{}\"; did you mean \"{}\"?",
                                                      base::printable(names[i], 100), nearest)});
  }
  return set;
}

// The id of the application that a role is to be in; "" of none. Without a server nobody knows whether it exists.
std::string application_of(IdentityDraft& draft, const BundleDocument& document, std::vector<Finding>& findings) {
  const std::string& name = document.application;
  if (name.empty()) return {};
  if (const IdentityDraft::DraftedApplication* application = draft.application(name)) return application->after.id;
  if (draft.offline()) return name;
  findings.push_back(
      {"metadata.application", "missing", fmt::format("there is no application \"{}\"", base::printable(name, 100))});
  return {};
}

}  // namespace

void plan_role(PlanContext& context, const BundleDocument& document) {
  std::vector<Finding> findings;
  std::string name = document.name, description;
  std::vector<std::string> names, group_names;
  const json::value spec(document.spec);
  base::ObjectReader reader(spec, "", findings);
  reader.text("description", description, 0, 2000).text_list("privileges", names, domain::kPrivilegeCount, 100);
  reader.text_list("userGroups", group_names, 10'000, 100);
  reader.finish();
  check_name(name, "metadata.name", findings);
  const domain::PrivilegeSet privileges = read_privileges(names, !document.application.empty(), findings);
  IdentityDraft& draft = *context.identity;
  const std::string application = application_of(draft, document, findings);
  if (!context.report(document, findings)) return;
  IdentityDraft::DraftedRole* role = draft.role(name, application);
  if (role != nullptr && role->after.built_in) {
    context.problem(document,
                    {"metadata.name", "value", "this role is built in and cannot be changed; groups name it in their roles"});
    return;
  }
  std::vector<IdentityDraft::DraftedGroup*> groups;
  for (std::size_t i = 0; i < group_names.size(); ++i) {
    if (IdentityDraft::DraftedGroup* group = draft.group(group_names[i])) {
      groups.push_back(group);
    } else if (!draft.offline()) {
      context.problem(document,
                      {fmt::format("userGroups[{}]", i), "missing", fmt::format("no such user group \"{}\"", group_names[i])});
    }
  }
  if (role == nullptr) role = &draft.make_role(name, application);
  role->after.description = description;
  role->after.privileges = privileges;
  const std::string inside = draft.application_name(application);
  const auto fields = [&](const domain::Role& of) {
    json::object out{{"description", of.description}, {"privileges", texts(domain::privilege_names(of.privileges))}};
    if (!inside.empty()) out["application"] = inside;
    return out;
  };
  const std::string title = role_title(inside, name);
  std::vector<FieldChange> changes;
  if (!role->is_new) changes = member_changes(fields(role->before), fields(role->after));
  role->own_changed = !changes.empty();
  if (role->is_new || role->own_changed) {
    draft.note(role->is_new ? "role.created" : "role.changed", "Role", role->after.id, name, 0,
               fmt::format("Role \"{}\" {}", name, role->is_new ? "created" : "changed"),
               audited(role->is_new ? member_changes({}, fields(role->after)) : changes));
  }
  // A role's place in a group belongs to the group: membership events tell of it, and the group's version grows.
  const IdentityDraft::Difference difference = draft.set_groups(*role, groups);
  if (!role->is_new) add_link_change(changes, "userGroups", difference);
  report_object(context, ResourceKind::Role, title, role->is_new, role->after.meta.version, std::move(changes));
}

void plan_password_policy(PlanContext& context, const BundleDocument& document) {
  std::vector<Finding> findings;
  const json::value spec(document.spec);
  domain::PasswordPolicy policy = domain::read_password_policy(spec, findings);
  if (document.name != "default") findings.push_back({"metadata.name", "value", "there is one password policy: default"});
  if (!context.report(document, findings)) return;
  const domain::PasswordPolicy before =
      context.identity->offline() ? domain::PasswordPolicy() : context.identity->tools().directory->password_policy();
  policy.meta = before.meta;
  std::vector<FieldChange> changes = member_changes(domain::password_policy_json(before), domain::password_policy_json(policy));
  if (!changes.empty()) context.identity->set_policy(policy, audited(changes));
  const std::int64_t version = before.meta.version + (changes.empty() ? 0 : 1);
  report_object(context, ResourceKind::PasswordPolicy, "default", false, version, std::move(changes));
}

void plan_privilege_audit(PlanContext& context, const BundleDocument& document) {
  std::vector<Finding> findings;
  bool audit = false;
  const json::value spec(document.spec);
  base::ObjectReader reader(spec, "", findings);
  reader.boolean("auditAction", audit);
  reader.finish();
  const auto privilege = domain::parse_privilege(document.name);
  if (!privilege) findings.push_back({"metadata.name", "value", "no such privilege"});
  if (!context.report(document, findings)) return;
  std::vector<FieldChange> changes;
  if (!context.identity->offline()) {
    // Several documents of one apply each speak of one privilege.
    domain::PrivilegeSet& audited_now = context.audited_privileges;
    const bool before = audited_now.has(*privilege);
    if (before != audit) {
      changes.push_back({"auditAction", before ? "true" : "false", audit ? "true" : "false"});
      audit ? audited_now.add(*privilege) : audited_now.remove(*privilege);
      context.identity->set_audited(audited_now, {{document.name, before ? "true" : "false", audit ? "true" : "false"}});
    }
  }
  report_object(context, ResourceKind::PrivilegeAudit, document.name, false, 0, std::move(changes));
}

}  // namespace funcgate::service
