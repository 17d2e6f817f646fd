// The kinds that documents can have, for whoever names some of them: on the command line, or in a query.
//
// Thread-safety: constants and pure functions.
#pragma once

#include <set>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/configuration.h"

namespace funcgate::service {

// Sorted by name. A Script is part of its ScriptSet's document.
inline constexpr domain::ResourceKind kDocumentKinds[] = {domain::ResourceKind::ApiAuthentication,
                                                          domain::ResourceKind::Application,
                                                          domain::ResourceKind::EnvVariable,
                                                          domain::ResourceKind::FuncApi,
                                                          domain::ResourceKind::PasswordPolicy,
                                                          domain::ResourceKind::PrivilegeAudit,
                                                          domain::ResourceKind::Role,
                                                          domain::ResourceKind::ScriptSet,
                                                          domain::ResourceKind::SecretKey,
                                                          domain::ResourceKind::User,
                                                          domain::ResourceKind::UserGroup};

std::vector<std::string_view> document_kind_names();

// As documents write it. InvalidArgument: there is none, with the one that was probably meant, or with all.
base::Result<domain::ResourceKind> parse_document_kind(std::string_view name);
// "UserGroup,Role": at least one, in any order, each as often as one likes. InvalidArgument: as above, of the first that is
// wrong.
base::Result<std::set<domain::ResourceKind>> parse_document_kinds(std::string_view names);

}  // namespace funcgate::service
