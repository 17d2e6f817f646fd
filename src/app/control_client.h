// The command line's way to a running server: one HTTP request over the control socket in the data directory. Blocking.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace funcgate::app {

struct ControlReply {
  int status = 0;
  std::string body;
};
// NotFound: no server runs on this data directory. DeadlineExceeded after `timeout_s`.
base::Result<ControlReply> control_request(const std::string& data_dir, std::string_view method, std::string_view path,
                                           std::string_view body, int timeout_s = 300);

}  // namespace funcgate::app
