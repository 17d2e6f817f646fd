#include "service/auth_metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/log.h"
#include "base/text.h"
#include "service/fault_text.h"

namespace funcgate::service {
namespace {

// Types are few and fixed: a view of static text is a key for good. The last one stands for all others.
constexpr std::array<std::string_view, AuthObserver::kTypes> kTypeNames{"anonymous",  "fixedField", "httpBasic", "apiKey",
                                                                        "httpDigest", "func",       "none"};
std::size_t number_of(std::string_view type) {
  const auto known = std::find(kTypeNames.begin(), kTypeNames.end() - 1, type);
  return static_cast<std::size_t>(known - kTypeNames.begin());
}

}  // namespace

base::Counter& AuthObserver::counter(std::string_view type, std::string_view outcome, domain::Reason reason) {
  base::Counter*& found = counters_[{type, reason}];
  if (found == nullptr) {
    found = &metrics_.counter("funcgate_auth_total", "What authentication decided.",
                              {{"type", type}, {"outcome", outcome}, {"reason", domain::reason_token(reason)}});
  }
  return *found;
}

void AuthObserver::accepted(const domain::Call& call, const domain::PrincipalFields& who) {
  const std::size_t type = number_of(who.type);
  base::Counter*& accepted = accepted_[type];
  if (accepted == nullptr) accepted = &counter(kTypeNames[type], "accepted", domain::Reason::None);
  accepted->add();
  if (!base::log::enabled(base::log::Level::Debug)) return;
  base::log::debug("auth.accepted", {{"traceId", call.trace_id},
                                     {"api", call.api_id},
                                     {"config", who.auth_id},
                                     {"type", who.type},
                                     {"user", base::printable(who.name)},
                                     {"address", call.peer.text()}});
}

bool AuthObserver::has_line_left(base::WallMs now_ms) {
  const std::int64_t second = now_ms / 1000;
  if (second != log_second_) {
    if (suppressed_ > 0) base::log::info("auth.refused_more", {{"count", suppressed_}});
    log_second_ = second;
    log_lines_ = 0;
    suppressed_ = 0;
  }
  if (++log_lines_ <= kLogLinesPerSecond) return true;
  ++suppressed_;
  return false;
}

void AuthObserver::refused(const domain::Call& call, const domain::Refusal& refusal, const Decider& decider) {
  const std::string_view type = kTypeNames[number_of(decider.type)];
  const bool unavailable = refusal.fault == domain::Fault::AuthUnavailable;
  counter(type, unavailable ? "unavailable" : "refused", refusal.reason).add();
  if (!has_line_left(call.arrival_ms)) return;
  std::string user;
  if (domain::account_exists(refusal.reason)) {
    user = base::printable(decider.account);
  } else if (!decider.account.empty()) {
    const crypto::Digest256 digest =
        hash_(fmt::format("user {}:{}{}", decider.config_id.size(), decider.config_id, decider.account));
    user = "hash:" + base::hex_encode(crypto::as_view(digest).substr(0, 8));
  }
  base::log::info("auth.refused", {{"traceId", call.trace_id},
                                   {"api", call.api_id},
                                   {"config", decider.config_id},
                                   {"type", type},
                                   {"user", user},
                                   {"reason", domain::reason_token(refusal.reason)},
                                   {"address", call.peer.text()},
                                   {"status", fault_identity(refusal.fault, false).status}});
}

}  // namespace funcgate::service
