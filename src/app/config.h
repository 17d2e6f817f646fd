// Config: the file funcgate.toml, parsed once into plain structs. An unknown key is an error that suggests the nearest one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "auth/throttle.h"
#include "base/log.h"
#include "base/result.h"
#include "service/settings.h"

namespace funcgate::app {

struct PoolConfig {
  std::int64_t workers = 0;  // 0: number of cores
  std::int64_t queue_length = 1000;
  std::int64_t memory_bytes = 512LL << 20;
  bool network = true;
};

struct Config {
  std::string listen;  // HOST:PORT; --listen wins
  std::int64_t threads = 0;  // io threads; 0: number of cores
  std::string tls_certificate, tls_key;
  base::log::Level log_level = base::log::Level::Info;
  std::string log_path = "-", access_log = "off";
  std::string keystore_path, keystore_password_file;
  std::string worker_sandbox = "full";
  std::map<std::uint16_t, PoolConfig> pools;  // [pools.N], N = queue 1 to 15
  auth::ThrottleSettings throttle;
  service::ServerSettings server;
};

// Every finding of the file, one per line, as `file:line: key: message`. `path` empty: the defaults.
base::Result<Config> load_config(const std::string& path);
// The file with every key, its default and what it means: for check-config --print and docs/configuration.md.
std::string describe_config();

}  // namespace funcgate::app
