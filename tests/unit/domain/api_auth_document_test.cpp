#include "domain/api_auth_document.h"

#include "domain/api_auth_json.h"
#include "findings.h"

namespace funcgate::domain {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr base::WallMs kNow = 1772442900100;
constexpr std::string_view kField =
    R"({"type":"fixedField","fields":[{"label":"north","location":"header","name":"X-Shop-Token"}]})";
constexpr std::string_view kBasic = R"({"type":"httpBasic","users":[{"username":"mia","passwordFrom":{"env":"MIA"}}]})";
constexpr std::string_view kDigest = R"({"type":"httpDigest","users":[{"username":"mia"}]})";
constexpr std::string_view kFunc = R"({"type":"func","funcId":"shop__auth.check_badge"})";

struct Outcome {
  ApiAuthenticationDraft draft;
  std::vector<std::string> problems, warnings;
};
Outcome read(const base::json::value& spec, const std::string& id = "shop") {
  std::vector<base::Finding> findings, warnings;
  Outcome outcome;
  outcome.draft = read_api_authentication(id, spec, ApiAuthenticationForm::Document, kNow, findings, warnings);
  outcome.problems = texts_of(findings);
  outcome.warnings = texts_of(warnings);
  return outcome;
}
// A fixedField document whose only entry has these members over the usual ones.
base::json::value field_with(std::string_view members) {
  base::json::value spec = parsed(kField);
  base::json::value entry = with(R"({"label":"north","location":"header","name":"X-Shop-Token"})", members);
  spec.get_object()["fields"] = base::json::array{entry};
  return spec;
}

TEST(ApiAuthDocument, TheSmallestDocumentHasTheDefaults) {
  const Outcome outcome = read(parsed(kField));
  EXPECT_THAT(outcome.problems, IsEmpty());
  const ApiAuthentication& shop = outcome.draft.value;
  EXPECT_EQ(shop.title, "shop");
  EXPECT_EQ(shop.realm, "shop");
  EXPECT_FALSE(shop.require_tls);
  const auto& field = std::get<FixedFieldConfig>(shop.config).fields.at(0);
  EXPECT_EQ(field.field.name, "x-shop-token");
  EXPECT_EQ(outcome.draft.secrets.at(0).origin, SecretOrigin::None);
}

struct Refused {
  const char* why;
  std::string_view base;
  const char* members;
  const char* problem;
};

class ApiAuthRefused : public ::testing::TestWithParam<Refused> {};

TEST_P(ApiAuthRefused, NamesTheMember) {
  EXPECT_THAT(read(with(GetParam().base, GetParam().members)).problems, ElementsAre(GetParam().problem)) << GetParam().why;
}

INSTANTIATE_TEST_SUITE_P(
    Table, ApiAuthRefused,
    ::testing::Values(
        Refused{"types are known", kField, R"({"type":"saml"})", "type: unknown type \"saml\""},
        Refused{"titles are short", kField, R"({"title":""})", "title: must have 1 to 200 characters"},
        Refused{"a slip is named", kField, R"({"requireTLS":true})",
                "requireTLS: unknown member \"requireTLS\"; did you mean \"requireTls\"?"},
        Refused{"members of other types are unknown", kField, R"({"users":[]})", "users: unknown member \"users\""},
        Refused{"at least one field", kField, R"({"fields":[]})", "fields: needs 1 to 50 entries"},
        Refused{"realm without quotes", kField, R"({"realm":"a\"b"})", "realm: realm cannot contain quotes"},
        Refused{"realm in ASCII", kField, R"({"realm":"Größe"})", "realm: must have 1 to 128 printable ASCII characters"},
        Refused{"users is a list", kBasic, R"({"users":{}})", "users: must be a list"},
        Refused{"no colon", kBasic, R"({"users":[{"username":"a:b"}]})", "users[0].username: a user name cannot contain a colon"},
        Refused{"no control characters", kBasic, R"({"users":[{"username":"a\u0007"}]})",
                "users[0].username: a user name cannot contain control characters"},
        Refused{"names are unique", kBasic, R"({"users":[{"username":"a"},{"username":"a"}]})",
                "users[1].username: user name is used twice"},
        Refused{"one spelling of a name", kBasic, R"({"users":[{"username":"j\u00f6"},{"username":"jo\u0308"}]})",
                "users[1].username: user name is used twice"},
        Refused{"cache time", kBasic, R"({"cacheTtl":3601})", "cacheTtl: must be between 0 and 3600"},
        Refused{"one source of a password", kBasic, R"({"users":[{"username":"a","passwordFrom":{"env":"A","file":"b"}}]})",
                "users[0].passwordFrom: must be one of {env: NAME}, {file: PATH}, {keystore: ALIAS}, {keep: true}"},
        Refused{"keep is true", kBasic, R"({"users":[{"username":"a","passwordFrom":{"keep":false}}]})",
                "users[0].passwordFrom: must be one of {env: NAME}, {file: PATH}, {keystore: ALIAS}, {keep: true}"},
        Refused{"hashes come from nobody", kBasic, R"({"users":[{"username":"a","passwordHash":"x"}]})",
                "users[0].passwordHash: unknown member \"passwordHash\"; did you mean \"passwordFrom\"?"},
        Refused{"known algorithms", kDigest, R"({"algorithms":["SHA-1"]})", "algorithms: unknown algorithm \"SHA-1\""},
        Refused{"distinct algorithms", kDigest, R"({"algorithms":["MD5","MD5"]})", "algorithms: \"MD5\" is named twice"},
        Refused{"auth is always offered", kDigest, R"({"qop":["auth-int"]})", "qop: must contain \"auth\""},
        Refused{"nonce life", kDigest, R"({"nonceTtl":29})", "nonceTtl: must be between 30 and 86400"},
        Refused{"functions have a form", kFunc, R"({"funcId":"check"})", "funcId: must look like set__script.function"},
        Refused{"deadline", kFunc, R"({"timeoutMs":49})", "timeoutMs: must be between 50 and 10000"},
        Refused{"body limit", kFunc, R"({"bodyLimitBytes":1048577})", "bodyLimitBytes: must be between 0 and 1048576"},
        Refused{"caching names its fields", kFunc, R"({"cacheTtl":30})",
                "credentialFields: caching needs at least one credential field"},
        Refused{"detail", kFunc, R"({"exposeDetail":"some"})", "exposeDetail: must be one of all, values, none"}));

