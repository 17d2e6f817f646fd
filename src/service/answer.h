// Answer: what a call ends with, as values. Only http/ turns it into bytes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "domain/invocation.h"
#include "domain/reason.h"

namespace funcgate::service {

struct Answer {
  std::optional<domain::Refusal> refusal;  // set: everything below but the last group is unused

  int status = 200;
  // `owned_content_type` if not empty, else `content_type` (static text, or a view into `reply` or `kept`).
  std::string_view content_type;
  std::string owned_content_type;
  std::string_view media() const { return owned_content_type.empty() ? content_type : std::string_view(owned_content_type); }
  // Exactly one body: `owned_body` if not empty, else `body` (a view into `reply` or `kept`), or `file`.
  std::string_view body;
  std::string owned_body;
  std::shared_ptr<const void> kept;  // what `body` is a view into, if that is not `reply`
  std::string_view body_bytes() const { return owned_body.empty() ? body : std::string_view(owned_body); }
  domain::FunctionReply reply;
  base::FileDescriptor file;
  std::int64_t file_bytes = 0;
  bool envelope = false;                // `body` is the JSON of `data` in a success envelope
  std::string envelope_members;         // further members of it behind `data`: JSON text that begins with a comma
  std::vector<domain::Header> headers;  // of the function; views into `reply`
  std::vector<std::pair<std::string, std::string>> own_headers;
  std::int64_t retry_after_s = 0;
  bool cached = false;
  bool authenticated = false;  // Cache-Control: private, no-store unless the function set its own

  // For every answer.
  base::WallMs ended_ms = 0;               // when it was ready; 0: it is ready when it is written
  bool async_api = false;                  // compat reasons tell sync and async APIs apart
  bool management = false;                 // of the management API, which has no compat mode
  std::string cors_origin;                 // Access-Control-Allow-Origin; empty = none
  bool cors_vary = false;                  // Vary: Origin
  std::string cors_methods, cors_headers;  // preflight
  std::string authentication_info;
};

}  // namespace funcgate::service
