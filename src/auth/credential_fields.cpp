#include "auth/credential_fields.h"

#include <algorithm>

#include "auth/multipart_prefix.h"
#include "auth/scheme.h"
#include "base/encoding.h"
#include "base/json_scan.h"
#include "base/text.h"

namespace funcgate::auth {
namespace {

constexpr std::size_t kMultipartPartsMax = 1000;

// The next decoded byte of `raw` at `at`, which moves on; -1: broken escape.
int next_form_byte(std::string_view raw, std::size_t& at) {
  const char c = raw[at++];
  if (c == '+') return ' ';
  if (c != '%') return static_cast<unsigned char>(c);
  if (at + 2 > raw.size()) return -1;
  const int high = base::hex_value(raw[at]), low = base::hex_value(raw[at + 1]);
  at += 2;
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void read_json(std::string_view body, const std::vector<std::string>& names, BodyFields& out) {
  std::vector<std::vector<std::string>> paths;
  paths.reserve(names.size());
  for (const std::string& name : names) paths.push_back(base::parse_member_path(name));
  auto members = base::find_members(body, paths);
  if (!members) {
    out.is_readable = false;
    return;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    base::JsonMember& member = (*members)[i];
    if (!member.found) continue;
    out.fields[i].count = 1;
    out.fields[i].text = std::move(member.string_value);
    out.fields[i].raw_values.push_back(body.substr(member.value_begin, member.value_end - member.value_begin));
  }
}

void read_multipart(const domain::Call& call, const std::vector<std::string>& names, BodyFields& out) {
  const auto boundary = multipart_boundary(*call.header("content-type"));
  if (!boundary) {
    out.is_readable = false;
    return;
  }
  const MultipartPrefix prefix = read_multipart_prefix(call.body.substr(0, kBodyStartBytes), *boundary, kMultipartPartsMax);
  out.is_readable = prefix.is_well_formed;
  for (const TextPart& part : prefix.parts) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (part.name != names[i]) continue;
      BodyField& field = out.fields[i];
      field.raw_values.push_back(part.value);
      if (field.count++ > 0) continue;
      if (base::is_valid_utf8(part.value)) field.text = std::string(part.value);
    }
  }
}

}  // namespace

bool form_text_equals(std::string_view raw, std::string_view plain) {
  std::size_t at = 0;
  for (const char expected : plain) {
    if (at == raw.size() || next_form_byte(raw, at) != static_cast<unsigned char>(expected)) return false;
  }
  return at == raw.size();
}

std::optional<std::size_t> decode_form_to(std::string_view raw, char* out, std::size_t capacity) {
  std::size_t size = 0;
  for (std::size_t at = 0; at < raw.size();) {
    const int byte = next_form_byte(raw, at);
    if (byte < 0 || size == capacity) return std::nullopt;
    out[size++] = static_cast<char>(byte);
  }
  if (!base::is_valid_utf8({out, size})) return std::nullopt;
  return size;
}

BodyForm body_form(const domain::Call& call) {
  if (!call.has_body) return BodyForm::None;
  bool repeated = false;
  const std::string_view* coding = call.header("content-encoding", &repeated);
  // A compressed body shows its fields to nobody before it is inflated.
  if (repeated || (coding != nullptr && !coding->empty() && !base::equals_ignore_case(*coding, "identity")))
    return BodyForm::None;
  const std::string_view* type = call.header("content-type", &repeated);
  if (type == nullptr || repeated) return BodyForm::None;
  if (domain::media_type_is(*type, "application/json")) return BodyForm::Json;
  if (domain::media_type_is(*type, "application/x-www-form-urlencoded")) return BodyForm::Urlencoded;
  if (domain::media_type_is(*type, "multipart/form-data")) return BodyForm::Multipart;
  return BodyForm::None;
}

BodyFields read_body_fields(const domain::Call& call, const std::vector<std::string>& names) {
  BodyFields out;
  out.fields.resize(names.size());
  switch (body_form(call)) {
    case BodyForm::None: break;
    case BodyForm::Json: read_json(call.body, names, out); break;
    case BodyForm::Multipart: read_multipart(call, names, out); break;
    case BodyForm::Urlencoded:
      for (std::size_t i = 0; i < names.size(); ++i) {
        BodyField& field = out.fields[i];
        for_each_form_value(call.body, names[i], [&](std::string_view raw) {
          field.raw_values.push_back(raw);
          if (field.count++ == 0) field.text = base::decode_form(raw);
        });
      }
      break;
  }
  return out;
}

}  // namespace funcgate::auth
