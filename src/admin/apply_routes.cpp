// /resources: many documents at once, as YAML or as the bundle that the command line makes of a folder.
#include <optional>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "admin/application_access.h"
#include "admin/privilege_uses.h"
#include "admin/resources.h"
#include "admin/router.h"
#include "base/text.h"
#include "service/apply/document_kinds.h"
#include "service/apply/events.h"
#include "service/apply/export.h"
#include "service/apply/yaml_reader.h"
#include "service/apply/yaml_writer.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using domain::Privilege;

struct KindPrivilege {
  std::string_view kind;
  Privilege privilege;
};
constexpr KindPrivilege kKindPrivileges[] = {{"ScriptSet", Privilege::PublishScripts},
                                             {"Script", Privilege::PublishScripts},
                                             {"ApiAuthentication", Privilege::ManageApiAuthentication},
                                             {"FuncApi", Privilege::PublishApis},
                                             {"EnvVariable", Privilege::ManageEnvVariables},
                                             {"User", Privilege::AdministerUsers},
                                             {"UserGroup", Privilege::AdministerUsers},
                                             {"Role", Privilege::AdministerUsers},
                                             {"PasswordPolicy", Privilege::AdministerUsers},
                                             {"PrivilegeAudit", Privilege::AdministerServer},
                                             {"SecretKey", Privilege::ManageSecretKeys},
                                             {"Application", Privilege::ModifyApplications},
                                             {"Settings", Privilege::AdministerServer}};

bool is_true(const json::object& spec, std::string_view name) {
  const json::value* value = spec.if_contains(json::string_view(name.data(), name.size()));
  return value != nullptr && *value == json::value(true);
}

// Whoever applies documents needs what changing each of them by hand needs. Unknown kinds are reported by the plan.
std::optional<Answer> missing_privilege(const Context& context, const service::Bundle& bundle) {
  std::vector<Privilege> needed;  // in the order of the documents: the first one that is missing is named
  for (const service::BundleDocument& document : bundle.documents) {
    for (const KindPrivilege& entry : kKindPrivileges) {
      if (entry.kind == document.kind) needed.push_back(entry.privilege);
    }
    // Whether it makes or changes it only the plan knows.
    if (document.kind == "Application") needed.push_back(Privilege::CreateApplications);
    if (document.kind == "FuncApi" && is_true(document.spec, "anonymous")) needed.push_back(Privilege::AllowAnonymousApis);
    if (document.kind == "ApiAuthentication" && document.spec.contains("runAs")) needed.push_back(Privilege::AdministerUsers);
  }
  for (const Privilege privilege : needed) {
    if (!context.has(privilege)) return privilege_missing(domain::privilege_name(privilege));
  }
  for (const Privilege privilege : needed) {
    if (!context.holds(privilege)) return cannot_record_use();
  }
  return std::nullopt;
}

// Whoever applies documents writes and, by the differences, reads what they speak of. Roles need a privilege whose holders every
// list admits. Asked before anything is planned, so that no work is done for nothing; refusal_of() has the last word.
std::optional<Answer> not_admitted_to(const Context& context, const service::Bundle& bundle) {
  for (const service::BundleDocument& document : bundle.documents) {
    const bool inside = document.kind == "SecretKey";
    if (!inside && document.kind != "Application") continue;
    const auto* found = context.directory->application_by_name(inside ? document.application : document.name);
    if (found != nullptr && !is_admitted(context, *found)) return not_admitted(*found);
  }
  return std::nullopt;
}

// The application that the object is, or is inside of, and whose list does not admit the caller; null: there is none.
const domain::Application* closed_to(const Context& context, const service::ObjectResult& object) {
  const std::string& name = object.kind == domain::ResourceKind::Application ? object.id : object.application;
  const domain::Application* found = name.empty() ? nullptr : context.directory->application_by_name(name);
  return found == nullptr || is_admitted(context, *found) ? nullptr : found;
}

