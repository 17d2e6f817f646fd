#include "http/chunk_decoder.h"

#include <gtest/gtest.h>

#include <string>

namespace funcgate::http {
namespace {

using namespace std::literals;
using State = ChunkDecoder::State;

struct Decoded {
  State state = State::More;
  std::string body;
  std::size_t used = 0;
};
Decoded decode(std::string_view input, std::size_t step) {
  ChunkDecoder decoder;
  Decoded out;
  while (out.used < input.size() && out.state == State::More) {
    std::size_t used = 0;
    out.state = decoder.decode(input.substr(out.used, step), used, [&](std::string_view bytes) { out.body += bytes; });
    out.used += used;
  }
  return out;
}

struct GoodRow {
  const char* what;
  std::string input;
  std::string body;
};
class GoodChunks : public testing::TestWithParam<GoodRow> {};

TEST_P(GoodChunks, AreDecodedHoweverTheyArrive) {
  const auto& [what, input, body] = GetParam();
  for (std::size_t step = 1; step <= input.size() + 4; ++step) {
    const Decoded out = decode(input + "NEXT", step);
    ASSERT_EQ(out.state, State::Done) << what << ", " << step;
    EXPECT_EQ(out.body, body);
    EXPECT_EQ(out.used, input.size()) << "what follows belongs to the next request";
  }
  EXPECT_EQ(decode(std::string_view(input).substr(0, input.size() - 1), 3).state, State::More);
}

INSTANTIATE_TEST_SUITE_P(Table, GoodChunks,
                         testing::Values(GoodRow{"nothing", "0\r\n\r\n", ""}, GoodRow{"one", "5\r\nhello\r\n0\r\n\r\n", "hello"},
                                         GoodRow{"two", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"},
                                         GoodRow{"upper and lower hex", "A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n",
                                                 "01234567890123456789a"},
                                         GoodRow{"leading zeros", "0005\r\nhello\r\n000\r\n\r\n", "hello"},
                                         GoodRow{"CR LF as data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"},
                                         GoodRow{"an extension", "5;a=\"b;c\"\r\nhello\r\n0;x\r\n\r\n", "hello"},
                                         GoodRow{"trailers", "1\r\na\r\n0\r\nX-A: b\r\nX-B: c\r\n\r\n", "a"}));

struct BadRow {
  const char* what;
  std::string input;
};
class BadChunks : public testing::TestWithParam<BadRow> {};

TEST_P(BadChunks, AreBrokenForGood) {
  const auto& [what, input] = GetParam();
  for (std::size_t step : {std::size_t{1}, std::size_t{2}, input.size()})
    EXPECT_EQ(decode(input, step).state, State::Broken) << what;
  ChunkDecoder decoder;
  std::size_t used = 0;
  std::string after;
  EXPECT_EQ(decoder.decode(input, used, [](std::string_view) {}), State::Broken);
  EXPECT_EQ(decoder.decode("1\r\na\r\n0\r\n\r\n", used, [&](std::string_view bytes) { after += bytes; }), State::Broken);
  EXPECT_EQ(after, "");
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadChunks,
    testing::Values(BadRow{"a blank in front", " 5\r\nhello\r\n"}, BadRow{"a blank behind", "5 \r\nhello\r\n"},
                    BadRow{"0x5", "0x5\r\nhello\r\n"}, BadRow{"a sign", "+5\r\nhello\r\n"}, BadRow{"a minus", "-5\r\nhello\r\n"},
                    BadRow{"no size", "\r\nhello\r\n"}, BadRow{"no digit before an extension", ";a\r\nhello\r\n"},
                    BadRow{"g", "g\r\n"}, BadRow{"a NUL", "5\0\r\n"s}, BadRow{"a bare LF behind the size", "5\nhello\r\n"},
                    BadRow{"a bare CR behind the size", "5\rhello\r\n"}, BadRow{"a bare LF in an extension", "5;a\nhello\r\n"},
                    BadRow{"a bare LF behind the data", "5\r\nhello\n0\r\n\r\n"},
                    BadRow{"more data than said", "5\r\nhelloo\r\n0\r\n\r\n"},
                    BadRow{"less data than said", "5\r\nhell\r\n0\r\n\r\n"},
                    BadRow{"a size of 16 digits", "1000000000000000\r\n"}, BadRow{"16 zeros", "0000000000000005\r\nhello\r\n"},
                    BadRow{"a bare LF at the end", "0\r\n\n"}, BadRow{"a bare LF in a trailer", "0\r\nX: a\n\r\n"},
                    BadRow{"a bare CR in a trailer", "0\r\nX: a\rb\r\n\r\n"}, BadRow{"a bare CR at the end", "0\r\n\rx"},
                    BadRow{"an endless extension", "5;" + std::string(5000, 'x') + "\r\n"},
                    BadRow{"an endless trailer", "0\r\n" + std::string(5000, 'x') + "\r\n\r\n"}));

TEST(ChunkDecoder, TrailersAreLimitedTogether) {
  std::string many = "0\r\n";
  for (int i = 0; i < 5000; ++i) many += "x\r\n";
  EXPECT_EQ(decode(many, many.size()).state, State::Broken) << "short lines without end";
}

}  // namespace
}  // namespace funcgate::http
