// UserEntry, KeyEntry: what the request path needs of a user and of an API key; the rest is in the store.
//
// Each is one block of memory with its texts behind it, because a directory holds millions of them. Members are read through
// functions; the views they return live as long as the entry, an entry as long as the Directory that gave it.
// Thread-safety: immutable.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/address.h"

namespace funcgate::domain {

struct User;
struct ApiKey;

// Longer ids and logins, which no rule allows, make an entry that is not taken into a directory.
inline constexpr std::size_t kEntryIdBytesMax = 255, kEntryTextBytesMax = 65'535;

class UserEntry {
 public:
  UserEntry(const UserEntry&) = delete;
  UserEntry& operator=(const UserEntry&) = delete;

  std::string_view id() const { return {text_, id_bytes_}; }
  std::string_view login() const { return {text_ + id_bytes_, login_bytes_}; }
  bool enabled() const { return (flags_ & kEnabled) != 0; }
  bool built_in() const { return (flags_ & kBuiltIn) != 0; }
  bool must_change_password() const { return (flags_ & kMustChangePassword) != 0; }
  std::int64_t password_changed_at_ms() const { return password_changed_at_ms_; }
  std::int64_t version() const { return version_; }
  // Number of the set of groups within the directory that gave the entry: equal numbers, equal groups.
  std::uint32_t group_set() const { return group_set_; }

 private:
  template <class>
  friend class EntryPtr;
  static constexpr std::uint8_t kEnabled = 1, kBuiltIn = 2, kMustChangePassword = 4;
  UserEntry() = default;
  ~UserEntry() = default;

  std::int64_t password_changed_at_ms_ = 0;
  std::uint32_t version_ = 1;  // the largest for all beyond: nobody changes a user so often, and there are millions of entries
  mutable std::atomic<std::uint32_t> owners_{1};
  std::uint32_t group_set_ = 0;
  std::uint8_t id_bytes_ = 0, flags_ = 0;
  std::uint16_t login_bytes_ = 0;
  char text_[4] = {};  // the first of id and login, which go on behind the object
};

struct KeyRestrictions {
  std::vector<std::string> apis;   // sorted; empty = all
  std::vector<Network> addresses;  // empty = all
  // An address that cannot be read: nothing may match, instead of everything.
  bool unreadable = false;
};

class KeyEntry {
 public:
  KeyEntry(const KeyEntry&) = delete;
  KeyEntry& operator=(const KeyEntry&) = delete;

  std::string_view id() const { return {text_, id_bytes_}; }
  std::string_view user_id() const { return {text_ + id_bytes_, user_id_bytes_}; }
  std::string_view name() const { return {text_ + id_bytes_ + user_id_bytes_, name_bytes_}; }
  std::uint8_t scopes() const { return scopes_; }  // bits of KeyScope
  bool revoked() const { return revoked_; }
  std::int64_t expires_at_ms() const { return expires_at_ms_; }          // 0 = never
  const KeyRestrictions* restrictions() const { return restrictions_; }  // null = none

 private:
  template <class>
  friend class EntryPtr;
  KeyEntry() = default;
  ~KeyEntry();

  const KeyRestrictions* restrictions_ = nullptr;  // owned; a plain pointer keeps the place of text_ defined
  std::int64_t expires_at_ms_ = 0;
  mutable std::atomic<std::uint32_t> owners_{1};
  std::uint8_t id_bytes_ = 0, user_id_bytes_ = 0;
  std::uint16_t name_bytes_ = 0;
  std::uint8_t scopes_ = 1;
  bool revoked_ = false;
  char text_[6] = {};  // the first of id, user id and name, which go on behind the object
};

// Shared ownership of an entry, in the space of one pointer.
template <class Entry>
class EntryPtr {
 public:
  EntryPtr() = default;
  EntryPtr(const EntryPtr& other) noexcept : entry_(other.entry_) {
    if (entry_ != nullptr) entry_->owners_.fetch_add(1, std::memory_order_relaxed);
  }
  EntryPtr(EntryPtr&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  EntryPtr& operator=(EntryPtr other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~EntryPtr() {
    if (entry_ != nullptr && entry_->owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(entry_);
  }

  const Entry* get() const { return entry_; }
  const Entry& operator*() const { return *entry_; }
  const Entry* operator->() const { return entry_; }
  explicit operator bool() const { return entry_ != nullptr; }

  // Null: a text is too long (see above).
  static EntryPtr make(const User& user, std::uint32_t group_set);
  static EntryPtr make(const ApiKey& key);
  // The same key, revoked.
  static EntryPtr make_revoked(const KeyEntry& key);

 private:
  static void destroy(const Entry* entry);
  const Entry* entry_ = nullptr;
};
using UserEntryPtr = EntryPtr<UserEntry>;
using KeyEntryPtr = EntryPtr<KeyEntry>;

template <>
UserEntryPtr UserEntryPtr::make(const User& user, std::uint32_t group_set);
template <>
void UserEntryPtr::destroy(const UserEntry* entry);
template <>
KeyEntryPtr KeyEntryPtr::make(const ApiKey& key);
template <>
KeyEntryPtr KeyEntryPtr::make_revoked(const KeyEntry& key);
template <>
void KeyEntryPtr::destroy(const KeyEntry* entry);

}  // namespace funcgate::domain
