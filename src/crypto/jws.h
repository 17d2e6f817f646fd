// Compact JWS (RFC 7515, 7.1) with HS256 (RFC 7518, 3.2) and the claims of RFC 7519: the form of an API key.
//
//   BASE64URL(header) . BASE64URL(claims) . BASE64URL(HMAC-SHA-256(key, "header.claims"))
//
// Strict where two readers could disagree: no padding, zero trailing bits, JSON without repeated member names (escapes decoded),
// `alg` exactly HS256, `typ` absent or JWT, nothing that would name another key or another rule (crit jwk jku x5u x5c). The
// algorithm is ours, never the token's. Claims are out of reach until the signature was right.
//
// Thread-safety: plain values of one thread; reading and verifying allocate nothing and take time linear in the token.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/hmac.h"

namespace funcgate::crypto {

inline constexpr std::size_t kJwsBytesMax = 4096;
inline constexpr std::size_t kJwsAudiencesMax = 8;

// When read, texts point into the CompactJws. Times are seconds since the Unix epoch.
struct JwsClaims {
  std::string_view issuer, subject, id;  // iss sub jti; empty: absent
  std::array<std::string_view, kJwsAudiencesMax> audiences;
  std::size_t audience_count = 0;
  std::int64_t issued_at_s = 0;              // iat
  std::optional<std::int64_t> expires_at_s;  // exp
  // False when read: one of these claims has another type (a float, a negative number or a text as time, a number as text, a
  // list with something else than texts), iat is missing, or the audiences are too many. The other members are void then.
  bool readable = true;

  bool has_audience(std::string_view audience) const;
  void add_audience(std::string_view audience) { audiences.at(audience_count++) = audience; }
};

enum class JwsProblem : std::uint8_t {
  None,
  Malformed,  // not three such parts, not such JSON, over kJwsBytesMax
  Algorithm,  // alg, typ or a forbidden member of the header
};

// One token, read. Decoded in place, therefore not copyable; what was decoded is wiped at the end.
class CompactJws {
 public:
  // `token` must outlive this object.
  explicit CompactJws(std::string_view token);
  ~CompactJws();
  CompactJws(const CompactJws&) = delete;
  CompactJws& operator=(const CompactJws&) = delete;

  JwsProblem problem() const { return problem_; }
  // `kid` of the header: only good to choose the key by. Empty: absent or not a text.
  std::string_view key_id() const { return key_id_; }
  // The claims if `key` signed exactly this token, otherwise null. Constant time in the signature.
  const JwsClaims* verify(const HmacKey& key) const;

 private:
  JwsProblem read();

  // constant after construction
  const std::string_view token_;
  std::string_view signed_part_, signature_, key_id_;
  JwsClaims claims_;
  // Header, claims and signature behind each other: Base64 shrinks by a quarter.
  std::array<char, kJwsBytesMax / 4 * 3> decoded_;
  std::size_t decoded_size_ = 0;
  JwsProblem problem_;
};

// Header {"alg":"HS256","typ":"JWT","kid":kid}; claims iss, sub, jti, iat, exp if there is one, aud as a list. InvalidArgument:
// the token would be longer than kJwsBytesMax.
base::Result<base::SecretString> sign_jws(const HmacKey& key, std::string_view kid, const JwsClaims& claims);

}  // namespace funcgate::crypto
