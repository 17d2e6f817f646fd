#include "audit/refusal_merger.h"

#include <gtest/gtest.h>

#include "records.h"

namespace funcgate::audit {
namespace {

constexpr std::int64_t kSecondMs = kStartMs / 1000 * 1000;

TEST(RefusalMerger, EqualRefusalsOfASecondAreOneRecord) {
  RefusalMerger merger(10);
  for (int i = 0; i < 500; ++i) {
    domain::CallRecord record = a_refusal("total", domain::Reason::BasicPassword, kSecondMs + i);
    record.trace_id = trace_of(i);
    ASSERT_TRUE(merger.add(std::move(record)));
  }
  EXPECT_TRUE(merger.take(kSecondMs + 999, 10, false).empty()) << "the second is not over";
  EXPECT_TRUE(merger.take(kSecondMs + 1000, 10, false).empty()) << "its last refusals may be on their way";
  ASSERT_TRUE(merger.due_ms().has_value());
  const auto taken = merger.take(*merger.due_ms(), 10, false);
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].count, 500U);
  EXPECT_EQ(taken[0].trace_id, trace_of(0));
  EXPECT_EQ(taken[0].trigger_time_ms, kSecondMs);
  EXPECT_EQ(taken[0].end_time_ms, kSecondMs + 499);
  EXPECT_EQ(merger.size(), 0U);
  EXPECT_FALSE(merger.due_ms().has_value());
}

TEST(RefusalMerger, DifferentOnesStayApart) {
  std::vector<domain::CallRecord> records;
  for (int i = 0; i < 7; ++i) records.push_back(a_refusal("total", domain::Reason::BasicPassword, kSecondMs));
  records[1].address = domain::Address::v4({192, 0, 2, 2});
  records[2].api_id = shared("other");
  records[3].api_id = nullptr;
  records[4].reason = domain::Reason::BasicUserUnknown;
  records[5].caller = a_caller("anna");
  records[6].trigger_time_ms = records[6].end_time_ms = kSecondMs + 1000;
  RefusalMerger merger(100);
  for (auto& record : records) ASSERT_TRUE(merger.add(std::move(record)));
  EXPECT_EQ(merger.size(), 7U);
  EXPECT_EQ(merger.take(kSecondMs + 1100, 100, false).size(), 6U) << "the next second is not over";
  EXPECT_EQ(merger.take(kSecondMs + 1100, 100, true).size(), 1U) << "everything";
}

TEST(RefusalMerger, IsBoundedAndStillMergesWhenFull) {
  RefusalMerger merger(2);
  EXPECT_TRUE(merger.add(a_refusal("a")));
  EXPECT_TRUE(merger.add(a_refusal("b")));
  EXPECT_FALSE(merger.add(a_refusal("c")));
  EXPECT_TRUE(merger.add(a_refusal("a")));
  EXPECT_EQ(merger.size(), 2U);
}

TEST(RefusalMerger, GivesOutNoMoreThanAskedFor) {
  RefusalMerger merger(10);
  for (const char* api : {"a", "b", "c"}) ASSERT_TRUE(merger.add(a_refusal(api)));
  EXPECT_EQ(merger.take(0, 2, true).size(), 2U);
  EXPECT_EQ(merger.size(), 1U);
}

TEST(RefusalMerger, HoldsNothingBackWhenTheClockIsSetBack) {
  RefusalMerger merger(10);
  ASSERT_TRUE(merger.add(a_refusal("a")));
  EXPECT_EQ(merger.take(kSecondMs - 3'600'000, 10, false).size(), 1U);
}

}  // namespace
}  // namespace funcgate::audit
