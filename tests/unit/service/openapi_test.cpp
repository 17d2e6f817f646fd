#include "service/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "base/json.h"
#include "service/catalog_builder.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using domain::FieldLocation;
using domain::Method;
using testing::HasSubstr;
using testing::Not;

constexpr base::WallMs kNow = 1'772'442'900'000;

// A scheme that only has a type and fields.
class NamedScheme final : public auth::Scheme {
 public:
  NamedScheme(const domain::ApiAuthentication& authentication, std::string_view type_name,
              std::vector<domain::FieldReference> fields)
      : fields_(std::move(fields)) {
    identify(authentication, type_name);
  }
  auth::Outcome try_now(const auth::AuthCall&, auth::AuthThread&) const override {
    return auth::Outcome::unavailable(domain::Reason::AuthInternal);
  }
  std::vector<std::string> challenges(auth::AuthThread&, bool) const override { return {}; }
  int challenge_rank() const override { return 0; }
  std::vector<domain::FieldReference> credential_fields() const override { return fields_; }
  std::string_view refusal_message() const override { return ""; }

 private:
  const std::vector<domain::FieldReference> fields_;
};

auth::SchemePtr make_scheme(const domain::ApiAuthentication& authentication, domain::Reason& broken) {
  if (const auto* fixed = std::get_if<domain::FixedFieldConfig>(&authentication.config)) {
    std::vector<domain::FieldReference> fields;
    for (const auto& entry : fixed->fields) fields.push_back(entry.field);
    return std::make_shared<NamedScheme>(authentication, "fixedField", fields);
  }
  if (const auto* func = std::get_if<domain::FuncConfig>(&authentication.config)) {
    return std::make_shared<NamedScheme>(authentication, "func", func->credential_fields);
  }
  const std::vector<domain::FieldReference> none;
  if (std::holds_alternative<domain::BasicConfig>(authentication.config))
    return std::make_shared<NamedScheme>(authentication, "httpBasic", none);
  if (std::holds_alternative<domain::DigestConfig>(authentication.config))
    return std::make_shared<NamedScheme>(authentication, "httpDigest", none);
  if (std::holds_alternative<domain::ApiKeyConfig>(authentication.config))
    return std::make_shared<NamedScheme>(authentication, "apiKey", none);
  broken = domain::Reason::AuthConfigBroken;
  return nullptr;
}

domain::FixedFieldEntry entry(FieldLocation location, std::string name) {
  return {.label = "hidden-label", .field = {location, std::move(name)}, .value_hash = "hidden-hash"};
}

