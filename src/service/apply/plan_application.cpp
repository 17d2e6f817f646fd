// Planning of applications and their access lists.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "service/admin/applications.h"
#include "service/admin/identity_rules.h"
#include "service/apply/plan_identity.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using base::Finding;
using domain::ResourceKind;

// As the list will read: by names of groups.
json::object access_of(const IdentityDraft& draft, const domain::AccessList& access) {
  std::vector<std::string> names;
  for (const std::string& id : access.groups) {
    if (std::string name = draft.group_name(id); !name.empty()) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  json::array groups;
  for (const std::string& name : names) groups.emplace_back(name);
  return {{"allUsers", access.all_users}, {"groups", std::move(groups)}};
}

json::object own_fields(const IdentityDraft& draft, const domain::Application& application) {
  return {{"description", application.description}, {"access", access_of(draft, application.access)}};
}

// Groups of this very bundle count as there; without a server all do.
domain::AccessList resolved_access(PlanContext& context, const BundleDocument& document, const ApplicationFields& fields) {
  IdentityDraft& draft = *context.identity;
  domain::AccessList access{.all_users = fields.all_users, .groups = {}};
  for (std::size_t i = 0; i < fields.groups.size(); ++i) {
    if (const IdentityDraft::DraftedGroup* group = draft.group(fields.groups[i])) {
      set_link(access.groups, group->after.id, true);
    } else if (!draft.offline()) {
      context.problem(document, {fmt::format("access.groups[{}]", i), "missing",
                                 fmt::format("no such user group \"{}\"", base::printable(fields.groups[i], 100))});
    }
  }
  return access;
}

}  // namespace

void plan_application(PlanContext& context, const BundleDocument& document) {
  std::vector<Finding> findings;
  ApplicationFields fields;
  fields.name = document.name;
  const json::value spec(document.spec);
  base::ObjectReader reader(spec, "", findings);
  reader.text("description", fields.description, 0, kDescriptionCharactersMax);
  read_access(reader.member("access"), fields, findings);
  reader.finish();
  if (findings.empty()) findings = Applications::check(fields);
  for (Finding& finding : findings) {
    if (finding.path == "name") finding.path = "metadata.name";
  }
  if (!document.application.empty())
    findings.push_back({"metadata.application", "unknown", "an application does not belong to another"});
  if (!context.report(document, findings)) return;
  IdentityDraft& draft = *context.identity;
  IdentityDraft::DraftedApplication* application = draft.application(fields.name);
  if (application == nullptr) application = &draft.make_application(fields.name);
  application->after.description = fields.description;
  application->after.access = resolved_access(context, document, fields);
  std::vector<FieldChange> changes;
  if (!application->is_new)
    changes = member_changes(own_fields(draft, application->before), own_fields(draft, application->after));
  application->own_changed = !changes.empty();
  if (application->is_new || application->own_changed) {
    draft.note(application->is_new ? "application.created" : "application.changed", "Application", application->after.id,
               application->after.name, 0,
               fmt::format("Application \"{}\" {}", application->after.name, application->is_new ? "created" : "changed"),
               audited(application->is_new ? member_changes({}, own_fields(draft, application->after)) : changes));
  }
  report_object(context, ResourceKind::Application, application->after.name, application->is_new, application->after.meta.version,
                std::move(changes));
}

}  // namespace funcgate::service
