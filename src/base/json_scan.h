// A strict JSON scanner over bytes: validates without building a document, finds members by path, cuts them out.
//
// Refused beyond RFC 8259: repeated member names (two parsers could disagree about them), nesting beyond a limit, lone
// surrogates, invalid UTF-8. Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace funcgate::base {

struct JsonProblem {
  std::size_t offset = 0;  // bytes from the start
  std::string what;        // never repeats the input
};

// nullopt: `text` is exactly one valid JSON value, with optional blanks around it.
std::optional<JsonProblem> validate_json(std::string_view text, unsigned depth_max = 64);

// Splits `auth.token` at dots; `\.` is a literal dot, `\\` a backslash.
std::vector<std::string> parse_member_path(std::string_view path);

struct JsonMember {
  bool found = false;
  std::size_t member_begin = 0, member_end = 0;  // from the name's quote to the end of the value
  std::size_t value_begin = 0, value_end = 0;
  std::optional<std::string> string_value;  // decoded, if the value is a string
};

// One JsonMember per path, looked up from the top-level object through objects only. nullopt: `text` is not valid.
std::optional<std::vector<JsonMember>> find_members(std::string_view text, const std::vector<std::vector<std::string>>& paths,
                                                    unsigned depth_max = 64);

// `text` without the members at `paths`, still valid JSON. nullopt: `text` is not valid. Sets `removed` if anything was cut.
std::optional<std::string> remove_members(std::string_view text, const std::vector<std::vector<std::string>>& paths,
                                          bool& removed, unsigned depth_max = 64);

}  // namespace funcgate::base