TEST(ApiAuthDocument, RefusesFieldsThatCannotCarryACredential) {
  for (const char* name : {"Host", "cookie", "Connection", "Content-Type", "Content-Length", "Transfer-Encoding", "Forwarded",
                           "X-Forwarded-For", "Proxy-Authorization"}) {
    const auto problems = read(field_with(std::string(R"({"name":")") + name + "\"}")).problems;
    EXPECT_THAT(problems, ElementsAre("fields[0].name: this header cannot carry a credential")) << name;
  }
  EXPECT_THAT(read(field_with(R"({"name":"Authorization"})")).problems, IsEmpty());
  EXPECT_THAT(read(field_with(R"({"name":"a b"})")).problems, ElementsAre("fields[0].name: must be the name of a header"));
  EXPECT_THAT(read(field_with(R"({"location":"query","name":"kwargs"})")).problems,
              ElementsAre("fields[0].name: this name is reserved"));
  EXPECT_THAT(read(field_with(R"({"location":"cookie"})")).problems,
              ElementsAre("fields[0].location: must be header, query or body"));
}

TEST(ApiAuthDocument, CountsFieldsAndLabels) {
  base::json::array fields;
  for (int i = 0; i < 51; ++i)
    fields.push_back(with(R"({"location":"query","name":"t"})", R"({"label":"l)" + std::to_string(i) + "\"}"));
  base::json::value spec = parsed(kField);
  spec.get_object()["fields"] = fields;
  EXPECT_THAT(read(spec).problems, ElementsAre("fields: needs 1 to 50 entries"));
  fields.resize(2);
  fields[1].get_object()["label"] = "l0";
  spec.get_object()["fields"] = fields;
  EXPECT_THAT(read(spec).problems, ElementsAre("fields[1].label: label is used twice"));
}

