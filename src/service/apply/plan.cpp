#include "service/apply/plan.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "domain/env_variable_json.h"
#include "service/admin/identity_references.h"
#include "service/apply/document_kinds.h"
#include "service/apply/identity_draft.h"
#include "service/apply/plan_context.h"
#include "service/apply/plan_identity.h"
#include "service/apply/plan_secret_key.h"
#include "service/apply/secrets.h"

namespace funcgate::service {
namespace {

using base::Finding;
using domain::Configuration;
using domain::ResourceChange;
using domain::ResourceKind;

struct KnownKind {
  ResourceKind kind;
  void (*plan)(PlanContext&, const BundleDocument&);
};

// In the order in which objects may refer to each other: what is referred to comes first.
// Passwords of users are judged by the policy that comes with them.
constexpr KnownKind kKinds[] = {{ResourceKind::PasswordPolicy, plan_password_policy},
                                {ResourceKind::User, plan_user},
                                {ResourceKind::UserGroup, plan_user_group},
                                {ResourceKind::Application, plan_application},
                                {ResourceKind::Role, plan_role},
                                {ResourceKind::PrivilegeAudit, plan_privilege_audit},
                                {ResourceKind::SecretKey, plan_secret_key},
                                {ResourceKind::EnvVariable, plan_env_variable},
                                {ResourceKind::ScriptSet, plan_script_set},
                                {ResourceKind::ApiAuthentication, plan_api_authentication},
                                {ResourceKind::FuncApi, plan_function_api}};
static_assert(std::size(kKinds) == std::size(kDocumentKinds));

const KnownKind* kind_of(const BundleDocument& document) {
  const auto* found =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](const KnownKind& k) { return kind_name(k.kind) == document.kind; });
  return found == std::end(kKinds) ? nullptr : found;
}

// A secret key's name is unique for its owner only, a role's within its application.
std::string mentioned_id(ResourceKind kind, const BundleDocument& document) {
  if (kind == ResourceKind::SecretKey) return secret_key_id(document);
  const bool inside = kind == ResourceKind::Role && !document.application.empty();
  return inside ? role_key(document.application, document.name) : document.name;
}

// Indexes the documents; those of unknown kind and repetitions are problems.
void index_documents(PlanContext& context, const Bundle& bundle) {
  for (const BundleDocument& document : bundle.documents) {
    context.report(document, document.findings);
    const KnownKind* known = kind_of(document);
    if (known == nullptr) {
      if (document.kind.empty()) continue;  // the frame's finding says so
      context.problem(document, {"kind", "value",
                                 fmt::format("this release knows the kinds {}, not \"{}\"",
                                             fmt::join(document_kind_names(), ", "), base::printable(document.kind, 60))});
      continue;
    }
    const std::string id = mentioned_id(known->kind, document);
    const auto [entry, added] = context.mentioned.emplace(std::pair(known->kind, id), &document);
    if (added) continue;
    const BundleDocument& first = *entry->second;
    context.problem(document, {"id", "duplicate",
                               fmt::format("{} {} is written twice, first at {}:{}", document.kind,
                                           base::printable(document.name, 100), first.file, first.line_of("id"))});
  }
}

template <class T>
void remove_unmentioned(PlanContext& context, ResourceKind kind, std::map<std::string, domain::Stored<T>, std::less<>>& objects) {
  for (auto entry = objects.begin(); entry != objects.end();) {
    const bool ours = !entry->second.meta.apply_set.empty() && entry->second.meta.apply_set == context.options.set;
    if (!ours || context.document_of(kind, entry->first) != nullptr) {
      ++entry;
      continue;
    }
    context.plan.result.objects.push_back({kind, entry->first, ObjectOutcome::Pruned, entry->second.meta.version, {}});
    entry = objects.erase(entry);
  }
}

void remove_scripts_without_set(Configuration& next) {
  std::erase_if(next.scripts, [&](const auto& entry) { return !next.script_sets.contains(entry.second.value.set_id); });
}

// What refers to an object that shall go. Nothing does to a secret key, and no list of roles means one of an application.
std::vector<std::string> users_of(PlanContext& context, const ObjectResult& object) {
  const Configuration& next = context.plan.next;
  switch (object.kind) {
    case ResourceKind::User: return references_in(next, domain::IdentityKind::User, "", object.id);
    case ResourceKind::UserGroup: {
      std::vector<std::string> users = references_in(next, domain::IdentityKind::UserGroup, "", object.id);
      for (std::string& application : context.identity->users_of_group(object.id)) users.push_back(std::move(application));
      return users;
    }
    case ResourceKind::Role: return references_in(next, domain::IdentityKind::Role, "", object.id);
    case ResourceKind::Application: {
      auto users = context.identity->users_of_application(object.id);
      if (users.ok()) return std::move(*users);
      return {fmt::format("nobody knows what: {}", users.error().message)};
    }
    case ResourceKind::ScriptSet:
    case ResourceKind::Script:
    case ResourceKind::ApiAuthentication:
    case ResourceKind::FuncApi:
    case ResourceKind::EnvVariable:
    case ResourceKind::PasswordPolicy:
    case ResourceKind::PrivilegeAudit:
    case ResourceKind::SecretKey: break;
  }
  return {};
}

