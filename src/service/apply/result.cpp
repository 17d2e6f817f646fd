#include "service/apply/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace funcgate::service {
namespace {

namespace json = base::json;

constexpr std::size_t kSetCharactersMax = 100;

json::array problems_to_json(const std::vector<Problem>& problems) {
  json::array out;
  for (const Problem& problem : problems) {
    out.push_back(json::object{{"file", problem.file},
                               {"line", problem.line},
                               {"kind", problem.kind},
                               {"name", problem.name},
                               {"path", problem.finding.path},
                               {"code", problem.finding.code},
                               {"message", problem.finding.message},
                               {"text", problem.text()}});
  }
  return out;
}

}  // namespace

std::string Problem::text() const {
  std::string place = file;
  if (place.empty()) {
    place = fmt::format("{} {}", kind, name);
  } else if (line > 0) {
    place += fmt::format(":{}", line);
  }
  if (finding.path.empty()) return fmt::format("{}: {}", place, finding.message);
  return fmt::format("{}: {}: {}", place, finding.path, finding.message);
}

bool comes_before(const Problem& a, const Problem& b) {
  return std::tie(a.file, a.line, a.finding.path, a.finding.message) <
         std::tie(b.file, b.line, b.finding.path, b.finding.message);
}

std::string_view outcome_name(ObjectOutcome outcome) {
  switch (outcome) {
    case ObjectOutcome::Created: return "created";
    case ObjectOutcome::Changed: return "changed";
    case ObjectOutcome::Unchanged: return "unchanged";
    case ObjectOutcome::Pruned: return "pruned";
    case ObjectOutcome::Deleted: return "deleted";
  }
  return "";
}

std::string ObjectResult::text() const {
  std::string out = fmt::format("{} {}: {}", kind_name(kind), id, outcome_name(outcome));
  if (fields.empty()) return out;
  std::vector<std::string> names;
  for (const FieldChange& field : fields) names.push_back(field.name);
  return fmt::format("{} ({})", out, fmt::join(names, ", "));
}

base::Status check_set_name(std::string_view name) {
  const bool fits = !name.empty() && base::is_valid_utf8(name) && base::utf8_length(name) <= kSetCharactersMax &&
                    !base::has_control(name) && name.find('*') == std::string_view::npos;
  if (fits) return base::kDone;
  return base::Error{
      base::Code::InvalidArgument,
      fmt::format("the name of a set must have 1 to {} characters, none of them a control character or *", kSetCharactersMax),
      {}};
}

ApplyFailure ApplyResult::failure() const {
  if (problems.empty()) return ApplyFailure::None;
  auto all_are = [&](std::string_view code) {
    return std::all_of(problems.begin(), problems.end(), [&](const Problem& problem) { return problem.finding.code == code; });
  };
  if (all_are("publish")) return ApplyFailure::PublishFailed;
  return all_are("in_use") ? ApplyFailure::InUse : ApplyFailure::Invalid;
}

json::object to_json(const ApplyResult& result) {
  json::array objects, used_by;
  for (const ObjectResult& object : result.objects) {
    json::array fields;
    for (const FieldChange& field : object.fields) {
      fields.push_back(json::object{{"name", field.name}, {"before", field.before}, {"after", field.after}});
    }
    objects.push_back(json::object{{"kind", kind_name(object.kind)},
                                   {"id", object.id},
                                   {"outcome", outcome_name(object.outcome)},
                                   {"version", object.version},
                                   {"fields", std::move(fields)},
                                   {"text", object.text()}});
  }
  for (const std::string& user : result.used_by) used_by.emplace_back(user);
  return {{"objects", std::move(objects)},
          {"problems", problems_to_json(result.problems)},
          {"warnings", problems_to_json(result.warnings)},
          {"usedBy", std::move(used_by)},
          {"changed", result.would_change()}};
}

}  // namespace funcgate::service
