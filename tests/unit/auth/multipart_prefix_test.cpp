#include "auth/multipart_prefix.h"

#include <gtest/gtest.h>

namespace funcgate::auth {
namespace {

std::string text_part(std::string_view name, std::string_view value) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" + std::string(value) + "\r\n";
}

TEST(MultipartBoundary, IsTheOnlyLegalParameter) {
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(multipart_boundary("multipart/form-data; charset=utf-8; Boundary=\"a b:c\""), "a b:c");
  for (const std::string_view bad :
       {"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=\"a", "multipart/form-data; boundary=\"a\x01\"",
        "multipart/form-data; boundary=\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""}) {
    EXPECT_FALSE(multipart_boundary(bad)) << bad;
  }
}

TEST(MultipartPrefix, ReadsTextPartsUpToTheFirstFile) {
  const std::string body = text_part("a", "1") + text_part("b", "line\r\nbreak") +
                           "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nBYTES\r\n" +
                           text_part("c", "3") + "--B--\r\n";
  const auto prefix = read_multipart_prefix(body, "B", 100);
  EXPECT_TRUE(prefix.is_well_formed);
  ASSERT_EQ(prefix.parts.size(), 2u);
  EXPECT_EQ(prefix.parts[0].name, "a");
  EXPECT_EQ(prefix.parts[0].value, "1");
  EXPECT_EQ(prefix.parts[1].value, "line\r\nbreak");
}

TEST(MultipartPrefix, CountsOnlyPartsThatAreComplete) {
  const std::string whole = text_part("a", "1") + text_part("b", "2") + "--B--";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    for (const TextPart& part : read_multipart_prefix(std::string_view(whole).substr(0, size), "B", 100).parts) {
      EXPECT_TRUE((part.name == "a" && part.value == "1") || (part.name == "b" && part.value == "2")) << "cut at " << size;
    }
  }
  EXPECT_EQ(read_multipart_prefix(whole, "B", 100).parts.size(), 2u);
  EXPECT_EQ(read_multipart_prefix(whole, "B", 1).parts.size(), 1u);
}

TEST(MultipartPrefix, RefusesWhatIsAmbiguous) {
  const std::string good = text_part("a", "1");
  struct Row {
    std::string body, why;
  };
  for (const Row& row :
       {Row{"preamble\r\n" + good, "a preamble"}, Row{"\r\n" + good, "a line break in front"},
        Row{"--Bx\r\n" + good, "another boundary"},
        Row{"--B\nContent-Disposition: form-data; name=\"a\"\n\n1\n--B--", "bare line feeds"},
        Row{"--B\r\nContent-Disposition: form-data; name=\"a\"; name=\"b\"\r\n\r\n1\r\n--B--", "two names"},
        Row{"--B\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n1\r\n--B--",
            "two dispositions"},
        Row{"--B\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1\r\n--B--", "no form data"},
        Row{"--B\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\n\r\n1\r\n--B--", "a folded line"},
        Row{"--B\r\n\r\n1\r\n--B--", "no headers"}}) {
    const auto prefix = read_multipart_prefix(row.body, "B", 100);
    EXPECT_TRUE(!prefix.is_well_formed || prefix.parts.empty()) << row.why;
    EXPECT_TRUE(prefix.parts.empty()) << row.why;
  }
}

}  // namespace
}  // namespace funcgate::auth
