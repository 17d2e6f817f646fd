#include "crypto/jws.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

#include "base/encoding.h"
#include "support/counting_allocator.h"

namespace funcgate::crypto {
namespace {

const HmacKey kKey(std::string_view("a signing secret of some 40 random bytes"));
constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT","kid":"0123456789abcdef"})";
constexpr std::string_view kClaims =
    R"({"iss":"urn:funcgate:i1","sub":"usr-aaaaaaaaaaaaaaaa","jti":"key-aaaaaaaaaaaaaaaa","iat":1772442900,"exp":1900000000,"aud":["funcgate-api"]})";

std::string token_of(std::string_view header, std::string_view claims, const HmacKey& key = kKey) {
  const std::string part = base::base64url_encode(header) + "." + base::base64url_encode(claims);
  return part + "." + base::base64url_encode(as_view(key.sign(part)));
}
JwsProblem problem_of(std::string_view token) { return CompactJws(token).problem(); }

TEST(Jws, ReadsWhatItSigned) {
  JwsClaims claims;
  claims.issuer = "urn:funcgate:i1";
  claims.subject = "usr-\"quoted\"";
  claims.id = "key-1";
  claims.issued_at_s = 1772442900;
  for (const std::optional<std::int64_t> expires : {std::optional<std::int64_t>(), std::optional<std::int64_t>(1900000000)}) {
    claims.expires_at_s = expires;
    claims.audience_count = 0;
    claims.add_audience("funcgate-api");
    claims.add_audience("funcgate-management");
    const auto token = sign_jws(kKey, "0123456789abcdef", claims);
    ASSERT_TRUE(token.ok());
    const CompactJws read(token->reveal());
    ASSERT_EQ(read.problem(), JwsProblem::None);
    EXPECT_EQ(read.key_id(), "0123456789abcdef");
    const JwsClaims* verified = read.verify(kKey);
    ASSERT_NE(verified, nullptr);
    EXPECT_TRUE(verified->readable);
    EXPECT_EQ(verified->issuer, claims.issuer);
    EXPECT_EQ(verified->subject, claims.subject);
    EXPECT_EQ(verified->id, claims.id);
    EXPECT_EQ(verified->issued_at_s, claims.issued_at_s);
    EXPECT_EQ(verified->expires_at_s, expires);
    EXPECT_TRUE(verified->has_audience("funcgate-api") && verified->has_audience("funcgate-management"));
    EXPECT_FALSE(verified->has_audience("funcgate"));
  }
}

TEST(Jws, HasExactlyTheHeaderAndClaimsOfAKey) {
  JwsClaims claims{.issuer = "urn:funcgate:i1",
                   .subject = "usr-aaaaaaaaaaaaaaaa",
                   .id = "key-aaaaaaaaaaaaaaaa",
                   .audiences = {},
                   .issued_at_s = 1772442900,
                   .expires_at_s = 1900000000};
  claims.add_audience("funcgate-api");
  const auto token = sign_jws(kKey, "0123456789abcdef", claims);
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(token->reveal(), token_of(kHeader, kClaims));
}

// RFC 7515, A.1. It has no iat, so it is no key of ours although its signature is right.
TEST(Jws, VerifiesTheExampleOfTheStandard) {
  const auto secret =
      base::base64url_decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  const CompactJws read(
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p"
      "c19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
  ASSERT_EQ(read.problem(), JwsProblem::None);
  const JwsClaims* claims = read.verify(HmacKey(*secret));
  ASSERT_NE(claims, nullptr);
  EXPECT_EQ(claims->issuer, "joe");
  EXPECT_EQ(claims->expires_at_s, 1300819380);
  EXPECT_FALSE(claims->readable);
  EXPECT_EQ(read.verify(kKey), nullptr);
}

// authentication must-hold 62
TEST(Jws, AcceptsNoOtherAlgorithmAndNoForeignKey) {
  struct Row {
    const char *why, *header;
    JwsProblem problem;
  };
  const Row rows[] = {
      {"as it shall be", R"({"alg":"HS256","typ":"JWT","kid":"k"})", JwsProblem::None},
      {"typ may be left out", R"({"alg":"HS256","kid":"k"})", JwsProblem::None},
      {"members without meaning are ignored", R"({"alg":"HS256","cty":"x","nested":{"alg":"none","jwk":1},"kid":"k"})",
       JwsProblem::None},
      {"escapes are decoded", R"({"\u0061lg":"HS\u003256","kid":"k"})", JwsProblem::None},
      {"no algorithm", R"({"typ":"JWT","kid":"k"})", JwsProblem::Algorithm},
      {"none", R"({"alg":"none","kid":"k"})", JwsProblem::Algorithm},
      {"None", R"({"alg":"None","kid":"k"})", JwsProblem::Algorithm},
      {"HS512", R"({"alg":"HS512","kid":"k"})", JwsProblem::Algorithm},
      {"RS256", R"({"alg":"RS256","kid":"k"})", JwsProblem::Algorithm},
      {"lower case", R"({"alg":"hs256","kid":"k"})", JwsProblem::Algorithm},
      {"mixed case", R"({"alg":"Hs256","kid":"k"})", JwsProblem::Algorithm},
      {"with a blank", R"({"alg":"HS256 ","kid":"k"})", JwsProblem::Algorithm},
      {"cut at a NUL", R"({"alg":"HS256\u0000","kid":"k"})", JwsProblem::Algorithm},
      {"a list", R"({"alg":["HS256"],"kid":"k"})", JwsProblem::Algorithm},
      {"the name in other case", R"({"ALG":"HS256","kid":"k"})", JwsProblem::Algorithm},
      {"other type", R"({"alg":"HS256","typ":"at+jwt","kid":"k"})", JwsProblem::Algorithm},
      {"type in lower case", R"({"alg":"HS256","typ":"jwt","kid":"k"})", JwsProblem::Algorithm},
      {"type is null", R"({"alg":"HS256","typ":null,"kid":"k"})", JwsProblem::Algorithm},
      {"crit", R"({"alg":"HS256","crit":["exp"],"kid":"k"})", JwsProblem::Algorithm},
      {"empty crit", R"({"alg":"HS256","crit":[],"kid":"k"})", JwsProblem::Algorithm},
      {"escaped crit", R"({"alg":"HS256","cr\u0069t":null,"kid":"k"})", JwsProblem::Algorithm},
      {"jwk", R"({"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"kid":"k"})", JwsProblem::Algorithm},
      {"jku", R"({"alg":"HS256","jku":"https://keys.example","kid":"k"})", JwsProblem::Algorithm},
      {"x5u", R"({"alg":"HS256","x5u":"https://keys.example","kid":"k"})", JwsProblem::Algorithm},
      {"x5c", R"({"alg":"HS256","x5c":["MII"],"kid":"k"})", JwsProblem::Algorithm},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.why);
    const std::string token = token_of(row.header, kClaims);
    const CompactJws read(token);
    EXPECT_EQ(read.problem(), row.problem);
    EXPECT_EQ(read.verify(kKey) != nullptr, row.problem == JwsProblem::None);
  }
  const std::string unsigned_token = base::base64url_encode(R"({"alg":"none"})") + "." + base::base64url_encode(kClaims) + ".";
  EXPECT_EQ(problem_of(unsigned_token), JwsProblem::Algorithm);
}

TEST(Jws, TheNameOfTheKeyIsATextOrNothing) {
  for (auto [header, kid] : {std::pair{R"({"alg":"HS256","kid":"../../etc/passwd"})", "../../etc/passwd"},
                             {R"({"alg":"HS256","kid":"*"})", "*"},
                             {R"({"alg":"HS256","kid":7})", ""},
                             {R"({"alg":"HS256","kid":["a"]})", ""},
                             {R"({"alg":"HS256"})", ""}}) {
    const std::string token = token_of(header, kClaims);
    const CompactJws read(token);
    EXPECT_EQ(read.problem(), JwsProblem::None) << header;
    EXPECT_EQ(read.key_id(), kid) << header;
  }
}

TEST(Jws, EveryChangedByteIsRefused) {
  const std::string token = token_of(kHeader, kClaims);
  ASSERT_NE(CompactJws(token).verify(kKey), nullptr);
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (int other = 0; other < 256; ++other) {
      if (static_cast<char>(other) == token[i]) continue;
      std::string changed = token;
      changed[i] = static_cast<char>(other);
      ASSERT_EQ(CompactJws(changed).verify(kKey), nullptr) << i << " " << other;
    }
    ASSERT_EQ(CompactJws(token.substr(0, i)).verify(kKey), nullptr) << i;
  }
  EXPECT_EQ(CompactJws(token).verify(HmacKey(std::string_view("another secret"))), nullptr);
}

TEST(Jws, HasOneSpellingOnly) {
  const std::string token = token_of(kHeader, kClaims);
  const std::size_t first = token.find('.'), second = token.find('.', first + 1);
  const std::string header = token.substr(0, first), claims = token.substr(first + 1, second - first - 1),
                    tag = token.substr(second + 1);
  // 32 bytes leave two bits over: the last character has four spellings, of which one is right.
  ASSERT_EQ(tag.size(), 43u);
  for (char last : std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")) {
    std::string respelt = token;
    respelt.back() = last;
    EXPECT_EQ(CompactJws(respelt).verify(kKey) != nullptr, respelt == token) << last;
  }
  for (const std::string& other :
       {token + "=", token + ".", "." + token, token + " ", " " + token, token + "\n", header + "=." + claims + "." + tag,
        header + "." + claims, header + ".." + tag, "." + claims + "." + tag, std::string(".."), std::string(), std::string("a"),
        header + "." + claims + "." + tag.substr(0, 22), header + "." + claims + "." + tag + tag}) {
    const CompactJws read(other);
    EXPECT_EQ(read.verify(kKey), nullptr) << other;
  }
}

// authentication must-hold 63
TEST(Jws, RefusesJsonThatTwoReadersCouldReadDifferently) {
  const auto nested = [](std::size_t depth) { return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}"; };
  const auto many = [](int count) {
    std::string out = "{";
    for (int i = 0; i < count; ++i) out += (i > 0 ? ",\"m" : "\"m") + std::to_string(i) + "\":0";
    return out + "}";
  };
  const std::string malformed[] = {
      "",
      "[]",
      "null",
      "\"text\"",
      "{",
      "{}x",
      "{}{}",
      "{\"a\":1,}",
      "{,}",
      "{a:1}",
      "{\"a\" 1}",
      "{\"a\":01}",
      "{\"a\":1.}",
      "{\"a\":.5}",
      "{\"a\":+1}",
      "{\"a\":1e}",
      "{\"a\":-}",
      "{\"a\":NaN}",
      "{\"a\":tru}",
      "{\"a\":\"}",
      "{\"a\":\"\\x\"}",
      "{\"a\":\"\\u12\"}",
      "{\"a\":\"\\ud800\"}",
      "{\"a\":\"\\udc00\"}",
      "{\"a\":\"\\ud800\\u0041\"}",
      "{\"a\":\"\n\"}",
      "{\"a\":\"\xff\"}",
      "{\"a\":\"\xc0\xaf\"}",
      "\xef\xbb\xbf{}",
      std::string("{}\0", 3),
      R"({"jti":"key-1","jti":"key-2"})",
      R"({"jti":"key-1","\u006ati":"key-2"})",
      R"({"deep":{"a":1,"a":1}})",
      R"({"deep":[{"a":1,"\u0061":1}]})",
      nested(7),
      many(33),
  };
  for (const std::string& json : malformed) {
    EXPECT_EQ(problem_of(token_of(kHeader, json)), JwsProblem::Malformed) << json;
    EXPECT_EQ(problem_of(token_of(json, kClaims)), JwsProblem::Malformed) << json;
  }
  for (const std::string& json : {std::string("{}"), std::string(" {\r\n\t} "), nested(4), many(32),
                                  std::string(R"({"a":"\ud83d\ude00\n\u00e4","b":[true,false,null,-1.5e+3],"ä":{}})")}) {
    EXPECT_EQ(problem_of(token_of(kHeader, json)), JwsProblem::None) << json;
  }
}

TEST(Jws, ClaimsHaveTheirTypes) {
  const auto with = [](const std::string& members) { return R"({"iss":"i","sub":"s","jti":"j",)" + members + "}"; };
  struct Row {
    std::string claims;
    bool readable;
  };
  const Row rows[] = {
      {with(R"("iat":0,"aud":["a"])"), true},
      {with(R"("iat":1772442900,"exp":253402300799,"aud":"a")"), true},
      {with(R"("iat":1772442900,"aud":[])"), true},
      {with(R"("iat":1772442900)"), true},
      {R"({"iat":1772442900})", true},
      {with(R"("aud":["a"])"), false},
      {with(R"("iat":1.0)"), false},
      {with(R"("iat":1e9)"), false},
      {with(R"("iat":-1)"), false},
      {with(R"("iat":-0)"), false},
      {with(R"("iat":"1772442900")"), false},
      {with(R"("iat":null)"), false},
      {with(R"("iat":true)"), false},
      {with(R"("iat":[1])"), false},
      {with(R"("iat":253402300800)"), false},
      {with(R"("iat":99999999999999999999)"), false},
      {with(R"("iat":1,"exp":null)"), false},
      {with(R"("iat":1,"exp":1.5)"), false},
      {with(R"("iat":1,"exp":"never")"), false},
      {with(R"("iat":1,"exp":1e400)"), false},
      {with(R"("iat":1,"aud":7)"), false},
      {with(R"("iat":1,"aud":{"a":1})"), false},
      {with(R"("iat":1,"aud":["a",7])"), false},
      {with(R"("iat":1,"aud":["1","2","3","4","5","6","7","8"])"), true},
      {with(R"("iat":1,"aud":["1","2","3","4","5","6","7","8","9"])"), false},
      {R"({"iss":7,"iat":1})", false},
      {R"({"sub":null,"iat":1})", false},
      {R"({"jti":["key-1"],"iat":1})", false},
  };
  for (const Row& row : rows) {
    const std::string token = token_of(kHeader, row.claims);
    const CompactJws read(token);
    ASSERT_EQ(read.problem(), JwsProblem::None) << row.claims;
    const JwsClaims* claims = read.verify(kKey);
    ASSERT_NE(claims, nullptr) << row.claims;
    EXPECT_EQ(claims->readable, row.readable) << row.claims;
  }
}

TEST(Jws, SizeIsBounded) {
  // The longest token there can be, and one byte more.
  std::string claims = R"({"pad":")";
  std::string token;
  for (std::string pad;; pad += 'x') {
    std::string next = token_of(kHeader, claims + pad + "\"}");
    if (next.size() > kJwsBytesMax) {
      EXPECT_EQ(problem_of(next), JwsProblem::Malformed);
      break;
    }
    token = std::move(next);
  }
  EXPECT_GT(token.size(), kJwsBytesMax - 4);
  EXPECT_NE(CompactJws(token).verify(kKey), nullptr);
  JwsClaims long_claims;
  const std::string subject(kJwsBytesMax, 's');
  long_claims.subject = subject;
  EXPECT_FALSE(sign_jws(kKey, "k", long_claims).ok());
}

// authentication must-hold 63: a megabyte costs no more than a look at its length.
TEST(Jws, AMegabyteCostsNothing) {
  const std::string huge = token_of(kHeader, "{\"pad\":\"" + std::string(1 << 20, 'x') + "\"}");
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(problem_of(huge), JwsProblem::Malformed);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

TEST(Jws, ReadingAllocatesNothing) {
  if (!test::can_count_allocations()) GTEST_SKIP() << "a sanitizer has its own operator new";
  const std::string token = token_of(kHeader, kClaims);
  const test::AllocationCount count;
  const CompactJws read(token);
  const bool verified = read.verify(kKey) != nullptr;
  const std::size_t allocations = count.value();
  EXPECT_TRUE(verified);
  EXPECT_EQ(allocations, 0u);
}

}  // namespace
}  // namespace funcgate::crypto
