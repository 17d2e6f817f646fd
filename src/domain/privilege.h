// Privilege: the fixed set of permissions of the management plane and of API keys, and who has them at first start.
//
// Thread-safety: constants and plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace funcgate::domain {

// X(Enumerator, "name", "area", scopable, "default roles", "what it permits")
// Default roles: A Administrator, D Designer, O Operator, U Auditor. `scopable`: may stand in a role of one application.
#define FUNCGATE_PRIVILEGES(X)                                                                                                  \
  X(UseApiKey, "Use API Key", "Keys", true, "", "Owning an API key that is accepted; by itself it permits no call")             \
  X(GenerateOwnApiKey, "Generate Own API Key", "Keys", false, "D", "Making and revoking one's own API keys")                    \
  X(AdministerUsers, "Administer Users, User Groups and Roles", "Identity", false, "A",                                         \
    "Changing users, groups, roles, the password policy, sessions, and keys of anyone")                                        \
  X(ViewUsers, "View Users, User Groups and Roles", "Identity", false, "AU", "Reading users, groups, roles and keys")            \
  X(AdministerApplicationRoles, "Administer Application Roles", "Identity", true, "A", "Changing roles of one application")      \
  X(ViewAuditTrail, "View Audit Trail", "Audit", false, "AU", "Reading and verifying the audit trail")                          \
  X(AdministerServer, "Administer Server", "Server", false, "A", "Settings, keystore, nodes, audit checkpoints")                \
  X(ViewServer, "View Server", "Server", false, "AOU", "State of the server, public endpoints, keystore health")                \
  X(ViewApplications, "View Applications", "Applications", true, "ADO", "Reading applications, tables, flows, secret keys")     \
  X(CreateApplications, "Create Applications", "Applications", false, "AD", "Making applications")                              \
  X(ModifyApplications, "Modify Applications", "Applications", true, "AD", "Changing and deleting applications")                \
  X(ModifyActionflows, "Modify Actionflows", "Applications", true, "AD", "Changing flows and HTTP configurations")              \
  X(RunActions, "Run Actions", "Applications", true, "ADO", "Running a flow, where the server demands this privilege")          \
  X(ModifyTables, "Modify Tables", "Applications", true, "AD", "Changing table definitions")                                    \
  X(ViewTableData, "View Table Data", "Applications", true, "AD", "Reading rows of tables")                                     \
  X(ModifyTableData, "Modify Table Data", "Applications", true, "AD", "Changing rows of tables, imports, recordsets")           \
  X(ManageSecretKeys, "Manage Secret Keys", "Applications", true, "AD", "Changing secret keys; their values cannot be read")    \
  X(PublishApis, "Publish APIs", "APIs", true, "AD", "Changing function APIs and endpoints of flows")                           \
  X(AllowAnonymousApis, "Allow Anonymous APIs", "APIs", true, "A", "Opening an API to callers without credentials")             \
  X(ViewApiAuthentication, "View API Authentication", "APIs", false, "ADU", "Reading authentication configurations")            \
  X(ManageApiAuthentication, "Manage API Authentication", "APIs", false, "A", "Changing authentication configurations")         \
  X(ViewScripts, "View Scripts", "Scripts", false, "ADO", "Reading scripts, functions, function APIs and call records")         \
  X(ModifyScripts, "Modify Scripts", "Scripts", false, "AD", "Changing drafts of scripts")                                      \
  X(PublishScripts, "Publish Scripts", "Scripts", false, "AD", "Publishing and restoring scripts")                              \
  X(RunFunctions, "Run Functions", "Scripts", false, "AD", "Running a function of a draft")                                     \
  X(ManageEnvVariables, "Manage Environment Variables", "Scripts", false, "AD", "Changing environment variables")               \
  X(ViewSystemConsole, "View System Console", "Operation", true, "ADO", "Reading processes, tasks and their logs")              \
  X(CancelTasks, "Cancel Tasks", "Operation", true, "AO", "Cancelling processes and tasks")                                     \
  X(ManageSchedules, "Manage Schedules", "Operation", true, "ADO", "Changing schedules")                                        \
  X(ExplainDenials, "Explain Denials", "Operation", false, "AOU", "Reading why a call was refused")                             \
  X(ExportResources, "Export Resources", "Resources", false, "ADU", "Reading resources as documents")                           \
  X(ApplyResources, "Apply Resources", "Resources", false, "A", "Applying documents, with the privilege of each kind touched")

enum class Privilege : std::uint8_t {
#define X(name, ...) name,
  FUNCGATE_PRIVILEGES(X)
#undef X
};
inline constexpr std::size_t kPrivilegeCount = 0
#define X(...) +1
    FUNCGATE_PRIVILEGES(X)
#undef X
    ;
static_assert(kPrivilegeCount <= 64);

struct PrivilegeInfo {
  Privilege privilege;
  std::string_view name, area;
  bool scopable;
  std::string_view default_roles;  // letters as above
  std::string_view permits;
};
std::span<const PrivilegeInfo> privilege_table();
const PrivilegeInfo& privilege_info(Privilege privilege);
std::string_view privilege_name(Privilege privilege);
// By exact name.
std::optional<Privilege> parse_privilege(std::string_view name);

class PrivilegeSet {
 public:
  constexpr PrivilegeSet() = default;
  constexpr PrivilegeSet(std::initializer_list<Privilege> privileges) {
    for (const Privilege privilege : privileges) add(privilege);
  }
  static constexpr PrivilegeSet from_bits(std::uint64_t bits) {
    PrivilegeSet set;
    set.bits_ = bits;
    return set;
  }
  constexpr void add(Privilege privilege) { bits_ |= bit(privilege); }
  constexpr void remove(Privilege privilege) { bits_ &= ~bit(privilege); }
  constexpr bool has(Privilege privilege) const { return (bits_ & bit(privilege)) != 0; }
  constexpr bool contains(PrivilegeSet other) const { return (bits_ & other.bits_) == other.bits_; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr std::uint64_t bits() const { return bits_; }
  constexpr PrivilegeSet& operator|=(PrivilegeSet other) {
    bits_ |= other.bits_;
    return *this;
  }
  friend constexpr PrivilegeSet operator|(PrivilegeSet a, PrivilegeSet b) { return a |= b; }
  friend constexpr bool operator==(PrivilegeSet, PrivilegeSet) = default;

 private:
  static constexpr std::uint64_t bit(Privilege privilege) { return std::uint64_t{1} << static_cast<unsigned>(privilege); }
  std::uint64_t bits_ = 0;
};

// Those of the set, in the order of the table.
std::vector<std::string_view> privilege_names(PrivilegeSet set);

// What the built-in role of this letter holds.
PrivilegeSet default_privileges(char role_letter);

}  // namespace funcgate::domain
