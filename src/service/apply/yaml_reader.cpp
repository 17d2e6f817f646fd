#include "service/apply/yaml_reader.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>

#include "base/text.h"
#include "service/apply/bundle.h"

namespace funcgate::service {
namespace {

namespace json = base::json;

constexpr std::size_t kDepthMax = 64;

// Ends the reading of a text; never leaves read_yaml().
struct Refused {
  YamlProblem problem;
};

std::int64_t line_of(const YAML::Mark& mark) { return mark.line < 0 ? 0 : mark.line + 1; }

bool is_core_tag(const std::string& tag) {
  static constexpr std::string_view kCore = "tag:yaml.org,2002:";
  if (tag.empty() || tag == "?" || tag == "!") return true;
  if (!tag.starts_with(kCore)) return false;
  const std::string_view name = std::string_view(tag).substr(kCore.size());
  return name == "str" || name == "int" || name == "float" || name == "bool" || name == "null" || name == "seq" || name == "map";
}

json::value plain_value(const std::string& text, std::int64_t line, const std::string& path) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (const auto integer = base::parse_int(text)) return *integer;
  const std::string_view digits = std::string_view(text).substr(text.starts_with('-') ? 1 : 0);
  if (!digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos) {
    throw Refused{{line, path, "a number can have at most 18 digits; quote it if it is a text"}};
  }
  if (const auto number = base::parse_number(text)) return *number;
  return json::string(text);
}

class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(std::vector<YamlProblem>& problems) : problems_(problems) {}

  std::vector<YamlDocument> take() { return std::move(documents_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_.size() == kBundleDocumentsMax) throw Refused{{line_of(mark), "", "too many documents"}};
    current_ = YamlDocument();
    current_.lines[""] = line_of(mark);
  }
  void OnDocumentEnd() override {
    if (!current_.value.is_null()) documents_.push_back(std::move(current_));
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    if (expects_key()) throw Refused{{line_of(mark), path_of_level(), "a member needs a name"}};
    add(mark, nullptr);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{{line_of(mark), path_of_level(), "aliases (*name) are not read; write the value out"}};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (!base::is_valid_utf8(value)) throw Refused{{line_of(mark), path_of_level(), "must be UTF-8 text"}};
    if (expects_key()) {
      begin_member(mark, value);
    } else {
      add(mark, tag == "?" || tag.empty() ? plain_value(value, line_of(mark), next_path()) : json::value(json::string(value)));
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, json::array());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, json::object());
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    json::value container;
    std::string path;
    std::string member;  // of an object, once its name was read
    bool has_member = false;
    bool drop_member = false;  // a repetition: read, but not kept
    YAML::Mark mark;           // where the container starts
  };

  bool expects_key() const { return !levels_.empty() && levels_.back().container.is_object() && !levels_.back().has_member; }
  std::string path_of_level() const { return levels_.empty() ? std::string() : levels_.back().path; }
  std::string next_path() const {
    if (levels_.empty()) return {};
    const Level& level = levels_.back();
    if (const json::array* array = level.container.if_array()) return fmt::format("{}[{}]", level.path, array->size());
    return level.path.empty() ? level.member : fmt::format("{}.{}", level.path, level.member);
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != 0) throw Refused{{line_of(mark), path_of_level(), "anchors (&name) are not read; write the value out"}};
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!is_core_tag(tag))
      throw Refused{{line_of(mark), path_of_level(), fmt::format("unknown tag \"{}\"", base::printable(tag, 60))}};
  }
  void begin_member(const YAML::Mark& mark, const std::string& name) {
    Level& level = levels_.back();
    level.member = name;
    level.has_member = true;
    level.drop_member = level.container.get_object().contains(name);
    const std::string path = next_path();
    if (level.drop_member) {
      problems_.push_back({line_of(mark), path, "is written twice"});
    } else {
      current_.lines[path] = line_of(mark);
    }
  }
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, json::value container) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (expects_key()) throw Refused{{line_of(mark), path_of_level(), "the name of a member must be a text"}};
    if (levels_.size() == kDepthMax)
      throw Refused{{line_of(mark), path_of_level(), fmt::format("more than {} levels", kDepthMax)}};
    Level level{std::move(container), next_path(), {}, false, false, mark};
    levels_.push_back(std::move(level));
  }
  void close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    add(level.mark, std::move(level.container));
  }
  void add(const YAML::Mark& mark, json::value value) {
    if (levels_.empty()) {
      current_.value = std::move(value);
      return;
    }
    Level& level = levels_.back();
    if (json::array* array = level.container.if_array()) {
      current_.lines.emplace(next_path(), line_of(mark));
      array->push_back(std::move(value));
      return;
    }
    if (!level.drop_member) level.container.get_object()[level.member] = std::move(value);
    level.has_member = false;
  }

  std::vector<YamlProblem>& problems_;
  std::vector<YamlDocument> documents_;
  YamlDocument current_;
  std::vector<Level> levels_;
};

}  // namespace

std::vector<YamlDocument> read_yaml(std::string_view text, std::vector<YamlProblem>& problems) {
  Builder builder(problems);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    problems.push_back(refused.problem);
  } catch (const YAML::Exception& failure) {
    problems.push_back({line_of(failure.mark), "", "not valid YAML: " + failure.msg});
  }
  return builder.take();
}

}  // namespace funcgate::service
