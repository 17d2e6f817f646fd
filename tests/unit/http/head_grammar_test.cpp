// Each rule of the grammar, with all 256 bytes in each place. Heads lie in memory of exactly their size, so that the address
// sanitizer sees whoever reads beyond.
#include "http/head_grammar.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "http/request_parser.h"

namespace funcgate::http {
namespace {

using namespace std::literals;

struct Read {
  explicit Read(std::string_view text) : memory(new char[text.size()]), bytes(text.size()) {
    std::memcpy(memory.get(), text.data(), bytes);
    HeadGrammar grammar(memory.get(), bytes);
    if (!grammar.ends_well()) {
      mistake = "no end";
      return;
    }
    mistake = grammar.take_request_line(line);
    while (mistake == nullptr && grammar.has_field()) {
      domain::Header field;
      mistake = grammar.take_field(field);
      if (mistake == nullptr) fields.push_back(field);
    }
  }
  std::string_view text() const { return {memory.get(), bytes}; }

  std::unique_ptr<char[]> memory;
  std::size_t bytes;
  RequestLine line;
  std::vector<domain::Header> fields;
  const char* mistake = nullptr;
};

std::string head_of(std::string_view line, std::string_view fields = "A: b\r\n") {
  return std::string(line) + "\r\n" + std::string(fields) + "\r\n";
}
std::string around(std::string_view before, int byte, std::string_view after) {
  return std::string(before) + static_cast<char>(byte) + std::string(after);
}
bool is_letter_or_digit(int byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}
// RFC 9110, 5.6.2.
bool is_tchar(int byte) { return is_letter_or_digit(byte) || (byte != 0 && std::strchr("!#$%&'*+-.^_`|~", byte) != nullptr); }
bool is_control(int byte) { return byte < 0x20 || byte == 0x7f; }

TEST(HeadGrammar, TakesEachPartOfTheRequestLine) {
  const Read read(head_of("M-SEARCH /a/b?c=1?d HTTP/1.0"));
  ASSERT_EQ(read.mistake, nullptr);
  EXPECT_EQ(read.line.method, "M-SEARCH");
  EXPECT_EQ(read.line.target, "/a/b?c=1?d");
  EXPECT_EQ(read.line.path, "/a/b");
  EXPECT_EQ(read.line.query, "c=1?d");
  EXPECT_FALSE(read.line.has_fragment);
  EXPECT_TRUE(read.line.http_1_0);
  EXPECT_FALSE(Read(head_of("GET / HTTP/1.1")).line.http_1_0);
  EXPECT_EQ(Read(head_of("GET /x? HTTP/1.1")).line.query, "");
  for (std::string_view line : {"GET /x#y HTTP/1.1", "GET /x?y#z HTTP/1.1", "GET # HTTP/1.1", "GET /x#?y HTTP/1.1"}) {
    EXPECT_TRUE(Read(head_of(line)).line.has_fragment) << line;
  }
}

TEST(HeadGrammar, AMethodIsAToken) {
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(Read(head_of(around("GE", byte, "T / HTTP/1.1"))).mistake == nullptr, is_tchar(byte)) << byte;
    EXPECT_EQ(Read(head_of(around("", byte, " / HTTP/1.1"))).mistake == nullptr, is_tchar(byte)) << byte;
  }
}

TEST(HeadGrammar, ATargetHasNoBlanksAndNoControls) {
  const std::string filling(40, 'x');
  for (int byte = 0; byte < 256; ++byte) {
    for (std::size_t before : {std::size_t{0}, std::size_t{15}, filling.size()}) {
      const std::string front = "GET /" + filling.substr(0, before);
      const Read read(head_of(around(front, byte, "y HTTP/1.1")));
      EXPECT_EQ(read.mistake == nullptr, !is_control(byte) && byte != ' ') << byte;
      if (read.mistake == nullptr) EXPECT_EQ(read.line.target, around(front.substr(4), byte, "y"));
    }
  }
}

TEST(HeadGrammar, TheVersionIsOneOfTwoAndNothingStandsBehindIt) {
  const std::string line = "GET / HTTP/1.1";
  for (std::size_t at = line.find("HTTP"); at < line.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = line;
      changed[at] = static_cast<char>(byte);
      const bool right = changed == line || changed == "GET / HTTP/1.0";
      EXPECT_EQ(Read(head_of(changed)).mistake == nullptr, right) << changed;
    }
  }
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_NE(Read(head_of(around(line, byte, ""))).mistake, nullptr) << byte;
    if (byte != ' ') EXPECT_NE(Read(head_of(around("GET /", byte, "HTTP/1.1"))).mistake, nullptr) << byte;
  }
  for (std::string_view cut : {"GET / ", "GET /", "GET ", "GET", "G", "", " ", "GET / H", "GET / HTTP/1."}) {
    EXPECT_NE(Read(head_of(cut)).mistake, nullptr) << cut;
    EXPECT_NE(Read(head_of(cut, "")).mistake, nullptr) << cut;
  }
}

