#include "service/admin/explanations.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "support/fake_clock.h"

namespace funcgate::service {
namespace {

Explanation refusal(const std::string& trace, base::WallMs time_ms) {
  Explanation out;
  out.trace_id = trace;
  out.api_id = "quote";
  out.time_ms = time_ms;
  out.reason = domain::Reason::BasicPassword;
  out.steps.push_back({"partner-basic", "httpBasic", "rejected", domain::Reason::BasicPassword, ""});
  return out;
}

TEST(Explanations, AreFoundByTraceIdForADay) {
  test::FakeClock clock;
  Explanations kept(clock);
  kept.note(refusal("TRACE-1", clock.wall_ms()));
  ASSERT_TRUE(kept.find("TRACE-1").has_value());
  EXPECT_FALSE(kept.find("TRACE-2").has_value());
  clock.advance_ms(Explanations::kKeptMs + 1);
  EXPECT_FALSE(kept.find("TRACE-1").has_value());
}

TEST(Explanations, TheOldestGoWhenThereAreTooMany) {
  test::FakeClock clock;
  Explanations kept(clock);
  for (std::size_t i = 0; i < Explanations::kKeptMax + 2; ++i) kept.note(refusal(fmt::format("TRACE-{}", i), clock.wall_ms()));
  EXPECT_FALSE(kept.find("TRACE-0").has_value());
  EXPECT_FALSE(kept.find("TRACE-1").has_value());
  EXPECT_TRUE(kept.find("TRACE-2").has_value());
  EXPECT_EQ(kept.find(fmt::format("TRACE-{}", Explanations::kKeptMax + 1))->trace_id,
            fmt::format("TRACE-{}", Explanations::kKeptMax + 1));
}

TEST(Explanations, ARepeatedTraceIdTellsOfTheNewestAndSurvivesTheOldOne) {
  test::FakeClock clock;
  Explanations kept(clock);
  kept.note(refusal("TRACE-1", clock.wall_ms()));
  Explanation second = refusal("TRACE-1", clock.wall_ms());
  second.api_id = "other";
  kept.note(second);
  EXPECT_EQ(kept.find("TRACE-1")->api_id, "other");
  for (std::size_t i = 0; i + 1 < Explanations::kKeptMax; ++i) kept.note(refusal(fmt::format("X-{}", i), clock.wall_ms()));
  EXPECT_EQ(kept.find("TRACE-1")->api_id, "other");
}

TEST(Explanations, WhatACallerChoosesIsCut) {
  test::FakeClock clock;
  Explanations kept(clock);
  Explanation long_one = refusal("TRACE-1", clock.wall_ms());
  long_one.path.assign(100'000, 'p');
  long_one.steps.resize(1000);
  kept.note(long_one);
  EXPECT_LE(kept.find("TRACE-1")->path.size(), 256u);
  EXPECT_LE(kept.find("TRACE-1")->steps.size(), 32u);
}

TEST(Explanations, AsJsonNameTheCauseOfEachStep) {
  test::FakeClock clock;
  const auto out = to_json(refusal("TRACE-1", clock.wall_ms()));
  EXPECT_EQ(out.at("reason"), "basic.password");
  EXPECT_EQ(out.at("time"), base::json::value(base::format_rfc3339(clock.wall_ms())));
  const auto& step = out.at("steps").as_array().at(0).as_object();
  EXPECT_EQ(step.at("configuration"), "partner-basic");
  EXPECT_EQ(step.at("verdict"), "rejected");
}

}  // namespace
}  // namespace funcgate::service
