#include "base/clock.h"

#include <gtest/gtest.h>

namespace funcgate::base {
namespace {

struct TimeRow {
  const char* what;
  std::string_view text;
  WallMs time;
};

class GoodTime : public testing::TestWithParam<TimeRow> {};

TEST_P(GoodTime, IsRead) {
  const auto parsed = parse_rfc3339(GetParam().text);
  ASSERT_TRUE(parsed.ok()) << GetParam().what;
  EXPECT_EQ(*parsed, GetParam().time) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(Table, GoodTime,
                         testing::Values(TimeRow{"the epoch", "1970-01-01T00:00:00Z", 0},
                                         TimeRow{"milliseconds", "2026-03-02T09:15:00.120Z", 1772442900120},
                                         TimeRow{"one digit of a second", "2026-03-02T09:15:00.1Z", 1772442900100},
                                         TimeRow{"nanoseconds are cut", "2026-03-02T09:15:00.120999999Z", 1772442900120},
                                         TimeRow{"an offset to the east", "2026-03-02T11:15:00+02:00", 1772442900000},
                                         TimeRow{"an offset to the west with minutes", "2026-03-02T05:45:00-03:30",
                                                 1772442900000},
                                         TimeRow{"lower case letters", "2026-03-02t09:15:00z", 1772442900000},
                                         TimeRow{"a blank between date and time", "2026-03-02 09:15:00Z", 1772442900000},
                                         TimeRow{"before the epoch", "1969-12-31T23:59:59.999Z", -1},
                                         TimeRow{"29 February of a leap year", "2024-02-29T00:00:00Z", 1709164800000},
                                         TimeRow{"a leap second counts on", "2016-12-31T23:59:60Z", 1483228800000}));

TEST(BadTime, IsRefusedAndNamesTheForm) {
  for (std::string_view bad : {"",
                               "2026",
                               "2026-03-02",
                               "2026-03-02T09:15:00",
                               "2026-03-02T09:15Z",
                               "2026-13-01T00:00:00Z",
                               "2026-02-29T00:00:00Z",
                               "2026-00-10T00:00:00Z",
                               "2026-01-32T00:00:00Z",
                               "2026-03-02T24:00:00Z",
                               "2026-03-02T09:60:00Z",
                               "2026-03-02T09:15:61Z",
                               "2026-03-02T09:15:00.Z",
                               "2026-03-02T09:15:00+0200",
                               "2026-03-02T09:15:00+24:00",
                               "2026-03-02T09:15:00+02:60",
                               "2026-03-02T09:15:00Z ",
                               " 2026-03-02T09:15:00Z",
                               "2026/03/02T09:15:00Z",
                               "+026-03-02T09:15:00Z",
                               "2026-03-02T09:15:00 Z"}) {
    const auto parsed = parse_rfc3339(bad);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.error().code, Code::InvalidArgument);
    EXPECT_NE(parsed.error().message.find("time zone"), std::string::npos);
  }
}

TEST(FormatTime, IsUtcWithThreeDigitsAndReadsBack) {
  EXPECT_EQ(format_rfc3339(1772442900120), "2026-03-02T09:15:00.120Z");
  EXPECT_EQ(format_rfc3339(-1), "1969-12-31T23:59:59.999Z");
  for (WallMs time : {WallMs{0}, WallMs{-1}, WallMs{951782399999}, WallMs{4102444800000}, WallMs{-86400001}}) {
    EXPECT_EQ(parse_rfc3339(format_rfc3339(time)).value(), time);
  }
}

TEST(FormatTime, HttpDateIsTheOneOfTheRfc) {
  EXPECT_EQ(format_http_date(784111777000), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(format_http_date(1772442900999), "Mon, 02 Mar 2026 09:15:00 GMT");
}

TEST(SystemClock, DoesNotGoBack) {
  const SystemClock clock;
  const SteadyNs first = clock.steady_ns();
  EXPECT_LE(first, clock.steady_ns());
  EXPECT_GT(clock.wall_ms(), 1'700'000'000'000);
}

}  // namespace
}  // namespace funcgate::base
