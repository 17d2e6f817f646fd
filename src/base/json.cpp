#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/byte_scan.h"
#include "base/clock.h"
#include "base/json_scan.h"
#include "base/text.h"

namespace funcgate::base {

namespace {

// 1e400 is valid JSON and no number that could be written again.
bool all_finite(const json::value& value) {
  if (value.is_double()) return std::isfinite(value.get_double());
  if (const json::array* array = value.if_array()) return std::all_of(array->begin(), array->end(), all_finite);
  if (const json::object* object = value.if_object()) {
    return std::all_of(object->begin(), object->end(), [](const auto& member) { return all_finite(member.value()); });
  }
  return true;
}

}  // namespace

Result<json::value> parse_json(std::string_view text, unsigned depth_max) {
  if (const auto problem = validate_json(text, depth_max)) {
    std::size_t line = 1, column = 1;
    for (char c : text.substr(0, problem->offset)) {
      ++column;
      if (c == '\n') {
        ++line;
        column = 1;
      }
    }
    return Error{Code::InvalidArgument, fmt::format("not valid JSON at line {}, column {}: {}", line, column, problem->what), {}};
  }
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = depth_max + 1;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return Error{Code::InvalidArgument, "not valid JSON: " + error.message(), {}};
  if (!all_finite(value)) return Error{Code::InvalidArgument, "not valid JSON: a number is too large", {}};
  return value;
}

std::string to_json(const json::value& value) { return json::serialize(value); }

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  const auto is_special = [](std::uint64_t word) {
    return has_control_byte(word) | has_byte(word, '"') | has_byte(word, '\\') | has_non_ascii(word);
  };
  // Most texts stand in JSON as they are.
  if (!any_byte(text, is_special)) {
    out.push_back('"');
    out.append(text);
    out.push_back('"');
    return;
  }
  const bool utf8 = is_valid_utf8(text);
  out.push_back('"');
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x80 && !utf8) {
      out += "\xEF\xBF\xBD";
    } else if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f) {
      out.push_back(text[i]);
    } else if (byte == '"' || byte == '\\') {
      out.push_back('\\');
      out.push_back(text[i]);
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\r') {
      out += "\\r";
    } else if (byte == '\t') {
      out += "\\t";
    } else {
      out += "\\u00";
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  out.push_back('"');
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

json::array findings_to_json(const std::vector<Finding>& findings) {
  json::array out;
  for (const Finding& finding : findings) {
    out.push_back(json::object{{"path", finding.path}, {"code", finding.code}, {"message", finding.message}});
  }
  return out;
}

ObjectReader::ObjectReader(const json::value& value, std::string path, std::vector<Finding>& findings)
    : object_(value.if_object()), path_(std::move(path)), findings_(findings) {
  if (object_ == nullptr) findings_.push_back({path_, "type", "must be an object"});
}

std::string ObjectReader::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void ObjectReader::finding(std::string_view name, std::string_view code, std::string message) {
  findings_.push_back({path_of(name), std::string(code), std::move(message)});
}

const json::value* ObjectReader::member(std::string_view name) {
  known_.push_back(name);
  return object_ == nullptr ? nullptr : object_->if_contains(json::string_view(name.data(), name.size()));
}

ObjectReader& ObjectReader::text(std::string_view name, std::string& target, std::size_t length_min, std::size_t length_max,
                                 bool required) {
  const json::value* value = member(name);
  if (value == nullptr) {
    if (required && object_ != nullptr) finding(name, "missing", "is required");
    return *this;
  }
  const json::string* found = value->if_string();
  if (found == nullptr) {
    finding(name, "type", "must be a text");
    return *this;
  }
  const std::string_view content(found->data(), found->size());
  const std::size_t length = utf8_length(content);
  if (length < length_min || length > length_max) {
    finding(name, "value",
            length_min > 0 ? fmt::format("must have {} to {} characters", length_min, length_max)
                           : fmt::format("must have at most {} characters", length_max));
    return *this;
  }
  target = content;
  return *this;
}

ObjectReader& ObjectReader::optional_text(std::string_view name, std::optional<std::string>& target, std::size_t length_max) {
  const json::value* value = member(name);
  if (value == nullptr || value->is_null()) return *this;
  known_.pop_back();
  std::string found;
  const std::size_t before = findings_.size();
  text(name, found, 0, length_max);
  if (findings_.size() == before) target = std::move(found);
  return *this;
}

ObjectReader& ObjectReader::boolean(std::string_view name, bool& target) {
  const json::value* value = member(name);
  if (value == nullptr) return *this;
  if (const bool* found = value->if_bool()) {
    target = *found;
  } else {
    finding(name, "type", "must be true or false");
  }
  return *this;
}

ObjectReader& ObjectReader::integer(std::string_view name, std::int64_t& target, std::int64_t min, std::int64_t max,
                                    bool required) {
  const json::value* value = member(name);
  if (value == nullptr) {
    if (required && object_ != nullptr) finding(name, "missing", "is required");
    return *this;
  }
  const std::int64_t* found = value->if_int64();
  if (found == nullptr) {
    finding(name, "type", "must be an integer");
  } else if (*found < min || *found > max) {
    finding(name, "value", fmt::format("must be between {} and {}", min, max));
  } else {
    target = *found;
  }
  return *this;
}

ObjectReader& ObjectReader::optional_integer(std::string_view name, std::optional<std::int64_t>& target, std::int64_t min,
                                             std::int64_t max) {
  const json::value* value = member(name);
  if (value == nullptr || value->is_null()) return *this;
  known_.pop_back();
  std::int64_t found = min - 1;
  const std::size_t before = findings_.size();
  integer(name, found, min, max);
  if (findings_.size() == before) target = found;
  return *this;
}

ObjectReader& ObjectReader::choice(std::string_view name, std::string& target, const std::vector<std::string_view>& choices,
                                   bool required) {
  std::string found;
  const std::size_t before = findings_.size();
  text(name, found, 0, 1000, required);
  if (findings_.size() != before || object_ == nullptr ||
      object_->if_contains(json::string_view(name.data(), name.size())) == nullptr) {
    return *this;
  }
  if (std::find(choices.begin(), choices.end(), found) == choices.end()) {
    finding(name, "value", fmt::format("must be one of {}", fmt::join(choices, ", ")));
  } else {
    target = std::move(found);
  }
  return *this;
}

ObjectReader& ObjectReader::time(std::string_view name, std::optional<std::int64_t>& target_ms) {
  const json::value* value = member(name);
  if (value == nullptr || value->is_null()) return *this;
  const json::string* found = value->if_string();
  const auto parsed = found == nullptr ? Result<WallMs>(Error{}) : parse_rfc3339({found->data(), found->size()});
  if (parsed.ok()) {
    target_ms = *parsed;
  } else {
    finding(name, "value", "must be a date-time with time zone");
  }
  return *this;
}

ObjectReader& ObjectReader::text_list(std::string_view name, std::vector<std::string>& target, std::size_t count_max,
                                      std::size_t length_max) {
  std::vector<std::string> found;
  bool clean = true, present = false;
  list(name, count_max, [&](const json::value& element, const std::string& path) {
    present = true;
    const json::string* entry = element.if_string();
    if (entry == nullptr || entry->empty() || utf8_length({entry->data(), entry->size()}) > length_max) {
      findings_.push_back({path, "value", fmt::format("must be a text of 1 to {} characters", length_max)});
      clean = false;
    } else {
      found.emplace_back(entry->data(), entry->size());
    }
  });
  const json::value* value = object_ == nullptr ? nullptr : object_->if_contains(json::string_view(name.data(), name.size()));
  if (clean && (present || (value != nullptr && value->is_array()))) target = std::move(found);
  return *this;
}

ObjectReader& ObjectReader::list(std::string_view name, std::size_t count_max,
                                 const std::function<void(const json::value&, const std::string&)>& read) {
  const json::value* value = member(name);
  if (value == nullptr) return *this;
  const json::array* array = value->if_array();
  if (array == nullptr) {
    finding(name, "type", "must be a list");
    return *this;
  }
  if (array->size() > count_max) {
    finding(name, "value", fmt::format("at most {} entries", count_max));
    return *this;
  }
  for (std::size_t i = 0; i < array->size(); ++i) read((*array)[i], fmt::format("{}[{}]", path_of(name), i));
  return *this;
}

void ObjectReader::finish() {
  if (object_ == nullptr) return;
  for (const auto& [key, unused] : *object_) {
    const std::string_view name(key.data(), key.size());
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const std::string_view suggestion = nearest(name, known_);
    std::string message = fmt::format("unknown member \"{}\"", printable(name, 100));
    if (!suggestion.empty()) message += fmt::format("; did you mean \"{}\"?", suggestion);
    findings_.push_back({path_of(printable(name, 100)), "unknown", std::move(message)});
  }
}

}  // namespace funcgate::base
