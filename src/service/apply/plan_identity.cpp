#include "service/apply/plan_identity.h"

#include <algorithm>

#include "base/text.h"
#include "domain/api_auth_document.h"
#include "domain/password_policy.h"
#include "domain/password_policy_json.h"
#include "service/admin/identity_rules.h"
#include "service/admin/user_groups.h"
#include "service/admin/users.h"
#include "service/apply/secrets.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using base::Finding;
using domain::ResourceKind;

json::array texts(const std::vector<std::string>& values) {
  json::array out;
  for (const std::string& value : values) out.emplace_back(value);
  return out;
}

std::vector<domain::AuditFieldChange> audited(const std::vector<FieldChange>& changes) {
  std::vector<domain::AuditFieldChange> out;
  for (const FieldChange& change : changes) out.push_back({change.name, change.before, change.after});
  return out;
}

void report_object(PlanContext& context, ResourceKind kind, const std::string& name, bool is_new, std::int64_t version,
                   std::vector<FieldChange> changes) {
  const bool changed = !changes.empty();
  ObjectResult object{kind, name, ObjectOutcome::Unchanged, version, {}};
  if (is_new) {
    object.outcome = ObjectOutcome::Created;
  } else if (changed) {
    object.outcome = ObjectOutcome::Changed;
    object.version = version + 1;
    object.fields = std::move(changes);
  }
  context.plan.result.objects.push_back(std::move(object));
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

// Sets the password of a user that is made, or with force; returns whether it was set.
bool plan_password(PlanContext& context, const BundleDocument& document, const UserDocument& wanted,
                   IdentityDraft::DraftedUser& user) {
  if (!user.is_new && !wanted.force) return false;
  const ResolvedSecret secret = resolve_secret(context, document, wanted.password, "password", "passwordFrom");
  if (secret.source != SecretSource::Given) return false;
  IdentityDraft& draft = *context.identity;
  const domain::PasswordPolicy policy = draft.offline() ? domain::PasswordPolicy() : draft.tools().directory->password_policy();
  const auto failed = domain::failed_password_rules(policy, secret.value.reveal(), user.after.login);
  if (!failed.empty()) {
    context.problem(document,
                    {"password", "policy", fmt::format("does not keep the password policy: {}", fmt::join(failed, ", "))});
    return false;
  }
  if (draft.offline()) return false;
  PasswordHashing& hashing = draft.tools().hashing;
  if (!user.before.password_hash.empty()) {
    const auto same = hashing.verify(secret.value.reveal(), user.before.password_hash, user.before.pepper_kid, domain::Address());
    if (same.ok() && *same) return false;
  }
  auto hashed = hashing.hash(secret.value.reveal());
  if (!hashed.ok()) {
    context.problem(document, {"password", "secret", hashed.error().message});
    return false;
  }
  if (!user.is_new) domain::remember_past_password(policy, user.after, context.tools.now_ms);
  user.after.password_hash = std::move(hashed->phc);
  user.after.pepper_kid = std::move(hashed->pepper_kid);
  user.after.password_changed_at_ms = context.tools.now_ms;
  return true;
}

}  // namespace

void plan_user(PlanContext& context, const BundleDocument& document) {
  std::vector<Finding> findings;
  const UserDocument wanted = read_user(document, findings);
  if (!context.report(document, findings)) return;
  IdentityDraft& draft = *context.identity;
  IdentityDraft::DraftedUser* user = draft.user(wanted.fields.login);
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
  if (password_set && !user->is_new) changes.push_back({"password", std::string(kHidden), std::string(kHidden)});
  user->own_changed = !changes.empty();
  if (user->is_new) {
    draft.note("user.created", "User", after.id, after.login, 1, fmt::format("User \"{}\" created", after.login),
               audited(member_changes({}, own_fields(after))));
  } else if (user->own_changed) {
    draft.note("user.changed", "User", after.id, after.login, after.meta.version + 1,
               fmt::format("User \"{}\" changed", after.login), audited(changes));
  }
  report_object(context, ResourceKind::User, after.login, user->is_new, after.meta.version, std::move(changes));
}

