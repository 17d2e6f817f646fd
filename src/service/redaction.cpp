#include "service/redaction.h"

#include <algorithm>

#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

namespace funcgate::service {
namespace {

void replace_all(std::string& text, std::string_view secret) {
  constexpr std::string_view kMask = "*****";
  for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + kMask.size())) {
    text.replace(at, secret.size(), kMask);
  }
}

}  // namespace

void mask_secrets(std::string& text, std::vector<std::string_view> secrets) {
  if (text.empty()) return;
  std::sort(secrets.begin(), secrets.end(), [](std::string_view a, std::string_view b) { return a.size() > b.size(); });
  for (std::string_view secret : secrets) {
    if (secret.size() < kMaskedBytesMin) continue;
    replace_all(text, secret);
    std::string escaped = base::json_string(secret);
    const std::string_view inner = std::string_view(escaped).substr(1, escaped.size() - 2);
    if (inner != secret) replace_all(text, inner);
    base::wipe(escaped);
  }
}

void add_credentials(std::vector<std::string_view>& secrets, const domain::Call& call, const StripRules& rules) {
  for (const domain::Header& header : call.headers) {
    if (std::find(rules.headers.begin(), rules.headers.end(), header.name) == rules.headers.end()) continue;
    secrets.push_back(header.value);
    if (const std::size_t blank = header.value.find(' '); blank != std::string_view::npos) {
      secrets.push_back(base::trim(header.value.substr(blank)));
    }
  }
}

}  // namespace funcgate::service
