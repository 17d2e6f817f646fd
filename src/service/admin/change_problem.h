// ChangeProblem: what is in the way of a change of users, user groups, roles or keys: finer than the code of an Error, for an
// answer that says where and what.
//
// Use cases return an Error and fill a ChangeProblem that the caller gave. Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace funcgate::service {

struct ChangeProblem {
  enum class Kind : std::uint8_t {
    Other,      // the Error says all
    Invalid,    // `findings`
    NameTaken,  // another object of this kind has the name
    InUse,      // `used_by`
    Stale,      // the object has `current_version` by now
  } kind = Kind::Other;
  std::vector<base::Finding> findings;
  std::vector<std::string> used_by;
  std::int64_t current_version = 0;
};

// Each fills `problem` and makes the Error that goes with it.
base::Error invalid_change(ChangeProblem& problem, std::vector<base::Finding> findings);       // InvalidArgument
base::Error name_taken(ChangeProblem& problem, std::string_view what, std::string_view name);  // Conflict
base::Error in_use(ChangeProblem& problem, std::string_view what, std::string_view name, std::vector<std::string> used_by);
base::Error stale_change(ChangeProblem& problem, std::int64_t current_version);  // Conflict
base::Error unknown_object(std::string_view what, std::string_view id);          // NotFound
base::Error read_only_object(std::string_view what, std::string_view name);      // FailedPrecondition

}  // namespace funcgate::service