TEST(HeadGrammar, ANameIsATokenAndMadeLowerCase) {
  for (std::size_t length : {1, 2, 14, 15, 16, 17, 31, 32, 33, 70}) {
    const std::string name(length, 'Q');
    for (std::size_t at = 0; at < length; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string changed = name;
        changed[at] = static_cast<char>(byte);
        if (byte == ':' || (length > 33 && at % 7 != 0)) continue;
        const Read read(head_of("GET / HTTP/1.1", changed + ": UPPER\r\n"));
        ASSERT_EQ(read.mistake == nullptr, is_tchar(byte)) << byte << " at " << at << " of " << length;
        if (read.mistake != nullptr) continue;
        EXPECT_EQ(read.fields.at(0).name, base::to_lower(changed));
        EXPECT_EQ(read.fields.at(0).value, "UPPER");
      }
    }
    EXPECT_NE(Read(head_of("GET / HTTP/1.1", name + "\r\n")).mistake, nullptr);
    EXPECT_NE(Read(head_of("GET / HTTP/1.1", name + " : b\r\n")).mistake, nullptr);
  }
  EXPECT_NE(Read(head_of("GET / HTTP/1.1", ": b\r\n")).mistake, nullptr);
}

TEST(HeadGrammar, AValueHasNoControlsButTabs) {
  for (std::size_t length = 1; length <= 140; ++length) {
    for (std::size_t at = 0; at < length; at += length < 20 ? 1 : 5) {
      for (int byte = 0; byte < 256; byte += length % 16 == 1 ? 1 : 3) {
        std::string value(length, 'V');
        value[at] = static_cast<char>(byte);
        const Read read(head_of("GET / HTTP/1.1", "Name: " + value + "\r\nB: c\r\n"));
        ASSERT_EQ(read.mistake == nullptr, !is_control(byte) || byte == '\t') << byte << " at " << at << " of " << length;
        if (read.mistake == nullptr) EXPECT_EQ(read.fields.at(0).value, base::trim(value));
      }
    }
  }
}

TEST(HeadGrammar, BlanksAroundAValueAreNotPartOfIt) {
  for (std::string_view before : {"", " ", "\t", " \t  "}) {
    for (std::string_view after : {"", " ", "\t", "\t \t"}) {
      for (std::string_view value : {"", "b", "b c", "b\tc", "\x80"}) {
        const Read read(head_of("GET / HTTP/1.1", "A:" + std::string(before) + std::string(value) + std::string(after) + "\r\n"));
        ASSERT_EQ(read.mistake, nullptr);
        EXPECT_EQ(read.fields.at(0).value, value);
      }
    }
  }
}

TEST(HeadGrammar, OnlyTheNamesAreChanged) {
  const std::string head = head_of("GET /X HTTP/1.1", "AbC: DeF\r\nX:Y\r\nLONG-LONG-LONG-NAME_Z: VALUE\r\nQ: R\r\n");
  const Read read(head);
  ASSERT_EQ(read.mistake, nullptr);
  EXPECT_EQ(read.text(), head_of("GET /X HTTP/1.1", "abc: DeF\r\nx:Y\r\nlong-long-long-name_z: VALUE\r\nq: R\r\n"));
}