// What pruning removes is in no document: only the plan knows it.
std::optional<Answer> removal_refusal(const Context& context, const service::ObjectResult& object) {
  const std::string_view kind = service::kind_name(object.kind);
  const auto* entry = std::find_if(std::begin(kKindPrivileges), std::end(kKindPrivileges),
                                   [&](const KindPrivilege& one) { return one.kind == kind; });
  // Of which nobody said who may remove it nobody does.
  if (entry == std::end(kKindPrivileges)) {
    return refused(domain::Fault::UserPrivilege, domain::Reason::ArgumentsInvalid,
                   fmt::format("Objects of the kind {} cannot be pruned", kind));
  }
  if (!context.has(entry->privilege)) return privilege_missing(domain::privilege_name(entry->privilege));
  if (!context.holds(entry->privilege)) return cannot_record_use();
  return std::nullopt;
}

// Why this plan is not the caller's to carry out, or even to see; nullopt: it is. Judged are the objects that it found, whatever
// the documents call them.
std::optional<Answer> refusal_of(const Context& context, const service::ApplyResult& plan) {
  for (const service::ObjectResult& object : plan.objects) {
    if (const domain::Application* closed = closed_to(context, object)) return not_admitted(*closed);
    std::optional<Answer> refusal;
    if (object.outcome == service::ObjectOutcome::Pruned) {
      refusal = removal_refusal(context, object);
    } else if (object.outcome == service::ObjectOutcome::Created && object.kind == domain::ResourceKind::Application) {
      refusal = check_waiting_secret_keys(context, object.id);
    }
    if (refusal) return refusal;
  }
  return std::nullopt;
}

// Documents that came without a folder: what they refer to by file or environment variable is on another machine.
service::Bundle bundle_of_yaml(std::string_view text, std::vector<base::Finding>& findings) {
  std::vector<service::YamlProblem> problems;
  const auto documents = service::read_yaml(text, problems);
  for (const service::YamlProblem& problem : problems)
    findings.push_back({fmt::format("line {}", problem.line), "yaml", problem.message});
  service::Bundle bundle;
  for (const service::YamlDocument& document : documents) {
    service::BundleDocument made = service::document_from_json(document.value);
    for (const auto& [path, line] : document.lines) {
      const std::string_view name = path;
      made.lines[std::string(name.starts_with("spec.") ? name.substr(5) : name)] = line;
    }
    bundle.documents.push_back(std::move(made));
  }
  return bundle;
}

// RFC 9512, 2: the registered one, and what was usual before.
constexpr std::string_view kYamlTypes[] = {"application/yaml", "application/x-yaml", "text/yaml"};

std::optional<service::Bundle> read_bundle(const Context& context, Answer& problem) {
  const Request& request = context.request;
  const bool is_json = domain::media_type_is(request.content_type, "application/json");
  const bool is_yaml = std::any_of(std::begin(kYamlTypes), std::end(kYamlTypes),
                                   [&](std::string_view type) { return domain::media_type_is(request.content_type, type); });
  if (!is_json && !is_yaml) {
    problem = refused(domain::Fault::MediaType, domain::Reason::BodyMediaType,
                      "The body must be YAML (Content-Type: application/yaml) or a bundle (application/json)");
    return std::nullopt;
  }
  if (!base::is_valid_utf8(request.body)) {
    problem = invalid("", "value", "the body must be UTF-8 text");
    return std::nullopt;
  }
  if (is_json) {
    auto bundle = service::bundle_from_json(context.request.body);
    if (bundle.ok()) return std::move(*bundle);
    problem = invalid("", "bundle", bundle.error().message);
    return std::nullopt;
  }
  std::vector<base::Finding> findings;
  service::Bundle bundle = bundle_of_yaml(context.request.body, findings);
  if (findings.empty()) return bundle;
  problem = invalid(findings);
  return std::nullopt;
}

