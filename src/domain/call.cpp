#include "domain/call.h"

#include "base/text.h"

namespace funcgate::domain {
namespace {
constexpr std::string_view kNames[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"};
}

std::string_view method_name(Method method) {
  return method == Method::Other ? std::string_view("OTHER") : kNames[static_cast<std::size_t>(method)];
}

bool takes_body(Method method) { return method == Method::Post || method == Method::Put || method == Method::Patch; }

Method parse_method(std::string_view text) {
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == text) return static_cast<Method>(i);
  }
  return Method::Other;
}

const std::string_view* Call::header(std::string_view lower_case_name, bool* repeated) const {
  const std::string_view* found = nullptr;
  if (repeated != nullptr) *repeated = false;
  for (const Header& header : headers) {
    if (header.name != lower_case_name) continue;
    if (found != nullptr) {
      if (repeated != nullptr) *repeated = true;
      break;
    }
    found = &header.value;
  }
  return found;
}

int Call::header_count(std::string_view lower_case_name) const {
  int count = 0;
  for (const Header& header : headers) count += header.name == lower_case_name ? 1 : 0;
  return count;
}

std::string_view Call::content_type() const {
  bool repeated = false;
  const std::string_view* value = header("content-type", &repeated);
  return value == nullptr || repeated ? std::string_view() : *value;
}

std::string Call::addresses_json() const {
  if (proxies.empty()) return {};
  // Texts of addresses hold nothing that JSON would escape.
  std::string out = "[\"" + peer.text() + "\"";
  for (const Address& proxy : proxies) out += ",\"" + proxy.text() + "\"";
  return out + "]";
}

bool media_type_is(std::string_view content_type, std::string_view media_type) {
  content_type = base::trim(content_type);
  if (!base::starts_with_ignore_case(content_type, media_type)) return false;
  content_type = base::trim(content_type.substr(media_type.size()));
  return content_type.empty() || content_type.front() == ';';
}

}  // namespace funcgate::domain
