// ApplyResult: what applying a bundle does or would do, object by object, or everything that is in the way.
//
// Thread-safety: plain values.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "domain/change_set.h"
#include "domain/invocation.h"
#include "domain/ports/function_host.h"
#include "service/apply/bundle.h"

namespace funcgate::service {

// Something wrong (or worth a warning) at a place that its author can open.
struct Problem {
  std::string file;
  std::int64_t line = 0;
  std::string kind, name;
  base::Finding finding;
  domain::StageProblem stage;  // of a script that does not load: where in it; else empty

  // "shop.yaml:4: fields[0].name: this header cannot carry a credential"; without a file "ApiAuthentication shop: fields…".
  std::string text() const;
};

// By file, line, path and message.
bool comes_before(const Problem& a, const Problem& b);

enum class ObjectOutcome : std::uint8_t { Created, Changed, Unchanged, Pruned, Deleted };
std::string_view outcome_name(ObjectOutcome outcome);

// Values are JSON texts; a secret is "********" on the side where it is set.
struct FieldChange {
  std::string name, before, after;
};

struct ObjectResult {
  domain::ResourceKind kind = domain::ResourceKind::FuncApi;
  std::string id;
  ObjectOutcome outcome = ObjectOutcome::Unchanged;
  std::int64_t version = 0;         // after the change
  std::vector<FieldChange> fields;  // Changed only
  std::string application = {};     // of secret keys and pruned roles: the name of what they are inside of; else empty

  // "ApiAuthentication shop: changed (title, fields[north].value)"
  std::string text() const;
};

struct ApplyResult;

struct ApplyOptions {
  std::string set = "default";  // objects created by this apply belong to it
  bool by_hand = false;         // they belong to no set, so that no prune removes them
  bool prune = false, dry_run = false;
  bool allow_broken = false;  // functions may vanish although something uses them
  std::string author, note;
  domain::Actor actor;  // for the audit trail
  // Asked with the whole plan before anything is written; an Error stops it. Empty: whoever asks may do everything.
  std::function<base::Status(const ApplyResult&)> permit;
};

// What a set may be called: 1 to 100 characters, no control characters, and no `*`, which in searches stands for any ending.
// InvalidArgument: the rule.
base::Status check_set_name(std::string_view name);

enum class ApplyFailure : std::uint8_t {
  None,
  Invalid,        // 400.43
  PublishFailed,  // 400.9: a script does not load
  InUse,          // 409.25: see used_by
};

struct ApplyResult {
  std::vector<ObjectResult> objects;
  std::vector<Problem> problems;  // anything here: nothing was written
  std::vector<Problem> warnings;
  std::vector<std::string> used_by;  // "FuncApi quote"
  std::vector<domain::ResourceChange> changes;
  domain::ChangeSet identity;    // of users, groups and roles, with their audit events
  domain::GenerationPtr staged;  // null: no script changed

  bool would_change() const { return !changes.empty() || !identity.identity.empty(); }
  ApplyFailure failure() const;
};

// The JSON the command line receives: {"objects":[…],"problems":[…],"warnings":[…],"usedBy":[…],"changed":true}.
base::json::object to_json(const ApplyResult& result);

inline std::string_view kind_name(domain::ResourceKind kind) { return domain::resource_kind_name(kind); }

}  // namespace funcgate::service
