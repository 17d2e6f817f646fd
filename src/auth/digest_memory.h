// DigestMemory: what accepted Digest requests have shown on this thread and the next ones say again: which nonces bear a right
// tag, and H(A2) of the targets that are asked for.
//
// Neither decides anything: age and use count of a nonce, the account and the response are judged for each request. Bounded; a
// newcomer takes the place of another. Not thread-safe: one per io thread. Holds nothing that is secret: nonces and targets
// without a query are sent in clear. Where no memory is left nothing is remembered.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

#include "auth/digest_nonce.h"
#include "crypto/hash.h"

namespace funcgate::auth {

// H(method : uri) and H(: uri), as a request and the answer to it are hashed with (RFC 7616, 3.4.3 and 3.5).
struct TargetHashes {
  crypto::HexDigest request, answer;
};

class DigestMemory {
 public:
  // `scheme`: a number that no other scheme of this process has or had; its keys, id and realm are part of what was verified.
  // Null: not known. Valid until the next keep().
  const Nonce* nonce(std::uint64_t scheme, std::string_view text) const {
    if (nonces_ == nullptr || text.size() != kNonceCharacters) return nullptr;
    const KnownNonce& kept = (*nonces_)[place_of_nonce(text)];
    const bool is_it = kept.scheme == scheme && base::constant_time_equal({kept.text.data(), kept.text.size()}, text);
    return is_it ? &kept.nonce : nullptr;
  }
  void keep(std::uint64_t scheme, std::string_view text, const Nonce& nonce) {
    if (text.size() != kNonceCharacters || !make(nonces_)) return;
    KnownNonce& place = (*nonces_)[place_of_nonce(text)];
    place.scheme = scheme;
    text.copy(place.text.data(), place.text.size());
    place.nonce = nonce;
  }

  // Null: not known. Valid until the next keep().
  const TargetHashes* target(crypto::HashAlgorithm algorithm, std::string_view method, std::string_view uri) const {
    if (targets_ == nullptr) return nullptr;
    const KnownTarget& kept = (*targets_)[place_of_target(uri)];
    const bool is_it = kept.hashes && kept.algorithm == algorithm && kept.method() == method && kept.uri() == uri;
    return is_it ? &*kept.hashes : nullptr;
  }
  void keep(crypto::HashAlgorithm algorithm, std::string_view method, std::string_view uri, const TargetHashes& hashes) {
    // A query may hold credentials of another scheme, which must not outlive their call.
    if (uri.find('?') != std::string_view::npos) return;
    if (method.size() + uri.size() > kTargetBytesMax || !make(targets_)) return;
    KnownTarget& place = (*targets_)[place_of_target(uri)];
    place.algorithm = algorithm;
    place.method_bytes = static_cast<std::uint8_t>(method.copy(place.text.data(), method.size()));
    place.uri_bytes = static_cast<std::uint8_t>(uri.copy(place.text.data() + method.size(), uri.size()));
    place.hashes = hashes;
  }

 private:
  static constexpr std::size_t kNonces = 256, kTargets = 64;
  static constexpr std::size_t kTargetBytesMax = 120;

  struct KnownNonce {
    std::uint64_t scheme = 0;  // 0: none
    std::array<char, kNonceCharacters> text{};
    Nonce nonce;
  };
  struct KnownTarget {
    std::string_view method() const { return {text.data(), method_bytes}; }
    std::string_view uri() const { return {text.data() + method_bytes, uri_bytes}; }
    crypto::HashAlgorithm algorithm = crypto::HashAlgorithm::Sha256;
    std::uint8_t method_bytes = 0, uri_bytes = 0;
    std::array<char, kTargetBytesMax> text;
    std::optional<TargetHashes> hashes;  // none: the place is free
  };

  template <class Table>
  static bool make(std::unique_ptr<Table>& table) {
    if (table == nullptr) table.reset(new (std::nothrow) Table());
    return table != nullptr;
  }
  // By eight characters of its random part.
  static std::size_t place_of_nonce(std::string_view text) {
    std::uint64_t random;
    std::memcpy(&random, text.data() + 12, sizeof random);
    constexpr std::uint64_t kSpread = 0x9e3779b97f4a7c15;
    return (random * kSpread) >> 56;
  }
  static std::size_t place_of_target(std::string_view uri) { return std::hash<std::string_view>()(uri) % kTargets; }

  // Made with the first entry.
  std::unique_ptr<std::array<KnownNonce, kNonces>> nonces_;
  std::unique_ptr<std::array<KnownTarget, kTargets>> targets_;
};

}  // namespace funcgate::auth
