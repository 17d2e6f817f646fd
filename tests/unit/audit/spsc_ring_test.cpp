#include "base/spsc_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

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

TEST(SpscRing, CountsWhatIsReservedAndNotYetPublished) {
  SpscRing<int> ring(4);
  EXPECT_EQ(ring.reserved(), 0u);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.reserve());
  EXPECT_EQ(ring.reserved(), 3u);
  ring.publish(1);
  ring.release();
  EXPECT_EQ(ring.reserved(), 1u);
  ring.consume(4, [](int&&) {});
  EXPECT_EQ(ring.reserved(), 1u) << "the consumer is not asked";
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

// What a ring may hold in the worst case costs nothing while it holds less.
TEST(SpscRing, ItsMemoryGrowsWithUseAndIsUsedAgain) {
  using Ring = SpscRing<std::array<char, 1024>>;
  constexpr std::size_t kCapacity = 100 * Ring::kPartPlaces + 1;
  Ring ring(kCapacity);
  EXPECT_EQ(ring.places_made(), 0U) << "nothing before there is something to keep";
  for (std::size_t i = 0; i < 10 * kCapacity; ++i) {
    ASSERT_TRUE(ring.reserve());
    ring.publish({});
    ASSERT_EQ(ring.consume(1, [](auto&&) {}), 1U);
    ASSERT_LE(ring.places_made(), (Ring::kSparesLeft + 2) * Ring::kPartPlaces) << "one in use, one to change over";
  }
  for (std::size_t i = 0; i < kCapacity; ++i) {
    ASSERT_TRUE(ring.reserve());
    ring.publish({});
  }
  EXPECT_FALSE(ring.reserve());
  EXPECT_GE(ring.places_made(), kCapacity);
  EXPECT_EQ(ring.consume(kCapacity, [](auto&&) {}), kCapacity);
  EXPECT_LE(ring.places_made(), (Ring::kSparesMax + 1) * Ring::kPartPlaces);
  ring.trim();
  EXPECT_LE(ring.places_made(), (Ring::kSparesLeft + 1) * Ring::kPartPlaces);
  EXPECT_TRUE(ring.reserve()) << "and again";
  ring.release();
}

// What was reserved last and given back leaves a part behind whose first place nobody has.
TEST(SpscRing, AReservationGivenBackAtTheEndOfAPartTakesNoSecondOne) {
  using Ring = SpscRing<std::array<char, 1024>>;
  Ring ring(10 * Ring::kPartPlaces);
  for (int round = 0; round < 100; ++round) {
    for (std::size_t i = 0; i <= Ring::kPartPlaces; ++i) ASSERT_TRUE(ring.reserve());
    for (std::size_t i = 0; i <= Ring::kPartPlaces; ++i) ring.release();
  }
  EXPECT_EQ(ring.places_made(), 2 * Ring::kPartPlaces);
}

TEST(SpscRing, LosesNothingWhileItIsTrimmed) {
  using Ring = SpscRing<std::array<std::size_t, 128>>;
  constexpr std::size_t kValues = 50 * Ring::kPartPlaces;
  Ring ring(20 * Ring::kPartPlaces);
  std::thread producer([&ring] {
    for (std::size_t i = 0; i < kValues;) {
      if (ring.reserve()) {
        ring.publish({i++});
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::size_t expected = 0;
  while (expected < kValues) {
    ring.consume(3 * Ring::kPartPlaces, [&](const auto& value) { ASSERT_EQ(value[0], expected++); });
    ring.trim();
  }
  producer.join();
}

TEST(SpscRingDeathTest, DoesNotPublishWithoutAReservation) {
  SpscRing<int> ring(2);
  EXPECT_DEATH(ring.publish(1), "reserved_");
}

}  // namespace
}  // namespace funcgate::base
