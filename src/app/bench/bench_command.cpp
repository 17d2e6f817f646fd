#include "app/bench/bench_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <optional>

#include "app/bench/bench_report.h"
#include "app/bench/digest_requests.h"
#include "app/cli/api_client.h"
#include "app/cli/output.h"
#include "base/random.h"
#include "http/client/load_generator.h"

namespace funcgate::app::bench {
namespace {

using base::Result;

constexpr double kNsPerSecond = 1e9;
constexpr std::string_view kExamples = R"(Examples:
  funcgate bench http://127.0.0.1:8089/api/v1/func-api/hello/s
  funcgate bench http://127.0.0.1:8089/api/v1/func-api/total/s --body '{"a": 2, "b": 3}' --basic-file mia.txt
  funcgate bench https://gate.example/api/v1/func-api/total/s --body @call.json --key-file key --rate 200 --allow-remote)";

// Written by the signal handler; lock-free.
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_interrupt(int) { interrupted.store(true, std::memory_order_relaxed); }

// The first Ctrl-C ends the load, the second one the program.
void take_interrupts() {
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESETHAND;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

base::SteadyNs to_ns(double seconds) { return std::llround(seconds * kNsPerSecond); }

http::LoadPlan load_plan(const BenchOptions& options, const BenchPlan& plan, const boost::asio::ip::tcp::endpoint& endpoint,
                         const http::ClientTls* tls) {
  http::LoadPlan load;
  load.endpoint = endpoint;
  load.tls = tls;
  load.connections = static_cast<std::size_t>(options.connections);
  load.threads = static_cast<std::size_t>(options.threads);
  load.keep_alive = options.keep_alive;
  load.of_head = plan.request.method == "HEAD";
  load.rate_per_second = options.rate_per_second;
  if (options.requests) load.requests = static_cast<std::uint64_t>(*options.requests);
  load.duration_ns = options.requests ? 0 : to_ns(options.duration_s);
  load.timeout_ns = to_ns(options.timeout_s);
  load.expected_status = options.expected_status;
  return load;
}

// On a terminal the line is written over itself, and at last cleared.
class ProgressLine {
 public:
  explicit ProgressLine(bool wanted) : wanted_(wanted && ::isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() {
    if (written_) fmt::print(stderr, "\r\x1b[K");
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  void show(const http::LoadProgress& progress) {
    if (!wanted_) return;
    fmt::print(stderr, "\r{}\x1b[K", progress_text(progress));
    std::fflush(stderr);
    written_ = true;
  }

 private:
  bool wanted_, written_ = false;
};

void print_report(const BenchReport& report) {
  if (report.options.output == "table") {
    fmt::print("{}", report_text(report));
  } else {
    cli::print(cli::parse_format(report.options.output), report_json(report));
  }
  std::fflush(stdout);
}

Result<int> make_and_report(const BenchOptions& options) {
  TRY(const BenchPlan plan, make_plan(options));
  TRY(const auto endpoints, http::resolve(plan.url));
  for (const auto& endpoint : endpoints) TRY_DONE(check_remote(options, plan, endpoint));
  std::optional<http::ClientTls> tls;
  if (plan.url.encrypted) {
    TRY(tls, http::ClientTls::make(options.ca_file, plan.url.host));
  }
  const http::ClientTls* const shared_tls = tls ? &*tls : nullptr;
  TRY(const auto endpoint, http::find_reachable(endpoints, shared_tls, to_ns(options.timeout_s)));
  if (!http::is_loopback(endpoint.address()))
    fmt::print(stderr, "making a load on {} ({})\n", plan.url.host, http::endpoint_text(endpoint));

  http::LoadPlan load = load_plan(options, plan, endpoint, shared_tls);
  const std::string bare = plan.request.whole();
  base::SystemRandom random;
  load.make_source = [&]() -> std::unique_ptr<http::RequestSource> {
    if (plan.digest) return std::make_unique<DigestRequests>(plan.request, bare, *plan.digest, random);
    return std::make_unique<http::FixedRequest>(bare);
  };
  take_interrupts();
  std::optional<ProgressLine> line(options.output == "table");
  auto result = http::make_load(load, interrupted, [&](const http::LoadProgress& progress) { line->show(progress); });
  line.reset();
  if (!result.ok()) return std::move(result).error();
  // A load that was broken off has set the flag, too.
  const bool by_signal = interrupted.load(std::memory_order_relaxed) && !result->broken_off;
  const BenchReport report{options, plan, http::endpoint_text(endpoint), *result, by_signal};
  if (result->requests > 0 || !result->broken_off) print_report(report);
  if (result->broken_off) return *result->broken_off;
  return report.all_succeeded() ? 0 : 1;
}

}  // namespace

void add_options(CLI::App& command, BenchOptions& options) {
  command.add_option("URL", options.url, "Address of the API, as http://127.0.0.1:8089/api/v1/func-api/hello/s")->required();
  command.add_option("-c,--connections", options.connections, "Connections, 1 to 10000")->capture_default_str();
  command.add_option("--threads", options.threads, "Threads that share them, 1 to 64")->capture_default_str();
  CLI::Option* const duration =
      command.add_option("-d,--duration", options.duration_s, "Seconds, 0.1 to 3600")->capture_default_str();
  command.add_option("-n,--requests", options.requests, "End after this many requests instead")->excludes(duration);
  command.add_option("--rate", options.rate_per_second,
                     "Requests per second, due at fixed times whether or not earlier ones are answered; latency counts from when "
                     "they were due");
  command.add_option("--timeout", options.timeout_s, "Seconds to wait for a connection and for each answer, 0.1 to 600")
      ->capture_default_str();
  command.add_option("--method", options.method, "Method [GET, or POST with a body]");
  command.add_option("--body", options.body, "Body of each request: the text, or @FILE")->type_name("TEXT|@FILE");
  command.add_option("--content-type", options.content_type, "Of the body [application/json]");
  command.add_option("--header", options.headers, "Header field as 'Name: value'; may be repeated")
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--expect", options.expected_status, "Status that counts as success [any 2xx]");
  command.add_flag("--keep-alive,!--no-keep-alive", options.keep_alive,
                   "Ask again on the same connection, or open one each time");
  command.add_option("-o,--output", options.output, "What is printed")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
  command.add_option("--key-file", options.key_file, "File with an API key; - is standard input, here and below");
  command.add_option("--basic-file", options.basic_file, "File with user:password, for HTTP Basic");
  command.add_option("--digest-file", options.digest_file, "File with user:password, for HTTP Digest");
  command.add_option("--fixed-field", options.fixed_field, "header:NAME or query:NAME, where the value of --value-file goes");
  command.add_option("--value-file", options.value_file, "File with the value of the fixed field");
  command.add_option("--ca-file", options.ca_file, "Certificates (PEM) to trust instead of this machine's");
  command.add_flag("--allow-remote", options.allow_remote, "Make the load on another machine, whose owner agrees");
  command.add_flag("--allow-plain-http", options.allow_plain_http, "Let credentials travel unencrypted to another machine");
  command.footer(std::string(kExamples));
}

int run(const BenchOptions& options) {
  // Before the first connection, which a TLS server may end in the middle of our part of the handshake: TLS writes without a flag
  // that says that nobody may be there.
  std::signal(SIGPIPE, SIG_IGN);
  const auto code = make_and_report(options);
  return code.ok() ? *code : cli::report(code.error());
}

}  // namespace funcgate::app::bench
