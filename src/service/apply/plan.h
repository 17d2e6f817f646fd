// Plan: from the current configuration and a bundle to the next configuration, or to everything that is in the way.
//
// The whole result is checked, not document by document: references, functions, uses. Nothing is written here.
#pragma once

#include <memory>

#include "base/clock.h"
#include "domain/ports/function_host.h"
#include "domain/ports/secret_codec.h"
#include "service/apply/result.h"

namespace funcgate::service {

// What a plan needs from outside. `codec`, `vault` and `host` are null when documents are checked without a server: what only
// they can tell is left out then.
struct PlanTools {
  domain::SecretCodec* codec = nullptr;
  domain::SecretVault* vault = nullptr;
  domain::FunctionHost* host = nullptr;
  base::WallMs now_ms = 0;
};

// An object to delete, by hand.
struct Removal {
  domain::ResourceKind kind = domain::ResourceKind::FuncApi;
  std::string id;
};

struct Plan {
  ApplyResult result;
  domain::Configuration next;  // sequence as before; valid only without problems
};

// `generation` is what serves now; never null with tools.host. Blocks: hashes passwords and loads scripts.
Plan make_plan(const domain::Configuration& current, const domain::GenerationPtr& generation, const Bundle& bundle,
               const std::vector<Removal>& removals, const ApplyOptions& options, const PlanTools& tools);

}  // namespace funcgate::service
