#include "domain/access_list.h"

#include <algorithm>

namespace funcgate::domain {

bool admits(const Directory& directory, const UserEntry& user, const AccessList& access) {
  if (!user.enabled()) return false;
  if (access.all_users || directory.holds(user, Privilege::AdministerUsers)) return true;
  return std::any_of(access.groups.begin(), access.groups.end(),
                     [&](const std::string& group) { return directory.in_group(user, group); });
}

std::vector<const Application*> applications_naming(const Directory& directory, std::string_view group_id) {
  std::vector<const Application*> out = directory.applications();
  std::erase_if(out, [&](const Application* application) {
    const std::vector<std::string>& groups = application->access.groups;
    return !std::binary_search(groups.begin(), groups.end(), group_id);
  });
  return out;
}

}  // namespace funcgate::domain
