// Where published configurations name users, user groups and roles: such an object cannot be deleted or renamed.
//
// Thread-safety: pure functions.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/configuration.h"
#include "domain/identity.h"

namespace funcgate::service {

// Names of the objects that refer to this one by id or name: `ApiAuthentication "keys"`. At most 50.
using FindReferences =
    std::function<std::vector<std::string>(domain::IdentityKind kind, const std::string& id, const std::string& name)>;

std::vector<std::string> references_in(const domain::Configuration& configuration, domain::IdentityKind kind, std::string_view id,
                                       std::string_view name);

}  // namespace funcgate::service
