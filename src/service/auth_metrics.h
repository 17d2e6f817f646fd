// AuthObserver: counts what authentication decided and logs refusals, for one io thread.
//
// Not thread-safe. Counters are looked up once per (type, reason); at most kLogLinesPerSecond lines are written, the rest is
// told as a number: a flood of refusals must not become a flood of log.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "crypto/hash.h"
#include "domain/call.h"
#include "domain/principal.h"
#include "domain/reason.h"

namespace funcgate::service {

// The configuration that refused, as far as one did; all empty: none.
struct Decider {
  std::string_view type, config_id;
  std::string_view account;  // name that was tried
};

class AuthObserver {
 public:
  static constexpr int kLogLinesPerSecond = 50;
  static constexpr std::size_t kTypes = 7;  // of authentication; "none" is one
  // Keyed hash, under a key of this process.
  using Hash = std::function<crypto::Digest256(std::string_view)>;
  AuthObserver(base::Metrics& metrics, Hash hash) : metrics_(metrics), hash_(std::move(hash)) {}

  // `who`: the principal, whose type is that of the accepting configuration, or "anonymous".
  void accepted(const domain::Call& call, const domain::PrincipalFields& who);
  void refused(const domain::Call& call, const domain::Refusal& refusal, const Decider& decider);

 private:
  base::Counter& counter(std::string_view type, std::string_view outcome, domain::Reason reason);
  bool has_line_left(base::WallMs now_ms);

  base::Metrics& metrics_;
  const Hash hash_;
  std::map<std::pair<std::string_view, domain::Reason>, base::Counter*> counters_;
  std::array<base::Counter*, kTypes> accepted_{};  // null: not looked up yet
  std::int64_t log_second_ = 0;
  int log_lines_ = 0;
  std::int64_t suppressed_ = 0;
};

}  // namespace funcgate::service
