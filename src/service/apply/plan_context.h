// PlanContext: what the parts of one plan share. Internal to apply/.
//
// Thread-safety: one plan, one thread.
#pragma once

#include <fmt/format.h>

#include <set>
#include <string>
#include <utility>

#include "service/apply/member_changes.h"
#include "service/apply/plan.h"

namespace funcgate::service {

class IdentityDraft;

struct PlanContext {
  const domain::Configuration& current;
  const ApplyOptions& options;
  const PlanTools& tools;
  Plan& plan;
  // Objects that a document of the bundle speaks about.
  std::map<std::pair<domain::ResourceKind, std::string>, const BundleDocument*> mentioned;
  IdentityDraft* identity = nullptr;  // never null while documents are planned
  domain::PrivilegeSet audited_privileges;

  bool offline() const { return tools.codec == nullptr; }
  bool clean() const { return plan.result.problems.empty(); }
  const BundleDocument* document_of(domain::ResourceKind kind, const std::string& id) const {
    const auto found = mentioned.find({kind, id});
    return found == mentioned.end() ? nullptr : found->second;
  }

  static Problem located(const BundleDocument& document, base::Finding finding) {
    const std::int64_t line = document.line_of(finding.path);
    return Problem{document.file, line, document.kind, document.name, std::move(finding)};
  }
  void problem(const BundleDocument& document, base::Finding finding) {
    plan.result.problems.push_back(located(document, std::move(finding)));
  }
  void warning(const BundleDocument& document, base::Finding finding) {
    plan.result.warnings.push_back(located(document, std::move(finding)));
  }
  // True if there is nothing to report.
  bool report(const BundleDocument& document, const std::vector<base::Finding>& findings) {
    for (const base::Finding& finding : findings) problem(document, finding);
    return findings.empty();
  }

  // Puts `value` into `objects` as created, changed (if `changes` says so) or unchanged, with version and times.
  template <class T>
  void place(domain::ResourceKind kind, std::map<std::string, domain::Stored<T>, std::less<>>& objects, T value,
             std::vector<FieldChange> changes) {
    const auto found = objects.find(value.id);
    ObjectResult object{kind, value.id, ObjectOutcome::Unchanged, 1, {}};
    if (found == objects.end()) {
      object.outcome = ObjectOutcome::Created;
      value.version = 1;
      domain::ResourceMeta meta{1, tools.now_ms, tools.now_ms, options.by_hand ? std::string() : options.set};
      objects.emplace(object.id, domain::Stored<T>{std::move(value), std::move(meta)});
    } else if (!changes.empty()) {
      object.outcome = ObjectOutcome::Changed;
      object.fields = std::move(changes);
      domain::Stored<T>& stored = found->second;
      ++stored.meta.version;
      stored.meta.updated_at_ms = tools.now_ms;
      stored.value = std::move(value);
      stored.value.version = stored.meta.version;
      object.version = stored.meta.version;
    } else {
      object.version = found->second.meta.version;
    }
    plan.result.objects.push_back(std::move(object));
  }
};

// One document each; problems and warnings go to the context.
void plan_script_set(PlanContext& context, const BundleDocument& document);
void plan_api_authentication(PlanContext& context, const BundleDocument& document);
void plan_function_api(PlanContext& context, const BundleDocument& document);
void plan_env_variable(PlanContext& context, const BundleDocument& document);

// After all documents: references between objects; then the scripts are loaded if one changed, and every function in use is
// looked up in what they offer.
void check_references(PlanContext& context);
void stage_and_check_functions(PlanContext& context, const domain::GenerationPtr& generation);

}  // namespace funcgate::service
