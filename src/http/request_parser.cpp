#include "http/request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include "base/text.h"

namespace funcgate::http {
namespace {

namespace beast = boost::beast;
using domain::Fault;
using domain::Reason;
using domain::Refusal;

Refusal malformed(std::string message) {
  return {.fault = Fault::BadRequest, .reason = Reason::HttpMalformed, .message = std::move(message), .close = true};
}
Refusal too_large(Fault fault, std::string message) {
  return {.fault = fault, .reason = Reason::HttpTooLarge, .message = std::move(message), .close = true};
}

// Collects views; the decisions are made afterwards, in one place.
class HeadParser final : public beast::http::basic_parser<true> {
 public:
  HeadParser(char* head, std::size_t head_bytes, std::size_t header_count_max, domain::Call& call)
      : begin_(head), end_(head + head_bytes), header_count_max_(header_count_max), call_(call) {
    header_limit(~std::uint32_t{0});
    body_limit(boost::none);
  }

  bool folded = false, too_many = false;
  int version = 11;

 private:
  using string_view = beast::string_view;
  using error_code = beast::error_code;

  static std::string_view view(string_view text) { return {text.data(), text.size()}; }

  void on_request_impl(beast::http::verb, string_view method, string_view target, int http_version, error_code&) override {
    call_.method_text = view(method);
    call_.target = view(target);
    version = http_version;
  }
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(beast::http::field, string_view name, string_view value, error_code&) override {
    // A value outside our bytes was put together from folded lines.
    if (!value.empty() && (value.data() < begin_ || value.data() >= end_)) folded = true;
    if (call_.headers.size() >= header_count_max_) {
      too_many = true;
      return;
    }
    char* first = begin_ + (name.data() - begin_);
    for (std::size_t i = 0; i < name.size(); ++i) first[i] = base::ascii_lower(first[i]);
    call_.headers.push_back({view(name), view(value)});
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override { return body.size(); }
  void on_finish_impl(error_code&) override {}

  char* begin_;
  char* end_;
  std::size_t header_count_max_;
  domain::Call& call_;
};

std::optional<Refusal> check_target(domain::Call& call) {
  std::string_view target = call.target;
  for (char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) return malformed("The target has a control character");
    if (c == '#') return malformed("The target has a fragment");
  }
  std::string_view authority;
  if (target.starts_with("http://") || target.starts_with("https://")) {
    std::string_view rest = target.substr(target.find("//") + 2);
    const std::size_t slash = std::min(rest.find('/'), rest.find('?'));
    authority = rest.substr(0, slash);
    if (authority.empty()) return malformed("The target names no server");  // RFC 9110, 4.2.1
    target = slash == std::string_view::npos ? std::string_view("/") : rest.substr(slash);
  }
  if (target.empty() || (target.front() != '/' && !(target == "*" && call.method_text == "OPTIONS"))) {
    return malformed("The target must begin with /");
  }
  const std::size_t question = target.find('?');
  call.path = target.substr(0, question);
  call.query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  if (!authority.empty() && !base::equals_ignore_case(authority, call.host))
    return malformed("Host and target name different servers");
  return std::nullopt;
}

std::optional<Refusal> check_host(domain::Call& call, bool required) {
  const int count = call.header_count("host");
  if (count > 1) return malformed("More than one Host header");
  if (count == 0 && required) return malformed("The Host header is missing");
  if (const auto* host = call.header("host")) {
    if (!host->empty() && !is_host(*host)) return malformed("The Host header is malformed");
    call.host = *host;
  }
  return std::nullopt;
}

std::optional<Refusal> check_length(domain::Call& call, ParsedHead& parsed) {
  const int lengths = call.header_count("content-length"), codings = call.header_count("transfer-encoding");
  if (lengths > 1) return malformed("More than one Content-Length header");
  if (lengths > 0 && codings > 0) return malformed("Content-Length and Transfer-Encoding together");
  if (codings > 0) {
    if (codings > 1 || !base::equals_ignore_case(*call.header("transfer-encoding"), "chunked") || parsed.http_1_0) {
      return malformed("Transfer-Encoding must be chunked");
    }
    parsed.chunked = call.has_body = true;
  }
  if (lengths == 1) {
    const auto length = base::parse_digits(*call.header("content-length"));
    if (!length) return malformed("Content-Length is not a number");
    call.content_length = *length;
    call.has_body = *length > 0;
  }
  call.body_complete = !call.has_body;
  return std::nullopt;
}

bool list_has(std::string_view list, std::string_view token) {
  for (std::string_view part : base::split(list, ',')) {
    if (base::equals_ignore_case(base::trim(part), token)) return true;
  }
  return false;
}

}  // namespace

bool is_host(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f && std::string_view("/\\@?\"<>").find(c) == std::string_view::npos;
  });
}

