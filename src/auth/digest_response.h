// The hashes of HTTP Digest (RFC 7616, 3.4.1 to 3.4.3): what a client must send, and what it may check of the answer.
//
// Thread-safety: pure functions; a ResponseHash belongs to one thread.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/hash.h"
#include "crypto/sha256_blocks.h"

namespace funcgate::auth {

// The parts of a response, unquoted, as sent.
struct DigestResponseParts {
  std::string_view ha1, nonce, nc, cnonce, qop, method, uri;
  std::optional<std::string_view> body_hash;  // lower-case hex of H(body) for auth-int
};
// H(HA1 : nonce : nc : cnonce : qop : H(A2)); rspauth (3.5) is the same with an empty method. Lower-case hex.
crypto::HexDigest digest_response(crypto::HashAlgorithm algorithm, const DigestResponseParts& parts);
// H(name : realm : password), and H(name : realm) for userhash; lower-case hex.
std::string digest_ha1(crypto::HashAlgorithm algorithm, std::string_view name, std::string_view realm, std::string_view password);
std::string digest_userhash(crypto::HashAlgorithm algorithm, std::string_view name, std::string_view realm);

// The response to a request and the rspauth of its answer begin alike: what they share is hashed once.
class ResponseHash {
 public:
  // What `parts` shows must live as long as this object; its method and body_hash do not matter.
  ResponseHash(crypto::HashAlgorithm algorithm, const DigestResponseParts& parts);
  ~ResponseHash() { shared_.wipe(); }
  ResponseHash(const ResponseHash&) = delete;
  ResponseHash& operator=(const ResponseHash&) = delete;

  // With A2 = method : uri, and for auth-int : body_hash.
  crypto::HexDigest of(std::string_view method, const std::optional<std::string_view>& body_hash) const;

 private:
  crypto::HexDigest a2(std::string_view method, const std::optional<std::string_view>& body_hash) const;

  const crypto::HashAlgorithm algorithm_;
  const DigestResponseParts parts_;
  // SHA-256, unless a part is as long as only an attacker makes it: the whole blocks of what stands in front of H(A2), and what
  // is left of it.
  bool is_shared_ = false;
  crypto::Sha256State shared_;
  std::size_t shared_bytes_ = 0, left_bytes_ = 0;
  std::array<char, crypto::kSha256BlockBytes> left_;
};

}  // namespace funcgate::auth
