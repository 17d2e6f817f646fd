#include "domain/api_path.h"

#include <gtest/gtest.h>

namespace funcgate::domain {
namespace {

TEST(ApiPath, IsTheTextAgain) {
  EXPECT_EQ(ApiPath(0, 3).text("quote"), "/api/v1/func-api/quote");
  EXPECT_EQ(ApiPath(1, 0).text("quote"), "/api/v1/al/quote/normal");
  EXPECT_EQ(ApiPath(2, 1).text("quote"), "/api/v1/sync/quote/s");
  EXPECT_EQ(ApiPath(3, 2).text("quote"), "/api/v1/async/quote/simplified");
  EXPECT_EQ(ApiPath().text("quote"), "");
}

TEST(ApiPath, EveryCodeGivesBackItsPathOrNone) {
  int paths = 0;
  for (int code = 0; code < 256; ++code) {
    const ApiPath path = ApiPath::of_code(static_cast<std::uint8_t>(code));
    if (path.none()) continue;
    ++paths;
    EXPECT_EQ(path.code(), code);
    EXPECT_LE(path.text(std::string(500, 'x')).size(), ApiPath::kBytesMax);
  }
  EXPECT_EQ(paths, 16);
}

}  // namespace
}  // namespace funcgate::domain
