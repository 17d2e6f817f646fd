#include "domain/password_policy_json.h"

#include "base/clock.h"

namespace funcgate::domain {

namespace json = base::json;

json::object password_policy_json(const PasswordPolicy& policy) {
  json::object out{{"minLength", policy.min_length},
                   {"minUpper", policy.min_upper},
                   {"minLower", policy.min_lower},
                   {"minDigits", policy.min_digits},
                   {"minSpecial", policy.min_special},
                   {"notLogin", policy.not_login},
                   {"noReuseCount", policy.no_reuse_count},
                   {"noReuseDays", policy.no_reuse_days},
                   {"daysValid", policy.days_valid},
                   {"daysToReset", policy.days_to_reset},
                   {"lockAfterFailures", policy.lock_after_failures},
                   {"lockMinutes", policy.lock_minutes},
                   {"lockScope", policy.lock_whole_account ? "account" : "address"}};
  out["version"] = policy.meta.version;
  out["updatedAt"] =
      policy.meta.updated_at_ms == 0 ? json::value() : json::value(base::format_rfc3339(policy.meta.updated_at_ms));
  out["updatedBy"] = policy.meta.updated_by;
  return out;
}

PasswordPolicy read_password_policy(const json::value& body, std::vector<base::Finding>& findings) {
  constexpr std::int64_t kDaysMax = 3650, kCountMax = 128, kReuseMax = 24, kFailuresMax = 1000, kMinutesMax = 10'080;
  PasswordPolicy policy;
  base::ObjectReader reader(body, "", findings);
  std::string scope = "address";
  reader.integer("minLength", policy.min_length, 0, 1024)
      .integer("minUpper", policy.min_upper, 0, kCountMax)
      .integer("minLower", policy.min_lower, 0, kCountMax)
      .integer("minDigits", policy.min_digits, 0, kCountMax)
      .integer("minSpecial", policy.min_special, 0, kCountMax)
      .boolean("notLogin", policy.not_login)
      .integer("noReuseCount", policy.no_reuse_count, 0, kReuseMax)
      .integer("noReuseDays", policy.no_reuse_days, 0, kDaysMax)
      .integer("daysValid", policy.days_valid, 0, kDaysMax)
      .integer("daysToReset", policy.days_to_reset, 0, kDaysMax)
      .integer("lockAfterFailures", policy.lock_after_failures, 0, kFailuresMax)
      .integer("lockMinutes", policy.lock_minutes, 1, kMinutesMax)
      .choice("lockScope", scope, {"address", "account"});
  policy.lock_whole_account = scope == "account";
  for (std::string_view reported : {"version", "updatedAt", "updatedBy"}) reader.member(reported);
  reader.finish();
  return policy;
}

}  // namespace funcgate::domain
