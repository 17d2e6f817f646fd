#include <gmock/gmock.h>

#include "service/apply/yaml_reader.h"
#include "service/apply/yaml_writer.h"

namespace funcgate::service {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string json_of(std::string_view yaml) {
  std::vector<YamlProblem> problems;
  const auto documents = read_yaml(yaml, problems);
  EXPECT_THAT(problems, IsEmpty()) << yaml << (problems.empty() ? "" : problems[0].message);
  return documents.size() == 1 ? base::to_json(documents[0].value) : "documents: " + std::to_string(documents.size());
}

TEST(YamlReader, ReadsScalarsByTheCoreSchema) {
  for (auto [yaml, json] : {std::pair{"a: 1", R"({"a":1})"},
                            {"a: -7", R"({"a":-7})"},
                            {"a: 2.5", R"({"a":2.5E0})"},
                            {"a: true", R"({"a":true})"},
                            {"a: yes", R"({"a":"yes"})"},
                            {"a: no", R"({"a":"no"})"},
                            {"a: ~", R"({"a":null})"},
                            {"a:", R"({"a":null})"},
                            {"a: null", R"({"a":null})"},
                            {"a: '1'", R"({"a":"1"})"},
                            {"a: \"true\"", R"({"a":"true"})"},
                            {"a: !!str 1", R"({"a":"1"})"},
                            {"a: 0x10", R"({"a":"0x10"})"},
                            {"a: .nan", R"({"a":".nan"})"},
                            {"a: 2026-01-01", R"({"a":"2026-01-01"})"},
                            {"a: 1_000", R"({"a":"1_000"})"},
                            {"a: [GET, POST]", R"({"a":["GET","POST"]})"},
                            {"a: |\n  x\n  y\n", R"({"a":"x\ny\n"})"},
                            {"{a: {b: [{c: 1}]}}", R"({"a":{"b":[{"c":1}]}})"},
                            {"<<: {a: 1}", R"({"<<":{"a":1}})"}}) {
    EXPECT_EQ(json_of(yaml), json);
  }
}

TEST(YamlReader, KnowsTheLineOfEveryMember) {
  std::vector<YamlProblem> problems;
  const auto documents = read_yaml(
      "# comment\nkind: A\nspec:\n  fields:\n    - label: x\n      name: y\n    - {label: z,\n       name: w}\n---\nkind: B\n",
      problems);
  ASSERT_THAT(documents, SizeIs(2));
  const auto& lines = documents[0].lines;
  EXPECT_EQ(lines.at("kind"), 2);
  EXPECT_EQ(lines.at("spec.fields"), 4);
  EXPECT_EQ(lines.at("spec.fields[0].label"), 5);
  EXPECT_EQ(lines.at("spec.fields[0].name"), 6);
  EXPECT_EQ(lines.at("spec.fields[1]"), 7);
  EXPECT_EQ(lines.at("spec.fields[1].name"), 8);
  EXPECT_EQ(documents[1].lines.at("kind"), 10);
}

TEST(YamlReader, LeavesEmptyDocumentsOut) {
  std::vector<YamlProblem> problems;
  EXPECT_THAT(read_yaml("", problems), IsEmpty());
  EXPECT_THAT(read_yaml("---\n# nothing\n---\na: 1\n---\n", problems), SizeIs(1));
  EXPECT_THAT(problems, IsEmpty());
}

TEST(YamlReader, RefusesWhatTwoReadersCouldReadDifferently) {
  struct Row {
    const char *yaml, *message;
    std::int64_t line;
  };
  for (const Row& row :
       {Row{"a: 1\nb: &x 2\nc: *x", "anchors", 2}, Row{"a: *x", "", 1}, Row{"a: 1\na: 2", "is written twice", 2},
        Row{"a: !!binary aGk=", "unknown tag", 1}, Row{"a: !python/object x", "unknown tag", 1},
        Row{"? [a]\n: 1", "must be a text", 1}, Row{"a: [1, 2", "not valid YAML", 0},
        Row{"a: 1234567890123456789012", "18 digits", 1}, Row{"a:\n\t- b", "not valid YAML", 0}, Row{"a: \xff\xfe", "", 1}}) {
    std::vector<YamlProblem> problems;
    read_yaml(row.yaml, problems);
    ASSERT_THAT(problems, SizeIs(1)) << row.yaml;
    EXPECT_THAT(problems[0].message, HasSubstr(row.message)) << row.yaml;
    if (row.line > 0) EXPECT_EQ(problems[0].line, row.line) << row.yaml;
  }
}

TEST(YamlReader, EndsSoonOnHostileInput) {
  std::string laughs = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 30; ++i)
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + ", *a" +
              std::to_string(i - 1) + "]\n";
  for (const std::string& hostile :
       {laughs, std::string(100'000, '['), std::string(100'000, '{'), std::string(5000, '-') + "\n"}) {
    std::vector<YamlProblem> problems;
    read_yaml(hostile, problems);
    EXPECT_LE(problems.size(), 1u);
  }
}

TEST(YamlWriter, WritesWhatTheReaderReadsBack) {
  for (
      const char* json :
      {R"({"a":1,"b":[],"c":{},"d":null,"e":true,"f":"text with spaces","g":""})",
       R"({"a":["yes","no","1","1.5","null","~"," x","x ","- a","a: b","#c","\"","\\","\n","\t",
            "ä","\u0001","{a}","[a]","*a","&a","!a","|",">","%","@"]})",
       R"({"a":[{"b":1,"c":[{"d":2},{}]},[1,[2,3]],[]],"0":{"x y":1},"true":{"null":2}})", R"([1,{"a":[]}])", R"("text")",
       R"({"n":2.5E0,"m":-7})"}) {
    const auto value = base::parse_json(json);
    ASSERT_TRUE(value.ok()) << json;
    const std::string yaml = to_yaml(*value);
    EXPECT_EQ(json_of(yaml), base::to_json(*value)) << yaml;
  }
}

TEST(YamlWriter, IsReadable) {
  const auto value = base::parse_json(
      R"({"kind":"FuncApi","spec":{"methods":["GET","POST"],"throttling":{"byDay":5},"fields":[{"label":"north","name":"x"}]}})");
  EXPECT_EQ(to_yaml(*value),
            "kind: FuncApi\nspec:\n  methods:\n    - GET\n    - POST\n  throttling:\n    byDay: 5\n  fields:\n    - label: "
            "north\n      name: x\n");
}

}  // namespace
}  // namespace funcgate::service
