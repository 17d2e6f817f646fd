#include "domain/script_json.h"

#include <algorithm>

namespace funcgate::domain {
namespace {

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }

bool is_identifier(std::string_view text, std::size_t length_max) {
  return !text.empty() && text.size() <= length_max && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

constexpr std::size_t kNameMax = 60, kPythonNameMax = 200;
constexpr std::size_t kTitleMax = 200, kNoteMax = 5000, kRequirementsMax = 20'000;

}  // namespace

bool is_script_name(std::string_view name) { return is_identifier(name, kNameMax) && name.find("__") == std::string_view::npos; }

bool is_script_id(std::string_view id) {
  const std::size_t split = id.find("__");
  return split != std::string_view::npos && is_script_name(id.substr(0, split)) && is_script_name(id.substr(split + 2));
}

bool is_function_id(std::string_view id) {
  const std::size_t dot = id.find('.');
  return dot != std::string_view::npos && is_script_id(id.substr(0, dot)) && is_identifier(id.substr(dot + 1), kPythonNameMax);
}

void check_script_set_id(const std::string& id, std::vector<base::Finding>& findings) {
  if (is_script_name(id)) return;
  findings.push_back({"id", "value", "must match ^[A-Za-z_][A-Za-z0-9_]*$, without \"__\", with 1 to 60 characters"});
}

base::json::object to_spec(const ScriptSet& set) {
  return {{"title", set.title}, {"note", set.note}, {"requirements", set.requirements}};
}

void read_script_set_members(base::ObjectReader& reader, ScriptSet& set) {
  reader.text("title", set.title, 0, kTitleMax)
      .text("note", set.note, 0, kNoteMax)
      .text("requirements", set.requirements, 0, kRequirementsMax);
}

ScriptSet read_script_set(const std::string& id, const base::json::value& spec, std::vector<base::Finding>& findings) {
  ScriptSet set;
  set.id = id;
  check_script_set_id(id, findings);
  base::ObjectReader reader(spec, "", findings);
  read_script_set_members(reader, set);
  reader.finish();
  return set;
}

}  // namespace funcgate::domain
