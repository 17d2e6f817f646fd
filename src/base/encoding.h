// Base64 (RFC 4648), hex. Decoders are strict: canonical input only, so that one value has one spelling.
//
// Thread-safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace funcgate::base {

// 0..15, or -1.
int hex_value(char c);
std::string hex_encode(std::string_view bytes);  // lower case
std::optional<std::string> hex_decode(std::string_view text);

// Standard alphabet with padding.
std::string base64_encode(std::string_view bytes);
// Needs full padding and zero trailing bits.
std::optional<std::string> base64_decode(std::string_view text);

// URL alphabet without padding.
std::string base64url_encode(std::string_view bytes);
// Refuses padding and non-zero trailing bits.
std::optional<std::string> base64url_decode(std::string_view text);

// The same into `out` without allocation: number of bytes written; nullopt also if they do not fit into `capacity`.
std::optional<std::size_t> base64_decode_to(std::string_view text, char* out, std::size_t capacity);
std::optional<std::size_t> base64url_decode_to(std::string_view text, char* out, std::size_t capacity);

// RFC 3986 percent-encoding of everything but unreserved characters.
std::string percent_encode(std::string_view text);
// %XX only; '+' stays. nullopt on a broken escape.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace funcgate::base
