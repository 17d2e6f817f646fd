#include "domain/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>
#include <iterator>

#include "base/text.h"

namespace funcgate::domain {

Address Address::v4(std::array<unsigned char, 4> bytes) {
  Address address;
  address.bytes_[10] = address.bytes_[11] = 0xff;
  std::memcpy(address.bytes_.data() + 12, bytes.data(), 4);
  address.is_v4_ = true;
  address.is_local_ = false;
  return address;
}

Address Address::v6(std::array<unsigned char, 16> bytes) {
  static constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  Address address;
  address.bytes_ = bytes;
  address.is_v4_ = std::memcmp(bytes.data(), kMapped, sizeof kMapped) == 0;
  address.is_local_ = false;
  return address;
}

std::optional<Address> Address::parse(std::string_view text) {
  const std::string copy(text);
  std::array<unsigned char, 4> four{};
  std::array<unsigned char, 16> sixteen{};
  if (inet_pton(AF_INET, copy.c_str(), four.data()) == 1) return v4(four);
  if (inet_pton(AF_INET6, copy.c_str(), sixteen.data()) == 1) return v6(sixteen);
  return std::nullopt;
}

std::string Address::text() const {
  if (is_local_) return "local";
  char buffer[INET6_ADDRSTRLEN] = {};
  if (!is_v4_) {
    inet_ntop(AF_INET6, bytes_.data(), buffer, sizeof buffer);
    return buffer;
  }
  // Every call asks for it, and nearly all are of IPv4: inet_ntop() would go through a format string.
  char* to = buffer;
  for (std::size_t i = 12; i < bytes_.size(); ++i) {
    if (i > 12) *to++ = '.';
    to = std::to_chars(to, std::end(buffer), bytes_[i]).ptr;
  }
  return {buffer, to};
}

Address Address::network() const {
  Address out = *this;
  if (!is_v4_) std::memset(out.bytes_.data() + 8, 0, 8);
  return out;
}

std::size_t Address::hash() const {
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes_.data()), bytes_.size()});
}

std::optional<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = Address::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const int own_bits = address->is_v4() ? 32 : 128;
  std::int64_t bits = own_bits;
  if (slash != std::string_view::npos) {
    const auto parsed = base::parse_digits(text.substr(slash + 1));
    if (!parsed || *parsed > own_bits) return std::nullopt;
    bits = *parsed;
  }
  Network network;
  network.address_ = *address;
  network.prefix_bits_ = static_cast<int>(bits) + (128 - own_bits);
  return network;
}

bool Network::contains(const Address& address) const {
  if (address.is_v4() != address_.is_v4()) return false;
  for (int bit = 0; bit < prefix_bits_; bit += 8) {
    const int left = prefix_bits_ - bit;
    const auto mask = static_cast<unsigned char>(left >= 8 ? 0xff : 0xff << (8 - left));
    const auto index = static_cast<std::size_t>(bit / 8);
    if ((address.bytes()[index] & mask) != (address_.bytes()[index] & mask)) return false;
  }
  return true;
}

}  // namespace funcgate::domain
