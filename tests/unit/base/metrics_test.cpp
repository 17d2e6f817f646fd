#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>

namespace funcgate::base {
namespace {

using testing::HasSubstr;

TEST(Metrics, TheSameNameAndLabelsAreTheSameSeries) {
  Metrics metrics;
  Counter& a = metrics.counter("calls_total", "Calls.", {{"api", "a"}});
  Counter& b = metrics.counter("calls_total", "Calls.", {{"api", "b"}});
  EXPECT_NE(&a, &b);
  EXPECT_EQ(&a, &metrics.counter("calls_total", "Calls.", {{"api", "a"}}));
  a.add(2);
  b.add();
  EXPECT_EQ(metrics.render(),
            "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total{api=\"a\"} 2\ncalls_total{api=\"b\"} 1\n");
}

TEST(Metrics, LabelValuesCannotEscapeTheirQuotes) {
  Metrics metrics;
  metrics.counter("calls_total", "Calls.", {{"api", "a\"} 9\n\\x"}}).add();
  EXPECT_THAT(metrics.render(), HasSubstr("calls_total{api=\"a\\\"} 9\\n\\\\x\"} 1\n"));
  const std::string text = metrics.render();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST(Metrics, NoInputGrowsTheNumberOfSeries) {
  Metrics metrics;
  for (std::size_t i = 0; i < Metrics::kSeriesMax + 50; ++i) {
    const std::string api = std::to_string(i);
    metrics.counter("calls_total", "Calls.", {{"api", api}}).add();
  }
  const std::string text = metrics.render();
  EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), 2 + Metrics::kSeriesMax + 1);
  EXPECT_THAT(text, HasSubstr("calls_total{api=\"other\"} 50\n"));
  metrics.counter("calls_total", "Calls.", {{"api", "0"}}).add();
  EXPECT_THAT(metrics.render(), HasSubstr("calls_total{api=\"0\"} 2\n")) << "known series stay";
}

TEST(Metrics, HistogramBucketsAreCumulative) {
  Metrics metrics;
  Histogram& seconds = metrics.histogram("run_seconds", "Run time.", {{"api", "a"}});
  seconds.observe_ns(100'000);          // exactly the first limit belongs to it
  seconds.observe_ns(100'001'000);      // just above 0.1 s
  seconds.observe_ns(200'000'000'000);  // above all limits
  seconds.observe_ns(-5);               // a clock that was set; never negative
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr("# TYPE run_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("run_seconds_bucket{api=\"a\",le=\"0.0001\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("run_seconds_bucket{api=\"a\",le=\"0.1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("run_seconds_bucket{api=\"a\",le=\"0.25\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("run_seconds_bucket{api=\"a\",le=\"100\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("run_seconds_bucket{api=\"a\",le=\"+Inf\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("run_seconds_sum{api=\"a\"} 200.100101\n"));
  EXPECT_THAT(text, HasSubstr("run_seconds_count{api=\"a\"} 4\n"));
}

TEST(Metrics, GaugesAreReadAtEachScrape) {
  Metrics metrics;
  double value = 1;
  metrics.gauge("workers", "Workers.", {}, [&] { return value; });
  EXPECT_THAT(metrics.render(), HasSubstr("# TYPE workers gauge\nworkers 1\n"));
  value = 2.5;
  EXPECT_THAT(metrics.render(), HasSubstr("workers 2.5\n"));
}

TEST(Metrics, GaugesAreBoundedLikeCounters) {
  Metrics metrics;
  for (std::size_t i = 0; i < Metrics::kSeriesMax + 50; ++i) {
    metrics.gauge("size", "Sizes.", {{"api", std::to_string(i)}}, [i] { return static_cast<double>(i); });
  }
  const std::string text = metrics.render();
  EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), 2 + Metrics::kSeriesMax + 1);
  EXPECT_THAT(text, HasSubstr("size{api=\"other\"} " + std::to_string(Metrics::kSeriesMax + 49) + "\n"));
  metrics.gauge("size", "Sizes.", {{"api", "0"}}, [] { return 7.0; });
  EXPECT_THAT(metrics.render(), HasSubstr("size{api=\"0\"} 7\n")) << "known series stay";
}

TEST(Metrics, NoAddIsLostBetweenThreads) {
  Metrics metrics;
  Counter& counter = metrics.counter("calls_total", "Calls.");
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kMetricShards + 2; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) counter.add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 10'000 * (kMetricShards + 2));
}

}  // namespace
}  // namespace funcgate::base
