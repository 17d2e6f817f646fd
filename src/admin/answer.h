// Answer: what the management API says, as values; only the edge makes an envelope and bytes of it.
//
// Thread-safety: plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "domain/reason.h"

namespace funcgate::admin {

struct PageInfo {
  std::size_t page_size = 50;
  std::string next_cursor;  // empty: null, the last page
  std::int64_t total = 0;   // -1: null, it was not counted
};

struct Answer {
  std::optional<domain::Refusal> refusal;  // set: nothing else counts but headers
  int status = 200;
  std::optional<base::json::value> data;  // absent with 204 and 304
  std::optional<PageInfo> page;
  std::vector<std::string> warnings;
  std::string etag;  // ETag with its quotes; empty = none
  std::string location;
  std::string set_cookie;     // whole value of Set-Cookie; holds a secret: never logged
  bool shows_secret = false;  // data holds a token shown once: the answer is not kept for replay
  std::string object_id;      // of what was made, for the replay of such answers
  std::vector<std::pair<std::string, std::string>> headers;
  // Instead of an envelope: exports.
  std::string content_type, raw_body;
};

Answer ok(base::json::value data);
Answer ok(base::json::value data, std::int64_t version);       // with ETag
Answer created(base::json::value data, std::int64_t version);  // 201 with ETag
Answer no_content();                                           // 204
Answer listed(base::json::array rows, PageInfo page);

// Refusals. Messages say what to do; nothing in them is a secret.
Answer refused(domain::Fault fault, domain::Reason reason, std::string message, std::string detail_json = {});
Answer invalid(const std::vector<base::Finding>& findings);                   // 400.43, detail.errors
Answer invalid(std::string path, std::string code, std::string message);      // one finding
Answer not_found(std::string_view what, std::string_view id);                 // 404.41 `there is no user "x"`
Answer duplicated(std::string message);                                       // 409.42
Answer conflict(std::string message);                                         // 409.25
Answer in_use(std::string message, const std::vector<std::string>& used_by);  // 409.25, detail.usedBy
Answer stale(std::int64_t current_version);                                   // 412.51, detail.version
Answer if_match_missing();                                                    // 428.52
Answer privilege_missing(std::string_view privilege);                         // 403.15 `Privilege "X" is required`
// An Error of store or services: InvalidArgument 400.43, NotFound 404.41, Conflict 409.25, FailedPrecondition 409.25,
// PermissionDenied 403.15, ResourceExhausted 503.1, Unavailable 503.1, DeadlineExceeded 503.1 with the reason FunctionTimeout (it
// may be done all the same), everything else 500.5 without internals.
Answer from_error(const base::Error& error);

}  // namespace funcgate::admin
