#include "domain/privilege.h"

#include <array>

namespace funcgate::domain {
namespace {

constexpr std::array<PrivilegeInfo, kPrivilegeCount> kTable = {{
#define X(name, text, area, scopable, roles, permits) {Privilege::name, text, area, scopable, roles, permits},
    FUNCGATE_PRIVILEGES(X)
#undef X
}};

}  // namespace

std::span<const PrivilegeInfo> privilege_table() { return kTable; }
const PrivilegeInfo& privilege_info(Privilege privilege) { return kTable.at(static_cast<std::size_t>(privilege)); }
std::string_view privilege_name(Privilege privilege) { return privilege_info(privilege).name; }

std::optional<Privilege> parse_privilege(std::string_view name) {
  for (const PrivilegeInfo& info : kTable) {
    if (info.name == name) return info.privilege;
  }
  return std::nullopt;
}

std::vector<std::string_view> privilege_names(PrivilegeSet set) {
  std::vector<std::string_view> names;
  for (const PrivilegeInfo& info : kTable) {
    if (set.has(info.privilege)) names.push_back(info.name);
  }
  return names;
}

PrivilegeSet default_privileges(char role_letter) {
  PrivilegeSet set;
  for (const PrivilegeInfo& info : kTable) {
    if (info.default_roles.find(role_letter) != std::string_view::npos) set.add(info.privilege);
  }
  return set;
}

}  // namespace funcgate::domain