void plan_user_group(PlanContext& context, const BundleDocument& document) {
  std::vector<Finding> findings;
  UserGroupFields fields{document.name, {}};
  std::vector<std::string> logins;
  const json::value spec(document.spec);
  base::ObjectReader reader(spec, "", findings);
  reader.text("description", fields.description, 0, 2000).text_list("users", logins, 1'000'000, 100);
  reader.finish();
  check_name(fields.name, "metadata.name", findings);
  if (!context.report(document, findings)) return;
  IdentityDraft& draft = *context.identity;
  std::vector<IdentityDraft::DraftedUser*> members;
  for (std::size_t i = 0; i < logins.size(); ++i) {
    IdentityDraft::DraftedUser* user = draft.user(base::to_lower(logins[i]));
    const std::string path = fmt::format("users[{}]", i);
    if (user != nullptr && !user->after.built_in) {
      members.push_back(user);
    } else if (user != nullptr) {
      context.problem(document, {path, "value", fmt::format("user \"{}\" is built in and has no groups", logins[i])});
    } else if (!draft.offline()) {
      context.problem(document, {path, "missing", fmt::format("no such user \"{}\"", logins[i])});
    }
  }
  IdentityDraft::DraftedGroup* group = draft.group(fields.name);
  if (group == nullptr) group = &draft.make_group(fields.name);
  std::vector<FieldChange> changes;
  // What a built-in group is for stands in its description.
  if (!group->after.built_in) {
    group->after.description = fields.description;
    changes = member_changes({{"description", group->before.description}}, {{"description", fields.description}});
    group->own_changed = !changes.empty();
  }
  const auto difference = draft.set_members(*group, members);
  if (!difference.ok()) {
    context.problem(document, {"users", "unavailable", difference.error().message});
    return;
  }
  if (group->is_new) {
    changes.clear();
    draft.note("group.created", "UserGroup", group->after.id, fields.name, 1,
               fmt::format("User group \"{}\" created", fields.name));
  } else if (group->own_changed) {
    draft.note("group.changed", "UserGroup", group->after.id, fields.name, group->after.meta.version + 1,
               fmt::format("User group \"{}\" changed", fields.name), audited(changes));
  }
  if (!group->is_new) add_link_change(changes, "users", *difference);
  report_object(context, ResourceKind::UserGroup, fields.name, group->is_new, group->after.meta.version, std::move(changes));
}

namespace {

json::array privilege_names(domain::PrivilegeSet set) {
  json::array out;
  for (const domain::PrivilegeInfo& info : domain::privilege_table()) {
    if (set.has(info.privilege)) out.emplace_back(std::string(info.name));
  }
  return out;
}

domain::PrivilegeSet read_privileges(const std::vector<std::string>& names, std::vector<Finding>& findings) {
  std::vector<std::string_view> known;
  for (const domain::PrivilegeInfo& info : domain::privilege_table()) known.push_back(info.name);
  domain::PrivilegeSet set;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const auto privilege = domain::parse_privilege(names[i])) {
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
  const domain::PrivilegeSet privileges = read_privileges(names, findings);
  if (!document.application.empty())
    findings.push_back({"metadata.application", "missing", fmt::format("there is no application \"{}\"", document.application)});
  if (!context.report(document, findings)) return;
  IdentityDraft& draft = *context.identity;
  IdentityDraft::DraftedRole* role = draft.role(name);
  if (role != nullptr && role->after.built_in) {
    context.problem(document, {"metadata.name", "value", "this role is built in and cannot be changed; make another one"});
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
  if (role == nullptr) role = &draft.make_role(name);
  role->after.description = description;
  role->after.privileges = privileges;
  const auto fields = [](const domain::Role& of) {
    return json::object{{"description", of.description}, {"privileges", privilege_names(of.privileges)}};
  };
  std::vector<FieldChange> changes;
  if (!role->is_new) changes = member_changes(fields(role->before), fields(role->after));
  role->own_changed = !changes.empty();
  const IdentityDraft::Difference difference = draft.set_groups(*role, groups);
  std::vector<FieldChange> all = changes;
  if (!role->is_new) add_link_change(all, "userGroups", difference);
  if (role->is_new) {
    all = member_changes({}, fields(role->after));
    add_link_change(all, "userGroups", difference);
  }
  if (role->is_new || !all.empty()) {
    draft.note(role->is_new ? "role.created" : "role.changed", "Role", role->after.id, name, role->after.meta.version,
               fmt::format("Role \"{}\" {}", name, role->is_new ? "created" : "changed"), audited(all));
  }
  if (role->is_new) all.clear();
  report_object(context, ResourceKind::Role, name, role->is_new, role->after.meta.version, std::move(all));
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
  report_object(context, ResourceKind::PasswordPolicy, "default", false, before.meta.version, std::move(changes));
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
