// Connection: how a command reaches the management API; filled from its options.
//
// Thread-safety: a plain value.
#pragma once

#include <cstdint>
#include <string>

namespace funcgate::app::cli {

// `url` empty: the control socket in data_dir.
struct Connection {
  std::string url, token_file, data_dir = "data", ca_file;
  bool plain_http = false;  // a key may travel unencrypted to another machine
  std::int64_t timeout_s = 60;

  bool remote() const { return !url.empty(); }
};

}  // namespace funcgate::app::cli
