// The hashes of HTTP Digest (RFC 7616, 3.4.1 to 3.4.3): what a client must send, and what it may check of the answer.
//
// Thread-safety: pure functions; a ResponseHash belongs to one thread.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/sha256_blocks.h"

namespace funcgate::auth {

// The parts of a response, unquoted, as sent.
struct DigestResponseParts {
  std::string_view ha1, nonce, nc, cnonce, qop, method, uri;
  std::optional<std::string_view> body_hash;  // lower-case hex of H(body) for auth-int
  // The state of SHA-256 that has read `ha1`, which is one block of it; null: it is read.
  const crypto::Sha256State* after_ha1 = nullptr;
};

// HA1 as it is stored, in lower-case hex, and for SHA-256 the state that has read it: every response begins with these 64 bytes.
class PreparedHa1 {
 public:
  PreparedHa1() = default;
  PreparedHa1(crypto::HashAlgorithm algorithm, base::SecretString ha1) : ha1_(std::move(ha1)) {
    is_read_ = algorithm == crypto::HashAlgorithm::Sha256 && ha1_.size() == crypto::kSha256BlockBytes;
    if (is_read_) after_.read(ha1_.reveal());
  }
  PreparedHa1(const PreparedHa1&) = default;
  PreparedHa1& operator=(const PreparedHa1&) = default;
  ~PreparedHa1() { after_.wipe(); }

  bool empty() const { return ha1_.empty(); }
  std::string_view reveal() const { return ha1_.reveal(); }
  const crypto::Sha256State* after() const { return is_read_ ? &after_ : nullptr; }

 private:
  base::SecretString ha1_;
  bool is_read_ = false;
  crypto::Sha256State after_;
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
  crypto::HexDigest of(std::string_view method, const std::optional<std::string_view>& body_hash) const {
    return of(a2(method, body_hash));
  }
  crypto::HexDigest of(const crypto::HexDigest& ha2) const;
  // H(A2).
  crypto::HexDigest a2(std::string_view method, const std::optional<std::string_view>& body_hash) const;

 private:
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
