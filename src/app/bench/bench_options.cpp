#include "app/bench/bench_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/cli/command.h"
#include "base/encoding.h"
#include "base/files.h"
#include "base/text.h"

namespace funcgate::app::bench {
namespace {

using base::Result;
using cli::usage_error;

constexpr std::size_t kBodyBytesMax = 64 << 20;
// HTTP Digest keeps a request for each connection, because each has a nonce of its own.
constexpr std::uint64_t kDigestBytesMax = 1 << 30;

// In the order of the checks: number, bounds, name.
struct Range {
  double value, lowest, highest;
  std::string_view option;
};

base::Status check_numbers(const BenchOptions& options) {
  const auto number = [](std::int64_t value) { return static_cast<double>(value); };
  for (const Range& range :
       {Range{number(options.connections), 1, number(kConnectionsMax), "--connections"},
        Range{number(options.threads), 1, number(kThreadsMax), "--threads"},
        Range{options.duration_s, 0.1, kDurationMaxS, "--duration"}, Range{options.timeout_s, 0.1, kTimeoutMaxS, "--timeout"},
        Range{number(options.requests.value_or(1)), 1, number(kRequestsMax), "--requests"},
        Range{options.rate_per_second.value_or(1), 0.01, kRateMax, "--rate"}}) {
    // Written so that NaN is refused, too.
    if (!(range.value >= range.lowest && range.value <= range.highest))
      return usage_error(fmt::format("{}: give a number from {} to {}", range.option, range.lowest, range.highest));
  }
  if (options.threads > options.connections)
    return usage_error(fmt::format("{} threads have nothing to do with {} connections", options.threads, options.connections));
  if (options.expected_status != 0 && (options.expected_status < 200 || options.expected_status > 599))
    return usage_error("--expect: give a status from 200 to 599");
  return base::kDone;
}

base::Status check_credentials(const BenchOptions& options) {
  int given = 0;
  for (const std::string* file : {&options.key_file, &options.basic_file, &options.digest_file, &options.fixed_field})
    given += file->empty() ? 0 : 1;
  if (given > 1)
    return usage_error("one way to present credentials only: --key-file, --basic-file, --digest-file or --fixed-field");
  if (options.fixed_field.empty() != options.value_file.empty())
    return usage_error("--fixed-field and --value-file belong together: where the value goes, and the file it stands in");
  return base::kDone;
}

// Fields whose values follow from the request, and those that hold credentials.
base::Status check_field_name(std::string_view name) {
  for (const std::string_view own :
       {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer"}) {
    if (base::equals_ignore_case(name, own)) return usage_error(fmt::format("--header {}: this program sets it by itself", name));
  }
  for (const std::string_view secret : {"authorization", "proxy-authorization", "cookie"}) {
    if (base::equals_ignore_case(name, secret)) {
      return usage_error(
          fmt::format("--header {0}: everybody sees the arguments of a program; use --key-file, --basic-file, --digest-file, or "
                      "--fixed-field header:{0} with --value-file",
                      name));
    }
  }
  return base::kDone;
}

struct HeaderField {
  std::string name, value;
};

Result<std::vector<HeaderField>> read_headers(const std::vector<std::string>& lines) {
  std::vector<HeaderField> out;
  for (const std::string& line : lines) {
    const std::size_t colon = line.find(':');
    const std::string_view name = std::string_view(line).substr(0, colon);
    if (colon == std::string::npos || !base::is_token(name))
      return usage_error(fmt::format("--header {}: write it as 'Name: value'", base::printable(line)));
    const std::string_view value = base::trim(std::string_view(line).substr(colon + 1));
    if (base::has_control(value)) return usage_error(fmt::format("--header {}: the value has a control character", name));
    TRY_DONE(check_field_name(name));
    out.push_back({std::string(name), std::string(value)});
  }
  return out;
}

Result<base::SecretString> read_credential(const std::string& file, std::string_view prompt) {
  return cli::read_secret(file == "-" ? std::string() : file, prompt);
}

// "user:password"; the name ends at the first colon (RFC 7617, 2).
Result<Account> read_account(const std::string& file) {
  TRY(const base::SecretString line, read_credential(file, "user:password"));
  const std::string_view text = line.reveal();
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0)
    return usage_error(fmt::format("{} must hold user:password", file == "-" ? "standard input" : file));
  if (base::has_control(text)) return usage_error("a user name or password has no control characters and no second line");
  return Account{std::string(text.substr(0, colon)), base::SecretString(std::string(text.substr(colon + 1)))};
}

Result<std::string> read_body(const std::string& body) {
  if (!body.starts_with('@')) return body;
  return base::read_file(body.substr(1), kBodyBytesMax);
}

void add_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

bool has_field(const std::vector<HeaderField>& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const HeaderField& one) { return base::equals_ignore_case(one.name, name); });
}

Result<std::string> method_of(const BenchOptions& options) {
  if (options.method.empty()) return std::string(options.body.empty() ? "GET" : "POST");
  const std::string method = base::to_upper(options.method);
  if (!base::is_token(method) || method == "CONNECT")
    return usage_error(fmt::format("--method {}: this is no method of a call", base::printable(options.method)));
  return method;
}

