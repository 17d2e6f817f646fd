#include "http/client/response_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/counting_allocator.h"

namespace funcgate::http {
namespace {

using State = ResponseReader::State;

struct Seen {
  State state = State::More;
  int status = 0;
  bool keeps = false;
  std::size_t used = 0;  // of all bytes
};

// Feeds `bytes` in pieces of `piece` bytes until the answer is over.
Seen read_in_pieces(std::string_view bytes, std::size_t piece, bool of_head = false, FieldObserver* observer = nullptr) {
  ResponseReader reader(observer);
  reader.begin(of_head);
  Seen seen;
  for (std::size_t at = 0; at < bytes.size() && seen.state == State::More; at += piece) {
    const std::string_view part = bytes.substr(at, piece);
    std::size_t used = 0;
    seen.state = reader.feed(part, used);
    seen.used += used;
  }
  if (seen.state == State::Done) {
    seen.status = reader.status();
    seen.keeps = reader.keeps_connection();
  }
  return seen;
}

TEST(ResponseReader, FindsTheEndOfAnAnswerHoweverItComesInPieces) {
  const struct {
    const char* why;
    std::string bytes;
    int status;
    bool keeps;
    bool of_head = false;
  } kCases[] = {
      {"a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, true},
      {"no content", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, true},
      {"no reason", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", 200, true},
      {"chunks",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n", 200,
       true},
      {"chunks with extensions and trailers",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;name=\"v\"\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n", 200,
       true},
      {"the server closes", "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno!", 503, false},
      {"HTTP/1.0 closes by itself", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, false},
      {"HTTP/1.0 that keeps", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200, true},
      {"204 has no body", "HTTP/1.1 204 No Content\r\n\r\n", 204, true},
      {"304 has none whatever its length says", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, true},
      {"the answer to HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", 200, true, true},
      {"interim answers come first",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: "
       "2\r\n\r\nok",
       201, true}};
  for (const auto& one : kCases) {
    for (const std::size_t piece : {one.bytes.size(), std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{19}}) {
      const Seen seen = read_in_pieces(one.bytes, piece, one.of_head);
      EXPECT_EQ(seen.state, State::Done) << one.why << ", pieces of " << piece;
      EXPECT_EQ(seen.status, one.status) << one.why << ", pieces of " << piece;
      EXPECT_EQ(seen.keeps, one.keeps) << one.why << ", pieces of " << piece;
      EXPECT_EQ(seen.used, one.bytes.size()) << one.why << ", pieces of " << piece;
    }
  }
}

TEST(ResponseReader, WhatFollowsAnAnswerIsNotUsed) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
  for (const std::string& one : {answer, chunked}) {
    const std::string both = one + "HTTP/1.1 200 OK\r\n";
    for (const std::size_t piece : {both.size(), std::size_t{11}}) {
      const Seen seen = read_in_pieces(both, piece);
      EXPECT_EQ(seen.state, State::Done);
      EXPECT_EQ(seen.used, one.size()) << "pieces of " << piece;
    }
  }
}

TEST(ResponseReader, IsUsedAgainForTheNextAnswer) {
  ResponseReader reader;
  for (const int status : {200, 401, 204, 500}) {
    reader.begin(false);
    EXPECT_FALSE(reader.has_begun());
    const std::string bytes =
        "HTTP/1.1 " + std::to_string(status) + " X\r\n" + (status == 204 ? "\r\n" : "Content-Length: 1\r\n\r\nx");
    std::size_t used = 0;
    EXPECT_EQ(reader.feed(bytes, used), State::Done);
    EXPECT_EQ(reader.status(), status);
    EXPECT_TRUE(reader.has_begun());
  }
}

TEST(ResponseReader, WhatIsNoAnswerIsRefused) {
  const struct {
    const char* why;
    std::string bytes;
  } kCases[] = {{"another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"},
                {"a version that does not exist", "HTTP/3.7 200 OK\r\n\r\n"},
                {"a status of letters", "HTTP/1.1 abc OK\r\n\r\n"},
                {"two lengths that differ", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
                {"a length below nothing", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"},
                {"a chunk without a number", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"},
                {"a head without end", "HTTP/1.1 200 OK\r\nX: " + std::string(ResponseReader::kHeadBytesMax + 10, 'x')},
                {"interim answers without end", [] {
                   std::string out;
                   for (int i = 0; i < 40; ++i) out += "HTTP/1.1 100 Continue\r\n\r\n";
                   return out;
                 }()}};
  for (const auto& one : kCases) EXPECT_EQ(read_in_pieces(one.bytes, 4096).state, State::Malformed) << one.why;
}

TEST(ResponseReader, ABodyWithoutLengthEndsWithTheConnection) {
  const struct {
    const char* why;
    std::string bytes;
    State state;
  } kCases[] = {
      {"neither length nor chunks", "HTTP/1.1 200 OK\r\n\r\nsome text", State::Done},
      {"nothing came", "", State::Malformed},
      {"half of a head", "HTTP/1.1 200 OK\r\nX: y", State::Malformed},
      {"less than was announced", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", State::Malformed},
      {"the last chunk is missing", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", State::Malformed}};
  for (const auto& one : kCases) {
    ResponseReader reader;
    reader.begin(false);
    std::size_t used = 0;
    if (!one.bytes.empty()) EXPECT_EQ(reader.feed(one.bytes, used), State::More) << one.why;
    EXPECT_EQ(reader.end_of_stream(), one.state) << one.why;
    if (one.state == State::Done) EXPECT_FALSE(reader.keeps_connection()) << one.why;
  }
}

TEST(ResponseReader, AnAnswerThatComesAtOnceCostsNoAllocation) {
  if (!test::can_count_allocations()) GTEST_SKIP() << "this build counts no allocations";
  const std::string length = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello";
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  ResponseReader reader;
  const test::AllocationCount allocations;
  for (int i = 0; i < 100; ++i) {
    reader.begin(false);
    std::size_t used = 0;
    ASSERT_EQ(reader.feed(i % 2 == 0 ? length : chunked, used), State::Done);
  }
  EXPECT_EQ(allocations.value(), 0U);
}

class Collected final : public FieldObserver {
 public:
  void on_field(std::string_view name, std::string_view value) override {
    fields.push_back(std::string(name) + "=" + std::string(value));
  }
  std::vector<std::string> fields;
};

TEST(ResponseReader, AnObserverSeesTheFieldsOfFinalAnswersOnly) {
  Collected collected;
  const std::string bytes =
      "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nwww-authenticate:  Digest x=y "
      "\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(read_in_pieces(bytes, 5, false, &collected).state, State::Done);
  EXPECT_EQ(collected.fields,
            (std::vector<std::string>{"WWW-Authenticate=Basic", "www-authenticate=Digest x=y", "Content-Length=0"}));
}

}  // namespace
}  // namespace funcgate::http
