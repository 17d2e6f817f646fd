#include "admin/key_inspection.h"

#include "base/clock.h"
#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using domain::Reason;

constexpr std::size_t kDepthMax = 8, kTextShownMax = 300;

// A part of the token as a JSON object; empty if it is none.
json::object part_of(const std::vector<std::string_view>& parts, std::size_t place) {
  const auto text = place < parts.size() ? base::base64url_decode(parts[place]) : std::nullopt;
  auto parsed = text ? base::parse_json(*text, kDepthMax) : base::Result<json::value>(json::value());
  return parsed.ok() && parsed->is_object() ? std::move(parsed->get_object()) : json::object();
}

std::string text_of(const json::object& part, json::string_view name) {
  const json::value* value = part.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(base::truncate_utf8({value->get_string().data(), value->get_string().size()}, kTextShownMax));
}

json::value text_or_null(const std::string& text) { return text.empty() ? json::value() : json::value(text); }

json::value moment(const json::object& part, json::string_view name) {
  const json::value* value = part.if_contains(name);
  constexpr std::int64_t kSecondsMax = 253'402'300'799;  // years beyond 9999 have no text
  const bool readable = value != nullptr && value->is_int64() && value->get_int64() >= 0 && value->get_int64() <= kSecondsMax;
  return readable ? json::value(base::format_rfc3339(value->get_int64() * 1000)) : json::value();
}

json::array audience_of(const json::object& part) {
  json::array out;
  const json::value* value = part.if_contains("aud");
  if (value == nullptr) return out;
  if (value->is_string()) out.push_back(*value);
  if (const json::array* list = value->if_array()) {
    for (const json::value& one : *list) {
      if (one.is_string()) out.push_back(one);
    }
  }
  return out;
}

}  // namespace

TokenReport read_token(const base::SecretString& token, auth::KeyVerification verification) {
  const std::vector<std::string_view> parts = base::split(token.reveal(), '.');
  const json::object header = part_of(parts, 0), body = part_of(parts, 1);
  TokenReport report;
  report.key_id = text_of(body, "jti");
  report.kid = text_of(header, "kid");
  report.claims = {{"algorithm", text_or_null(text_of(header, "alg"))},
                   {"kid", text_or_null(report.kid)},
                   {"issuer", text_or_null(text_of(body, "iss"))},
                   {"id", text_or_null(report.key_id)},
                   {"userId", text_or_null(text_of(body, "sub"))},
                   {"audience", audience_of(body)},
                   {"issuedAt", moment(body, "iat")},
                   {"expiresAt", moment(body, "exp")}};
  const Reason reason = verification.reason;
  const bool judged = reason == Reason::None || reason == Reason::KeySignature || reason == Reason::KeyClaims;
  report.claims["signature"] = judged ? json::value(reason != Reason::KeySignature) : json::value();
  report.verification = std::move(verification);
  return report;
}

std::string_view verdict_of(const TokenReport& report, const domain::ApiKey* key, std::string_view status, std::int64_t now_ms) {
  const auth::VerifiedKey& said = report.verification.key;
  const Reason reason = report.verification.reason;
  if (reason == Reason::KeyAlg) return "BAD_ALGORITHM";
  if (reason == Reason::KeySignature) return "BAD_SIGNATURE";
  if (reason == Reason::KeyClaims) return "BAD_CLAIMS";
  if (reason == Reason::KeyNoSecret) return "NO_SECRET";
  // Nobody can verify it any more; that such a key was signed with such a secret, the key's row says.
  if (reason == Reason::KeyKid) return key != nullptr && key->kid == report.kid ? "SECRET_RETIRED" : "UNKNOWN_SECRET";
  if (reason != Reason::None) return "MALFORMED";
  if (key == nullptr) return "UNKNOWN";
  if (key->user_id != said.user_id || key->kid != report.kid) return "MISMATCH";
  if (status == "ACTIVE" && said.expires_at_s && *said.expires_at_s * 1000 <= now_ms) return "EXPIRED";
  return status;
}

}  // namespace funcgate::admin
