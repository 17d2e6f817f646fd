#include "admin/resources.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;

// {script, line, function, problem} of each script that does not load; line 0 and no function: the whole of it.
json::array publish_errors(const service::ApplyResult& result) {
  json::array errors;
  for (const service::Problem& problem : result.problems) {
    const domain::StageProblem& stage = problem.stage;
    errors.push_back(json::object{{"script", stage.script.empty() ? problem.name : stage.script},
                                  {"line", stage.line},
                                  {"function", stage.function},
                                  {"problem", stage.script.empty() ? problem.finding.message : stage.problem}});
  }
  return errors;
}

}  // namespace

void drop_reports(json::object& body) {
  for (const char* name : {"id", "url", "origin", "originId", "createdAt", "updatedAt", "version", "state", "stateReason",
                           "publishVersion", "usedBy"}) {
    body.erase(name);
  }
}

void append_meta(json::object& out, const domain::ResourceMeta& meta) {
  out["version"] = meta.version;
  out["createdAt"] = base::format_rfc3339(meta.created_at_ms);
  out["updatedAt"] = base::format_rfc3339(meta.updated_at_ms);
}

Query change_flags() { return {.flags = {"dryRun", "allowBroken"}}; }

service::ApplyOptions options_of(const Context& context) {
  service::ApplyOptions options;
  options.by_hand = true;
  options.author = context.caller.login;
  options.actor = context.actor();
  options.dry_run = context.parameter("dryRun") == "true";
  options.allow_broken = context.parameter("allowBroken") == "true";
  return options;
}

std::optional<Answer> problem_of(const service::ApplyResult& result) {
  switch (result.failure()) {
    case service::ApplyFailure::None: return std::nullopt;
    case service::ApplyFailure::InUse: return in_use(result.problems.front().finding.message, result.used_by);
    case service::ApplyFailure::PublishFailed:
      return refused(domain::Fault::PublishFailed, domain::Reason::ArgumentsInvalid, "The scripts cannot be published",
                     base::to_json(json::object{{"errors", publish_errors(result)}}));
    case service::ApplyFailure::Invalid: break;
  }
  std::vector<base::Finding> findings;
  for (const service::Problem& problem : result.problems) findings.push_back(problem.finding);
  return invalid(findings);
}

Answer change_refused(const base::Error& error, std::int64_t current_version) {
  if (error.code == base::Code::FailedPrecondition) return stale(current_version);
  return from_error(error);
}

}  // namespace funcgate::admin
