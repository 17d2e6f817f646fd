// `funcgate bench`: what its command line says, and the plan that follows from it.
//
// Secrets come from files or standard input, never from arguments: the list of processes shows those to everybody.
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "http/client/target_url.h"

namespace funcgate::app::bench {

struct BenchOptions {
  std::string url, method, body, content_type;  // body: the text, or @FILE
  std::int64_t connections = 16, threads = 1;
  double duration_s = 10, timeout_s = 10;
  std::optional<std::int64_t> requests;
  std::optional<double> rate_per_second;
  int expected_status = 0;  // 0: any 2xx
  std::vector<std::string> headers;
  // Files with credentials; "-" is standard input.
  std::string key_file, basic_file, digest_file, fixed_field, value_file;
  std::string ca_file, output = "table";
  bool keep_alive = true, allow_remote = false, allow_plain_http = false;
};

inline constexpr std::int64_t kConnectionsMax = 10'000, kThreadsMax = 64;
inline constexpr double kDurationMaxS = 3600, kTimeoutMaxS = 600, kRateMax = 1'000'000;
inline constexpr std::int64_t kRequestsMax = 1'000'000'000;

// A request as bytes: `head` is the request line and the fields, each with its line end, without the empty line.
struct RequestText {
  std::string method, target, head, body;
  std::string whole() const { return head + "\r\n" + body; }
};

struct Account {
  std::string name;
  base::SecretString password;
};

struct BenchPlan {
  http::TargetUrl url;
  RequestText request;            // complete, but for HTTP Digest, whose field differs from request to request
  std::optional<Account> digest;  // to be answered with HTTP Digest
  std::string_view credential;    // in words, for the report
};

// Reads the files that the options name. Errors of the command line itself are usage errors (exit code 2).
base::Result<BenchPlan> make_plan(const BenchOptions& options);

// Refuses addresses beyond this machine unless the options allow them: a mistyped host is somebody else's server.
base::Status check_remote(const BenchOptions& options, const BenchPlan& plan, const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace funcgate::app::bench
