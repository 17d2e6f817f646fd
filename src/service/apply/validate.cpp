#include "service/apply/validate.h"

#include <algorithm>

#include "service/apply/plan.h"

namespace funcgate::service {

ApplyResult validate_folder(const std::string& path, const EnvironmentLookup& environment, base::WallMs now_ms) {
  std::vector<Problem> problems;
  const Bundle bundle = read_bundle(path, environment, problems);
  PlanTools tools;
  tools.now_ms = now_ms;
  ApplyResult result = make_plan(domain::Configuration(), nullptr, bundle, {}, ApplyOptions(), tools).result;
  result.changes.clear();
  problems.insert(problems.end(), result.problems.begin(), result.problems.end());
  std::sort(problems.begin(), problems.end(), comes_before);
  auto same = [](const Problem& a, const Problem& b) { return !comes_before(a, b) && !comes_before(b, a); };
  problems.erase(std::unique(problems.begin(), problems.end(), same), problems.end());
  result.problems = std::move(problems);
  return result;
}

}  // namespace funcgate::service
