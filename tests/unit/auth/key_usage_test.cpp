#include "auth/key_usage.h"

#include <gtest/gtest.h>

#include <thread>

#include "support/counting_allocator.h"
#include "support/fake_clock.h"

namespace funcgate::test {
namespace {

using auth::KeyUsage;
using auth::KeyUsageReport;

constexpr std::int64_t kHourMs = 3'600'000;
constexpr base::WallMs kHour = kStartMs / kHourMs * kHourMs;  // the start of an hour
const domain::Address kHere = *domain::Address::parse("203.0.113.7"), kThere = *domain::Address::parse("2001:db8::7");

std::string key_id(int number) { return "key-aaaaaaaaaaaa" + std::to_string(1000 + number); }

TEST(KeyUsage, KeepsTheNewestUseOfEachKeyOverAllThreads) {
  KeyUsage usage(2);
  usage.table(0).note(key_id(1), kHour + 10, kHere, "basket");
  usage.table(1).note(key_id(1), kHour + 30, kThere, "quote");
  usage.table(0).note(key_id(1), kHour + 20, kHere, "basket");
  usage.table(1).note(key_id(2), kHour + 5, kHere, std::string(100, 'x'));
  const KeyUsageReport report = usage.drain();
  ASSERT_EQ(report.last_uses.size(), 2u);
  EXPECT_EQ(report.last_uses[0].key_id, key_id(1));
  EXPECT_EQ(report.last_uses[0].time_ms, kHour + 30);
  EXPECT_EQ(report.last_uses[0].address, kThere);
  EXPECT_EQ(report.last_uses[0].api, "quote");
  EXPECT_EQ(report.last_uses[1].api, std::string(64, 'x'));
  EXPECT_EQ(report.dropped, 0u);
  const KeyUsageReport empty = usage.drain();
  EXPECT_TRUE(empty.last_uses.empty() && empty.first_uses.empty());
}

TEST(KeyUsage, TellsTheFirstUseOfAKeyInEachHourOnce) {
  KeyUsage usage(2);
  usage.table(0).note(key_id(1), kHour + 20, kHere, "late");
  usage.table(1).note(key_id(1), kHour + 10, kThere, "early");
  usage.table(1).note(key_id(2), kHour + 15, kHere, "other");
  KeyUsageReport report = usage.drain();
  ASSERT_EQ(report.first_uses.size(), 2u);
  EXPECT_EQ(report.first_uses[0].time_ms, kHour + 10);
  EXPECT_EQ(report.first_uses[0].api, "early");
  EXPECT_EQ(report.first_uses[0].address, kThere);
  EXPECT_EQ(report.first_uses[1].key_id, key_id(2));
  usage.table(0).note(key_id(1), kHour + kHourMs - 1, kHere, "again");
  usage.table(0).note(key_id(1), kHour + kHourMs, kHere, "next");
  report = usage.drain();
  ASSERT_EQ(report.first_uses.size(), 1u) << "an hour that ends between two drains is no other hour";
  EXPECT_EQ(report.first_uses[0].time_ms, kHour + kHourMs);
  EXPECT_EQ(report.last_uses[0].api, "next");
  usage.table(0).note(key_id(1), kHour + 30, kHere, "clock set back");
  EXPECT_TRUE(usage.drain().first_uses.empty());
}

TEST(KeyUsage, TheFirstUseOfAnHourIsOneWhateverTheKeyWasUsedFor) {
  KeyUsage usage(1);
  usage.table(0).note(key_id(1), kHour + 20, kHere, "quote");
  usage.management().note(key_id(1), kHour + 10, kThere, "management");
  usage.management().note(key_id(2), kHour + 30, kThere, "management");
  KeyUsageReport report = usage.drain();
  ASSERT_EQ(report.first_uses.size(), 2u);
  EXPECT_EQ(report.first_uses[0].key_id, key_id(1));
  EXPECT_EQ(report.first_uses[0].plane, auth::KeyPlane::Management);
  EXPECT_EQ(report.first_uses[0].address, kThere);
  EXPECT_EQ(report.first_uses[1].key_id, key_id(2));
  ASSERT_EQ(report.last_uses.size(), 2u);
  EXPECT_EQ(report.last_uses[0].api, "quote");
  EXPECT_EQ(report.last_uses[0].plane, auth::KeyPlane::Calls);
  ASSERT_EQ(report.first_calls.size(), 1u);
  EXPECT_EQ(report.first_calls[0].time_ms, kHour + 20);
  // Told or not: the first call since the last drain.
  usage.table(0).note(key_id(1), kHour + 40, kHere, "quote");
  usage.table(0).note(key_id(1), kHour + 50, kHere, "quote");
  usage.management().note(key_id(1), kHour + kHourMs, kHere, "management");
  report = usage.drain();
  ASSERT_EQ(report.first_calls.size(), 1u);
  EXPECT_EQ(report.first_calls[0].time_ms, kHour + 40);
  ASSERT_EQ(report.first_uses.size(), 1u);
  EXPECT_EQ(report.first_uses[0].time_ms, kHour + kHourMs);
}

TEST(KeyUsage, WhatFindsNoRoomIsDroppedAndCounted) {
  KeyUsage usage(1, 16);
  for (int i = 0; i < 100; ++i) usage.table(0).note(key_id(i), kHour, kHere, "basket");
  const KeyUsageReport report = usage.drain();
  EXPECT_LE(report.last_uses.size(), 16u);
  EXPECT_EQ(report.last_uses.size() + report.dropped, 100u);
  usage.table(0).note("", kHour, kHere, "basket");
  usage.table(0).note(std::string(25, 'k'), kHour, kHere, "basket");
  EXPECT_TRUE(usage.drain().last_uses.empty());
}

TEST(KeyUsage, SaysWhenItFillsAndGivesMoreRoomTheNextTime) {
  KeyUsage usage(2, 16);
  for (int i = 0; i < 8; ++i) usage.table(1).note(key_id(i), kHour, kHere, "basket");
  EXPECT_FALSE(usage.is_filling());
  for (int i = 0; i < 100; ++i) usage.table(1).note(key_id(i), kHour, kHere, "basket");
  EXPECT_TRUE(usage.is_filling());
  EXPECT_GT(usage.drain().dropped, 0u);
  EXPECT_FALSE(usage.is_filling());
  // As much as before, hour after hour: the room grows until it is enough.
  for (int hour = 1; hour <= 4; ++hour) {
    for (int i = 0; i < 100; ++i) usage.table(1).note(key_id(i), kHour + hour * kHourMs, kHere, "basket");
    const KeyUsageReport report = usage.drain();
    if (hour < 4) continue;
    EXPECT_EQ(report.dropped, 0u);
    EXPECT_EQ(report.first_uses.size(), 100u);
  }
}

TEST(KeyUsage, NotingAllocatesNothing) {
  if (!can_count_allocations()) GTEST_SKIP() << "a sanitizer has its own operator new";
  KeyUsage usage(1);
  const std::string id = key_id(1);
  const AllocationCount count;
  usage.table(0).note(id, kHour, kHere, "basket");
  usage.table(0).note(id, kHour + 1, kThere, "quote");
  EXPECT_EQ(count.value(), 0u);
}

TEST(KeyUsage, LosesNothingWhileItIsDrained) {
  KeyUsage usage(2);
  constexpr int kNotes = 20'000;
  std::int64_t newest[2] = {0, 0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 1; i <= kNotes; ++i) usage.table(t).note(key_id(static_cast<int>(t)), kHour + i, kHere, "basket");
    });
  }
  const auto collect = [&] {
    const KeyUsageReport report = usage.drain();
    for (const auto& use : report.last_uses) {
      std::int64_t& known = newest[use.key_id == key_id(1) ? 1 : 0];
      EXPECT_LT(known, use.time_ms);
      known = use.time_ms;
    }
    EXPECT_EQ(report.dropped, 0u);
  };
  for (int i = 0; i < 50; ++i) collect();
  for (auto& thread : threads) thread.join();
  collect();
  EXPECT_EQ(newest[0], kHour + kNotes);
  EXPECT_EQ(newest[1], kHour + kNotes);
}

}  // namespace
}  // namespace funcgate::test