// The credential, in `plan` or as one more field. `fields` may get one.
base::Status add_credential(const BenchOptions& options, BenchPlan& plan, std::vector<HeaderField>& fields) {
  plan.credential = "none";
  if (!options.key_file.empty()) {
    TRY(const base::SecretString key, read_credential(options.key_file, "API key"));
    std::string_view token = base::trim(key.reveal());
    if (base::starts_with_ignore_case(token, "bearer ")) token = base::trim(token.substr(7));
    if (base::has_control(token)) return usage_error("an API key is one line");
    fields.push_back({"Authorization", "Bearer " + std::string(token)});
    plan.credential = "API key";
  } else if (!options.basic_file.empty()) {
    TRY(const Account account, read_account(options.basic_file));
    std::string pair = account.name + ":" + std::string(account.password.reveal());
    fields.push_back({"Authorization", "Basic " + base::base64_encode(pair)});
    base::wipe(pair);
    plan.credential = "HTTP Basic";
  } else if (!options.digest_file.empty()) {
    TRY(Account account, read_account(options.digest_file));
    plan.digest = std::move(account);
    plan.credential = "HTTP Digest";
  } else if (!options.fixed_field.empty()) {
    const std::size_t colon = options.fixed_field.find(':');
    const std::string place = options.fixed_field.substr(0, colon);
    const std::string name = colon == std::string::npos ? std::string() : options.fixed_field.substr(colon + 1);
    const bool in_header = place == "header";
    if (name.empty() || (!in_header && place != "query") || (in_header && !base::is_token(name)))
      return usage_error("--fixed-field: write it as header:NAME or query:NAME; a field of the body belongs into --body");
    TRY(const base::SecretString value, read_credential(options.value_file, "value of the fixed field"));
    if (base::has_control(value.reveal())) return usage_error("the value of a fixed field is one line");
    if (in_header) {
      fields.push_back({name, std::string(value.reveal())});
    } else {
      plan.request.target += fmt::format("{}{}={}", plan.url.has_query() ? "&" : "?", base::percent_encode(name),
                                         base::percent_encode(value.reveal()));
    }
    plan.credential = in_header ? "fixed field of the header" : "fixed field of the query";
  }
  return base::kDone;
}

void write_head(const BenchOptions& options, const BenchPlan& plan, const std::vector<HeaderField>& fields, RequestText& out) {
  out.head = fmt::format("{} {} HTTP/1.1\r\n", out.method, out.target);
  add_field(out.head, "Host", plan.url.authority);
  if (!has_field(fields, "User-Agent")) add_field(out.head, "User-Agent", "funcgate-bench/" FUNCGATE_VERSION);
  if (!has_field(fields, "Accept")) add_field(out.head, "Accept", "*/*");
  if (!out.body.empty() && !has_field(fields, "Content-Type"))
    add_field(out.head, "Content-Type", options.content_type.empty() ? "application/json" : options.content_type);
  if (!out.body.empty() || out.method == "POST" || out.method == "PUT" || out.method == "PATCH")
    add_field(out.head, "Content-Length", std::to_string(out.body.size()));
  if (!options.keep_alive) add_field(out.head, "Connection", "close");
  for (const HeaderField& field : fields) add_field(out.head, field.name, field.value);
}

}  // namespace

Result<BenchPlan> make_plan(const BenchOptions& options) {
  TRY_DONE(check_numbers(options));
  TRY_DONE(check_credentials(options));
  BenchPlan plan;
  auto url = http::parse_target_url(options.url);
  if (!url.ok()) return usage_error(url.error().message);
  plan.url = std::move(*url);
  if (!options.ca_file.empty() && !plan.url.encrypted) return usage_error("--ca-file goes with an https:// address");
  if (base::has_control(options.content_type)) return usage_error("--content-type has a control character");
  plan.request.target = plan.url.target;
  TRY(plan.request.method, method_of(options));
  TRY(std::vector<HeaderField> fields, read_headers(options.headers));
  TRY(plan.request.body, read_body(options.body));
  TRY_DONE(add_credential(options, plan, fields));
  write_head(options, plan, fields, plan.request);
  for (HeaderField& field : fields) base::wipe(field.value);
  const std::uint64_t request_bytes = plan.request.head.size() + plan.request.body.size();
  if (plan.digest && request_bytes * static_cast<std::uint64_t>(options.connections) > kDigestBytesMax)
    return usage_error("with HTTP Digest each connection holds its request: use fewer connections or a smaller body");
  return plan;
}

base::Status check_remote(const BenchOptions& options, const BenchPlan& plan, const boost::asio::ip::tcp::endpoint& endpoint) {
  if (http::is_loopback(endpoint.address())) return base::kDone;
  if (!options.allow_remote) {
    return usage_error(
        fmt::format("{} ({}) is another machine: a load is made there only with --allow-remote, and only if its owner agrees",
                    plan.url.host, http::endpoint_text(endpoint)));
  }
  if (plan.credential != "none" && !plan.url.encrypted && !options.allow_plain_http) {
    return usage_error(fmt::format(
        "{} is not encrypted: everybody on the way could read the credentials. Use https, or --allow-plain-http", options.url));
  }
  return base::kDone;
}

}  // namespace funcgate::app::bench
