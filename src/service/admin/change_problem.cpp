#include "service/admin/change_problem.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace funcgate::service {

using base::Code;
using base::Error;

Error invalid_change(ChangeProblem& problem, std::vector<base::Finding> findings) {
  problem.kind = ChangeProblem::Kind::Invalid;
  problem.findings = std::move(findings);
  return Error{
      Code::InvalidArgument, problem.findings.empty() ? "The request is not valid" : problem.findings.front().message, {}};
}

Error name_taken(ChangeProblem& problem, std::string_view what, std::string_view name) {
  problem.kind = ChangeProblem::Kind::NameTaken;
  const char* article = what.starts_with('a') || what.starts_with('A') ? "an" : "a";
  return Error{Code::Conflict, fmt::format("There is {} {} \"{}\" already", article, what, base::printable(name)), {}};
}

Error in_use(ChangeProblem& problem, std::string_view what, std::string_view name, std::vector<std::string> used_by) {
  problem.kind = ChangeProblem::Kind::InUse;
  problem.used_by = std::move(used_by);
  return Error{Code::FailedPrecondition, fmt::format("The {} \"{}\" is in use; take it out there first", what, name), {}};
}

Error stale_change(ChangeProblem& problem, std::int64_t current_version) {
  problem.kind = ChangeProblem::Kind::Stale;
  problem.current_version = current_version;
  return Error{Code::Conflict, "The object was changed meanwhile; read it again", {}};
}

Error unknown_object(std::string_view what, std::string_view id) {
  return Error{Code::NotFound, fmt::format("There is no {} \"{}\"", what, base::printable(id)), {}};
}

Error read_only_object(std::string_view what, std::string_view name) {
  return Error{Code::FailedPrecondition, fmt::format("The built-in {} \"{}\" cannot be changed", what, name), {}};
}

}  // namespace funcgate::service