struct OpenApiTest : testing::Test {
  OpenApiTest() {
    add_authentication(
        "site", domain::FixedFieldConfig{{entry(FieldLocation::Header, "x-site-key"), entry(FieldLocation::Query, "token")}});
    add_authentication("form", domain::FixedFieldConfig{{entry(FieldLocation::Body, "auth.token")}});
    add_authentication("staff", domain::BasicConfig{.users = {{.username = "hidden-user", .password_hash = "hidden-hash"}}});
    add_authentication("legacy", domain::DigestConfig{});
    add_authentication("badge", domain::FuncConfig{.function_id = "sales__hidden.check",
                                                   .credential_fields = {{FieldLocation::Header, "x-badge"}}});
    add_authentication("rule", domain::FuncConfig{.function_id = "sales__hidden.check"});
    add_authentication("spoilt", domain::BrokenConfig{});

    domain::FunctionInfo quote =
        function("quote", R"({"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{
        "sku":{"type":"string"},"qty":{"type":"integer","default":1},"tier":{"type":"string"},
        "notes":{"type":["array","null"],"items":{"type":"string"}},
        "meta":{"type":"object"},"files":{}},"required":["sku","tier"],"additionalProperties":false})");
    quote.title = "Price of a basket";
    quote.description = "Total price in cents.";
    quote.tags = {"shop"};
    quote.result_schema = R"({"type":"object","properties":{"cents":{"type":"integer"}},"additionalProperties":false})";
    add_function(quote);
    domain::FunctionInfo echo = function("echo", R"({"type":"object","properties":{},"additionalProperties":true})");
    echo.title = "echo";
    echo.extra_arguments = true;
    echo.result_schema = R"({"type":"string"})";
    add_function(echo);
    domain::FunctionInfo secret = function("secret", "{}");
    secret.is_hidden = true;
    add_function(secret);
  }

  void add_authentication(const std::string& id, decltype(domain::ApiAuthentication::config) config) {
    domain::ApiAuthentication authentication;
    authentication.id = id;
    authentication.title = "hidden-title";
    authentication.config = std::move(config);
    configuration.api_authentications[id].value = authentication;
  }
  static domain::FunctionInfo function(const std::string& name, std::string schema) {
    domain::FunctionInfo info;
    info.name = name;
    info.id = "sales__hidden." + name;
    info.schema = std::move(schema);
    return info;
  }
  void add_function(const domain::FunctionInfo& info) { generation->functions[info.id] = info; }
  domain::FunctionApi& add_api(const std::string& id, const std::string& function_name,
                               std::vector<std::string> authentications) {
    domain::FunctionApi& api = configuration.function_apis[id].value;
    api.id = id;
    api.func_id = "sales__hidden." + function_name;
    api.note = "hidden-note";
    api.api_auth_ids = std::move(authentications);
    api.anonymous = api.api_auth_ids.empty();
    api.show_in_doc = true;
    return api;
  }
  json::object document(base::WallMs now_ms = kNow) {
    const CatalogPtr catalog = builder.build(configuration, generation, nullptr);
    text = openapi_document(*catalog, settings, now_ms);
    return base::parse_json(text)->get_object();
  }
  std::set<std::string> paths(base::WallMs now_ms = kNow) {
    std::set<std::string> out;
    json::object made = document(now_ms);
    for (const auto& [path, item] : made["paths"].get_object()) out.emplace(path.data(), path.size());
    return out;
  }
  std::string security(const std::string& id) {
    return base::to_json(document()["paths"].get_object().at("/api/v1/func-api/" + id + "/s").at("get").at("security"));
  }

  ServerSettings settings;
  base::Metrics metrics;
  CatalogBuilder builder{settings, make_scheme,
                         [](const domain::EnvVariable&) { return base::Error{base::Code::Unavailable, "no vault here", {}}; },
                         metrics};
  domain::Configuration configuration;
  std::shared_ptr<domain::Generation> generation = std::make_shared<domain::Generation>();
  std::string text;
};

// For people who review a change of the golden file.
void print(std::string& out, const json::value& value, const std::string& indent) {
  const std::string inner = indent + "  ";
  bool first = true;
  auto next = [&] {
    out += first ? "\n" + inner : ",\n" + inner;
    first = false;
  };
  if (const json::object* object = value.if_object(); object != nullptr && !object->empty()) {
    out += "{";
    for (const auto& [name, member] : *object) {
      next();
      out += base::json_string({name.data(), name.size()}) + ": ";
      print(out, member, inner);
    }
    out += "\n" + indent + "}";
  } else if (const json::array* array = value.if_array(); array != nullptr && !array->empty()) {
    out += "[";
    for (const json::value& element : *array) {
      next();
      print(out, element, inner);
    }
    out += "\n" + indent + "]";
  } else {
    out += base::to_json(value);
  }
}