// Names of identities are the same whatever the case of their letters.
void prune_identities(PlanContext& context) {
  std::set<std::pair<ResourceKind, std::string>> mentioned;
  for (const auto& [key, document] : context.mentioned) mentioned.emplace(key.first, base::to_lower(key.second));
  std::vector<ObjectResult>& objects = context.plan.result.objects;
  const std::size_t first = objects.size();
  const auto status = context.identity->prune(
      [&](ResourceKind kind, std::string_view name) { return mentioned.contains({kind, base::to_lower(name)}); }, objects);
  if (!status.ok()) context.plan.result.problems.push_back({"", 0, "", "", {"", "unavailable", status.error().message}});
  for (std::size_t i = first; i < objects.size(); ++i) {
    for (std::string& user : users_of(context, objects[i])) {
      context.plan.result.problems.push_back({"",
                                              0,
                                              std::string(kind_name(objects[i].kind)),
                                              objects[i].id,
                                              {"", "in_use", fmt::format("is still used by {}", user)}});
      context.plan.result.used_by.push_back(std::move(user));
    }
  }
}

// Referring objects first, so that the report reads like the work.
void prune(PlanContext& context) {
  Configuration& next = context.plan.next;
  remove_unmentioned(context, ResourceKind::FuncApi, next.function_apis);
  remove_unmentioned(context, ResourceKind::ApiAuthentication, next.api_authentications);
  remove_unmentioned(context, ResourceKind::ScriptSet, next.script_sets);
  remove_unmentioned(context, ResourceKind::EnvVariable, next.env_variables);
  remove_scripts_without_set(next);
  prune_identities(context);
}

void remove_by_hand(PlanContext& context, const Removal& removal) {
  Configuration& next = context.plan.next;
  std::size_t removed = 0;
  switch (removal.kind) {
    case ResourceKind::FuncApi: removed = next.function_apis.erase(removal.id); break;
    case ResourceKind::ApiAuthentication: removed = next.api_authentications.erase(removal.id); break;
    case ResourceKind::ScriptSet: removed = next.script_sets.erase(removal.id); break;
    case ResourceKind::EnvVariable: removed = next.env_variables.erase(removal.id); break;
    case ResourceKind::Script:  // goes with its set
    case ResourceKind::User:    // identities are removed by their own use cases
    case ResourceKind::UserGroup:
    case ResourceKind::Role:
    case ResourceKind::PasswordPolicy:
    case ResourceKind::PrivilegeAudit:
    case ResourceKind::SecretKey:
    case ResourceKind::Application: break;
  }
  remove_scripts_without_set(next);
  if (removed == 1) {
    context.plan.result.objects.push_back({removal.kind, removal.id, ObjectOutcome::Deleted, 0, {}});
  } else {
    context.plan.result.problems.push_back(
        {"", 0, std::string(kind_name(removal.kind)), removal.id, {"", "missing", "does not exist"}});
  }
}

template <class T>
void add_changes(const std::map<std::string, domain::Stored<T>, std::less<>>& before,
                 const std::map<std::string, domain::Stored<T>, std::less<>>& after, ResourceKind kind,
                 std::optional<domain::Stored<T>> ResourceChange::* member, std::vector<ResourceChange>& changes) {
  for (const auto& [id, stored] : after) {
    const auto old = before.find(id);
    if (old != before.end() && old->second.meta.version == stored.meta.version &&
        old->second.meta.created_at_ms == stored.meta.created_at_ms)
      continue;
    ResourceChange change{.kind = kind, .id = id};
    change.*member = stored;
    changes.push_back(std::move(change));
  }
  for (const auto& [id, stored] : before) {
    if (!after.contains(id)) changes.push_back({.kind = kind, .id = id, .deleted = true});
  }
}

std::vector<ResourceChange> changes_between(const Configuration& before, const Configuration& after) {
  std::vector<ResourceChange> changes;
  add_changes(before.env_variables, after.env_variables, ResourceKind::EnvVariable, &ResourceChange::env_variable, changes);
  add_changes(before.script_sets, after.script_sets, ResourceKind::ScriptSet, &ResourceChange::script_set, changes);
  add_changes(before.scripts, after.scripts, ResourceKind::Script, &ResourceChange::script, changes);
  add_changes(before.api_authentications, after.api_authentications, ResourceKind::ApiAuthentication,
              &ResourceChange::api_authentication, changes);
  add_changes(before.function_apis, after.function_apis, ResourceKind::FuncApi, &ResourceChange::function_api, changes);
  return changes;
}

