// JSON for the management plane: a strict parse into Boost.JSON values, and typed reading that collects every finding.
//
// The request path does not come here: it scans (json_scan.h) or hands bytes to the worker.
// Thread-safety: plain values.
#pragma once

#include <boost/json.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcgate::base {

namespace json = boost::json;

// Strict: UTF-8, no repeated member names, at most `depth_max` levels, no NaN. The message names line and column.
Result<json::value> parse_json(std::string_view text, unsigned depth_max = 64);
std::string to_json(const json::value& value);
// The text `name` of `object`; "" if there is none, or it is no text.
std::string text_of(const json::object& object, std::string_view name);

// Appends `text` as a JSON string with quotes. Invalid UTF-8 bytes become U+FFFD, so the result is always valid JSON.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

// One finding about a document: `path` as users[0].password, `code` in type|value|missing|unknown|duplicate.
struct Finding {
  std::string path, code, message;
};
json::array findings_to_json(const std::vector<Finding>& findings);

// Reads the members of one object with checks; everything wrong is collected, nothing throws. finish() reports members that
// nobody asked for, with the nearest known name. Missing optional members leave the target as it was.
class ObjectReader {
 public:
  ObjectReader(const json::value& value, std::string path, std::vector<Finding>& findings);

  // The length is counted in code points for text limits.
  ObjectReader& text(std::string_view name, std::string& target, std::size_t length_min, std::size_t length_max,
                     bool required = false);
  ObjectReader& optional_text(std::string_view name, std::optional<std::string>& target, std::size_t length_max);
  ObjectReader& boolean(std::string_view name, bool& target);
  ObjectReader& integer(std::string_view name, std::int64_t& target, std::int64_t min, std::int64_t max, bool required = false);
  ObjectReader& optional_integer(std::string_view name, std::optional<std::int64_t>& target, std::int64_t min, std::int64_t max);
  ObjectReader& choice(std::string_view name, std::string& target, const std::vector<std::string_view>& choices,
                       bool required = false);
  // RFC 3339 or null.
  ObjectReader& time(std::string_view name, std::optional<std::int64_t>& target_ms);
  ObjectReader& text_list(std::string_view name, std::vector<std::string>& target, std::size_t count_max, std::size_t length_max);
  // Calls `read(element, "path.name[i]")` for each element.
  ObjectReader& list(std::string_view name, std::size_t count_max,
                     const std::function<void(const json::value&, const std::string&)>& read);
  // The member as it is, or nullptr; marks it as known.
  const json::value* member(std::string_view name);

  bool is_object() const { return object_ != nullptr; }
  std::string path_of(std::string_view name) const;
  void finding(std::string_view name, std::string_view code, std::string message);
  void finish();

 private:
  const json::object* object_ = nullptr;
  std::string path_;
  std::vector<Finding>& findings_;
  std::vector<std::string_view> known_;
};

}  // namespace funcgate::base
