#include "auth/authorization_header.h"

#include <gtest/gtest.h>

#include <chrono>

namespace funcgate::auth {
namespace {

TEST(AuthorizationHeader, SplitsAtTheFirstBlanks) {
  struct Row {
    std::string_view text, scheme, rest;
  };
  for (const Row& row : {Row{"Basic abc", "Basic", "abc"}, Row{"Basic    abc", "Basic", "abc"}, Row{"word", "word", ""},
                         Row{"Basic", "Basic", ""}, Row{"Basic a b", "Basic", "a b"}, Row{"", "", ""}}) {
    const auto parts = split_authorization(row.text);
    EXPECT_EQ(parts.scheme, row.scheme) << row.text;
    EXPECT_EQ(parts.rest, row.rest) << row.text;
  }
}

TEST(DigestParameters, ReadQuotedAndBareValuesInAnyOrder) {
  DigestParameters p;
  ASSERT_TRUE(parse_digest_parameters(
      R"(nc=00000001 , QOP=auth,, username = "a \"b\" \\c",uri=/dir/index.html?a=b&c, cnonce="", stranger="x", realm="r,s")", p));
  EXPECT_EQ(p.nc, "00000001");
  EXPECT_EQ(p.qop, "auth");
  EXPECT_EQ(p.username, R"(a "b" \c)");
  EXPECT_EQ(p.uri, "/dir/index.html?a=b&c");
  EXPECT_EQ(p.cnonce, "");
  EXPECT_EQ(p.realm, "r,s");
  EXPECT_FALSE(p.response);
}

TEST(DigestParameters, RefusesWhatTwoReadersCouldReadDifferently) {
  struct Row {
    std::string_view text, why;
  };
  for (const Row& row : {Row{R"(realm="a", realm="a")", "repeated"}, Row{R"(realm="a", REALM=b)", "repeated in another case"},
                         Row{R"(realm="a)", "quote not closed"}, Row{R"(realm="a\)", "escape at the end"},
                         Row{"realm", "no value"}, Row{"realm=", "empty bare value"}, Row{"=x", "no name"},
                         Row{R"(realm="a" nonce="b")", "no comma"}, Row{R"(realm=a"b")", "quote inside a bare value"},
                         Row{"re(alm=x", "name is no token"}, Row{std::string_view("realm=\"a\0b\"", 11), "NUL"}}) {
    DigestParameters p;
    EXPECT_FALSE(parse_digest_parameters(row.text, p)) << row.why;
  }
}

TEST(DigestOffer, IsReadAsServersWriteIt) {
  DigestOffer offer;
  ASSERT_TRUE(parse_digest_offer(
      R"(realm="stale=true, \"x\"", qop="auth, auth-int", algorithm=SHA-256, nonce="abc", opaque="o", charset=UTF-8, userhash=true, Stale=TRUE)",
      offer));
  EXPECT_EQ(offer.realm, R"(stale=true, "x")");
  EXPECT_EQ(offer.qop, "auth, auth-int");
  EXPECT_EQ(offer.algorithm, "SHA-256");
  EXPECT_EQ(offer.nonce, "abc");
  EXPECT_EQ(offer.opaque, "o");
  EXPECT_EQ(offer.stale, "TRUE");
  EXPECT_FALSE(offer.nextnonce);
}

TEST(DigestOffer, TheNextNonceStandsInAuthenticationInfo) {
  DigestOffer info;
  ASSERT_TRUE(parse_digest_offer(R"(rspauth="00", qop=auth, nc=00000001, cnonce="c", nextnonce="n2")", info));
  EXPECT_EQ(info.nextnonce, "n2");
}

TEST(DigestOffer, RefusesWhatTwoReadersCouldReadDifferently) {
  for (const std::string_view text : {R"(realm="a", realm="b")", R"(realm="a)", R"(realm="a", Digest realm="b")", R"(nonce="a" opaque="b")"}) {
    DigestOffer offer;
    EXPECT_FALSE(parse_digest_offer(text, offer)) << text;
  }
}

// authentication must-hold 52
TEST(DigestParameters, ReadEightKibibytesOfAnythingInUnderAMillisecond) {
  std::string quotes, escapes = "realm=\"";
  while (quotes.size() < 8190) quotes += "a=\"\",";
  while (escapes.size() < 8180) escapes += "\\\"";
  for (const std::string& text :
       {std::string(8192, ','), std::string(8192, '"'), std::string(8192, '='), std::string(8192, '\\'), quotes, escapes}) {
    auto best = std::chrono::nanoseconds::max();
    for (int i = 0; i < 5; ++i) {
      DigestParameters p;
      const auto start = std::chrono::steady_clock::now();
      parse_digest_parameters(text, p);
      best = std::min(best, std::chrono::nanoseconds(std::chrono::steady_clock::now() - start));
    }
    EXPECT_LT(best, std::chrono::milliseconds(1)) << text.substr(0, 8);
  }
  DigestParameters p;
  EXPECT_FALSE(parse_digest_parameters(std::string(8193, ','), p)) << "longer than a header may be";
}

TEST(ExtendedValue, IsUtf8WithPercentEscapes) {
  EXPECT_EQ(decode_extended_value("UTF-8''J%C3%A4s%C3%B8n%20Doe"), "J\xc3\xa4s\xc3\xb8n Doe");
  EXPECT_EQ(decode_extended_value("utf-8'en'x"), "x");
  for (const std::string_view broken : {"ISO-8859-1''x", "UTF-8'x", "x", "UTF-8''%C3", "UTF-8''%zz", ""}) {
    EXPECT_FALSE(decode_extended_value(broken)) << broken;
  }
}

// authentication must-hold 53
TEST(Challenges, HoldNoLineBreakAndNoLooseQuote) {
  const std::string hostile = "a\"b\\c\r\nX-Evil: 1\x01";
  EXPECT_EQ(basic_challenge(hostile), R"(Basic realm="a\"b\\cX-Evil: 1", charset="UTF-8")");
  EXPECT_EQ(plain_challenge("Func", "badge"), R"(Func realm="badge")");
  EXPECT_EQ(
      digest_challenge(
          {.realm = "r", .algorithm = "MD5", .nonce = "n", .opaque = "o", .auth_int = true, .userhash = true, .stale = true}),
      R"(Digest realm="r", qop="auth, auth-int", algorithm=MD5, nonce="n", opaque="o", charset=UTF-8, userhash=true)"
      ", stale=true");
  EXPECT_EQ(digest_challenge({.realm = "r", .algorithm = "SHA-256", .nonce = "n", .opaque = "o"}),
            R"(Digest realm="r", qop="auth", algorithm=SHA-256, nonce="n", opaque="o", charset=UTF-8)");
}

}  // namespace
}  // namespace funcgate::auth
