// ApiClient: the management API as the command line uses it: over HTTP with a management key, or over the control socket of a
// data directory, where the owner of that directory needs none.
//
// Errors are ready to be shown: the server's message, one line per finding, and the trace id. Their code says how the program
// ends; see report(). Thread-safety: one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/connection.h"
#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"
#include "http/client/curl_client.h"

namespace funcgate::app::cli {

namespace json = base::json;

struct ApiCall {
  std::string method = "GET";
  std::string path;  // below /admin/api/v1, encoded, with its query
  std::optional<std::string> body;
  std::string content_type = "application/json", accept = "application/json", if_match;  // If-Match; empty = none
};

struct ApiReply {
  int status = 0;
  json::value data;         // of the envelope; null if there is none
  std::string next_cursor;  // of a list or an export; empty = last page
  std::int64_t total = -1;  // of a list; -1: not told
  std::string etag, date;
  std::vector<std::string> warnings;
  std::string text;  // body of an answer that is no envelope
  std::optional<base::WallMs> certificate_ends_ms;
};

// Of the command line itself: report() ends with 2 and names --help.
base::Error usage_error(std::string message);
// Prints the message to standard error; the exit code: 2 usage, 3 not found, 4 denied, 5 conflict, 6 unreachable, 7 invalid
// document, else 1.
int report(const base::Error& error);

class ApiClient {
 public:
  // Reads the key from --token-file, FUNCGATE_TOKEN_FILE or FUNCGATE_TOKEN. `token_needed`: without one it is a usage error.
  static base::Result<ApiClient> open(Connection connection, bool token_needed = true);

  base::Result<ApiReply> call(const ApiCall& call);
  // The same, whatever the status: for answers whose refusals are read, too.
  base::Result<http::IncomingReply> send(const ApiCall& call);
  // data of GET.
  base::Result<json::value> get(std::string path);
  // A path outside of the management API: /healthz, /readyz. Any status is a reply; no key is sent.
  base::Result<ApiReply> probe(const std::string& path);

  const Connection& connection() const { return connection_; }
  bool has_token() const { return !token_.empty(); }
  std::string place() const;  // "https://…" or "the server of ./data"

 private:
  ApiClient(Connection connection, base::SecretString token) : connection_(std::move(connection)), token_(std::move(token)) {}
  base::Result<http::IncomingReply> exchange(const ApiCall& call, const std::string& path, bool with_token);

  Connection connection_;
  base::SecretString token_;
  http::CurlClient curl_;
};

// The Error for a refusal of the server: `envelope` as it came, or null if the answer was something else.
base::Error refusal_error(int status, const json::value& envelope);

// Member of an object, or nullptr; for values that are no objects too.
const json::value* member(const json::value& value, std::string_view name);
// Text of a member; empty if it is absent or no text.
std::string text_member(const json::value& value, std::string_view name);

}  // namespace funcgate::app::cli
