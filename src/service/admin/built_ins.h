// The user groups and roles that every instance has, with the same ids and names everywhere. Groups may be given other roles, and
// lose their own; roles never change.
//
// Thread-safety: constants and pure functions.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/text.h"

namespace funcgate::service {

inline constexpr std::string_view kAdministratorsGroupId = "grp-administrators00", kDesignersGroupId = "grp-designers0000000",
                                  kOperatorsGroupId = "grp-operators0000000", kAuditorsGroupId = "grp-auditors00000000",
                                  kUsersGroupId = "grp-users00000000000";
inline constexpr std::string_view kAdministratorRoleId = "rol-administrator000", kDesignerRoleId = "rol-designer00000000",
                                  kOperatorRoleId = "rol-operator00000000", kAuditorRoleId = "rol-auditor000000000",
                                  kUserRoleId = "rol-user000000000000";

// A group and the role that it has from the beginning.
struct BuiltIn {
  std::string_view group_id, group_name, role_id, role_name;
  char letter;  // of the privilege table; 0: the role holds nothing
  std::string_view group_description, role_description;
};
inline constexpr BuiltIn kBuiltIns[] = {
    {kAdministratorsGroupId, "Administrators", kAdministratorRoleId, "Administrator", 'A', "May change everything",
     "Everything but owning an API key, which is granted on purpose"},
    {kDesignersGroupId, "Designers", kDesignerRoleId, "Designer", 'D', "Write scripts and publish APIs",
     "Scripts, APIs, applications and tables"},
    {kOperatorsGroupId, "Operators", kOperatorRoleId, "Operator", 'O', "Watch and stop what runs",
     "Processes, tasks, schedules and the state of the server"},
    {kAuditorsGroupId, "Auditors", kAuditorRoleId, "Auditor", 'U', "Read who did what",
     "The audit trail, users and exports; no change"},
    {kUsersGroupId, "Users", kUserRoleId, "User", 0, "People and programs without privileges", "No privilege"},
};

// By the name of its role or of its group, whatever the case of the letters; null: there is none.
inline const BuiltIn* built_in_of_role(std::string_view name) {
  const auto* found = std::find_if(std::begin(kBuiltIns), std::end(kBuiltIns),
                                   [&](const BuiltIn& one) { return base::equals_ignore_case(one.role_name, name); });
  return found == std::end(kBuiltIns) ? nullptr : found;
}
inline const BuiltIn* built_in_of_group(std::string_view name) {
  const auto* found = std::find_if(std::begin(kBuiltIns), std::end(kBuiltIns),
                                   [&](const BuiltIn& one) { return base::equals_ignore_case(one.group_name, name); });
  return found == std::end(kBuiltIns) ? nullptr : found;
}

}  // namespace funcgate::service
