#include "service/admin/identity_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "base/unicode.h"
#include "domain/identity.h"

namespace funcgate::service {
namespace {

void add(std::vector<base::Finding>& findings, std::string_view path, std::string message) {
  findings.push_back({std::string(path), "value", std::move(message)});
}

// C0 and C1 controls and DEL, of text in UTF-8. C1 is C2 80 … C2 9F.
bool has_any_control(std::string_view text) {
  if (base::has_control(text)) return true;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
  }
  return false;
}

bool normalise(std::string& text, std::string_view path, std::vector<base::Finding>& findings) {
  std::optional<std::string> composed = base::to_nfc(text);
  if (!composed) {
    add(findings, path, "must be valid UTF-8");
    return false;
  }
  text = std::move(*composed);
  return true;
}

bool is_login_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '@' || c == '+' || c == '-';
}

}  // namespace

bool set_link(std::vector<std::string>& sorted, const std::string& id, bool there) {
  const auto place = std::lower_bound(sorted.begin(), sorted.end(), id);
  const bool is_there = place != sorted.end() && *place == id;
  if (is_there == there) return false;
  if (there) {
    sorted.insert(place, id);
  } else {
    sorted.erase(place);
  }
  return true;
}

std::string stored_name(std::string_view text) {
  const std::optional<std::string> composed = base::to_nfc(text);
  return std::string(composed ? base::trim(*composed) : text);
}

void check_name(std::string& text, std::string_view path, std::vector<base::Finding>& findings) {
  if (!normalise(text, path, findings)) return;
  text = std::string(base::trim(text));
  const std::size_t length = base::utf8_length(text);
  if (length < 1 || length > kNameCharactersMax) return add(findings, path, "must have 1 to 100 characters");
  if (has_any_control(text)) add(findings, path, "must not contain control characters");
}

void check_login(std::string& text, std::string_view path, std::vector<base::Finding>& findings) {
  text = base::to_lower(text);
  const bool fits = !text.empty() && text.size() <= kNameCharactersMax &&
                    std::all_of(text.begin(), text.end(), is_login_character) &&
                    ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= '0' && text[0] <= '9'));
  if (!fits) {
    return add(findings, path, "must begin with a letter or digit and have up to 100 of a-z 0-9 . _ @ + -");
  }
  if (text == domain::kSystemLogin || text == domain::kAnonymousLogin) {
    add(findings, path, fmt::format("the login \"{}\" is reserved", text));
  }
}

void check_free_text(std::string& text, std::string_view path, std::size_t characters_max, bool lines,
                     std::vector<base::Finding>& findings) {
  if (!normalise(text, path, findings)) return;
  if (base::utf8_length(text) > characters_max)
    return add(findings, path, fmt::format("must have at most {} characters", characters_max));
  std::string judged = text;
  if (lines) std::erase_if(judged, [](char c) { return c == '\n' || c == '\t' || c == '\r'; });
  if (has_any_control(judged)) add(findings, path, "must not contain control characters");
}

void check_email(std::string& text, std::string_view path, std::vector<base::Finding>& findings) {
  const std::size_t before = findings.size();
  check_free_text(text, path, kEmailCharactersMax, false, findings);
  if (findings.size() != before || text.empty()) return;
  const std::size_t at = text.find('@');
  const bool fits = at != std::string::npos && at > 0 && at + 1 < text.size() && text.find('@', at + 1) == std::string::npos &&
                    text.find(' ') == std::string::npos;
  if (!fits) add(findings, path, "must be an address like name@example.net, or empty");
}

}  // namespace funcgate::service
