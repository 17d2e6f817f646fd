#include "app/cli/api_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "app/cli/output.h"
#include "app/commands.h"
#include "app/control_client.h"
#include "base/files.h"
#include "base/text.h"

namespace funcgate::app::cli {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::string_view kPrefix = "/admin/api/v1";
constexpr std::size_t kTokenBytesMax = 8192, kFindingsShownMax = 100;
constexpr int kUsage = 2;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// Whether the address names this machine, where nobody listens on the wire.
bool is_loopback(std::string_view url) {
  std::string_view host = url.substr(url.find("://") + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) host = host.substr(at + 1);
  if (host.starts_with('[')) return host.starts_with("[::1]");
  host = host.substr(0, host.find(':'));
  return base::equals_ignore_case(host, "localhost") ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

Result<base::SecretString> read_token(const Connection& connection) {
  std::string file = connection.token_file.empty() ? environment("FUNCGATE_TOKEN_FILE") : connection.token_file;
  std::string text;
  if (!file.empty()) {
    TRY(text, base::read_file(file, kTokenBytesMax));
  } else {
    text = environment("FUNCGATE_TOKEN");
    ::unsetenv("FUNCGATE_TOKEN");  // no program that is started later inherits it
  }
  const auto first = text.find_first_not_of(" \t\r\n");
  const auto last = text.find_last_not_of(" \t\r\n");
  base::SecretString token(first == std::string::npos ? std::string() : text.substr(first, last - first + 1));
  base::wipe(text);
  if (!file.empty() && token.empty()) return Error{Code::InvalidArgument, "there is no key in " + file, {}};
  return token;
}

Result<std::string> checked_url(const Connection& connection) {
  std::string url = connection.url;
  while (url.ends_with('/')) url.pop_back();
  if (url.ends_with(kPrefix)) url.erase(url.size() - kPrefix.size());
  const bool plain = base::starts_with_ignore_case(url, "http://");
  if (!plain && !base::starts_with_ignore_case(url, "https://"))
    return usage_error(fmt::format("--url {} must begin with https:// or http://", connection.url));
  if (plain && !connection.plain_http && !is_loopback(url)) {
    return usage_error(
        fmt::format("{} is not encrypted: everybody on the way could read the key. Use https, or --allow-plain-http", url));
  }
  return url;
}

Code code_of(int status, std::int64_t error_hundredths) {
  switch (status) {
    case 401:
    case 403: return Code::PermissionDenied;
    case 404: return Code::NotFound;
    case 409:
    case 412:
    case 428: return Code::Conflict;
    case 400:
    case 413:
    case 415:
    case 422: return Code::InvalidArgument;
    case 502:
    case 504: return Code::Unavailable;
    // A secret is missing: the server is there, and trying again does not help.
    case 503: return error_hundredths == 50'361 ? Code::Internal : Code::Unavailable;
    default: return Code::Internal;
  }
}

void append_findings(std::string& text, const json::value& detail) {
  const json::value* errors = member(detail, "errors");
  const json::value* used_by = member(detail, "usedBy");
  const json::array* list = detail.is_array() ? &detail.get_array() : errors != nullptr ? errors->if_array() : nullptr;
  for (std::size_t i = 0; list != nullptr && i < std::min(list->size(), kFindingsShownMax); ++i) {
    const json::value& finding = (*list)[i];
    const std::string path = text_member(finding, "path"), message = text_member(finding, "message");
    const std::string problem = text_member(finding, "problem");
    if (finding.is_string()) {
      text += "\n  " + visible(std::string_view(finding.get_string()));
    } else {
      text += fmt::format("\n  {}{}{}", visible(path), path.empty() ? "" : ": ", visible(message.empty() ? problem : message));
    }
  }
  if (used_by == nullptr || !used_by->is_array()) return;
  for (const json::value& name : used_by->get_array()) {
    if (name.is_string()) text += "\n  used by " + visible(std::string_view(name.get_string()));
  }
}

// What an answer means: an envelope is read, anything else is kept as text.
Result<ApiReply> read_reply(http::IncomingReply received) {
  ApiReply reply;
  reply.status = received.status;
  reply.etag = received.header("etag");
  reply.date = received.header("date");
  reply.certificate_ends_ms = received.certificate_ends_ms;
  json::value document;
  if (received.header("content-type").starts_with("application/json")) {
    auto parsed = base::parse_json(received.body);
    if (parsed.ok()) document = std::move(*parsed);
  }
  if (received.status >= 400) return refusal_error(received.status, document);
  if (received.status >= 300 && received.status != 304)
    return Error{Code::Unavailable, fmt::format("the server answered {}: it refers to another address", received.status), {}};
  if (member(document, "ok") == nullptr) {
    reply.next_cursor = received.header("next-cursor");
    reply.text = std::move(received.body);
    return reply;
  }
  json::object& envelope = document.get_object();
  if (const json::value* page = envelope.if_contains("pageInfo")) {
    reply.next_cursor = text_member(*page, "nextCursor");
    if (const json::value* total = member(*page, "total"); total != nullptr && total->is_int64())
      reply.total = total->get_int64();
  }
  if (const json::value* warnings = envelope.if_contains("warnings"); warnings != nullptr && warnings->is_array()) {
    for (const json::value& warning : warnings->get_array()) {
      if (warning.is_string()) reply.warnings.emplace_back(warning.get_string());
    }
  }
  if (json::value* data = envelope.if_contains("data")) reply.data = std::move(*data);
  return reply;
}

}  // namespace

const json::value* member(const json::value& value, std::string_view name) {
  return value.is_object() ? value.get_object().if_contains(json::string_view(name.data(), name.size())) : nullptr;
}

std::string text_member(const json::value& value, std::string_view name) {
  const json::value* found = member(value, name);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

Error usage_error(std::string message) { return {Code::FailedPrecondition, std::move(message), {}}; }

int report(const Error& error) {
  const int code = fail(error);
  if (error.code != Code::FailedPrecondition) return code;
  fmt::print(stderr, "Run the command with --help for its options.\n");
  return kUsage;
}

Error refusal_error(int status, const json::value& envelope) {
  std::string text = visible(text_member(envelope, "message"));
  std::int64_t number = 0;
  // A JSON number: 503.61.
  if (const json::value* error = member(envelope, "error"); error != nullptr && error->is_number())
    number = std::llround(error->to_number<double>() * 100);
  if (text.empty()) text = fmt::format("the server answered {}", status);
  if (const json::value* detail = member(envelope, "detail")) append_findings(text, *detail);
  const std::string trace = text_member(envelope, "traceId");
  if (!trace.empty()) text += "\n  trace id: " + visible(trace);
  return {code_of(status, number), std::move(text), {}};
}

Result<ApiClient> ApiClient::open(Connection connection, bool token_needed) {
  if (!connection.remote()) return ApiClient(std::move(connection), {});
  TRY(connection.url, checked_url(connection));
  TRY(base::SecretString token, read_token(connection));
  if (token.empty() && token_needed) {
    return usage_error(
        "--url needs a management key: --token-file FILE, or FUNCGATE_TOKEN_FILE or FUNCGATE_TOKEN in the environment");
  }
  return ApiClient(std::move(connection), std::move(token));
}

std::string ApiClient::place() const { return connection_.remote() ? connection_.url : "the server of " + connection_.data_dir; }

Result<http::IncomingReply> ApiClient::exchange(const ApiCall& call, const std::string& path, bool with_token) {
  if (connection_.remote()) {
    http::OutgoingRequest request;
    request.method = call.method;
    request.url = connection_.url + path;
    request.ca_file = connection_.ca_file;
    request.timeout_s = static_cast<int>(connection_.timeout_s);
    request.headers = {{"Accept", call.accept}, {"User-Agent", "funcgate-cli"}};
    if (call.body) request.headers.emplace_back("Content-Type", call.content_type);
    if (!call.if_match.empty()) request.headers.emplace_back("If-Match", call.if_match);
    if (with_token && !token_.empty()) request.authorization = base::SecretString("Bearer " + std::string(token_.reveal()));
    request.body = call.body;
    auto reply = curl_.send(request);
    if (request.body) base::wipe(*request.body);
    return reply;
  }
  std::string headers = fmt::format("Accept: {}\r\n", call.accept);
  if (call.body) headers += fmt::format("Content-Type: {}\r\n", call.content_type);
  if (!call.if_match.empty()) headers += fmt::format("If-Match: {}\r\n", call.if_match);
  auto answered = control_request(connection_.data_dir, call.method, path, call.body.value_or(""),
                                  static_cast<int>(connection_.timeout_s), headers);
  if (!answered.ok()) {
    Error error = answered.error();
    // Here nothing else can do the work: a server that does not run is one that cannot be reached.
    if (error.code == Code::NotFound)
      error = {Code::Unavailable, error.message + ": start it, or name another one with --url", {}};
    return error;
  }
  http::IncomingReply reply;
  reply.status = answered->status;
  for (const char* name : {"content-type", "etag", "date", "next-cursor"})
    reply.headers.emplace_back(name, std::string(answered->header(name)));
  reply.body = std::move(answered->body);
  return reply;
}

Result<ApiReply> ApiClient::call(const ApiCall& call) {
  TRY(http::IncomingReply received, send(call));
  return read_reply(std::move(received));
}

Result<http::IncomingReply> ApiClient::send(const ApiCall& call) {
  return exchange(call, std::string(kPrefix) + call.path, true);
}

Result<json::value> ApiClient::get(std::string path) {
  ApiCall request;
  request.path = std::move(path);
  TRY(ApiReply reply, call(request));
  return std::move(reply.data);
}

Result<ApiReply> ApiClient::probe(const std::string& path) {
  TRY(http::IncomingReply received, exchange({}, path, false));
  ApiReply reply;
  reply.status = received.status;
  reply.date = received.header("date");
  reply.certificate_ends_ms = received.certificate_ends_ms;
  reply.text = std::move(received.body);
  return reply;
}

}  // namespace funcgate::app::cli
