// Plan: from the current configuration and a bundle to the next configuration, or to everything that is in the way.
//
// The whole result is checked, not document by document: references, functions, uses. Nothing is written here.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "domain/directory.h"
#include "domain/ports/function_host.h"
#include "domain/ports/secret_codec.h"
#include "service/apply/result.h"

namespace funcgate::service {

struct IdentityTools;  // identity_draft.h

// Whether a user (login), user group or role (name; system-wide) exists, as documents refer to them.
enum class IdentityState : std::uint8_t { Missing, Disabled, Usable };
using IdentityLookup = std::function<IdentityState(domain::IdentityKind, std::string_view name)>;
// In this picture, which is kept.
IdentityLookup lookup_in(domain::DirectoryPtr directory);

// What a plan needs from outside. `codec`, `vault` and `host` are null when documents are checked without a server: what only
// they can tell is left out then.
struct PlanTools {
  domain::SecretCodec* codec = nullptr;
  domain::SecretVault* vault = nullptr;
  domain::FunctionHost* host = nullptr;
  base::WallMs now_ms = 0;
  const IdentityTools* people = nullptr;  // null: documents about users, groups and roles are only read
  IdentityLookup identity;  // empty: nobody exists; not asked when documents are checked without a server
  IdentityState identity_of(domain::IdentityKind kind, std::string_view name) const {
    return identity ? identity(kind, name) : IdentityState::Missing;
  }
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
