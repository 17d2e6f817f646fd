#include "http/multipart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace funcgate::http {
namespace {

using State = MultipartParser::State;

struct Part {
  PartHead head;
  std::string data;
  bool ended = false;
};
class Recorder final : public PartSink {
 public:
  std::vector<Part> parts;
  std::size_t parts_max = 100, data_max = 1 << 20;

  bool begin_part(const PartHead& head) override {
    if (parts.size() == parts_max) return false;
    EXPECT_TRUE(parts.empty() || parts.back().ended) << "a part begins inside another";
    parts.push_back({head, "", false});
    return true;
  }
  bool part_data(std::string_view bytes) override {
    EXPECT_FALSE(bytes.empty());
    parts.back().data += bytes;
    return parts.back().data.size() <= data_max;
  }
  bool end_part() override { return parts.back().ended = true; }

  // "name=data" of each complete part, "name@file=data" of a file.
  std::vector<std::string> short_form() const {
    std::vector<std::string> out;
    for (const Part& part : parts) {
      out.push_back(part.head.name + (part.head.file_name ? "@" + *part.head.file_name : "") + "=" + part.data +
                    (part.ended ? "" : "..."));
    }
    return out;
  }
};

State feed(std::string_view body, std::size_t step, Recorder& recorder, std::string boundary = "B") {
  MultipartParser parser(std::move(boundary), recorder);
  State state = State::More;
  for (std::size_t at = 0; at < body.size() && state == State::More; at += step) state = parser.feed(body.substr(at, step));
  return state;
}

// ---- boundary ----

TEST(Boundary, IsReadFromTheContentType) {
  const std::pair<std::string, std::optional<std::string>> rows[] = {
      {"multipart/form-data; boundary=abc", "abc"},
      {"multipart/form-data;boundary=\"a b:c\"", "a b:c"},
      {"multipart/form-data; charset=utf-8; BOUNDARY=abc ; x=y", "abc"},
      {"multipart/form-data; boundary=" + std::string(70, 'x'), std::string(70, 'x')},
      {"multipart/form-data; boundary=" + std::string(71, 'x'), std::nullopt},
      {"multipart/form-data", std::nullopt},
      {"multipart/form-data; boundary=", std::nullopt},
      {"multipart/form-data; boundary=\"\"", std::nullopt},
      {"multipart/form-data; boundary=\"a \"", std::nullopt},
      {"multipart/form-data; boundary=a; boundary=a", std::nullopt},
      {"multipart/form-data; boundary=a; boundary=b", std::nullopt},
      {"multipart/form-data; boundary=\"a\tb\"", std::nullopt},
      {"multipart/form-data; xboundary=abc", std::nullopt},
      {"multipart/form-data; x=\"; boundary=abc\"", std::nullopt},
  };
  for (const auto& [content_type, boundary] : rows)
    EXPECT_EQ(MultipartParser::boundary_of(content_type), boundary) << content_type;
}

// ---- whole bodies, however they arrive ----

struct BodyRow {
  const char* what;
  std::string body;
  std::vector<std::string> parts;
};
class GoodBody : public testing::TestWithParam<BodyRow> {};

TEST_P(GoodBody, GivesTheSamePartsHoweverItArrives) {
  const auto& [what, body, parts] = GetParam();
  for (std::size_t step = 1; step <= body.size(); ++step) {
    Recorder recorder;
    ASSERT_EQ(feed(body, step, recorder), State::Done) << what << ", in pieces of " << step;
    ASSERT_EQ(recorder.short_form(), parts) << what << ", in pieces of " << step;
  }
  for (std::size_t split = 1; split < body.size(); ++split) {
    Recorder recorder;
    MultipartParser parser("B", recorder);
    if (parser.feed(std::string_view(body).substr(0, split)) == State::More) parser.feed(std::string_view(body).substr(split));
    ASSERT_EQ(recorder.short_form(), parts) << what << ", split at " << split;
  }
}

std::string text_part(const std::string& name, const std::string& data) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + data + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    Table, GoodBody,
    testing::Values(
        BodyRow{"one text", text_part("a", "1") + "--B--\r\n", {"a=1"}},
        BodyRow{"nothing behind the end", text_part("a", "1") + "--B--", {"a=1"}},
        BodyRow{"two texts", text_part("a", "1") + text_part("b", "2") + "--B--\r\n", {"a=1", "b=2"}},
        BodyRow{"an empty text", text_part("a", "") + text_part("b", "") + "--B--\r\n", {"a=", "b="}},
        BodyRow{"no part at all", "--B--\r\n", {}},
        BodyRow{"an epilogue that looks like a part", text_part("a", "1") + "--B--\r\n" + text_part("b", "2") + "--B--", {"a=1"}},
        BodyRow{"a preamble", "anything\r\n" + text_part("a", "1") + "--B--\r\n", {"a=1"}},
        BodyRow{"beginnings of delimiters as data",
                text_part("a", "\r\n--\r\n-\r\n\r--B\r\n--A\n--B--") + "--B--\r\n",
                {"a=\r\n--\r\n-\r\n\r--B\r\n--A\n--B--"}},
        BodyRow{"line ends as data", text_part("a", "\r\n\r\n") + "--B--\r\n", {"a=\r\n\r\n"}},
        BodyRow{"a delimiter without its own line end is data", text_part("a", "--B\r\n\r\nx") + "--B--\r\n", {"a=--B\r\n\r\nx"}},
        BodyRow{"blanks behind a delimiter", "--B \t\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B--", {"a=1"}},
        BodyRow{"a file",
                "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x y.txt\"\r\nContent-Type: "
                "text/csv\r\n\r\n1,2\r\n--B--\r\n",
                {"f@x y.txt=1,2"}},
        BodyRow{"an empty file name is a file",
                "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\n\r\n\r\n--B--\r\n",
                {"f@="}},
        BodyRow{"names with special characters", text_part("a;b=c \xC3\xA4%22", "1") + "--B--\r\n", {"a;b=c \xC3\xA4%22=1"}},
        BodyRow{"a bare name and other case", "--B\r\ncontent-disposition: FORM-DATA; NAME=a\r\n\r\n1\r\n--B--\r\n", {"a=1"}},
        BodyRow{"a name inside another value",
                "--B\r\nContent-Disposition: form-data; x=\"; name=evil\"; name=\"a\"\r\n\r\n1\r\n--B--\r\n",
                {"a=1"}},
        BodyRow{"bytes", text_part("a", std::string("\0\xff\x80\r", 4)) + "--B--\r\n", {"a=" + std::string("\0\xff\x80\r", 4)}}));

