#include "crypto/keyed_hash.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace funcgate::crypto {

namespace {
std::array<char, 8> length_bytes(std::string_view part) {
  std::array<char, 8> bytes;
  auto length = static_cast<std::uint64_t>(part.size());
  for (std::size_t i = bytes.size(); i-- > 0; length >>= 8) bytes[i] = static_cast<char>(length & 0xff);
  return bytes;
}
}  // namespace

Digest256 KeyedHash::digest(std::span<const std::string_view> parts) const {
  std::size_t bytes = 0;
  for (const std::string_view part : parts) bytes += sizeof(std::uint64_t) + part.size();
  if (ShortMessage::fits(bytes)) {
    ShortMessage message;
    for (const std::string_view part : parts) message.append_number(part.size()).append(part);
    return key_.sign(message);
  }
  HmacStream stream = key_.start();
  for (const std::string_view part : parts) {
    const auto length = length_bytes(part);
    stream.update({length.data(), length.size()}).update(part);
  }
  return stream.finish();
}

std::string KeyedHash::hash(std::initializer_list<std::string_view> parts) const {
  const Digest256 whole = digest(parts);
  return std::string(as_view(whole));
}

Digest128 KeyedHash::digest128(std::span<const std::string_view> parts) const {
  const Digest256 whole = digest(parts);
  Digest128 half;
  std::copy_n(whole.begin(), half.size(), half.begin());
  return half;
}

KeyedHash KeyedHash::derived(std::initializer_list<std::string_view> parts) const {
  Digest256 key = digest(parts);
  KeyedHash made(base::SecretString{std::string(as_view(key))});
  explicit_bzero(key.data(), key.size());
  return made;
}

std::string length_prefixed(std::span<const std::string_view> parts) {
  std::string out;
  for (const std::string_view part : parts) {
    const auto length = length_bytes(part);
    out.append(length.data(), length.size()).append(part);
  }
  return out;
}

std::size_t Digest128Hash::operator()(const Digest128& digest) const {
  std::size_t value;
  std::memcpy(&value, digest.data(), sizeof value);
  return value;
}

}  // namespace funcgate::crypto
