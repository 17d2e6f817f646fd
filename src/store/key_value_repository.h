// KeyValueRepository: what DFF.STORE keeps, in SQL.
//
// Thread-safety: any thread; blocks. The database must outlive it.
#pragma once

#include "domain/ports/key_value_store.h"
#include "store/database.h"

namespace funcgate::store {

inline constexpr std::size_t kKeysListedMax = 10'000;

class KeyValueRepository final : public domain::KeyValueStore {
 public:
  explicit KeyValueRepository(Database& database) : database_(database) {}

  base::Result<std::optional<std::string>> get(const std::string& scope, const std::string& key, std::int64_t now_ms) override;
  // InvalidArgument: key empty, longer than kCacheKeyBytesMax or with a NUL; PayloadTooLarge: value longer than
  // kCacheValueBytesMax.
  base::Status set(const std::string& scope, const std::string& key, const std::string& value,
                   std::int64_t expires_at_ms) override;
  base::Result<bool> remove(const std::string& scope, const std::string& key) override;
  // Sorted, at most kKeysListedMax.
  base::Result<std::vector<std::string>> keys(const std::string& scope, const std::string& prefix, std::int64_t now_ms) override;
  // Removes expired values, at most 1000 in one call; returns how many.
  base::Result<std::size_t> prune(std::int64_t now_ms);

 private:
  Database& database_;
};

}  // namespace funcgate::store
