// base/text split_query and decode_form, service/strip: a stripped query holds no field of that name in any spelling, and
// every other field as it stood.
#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "fuzz_input.h"
#include "service/strip.h"

using namespace funcgate;
using namespace funcgate::fuzz;

namespace {

constexpr std::size_t kFieldsMax = 50;

bool is_named(std::string_view raw_name, const std::vector<std::string>& names) {
  const auto decoded = base::decode_form(raw_name);
  return std::find(names.begin(), names.end(), decoded ? *decoded : std::string(raw_name)) != names.end();
}

void check_fields(std::string_view query) {
  const auto fields = base::split_query(query, kFieldsMax);
  if (!fields) {
    PROMISE(static_cast<std::size_t>(std::count(query.begin(), query.end(), '&')) >= kFieldsMax);
    return;
  }
  PROMISE(fields->size() <= kFieldsMax);
  std::size_t behind = 0;
  for (const base::QueryField& field : *fields) {
    PROMISE(field.begin >= behind && field.begin < field.end && field.end <= query.size());
    const std::string_view segment = query.substr(field.begin, field.end - field.begin);
    PROMISE(segment.find('&') == std::string_view::npos);
    PROMISE(lies_within(field.raw_name, segment) && lies_within(field.raw_value, segment));
    PROMISE(segment == field.raw_name || segment == std::string(field.raw_name) + "=" + std::string(field.raw_value));
    if (const auto decoded = base::decode_form(field.raw_value)) {
      PROMISE(base::is_valid_utf8(*decoded) && decoded->size() <= field.raw_value.size());
    }
    behind = field.end;
  }
}

void check_strip(std::string_view query, const std::vector<std::string>& names) {
  bool removed = false;
  const std::string out = service::strip_query(query, names, removed);
  if (!removed) PROMISE(out == query);
  const auto left = base::split_query(out, 100'000), all = base::split_query(query, 100'000);
  if (!all) return;
  PROMISE(left.has_value());
  std::size_t next = 0;
  for (const base::QueryField& field : *all) {
    if (is_named(field.raw_name, names)) {
      PROMISE(removed);
      continue;
    }
    PROMISE(next < left->size());
    PROMISE((*left)[next].raw_name == field.raw_name && (*left)[next].raw_value == field.raw_value);
    ++next;
  }
  PROMISE(next == left->size());
  PROMISE(service::strip_query(out, names, removed) == out && !removed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view query = text_of(data, size);
  check_fields(query);
  check_strip(query, {"token", "a b", "k\xC3\xA4", ""});
  return 0;
}
