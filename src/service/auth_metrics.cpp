#include "service/auth_metrics.h"

#include "base/log.h"

namespace funcgate::service {
namespace {

// "basic.password" → "httpBasic": reasons are named after the scheme that gives them.
std::string_view type_of(domain::Reason reason) {
  const std::string_view token = domain::reason_token(reason);
  const std::string_view family = token.substr(0, token.find('.'));
  if (family == "fixed_field") return "fixedField";
  if (family == "basic") return "httpBasic";
  if (family == "digest") return "httpDigest";
  if (family == "func") return "func";
  if (family == "key") return "apiKey";
  return "none";
}

// Types are few and fixed: a view of static text is a key for good.
std::string_view static_type(std::string_view type) {
  for (std::string_view known : {"anonymous", "fixedField", "httpBasic", "httpDigest", "func", "apiKey"}) {
    if (known == type) return known;
  }
  return "none";
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

void AuthObserver::accepted(const domain::Call& call, std::string_view type, std::string_view config_id) {
  counter(static_type(type), "accepted", domain::Reason::None).add();
  base::log::debug("auth.accepted", {{"traceId", call.trace_id}, {"api", call.api_id}, {"config", config_id}, {"type", type},
                                     {"address", call.peer.text()}});
}

void AuthObserver::refused(const domain::Call& call, const domain::Refusal& refusal, int status) {
  const std::string_view type = type_of(refusal.reason);
  const bool unavailable = refusal.fault == domain::Fault::AuthUnavailable;
  counter(type, unavailable ? "unavailable" : "refused", refusal.reason).add();
  const std::int64_t second = call.arrival_ms / 1000;
  if (second != log_second_) {
    if (suppressed_ > 0) base::log::info("auth.refused_more", {{"count", suppressed_}});
    log_second_ = second;
    log_lines_ = 0;
    suppressed_ = 0;
  }
  if (++log_lines_ > kLogLinesPerSecond) {
    ++suppressed_;
    return;
  }
  base::log::info("auth.refused", {{"traceId", call.trace_id},
                                   {"api", call.api_id},
                                   {"type", type},
                                   {"reason", domain::reason_token(refusal.reason)},
                                   {"address", call.peer.text()},
                                   {"status", status}});
}

}  // namespace funcgate::service
