#include "domain/env_variable_json.h"
#include "domain/script_json.h"
#include "findings.h"

namespace funcgate::domain {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ScriptNames, FollowTheirRules) {
  for (const char* name : {"a", "_a", "sales_2", "A1"}) EXPECT_TRUE(is_script_name(name)) << name;
  for (const char* name : {"", "1a", "a__b", "a-b", "ä", "a.b", "__a", "a__"}) EXPECT_FALSE(is_script_name(name)) << name;
  EXPECT_TRUE(is_script_name(std::string(60, 'a')));
  EXPECT_FALSE(is_script_name(std::string(61, 'a')));
  EXPECT_TRUE(is_script_id("sales__prices"));
  for (const char* id : {"sales", "sales__", "__prices", "a__b__c", "sales__1"}) EXPECT_FALSE(is_script_id(id)) << id;
  EXPECT_TRUE(is_function_id("sales__prices.quote"));
  EXPECT_TRUE(is_function_id("sales__prices.__init__"));
  for (const char* id : {"sales__prices", "sales__prices.", "sales.quote", "sales__prices.a.b"})
    EXPECT_FALSE(is_function_id(id)) << id;
}

TEST(ScriptSetJson, IsReadAgainAsWritten) {
  const base::json::value spec = parsed(R"({"title":"Orders","note":"n","requirements":"numpy"})");
  std::vector<base::Finding> findings;
  EXPECT_EQ(base::json::value(to_spec(read_script_set("orders", spec, findings))), spec);
  EXPECT_THAT(findings, IsEmpty());
  read_script_set("or__ders", parsed("{}"), findings);
  EXPECT_EQ(findings.size(), 1u);
}

TEST(EnvValue, HasTheTypeAScriptSees) {
  struct Row {
    EnvType type;
    const char *text, *json;
  };
  for (const Row& row : {Row{EnvType::String, "a\"b", R"("a\"b")"}, Row{EnvType::Password, "5", R"("5")"},
                         Row{EnvType::Integer, "-42", "-42"}, Row{EnvType::Float, "2.5", "2.5"}, Row{EnvType::Float, "2", "2.0"},
                         Row{EnvType::Boolean, "true", "true"}, Row{EnvType::Json, R"({"a":[1]})", R"({"a":[1]})"},
                         Row{EnvType::CommaArray, "a, b,,c", R"(["a","b","","c"])"}, Row{EnvType::CommaArray, " ", "[]"}}) {
    const auto json = env_value_json(row.type, row.text);
    ASSERT_TRUE(json.ok()) << row.text;
    EXPECT_EQ(*json, row.json);
  }
  for (const Row& row : {Row{EnvType::Integer, "4.5", ""}, Row{EnvType::Integer, "", ""}, Row{EnvType::Integer, "0x10", ""},
                         Row{EnvType::Float, "nan", ""}, Row{EnvType::Boolean, "yes", ""}, Row{EnvType::Json, "{", ""},
                         Row{EnvType::String, "\xff", ""}}) {
    EXPECT_FALSE(env_value_json(row.type, row.text).ok()) << row.text;
  }
}

std::vector<std::string> problems_of(const char* id, std::string_view spec) {
  std::vector<base::Finding> findings;
  read_env_variable(id, parsed(spec), findings);
  return texts_of(findings);
}

TEST(EnvVariableJson, AValueMustFitItsType) {
  EXPECT_THAT(problems_of("PORT", R"({"type":"integer","value":8080,"scriptSets":["*"]})"), IsEmpty());
  EXPECT_THAT(problems_of("PORT", R"({"type":"integer","value":"8080"})"), IsEmpty());
  EXPECT_THAT(problems_of("PORT", R"({"type":"integer","value":"many"})"), ElementsAre("value: must be an integer"));
  EXPECT_THAT(problems_of("PORT", R"({"type":"string","value":8080})"), ElementsAre("value: must be a text"));
  EXPECT_THAT(problems_of("PORT", R"({"type":"integer"})"), ElementsAre("value: is required"));
  EXPECT_THAT(problems_of("PORT", R"({"type":"number","value":"1"})"),
              ElementsAre("type: must be one of string, password, integer, float, boolean, json, commaArray"));
  EXPECT_THAT(problems_of("1PORT", R"({"value":"x"})"), ElementsAre("id: must match ^[A-Za-z_][A-Za-z0-9_]{0,63}$"));
  EXPECT_THAT(problems_of("A", R"({"value":"x","scriptSets":["a","a","b c"]})"),
              ElementsAre("scriptSets[1]: \"a\" is named twice", "scriptSets[2]: must be the id of a script set or \"*\""));
}

TEST(EnvVariableJson, ValuesWrittenAsJsonBecomeTexts) {
  std::vector<base::Finding> findings;
  EXPECT_EQ(read_env_variable("A", parsed(R"({"type":"commaArray","value":["a","b"]})"), findings).value, "a,b");
  EXPECT_EQ(read_env_variable("A", parsed(R"({"type":"json","value":{"a":1}})"), findings).value, R"({"a":1})");
  EXPECT_EQ(read_env_variable("A", parsed(R"({"type":"boolean","value":true})"), findings).value, "true");
  EXPECT_THAT(findings, IsEmpty());
}

TEST(EnvVariableJson, ThePublicFormHidesPasswords) {
  EnvVariable variable;
  variable.id = "TOKEN";
  variable.type = EnvType::Password;
  variable.value = "v1.sealed";
  const std::string text = base::to_json(to_public_spec(variable));
  EXPECT_EQ(text.find("sealed"), std::string::npos);
  EXPECT_NE(text.find(R"("valueSet":true)"), std::string::npos);
  std::vector<base::Finding> findings;
  EXPECT_EQ(read_env_variable("TOKEN", to_stored(variable), findings).value, "v1.sealed");
  EXPECT_THAT(findings, IsEmpty());
}

}  // namespace
}  // namespace funcgate::domain
