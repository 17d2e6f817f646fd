// Credential fields in a request: found by name in header, query and body, without building a document.
//
// Thread-safety: pure functions. Views point into the call.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/call.h"

namespace funcgate::auth {

// ---- head ----

// All values of a header, in order; `name` in lower case.
template <class Visit>
void for_each_header(const domain::Call& call, std::string_view name, Visit&& visit) {
  for (const domain::Header& header : call.headers) {
    if (header.name == name) visit(header.value);
  }
}

// Whether `raw`, decoded as in a query, is exactly `plain`. A broken escape is never equal. Allocates nothing.
bool form_text_equals(std::string_view raw, std::string_view plain);
// Decodes as in a query ('+' is a blank, %XX a byte) into `out`: bytes written; nullopt: broken escape, not UTF-8, too long.
std::optional<std::size_t> decode_form_to(std::string_view raw, char* out, std::size_t capacity);

// All values of a query or urlencoded field, in order, still encoded.
template <class Visit>
void for_each_form_value(std::string_view form, std::string_view name, Visit&& visit) {
  while (!form.empty()) {
    const std::size_t end = form.find('&');
    const std::string_view field = form.substr(0, end);
    form = end == std::string_view::npos ? std::string_view() : form.substr(end + 1);
    const std::size_t equals = field.find('=');
    if (!form_text_equals(field.substr(0, equals), name)) continue;
    visit(equals == std::string_view::npos ? std::string_view() : field.substr(equals + 1));
  }
}

// ---- body ----

enum class BodyForm : unsigned char { None, Json, Urlencoded, Multipart };
// By Content-Type only; None: nothing in which a field could stand (also: repeated Content-Type, compressed body).
BodyForm body_form(const domain::Call& call);

struct BodyField {
  int count = 0;                    // how often it occurs; JSON: at most 1
  std::optional<std::string> text;  // of the first occurrence; nullopt: no text (a JSON number, broken escape, not UTF-8)
  std::vector<std::string_view> raw_values;  // all of them as they stand in the body
};
struct BodyFields {
  bool is_readable = true;  // false: not valid JSON, or no multipart at all
  std::vector<BodyField> fields;
};
// Looks `names` up in the body that is there. JSON: a dot is a path, `\.` a literal dot; only an object at the top has members.
// Multipart: text parts before the first file part, within kBodyStartBytes; the body may be a prefix.
BodyFields read_body_fields(const domain::Call& call, const std::vector<std::string>& names);

}  // namespace funcgate::auth
