#include "domain/password_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace funcgate::domain {
namespace {

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
// ASCII punctuation. A blank is none.
bool is_special(char c) { return c > ' ' && c < 0x7f && !is_upper(c) && !is_lower(c) && !is_digit(c); }

std::int64_t count(std::string_view text, bool (*wanted)(char)) { return std::count_if(text.begin(), text.end(), wanted); }

std::int64_t character_count(std::string_view text) {
  return static_cast<std::int64_t>(base::is_valid_utf8(text) ? base::utf8_length(text) : text.size());
}

struct PastPassword {
  std::int64_t replaced_at_ms = 0;
  std::string_view phc;
};
// What cannot be read forbids nothing.
std::optional<PastPassword> parse_past(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto ms = base::parse_digits(text.substr(0, colon));
  if (!ms) return std::nullopt;
  return PastPassword{*ms, text.substr(colon + 1)};
}

// Days that reach beyond the range of times are as good as for ever.
std::int64_t after_days(std::int64_t from_ms, std::int64_t days) {
  const std::int64_t days_max = (INT64_MAX - std::max<std::int64_t>(from_ms, 0)) / kDayMs;
  return from_ms + std::min(days, days_max) * kDayMs;
}

}  // namespace

std::vector<std::string> failed_password_rules(const PasswordPolicy& policy, std::string_view password, std::string_view login) {
  if (password.size() > kPasswordBytesMax) return {"maxLength"};
  std::vector<std::string> failed;
  const auto rule = [&](const char* name, bool kept) {
    if (!kept) failed.emplace_back(name);
  };
  // Whatever the policy says, no password is no password.
  rule("minLength", !password.empty() && character_count(password) >= policy.min_length);
  rule("minUpper", count(password, is_upper) >= policy.min_upper);
  rule("minLower", count(password, is_lower) >= policy.min_lower);
  rule("minDigits", count(password, is_digit) >= policy.min_digits);
  rule("minSpecial", count(password, is_special) >= policy.min_special);
  const bool has_login = !login.empty() && base::to_lower(password).find(base::to_lower(login)) != std::string::npos;
  rule("notLogin", !policy.not_login || !has_login);
  return failed;
}

std::vector<std::string> failed_reuse_rules(const PasswordPolicy& policy, const User& user, std::int64_t now_ms,
                                            const IsSamePassword& same) {
  if (policy.no_reuse_count <= 0 && policy.no_reuse_days <= 0) return {};
  if (!user.password_hash.empty() && same(user.password_hash)) {
    return {policy.no_reuse_count > 0 ? "noReuseCount" : "noReuseDays"};
  }
  const std::size_t looked_at = std::min(user.past_password_hashes.size(), kPastPasswordsMax);
  for (std::size_t i = 0; i < looked_at; ++i) {
    const auto past = parse_past(user.past_password_hashes[i]);
    if (!past) continue;
    const bool by_count = static_cast<std::int64_t>(i) + 2 <= policy.no_reuse_count;
    const bool by_days = policy.no_reuse_days > 0 && now_ms < after_days(past->replaced_at_ms, policy.no_reuse_days);
    if ((by_count || by_days) && same(past->phc)) return {by_count ? "noReuseCount" : "noReuseDays"};
  }
  return {};
}

std::string past_password(std::int64_t replaced_at_ms, std::string_view phc) { return fmt::format("{}:{}", replaced_at_ms, phc); }

void remember_past_password(const PasswordPolicy& policy, User& user, std::int64_t now_ms) {
  std::vector<std::string>& past = user.past_password_hashes;
  if (!user.password_hash.empty()) past.insert(past.begin(), past_password(now_ms, user.password_hash));
  // Hashes that no rule asks for only help whoever steals them.
  if (policy.no_reuse_count <= 0 && policy.no_reuse_days <= 0) past.clear();
  if (past.size() > kPastPasswordsMax) past.resize(kPastPasswordsMax);
}

PasswordAge password_age(const PasswordPolicy& policy, bool must_change, std::int64_t changed_at_ms, std::int64_t now_ms) {
  if (policy.days_valid > 0) {
    const std::int64_t expires_at_ms = after_days(changed_at_ms, policy.days_valid);
    if (now_ms >= after_days(expires_at_ms, std::max<std::int64_t>(policy.days_to_reset, 0))) return PasswordAge::Dead;
    if (now_ms >= expires_at_ms) return PasswordAge::MustChange;
  }
  return must_change ? PasswordAge::MustChange : PasswordAge::Good;
}

}  // namespace funcgate::domain
