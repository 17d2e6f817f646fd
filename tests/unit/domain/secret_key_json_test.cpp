#include "domain/secret_key_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "findings.h"

namespace funcgate::domain {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kBody =
    R"({"owner":{"kind":"action","application":"Advanced","flow":"Call API","action":"callApi"},"name":"APIKey","enabled":false})";

SecretKey a_secret() {
  SecretKey secret;
  secret.id = "sec-aaaaaaaaaaaaaaaa";
  secret.name = "APIKey";
  secret.key = "apikey.flow-1/callapi.abcdefgh";
  secret.owner_kind = "action";
  secret.application = "Advanced";
  secret.flow = "Call API";
  secret.action = "callApi";
  secret.owner_id = "flow-1/callApi";
  secret.sealed = "v1.SEALEDBOX";
  return secret;
}

TEST(SecretKeyJson, ReadsANewOne) {
  std::vector<base::Finding> findings;
  const SecretKey secret = read_secret_key(parsed(kBody), findings);
  EXPECT_THAT(texts_of(findings), IsEmpty());
  EXPECT_EQ(secret.owner_kind, "action");
  EXPECT_EQ(secret.application, "Advanced");
  EXPECT_EQ(secret.flow, "Call API");
  EXPECT_EQ(secret.action, "callApi");
  EXPECT_EQ(secret.name, "APIKey");
  EXPECT_FALSE(secret.enabled);
  const SecretKey other = read_secret_key(
      parsed(R"({"owner":{"kind":"httpConfiguration","application":"A","httpConfiguration":" Partner "},"name":"k"})"), findings);
  EXPECT_THAT(texts_of(findings), IsEmpty());
  EXPECT_EQ(other.owner_kind, "httpConfiguration");
  EXPECT_EQ(other.http_configuration, "Partner");
  EXPECT_TRUE(other.enabled);
}

TEST(SecretKeyJson, FindsEverythingThatIsWrong) {
  struct Case {
    const char* members;
    std::vector<std::string> findings;
  };
  const Case cases[] = {
      {R"({"name":"1st"})", {"name: must match ^[A-Za-z_][A-Za-z0-9_]{0,63}$"}},
      {R"({"name":7,"enabeld":true})",
       {"name: must be a text", "enabeld: unknown member \"enabeld\"; did you mean \"enabled\"?"}},
      {R"({"secret":"marked value"})", {"secret: is set with PUT /secret-keys/{id}/secret"}},
      {R"({"owner":"x"})", {"owner: must be an object"}},
      {R"({"owner":{"kind":"action","application":"A","flow":"F"}})", {"owner.action: is required"}},
      {R"({"owner":{"kind":"httpConfiguration","application":"A","flow":"F","action":"a"}})",
       {"owner.kind: needs httpConfiguration"}},
      {R"({"owner":{"kind":"action","application":"A","httpConfiguration":"H"}})",
       {"owner.kind: an action is named by flow and action"}},
      {R"({"owner":{"kind":"action","application":"A","flow":"F","action":"a","httpConfiguration":"H"}})",
       {"owner.httpConfiguration: cannot stand beside flow and action: a secret key has one owner"}},
      {R"({"owner":{"kind":"other","application":"A\u0001","flow":"F","action":"a"}})",
       {"owner.kind: must be one of action, httpConfiguration",
        "owner.application: must be a name: 1 to 100 characters, no control characters"}},
  };
  for (const Case& test : cases) {
    std::vector<base::Finding> findings;
    std::ignore = read_secret_key(with(kBody, test.members), findings);  // the findings matter here
    EXPECT_EQ(texts_of(findings), test.findings) << test.members;
  }
}

TEST(SecretKeyJson, NeverShowsAValueOrABox) {
  const SecretKey secret = a_secret();
  const std::string shown = base::to_json(secret_key_json(secret, SecretSourceKind::Sealed));
  EXPECT_THAT(shown, Not(HasSubstr("SEALEDBOX")));
  EXPECT_THAT(shown, HasSubstr(R"("value":"********")"));
  EXPECT_THAT(shown, HasSubstr(R"("source":"SEALED")"));
  EXPECT_THAT(shown, HasSubstr(R"("hasValue":true)"));
  EXPECT_THAT(base::to_json(secret_key_json(secret, SecretSourceKind::None)), HasSubstr(R"("value":null,"source":"NONE")"));
  EXPECT_THAT(base::to_json(secret_key_spec(secret)), Not(HasSubstr("SEALEDBOX")));
}

TEST(SecretKeyJson, WhatWasReadCanBeSentBack) {
  const SecretKey secret = a_secret();
  std::vector<base::Finding> findings;
  const SecretKey same = read_secret_key_change(secret_key_json(secret, SecretSourceKind::Keystore), secret, findings);
  EXPECT_THAT(texts_of(findings), IsEmpty());
  EXPECT_EQ(same.name, secret.name);
  EXPECT_EQ(same.key, secret.key);
  EXPECT_EQ(same.sealed, secret.sealed);
  EXPECT_TRUE(same.enabled);
  const SecretKey renamed =
      read_secret_key_change(parsed(R"({"name":"Other","enabled":false,"key":"mine","owner":{}})"), secret, findings);
  EXPECT_THAT(texts_of(findings), IsEmpty());
  EXPECT_EQ(renamed.name, "Other");
  EXPECT_EQ(renamed.key, secret.key) << "a rename keeps the key";
  EXPECT_EQ(renamed.flow, "Call API") << "the owner never changes";
  EXPECT_FALSE(renamed.enabled);
}

TEST(SecretKeyJson, ReadsTheDocumentAndWritesItAgain) {
  std::vector<base::Finding> findings;
  const auto document = read_secret_key_document(
      "APIKey", "Actionflow Advanced",
      parsed(R"({"flow":"Call API","action":"callApi","enabled":true,"valueFrom":{"env":"CALL_API_KEY"}})"), findings);
  EXPECT_THAT(texts_of(findings), IsEmpty());
  EXPECT_EQ(document.value_from.origin, SecretOrigin::Env);
  EXPECT_EQ(document.value_from.name, "CALL_API_KEY");
  EXPECT_EQ(document.value.flow, "Call API");
  const auto again = read_secret_key_document("APIKey", "Advanced", secret_key_spec(a_secret()), findings);
  EXPECT_THAT(texts_of(findings), IsEmpty());
  EXPECT_EQ(again.value_from.origin, SecretOrigin::Keep);
  std::ignore = read_secret_key_document("a b", "", parsed(R"({"valueFrom":{"inline":"x"},"secret":"y"})"), findings);
  EXPECT_EQ(texts_of(findings).size(), 6U) << ::testing::PrintToString(texts_of(findings));
}

TEST(SecretKeyJson, MakesItsKeyOnceInLowerCase) {
  EXPECT_EQ(make_secret_key_key("APIKey", "Flow-1/callApi", "AbCd1234"), "apikey.flow-1/callapi.abcd1234");
  EXPECT_TRUE(is_secret_key_name("_" + std::string(63, 'x')));
  EXPECT_FALSE(is_secret_key_name(std::string(65, 'x')));
  EXPECT_FALSE(is_secret_key_name(""));
}

}  // namespace
}  // namespace funcgate::domain
