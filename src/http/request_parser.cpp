#include "http/request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include "base/byte_scan.h"
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
  const auto is_control = [](std::uint64_t word) { return base::has_below(word, 0x21) | base::has_byte(word, 0x7f); };
  if (base::any_byte(target, is_control)) return malformed("The target has a control character");
  if (target.find('#') != std::string_view::npos) return malformed("The target has a fragment");
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

// A field that decides about the connection: where there are several, two readers could take different ones.
struct Field {
  const std::string_view* first = nullptr;
  bool repeated = false;
  void found(const std::string_view& value) {
    repeated = first != nullptr;
    if (!repeated) first = &value;
  }
};

struct Fields {
  Field host, content_length, transfer_encoding, connection, expect;
};

Fields find_fields(const domain::Call& call) {
  Fields fields;
  for (const auto& [name, value] : call.headers) {
    switch (name.size()) {
      case 4:
        if (name == "host") fields.host.found(value);
        break;
      case 6:
        if (name == "expect") fields.expect.found(value);
        break;
      case 10:
        if (name == "connection") fields.connection.found(value);
        break;
      case 14:
        if (name == "content-length") fields.content_length.found(value);
        break;
      case 17:
        if (name == "transfer-encoding") fields.transfer_encoding.found(value);
        break;
      default: break;
    }
  }
  return fields;
}

std::optional<Refusal> check_host(domain::Call& call, const Field& host, bool required) {
  if (host.repeated) return malformed("More than one Host header");
  if (host.first == nullptr) return required ? std::optional(malformed("The Host header is missing")) : std::nullopt;
  if (!host.first->empty() && !is_host(*host.first)) return malformed("The Host header is malformed");
  call.host = *host.first;
  return std::nullopt;
}

std::optional<Refusal> check_length(domain::Call& call, const Field& length_field, const Field& coding, ParsedHead& parsed) {
  if (length_field.repeated) return malformed("More than one Content-Length header");
  if (length_field.first != nullptr && coding.first != nullptr) return malformed("Content-Length and Transfer-Encoding together");
  if (coding.first != nullptr) {
    if (coding.repeated || !base::equals_ignore_case(*coding.first, "chunked") || parsed.http_1_0) {
      return malformed("Transfer-Encoding must be chunked");
    }
    parsed.chunked = call.has_body = true;
  }
  if (length_field.first != nullptr) {
    const auto length = base::parse_digits(*length_field.first);
    if (!length) return malformed("Content-Length is not a number");
    call.content_length = *length;
    call.has_body = *length > 0;
  }
  call.body_complete = !call.has_body;
  return std::nullopt;
}

// Also a fold that adds nothing to its value, which the parser cannot tell from an ordinary line.
bool has_fold(std::string_view head) {
  std::size_t line = head.find('\n');
  while (line != std::string_view::npos && ++line < head.size()) {
    if (head[line] == ' ' || head[line] == '\t') return true;
    line = head.find('\n', line);
  }
  return false;
}

// Of all control characters.
bool has_only_tabs(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || !base::has_control({&c, 1}); });
}

bool list_has(std::string_view list, std::string_view token) {
  for (std::string_view part : base::split(list, ',')) {
    if (base::equals_ignore_case(base::trim(part), token)) return true;
  }
  return false;
}

}  // namespace

bool is_host(std::string_view text) {
  static constexpr std::array<bool, 256> kAllowed = [] {
    std::array<bool, 256> allowed{};
    for (std::size_t byte = 0x21; byte < 0x7f; ++byte) allowed[byte] = true;
    for (char c : std::string_view("/\\@?\"<>")) allowed[static_cast<unsigned char>(c)] = false;
    return allowed;
  }();
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return kAllowed[static_cast<unsigned char>(c)]; });
}

HeadState find_head(std::string_view buffer, std::size_t& scanned, std::size_t& head_bytes, const domain::Limits& limits,
                    std::optional<Refusal>& refusal) {
  if (buffer.empty()) return HeadState::NeedMore;
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
  if (parser.folded || has_fold({head, head_bytes})) return malformed("A header is folded over several lines");
  parsed.http_1_0 = parser.version == 10;
  const Fields fields = find_fields(call);
  if (auto refused = check_host(call, fields.host, !parsed.http_1_0)) return refused;
  if (auto refused = check_target(call)) return refused;
  if (auto refused = check_length(call, fields.content_length, fields.transfer_encoding, parsed)) return refused;
  for (const domain::Header& header : call.headers) {
    if (header.name == "authorization" && static_cast<std::int64_t>(header.value.size()) > limits.authorization_bytes) {
      return too_large(Fault::HeadersTooLarge, fmt::format("Authorization is longer than {} bytes", limits.authorization_bytes));
    }
    if (base::has_control(header.value) && !has_only_tabs(header.value)) return malformed("A header has a control character");
  }
  const std::string_view* connection = fields.connection.first;
  parsed.keep_alive = parsed.http_1_0 ? connection != nullptr && list_has(*connection, "keep-alive")
                                      : connection == nullptr || !list_has(*connection, "close");
  if (const std::string_view* expect = fields.expect.first) {
    if (!base::equals_ignore_case(*expect, "100-continue")) return malformed("Expect must be 100-continue");
    parsed.expects_continue = call.has_body && !parsed.http_1_0;
  }
  return std::nullopt;
}

}  // namespace funcgate::http
