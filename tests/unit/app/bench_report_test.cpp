#include "app/bench/bench_report.h"

#include <gtest/gtest.h>

namespace funcgate::app::bench {
namespace {

constexpr std::int64_t kMs = 1'000'000;

class Report : public testing::Test {
 protected:
  Report() {
    options_.url = "http://127.0.0.1:8089/x";
    plan_.request.method = "GET";
    plan_.credential = "HTTP Basic";
    for (int i = 1; i <= 1000; ++i) result_->latency.record(i * kMs / 10);
    result_->requests = 1002;
    result_->succeeded = 990;
    result_->statuses[200] = 990;
    result_->statuses[401] = 10;
    result_->timed_out = 2;
    result_->received_bytes = 2'500'000;
    result_->began_ns = 5'000 * kMs;
    result_->ended_ns = 7'000 * kMs;
  }
  BenchReport report() const { return {options_, plan_, "127.0.0.1:8089", *result_}; }
  BenchOptions options_;
  BenchPlan plan_;
  std::unique_ptr<http::LoadResult> result_ = std::make_unique<http::LoadResult>();
};

TEST_F(Report, ProgramsGetCountsAndUnitsInTheNames) {
  const base::json::object out = report_json(report());
  EXPECT_EQ(out.at("requests").to_number<int>(), 1002);
  EXPECT_EQ(out.at("succeeded").to_number<int>(), 990);
  EXPECT_EQ(out.at("failed").to_number<int>(), 12);
  EXPECT_EQ(out.at("elapsedMilliseconds").to_number<int>(), 2000);
  EXPECT_DOUBLE_EQ(out.at("requestsPerSecond").to_number<double>(), 501);
  EXPECT_EQ(out.at("receivedBytesPerSecond").to_number<int>(), 1'250'000);
  EXPECT_EQ(base::to_json(out.at("statuses")), R"([{"status":200,"count":990},{"status":401,"count":10}])");
  EXPECT_EQ(base::to_json(out.at("errors")), R"({"connect":0,"lost":0,"timeout":2,"malformed":0})");
  const auto us = [&](const char* name) { return out.at("latency").as_object().at(name).to_number<double>(); };
  EXPECT_EQ(us("minMicroseconds"), 100);
  EXPECT_EQ(us("maxMicroseconds"), 100'000);
  EXPECT_NEAR(us("meanMicroseconds"), 50'050, 1);
  EXPECT_NEAR(us("p50Microseconds"), 50'000, 50'000 / 128.0 + 1);
  EXPECT_NEAR(us("p99Microseconds"), 99'000, 99'000 / 128.0 + 1);
  EXPECT_TRUE(out.at("wantedRequestsPerSecond").is_null());
  EXPECT_TRUE(out.at("firstError").is_null());
}

TEST_F(Report, PeopleGetLines) {
  result_->first_problem = "no \x1b[2J answer";
  const std::string text = report_text(report());
  for (const char* line :
       {"address     GET http://127.0.0.1:8089/x (127.0.0.1:8089)\n", "requests    1,002  501.0/s\n", "succeeded   990\n",
        "failed      12\n", "received    2.5 MB  1.2 MB/s\n", "STATUS  ANSWERS\n200     990\n401     10\n", "timed out   2  ",
        "16 connections, 1 thread, keep-alive"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("lost"), std::string::npos);
}

TEST_F(Report, SuccessIsEveryRequestAnsweredAsExpected) {
  EXPECT_FALSE(report().all_succeeded());
  result_->requests = result_->succeeded = 990;
  result_->timed_out = 0;
  EXPECT_TRUE(report().all_succeeded());
  options_.requests = 991;
  EXPECT_FALSE(report().all_succeeded()) << "one was not sent";
  options_.requests = 990;
  EXPECT_TRUE(report().all_succeeded());
  result_->connect_errors = 1;
  EXPECT_FALSE(report().all_succeeded());
  result_->connect_errors = 0;
  result_->due_but_not_sent = 1;
  EXPECT_FALSE(report().all_succeeded()) << "the rate was not reached";
  *result_ = {};
  options_.requests.reset();
  EXPECT_FALSE(report().all_succeeded()) << "nothing was asked";
}

TEST_F(Report, WithoutARequestNothingIsDividedByZero) {
  *result_ = {};
  const base::json::object out = report_json(report());
  EXPECT_EQ(out.at("requestsPerSecond").to_number<double>(), 0);
  EXPECT_FALSE(report_text(report()).empty());
}

}  // namespace
}  // namespace funcgate::app::bench
