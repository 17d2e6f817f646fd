// Checked parsers and small text tools. Untrusted numbers and text pass through here.
//
// Thread-safety: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace funcgate::base {

// Only digits, 1 to 18 of them; no sign, no blanks.
std::optional<std::int64_t> parse_digits(std::string_view text);
// Optional '-', then as parse_digits.
std::optional<std::int64_t> parse_int(std::string_view text);
// JSON-like decimal or exponent number, finite; no "inf", "nan", hex, blanks or leading '+'.
std::optional<double> parse_number(std::string_view text);

constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
bool letters_equal_ignoring_case(const char* a, const char* b, std::size_t size);
// Most texts that are compared differ in length already.
inline bool equals_ignore_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && letters_equal_ignoring_case(a.data(), b.data(), a.size());
}
bool starts_with_ignore_case(std::string_view text, std::string_view prefix);
// Without SP and HTAB at both ends (RFC 9110, OWS).
std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// RFC 9110, 5.6.2: one or more tchar.
bool is_token(std::string_view text);
inline constexpr std::array<bool, 256> kTokenCharacters = [] {
  std::array<bool, 256> table{};
  for (unsigned char letter = 'a'; letter <= 'z'; ++letter) table[letter] = table[letter - 32] = true;
  for (unsigned char digit = '0'; digit <= '9'; ++digit) table[digit] = true;
  for (const char mark : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(mark)] = true;
  return table;
}();
constexpr bool is_token_character(char c) { return kTokenCharacters[static_cast<unsigned char>(c)]; }
// How many bytes `text` begins with that stand for themselves in a quoted string: no quote, no backslash, no control character.
std::size_t plain_quoted_length(std::string_view text);
bool is_valid_utf8(std::string_view text);
// U+0000-U+001F and U+007F.
bool has_control(std::string_view text);
// ISO-8859-1 bytes as UTF-8.
std::string latin1_to_utf8(std::string_view text);
// At most `bytes_max` bytes of `text`, cut between code points.
std::string_view truncate_utf8(std::string_view text, std::size_t bytes_max);
std::size_t utf8_length(std::string_view text);

// For logs: control bytes, quotes and non-ASCII that is not UTF-8 become \xNN; at most `bytes_max` of input are shown.
std::string printable(std::string_view text, std::size_t bytes_max = 200);

// The candidate closest to `word` by edit distance if it is close enough to be a typing slip; else empty.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// ^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$, the rule of ids of APIs and authentication configurations.
bool is_object_id(std::string_view text);

// One `name=value` of a query or urlencoded body. Views into the input, still encoded; begin/end are offsets of the whole
// segment without its '&'.
struct QueryField {
  std::string_view raw_name, raw_value;
  std::size_t begin = 0, end = 0;
};
// Splits at '&'; empty segments are skipped. nullopt when there are more than `fields_max`.
std::optional<std::vector<QueryField>> split_query(std::string_view query, std::size_t fields_max);
// '+' is a blank, %XX a byte. nullopt: broken escape or result not UTF-8.
std::optional<std::string> decode_form(std::string_view text);

}  // namespace funcgate::base
