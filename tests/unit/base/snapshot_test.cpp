#include "base/snapshot.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace funcgate::base {
namespace {

TEST(Snapshot, APinFollowsWhatIsPublished) {
  Snapshot<int> snapshot(std::make_shared<const int>(1));
  Snapshot<int>::Pin pin(snapshot);
  EXPECT_EQ(*pin.get(), 1);
  snapshot.publish(std::make_shared<const int>(2));
  EXPECT_EQ(*pin.get(), 2);
  EXPECT_EQ(*snapshot.current(), 2);
  EXPECT_EQ(snapshot.sequence(), 1u);
}

TEST(Snapshot, WhoeverHoldsAnOldValueKeepsIt) {
  auto first = std::make_shared<const int>(1);
  const std::weak_ptr<const int> watch = first;
  Snapshot<int> snapshot(std::move(first));
  Snapshot<int>::Pin pin(snapshot);
  auto call = pin.get();
  snapshot.publish(std::make_shared<const int>(2));
  EXPECT_EQ(*pin.get(), 2);
  EXPECT_EQ(*call, 1);
  EXPECT_FALSE(watch.expired());
  call.reset();
  EXPECT_TRUE(watch.expired()) << "nobody uses it any longer";
}

TEST(Snapshot, ReadersNeverGoBackAndSeeTheLast) {
  constexpr int kLast = 20'000;
  Snapshot<int> snapshot(std::make_shared<const int>(0));
  std::atomic<bool> went_back = false;
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      Snapshot<int>::Pin pin(snapshot);
      int seen = 0;
      while (seen < kLast) {
        const int now = *pin.get();
        if (now < seen) went_back = true;
        seen = now;
      }
    });
  }
  for (int i = 1; i <= kLast; ++i) snapshot.publish(std::make_shared<const int>(i));
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(went_back);
}

}  // namespace
}  // namespace funcgate::base
