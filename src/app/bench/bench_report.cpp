#include "app/bench/bench_report.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <vector>

#include "app/cli/output.h"

namespace funcgate::app::bench {
namespace {

namespace json = base::json;

constexpr double kNsPerSecond = 1e9, kNsPerMsDouble = 1e6;
constexpr std::int64_t kNsPerUs = 1000;

json::string text(std::string_view content) { return json::string(content.data(), content.size()); }

double per_second(std::uint64_t count, base::SteadyNs elapsed_ns) {
  return elapsed_ns <= 0 ? 0 : static_cast<double>(count) * kNsPerSecond / static_cast<double>(elapsed_ns);
}

// As an integer wherever it is one: not every reader of YAML takes 2E2 for a number.
json::value number(double value) {
  return std::floor(value) == value ? json::value(static_cast<std::int64_t>(value)) : json::value(value);
}

// "12,345,678"
std::string grouped(std::uint64_t number) {
  std::string out = std::to_string(number);
  for (std::size_t at = out.size(); at > 3;) out.insert(at -= 3, ",");
  return out;
}

std::string bytes_text(double bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < kUnits.size(); ++unit) bytes /= 1000;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, kUnits[unit]);
}

std::string ms_text(std::int64_t ns) { return fmt::format("{:.3f}", static_cast<double>(ns) / kNsPerMsDouble); }

json::object latency_json(const http::LatencyHistogram& latency) {
  const auto us = [](std::int64_t ns) { return (ns + kNsPerUs / 2) / kNsPerUs; };
  return {{"minMicroseconds", us(latency.shortest_ns())},     {"meanMicroseconds", us(std::llround(latency.mean_ns()))},
          {"p50Microseconds", us(latency.quantile_ns(0.5))},  {"p90Microseconds", us(latency.quantile_ns(0.9))},
          {"p99Microseconds", us(latency.quantile_ns(0.99))}, {"p999Microseconds", us(latency.quantile_ns(0.999))},
          {"maxMicroseconds", us(latency.longest_ns())}};
}

json::array statuses_json(const http::LoadResult& result) {
  json::array out;
  for (std::size_t status = 0; status < result.statuses.size(); ++status) {
    if (result.statuses[status] > 0) out.push_back(json::object{{"status", status}, {"count", result.statuses[status]}});
  }
  return out;
}

json::object errors_json(const http::LoadResult& result) {
  return {
      {"connect", result.connect_errors}, {"lost", result.lost}, {"timeout", result.timed_out}, {"malformed", result.malformed}};
}

struct Line {
  std::string_view name;
  std::string content;
};

std::string lines_text(const std::vector<Line>& lines) {
  std::string out;
  for (const Line& line : lines) out += fmt::format("{:<12}{}\n", line.name, line.content);
  return out;
}

std::string latency_text(const http::LatencyHistogram& latency) {
  std::string names, values;
  const auto column = [&](std::string_view name, std::int64_t ns) {
    names += fmt::format("{:>10}", name);
    values += fmt::format("{:>10}", ms_text(ns));
  };
  column("p50", latency.quantile_ns(0.5));
  column("p90", latency.quantile_ns(0.9));
  column("p99", latency.quantile_ns(0.99));
  column("p99.9", latency.quantile_ns(0.999));
  column("max", latency.longest_ns());
  column("mean", std::llround(latency.mean_ns()));
  return fmt::format("{:<10}{}\n{:<10}{}\n", "latency", names, "  ms", values);
}

std::string errors_text(const http::LoadResult& result) {
  std::string out;
  const auto line = [&](std::string_view name, std::uint64_t count, std::string_view meaning) {
    if (count > 0) out += fmt::format("{:<12}{}  {}\n", name, grouped(count), meaning);
  };
  line("timed out", result.timed_out, "requests without an answer within --timeout");
  line("lost", result.lost, "requests whose connection ended before their answer did");
  line("malformed", result.malformed, "answers that are no HTTP/1.1");
  line("no connect", result.connect_errors, "attempts to connect that failed");
  line("not sent", result.due_but_not_sent, "requests were due while all connections were busy: the rate was not reached");
  if (!result.first_problem.empty()) out += fmt::format("{:<12}{}\n", "first error", cli::visible(result.first_problem));
  return out;
}