HeadState find_head(std::string_view buffer, std::size_t& scanned, std::size_t& head_bytes, const domain::Limits& limits,
                    std::optional<Refusal>& refusal) {
  const auto line_max = static_cast<std::size_t>(limits.request_line_bytes);
  std::size_t at = scanned;
  while (true) {
    const std::size_t feed = buffer.find('\n', at);
    if (feed == std::string_view::npos) break;
    if (feed == 0 || buffer[feed - 1] != '\r') {
      refusal = malformed("A line must end with CR LF");
      return HeadState::Refused;
    }
    // `at` is the beginning of this line. The grammar below would read a folded empty value as an ordinary one.
    if (at > 0 && (buffer[at] == ' ' || buffer[at] == '\t')) {
      refusal = malformed("A header is folded over several lines");
      return HeadState::Refused;
    }
    at = feed + 1;
    if (feed >= 3 && buffer[feed - 2] == '\n') {
      head_bytes = at;
      break;
    }
  }
  const std::size_t first_line = buffer.find("\r\n");
  // A CR at the end may be half of the line's end.
  const std::size_t arrived = buffer.size() - (buffer.ends_with('\r') ? 1 : 0);
  if ((first_line == std::string_view::npos ? arrived : first_line) > line_max) {
    refusal = too_large(Fault::TargetTooLong, fmt::format("The request line is longer than {} bytes", line_max));
    return HeadState::Refused;
  }
  const std::size_t line_end = first_line == std::string_view::npos ? buffer.size() : first_line + 2;
  const std::size_t used = (head_bytes != 0 ? head_bytes : buffer.size()) - line_end;
  if (used > static_cast<std::size_t>(limits.header_bytes)) {
    refusal = too_large(Fault::HeadersTooLarge, fmt::format("The headers are larger than {} bytes", limits.header_bytes));
    return HeadState::Refused;
  }
  scanned = at;
  return head_bytes != 0 ? HeadState::Complete : HeadState::NeedMore;
}

std::optional<Refusal> parse_head(char* head, std::size_t head_bytes, const domain::Limits& limits, domain::Call& call,
                                  ParsedHead& parsed) {
  HeadParser parser(head, head_bytes, static_cast<std::size_t>(limits.header_count), call);
  beast::error_code error;
  const std::size_t used = parser.put(boost::asio::const_buffer(head, head_bytes), error);
  call.method = domain::parse_method(call.method_text);
  if (parser.too_many) {
    return too_large(Fault::HeadersTooLarge, fmt::format("There are more than {} headers", limits.header_count));
  }
  if (error || !parser.is_header_done() || used != head_bytes) return malformed("The request head is malformed");
  // Also a fold that adds nothing to its value, which the parser cannot tell from an ordinary line.
  const std::string_view text(head, head_bytes);
  if (parser.folded || text.find("\r\n ") != std::string_view::npos || text.find("\r\n\t") != std::string_view::npos)
    return malformed("A header is folded over several lines");
  parsed.http_1_0 = parser.version == 10;
  if (auto refused = check_host(call, !parsed.http_1_0)) return refused;
  if (auto refused = check_target(call)) return refused;
  if (auto refused = check_length(call, parsed)) return refused;
  for (const domain::Header& header : call.headers) {
    if (header.name == "authorization" && static_cast<std::int64_t>(header.value.size()) > limits.authorization_bytes) {
      return too_large(Fault::HeadersTooLarge, fmt::format("Authorization is longer than {} bytes", limits.authorization_bytes));
    }
    for (char c : header.value) {
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return malformed("A header has a control character");
    }
  }
  const auto* connection = call.header("connection");
  parsed.keep_alive = parsed.http_1_0 ? connection != nullptr && list_has(*connection, "keep-alive")
                                      : connection == nullptr || !list_has(*connection, "close");
  if (const auto* expect = call.header("expect")) {
    if (!base::equals_ignore_case(*expect, "100-continue")) return malformed("Expect must be 100-continue");
    parsed.expects_continue = call.has_body && !parsed.http_1_0;
  }
  return std::nullopt;
}

}  // namespace funcgate::http
