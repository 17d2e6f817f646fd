#include "domain/directory_entry.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#include "domain/identity.h"

namespace funcgate::domain {
namespace {

// Room for an `Entry` whose texts begin at `text_offset` of it.
void* allocate(std::size_t text_offset, std::size_t text_bytes, std::size_t size_min) {
  return ::operator new(std::max(size_min, text_offset + text_bytes));
}

std::unique_ptr<const KeyRestrictions> restrictions_of(const ApiKey& key) {
  if (key.apis.empty() && key.addresses.empty()) return nullptr;
  auto restrictions = std::make_unique<KeyRestrictions>();
  restrictions->apis = key.apis;
  std::sort(restrictions->apis.begin(), restrictions->apis.end());
  for (const std::string& text : key.addresses) {
    if (const auto network = Network::parse(text)) {
      restrictions->addresses.push_back(*network);
    } else {
      restrictions->unreadable = true;
    }
  }
  return restrictions;
}

char* append(char* to, std::string_view text) {
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

}  // namespace

KeyEntry::~KeyEntry() { delete restrictions_; }

template <>
UserEntryPtr UserEntryPtr::make(const User& user, std::uint32_t group_set) {
  if (user.id.size() > kEntryIdBytesMax || user.login.size() > kEntryTextBytesMax) return {};
  const std::size_t offset = offsetof(UserEntry, text_);
  void* memory = allocate(offset, user.id.size() + user.login.size(), sizeof(UserEntry));
  auto* entry = new (memory) UserEntry();
  entry->version_ = static_cast<std::uint32_t>(std::clamp<std::int64_t>(user.meta.version, 0, UINT32_MAX));
  entry->group_set_ = group_set;
  entry->id_bytes_ = static_cast<std::uint8_t>(user.id.size());
  entry->login_bytes_ = static_cast<std::uint16_t>(user.login.size());
  entry->password_changed_at_ms_ = user.password_changed_at_ms;
  entry->flags_ = static_cast<std::uint8_t>((user.enabled ? UserEntry::kEnabled : 0) | (user.built_in ? UserEntry::kBuiltIn : 0) |
                                            (user.must_change_password ? UserEntry::kMustChangePassword : 0));
  append(append(static_cast<char*>(memory) + offset, user.id), user.login);
  UserEntryPtr owner;
  owner.entry_ = entry;
  return owner;
}

template <>
void UserEntryPtr::destroy(const UserEntry* entry) {
  entry->~UserEntry();
  ::operator delete(const_cast<UserEntry*>(entry));
}

template <>
KeyEntryPtr KeyEntryPtr::make(const ApiKey& key) {
  if (std::max(key.id.size(), key.user_id.size()) > kEntryIdBytesMax || key.name.size() > kEntryTextBytesMax) return {};
  const std::size_t offset = offsetof(KeyEntry, text_);
  void* memory = allocate(offset, key.id.size() + key.user_id.size() + key.name.size(), sizeof(KeyEntry));
  auto* entry = new (memory) KeyEntry();
  entry->restrictions_ = restrictions_of(key).release();
  entry->expires_at_ms_ = key.expires_at_ms;
  entry->id_bytes_ = static_cast<std::uint8_t>(key.id.size());
  entry->user_id_bytes_ = static_cast<std::uint8_t>(key.user_id.size());
  entry->name_bytes_ = static_cast<std::uint16_t>(key.name.size());
  entry->scopes_ = key.scopes;
  entry->revoked_ = key.revoked_at_ms != 0;
  append(append(append(static_cast<char*>(memory) + offset, key.id), key.user_id), key.name);
  KeyEntryPtr owner;
  owner.entry_ = entry;
  return owner;
}

template <>
KeyEntryPtr KeyEntryPtr::make_revoked(const KeyEntry& key) {
  const std::size_t offset = offsetof(KeyEntry, text_), text_bytes = key.id().size() + key.user_id().size() + key.name().size();
  void* memory = allocate(offset, text_bytes, sizeof(KeyEntry));
  auto* entry = new (memory) KeyEntry();
  if (key.restrictions_ != nullptr) entry->restrictions_ = std::make_unique<const KeyRestrictions>(*key.restrictions_).release();
  entry->expires_at_ms_ = key.expires_at_ms_;
  entry->id_bytes_ = key.id_bytes_;
  entry->user_id_bytes_ = key.user_id_bytes_;
  entry->name_bytes_ = key.name_bytes_;
  entry->scopes_ = key.scopes_;
  entry->revoked_ = true;
  append(append(append(static_cast<char*>(memory) + offset, key.id()), key.user_id()), key.name());
  KeyEntryPtr owner;
  owner.entry_ = entry;
  return owner;
}

template <>
void KeyEntryPtr::destroy(const KeyEntry* entry) {
  entry->~KeyEntry();
  ::operator delete(const_cast<KeyEntry*>(entry));
}

}  // namespace funcgate::domain
