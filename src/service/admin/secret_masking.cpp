#include "service/admin/secret_masking.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/json.h"
#include "base/text.h"

namespace funcgate::service {
namespace {

// What Base64 makes of `value` when `before` bytes (0, 1, 2) precede it: the characters that depend on nothing else. A header
// such as Basic encodes a name and the value together.
std::string base64_core(std::string_view value, std::size_t before, bool url) {
  std::string bytes(before, '\0');
  bytes += value;
  const std::size_t tail = bytes.size() % 3;
  bytes.resize(bytes.size() - tail);  // the last group would be mixed with what follows
  std::string text = url ? base::base64url_encode(bytes) : base::base64_encode(bytes);
  if (before > 0) text.erase(0, 4);
  base::wipe(bytes);
  return text;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

// %2F as %2f.
std::string lower_escapes(std::string text) {
  for (std::size_t at = 0; (at = text.find('%', at)) != std::string::npos && at + 2 < text.size(); at += 3) {
    for (const std::size_t digit : {at + 1, at + 2}) {
      if (text[digit] >= 'A' && text[digit] <= 'F') text[digit] = static_cast<char>(text[digit] - 'A' + 'a');
    }
  }
  return text;
}

std::string json_inside(std::string_view value) {
  const std::string quoted = base::json_string(value);
  return quoted.size() < 2 ? std::string() : quoted.substr(1, quoted.size() - 2);
}

}  // namespace

void SecretMasking::add(std::string form, const std::string& replacement) {
  if (form.size() >= kMaskedSecretBytesMin) forms_.push_back({std::move(form), replacement});
}

SecretMasking::SecretMasking(std::span<const UsableSecret> secrets) {
  for (const UsableSecret& secret : secrets) {
    const std::string_view value = secret.value.reveal();
    if (value.size() < kMaskedSecretBytesMin) continue;
    const std::string mark = fmt::format("[secret:{}]", secret.name);
    add(std::string(value), mark);
    for (const bool url : {false, true}) {
      add(url ? base::base64url_encode(value) : base::base64_encode(value), mark);
      for (const std::size_t before : {0u, 1u, 2u}) add(base64_core(value, before, url), mark);
    }
    const std::string percent = base::percent_encode(value);
    // Forms leave these as they are, write a space as +, and some senders escape in small letters.
    const std::string form = replaced(replaced(percent, "%20", "+"), "%2A", "*");
    for (const std::string& text : {percent, form}) {
      add(text, mark);
      add(lower_escapes(text), mark);
    }
    const std::string json = json_inside(value);
    add(json, mark);
    add(replaced(json, "/", "\\/"), mark);
  }
  std::sort(forms_.begin(), forms_.end(), [](const Form& a, const Form& b) { return a.text.size() > b.text.size(); });
}

SecretMasking::~SecretMasking() {
  for (Form& form : forms_) base::wipe(form.text);
}

std::string SecretMasking::masked(std::string_view text) const {
  // In one pass: what was put in place of one value must not be searched for another.
  std::string out;
  std::size_t at = 0;
  while (true) {
    std::size_t place = std::string::npos;
    const Form* first = nullptr;
    for (const Form& form : forms_) {
      const std::size_t found = text.find(form.text, at);
      if (found >= place) continue;  // of two at one place the longer one, which comes first
      place = found;
      first = &form;
    }
    if (first == nullptr) break;
    out.append(text, at, place - at).append(first->replacement);
    at = place + first->text.size();
  }
  return out.append(text, at);
}

}  // namespace funcgate::service
