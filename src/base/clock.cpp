#include "base/clock.h"

#include <fmt/format.h>

#include <ctime>

#include "base/text.h"

namespace funcgate::base {

WallMs SystemClock::wall_ms() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

SteadyNs SystemClock::steady_ns() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

namespace {

struct Date {
  int year;
  unsigned month, day;
};

Date date_of(std::int64_t days) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  return {static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day())};
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Every answer carries two times: this is several times as fast as a format string.
void put_digits(char* to, unsigned number, std::size_t count) {
  for (; count > 0; number /= 10) to[--count] = static_cast<char>('0' + number % 10);
}

constexpr std::int64_t kDayMs = 86'400'000;

Error bad_time(std::string_view text) {
  std::string shown(text.substr(0, 40));
  return Error{Code::InvalidArgument, "must be a date-time with time zone, e.g. 2027-01-01T00:00:00Z", shown};
}

}  // namespace

void append_rfc3339(std::string& out, WallMs time) {
  const std::int64_t days = floor_div(time, kDayMs);
  const auto ms = static_cast<unsigned>(time - days * kDayMs);
  const Date date = date_of(days);
  char text[] = "YYYY-MM-DDThh:mm:ss.mmmZ";
  put_digits(text + 5, date.month, 2);
  put_digits(text + 8, date.day, 2);
  put_digits(text + 11, ms / 3'600'000, 2);
  put_digits(text + 14, ms / 60'000 % 60, 2);
  put_digits(text + 17, ms / 1000 % 60, 2);
  put_digits(text + 20, ms % 1000, 3);
  if (date.year < 0 || date.year > 9999) {
    fmt::format_to(std::back_inserter(out), "{:04}{}", date.year, text + 4);
    return;
  }
  put_digits(text, static_cast<unsigned>(date.year), 4);
  out.append(text, sizeof text - 1);
}

std::string format_rfc3339(WallMs time) {
  std::string out;
  append_rfc3339(out, time);
  return out;
}

Result<WallMs> parse_rfc3339(std::string_view text) {
  auto number = [&](std::size_t at, std::size_t length) -> std::optional<std::int64_t> {
    if (at + length > text.size()) return std::nullopt;
    return parse_digits(text.substr(at, length));
  };
  const auto year = number(0, 4), month = number(5, 2), day = number(8, 2);
  const auto hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (!year || !month || !day || !hour || !minute || !second || text.size() < 20) return bad_time(text);
  const bool separators = text[4] == '-' && text[7] == '-' && (text[10] == 'T' || text[10] == 't' || text[10] == ' ') &&
                          text[13] == ':' && text[16] == ':';
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(*year)},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!separators || !date.ok() || *hour > 23 || *minute > 59 || *second > 60) return bad_time(text);
  std::size_t at = 19;
  std::int64_t ms = 0;
  if (text[at] == '.') {
    std::int64_t scale = 100;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      ms += (text[at] - '0') * scale;
      scale /= 10;
    }
    if (at == first) return bad_time(text);
  }
  std::string_view zone = text.substr(at);
  std::int64_t offset_minutes = 0;
  if (zone != "Z" && zone != "z") {
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return bad_time(text);
    const auto zone_hour = parse_digits(zone.substr(1, 2)), zone_minute = parse_digits(zone.substr(4, 2));
    if (!zone_hour || !zone_minute || *zone_hour > 23 || *zone_minute > 59) return bad_time(text);
    offset_minutes = (*zone_hour * 60 + *zone_minute) * (zone[0] == '-' ? -1 : 1);
  }
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  return days * kDayMs + (*hour * 60 + *minute - offset_minutes) * 60'000 + *second * 1000 + ms;
}

std::string format_http_date(WallMs time) {
  static constexpr const char* kDays[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::int64_t days = floor_div(time, kDayMs);
  const std::int64_t ms = time - days * kDayMs;
  const Date date = date_of(days);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[((days % 7) + 7) % 7], date.day, kMonths[date.month - 1],
                     date.year, ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60);
}

}  // namespace funcgate::base