std::string load_text(const BenchReport& report) {
  const BenchOptions& options = report.options;
  std::string out = fmt::format("{} connection{}", options.connections, options.connections == 1 ? "" : "s");
  out += fmt::format(", {} thread{}", options.threads, options.threads == 1 ? "" : "s");
  out += options.keep_alive ? ", keep-alive" : ", a connection for each request";
  if (options.rate_per_second) out += fmt::format(", {} requests/s wanted", *options.rate_per_second);
  return out + fmt::format(", credentials: {}", report.plan.credential);
}

}  // namespace

bool BenchReport::all_succeeded() const {
  if (interrupted || result.broken_off || result.requests == 0 || result.failed() > 0 || result.connect_errors > 0) return false;
  if (result.due_but_not_sent > 0) return false;
  return !options.requests || result.requests == static_cast<std::uint64_t>(*options.requests);
}

json::object report_json(const BenchReport& report) {
  const http::LoadResult& result = report.result;
  const BenchOptions& options = report.options;
  json::object out;
  out["url"] = text(options.url);
  out["address"] = text(report.address);
  out["method"] = text(report.plan.request.method);
  out["credentials"] = text(report.plan.credential);
  out["connections"] = options.connections;
  out["threads"] = options.threads;
  out["keepAlive"] = options.keep_alive;
  out["wantedRequestsPerSecond"] = options.rate_per_second ? number(*options.rate_per_second) : json::value();
  out["elapsedMilliseconds"] = result.elapsed_ns() / base::kNsPerMs;
  out["requests"] = result.requests;
  out["succeeded"] = result.succeeded;
  out["failed"] = result.failed();
  out["requestsPerSecond"] = std::llround(per_second(result.requests, result.elapsed_ns()));
  out["latency"] = latency_json(result.latency);
  out["statuses"] = statuses_json(result);
  out["errors"] = errors_json(result);
  out["dueButNotSent"] = result.due_but_not_sent;
  out["connectionsOpened"] = result.connections_opened;
  out["digestChallenges"] = result.preparations;
  out["repeatedForStaleNonce"] = result.repeated;
  out["sentBytes"] = result.sent_bytes;
  out["receivedBytes"] = result.received_bytes;
  out["receivedBytesPerSecond"] = static_cast<std::uint64_t>(per_second(result.received_bytes, result.elapsed_ns()));
  out["firstError"] = result.first_problem.empty() ? json::value() : json::value(text(result.first_problem));
  out["interrupted"] = report.interrupted;
  return out;
}

std::string report_text(const BenchReport& report) {
  const http::LoadResult& result = report.result;
  const base::SteadyNs elapsed_ns = result.elapsed_ns();
  std::vector<Line> lines;
  lines.push_back(
      {"address", fmt::format("{} {} ({})", report.plan.request.method, cli::visible(report.options.url), report.address)});
  lines.push_back({"load", load_text(report)});
  lines.push_back({"time", fmt::format("{:.2f} s{}", static_cast<double>(elapsed_ns) / kNsPerSecond,
                                       report.interrupted ? ", interrupted" : "")});
  lines.push_back({"requests", fmt::format("{}  {:.1f}/s", grouped(result.requests), per_second(result.requests, elapsed_ns))});
  lines.push_back({"succeeded", grouped(result.succeeded)});
  lines.push_back({"failed", grouped(result.failed())});
  const auto received = static_cast<double>(result.received_bytes);
  lines.push_back(
      {"received", fmt::format("{}  {}/s", bytes_text(received), bytes_text(per_second(result.received_bytes, elapsed_ns)))});
  if (result.repeated > 0)
    lines.push_back({"stale", fmt::format("{} requests repeated with a new nonce", grouped(result.repeated))});
  constexpr cli::Column kColumns[] = {{"STATUS", "status"}, {"ANSWERS", "count"}};
  std::string out = lines_text(lines) + "\n" + latency_text(result.latency) + "\n";
  out += cli::render_table(statuses_json(result), kColumns);
  const std::string errors = errors_text(result);
  return errors.empty() ? out : out + "\n" + errors;
}

std::string progress_text(const http::LoadProgress& progress) {
  return fmt::format("{:>4} s  {} requests  {:.0f}/s  {} failed", progress.elapsed_ns / static_cast<base::SteadyNs>(kNsPerSecond),
                     grouped(progress.requests), per_second(progress.requests, progress.elapsed_ns), grouped(progress.failed));
}

}  // namespace funcgate::app::bench
