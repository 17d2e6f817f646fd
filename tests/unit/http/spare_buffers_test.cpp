#include "http/spare_buffers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace funcgate::http {
namespace {

// A text of `bytes` that are its own.
std::string made(std::size_t bytes, char filler = 'x') { return std::string(bytes, filler); }

class SpareBuffersTest : public testing::Test {
 protected:
  void SetUp() override {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
    GTEST_SKIP() << "nothing is kept, so that sanitizers see every use";
#endif
  }
  static constexpr std::size_t kLargest = 32 << 10;
  SpareBuffers spares{kLargest};
};

TEST_F(SpareBuffersTest, WhatOneGivesTheNextOneTakes) {
  std::string buffer = made(2048);
  const char* const bytes = buffer.data();
  spares.give(buffer);
  EXPECT_TRUE(buffer.empty());
  EXPECT_LT(buffer.capacity(), 100u);
  std::string other;
  spares.take(other);
  EXPECT_EQ(other.data(), bytes);
  EXPECT_EQ(other.size(), 2048u);
  EXPECT_EQ(spares.kept(), 0u);
  std::string third;
  spares.take(third);
  EXPECT_TRUE(third.empty());
}

TEST_F(SpareBuffersTest, WhoHasRoomTakesNone) {
  std::string buffer = made(2048), full = made(500, 'y');
  spares.give(buffer);
  spares.take(full);
  EXPECT_EQ(full, made(500, 'y'));
  EXPECT_EQ(spares.kept(), 1u);
}

TEST_F(SpareBuffersTest, TooSmallAndTooLargeOnesGo) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{20}, kLargest + 1}) {
    std::string buffer = made(bytes);
    spares.give(buffer);
    EXPECT_TRUE(buffer.empty());
    EXPECT_EQ(spares.kept(), 0u) << bytes;
  }
}

TEST_F(SpareBuffersTest, BytesAndNumberAreBounded) {
  for (int i = 0; i < 1000; ++i) {
    std::string buffer = made(200);
    spares.give(buffer);
  }
  const std::size_t many = spares.kept();
  EXPECT_GE(many, 64u);
  EXPECT_LT(many, 1000u);
  SpareBuffers large{kLargest};
  for (int i = 0; i < 1000; ++i) {
    std::string buffer = made(kLargest);
    large.give(buffer);
  }
  const std::size_t few = large.kept();
  EXPECT_GE(few, 2u);
  EXPECT_LE(few, SpareBuffers::kBytesMax / kLargest);
  // Small ones that come later take their places.
  for (std::size_t i = 0; i < 10 * few; ++i) {
    std::string buffer = made(1000);
    large.give(buffer);
  }
  EXPECT_GT(large.kept(), few);
}

}  // namespace
}  // namespace funcgate::http