TEST(ApiAuthDocument, TellsEverythingAtOnce) {
  EXPECT_THAT(read(parsed(R"({"type":"httpBasic","realm":"\"","cacheTtl":-1,"users":[{"username":"a:"},{}]})"), "a b").problems,
              SizeIs(5));
}

TEST(ApiAuthDocument, WarnsWithoutRefusing) {
  const char* fields = R"("credentialFields":[{"location":"header","name":"X-Badge"}])";
  EXPECT_THAT(read(with(kFunc, std::string(R"({"negativeCacheTtl":5,)") + fields + "}")).warnings,
              ElementsAre("negativeCacheTtl: has no effect without cacheTtl: nothing is remembered then"));
  EXPECT_THAT(read(with(kFunc, std::string(R"({"negativeCacheTtl":5,"cacheTtl":5,)") + fields + "}")).warnings, IsEmpty());
  EXPECT_THAT(read(with(kBasic, R"({"users":[]})")).warnings, ElementsAre("users: is empty: nobody can enter"));
  EXPECT_THAT(read(field_with(R"({"notAfter":"2026-01-01T00:00:00Z"})")).warnings,
              ElementsAre("fields[0].notAfter: is past: the entry admits nobody"));
  EXPECT_THAT(read(with(kDigest, R"({"algorithms":["MD5"]})")).warnings, Contains(HasSubstr("MD5 alone")));
}

TEST(ApiAuthDocument, ADeadlineThatIsNotWrittenStaysOpen) {
  const auto timeout_of = [](const char* members) {
    std::vector<base::Finding> findings, warnings;
    const auto draft = read_api_authentication("badge", with(kFunc, members), ApiAuthenticationForm::Document, 0, findings, warnings);
    const auto again = from_stored_json("badge", to_stored_json(draft.value));
    EXPECT_EQ(std::get<FuncConfig>(again.config).timeout_ms, std::get<FuncConfig>(draft.value.config).timeout_ms) << members;
    return std::get<FuncConfig>(draft.value.config).timeout_ms;
  };
  EXPECT_EQ(timeout_of("{}"), std::nullopt);
  EXPECT_EQ(timeout_of(R"({"timeoutMs":null})"), std::nullopt);
  EXPECT_EQ(timeout_of(R"({"timeoutMs":2000})"), 2000);
}

TEST(ApiAuthDocument, NormalisesUserNames) {
  const Outcome outcome = read(parsed(R"({"type":"httpBasic","users":[{"username":"jo\u0308rg"}]})"));
  EXPECT_EQ(std::get<BasicConfig>(outcome.draft.value.config).users.at(0).username, "j\xC3\xB6rg");
}

TEST(ApiAuthDocument, OrdersAlgorithmsStrongestFirst) {
  const Outcome outcome = read(with(kDigest, R"({"algorithms":["MD5","SHA-512-256","SHA-256"]})"));
  EXPECT_THAT(std::get<DigestConfig>(outcome.draft.value.config).algorithms,
              ElementsAre(DigestAlgorithm::Sha512_256, DigestAlgorithm::Sha256, DigestAlgorithm::Md5));
}

TEST(ApiAuthDocument, JudgesValuesWithoutRepeatingThem) {
  struct Row {
    std::string value;
    FieldLocation location;
    const char* problem;
  };
  for (const Row& row : {Row{"1234567", FieldLocation::Query, "v: must have at least 8 bytes"},
                         Row{std::string(1025, 'x'), FieldLocation::Query, "v: can have at most 1024 bytes"},
                         Row{"12345678\n", FieldLocation::Query, "v: cannot contain control characters"},
                         Row{" 12345678", FieldLocation::Header, "v: cannot begin or end with a blank in a header"}}) {
    std::vector<base::Finding> findings, warnings;
    check_field_value(row.value, row.location, "v", findings, warnings);
    EXPECT_THAT(texts_of(findings), ElementsAre(row.problem));
  }
  std::vector<base::Finding> findings, warnings;
  check_field_value(" 1234567 890", FieldLocation::Query, "v", findings, warnings);
  EXPECT_THAT(findings, IsEmpty());
  EXPECT_THAT(texts_of(warnings), ElementsAre("v: is shorter than 16 bytes"));
}

