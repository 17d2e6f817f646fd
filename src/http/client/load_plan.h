// What a load is, and what came of it: plain values between whoever plans it, the threads that make it and whoever reports it.
//
// Thread-safety: plain values.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "http/client/client_stream.h"
#include "http/client/latency_histogram.h"
#include "http/client/request_source.h"

namespace funcgate::http {

struct LoadPlan {
  boost::asio::ip::tcp::endpoint endpoint;
  const ClientTls* tls = nullptr;  // null: plain
  std::size_t connections = 16, threads = 1;
  bool keep_alive = true;
  bool of_head = false;  // the requests are HEAD requests
  // Closed loop: each connection asks again as soon as it is answered. Open loop: requests are due at fixed times, whether or not
  // earlier ones were answered.
  std::optional<double> rate_per_second;
  // One of these ends the load.
  std::optional<std::uint64_t> requests;
  base::SteadyNs duration_ns = 0;
  base::SteadyNs timeout_ns = 10'000 * base::kNsPerMs;  // of a connection and of each request; kept to within 100 ms
  int expected_status = 0;                              // 0: any 2xx
  // One for each connection; called by one thread after the other.
  std::function<std::unique_ptr<RequestSource>()> make_source;
};

struct LoadResult {
  static constexpr std::size_t kStatuses = 1000;

  // From the moment each counted request was due to its whole answer. Requests that timed out count with the time until they
  // were given up: leaving the slowest out would flatter.
  LatencyHistogram latency;
  std::array<std::uint64_t, kStatuses> statuses{};  // answers by status
  std::uint64_t requests = 0;                       // that ended, in whatever way
  std::uint64_t succeeded = 0;                      // with the expected status
  // Requests that ended without an answer.
  std::uint64_t timed_out = 0, lost = 0, malformed = 0, failed_to_connect = 0;
  std::uint64_t connect_errors = 0;  // attempts, whether or not a request was waiting for them
  std::uint64_t connections_opened = 0, preparations = 0, repeated = 0;
  std::uint64_t due_but_not_sent = 0;  // open loop: at the end all connections were still busy with earlier ones
  std::uint64_t sent_bytes = 0, received_bytes = 0;
  base::SteadyNs began_ns = 0, ended_ns = 0;  // of the counted part
  std::string first_problem;                  // of a connection, in words
  std::optional<base::Error> broken_off;      // why there was no point in going on

  std::uint64_t answered() const { return requests - timed_out - lost - malformed - failed_to_connect; }
  std::uint64_t failed() const { return requests - succeeded; }
  base::SteadyNs elapsed_ns() const { return ended_ns > began_ns ? ended_ns - began_ns : 0; }
  void add(const LoadResult& other);
};

// What may be looked at while a load runs.
struct LoadProgress {
  base::SteadyNs elapsed_ns = 0;
  std::uint64_t requests = 0, failed = 0;
};

}  // namespace funcgate::http
