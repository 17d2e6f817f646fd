#include "crypto/hash_memory.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <vector>

namespace funcgate::crypto {
namespace {

constexpr std::size_t kBytes = 3 << 20, kOtherBytes = 1 << 20;

class HashMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override { release_hash_memory({}); }
};

TEST_F(HashMemoryTest, IsUsedAgainAndGivenBackWhenNothingHasUsedItForLong) {
  std::uint8_t* first = nullptr;
  {
    const HashMemory memory(kBytes);
    first = memory.data();
    ASSERT_NE(first, nullptr);
    first[kBytes - 1] = 1;
  }
  {
    EXPECT_EQ(HashMemory(kBytes).data(), first);
  }
  EXPECT_EQ(release_hash_memory(std::chrono::hours(1)), 0u) << "it was used within the hour";
  EXPECT_EQ(release_hash_memory({}), kBytes);
  EXPECT_EQ(release_hash_memory({}), 0u);
}

TEST_F(HashMemoryTest, TwoAtATimeNeverShare) {
  const HashMemory one(kBytes), two(kBytes);
  EXPECT_NE(one.data(), two.data());
}

TEST_F(HashMemoryTest, AnotherSizeGetsItsOwn) {
  {
    const HashMemory memory(kOtherBytes);
  }
  const HashMemory memory(kBytes);
  memory.data()[kBytes - 1] = 1;  // a fault, if it were the small one
  EXPECT_EQ(memory.size(), kBytes);
}

TEST_F(HashMemoryTest, KeepsAtMostItsLimit) {
  {
    std::vector<std::unique_ptr<HashMemory>> many;
    for (std::size_t i = 0; i < kHashMemoriesKept + 3; ++i) many.push_back(std::make_unique<HashMemory>(kBytes));
  }
  EXPECT_EQ(release_hash_memory({}), kHashMemoriesKept * kBytes);
}

TEST_F(HashMemoryTest, WhatTheSystemDoesNotHaveIsNull) { EXPECT_EQ(HashMemory(std::size_t{1} << 62).data(), nullptr); }

}  // namespace
}  // namespace funcgate::crypto
