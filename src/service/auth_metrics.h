// AuthObserver: counts what authentication decided and logs refusals, for one io thread.
//
// Not thread-safe. Counters are looked up once per (type, reason); at most kLogLinesPerSecond lines are written, the rest is
// told as a number: a flood of refusals must not become a flood of log.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/metrics.h"
#include "domain/call.h"
#include "domain/reason.h"

namespace funcgate::service {

class AuthObserver {
 public:
  static constexpr int kLogLinesPerSecond = 50;
  explicit AuthObserver(base::Metrics& metrics) : metrics_(metrics) {}

  // `type`: of the accepting scheme, or "anonymous".
  void accepted(const domain::Call& call, std::string_view type, std::string_view config_id);
  void refused(const domain::Call& call, const domain::Refusal& refusal, int status);

 private:
  base::Counter& counter(std::string_view type, std::string_view outcome, domain::Reason reason);

  base::Metrics& metrics_;
  std::map<std::pair<std::string_view, domain::Reason>, base::Counter*> counters_;
  std::int64_t log_second_ = 0;
  int log_lines_ = 0;
  std::int64_t suppressed_ = 0;
};

}  // namespace funcgate::service
