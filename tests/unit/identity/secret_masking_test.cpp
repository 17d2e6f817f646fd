#include "service/admin/secret_masking.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/json.h"

namespace funcgate {
namespace {

using service::SecretMasking;
using service::UsableSecret;

std::string masked(const std::string& text, const std::string& value, const std::string& name = "APIKey") {
  const std::vector<UsableSecret> secrets{{name, base::SecretString(value), false}};
  return SecretMasking(secrets).masked(text);
}

const std::string kValue = "p/s \"wort\"+\xc3\xa4\xc3\xb6-7";

TEST(SecretMasking, EveryFormOfAValueIsReplaced) {
  const struct {
    const char* form;
    std::string text;
  } kCases[] = {
      {"as it is", kValue},
      {"Base64", base::base64_encode(kValue)},
      {"Base64 for URLs", base::base64url_encode(kValue)},
      {"percent-encoded", base::percent_encode(kValue)},
      {"percent-encoded in small letters", "p%2fs%20%22wort%22%2b%c3%a4%c3%b6-7"},
      {"in a form", "p%2Fs+%22wort%22%2B%C3%A4%C3%B6-7"},
      {"in JSON", base::json_string(kValue)},
  };
  for (const auto& one : kCases) {
    const std::string text = masked("<" + one.text + ">", kValue);
    EXPECT_NE(text.find("[secret:APIKey]"), std::string::npos) << one.form << ": " << text;
    EXPECT_EQ(text.find("wort"), std::string::npos) << one.form;
  }
}

TEST(SecretMasking, AValueInsideALongerBase64TextIsFound) {
  const std::string value = "a-long-enough-secret-value";
  for (const std::string& name : {std::string("m"), std::string("mi"), std::string("mia"), std::string("apiagent")}) {
    const std::string text = masked("Basic " + base::base64_encode(name + ":" + value), value);
    EXPECT_NE(text.find("[secret:APIKey]"), std::string::npos) << name;
  }
}

TEST(SecretMasking, ShortValuesAreLeftAlone) {
  EXPECT_EQ(masked("abcde", "abcde"), "abcde");
  EXPECT_EQ(masked("abcdef", "abcdef"), "[secret:APIKey]");
}

TEST(SecretMasking, TheLongerOfTwoValuesIsMaskedAsAWhole) {
  const std::vector<UsableSecret> secrets{{"Short", base::SecretString("secret"), false},
                                          {"Long", base::SecretString("secret-and-more"), false}};
  EXPECT_EQ(SecretMasking(secrets).masked("secret-and-more secret"), "[secret:Long] [secret:Short]");
}

}  // namespace
}  // namespace funcgate
