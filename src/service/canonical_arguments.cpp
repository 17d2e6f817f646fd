#include "service/canonical_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/encoding.h"
#include "base/field_limit.h"
#include "base/json.h"
#include "base/text.h"

namespace funcgate::service {
namespace {

namespace json = base::json;

void append_canonical(std::string& out, const json::value& value) {
  if (const json::object* object = value.if_object()) {
    std::map<std::string_view, const json::value*> sorted;
    for (const auto& [name, member] : *object) sorted.emplace(std::string_view(name.data(), name.size()), &member);
    out.push_back('{');
    for (const auto& [name, member] : sorted) {
      base::append_json_string(out, name);
      out.push_back(':');
      append_canonical(out, *member);
      out.push_back(',');
    }
    out.push_back('}');
  } else if (const json::array* array = value.if_array()) {
    out.push_back('[');
    for (const json::value& element : *array) {
      append_canonical(out, element);
      out.push_back(',');
    }
    out.push_back(']');
  } else {
    out += base::to_json(value);
  }
}

// A run of more than 15 digits: the worker keeps every digit, our numbers do not.
bool has_long_number(std::string_view text) {
  std::size_t run = 0;
  for (const char c : text) {
    const bool digit = (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E';
    run = digit ? run + 1 : 0;
    if (run > 15) return true;
  }
  return false;
}

// Names and values that stand for themselves, in the order of their names.
class PlainPairs {
 public:
  static constexpr std::size_t kPairsMax = 16;
  struct Pair {
    std::string_view name, value;
  };
  // Behind those of the same name. False: there is no room.
  bool add(Pair pair) {
    if (count_ == kPairsMax) return false;
    std::size_t place = count_++;
    for (; place > 0 && pair.name < pairs_[place - 1].name; --place) pairs_[place] = pairs_[place - 1];
    pairs_[place] = pair;
    return true;
  }
  bool repeats_a_name() const {
    return std::adjacent_find(begin(), end(), [](const Pair& a, const Pair& b) { return a.name == b.name; }) != end();
  }
  const Pair* begin() const { return pairs_.data(); }
  const Pair* end() const { return pairs_.data() + count_; }

 private:
  std::array<Pair, kPairsMax> pairs_;
  std::size_t count_ = 0;
};

// Reads an object of members whose names and values have one spelling only: texts of ASCII without escapes, whole numbers, true,
// false and null. Anything else is left to the parser.
class FlatObject {
 public:
  explicit FlatObject(std::string_view text) : text_(text) {}

  bool read(PlainPairs& pairs) {
    skip_blanks();
    if (!take('{')) return false;
    skip_blanks();
    bool more = !take('}');
    while (more) {
      std::string_view name, value;
      if (!read_text(name) || !read_colon() || !read_value(value) || !pairs.add({name, value})) return false;
      skip_blanks();
      more = take(',');
      if (!more && !take('}')) return false;
      skip_blanks();
    }
    skip_blanks();
    return at_ == text_.size() && !pairs.repeats_a_name();
  }

 private:
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char wanted) {
    if (next() != wanted) return false;
    ++at_;
    return true;
  }
  void skip_blanks() {
    while (next() == ' ' || next() == '\t' || next() == '\n' || next() == '\r') ++at_;
  }
  bool read_colon() {
    skip_blanks();
    if (!take(':')) return false;
    skip_blanks();
    return true;
  }
  // Without its quotes.
  bool read_text(std::string_view& text) {
    if (!take('"')) return false;
    const std::size_t begin = at_;
    while (next() >= ' ' && next() < 0x7f && next() != '"' && next() != '\\') ++at_;
    text = text_.substr(begin, at_ - begin);
    return take('"');
  }
  // With its quotes, if it has any.
  bool read_value(std::string_view& value) {
    if (next() == '"') {
      const std::size_t quote = at_;
      if (!read_text(value)) return false;
      value = text_.substr(quote, at_ - quote);
      return true;
    }
    for (const std::string_view word : {"true", "false", "null"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      value = word;
      at_ += word.size();
      return true;
    }
    const std::size_t begin = at_;
    const bool negative = take('-');
    const std::size_t digits = at_;
    while (next() >= '0' && next() <= '9') ++at_;
    const bool leading_zero = at_ > digits && text_[digits] == '0';
    if (at_ == digits || (leading_zero && (at_ - digits > 1 || negative))) return false;
    if (next() == '.' || next() == 'e' || next() == 'E') return false;
    value = text_.substr(begin, at_ - begin);
    return true;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
};

void append_size(std::string& out, std::size_t size) {
  const fmt::format_int text(size);
  out.append(text.data(), text.size());
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append_size(out, name.size());
  out.append(":").append(name).append("=");
  append_size(out, value.size());
  out.append(":").append(value).append("&");
}

// Fields that decoding would leave as they are.
bool read_plain_fields(std::string_view query, PlainPairs& pairs) {
  const auto stands_for_itself = [](char c) { return c > ' ' && c < 0x7f && c != '%' && c != '+'; };
  if (!std::all_of(query.begin(), query.end(), stands_for_itself)) return false;
  while (!query.empty()) {
    const std::string_view field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), field.size() + 1));
    if (field.empty()) continue;
    const std::size_t equals = std::min(field.find('='), field.size());
    if (!pairs.add({field.substr(0, equals), field.substr(std::min(equals + 1, field.size()))})) return false;
  }
  return true;
}

void append_other(std::string& out, const domain::VisibleRequest& request, const std::vector<domain::FormPart>& parts) {
  out += fmt::format("o:{}:{}", request.content_type.size(), request.content_type);
  for (const domain::FormPart& part : parts) {
    out += fmt::format("/{}:{}={}:{}", part.name.size(), part.name, part.value.size(), part.value);
  }
  out += fmt::format("/{}:{}", request.body.size(), request.body);
}

// What is not put in order. No ordered text begins with this mark, so that no broken request finds the answer of a good one.
void append_as_it_is(std::string& out, std::string_view text) { out.append("!").append(text); }

}  // namespace

