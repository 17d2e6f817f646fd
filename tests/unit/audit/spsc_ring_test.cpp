#include "base/spsc_ring.h"

#include <gtest/gtest.h>

#include <thread>

namespace funcgate::base {
namespace {

TEST(SpscRing, RefusesWhenReservedAndWaitingTogetherFillIt) {
  for (std::size_t capacity : {1UL, 2UL, 3UL, 8UL, 100UL}) {
    SpscRing<int> ring(capacity);
    for (std::size_t i = 0; i < capacity; ++i) EXPECT_TRUE(ring.reserve());
    EXPECT_FALSE(ring.reserve()) << "only reserved, capacity " << capacity;
    ring.publish(1);
    EXPECT_FALSE(ring.reserve()) << "published and not consumed";
    EXPECT_EQ(ring.consume(10, [](int) {}), 1U);
    EXPECT_TRUE(ring.reserve()) << "a consumed place is free again";
    EXPECT_FALSE(ring.reserve());
  }
}

TEST(SpscRing, AReservationThatIsGivenBackIsAPlaceForAnother) {
  SpscRing<int> ring(2);
  EXPECT_TRUE(ring.reserve());
  EXPECT_TRUE(ring.reserve());
  ring.release();
  EXPECT_TRUE(ring.reserve());
  EXPECT_FALSE(ring.reserve());
  ring.publish(7);
  ring.publish(8);
  std::vector<int> values;
  EXPECT_EQ(ring.consume(10, [&](int value) { values.push_back(value); }), 2U);
  EXPECT_EQ(values, (std::vector<int>{7, 8}));
}

TEST(SpscRing, GivesOutInTheOrderOfPublishing) {
  SpscRing<int> ring(4);
  std::vector<int> seen;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(ring.reserve());
      ring.publish(round * 3 + i);
    }
    EXPECT_EQ(ring.consume(2, [&](int value) { seen.push_back(value); }), 2U);
    EXPECT_EQ(ring.size(), 1U);
    EXPECT_EQ(ring.consume(100, [&](int value) { seen.push_back(value); }), 1U);
  }
  ASSERT_EQ(seen.size(), 30U);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(SpscRing, LosesAndRepeatsNothingBetweenTwoThreads) {
  constexpr int kValues = 200'000;
  SpscRing<std::unique_ptr<int>> ring(64);
  std::thread producer([&ring] {
    for (int i = 0; i < kValues;) {
      if (!ring.reserve()) {
        std::this_thread::yield();
        continue;
      }
      ring.publish(std::make_unique<int>(i++));
    }
  });
  int expected = 0;
  while (expected < kValues) {
    const std::size_t count = ring.consume(50, [&](std::unique_ptr<int> value) { ASSERT_EQ(*value, expected++); });
    if (count == 0) std::this_thread::yield();
  }
  producer.join();
  EXPECT_EQ(ring.size(), 0U);
}

TEST(SpscRingDeathTest, DoesNotPublishWithoutAReservation) {
  SpscRing<int> ring(2);
  EXPECT_DEATH(ring.publish(1), "reserved_");
}

}  // namespace
}  // namespace funcgate::base