TEST(Multipart, HeadersOfAPartAreKept) {
  Recorder recorder;
  const std::string body =
      "--B\r\nContent-Type: Text/CSV; charset=x\r\nContent-Transfer-Encoding: binary\r\nX-Other: y\r\nContent-Disposition: "
      "form-data; name=\"f\"\r\n\r\n1\r\n--B--";
  ASSERT_EQ(feed(body + text_part("b", "2"), 7, recorder), State::Done);
  ASSERT_EQ(recorder.parts.size(), 1u);
  EXPECT_EQ(recorder.parts[0].head.content_type, "Text/CSV; charset=x");
  EXPECT_EQ(recorder.parts[0].head.encoding, "binary");
  EXPECT_FALSE(recorder.parts[0].head.file_name);
  Recorder plain;
  ASSERT_EQ(feed(text_part("a", "1") + "--B--", 100, plain), State::Done);
  EXPECT_EQ(plain.parts[0].head.content_type, "text/plain");
}

// ---- what is broken ----

struct BrokenRow {
  const char* what;
  std::string body;
};
class BrokenBody : public testing::TestWithParam<BrokenRow> {};

TEST_P(BrokenBody, IsBrokenHoweverItArrives) {
  for (std::size_t step = 1; step <= GetParam().body.size(); step = step * 2 + 1) {
    Recorder recorder;
    EXPECT_EQ(feed(GetParam().body, step, recorder), State::Broken) << GetParam().what << ", in pieces of " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, BrokenBody,
    testing::Values(
        BrokenRow{"no Content-Disposition", "--B\r\nContent-Type: text/plain\r\n\r\n1\r\n--B--"},
        BrokenRow{"no header at all", "--B\r\n\r\n1\r\n--B--"},
        BrokenRow{"two Content-Dispositions",
                  "--B\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n1\r\n--B--"},
        BrokenRow{"two names", "--B\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n1\r\n--B--"},
        BrokenRow{"no name", "--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n--B--"},
        BrokenRow{"another disposition", "--B\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--B--"},
        BrokenRow{"a folded header", "--B\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\n1\r\n--B--"},
        BrokenRow{"a blank before the colon", "--B\r\nContent-Disposition : form-data; name=a\r\n\r\n1\r\n--B--"},
        BrokenRow{"a line without a colon", "--B\r\nContent-Disposition: form-data; name=a\r\nx\r\n\r\n1\r\n--B--"},
        BrokenRow{"a name that is not UTF-8", "--B\r\nContent-Disposition: form-data; name=\"\xFF\"\r\n\r\n1\r\n--B--"},
        BrokenRow{"a word behind a delimiter", "--Bx\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--B--"},
        BrokenRow{"a bare LF behind a delimiter", "--B\nContent-Disposition: form-data; name=a\n\n1\n--B--\n"},
        BrokenRow{"a head that does not end", "--B\r\nX: " + std::string(9000, 'x')},
        BrokenRow{"a long head", "--B\r\nX: " + std::string(9000, 'x') + "\r\n\r\n1\r\n--B--"},
        BrokenRow{"a preamble that does not end", std::string(9000, 'x')},
        BrokenRow{"blanks without end", "--B" + std::string(300, ' ')}));

TEST(Multipart, LimitsDoNotDependOnHowABodyArrives) {
  const std::size_t max = MultipartParser::kHeadBytesMax;
  const std::string rest = "Content-Disposition: form-data; name=a\r\n\r\n1\r\n--B--";
  // A head counts with the line end in front of it, a preamble with the one that is thought there.
  const auto head = [&](std::size_t bytes) {
    return "--B\r\nContent-Disposition: form-data; name=a\r\nX: " + std::string(bytes - 45, 'x') + "\r\n\r\n1\r\n--B--";
  };
  const auto preamble = [&](std::size_t bytes) { return std::string(bytes - 2, 'x') + "\r\n--B\r\n" + rest; };
  const auto blanks = [&](std::size_t bytes) { return "--B" + std::string(bytes, ' ') + "\r\n" + rest; };
  for (std::size_t step : {1UL, 2UL, 3UL, 7UL, 64UL, 100'000UL}) {
    Recorder recorder;
    EXPECT_EQ(feed(head(max), step, recorder), State::Done) << step;
    EXPECT_EQ(feed(head(max + 1), step, recorder), State::Broken) << step;
    EXPECT_EQ(feed(preamble(max), step, recorder), State::Done) << step;
    EXPECT_EQ(feed(preamble(max + 1), step, recorder), State::Broken) << step;
    EXPECT_EQ(feed(blanks(256), step, recorder), State::Done) << step;
    EXPECT_EQ(feed(blanks(257), step, recorder), State::Broken) << step;
  }
}

TEST(Multipart, WhatIsCutOffIsNotDone) {
  const std::string body = text_part("a", "1") + text_part("b", "2") + "--B--";
  for (std::size_t size = 0; size < body.size(); ++size) {
    Recorder recorder;
    EXPECT_EQ(feed(body.substr(0, size), 100, recorder), State::More) << size;
  }
}

TEST(Multipart, TheSinkMayStopAnywhere) {
  const std::string body = text_part("a", "1") + text_part("b", "0123456789") + "--B--";
  Recorder one;
  one.parts_max = 1;
  EXPECT_EQ(feed(body, 5, one), State::Stopped);
  Recorder small;
  small.data_max = 5;
  EXPECT_EQ(feed(body, 5, small), State::Stopped);
  EXPECT_LE(small.parts.back().data.size(), 10u);
  MultipartParser parser("B", one);
  EXPECT_EQ(parser.feed(body), State::Stopped);
  EXPECT_EQ(parser.feed("more"), State::Stopped) << "for good";
}

}  // namespace
}  // namespace funcgate::http
