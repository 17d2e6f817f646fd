// Every bound of the product on one page, with its unit in its name. Configuration key = member name under [limits].
#pragma once

#include <cstddef>
#include <cstdint>

namespace funcgate::domain {

struct Limits {
  // HTTP
  std::int64_t request_line_bytes = 8192;
  std::int64_t header_bytes = 32768;
  std::int64_t header_count = 100;
  std::int64_t authorization_bytes = 8192;
  std::int64_t header_read_ms = 10'000;
  std::int64_t idle_ms = 60'000;
  std::int64_t body_read_ms = 60'000;
  std::int64_t upload_read_ms = 3'600'000;
  std::int64_t write_ms = 60'000;
  std::int64_t connections = 20'000;  // of the whole server
  std::int64_t pre_auth_body_bytes = 1 << 20;
  std::int64_t body_bytes = 50 << 20;
  std::int64_t upload_bytes = 1LL << 30;
  std::int64_t upload_files = 32;
  std::int64_t form_fields = 1000;
  std::int64_t upload_quota_bytes = 10LL << 30;  // of all unfinished calls together
  std::int64_t json_depth = 64;
  std::int64_t query_fields = 1000;
  // workers
  std::int64_t pool_queue_length = 1000;
  std::int64_t pool_workers = 0;  // 0: number of cores
  std::int64_t worker_memory_bytes = 512LL << 20;
  std::int64_t worker_calls_before_recycle = 1'000'000;
  std::int64_t worker_load_ms = 30'000;
  std::int64_t function_timeout_ms = 30'000;
  std::int64_t async_function_timeout_ms = 3'600'000;
  std::int64_t auth_function_timeout_ms = 2000;
  std::int64_t auth_pool_queue_length = 100;
  // results
  std::int64_t result_bytes = 10 << 20;
  std::int64_t large_result_bytes = 1LL << 30;
  std::int64_t result_cache_bytes = 256LL << 20;
  std::int64_t result_cache_entry_bytes = 1 << 20;
  // tasks
  std::int64_t tasks_waiting = 10'000;  // per API, or per function of DFF.FUNC
  std::int64_t task_polls_per_second = 10;
  // authentication
  std::int64_t hash_concurrency = 0;  // 0: half the cores, at least 1
  std::int64_t hash_queue = 64;
  std::int64_t hash_queue_per_address = 4;
  std::int64_t hash_wait_ms = 2000;
  std::int64_t basic_cache_entries = 10'000;
  std::int64_t digest_nonces_kept = 100'000;
  // journal
  std::int64_t journal_ring_records = 131'072;  // per io thread; a disk may pause for a second at full speed
  std::int64_t journal_block_records = 4096;
  std::int64_t journal_flush_ms = 20;
  // stop
  std::int64_t shutdown_ms = 30'000;
};

// Scripts and resources: fixed, because stored objects rely on them.
inline constexpr std::size_t kScriptBytesMax = 1 << 20;
inline constexpr std::size_t kScriptVersionsKept = 100;
inline constexpr std::size_t kAuthEntriesPerApiMax = 8;
inline constexpr std::size_t kFixedFieldEntriesMax = 50;
inline constexpr std::size_t kAuthUsersMax = 10'000;
inline constexpr std::size_t kCacheKeyBytesMax = 256;
inline constexpr std::size_t kCacheValueBytesMax = 1 << 20;
inline constexpr int kFunctionChainMax = 5;

}  // namespace funcgate::domain
