// The command line's way to a running server: one HTTP request over the control socket in the data directory. Blocking.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace funcgate::app {

struct ControlReply {
  int status = 0;
  std::string body;
  std::string head;  // status line and header lines, without the empty line

  // Value of a header, `name` in any case; empty if it is not there.
  std::string_view header(std::string_view name) const;
};
// NotFound: no server runs on this data directory. DeadlineExceeded after `timeout_s`. `more_headers`: whole lines, each with its
// CRLF; one that names Content-Type replaces application/json.
base::Result<ControlReply> control_request(const std::string& data_dir, std::string_view method, std::string_view path,
                                           std::string_view body, int timeout_s = 300, std::string_view more_headers = {});

}  // namespace funcgate::app
