// KeyUsage: when, from where and for what each key was used lately: for which published API, or for the management API. Noted on
// the request path, drained every minute or so by whoever writes it down, and sooner when is_filling() says so. Each drain gives
// as much room as the time before it asked for; what finds none all the same is dropped and counted.
//
// Thread-safety: any thread; a table is meant for one io thread, that of the management API for those of its pools. note() and
// drain() hold the table's mutex for a moment of constant length. note() allocates nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/lru_cache.h"
#include "domain/address.h"

namespace funcgate::auth {

enum class KeyPlane : std::uint8_t { Calls, Management };

struct KeyUse {
  std::string key_id;
  base::WallMs time_ms = 0;
  domain::Address address;
  std::string api;  // at most 64 bytes of its id; "management" of that plane
  KeyPlane plane = KeyPlane::Calls;
};

// What one drain found.
struct KeyUsageReport {
  std::vector<KeyUse> last_uses;    // one per key, the newest
  std::vector<KeyUse> first_uses;   // the first use of a key in an hour (UTC), of whatever plane: audit event key.first_use
  std::vector<KeyUse> first_calls;  // the first of a key at a published API in an hour, of those since the last drain
  std::uint64_t dropped = 0;        // uses that found no room since the last drain
};

class KeyUsageTable {
 public:
  KeyUsageTable(std::size_t slots, KeyPlane plane);
  void note(std::string_view key_id, base::WallMs time_ms, const domain::Address& address, std::string_view api);
  // More than half of the slots are taken. Any thread.
  bool is_filling() const { return is_filling_.load(std::memory_order_relaxed); }

 private:
  friend class KeyUsage;
  static constexpr std::size_t kIdBytesMax = 24, kApiBytesMax = 64, kProbesMax = 8;
  struct Moment {
    base::WallMs time_ms = 0;
    domain::Address address;
    std::uint8_t api_bytes = 0;
    std::array<char, kApiBytesMax> api;
    void set(base::WallMs now_ms, const domain::Address& from, std::string_view api_id);
  };
  // One key in one hour.
  struct Slot {
    std::uint8_t id_bytes = 0;  // 0: free
    std::array<char, kIdBytesMax> id;
    std::int64_t hour = 0;
    Moment first, last;
    std::string_view key_id() const { return {id.data(), id_bytes}; }
  };
  KeyUse use(const Slot& slot, const Moment& moment) const;
  // How many slots the next time needs if it is like the one that ends: four times what was taken.
  std::size_t slots_wanted();
  // Gives the slots away and goes on with `empty`.
  std::vector<Slot> exchange(std::vector<Slot> empty, std::uint64_t& dropped);

  const std::size_t slots_least_;
  const KeyPlane plane_;
  std::atomic<bool> is_filling_{false};
  std::mutex mutex_;
  // guarded by mutex_
  std::vector<Slot> slots_;
  std::size_t taken_ = 0;
  std::uint64_t dropped_ = 0;
};

class KeyUsage {
 public:
  static constexpr std::size_t kSlotsMax = 65'536;  // of one table: some 15 MB
  // A table per io thread and one for the management API; each begins with `slots` and never has fewer.
  explicit KeyUsage(std::size_t threads, std::size_t slots = 1024);
  KeyUsageTable& table(std::size_t thread) { return *tables_[thread]; }
  KeyUsageTable& management() { return *tables_.back(); }
  // One at a time. What it returns is nowhere else any more.
  KeyUsageReport drain();
  // Some table will be full before long. Any thread.
  bool is_filling() const;

 private:
  bool is_first(const KeyUse& use);

  std::vector<std::unique_ptr<KeyUsageTable>> tables_;
  std::mutex drain_mutex_;
  // guarded by drain_mutex_; hour of the newest first use told, by key
  base::LruCache<std::string, std::int64_t> told_;
};

}  // namespace funcgate::auth
