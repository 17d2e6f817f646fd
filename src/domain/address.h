// Address: a client's IP address, its text and the network it counts as for throttling (IPv4 /32, IPv6 /64).
//
// IPv4-mapped IPv6 addresses are IPv4. Thread-safety: a plain value.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace funcgate::domain {

class Address {
 public:
  Address() = default;  // the Unix socket: "local"
  static Address v4(std::array<unsigned char, 4> bytes);
  static Address v6(std::array<unsigned char, 16> bytes);
  static std::optional<Address> parse(std::string_view text);

  std::string text() const;
  bool is_v4() const { return is_v4_; }
  const std::array<unsigned char, 16>& bytes() const { return bytes_; }
  // The throttling unit: the address itself, or the /64 with zeros behind.
  Address network() const;
  bool operator==(const Address&) const = default;
  std::size_t hash() const;

 private:
  std::array<unsigned char, 16> bytes_{};  // IPv4 as ::ffff:a.b.c.d
  bool is_v4_ = false;
  bool is_local_ = true;
};

// "10.0.0.0/8", "::1", "2001:db8::/32".
class Network {
 public:
  static std::optional<Network> parse(std::string_view text);
  bool contains(const Address& address) const;

 private:
  Address address_;
  int prefix_bits_ = 0;  // within 128
};

}  // namespace funcgate::domain
