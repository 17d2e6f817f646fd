// base/json_scan: whatever it accepts, Boost.JSON reads too; what is cut out is gone and the rest is unchanged.
#include <boost/json.hpp>

#include <string>

#include "base/json.h"
#include "base/json_scan.h"
#include "fuzz_input.h"

using namespace funcgate::base;
using namespace funcgate::fuzz;

namespace {

using Paths = std::vector<std::vector<std::string>>;
constexpr unsigned kDepthMax = 16;

boost::json::value parse(std::string_view text, bool& parsed) {
  boost::json::parse_options options;
  options.max_depth = kDepthMax + 1;
  boost::system::error_code error;
  auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error, {}, options);
  // The scanner does not judge how large a number may be.
  parsed = !error;
  if (error) PROMISE(error == boost::json::error::exponent_overflow || error == boost::json::error::not_exact);
  return value;
}

// The value at `path` through objects only, or nullptr.
const boost::json::value* at(const boost::json::value& document, const std::vector<std::string>& path) {
  const boost::json::value* value = &document;
  for (const std::string& name : path) {
    const auto* object = value->if_object();
    value = object == nullptr ? nullptr : object->if_contains(name);
    if (value == nullptr) return nullptr;
  }
  return value;
}

void erase(boost::json::value& document, const std::vector<std::string>& path) {
  boost::json::value* value = &document;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    auto* object = value->if_object();
    value = object == nullptr ? nullptr : object->if_contains(path[i]);
    if (value == nullptr) return;
  }
  if (auto* object = value->if_object()) object->erase(path.back());
}

void check_members(std::string_view text, const Paths& paths, const boost::json::value& document) {
  const auto members = find_members(text, paths, kDepthMax);
  PROMISE(members && members->size() == paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const JsonMember& member = (*members)[i];
    const boost::json::value* expected = at(document, paths[i]);
    PROMISE(member.found == (expected != nullptr));
    if (!member.found) continue;
    PROMISE(member.member_begin < member.value_begin && member.value_begin < member.value_end &&
            member.value_end == member.member_end);
    PROMISE(member.member_end <= text.size() && text[member.member_begin] == '"');
    PROMISE(member.string_value.has_value() == expected->is_string());
    if (member.string_value)
      PROMISE(*member.string_value == std::string_view(expected->get_string().data(), expected->get_string().size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Paths kPaths = {{"a"}, {"a", "b"}, {"token"}, {"x.y", ""}};
  const std::string_view text = text_of(data, size);
  bool removed = false;
  if (const auto problem = validate_json(text, kDepthMax)) {
    PROMISE(problem->offset <= size && !problem->what.empty());
    PROMISE(!find_members(text, kPaths, kDepthMax) && !remove_members(text, kPaths, removed, kDepthMax) && !removed);
    return 0;
  }
  bool parsed = false;
  boost::json::value document = parse(text, parsed);
  const auto cut = remove_members(text, kPaths, removed, kDepthMax);
  PROMISE(cut && !validate_json(*cut, kDepthMax));
  PROMISE(removed == (*cut != text));
  // Boost.JSON reads 0e400 as NaN, which equals nothing.
  if (!parsed || parse(text, parsed) != document) return 0;
  check_members(text, kPaths, document);
  for (const auto& path : kPaths) erase(document, path);
  PROMISE(parse(*cut, parsed) == document);
  const auto left = find_members(*cut, kPaths, kDepthMax);
  PROMISE(left);
  for (const JsonMember& member : *left) PROMISE(!member.found);
  return 0;
}
