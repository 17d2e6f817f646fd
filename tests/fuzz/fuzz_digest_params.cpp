// auth/authorization_header parse_digest_parameters: views stay inside header or scratch, and what was read is read the same
// when it is written in another order and with quotes.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "auth/authorization_header.h"
#include "base/text.h"
#include "fuzz_input.h"

using namespace funcgate;
using namespace funcgate::fuzz;

namespace {

using Values = std::vector<std::pair<std::string, std::string>>;

Values values_of(const auth::DigestParameters& p, std::string_view header) {
  const std::pair<const char*, const std::optional<std::string_view>*> all[] = {{"username", &p.username},
                                                                                {"username*", &p.username_extended},
                                                                                {"realm", &p.realm},
                                                                                {"nonce", &p.nonce},
                                                                                {"uri", &p.uri},
                                                                                {"response", &p.response},
                                                                                {"algorithm", &p.algorithm},
                                                                                {"cnonce", &p.cnonce},
                                                                                {"opaque", &p.opaque},
                                                                                {"qop", &p.qop},
                                                                                {"nc", &p.nc},
                                                                                {"userhash", &p.userhash}};
  const std::string_view scratch(p.scratch.data(), p.scratch_used);
  PROMISE(p.scratch_used <= p.scratch.size());
  Values values;
  for (const auto& [name, value] : all) {
    if (!value->has_value()) continue;
    PROMISE(lies_within(**value, header) || lies_within(**value, scratch));
    values.emplace_back(name, std::string(**value));
  }
  return values;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = text_of(data, size);
  if (const auto decoded = auth::decode_extended_value(text)) PROMISE(base::is_valid_utf8(*decoded));
  const auto first = std::make_unique<auth::DigestParameters>();
  if (!auth::parse_digest_parameters(text, *first)) return 0;
  PROMISE(size <= 8192);
  const Values values = values_of(*first, text);
  std::string again = " ,, ";
  for (auto value = values.rbegin(); value != values.rend(); ++value) {
    // A tab may stand in quotes but is not printed: written as it was.
    if (value->second.find('\t') != std::string::npos) return 0;
    again += base::to_upper(value->first) + " = " + auth::quoted(value->second) + " , unknown=x,";
  }
  if (again.size() > 8192) return 0;
  const auto second = std::make_unique<auth::DigestParameters>();
  PROMISE(auth::parse_digest_parameters(again, *second));
  PROMISE(values_of(*second, again) == values);
  // Any known parameter a second time is one too many.
  if (!values.empty()) {
    const std::string twice = again + values.front().first + "=x";
    const auto third = std::make_unique<auth::DigestParameters>();
    PROMISE(!auth::parse_digest_parameters(twice, *third));
  }
  return 0;
}
