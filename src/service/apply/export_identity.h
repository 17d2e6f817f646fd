// Export of users, user groups, roles, the password policy, audited privileges and secret keys, as export.h does for the
// configuration.
//
// Thread-safety: any thread; blocks, for as long as reading all users takes.
#pragma once

#include <set>
#include <vector>

#include "domain/directory.h"
#include "domain/ports/identity_store.h"
#include "service/apply/export.h"

namespace funcgate::service {

// Built-in users and roles are left out; built-in groups are exported for their members and roles. Of roles that are built in the
// groups that have them tell, unless it is the one with which a built-in group begins; of others the roles. No password and no
// value: passwordFrom: {keep: true}, valueFrom: {keep: true}.
// `hidden`: ids of applications that are left out, with their roles and secret keys.
base::Result<std::vector<ExportedFile>> export_identities(const domain::Directory& directory, domain::IdentityStore& store,
                                                          const std::set<domain::ResourceKind>& kinds,
                                                          const std::set<std::string>& hidden = {});

}  // namespace funcgate::service
