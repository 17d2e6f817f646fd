#include "domain/session_cookie.h"

#include <algorithm>

#include "base/text.h"

namespace funcgate::domain {
namespace {

// Takes the next pair off the front of `rest`; the `;` behind it goes too.
std::string_view take_pair(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(';'), rest.size());
  const std::string_view pair = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return pair;
}

bool is_session_cookie(std::string_view pair) {
  const std::string_view name = base::trim(pair.substr(0, pair.find('=')));
  return base::equals_ignore_case(name, kSecureSessionCookie) || base::equals_ignore_case(name, kPlainSessionCookie);
}

bool has_session_cookie(std::string_view cookies) {
  while (!cookies.empty()) {
    if (is_session_cookie(take_pair(cookies))) return true;
  }
  return false;
}

}  // namespace

std::string without_session_cookies(std::string_view cookies) {
  std::string out;
  while (!cookies.empty()) {
    const std::string_view pair = take_pair(cookies);
    if (is_session_cookie(pair) || base::trim(pair).empty()) continue;
    if (!out.empty()) out += "; ";
    out += base::trim(pair);
  }
  return out;
}

bool hide_session_cookies(Header& header, std::forward_list<std::string>& storage) {
  if (header.name != "cookie" || !has_session_cookie(header.value)) return true;
  header.value = storage.emplace_front(without_session_cookies(header.value));
  return !header.value.empty();
}

}  // namespace funcgate::domain