TEST(ApiAuthDocument, JudgesPasswords) {
  std::vector<base::Finding> findings, warnings;
  check_password("mia", "short", "p", findings, warnings);
  EXPECT_THAT(texts_of(findings), ElementsAre("p: must have at least 8 bytes"));
  findings.clear();
  check_password("mia", "Password123", "p", findings, warnings);
  check_password("mia-the-first", "mia-the-first", "p", findings, warnings);
  EXPECT_THAT(findings, IsEmpty());
  EXPECT_THAT(texts_of(warnings), ElementsAre("p: is easy to guess", "p: is easy to guess"));
}

TEST(ApiAuthJson, TheStoredFormKeepsEverything) {
  ApiAuthentication digest;
  digest.id = "stock";
  digest.title = "Stock";
  digest.realm = "stock room";
  digest.note = "n";
  digest.require_tls = true;
  digest.run_as = "system";
  digest.config =
      DigestConfig{{DigestAlgorithm::Sha256, DigestAlgorithm::Md5}, false, false, 60, {{"jörg", {"v1.a", "v1.b"}, 5, 6, true}}};
  const std::string text = to_stored_json(digest);
  EXPECT_EQ(to_stored_json(from_stored_json("stock", text)), text);
  const auto config = std::get<DigestConfig>(from_stored_json("stock", text).config);
  EXPECT_THAT(config.users.at(0).sealed_ha1, ElementsAre("v1.a", "v1.b"));
  EXPECT_FALSE(config.auth_int || config.userhash);
  EXPECT_TRUE(config.users.at(0).disabled);
  FuncConfig func;
  func.function_id = "shop__auth.check";
  func.credential_fields = {{FieldLocation::Body, "auth.token"}};
  func.expose_detail = ExposeDetail::None;
  ApiAuthentication badge = digest;
  badge.config = func;
  EXPECT_EQ(to_stored_json(from_stored_json("stock", to_stored_json(badge))), to_stored_json(badge));
  badge.config = ApiKeyConfig{{}, {"APIUsers"}, {}};
  EXPECT_EQ(to_stored_json(from_stored_json("stock", to_stored_json(badge))), to_stored_json(badge));
}

TEST(ApiAuthJson, ASealedListThatDoesNotFitIsBroken) {
  const auto read_back = from_stored_json("stock", R"({"type":"httpDigest","title":"x","algorithms":["SHA-256","MD5"],
      "users":[{"username":"mia","sealedHa1":["only one"],"passwordSetAt":1}]})");
  EXPECT_TRUE(std::holds_alternative<BrokenConfig>(read_back.config));
}

TEST(ApiAuthJson, ThePublicFormHoldsNothingMadeFromASecret) {
  ApiAuthentication shop;
  shop.id = shop.title = shop.realm = "shop";
  shop.config = FixedFieldConfig{
      {{"north", {FieldLocation::Header, "x-shop-token"}, "HASH-OF-VALUE", 5, {}, false}, {"new", {}, "", 0, {}, false}}};
  std::string text = base::to_json(to_public_spec(shop));
  EXPECT_THAT(text, HasSubstr(R"("valueSet":true,"valueSetAt":"1970)"));
  EXPECT_THAT(text, HasSubstr(R"("valueSet":false)"));
  shop.config = BasicConfig{true, 300, {{"mia", "HASH-OF-VALUE", 5, {}, false}}};
  text += base::to_json(to_public_spec(shop));
  shop.config = DigestConfig{{DigestAlgorithm::Md5}, true, true, 300, {{"mia", {"HASH-OF-VALUE"}, 5, {}, false}}};
  text += base::to_json(to_public_spec(shop));
  EXPECT_EQ(text.find("HASH-OF-VALUE"), std::string::npos);
  EXPECT_THAT(text, HasSubstr(R"("passwordSet":true)"));
}

}  // namespace
}  // namespace funcgate::domain
