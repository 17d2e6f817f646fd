#include "auth/digest_response.h"

#include <cstring>

namespace funcgate::auth {

using crypto::HashAlgorithm;
using crypto::HexDigest;
using crypto::ShortMessage;

ResponseHash::ResponseHash(HashAlgorithm algorithm, const DigestResponseParts& parts) : algorithm_(algorithm), parts_(parts) {
  constexpr std::size_t kColons = 5;
  const std::size_t bytes =
      parts.ha1.size() + parts.nonce.size() + parts.nc.size() + parts.cnonce.size() + parts.qop.size() + kColons;
  if (algorithm != HashAlgorithm::Sha256 || !ShortMessage::fits(bytes)) return;
  ShortMessage front;
  std::size_t already_read = 0;
  if (parts.after_ha1 != nullptr) {
    shared_ = *parts.after_ha1;
    already_read = parts.ha1.size();
  } else {
    front.append(parts.ha1);
  }
  front.append(':');
  for (const std::string_view part : {parts.nonce, parts.nc, parts.cnonce, parts.qop}) front.append(part).append(':');
  left_bytes_ = bytes % crypto::kSha256BlockBytes;
  shared_bytes_ = bytes - left_bytes_;
  const std::size_t read_now = shared_bytes_ - already_read;
  shared_.read(front.view().substr(0, read_now));
  std::memcpy(left_.data(), front.view().data() + read_now, left_bytes_);
  is_shared_ = true;
}

HexDigest ResponseHash::a2(std::string_view method, const std::optional<std::string_view>& body_hash) const {
  const std::size_t bytes = method.size() + 1 + parts_.uri.size() + (body_hash ? 1 + body_hash->size() : 0);
  if (algorithm_ == HashAlgorithm::Sha256 && ShortMessage::fits(bytes)) {
    ShortMessage message;
    message.append(method).append(':').append(parts_.uri);
    if (body_hash) message.append(':').append(*body_hash);
    return HexDigest(crypto::as_view(crypto::Sha256State().finish(message)));
  }
  crypto::Hasher hasher(algorithm_);
  hasher.update(method).update(":").update(parts_.uri);
  if (body_hash) hasher.update(":").update(*body_hash);
  return hasher.finish_hex();
}

HexDigest ResponseHash::of(const HexDigest& ha2) const {
  if (is_shared_) {
    ShortMessage rest;
    rest.append({left_.data(), left_bytes_}).append(ha2.view());
    return HexDigest(crypto::as_view(shared_.finish(rest, shared_bytes_)));
  }
  crypto::Hasher hasher(algorithm_);
  for (const std::string_view part : {parts_.ha1, parts_.nonce, parts_.nc, parts_.cnonce, parts_.qop})
    hasher.update(part).update(":");
  return hasher.update(ha2.view()).finish_hex();
}

HexDigest digest_response(HashAlgorithm algorithm, const DigestResponseParts& parts) {
  return ResponseHash(algorithm, parts).of(parts.method, parts.body_hash);
}

std::string digest_ha1(HashAlgorithm algorithm, std::string_view name, std::string_view realm, std::string_view password) {
  crypto::Hasher hasher(algorithm);
  hasher.update(name).update(":").update(realm).update(":").update(password);
  return std::string(hasher.finish_hex().view());
}

std::string digest_userhash(HashAlgorithm algorithm, std::string_view name, std::string_view realm) {
  crypto::Hasher hasher(algorithm);
  hasher.update(name).update(":").update(realm);
  return std::string(hasher.finish_hex().view());
}

}  // namespace funcgate::auth
