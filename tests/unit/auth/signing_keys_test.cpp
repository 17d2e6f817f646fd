#include "auth/signing_keys.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "crypto/jws.h"
#include "crypto/seal.h"
#include "support/fake_clock.h"
#include "unit/auth/key_world.h"

namespace funcgate::test {
namespace {

using auth::SigningKeys;
using domain::Reason;

const base::SecretString kSecret("signing-signing-signing-signing1"), kOld("retired-retired-retired-retired1");

std::string issued(const SigningKeys& keys, const domain::ApiKey& key) {
  const auto token = keys.issue(key);
  EXPECT_TRUE(token.ok());
  return token.ok() ? std::string(token->reveal()) : std::string();
}
Reason reason_of(const SigningKeys& keys, std::string_view token, base::WallMs now_ms = kStartMs) {
  return keys.verify(token, now_ms).reason;
}
// Signed with our secret, but with members of the test's choice.
std::string forged(std::string_view header, std::string_view claims, const base::SecretString& secret = kSecret) {
  const std::string part = base::base64url_encode(header) + "." + base::base64url_encode(claims);
  return part + "." + base::base64url_encode(crypto::as_view(crypto::HmacKey(secret).sign(part)));
}
std::string our_header(const base::SecretString& secret = kSecret) {
  return R"({"alg":"HS256","typ":"JWT","kid":")" + crypto::key_id(secret) + "\"}";
}

TEST(SigningKeys, VerifyWhatTheyIssued) {
  const SigningKeys keys("i1", kSecret, {});
  domain::ApiKey key = KeyWorld().key;
  key.expires_at_ms = kStartMs + 1;
  key.scopes = 3;
  const auto verified = keys.verify(issued(keys, key), kStartMs);
  EXPECT_EQ(verified.reason, Reason::None);
  EXPECT_EQ(verified.key.id, key.id);
  EXPECT_EQ(verified.key.user_id, key.user_id);
  EXPECT_EQ(verified.key.scopes, 3);
  EXPECT_EQ(verified.key.issued_at_s, key.meta.created_at_ms / 1000);
  EXPECT_EQ(verified.key.expires_at_s, key.expires_at_ms / 1000 + 1) << "rounded up: the row knows the exact time";
  EXPECT_EQ(keys.current_kid(), crypto::key_id(kSecret));
  key.scopes = 2;
  key.expires_at_ms = 0;
  const auto forever = keys.verify(issued(keys, key), kStartMs);
  EXPECT_EQ(forever.key.scopes, 2);
  EXPECT_FALSE(forever.key.expires_at_s.has_value());
  key.scopes = 0;
  EXPECT_EQ(keys.issue(key).error().code, base::Code::InvalidArgument);
}

// authentication must-hold 62, 63, 68
TEST(SigningKeys, NameTheReason) {
  const SigningKeys keys("i1", kSecret, {});
  const std::string good = R"({"iss":"urn:funcgate:i1","sub":"s","jti":"j","iat":1,"aud":["funcgate-api"]})";
  ASSERT_EQ(reason_of(keys, forged(our_header(), good)), Reason::None);
  struct Row {
    const char* why;
    std::string token;
    Reason reason;
  };
  const SigningKeys elsewhere("i2", kSecret, {}), stranger("i1", kOld, {});
  const std::string kid = crypto::key_id(kSecret);
  const Row rows[] = {
      {"no three parts", "a.b", Reason::KeyMalformed},
      {"repeated claim", forged(our_header(), R"({"iss":"urn:funcgate:i1","jti":"j","jti":"k","iat":1})"), Reason::KeyMalformed},
      {"none", forged(R"({"alg":"none","kid":")" + kid + "\"}", good), Reason::KeyAlg},
      {"HS512", forged(R"({"alg":"HS512","kid":")" + kid + "\"}", good), Reason::KeyAlg},
      {"RS256", forged(R"({"alg":"RS256","kid":")" + kid + "\"}", good), Reason::KeyAlg},
      {"crit", forged(R"({"alg":"HS256","crit":["b64"],"kid":")" + kid + "\"}", good), Reason::KeyAlg},
      {"kid left out", forged(R"({"alg":"HS256"})", good), Reason::KeyKid},
      {"kid in upper case", forged(R"({"alg":"HS256","kid":")" + base::hex_encode("wrong!!!") + "\"}", good), Reason::KeyKid},
      {"kid with a wildcard", forged(R"({"alg":"HS256","kid":"*"})", good), Reason::KeyKid},
      {"kid with a path", forged(R"({"alg":"HS256","kid":"../phixflow-api-key"})", good), Reason::KeyKid},
      {"kid with a NUL behind it", forged(R"({"alg":"HS256","kid":")" + kid + "\\u0000\"}", good), Reason::KeyKid},
      {"signed by somebody else", forged(our_header(), good, kOld), Reason::KeySignature},
      {"another secret names itself", issued(stranger, KeyWorld().key), Reason::KeyKid},
      {"of another instance with our secret", issued(elsewhere, KeyWorld().key), Reason::KeyClaims},
      {"no issuer", forged(our_header(), R"({"sub":"s","jti":"j","iat":1,"aud":["funcgate-api"]})"), Reason::KeyClaims},
      {"issuer in other case", forged(our_header(), R"({"iss":"URN:funcgate:i1","iat":1})"), Reason::KeyClaims},
      {"iat is a text", forged(our_header(), R"({"iss":"urn:funcgate:i1","iat":"1"})"), Reason::KeyClaims},
      {"exp is a float", forged(our_header(), R"({"iss":"urn:funcgate:i1","iat":1,"exp":2.0})"), Reason::KeyClaims},
      {"a megabyte", forged(our_header(), "{\"a\":\"" + std::string(1 << 20, 'x') + "\"}"), Reason::KeyMalformed},
  };
  for (const Row& row : rows) EXPECT_EQ(reason_of(keys, row.token), row.reason) << row.why;
}