Answer apply(Context& context, bool dry_run) {
  Answer problem;
  const auto bundle = read_bundle(context, problem);
  if (!bundle) return problem;
  if (auto refusal = missing_privilege(context, *bundle)) return std::move(*refusal);
  if (auto refusal = not_admitted_to(context, *bundle)) return std::move(*refusal);
  service::ApplyOptions options = options_of(context);
  options.by_hand = false;
  options.dry_run = dry_run || options.dry_run;
  options.prune = context.parameter("prune") == "true";
  if (const std::string_view set = context.parameter("set"); !set.empty()) options.set = set;
  std::optional<Answer> refusal;
  options.permit = [&](const service::ApplyResult& plan) -> base::Status {
    // Other changes may have kept this one waiting: who is admitted by now counts.
    context.directory = context.services.identity.directory();
    refusal = refusal_of(context, plan);
    if (refusal) return base::Error{base::Code::PermissionDenied, refusal->refusal->message, {}};
    return base::kDone;
  };
  const auto result =
      options.dry_run ? context.services.resources.diff(*bundle, options) : context.services.resources.apply(*bundle, options);
  if (refusal) return std::move(*refusal);
  if (!result.ok()) return from_error(result.error());
  if (auto invalid_plan = problem_of(*result)) {
    // The report names file and line of every problem, as the command line prints them.
    invalid_plan->refusal->detail = base::to_json(service::to_json(*result));
    return std::move(*invalid_plan);
  }
  return ok(service::to_json(*result));
}

// The parameter as it was given: an empty one is not none.
std::optional<std::string> given(const Context& context, std::string_view parameter) {
  for (const auto& [name, value] : context.request.query) {
    if (name == parameter) return value;
  }
  return std::nullopt;
}

// All documents, or those of some kinds or of one application, in one YAML stream that can be applied as it is; with
// Accept: application/json as {"files": [{path, content}]}, scripts in files of their own.
Answer export_documents(Context& context) {
  const bool as_files = context.request.accept.find("application/json") != std::string::npos;
  const auto form = as_files ? service::ExportForm::Folder : service::ExportForm::Stream;
  using Kinds = std::set<domain::ResourceKind>;
  const auto named = given(context, "kind");
  const auto kinds = named ? service::parse_document_kinds(*named) : base::Result<Kinds>(Kinds());
  if (!kinds.ok()) return invalid("kind", "value", kinds.error().message);
  std::set<std::string> hidden;
  for (const domain::Application* application : context.directory->applications()) {
    if (!is_admitted(context, *application)) hidden.insert(application->id);
  }
  const auto wanted = given(context, "application");
  const domain::Application* inside = wanted ? context.directory->application_by_name(*wanted) : nullptr;
  if (wanted && inside == nullptr) return invalid("application", "value", "there is no application of this name");
  if (inside != nullptr && !is_admitted(context, *inside)) return not_admitted(*inside);
  auto files = context.services.resources.export_documents(*kinds, form, hidden);
  if (!files.ok()) return from_error(files.error());
  if (inside != nullptr) service::keep_application(*files, inside->name);
  const auto event = service::export_event(*files, context.actor());
  if (const auto status = context.services.identity.record({event}); !status.ok()) return from_error(status.error());
  if (as_files) {
    json::array out;
    for (const service::ExportedFile& file : *files) out.push_back(json::object{{"path", file.path}, {"content", file.content}});
    return ok(json::object{{"files", std::move(out)}});
  }
  Answer answer;
  answer.content_type = "application/yaml";
  for (const service::ExportedFile& file : *files) answer.raw_body += "---\n" + file.content;
  return answer;
}

}  // namespace

void add_apply_routes(std::vector<Route>& routes) {
  using domain::Method;
  routes.push_back({Method::Post,
                    "/resources/apply",
                    Access::needs({Privilege::ApplyResources}),
                    [](Context& context) { return apply(context, false); },
                    {.event = "resources.applied",
                     .raw_body = true,
                     .query = {.texts = {"set"}, .flags = {"dryRun", "allowBroken", "prune"}}}});
  routes.push_back({Method::Post,
                    "/resources/diff",
                    Access::needs({Privilege::ApplyResources}),
                    [](Context& context) { return apply(context, true); },
                    {.raw_body = true, .query = {.texts = {"set"}, .flags = {"allowBroken", "prune"}}}});
  routes.push_back({Method::Get,
                    "/resources/export",
                    Access::needs({Privilege::ExportResources}),
                    export_documents,
                    {.event = "resources.exported", .query = {.texts = {"kind", "application"}}}});
}

}  // namespace funcgate::admin
