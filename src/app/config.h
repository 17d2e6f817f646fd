// Config: the file funcgate.toml, parsed once into plain structs. An unknown key is an error that suggests the nearest one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "auth/throttle.h"
#include "base/json.h"
#include "base/log.h"
#include "base/result.h"
#include "crypto/password_hash.h"
#include "keystore/secret_rules.h"
#include "service/settings.h"

namespace funcgate::app {

struct PoolConfig {
  std::int64_t workers = 0;  // 0: number of cores
  std::int64_t queue_length = 1000;
  std::int64_t memory_bytes = 512LL << 20;
  bool network = true;
};

// [auth.password_hash]: what a stored password costs, and so every guess at it.
struct PasswordHashConfig {
  std::int64_t memory_kib = crypto::kPasswordCostLeast.memory_kib;
  std::int64_t iterations = crypto::kPasswordCostLeast.passes;
  crypto::PasswordCost cost() const { return {static_cast<std::uint32_t>(memory_kib), static_cast<std::uint32_t>(iterations)}; }
};

struct Config {
  std::string listen;        // HOST:PORT; --listen wins
  std::int64_t threads = 0;  // io threads; 0: half of the cores, rounded up
  std::string tls_certificate, tls_key;
  base::log::Level log_level = base::log::Level::Info;
  std::string log_path = "-", access_log = "off";
  std::string keystore_path, keystore_password_file;
  keystore::Aliases keystore_aliases;
  std::string worker_sandbox = "full";
  std::map<std::uint16_t, PoolConfig> pools;  // [pools.N], N = queue 1 to 15
  PasswordHashConfig password_hash;
  std::string admin_listen;  // HOST:PORT of the management API alone; empty: together with everything else
  std::int64_t session_idle_minutes = 30, session_hours = 12;
  std::int64_t sign_in_failures_per_hour = 100;  // of one client network
  std::int64_t key_overlap_hours = 720;          // keys signed with a retired secret stay good so long
  std::string audit_calls = "batched";           // or before_reply: server.record_before_reply
  std::string audit_checkpoint_file;             // each checkpoint becomes a line of it; empty: of none
  std::string audit_checkpoint_syslog;           // each checkpoint is sent to this socket; empty: to none
  auth::ThrottleSettings throttle;
  service::ServerSettings server;
};

// Every finding of the file, one per line, as `file:line: key: message`. `path` empty: the defaults.
base::Result<Config> load_config(const std::string& path);
// The values in force, by section and key, for administrators to read. Lists of networks and pools are left out.
base::json::object settings_document(const Config& config);
// The file with every key, its default and what it means: for check-config --print and docs/configuration.md.
std::string describe_config();

}  // namespace funcgate::app
