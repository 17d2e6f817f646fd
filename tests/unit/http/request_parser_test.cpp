#include "http/request_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

namespace funcgate::http {
namespace {

using namespace std::literals;
using domain::Fault;

// A head with memory of its own, read as a connection does: its end is found first.
struct Parsed {
  explicit Parsed(std::string head, const domain::Limits& limits = {}) : bytes(std::move(head)) {
    HeadSearch search;
    if (find_head(bytes, search, limits, refusal) != HeadState::Complete) return;
    EXPECT_EQ(search.head_bytes, bytes.size());
    refusal = parse_head(bytes.data(), search.head_bytes, limits, call, parsed);
  }
  std::string bytes;
  domain::Call call;
  ParsedHead parsed;
  std::optional<domain::Refusal> refusal;
};

std::string with_headers(std::string_view headers, std::string_view line = "POST /x HTTP/1.1") {
  return std::string(line) + "\r\nHost: fn.example.net\r\n" + std::string(headers) + "\r\n";
}
std::string with_line(std::string_view line) { return with_headers("", line); }

TEST(ParseHead, GivesViewsOfEverything) {
  const Parsed head(
      "POST /api/v1/func-api/basket?a=1?b HTTP/1.1\r\nHOST: Fn.example.net:8443\r\nX-Shop_Token: \t w9 \r\ncontent-LENGTH: "
      "12\r\n\r\n");
  ASSERT_FALSE(head.refusal);
  EXPECT_EQ(head.call.method, domain::Method::Post);
  EXPECT_EQ(head.call.target, "/api/v1/func-api/basket?a=1?b");
  EXPECT_EQ(head.call.path, "/api/v1/func-api/basket");
  EXPECT_EQ(head.call.query, "a=1?b");
  EXPECT_EQ(head.call.host, "Fn.example.net:8443");
  ASSERT_EQ(head.call.headers.size(), 3u);
  EXPECT_EQ(head.call.headers[1].name, "x-shop_token") << "lower case, and _ is not -";
  EXPECT_EQ(head.call.headers[1].value, "w9");
  EXPECT_EQ(head.call.content_length, 12);
  EXPECT_TRUE(head.call.has_body);
  EXPECT_FALSE(head.call.body_complete);
  EXPECT_TRUE(head.parsed.keep_alive);
  EXPECT_FALSE(head.parsed.chunked);
}

struct HeadRow {
  const char* what;
  std::string head;
};

class RefusedHead : public testing::TestWithParam<HeadRow> {};

TEST_P(RefusedHead, IsABadRequestThatCloses) {
  const Parsed head(GetParam().head);
  ASSERT_TRUE(head.refusal) << GetParam().what;
  EXPECT_EQ(head.refusal->fault, Fault::BadRequest) << GetParam().what;
  EXPECT_EQ(head.refusal->reason, domain::Reason::HttpMalformed);
  EXPECT_TRUE(head.refusal->close) << GetParam().what;
  EXPECT_FALSE(head.refusal->message.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Lengths, RefusedHead,
    testing::Values(HeadRow{"two equal lengths", with_headers("Content-Length: 5\r\nContent-Length: 5\r\n")},
                    HeadRow{"two different lengths", with_headers("Content-Length: 5\r\nContent-Length: 6\r\n")},
                    HeadRow{"two lengths in one", with_headers("Content-Length: 5, 5\r\n")},
                    HeadRow{"a signed length", with_headers("Content-Length: +5\r\n")},
                    HeadRow{"a negative length", with_headers("Content-Length: -5\r\n")},
                    HeadRow{"a hex length", with_headers("Content-Length: 0x5\r\n")},
                    HeadRow{"an empty length", with_headers("Content-Length:\r\n")},
                    HeadRow{"a fraction", with_headers("Content-Length: 5.0\r\n")},
                    HeadRow{"a length with a word", with_headers("Content-Length: 5 bytes\r\n")},
                    HeadRow{"a length beyond all numbers", with_headers("Content-Length: 99999999999999999999999\r\n")},
                    HeadRow{"a length of 19 digits", with_headers("Content-Length: 1000000000000000000\r\n")},
                    HeadRow{"length and chunked", with_headers("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
                    HeadRow{"chunked and length", with_headers("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
                    HeadRow{"length 0 and chunked", with_headers("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")}));

INSTANTIATE_TEST_SUITE_P(
    Codings, RefusedHead,
    testing::Values(
        HeadRow{"a misspelled coding", with_headers("Transfer-Encoding: chunkedd\r\n")},
        HeadRow{"xchunked", with_headers("Transfer-Encoding: xchunked\r\n")},
        HeadRow{"chunked twice", with_headers("Transfer-Encoding: chunked, chunked\r\n")},
        HeadRow{"gzip and chunked", with_headers("Transfer-Encoding: gzip, chunked\r\n")},
        HeadRow{"chunked and identity", with_headers("Transfer-Encoding: chunked, identity\r\n")},
        HeadRow{"identity", with_headers("Transfer-Encoding: identity\r\n")},
        HeadRow{"an empty coding", with_headers("Transfer-Encoding:\r\n")},
        HeadRow{"a quoted coding", with_headers("Transfer-Encoding: \"chunked\"\r\n")},
        HeadRow{"chunked with a parameter", with_headers("Transfer-Encoding: chunked;q=1\r\n")},
        HeadRow{"two headers of codings", with_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
        HeadRow{"two headers, the second unknown", with_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n")},
        HeadRow{"a vertical tab in front", with_headers("Transfer-Encoding: \x0b"
                                                        "chunked\r\n")},
        HeadRow{"chunked in HTTP/1.0", with_headers("Transfer-Encoding: chunked\r\n", "POST /x HTTP/1.0")}));

INSTANTIATE_TEST_SUITE_P(Lines, RefusedHead,
                         testing::Values(HeadRow{"a bare CR in a value", with_headers("X-A: b\rX-B: c\r\n")},
                                         HeadRow{"a bare LF in a value", with_headers("X-A: b\nX-B: c\r\n")},
                                         HeadRow{"a bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
                                         HeadRow{"a bare CR behind the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n"},
                                         HeadRow{"a folded line", with_headers("X-A: b\r\n c\r\n")},
                                         HeadRow{"a line folded with a tab", with_headers("X-A: b\r\n\tc\r\n")},
                                         HeadRow{"a folded empty value", with_headers("X-A:\r\n c\r\n")},
                                         HeadRow{"a folded blank line", with_headers("X-A: b\r\n \r\n")},
                                         HeadRow{"a blank before the colon", with_headers("X-A : b\r\n")},
                                         HeadRow{"a blank before the name", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
                                         HeadRow{"no colon", with_headers("X-A\r\n")},
                                         HeadRow{"no name", with_headers(": b\r\n")},
                                         HeadRow{"a NUL in a name", with_headers("X-\0A: b\r\n"sv)},
                                         HeadRow{"a NUL in a value", with_headers("X-A: b\0c\r\n"sv)},
                                         HeadRow{"a control byte in a value", with_headers("X-A: b\x01\r\n")},
                                         HeadRow{"DEL in a value", with_headers("X-A: b\x7f\r\n")},
                                         HeadRow{"a name that is not ASCII", with_headers("X-\xC3\xA4: b\r\n")},
                                         HeadRow{"only an empty line", "\r\n\r\n"},
                                         HeadRow{"an empty line in front", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"}));

INSTANTIATE_TEST_SUITE_P(
    Targets, RefusedHead,
    testing::Values(HeadRow{"a fragment", with_line("GET /x#y HTTP/1.1")},
                    HeadRow{"a fragment in the query", with_line("GET /x?a#y HTTP/1.1")},
                    HeadRow{"a NUL", with_line("GET /x\0y HTTP/1.1"sv)}, HeadRow{"a tab", with_line("GET /x\ty HTTP/1.1")},
                    HeadRow{"a blank", with_line("GET /x y HTTP/1.1")}, HeadRow{"two blanks", with_line("GET  /x HTTP/1.1")},
                    HeadRow{"DEL", with_line("GET /x\x7f HTTP/1.1")}, HeadRow{"no slash", with_line("GET x HTTP/1.1")},
                    HeadRow{"no target", with_line("GET HTTP/1.1")}, HeadRow{"a star for GET", with_line("GET * HTTP/1.1")},
                    HeadRow{"an authority", with_line("CONNECT fn.example.net:443 HTTP/1.1")},
                    HeadRow{"another scheme", with_line("GET ftp://fn.example.net/x HTTP/1.1")},
                    HeadRow{"another host in the target", with_line("GET http://other.example.net/x HTTP/1.1")},
                    HeadRow{"a user in the target", with_line("GET http://user@fn.example.net/x HTTP/1.1")},
                    HeadRow{"an absolute target without a host", with_line("GET http:///x HTTP/1.1")},
                    HeadRow{"a fragment in an absolute target", with_line("GET http://fn.example.net#/x HTTP/1.1")}));

INSTANTIATE_TEST_SUITE_P(
    HostsAndVersions, RefusedHead,
    testing::Values(HeadRow{"two Hosts", with_headers("Host: other\r\n")},
                    HeadRow{"two equal Hosts", with_headers("Host: fn.example.net\r\n")},
                    HeadRow{"no Host", "GET / HTTP/1.1\r\n\r\n"},
                    HeadRow{"a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
                    HeadRow{"a Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
                    HeadRow{"a Host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
                    HeadRow{"HTTP/2.0", with_line("GET / HTTP/2.0")}, HeadRow{"HTTP/0.9", with_line("GET / HTTP/0.9")},
                    HeadRow{"HTTP/1.2", with_line("GET / HTTP/1.2")},
                    HeadRow{"a version of two digits", with_line("GET / HTTP/1.10")},
                    HeadRow{"a lower-case protocol", with_line("GET / http/1.1")}, HeadRow{"no version", with_line("GET /")},
                    HeadRow{"an odd method", with_line("GE(T / HTTP/1.1")},
                    HeadRow{"another expectation", with_headers("Content-Length: 1\r\nExpect: 200-ok\r\n")}));

class AcceptedHead : public testing::TestWithParam<HeadRow> {};

TEST_P(AcceptedHead, IsParsed) {
  const Parsed head(GetParam().head);
  EXPECT_FALSE(head.refusal) << GetParam().what << ": " << (head.refusal ? head.refusal->message : "");
}

INSTANTIATE_TEST_SUITE_P(Table, AcceptedHead,
                         testing::Values(HeadRow{"a coding in other case", with_headers("Transfer-Encoding: Chunked\r\n")},
                                         HeadRow{"blanks around a coding", with_headers("Transfer-Encoding: \t chunked \r\n")},
                                         HeadRow{"length 0", with_headers("Content-Length: 0\r\n")},
                                         HeadRow{"an empty value", with_headers("X-A:\r\n")},
                                         HeadRow{"a tab inside a value", with_headers("X-A: b\tc\r\n")},
                                         HeadRow{"a value that is not ASCII", with_headers("X-A: \xE4\r\n")},
                                         HeadRow{"no blank behind the colon", with_headers("X-A:b\r\n")},
                                         HeadRow{"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"},
                                         HeadRow{"an unknown method", with_line("BREW /x HTTP/1.1")},
                                         HeadRow{"OPTIONS of the server", with_line("OPTIONS * HTTP/1.1")},
                                         HeadRow{"an IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"}));

TEST(ParseHead, AnAbsoluteTargetOfThisHostIsSplit) {
  const Parsed head(with_line("GET http://FN.example.net/x?y=1 HTTP/1.1"));
  ASSERT_FALSE(head.refusal);
  EXPECT_EQ(head.call.path, "/x");
  EXPECT_EQ(head.call.query, "y=1");
  const Parsed bare(with_line("GET https://fn.example.net?y HTTP/1.1"));
  EXPECT_TRUE(bare.refusal) << "a query without a path";
  const Parsed root(with_line("GET https://fn.example.net HTTP/1.1"));
  ASSERT_FALSE(root.refusal);
  EXPECT_EQ(root.call.path, "/");
}

TEST(ParseHead, MethodsAreExact) {
  EXPECT_EQ(Parsed(with_line("get / HTTP/1.1")).call.method, domain::Method::Other);
  EXPECT_EQ(Parsed(with_line("PATCH / HTTP/1.1")).call.method, domain::Method::Patch);
}

TEST(ParseHead, WhetherTheConnectionStays) {
  const std::tuple<const char*, const char*, bool> rows[] = {
      {"GET / HTTP/1.1", "", true},
      {"GET / HTTP/1.1", "Connection: close\r\n", false},
      {"GET / HTTP/1.1", "Connection: x, CLOSE\r\n", false},
      {"GET / HTTP/1.1", "Connection: closed\r\n", true},
      {"GET / HTTP/1.0", "", false},
      {"GET / HTTP/1.0", "Connection: Keep-Alive\r\n", true},
      {"GET / HTTP/1.1", "Connection: x\r\nConnection: close\r\n", false},
      {"GET / HTTP/1.0", "Connection: x\r\nConnection: keep-alive\r\n", true},
      {"GET / HTTP/1.0", "Connection: keep-alive, close\r\n", false},
      {"GET / HTTP/1.1", "Connection:\r\n", true},
      {"GET / HTTP/1.1", "Connection: ,, x ,\tclose\r\n", false},
  };
  for (const auto& [line, headers, stays] : rows) {
    const Parsed head(with_headers(headers, line));
    ASSERT_FALSE(head.refusal);
    EXPECT_EQ(head.parsed.keep_alive, stays) << line << " " << headers;
  }
}

// Beyond the one mistake nothing of such a head is believed, least of all whether the connection stays.
TEST(ParseHead, ConnectionIsAListOfTokens) {
  for (const char* name : {"Connection", "Proxy-Connection"}) {
    for (const char* list : {"a b", "close;", "\"close\"", "close, a b", "(x)", "close\xff"}) {
      const Parsed head(with_headers(std::string(name) + ": " + list + "\r\n"));
      ASSERT_TRUE(head.refusal) << name << ": " << list;
      EXPECT_EQ(head.refusal->fault, Fault::BadRequest);
      EXPECT_TRUE(head.refusal->close);
    }
  }
  EXPECT_TRUE(Parsed(with_headers("Connection: a b\r\nConnection: close\r\n")).refusal);
}

TEST(ParseHead, EveryExpectationIsLookedAt) {
  EXPECT_TRUE(Parsed(with_headers("Expect: 100-continue\r\nExpect: 200-ok\r\n")).refusal);
  EXPECT_TRUE(Parsed(with_headers("Expect:\r\n")).refusal);
  EXPECT_FALSE(Parsed(with_headers("Expect: 100-continue\r\nExpect: 100-continue\r\n")).refusal);
}

TEST(ParseHead, AStarIsForOptionsAlone) {
  const Parsed head(with_line("OPTIONS * HTTP/1.1"));
  ASSERT_FALSE(head.refusal);
  EXPECT_EQ(head.call.path, "*");
  EXPECT_TRUE(Parsed(with_line("options * HTTP/1.1")).refusal);
  EXPECT_TRUE(Parsed(with_line("OPTIONS *x HTTP/1.1")).refusal);
}

TEST(ParseHead, OfARefusedHeadStaysWhatWasRead) {
  const Parsed line("HEAD /x#y HTTP/1.1\r\nX-Trace-Id: t\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(line.refusal);
  EXPECT_EQ(line.call.method, domain::Method::Head);
  EXPECT_EQ(line.call.target, "/x#y");
  ASSERT_EQ(line.call.headers.size(), 2u);
  EXPECT_EQ(line.call.headers[0].name, "x-trace-id");
  const Parsed field(with_headers("X-A: b\r\nX B: c\r\n"));
  ASSERT_TRUE(field.refusal);
  EXPECT_EQ(field.call.headers.size(), 2u);
  const Parsed none("HEAD /x HTTP/1.2\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(none.refusal);
  EXPECT_EQ(none.call.method, domain::Method::Other)
      << "a line that is not understood says nothing, not even that no body may follow";
  EXPECT_TRUE(none.call.target.empty());
}

TEST(ParseHead, ExpectIsForBodiesOfHttp11) {
  EXPECT_TRUE(Parsed(with_headers("Content-Length: 1\r\nExpect: 100-Continue\r\n")).parsed.expects_continue);
  EXPECT_TRUE(Parsed(with_headers("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n")).parsed.expects_continue);
  EXPECT_FALSE(Parsed(with_headers("Expect: 100-continue\r\n")).parsed.expects_continue);
  EXPECT_FALSE(Parsed(with_headers("Content-Length: 1\r\nExpect: 100-continue\r\n", "POST / HTTP/1.0")).parsed.expects_continue);
}

TEST(ParseHead, TooManyHeadersAndALongAuthorizationAre431) {
  std::string headers;
  for (int i = 0; i < 99; ++i) headers += "X-A: b\r\n";
  EXPECT_FALSE(Parsed(with_headers(headers)).refusal);
  const Parsed many(with_headers(headers + "X-A: b\r\n"));
  ASSERT_TRUE(many.refusal);
  EXPECT_EQ(many.refusal->fault, Fault::HeadersTooLarge);
  EXPECT_TRUE(many.refusal->close);
  EXPECT_EQ(many.call.headers.size(), 100u);
  domain::Limits limits;
  limits.authorization_bytes = 10;
  EXPECT_FALSE(Parsed(with_headers("Authorization: 0123456789\r\n"), limits).refusal);
  const Parsed longer(with_headers("Authorization: 0123456789a\r\n"), limits);
  ASSERT_TRUE(longer.refusal);
  EXPECT_EQ(longer.refusal->fault, Fault::HeadersTooLarge);
  EXPECT_EQ(longer.refusal->message.find("0123456789"), std::string::npos);
}

// ---- find_head ----

struct Found {
  HeadState state = HeadState::NeedMore;
  std::size_t head_bytes = 0;
  std::optional<domain::Refusal> refusal;
};
// As a connection does: `step` more bytes each time.
Found find(std::string_view bytes, std::size_t step, const domain::Limits& limits = {}) {
  Found found;
  HeadSearch search;
  for (std::size_t have = 0; have < bytes.size() && found.state == HeadState::NeedMore;) {
    have = std::min(have + step, bytes.size());
    found.state = find_head(bytes.substr(0, have), search, limits, found.refusal);
    found.head_bytes = search.head_bytes;
  }
  return found;
}

TEST(FindHead, EveryWayOfArrivingFindsTheSameEnd) {
  const std::string head = with_headers("X-A: b\r\n");
  const std::string bytes = head + "body\nGET / HTTP/1.1\r\n\r\n";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    const Found found = find(bytes, step);
    ASSERT_EQ(found.state, HeadState::Complete) << step;
    EXPECT_EQ(found.head_bytes, head.size()) << step;
    EXPECT_FALSE(found.refusal);
  }
  EXPECT_EQ(find(head.substr(0, head.size() - 1), 1).state, HeadState::NeedMore);
}

TEST(FindHead, EveryPairOfPiecesFindsTheSameEnd) {
  const std::string head = with_headers("X-Long: " + std::string(150, 'x') + "\r\nX-A: b\r\n");
  for (std::size_t first = 0; first <= head.size(); ++first) {
    for (std::size_t second = first; second <= head.size(); second += 3) {
      HeadSearch search;
      std::optional<domain::Refusal> refusal;
      HeadState state = HeadState::NeedMore;
      for (std::size_t have : {first, second, head.size()}) {
        ASSERT_EQ(state, search.head_bytes != 0 ? HeadState::Complete : HeadState::NeedMore);
        state = find_head(std::string_view(head).substr(0, have), search, {}, refusal);
        EXPECT_GE(search.scanned + 1, have) << "what was looked at is not looked at again";
      }
      ASSERT_EQ(state, HeadState::Complete) << first << " " << second;
      EXPECT_EQ(search.head_bytes, head.size());
      EXPECT_EQ(search.line_bytes, head.find('\n') + 1);
    }
  }
}

TEST(FindHead, ABareLineFeedIsRefusedAtOnce) {
  for (std::string_view bad :
       {"\n"sv, "GET / HTTP/1.1\nHost: a\r\n\r\n"sv, "GET / HTTP/1.1\r\nHost: a\n\n"sv, "GET / HTTP/1.1\r\nHost: a\r\n\n"sv}) {
    for (std::size_t step : {std::size_t{1}, bad.size()}) {
      const Found found = find(bad, step);
      ASSERT_EQ(found.state, HeadState::Refused) << bad;
      EXPECT_EQ(found.refusal->fault, Fault::BadRequest);
      EXPECT_TRUE(found.refusal->close);
    }
  }
}

TEST(FindHead, TheRequestLineIsLimited) {
  domain::Limits limits;
  limits.request_line_bytes = 20;
  const std::string_view fits = "GET /345678 HTTP/1.1\r\nHost: a\r\n\r\n";  // 20 bytes and CR LF
  EXPECT_EQ(find(fits, 1, limits).state, HeadState::Complete);
  EXPECT_EQ(find(fits, fits.size(), limits).state, HeadState::Complete);
  for (std::string_view bad : {"GET /3456789 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /3456789012345678901234567890"}) {
    for (std::size_t step : {std::size_t{1}, bad.size()}) {
      const Found found = find(bad, step, limits);
      ASSERT_EQ(found.state, HeadState::Refused) << bad;
      EXPECT_EQ(found.refusal->fault, Fault::TargetTooLong);
      EXPECT_TRUE(found.refusal->close);
    }
  }
}

TEST(FindHead, TheHeadersAreLimitedAlsoWhenTheyNeverEnd) {
  domain::Limits limits;
  limits.header_bytes = 100;
  const std::string line = "GET / HTTP/1.1\r\n";
  const auto headers = [](std::size_t bytes) { return "A: " + std::string(bytes - 7, 'x') + "\r\n\r\n"; };
  EXPECT_EQ(find(line + headers(100) + std::string(1000, 'b'), 5000, limits).state, HeadState::Complete)
      << "a body does not count";
  for (const std::string& bad : {line + headers(101), line + "A: " + std::string(1000, 'x')}) {
    for (std::size_t step : {std::size_t{1}, bad.size()}) {
      const Found found = find(bad, step, limits);
      ASSERT_EQ(found.state, HeadState::Refused) << step;
      EXPECT_EQ(found.refusal->fault, Fault::HeadersTooLarge);
    }
  }
}

}  // namespace
}  // namespace funcgate::http
