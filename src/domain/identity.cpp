#include "domain/identity.h"

#include <algorithm>

#include "base/check.h"

namespace funcgate::domain {
namespace {

constexpr std::string_view kPrefixes[] = {"usr-", "grp-", "rol-", "key-", "ses-", "sec-", "app-"};
constexpr std::string_view kKindNames[] = {"User",      "UserGroup",      "Role",           "ApiKey",
                                           "SecretKey", "PasswordPolicy", "PrivilegeAudit", "Application"};
constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::size_t kRandomBytes = 10, kRandomCharacters = 16;
static_assert(kRandomBytes * 8 == kRandomCharacters * 5);

}  // namespace

std::string_view id_prefix(IdPrefix prefix) { return kPrefixes[static_cast<std::size_t>(prefix)]; }
std::string_view identity_kind_name(IdentityKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

std::string make_id(IdPrefix prefix, std::string_view ten_random_bytes) {
  CHECK(ten_random_bytes.size() == kRandomBytes);
  std::string id(id_prefix(prefix));
  unsigned bits = 0, value = 0;
  for (const char byte : ten_random_bytes) {
    value = value << 8 | static_cast<unsigned char>(byte);
    for (bits += 8; bits >= 5; bits -= 5) id.push_back(kAlphabet[value >> (bits - 5) & 31]);
    value &= (1U << bits) - 1;
  }
  return id;
}

bool is_id(IdPrefix prefix, std::string_view text) {
  if (prefix == IdPrefix::User && text == kSystemUserId) return true;
  const std::string_view start = id_prefix(prefix);
  if (!text.starts_with(start) || text.size() != start.size() + kRandomCharacters) return false;
  text.remove_prefix(start.size());
  return std::all_of(text.begin(), text.end(), [](char c) { return kAlphabet.find(c) != std::string_view::npos; });
}

}  // namespace funcgate::domain