// FUNCGATE_UPDATE_GOLDEN=1 writes the file anew; the difference is then reviewed like code.
void expect_golden(const std::string& name, const std::string& content) {
  const std::string path = FUNCGATE_SOURCE_DIR "/tests/golden/openapi/" + name;
  if (std::getenv("FUNCGATE_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << content;
  std::ifstream file(path);
  ASSERT_TRUE(file.good()) << path;
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(content, golden.str()) << path;
}

TEST_F(OpenApiTest, IsTheReviewedDocument) {
  settings.public_url = "https://fn.example.net";
  domain::FunctionApi& basket = add_api("basket", "quote", {"site"});
  basket.func_call_kwargs = R"({"tier":"hidden-constant","qty":"INPUT_BY_CALLER"})";
  basket.accept_files = true;
  domain::FunctionApi& report = add_api("report", "quote", {"staff", "legacy", "form", "badge", "api-key"});
  report.title = "Report";
  report.tags = {"slow", "shop"};
  report.methods = {Method::Put, Method::Delete};
  report.exec_mode = domain::ExecMode::Async;
  add_api("open", "echo", {}).methods = {Method::Get, Method::Head};
  const json::object made = document();
  std::string printed;
  print(printed, made, "");
  expect_golden("document.json", printed + "\n");
}

TEST_F(OpenApiTest, EqualCatalogsGiveEqualBytes) {
  for (const char* id : {"b", "a", "c", "z9", "A"}) add_api(id, "quote", {"site", "staff"});
  document();
  const std::string first = text;
  document();
  EXPECT_EQ(text, first);
}

TEST_F(OpenApiTest, ShowsOnlyWhatWantsToBeShownAndCanBeCalled) {
  add_api("shown", "quote", {"staff"});
  add_api("unlisted", "quote", {"staff"}).show_in_doc = false;
  add_api("disabled", "quote", {"staff"}).is_disabled = true;
  add_api("hidden", "secret", {"staff"});
  add_api("broken", "missing", {"staff"});
  add_api("denies", "quote", {}).anonymous = false;
  add_api("expired", "quote", {"staff"}).expire_time_ms = kNow;
  EXPECT_THAT(paths(), testing::UnorderedElementsAre("/api/v1/func-api/shown", "/api/v1/func-api/shown/s"));
  EXPECT_THAT(paths(kNow - 1), testing::Contains("/api/v1/func-api/expired")) << "until its last moment";
}

TEST_F(OpenApiTest, TellsNamesOfFieldsButNoValuesUsersConstantsOrFunctions) {
  domain::FunctionApi& api = add_api("basket", "quote", {"site", "form", "staff", "badge", "rule"});
  api.func_call_kwargs = R"({"tier":"hidden-constant","sku":"hidden-too"})";
  add_api("plain", "echo", {"staff"});
  document();
  EXPECT_THAT(text, HasSubstr("x-site-key"));
  EXPECT_THAT(text, HasSubstr("x-badge"));
  EXPECT_THAT(text, HasSubstr("auth.token"));
  EXPECT_THAT(text, Not(HasSubstr("hidden")));
  EXPECT_THAT(text, Not(HasSubstr("tier"))) << "the name of a constant";
  EXPECT_THAT(text, Not(HasSubstr("\"sku\"")));
  EXPECT_THAT(text, Not(HasSubstr("\"echo\""))) << "a title that is only the function's name";
}

TEST_F(OpenApiTest, SecurityListsAlternativesAndIsEmptyOnlyForAnonymousApis) {
  add_api("open", "quote", {});
  add_api("one", "quote", {"staff"});
  add_api("two", "quote", {"legacy", "staff"});
  add_api("fields", "quote", {"site"});
  add_api("ruled", "quote", {"rule"});
  add_api("half", "quote", {"spoilt", "staff"});
  add_api("none", "quote", {"spoilt"});
  add_api("gone", "quote", {"never-there"});
  EXPECT_EQ(security("open"), "[]");
  EXPECT_EQ(security("one"), R"([{"staff":[]}])");
  EXPECT_EQ(security("two"), R"([{"legacy":[]},{"staff":[]}])");
  EXPECT_EQ(security("fields"), R"([{"site.1":[]},{"site.2":[]}])");
  EXPECT_EQ(security("ruled"), R"([{"rule":[]}])");
  EXPECT_EQ(security("half"), R"([{"spoilt":[]},{"staff":[]}])");
  EXPECT_EQ(security("none"), R"([{"spoilt":[]}])");
  EXPECT_EQ(security("gone"), R"([{"never-there":[]}])");
}

TEST_F(OpenApiTest, ACredentialInTheBodyIsOfferedWhereThereIsABody) {
  add_api("both", "quote", {"form", "staff"});
  add_api("body", "quote", {"form"});
  EXPECT_EQ(security("both"), R"([{"staff":[]}])");
  EXPECT_EQ(security("body"), R"([{"form":[]}])") << "nothing else would do: it must not look open";
  const json::object made = document();
  const json::value& post = made.at("paths").at("/api/v1/func-api/both/s").at("post");
  EXPECT_EQ(base::to_json(post.at("security")), R"([{"form":[]},{"staff":[]}])");
}

TEST_F(OpenApiTest, AnonymityThatHasEndedNeedsAKey) {
  add_api("open", "quote", {}).anonymous_until_ms = kNow;
  EXPECT_EQ(security("open"), R"([{"api-key":[]}])");
  configuration.function_apis["open"].value.anonymous_until_ms = kNow + 1;
  EXPECT_EQ(security("open"), "[]");
}

TEST_F(OpenApiTest, EveryNamedSchemeIsDescribedAndNoOther) {
  add_api("a", "quote", {"site", "staff"});
  add_api("b", "quote", {"staff", "spoilt", "form"});
  json::object made = document();
  std::set<std::string> described, used;
  for (const auto& [name, scheme] : made["components"].at("securitySchemes").as_object())
    described.emplace(name.data(), name.size());
  for (const auto& [path, item] : made["paths"].get_object()) {
    for (const auto& [method, operation] : item.as_object()) {
      for (const json::value& one : operation.at("security").as_array()) {
        for (const auto& [name, scopes] : one.as_object()) used.emplace(name.data(), name.size());
      }
    }
  }
  EXPECT_EQ(described, used);
  EXPECT_EQ(used, (std::set<std::string>{"form", "site.1", "site.2", "spoilt", "staff"}));
}

TEST_F(OpenApiTest, OperationIdsAreUniqueAndBeginWithTheApi) {
  for (const char* id : {"a", "a_get", "a_get_standard", "get"}) {
    add_api(id, "quote", {"staff"}).methods = {Method::Get, Method::Head,  Method::Post,
                                               Method::Put, Method::Patch, Method::Delete};
  }
  std::set<std::string> ids;
  std::size_t count = 0;
  json::object made = document();
  for (const auto& [path, item] : made["paths"].get_object()) {
    for (const auto& [method, operation] : item.as_object()) {
      ids.emplace(operation.at("operationId").as_string().c_str());
      ++count;
    }
  }
  EXPECT_EQ(count, 48u);
  EXPECT_EQ(ids.size(), count);
  EXPECT_EQ(ids.count("a_get"), 1u);
  EXPECT_EQ(ids.count("a_get_standard_get_standard"), 1u);
}

TEST_F(OpenApiTest, AcceptedTasksAre202AndInTheOldWay200) {
  add_api("later", "quote", {"staff"}).exec_mode = domain::ExecMode::Async;
  const auto responses = [&] {
    return document()["paths"].get_object().at("/api/v1/func-api/later/s").at("post").at("responses").as_object();
  };
  EXPECT_TRUE(responses().contains("202"));
  EXPECT_FALSE(responses().contains("200"));
  settings.compat_dataflux = true;
  EXPECT_FALSE(responses().contains("202"));
  EXPECT_TRUE(responses().contains("200"));
}

TEST_F(OpenApiTest, TheTagOfAVersionChangesWithTheDocumentOnly) {
  add_api("a", "quote", {"staff"});
  const auto tag = [&] { return builder.build(configuration, generation, nullptr)->openapi->find(0)->etag; };
  const std::string first = tag();
  EXPECT_EQ(first.front(), '"');
  EXPECT_EQ(first.back(), '"');
  configuration.function_apis["a"].value.note = "another note, which nobody sees";
  ++configuration.sequence;
  EXPECT_EQ(tag(), first);
  configuration.function_apis["a"].value.title = "A new title";
  EXPECT_NE(tag(), first);
}

TEST_F(OpenApiTest, AnApiLeavesTheDocumentAtTheMomentItExpires) {
  const base::WallMs moment = base::SystemClock().wall_ms() + 3'600'000;
  add_api("stays", "quote", {"staff"});
  add_api("leaves", "quote", {"staff"}).expire_time_ms = moment;
  const auto catalog = builder.build(configuration, generation, nullptr);
  const auto before = catalog->openapi->find(moment - 1);
  ASSERT_NE(before, nullptr);
  EXPECT_NE(before->text.find("func-api/leaves"), std::string::npos);
  EXPECT_EQ(catalog->openapi->find(moment), nullptr) << "what is not true any more is not found";
  const auto after = catalog->openapi->make(*catalog, settings, moment);
  EXPECT_EQ(after->text.find("func-api/leaves"), std::string::npos);
  EXPECT_NE(after->text.find("func-api/stays"), std::string::npos);
  EXPECT_NE(after->etag, before->etag);
  EXPECT_EQ(catalog->openapi->make(*catalog, settings, moment + 1), after) << "made once";
  EXPECT_EQ(catalog->openapi->find(moment + 1), after);
}

}  // namespace
}  // namespace funcgate::service