void append_canonical_json(std::string& out, std::string_view text) {
  if (has_long_number(text)) {
    append_as_it_is(out, text);
    return;
  }
  PlainPairs pairs;
  if (FlatObject(text).read(pairs)) {
    out.push_back('{');
    for (const PlainPairs::Pair& pair : pairs) out.append("\"").append(pair.name).append("\":").append(pair.value).append(",");
    out.push_back('}');
    return;
  }
  const auto value = base::parse_json(text);
  // What cannot be parsed is refused by the worker.
  if (value.ok()) {
    append_canonical(out, *value);
  } else {
    append_as_it_is(out, text);
  }
}

void append_canonical_fields(std::string& out, std::string_view query) {
  PlainPairs plain;
  if (read_plain_fields(query, plain)) {
    for (const PlainPairs::Pair& pair : plain) append_field(out, pair.name, pair.value);
    return;
  }
  const auto fields = base::split_query(query, base::kFieldsMax);
  if (!fields) {
    append_as_it_is(out, query);
    return;
  }
  // Sorted by name only: the order of values of one name is the order of the list that the function gets.
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const base::QueryField& field : *fields) {
    auto name = base::decode_form(field.raw_name), value = base::decode_form(field.raw_value);
    if (!name || !value) {
      append_as_it_is(out, query);
      return;
    }
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [name, value] : pairs) append_field(out, name, value);
}

// Tagged by kind: texts of one kind never look like those of another.
void append_canonical_arguments(std::string& out, domain::ArgumentForm form, const domain::VisibleRequest& request,
                                const std::vector<domain::FormPart>& parts) {
  using domain::ArgumentForm;
  if (form == ArgumentForm::GetStandard || form == ArgumentForm::GetSimplified) {
    append_canonical_fields(out.append("q:"), request.query);
  } else if (domain::media_type_is(request.content_type, "application/json")) {
    append_canonical_json(out.append("j:"), request.body);
  } else if (form == ArgumentForm::PostStandard) {
    // Without a type it is read as JSON, but the function sees no parsed body; of another type it is refused.
    append_canonical_json(out.append(request.content_type.empty() ? "n:" : "r:"), request.body);
  } else if (domain::media_type_is(request.content_type, "application/x-www-form-urlencoded")) {
    append_canonical_fields(out.append("f:"), request.body);
  } else {
    append_other(out, request, parts);
  }
}

}  // namespace funcgate::service