TEST(HeadGrammar, LinesEndWithCrLfAndAreNotFolded) {
  for (std::string_view fields : {"A: b\r\n c\r\n", "A: b\r\n\tc\r\n", " A: b\r\n", "\tA: b\r\n", "A:\r\n b\r\n", "A: b\r\n \r\n",
                                  "A: b\n", "A: b\r", "A: b\r\r\n", "A: b\n\r\n", "\r\nA: b\r\n", "A: b\r\n\r\nB: c\r\n", "A\r\n",
                                  "A: b\r\nB\r\n", "A: b\rB: c\r\n", "A: b\nB: c\r\n", "\r\r\n", "\n"}) {
    EXPECT_NE(Read(head_of("GET / HTTP/1.1", fields)).mistake, nullptr) << fields;
  }
  for (std::string_view head :
       {"", "\r\n", "\r\n\r\n", "\n\n\r\n\r\n", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: b\r\n", "GET / HTTP/1.1\r\nA: b",
        "GET / HTTP/1.1\nA: b\r\n\r\n", "GET / HTTP/1.1\rA: b\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n"}) {
    EXPECT_NE(Read(head).mistake, nullptr) << head;
  }
  EXPECT_EQ(Read("GET / HTTP/1.1\r\n\r\n").mistake, nullptr);
}

TEST(HeadGrammar, SaysWhatIsWrong) {
  const std::pair<std::string, std::string_view> rows[] = {
      {head_of(" / HTTP/1.1"), "The request line must begin with a method and a blank"},
      {head_of("GET  / HTTP/1.1"), "The request line must have one blank between its parts"},
      {head_of("GET /\t HTTP/1.1"), "The target has a control character"},
      {head_of("GET /"), "The request line must end with HTTP/1.1 or HTTP/1.0"},
      {head_of("GET / HTTP/3.0"), "The request line must end with HTTP/1.1 or HTTP/1.0"},
      {head_of("GET / HTTP/1.1", "A : b\r\n"), "A header must begin with its name and a colon"},
      {head_of("GET / HTTP/1.1", "A: b\r\n c: d\r\n"), "A header is folded over several lines"},
      {head_of("GET / HTTP/1.1", "A: b\rc\r\n"), "A line must end with CR LF"},
      {head_of("GET / HTTP/1.1", "A: b\x01\r\n"), "A header has a control character"},
  };
  for (const auto& [head, mistake] : rows) {
    ASSERT_NE(Read(head).mistake, nullptr) << head;
    EXPECT_EQ(Read(head).mistake, mistake) << head;
  }
}

// Whatever byte is put in or instead of another, what is understood is what the bytes say.
TEST(HeadGrammar, EveryByteAtEveryPlaceIsRefusedOrUnderstood) {
  const std::string head =
      head_of("GET /x?y HTTP/1.1", "Host: h\r\nAn-Unusually-Long-Name: with a value of many\tletters \r\nC:\r\n");
  const auto check = [](const std::string& changed) {
    const Read read(changed);
    if (read.mistake != nullptr) return;
    std::string again = std::string(read.line.method) + ' ' + std::string(read.line.target) +
                        (read.line.http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    for (const auto& [name, value] : read.fields) {
      const char* const end = value.data() + value.size();
      again.append(name).append(name.data() + name.size(), static_cast<std::size_t>(value.data() - name.data()) - name.size());
      again.append(value).append(end, read.text().find("\r\n", static_cast<std::size_t>(end - read.text().data())) + 2 -
                                          static_cast<std::size_t>(end - read.text().data()));
    }
    ASSERT_EQ(again + "\r\n", read.text());
  };
  for (std::size_t at = 0; at < head.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = head;
      changed[at] = static_cast<char>(byte);
      check(changed);
      changed = head;
      changed.insert(at, 1, static_cast<char>(byte));
      check(changed);
    }
  }
}

}  // namespace
}  // namespace funcgate::http
