#include "auth/multipart_prefix.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace funcgate::auth {
namespace {

constexpr std::string_view kCrlf = "\r\n";

bool is_boundary(std::string_view text) {
  if (text.empty() || text.size() > 70 || text.back() == ' ') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {  // RFC 2046, 5.1.1: bchars
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
  });
}

// One `; name=value` or `; name="value"` from the front of `text`. Escapes are not interpreted: browsers send %22 instead, and
// a backslash belongs to the text. False: malformed.
bool take_parameter(std::string_view& text, std::string_view& name, std::string_view& value) {
  text = base::trim(text);
  if (text.empty() || text.front() != ';') return false;
  text = base::trim(text.substr(1));
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return false;
  name = text.substr(0, equals);
  text.remove_prefix(equals + 1);
  if (!base::is_token(name)) return false;
  if (!text.empty() && text.front() == '"') {
    const std::size_t end = text.find('"', 1);
    if (end == std::string_view::npos) return false;
    value = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    return true;
  }
  const std::size_t end = std::min(text.find_first_of("; \t"), text.size());
  value = text.substr(0, end);
  text.remove_prefix(end);
  return base::is_token(value);
}

struct PartHead {
  std::optional<std::string_view> name;
  bool is_file = false;
};

// `lines`: the header lines of a part, each ended by CRLF.
std::optional<PartHead> read_part_head(std::string_view lines) {
  PartHead head;
  bool seen = false;
  while (!lines.empty()) {
    const std::size_t end = lines.find(kCrlf);
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + kCrlf.size());
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !base::is_token(line.substr(0, colon))) return std::nullopt;
    if (!base::equals_ignore_case(line.substr(0, colon), "content-disposition")) continue;
    if (std::exchange(seen, true)) return std::nullopt;
    std::string_view rest = base::trim(line.substr(colon + 1));
    const std::size_t type_end = std::min(rest.find(';'), rest.size());
    if (!base::equals_ignore_case(base::trim(rest.substr(0, type_end)), "form-data")) return std::nullopt;
    rest.remove_prefix(type_end);
    std::string_view name, value;
    while (!base::trim(rest).empty()) {
      if (!take_parameter(rest, name, value)) return std::nullopt;
      if (base::equals_ignore_case(name, "filename") || base::equals_ignore_case(name, "filename*")) head.is_file = true;
      if (!base::equals_ignore_case(name, "name")) continue;
      if (head.name) return std::nullopt;
      head.name = value;
    }
  }
  if (!head.name) return std::nullopt;
  return head;
}

}  // namespace

std::optional<std::string_view> multipart_boundary(std::string_view content_type) {
  std::string_view rest = content_type.substr(std::min(content_type.find(';'), content_type.size()));
  std::optional<std::string_view> boundary;
  std::string_view name, value;
  while (!base::trim(rest).empty()) {
    if (!take_parameter(rest, name, value)) return std::nullopt;
    if (!base::equals_ignore_case(name, "boundary")) continue;
    if (boundary) return std::nullopt;
    boundary = value;
  }
  if (!boundary || !is_boundary(*boundary)) return std::nullopt;
  return boundary;
}

MultipartPrefix read_multipart_prefix(std::string_view body, std::string_view boundary, std::size_t parts_max) {
  MultipartPrefix out;
  const std::string delimiter = "\r\n--" + std::string(boundary);
  const auto malformed = [&] {
    out.is_well_formed = false;
    return out;
  };
  // The first delimiter has no CRLF in front of it.
  if (!body.starts_with(std::string_view(delimiter).substr(2))) return malformed();
  body.remove_prefix(delimiter.size() - 2);
  while (out.parts.size() < parts_max) {
    if (body.size() < 2 || body.starts_with("--")) return out;
    if (!body.starts_with(kCrlf)) return malformed();
    // Keeps the CRLF in front of the headers, so that a part without any ends at once.
    const std::size_t head_end = body.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return out;
    const std::string_view lines = head_end == 0 ? std::string_view() : body.substr(2, head_end);
    const auto head = read_part_head(lines);
    if (!head) return malformed();
    if (head->is_file) return out;
    body.remove_prefix(head_end + 4);
    const std::size_t value_end = body.find(delimiter);
    if (value_end == std::string_view::npos) return out;
    out.parts.push_back({*head->name, body.substr(0, value_end)});
    body.remove_prefix(value_end + delimiter.size());
  }
  return out;
}

}  // namespace funcgate::auth