TEST(SigningKeys, RetiredSecretsVerifyUntilTheirOverlapEndsAndNeverSign) {
  const SigningKeys before("i1", kOld, {});
  const SigningKeys after("i1", kSecret, {{kOld, kStartMs + 1000}});
  const std::string old_key = issued(before, KeyWorld().key);
  const auto verified = after.verify(old_key, kStartMs);
  EXPECT_EQ(verified.reason, Reason::None);
  EXPECT_EQ(verified.key.secret_until_ms, kStartMs + 1000);
  EXPECT_TRUE(after.accepts(crypto::key_id(kOld), kStartMs + 999));
  EXPECT_FALSE(after.accepts(crypto::key_id(kOld), kStartMs + 1000));
  EXPECT_EQ(reason_of(after, old_key, kStartMs + 1000), Reason::KeyKid);
  EXPECT_EQ(after.current_kid(), crypto::key_id(kSecret));
  const std::string fresh = issued(after, KeyWorld().key);
  EXPECT_EQ(reason_of(SigningKeys("i1", kSecret, {}), fresh), Reason::None);
}

// authentication must-hold 67
TEST(SigningKeys, WithoutAUsableSecretNothingIsSignedAndTheMessageSaysWhatHelps) {
  const std::string message =
      "API key signing secret \"phixflow-api-key\" in the keystore k.p12 has 31 bytes, at least 32 are needed.";
  const base::Result<base::SecretString> problem = base::Error{base::Code::Unavailable, message, {}};
  const SigningKeys none("i1", problem, {});
  EXPECT_EQ(none.issue(KeyWorld().key).error().code, base::Code::Unavailable);
  EXPECT_EQ(none.issue(KeyWorld().key).error().message, message);
  EXPECT_EQ(none.current_kid(), "");
  EXPECT_EQ(reason_of(none, issued(SigningKeys("i1", kSecret, {}), KeyWorld().key)), Reason::KeyNoSecret);
  EXPECT_EQ(reason_of(none, "no key"), Reason::KeyMalformed);
  const SigningKeys only_retired("i1", problem, {{kOld, kStartMs + 1000}});
  const std::string old_key = issued(SigningKeys("i1", kOld, {}), KeyWorld().key);
  EXPECT_EQ(reason_of(only_retired, old_key), Reason::None);
  EXPECT_EQ(reason_of(only_retired, old_key, kStartMs + 1000), Reason::KeyNoSecret);
  EXPECT_FALSE(only_retired.issue(KeyWorld().key).ok());
  EXPECT_EQ(SigningKeys::none("why")->issue(KeyWorld().key).error().message, "why");
}

}  // namespace
}  // namespace funcgate::test
