#include "base/encoding.h"

#include <gtest/gtest.h>

namespace funcgate::base {
namespace {

using namespace std::literals;

TEST(Hex, IsLowerCaseAndReadsBoth) {
  EXPECT_EQ(hex_encode("\x00\xAB\xff"sv), "00abff");
  EXPECT_EQ(hex_decode("00AbfF"), "\x00\xAB\xff"s);
  for (std::string_view bad : {"0", "0g", " 0", "0x"}) EXPECT_EQ(hex_decode(bad), std::nullopt) << bad;
}

struct Base64Row {
  std::string_view plain, text;
};

// RFC 4648, section 10.
constexpr Base64Row kVectors[] = {{"", ""},
                                  {"f", "Zg=="},
                                  {"fo", "Zm8="},
                                  {"foo", "Zm9v"},
                                  {"foob", "Zm9vYg=="},
                                  {"fooba", "Zm9vYmE="},
                                  {"foobar", "Zm9vYmFy"},
                                  {"\xff\xfe\xfd", "//79"}};

TEST(Base64, MatchesTheVectorsOfTheRfc) {
  for (const auto& [plain, text] : kVectors) {
    EXPECT_EQ(base64_encode(plain), text);
    EXPECT_EQ(base64_decode(text), plain);
    std::string url(text.substr(0, text.find('=')));
    for (char& c : url) c = c == '+' ? '-' : c == '/' ? '_' : c;
    EXPECT_EQ(base64url_encode(plain), url);
    EXPECT_EQ(base64url_decode(url), plain);
  }
}

TEST(Base64, OneValueHasOneSpelling) {
  for (std::string_view bad :
       {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm9-", "=", "====", "Z===", "Zg==Zg==", "Zm9v===="}) {
    EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
  }
  for (std::string_view bad : {"Zg==", "Zh", "Zm9", "Z", "Zm9v/", "Zm9v+"}) EXPECT_EQ(base64url_decode(bad), std::nullopt) << bad;
}

TEST(Encoding, EveryCharacterOutsideOfTheAlphabetIsRefusedWhereverItStands) {
  const std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (std::size_t length = 1; length <= 9; ++length) {
    for (std::size_t place = 0; place < length; ++place) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(length, 'A');
        text[place] = static_cast<char>(byte);
        const std::size_t value = alphabet.find(text[place]);
        const std::size_t left = length % 4;
        // Bits behind the last whole byte must not be set.
        const std::size_t unused = place + 1 < length || left == 0 ? 0 : left == 2 ? 15 : 3;
        const bool is_good = left != 1 && value != std::string_view::npos && (value & unused) == 0;
        ASSERT_EQ(base64url_decode(text).has_value(), is_good) << text << " " << byte;
        if (is_good) ASSERT_EQ(base64url_encode(*base64url_decode(text)), text);
      }
    }
  }
}

TEST(Base64, DecodesIntoFixedMemoryOnlyIfItFits) {
  char out[4] = {};
  EXPECT_EQ(base64_decode_to("Zm9v", out, 3), 3u);
  EXPECT_EQ(std::string_view(out, 3), "foo");
  EXPECT_EQ(base64_decode_to("Zm9vYg==", out, 3), std::nullopt);
  EXPECT_EQ(base64_decode_to("Zm9vYg==", out, 4), 4u);
  EXPECT_EQ(base64url_decode_to("Zm8", out, 2), 2u);
  EXPECT_EQ(base64url_decode_to("Zm9v", out, 2), std::nullopt);
}

TEST(Base64, EveryByteSurvives) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    bytes.push_back(static_cast<char>(i));
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
    EXPECT_EQ(hex_decode(hex_encode(bytes)), bytes);
    EXPECT_EQ(percent_decode(percent_encode(bytes)), bytes);
  }
}

TEST(Percent, EncodesAllButUnreserved) {
  EXPECT_EQ(percent_encode("aZ0-._~ /+\xC3\xA4"), "aZ0-._~%20%2F%2B%C3%A4");
  EXPECT_EQ(percent_decode("a+b%20"), "a+b ");
  for (std::string_view bad : {"%", "%1", "%g0", "a%2"}) EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace funcgate::base
