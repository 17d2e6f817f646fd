// The only parser and printer of Authorization, WWW-Authenticate and Authentication-Info (RFC 9110, 11; RFC 7616; RFC 7617).
//
// Linear time, no allocation when reading. Thread-safety: pure functions and plain values.
#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace funcgate::auth {

// `Basic abc` → {"Basic", "abc"}: the first word and what follows its blanks. One word alone has no rest.
struct AuthorizationParts {
  std::string_view scheme, rest;
};
AuthorizationParts split_authorization(std::string_view authorization);
// Whether the first word is `scheme`, in any case.
bool is_scheme(std::string_view authorization, std::string_view scheme);

// The parameters of an Authorization header of type Digest (RFC 7616, 3.4), unquoted and unescaped. Views point into the header
// or into `scratch`; not copyable because of that. Unknown parameters are dropped.
struct DigestParameters {
  DigestParameters() = default;
  ~DigestParameters() { explicit_bzero(scratch.data(), scratch_used); }  // people type passwords where names belong
  DigestParameters(const DigestParameters&) = delete;
  DigestParameters& operator=(const DigestParameters&) = delete;

  std::optional<std::string_view> username, username_extended, realm, nonce, uri, response, algorithm, cnonce, opaque, qop, nc,
      userhash;
  std::array<char, 8192> scratch;  // text of values that had escapes
  std::size_t scratch_used = 0;
};
// Reads what follows "Digest ". Nothing left out is reported here; false: the list is malformed, longer than 8192 bytes, or
// names a known parameter twice. Quoted and bare values alike, any order, empty list elements as RFC 9110, 5.6.1.2.
bool parse_digest_parameters(std::string_view rest, DigestParameters& out);

// The parameters of a Digest challenge (RFC 7616, 3.3), or `nextnonce` of Authentication-Info (3.5), as a client reads them; for
// the rest as DigestParameters.
struct DigestOffer {
  DigestOffer() = default;
  DigestOffer(const DigestOffer&) = delete;
  DigestOffer& operator=(const DigestOffer&) = delete;

  std::optional<std::string_view> realm, nonce, opaque, algorithm, qop, stale, nextnonce;
  std::array<char, 8192> scratch;  // text of values that had escapes
  std::size_t scratch_used = 0;
};
// Reads what follows "Digest " in WWW-Authenticate, or all of Authentication-Info; false as above. One challenge only: a line
// with several is malformed here.
bool parse_digest_offer(std::string_view rest, DigestOffer& out);

// RFC 8187: UTF-8'language'percent-encoded → the text; nullopt: other charset, broken escape or not UTF-8.
std::optional<std::string> decode_extended_value(std::string_view value);

// `text` in quotes, with " and \ escaped; whatever cannot stand in a header is left out.
std::string quoted(std::string_view text);
void append_quoted(std::string& out, std::string_view text);

// `Basic realm="…", charset="UTF-8"`, `Bearer realm="…"`, …
std::string basic_challenge(std::string_view realm);
std::string plain_challenge(std::string_view scheme, std::string_view realm);

struct DigestChallenge {
  std::string_view realm, algorithm, nonce, opaque;
  bool auth_int = false, userhash = false, stale = false;
};
std::string digest_challenge(const DigestChallenge& challenge);

}  // namespace funcgate::auth