// Reads the secret or plain value of a variable into `variable`; returns what changed about a password.
std::vector<FieldChange> plan_env_value(PlanContext& context, const BundleDocument& document,
                                        const domain::SecretReference& reference, domain::EnvVariable& variable,
                                        const domain::EnvVariable* old) {
  const ResolvedSecret secret = resolve_secret(context, document, reference, "value", "valueFrom");
  const bool had_password = old != nullptr && old->type == domain::EnvType::Password && !old->value.empty();
  if (secret.source == SecretSource::Failed || secret.source == SecretSource::Unknown) return {};
  if (secret.source != SecretSource::Given) {
    if (had_password) {
      variable.value = old->value;
    } else if ((old != nullptr && old->type == domain::EnvType::Password) || secret.source == SecretSource::Keep) {
      context.warning(document, {"value", "missing", "is not set: scripts get their default until it is"});
    } else if (!context.offline()) {
      context.problem(document, {"value", "missing", "a new password needs a value"});
    }
    return {};
  }
  if (const auto fits = domain::env_value_json(domain::EnvType::Password, secret.value.reveal()); !fits.ok()) {
    context.problem(document, {"value", "value", fits.error().message});
    return {};
  }
  if (context.offline()) return {};
  const auto bound_to = {std::string_view("env"), std::string_view(variable.id)};
  if (had_password) {
    const auto opened = context.tools.vault->open(old->value, bound_to);
    if (opened.ok() && *opened == secret.value) {
      variable.value = old->value;
      return {};
    }
  }
  auto sealed = context.tools.vault->seal(secret.value.reveal(), bound_to);
  if (!sealed.ok()) {
    context.problem(document, {"value", "secret", sealed.error().message});
    return {};
  }
  variable.value = std::move(*sealed);
  return {{"value", {}, std::string(kHidden)}};
}

}  // namespace

void plan_env_variable(PlanContext& context, const BundleDocument& document) {
  std::vector<Finding> findings;
  base::json::object spec = document.spec;
  domain::SecretReference reference;
  if (const base::json::value* given = spec.if_contains("valueFrom")) {
    reference = domain::read_secret_reference(*given, "valueFrom", findings);
    spec.erase("valueFrom");
  }
  const base::json::value* type = spec.if_contains("type");
  const bool is_password = type != nullptr && *type == base::json::value("password");
  if (!is_password && findings.empty() && reference.origin != domain::SecretOrigin::None) {
    // Of other types the value is no secret: it becomes the document's own.
    const auto given = document.secrets.find("value");
    if (spec.contains("value") || reference.origin == domain::SecretOrigin::Keystore ||
        reference.origin == domain::SecretOrigin::Keep) {
      findings.push_back({"valueFrom", "value", "a value that is no password comes from value, env or file"});
    } else if (given != document.secrets.end()) {
      spec["value"] = given->second.reveal();
    }
  }
  domain::EnvVariable variable = domain::read_env_variable(document.name, spec, findings);
  if (!context.report(document, findings)) return;
  auto& objects = context.plan.next.env_variables;
  const auto found = objects.find(variable.id);
  const domain::EnvVariable* old = found == objects.end() ? nullptr : &found->second.value;
  const std::size_t problems_before = context.plan.result.problems.size();
  std::vector<FieldChange> secret_changes;
  if (is_password) secret_changes = plan_env_value(context, document, reference, variable, old);
  if (context.plan.result.problems.size() != problems_before) return;
  std::vector<FieldChange> changes;
  if (old != nullptr) {
    changes = member_changes(without_reports(domain::to_public_spec(*old)), without_reports(domain::to_public_spec(variable)));
    changes.insert(changes.end(), secret_changes.begin(), secret_changes.end());
  }
  context.place(ResourceKind::EnvVariable, objects, std::move(variable), std::move(changes));
}

Plan make_plan(const Configuration& current, const domain::GenerationPtr& generation, const Bundle& bundle,
               const std::vector<Removal>& removals, const ApplyOptions& options, const PlanTools& tools) {
  Plan plan;
  plan.next = current;
  IdentityDraft draft(tools.people, options, tools.now_ms);
  PlanTools with_drafts = tools;
  // Users, groups and roles of this very bundle count as there.
  if (tools.people != nullptr)
    with_drafts.identity = [&draft](domain::IdentityKind kind, std::string_view name) { return draft.state_of(kind, name); };
  PlanContext context{current, options, with_drafts, plan, {}, &draft, {}};
  if (tools.people != nullptr) context.audited_privileges = tools.people->directory->audited_privileges();
  index_documents(context, bundle);
  for (const KnownKind& kind : kKinds) {
    for (const auto& [key, document] : context.mentioned) {
      if (key.first != kind.kind || !document->findings.empty()) continue;
      if (domain::is_identity_kind(kind.kind) && !context.offline() && tools.people == nullptr) {
        context.problem(*document, {"kind", "value", "users, groups and roles are not kept here"});
      } else {
        kind.plan(context, *document);
      }
    }
  }
  if (options.prune && !options.by_hand) prune(context);
  for (const Removal& removal : removals) remove_by_hand(context, removal);
  check_references(context);
  stage_and_check_functions(context, generation);
  for (ObjectResult& object : plan.result.objects) {
    if (const auto version = draft.version_after(object.kind, object.id)) object.version = *version;
  }
  if (context.clean()) {
    plan.result.changes = changes_between(current, plan.next);
    draft.finish(plan.result.identity);
  }
  std::sort(plan.result.problems.begin(), plan.result.problems.end(), comes_before);
  return plan;
}

}  // namespace funcgate::service
