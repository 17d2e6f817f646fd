// Texts and numbers as JSON writes them, into room that the caller has made.
//
// The write_ functions return the end of what they wrote. Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace funcgate::worker {

// Room that one character of a text needs at most, and room for two quotes and beyond the last character: sixteen are written at
// once.
constexpr std::size_t kEscapedBytesMax = 6, kEscapedSlackBytes = 2 + 16;
// Room for a number.
constexpr std::size_t kNumberBytesMax = 32;

// The characters of [at, end) in UTF-8 and escaped, without quotes, into kEscapedBytesMax for each and kEscapedSlackBytes. UTF-8
// comes as it is; other texts as their code points, of one, two or four bytes each: nullptr if there is a lone surrogate among
// them.
char* write_utf8(char* to, const char* at, const char* end);
char* write_latin1(char* to, const char* at, const char* end);
char* write_units(char* to, const std::uint16_t* at, const std::uint16_t* end);
char* write_units(char* to, const std::uint32_t* at, const std::uint32_t* end);

// The shortest text that reads back as `value`, as Python's repr writes it, into kNumberBytesMax. `value` is finite.
char* write_number(char* to, double value);

// Appends the UTF-8 text with quotes and escapes.
void append_json_text(std::string& out, std::string_view text);

}  // namespace funcgate::worker
