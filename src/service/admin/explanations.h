// Explanations: why the last refused calls were refused, each check with its cause; kept in memory, 10,000 for 24 hours.
//
// The request path notes facts as values (no texts of a request but what is listed here); the text is made when somebody asks.
// Thread-safety: note() from any io thread, bounded work; find() from any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "domain/address.h"
#include "domain/reason.h"

namespace funcgate::service {

struct ExplainedStep {
  std::string config_id, type;
  std::string verdict;  // accepted, absent, rejected, forbidden, blocked, unavailable
  domain::Reason reason = domain::Reason::None;
  std::string fact;  // age of a nonce, missing privilege …; never a credential
};

struct Explanation {
  std::string trace_id, api_id, method, path;  // path without query
  domain::Address address;
  int status = 0;
  std::string error;
  domain::Reason reason = domain::Reason::None;
  base::WallMs time_ms = 0;
  std::vector<ExplainedStep> steps;
};

class Explanations {
 public:
  explicit Explanations(const base::Clock& clock) : clock_(clock) {}
  void note(Explanation explanation);
  std::optional<Explanation> find(std::string_view trace_id) const;

  static constexpr std::size_t kKeptMax = 10'000;
  static constexpr base::WallMs kKeptMs = 24 * 3600 * 1000;

 private:
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::deque<Explanation> kept_;                               // guarded by mutex_
  std::unordered_map<std::string, std::uint64_t> by_trace_;    // guarded by mutex_
  std::uint64_t first_ = 0;                                    // guarded by mutex_
};

base::json::array to_json(const std::vector<ExplainedStep>& told);
base::json::object to_json(const Explanation& explanation);

}  // namespace funcgate::service
