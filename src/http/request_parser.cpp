#include "http/request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/byte_scan.h"
#include "base/text.h"
#include "http/head_grammar.h"

namespace funcgate::http {
namespace {

using domain::Fault;
using domain::Reason;
using domain::Refusal;

Refusal malformed(std::string message) {
  return {.fault = Fault::BadRequest, .reason = Reason::HttpMalformed, .message = std::move(message), .close = true};
}
Refusal too_large(Fault fault, std::string message) {
  return {.fault = fault, .reason = Reason::HttpTooLarge, .message = std::move(message), .close = true};
}

// Functions that return `const char*` tell what is wrong, or nullptr.

// A field that decides about the connection: where there are several, two readers could take different ones.
struct Field {
  std::string_view first;
  bool present = false, repeated = false;
  void found(std::string_view value) {
    repeated = present;
    if (!present) first = value;
    present = true;
  }
};

// All fields that decide, noticed while the head is read.
struct DecisiveFields {
  Field host, content_length, transfer_encoding;
  bool connection_is_list = true, closes = false, keeps_alive = false;
  bool expects_continue = false, expects_other = false;
  bool has_long_authorization = false;
  std::size_t authorization_max = 0;

  void notice(const domain::Header& header) {
    const auto& [name, value] = header;
    switch (name.size()) {
      case 4:
        if (name == "host") host.found(value);
        break;
      case 6:
        if (name == "expect") notice_expectation(value);
        break;
      case 10:
        if (name == "connection") notice_connection(value);
        break;
      case 13:
        if (name == "authorization" && value.size() > authorization_max) has_long_authorization = true;
        break;
      case 14:
        if (name == "content-length") content_length.found(value);
        break;
      case 16:  // RFC 9112, C.2.2: nobody should send it; a reader who believes it must not find what Connection may not be
        if (name == "proxy-connection") connection_is_list = connection_is_list && is_token_list(value);
        break;
      case 17:
        if (name == "transfer-encoding") transfer_encoding.found(value);
        break;
      default: break;
    }
  }

 private:
  // RFC 9110, 10.1.1: a list of which only one member is defined.
  void notice_expectation(std::string_view value) {
    (base::equals_ignore_case(value, "100-continue") ? expects_continue : expects_other) = true;
  }
  // RFC 9110, 7.6.1: several fields are one list.
  void notice_connection(std::string_view list) {
    connection_is_list = connection_is_list && for_each_token(list, [this](std::string_view option) {
                           if (base::equals_ignore_case(option, "close")) closes = true;
                           if (base::equals_ignore_case(option, "keep-alive")) keeps_alive = true;
                         });
  }
  // RFC 9110, 5.6.1.2: members may be empty. False: a member is no token.
  template <class Use>
  static bool for_each_token(std::string_view list, Use use) {
    while (true) {
      const std::size_t comma = std::min(list.find(','), list.size());
      const std::string_view member = base::trim(list.substr(0, comma));
      if (!member.empty() && !base::is_token(member)) return false;
      use(member);
      if (comma == list.size()) return true;
      list.remove_prefix(comma + 1);
    }
  }
  static bool is_token_list(std::string_view list) {
    return for_each_token(list, [](std::string_view) {});
  }
};

const char* check_host(domain::Call& call, const Field& host, bool required) {
  if (host.repeated) return "More than one Host header";
  if (!host.present) return required ? "The Host header is missing" : nullptr;
  if (!host.first.empty() && !is_host(host.first)) return "The Host header is malformed";
  call.host = host.first;
  return nullptr;
}

// Of absolute-form (RFC 9112, 3.2.2) only this server's own.
const char* split_absolute_target(domain::Call& call) {
  const std::string_view rest = call.target.substr(call.target.find("//") + 2);
  const std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view authority = rest.substr(0, path);
  if (authority.empty()) return "The target names no server";  // RFC 9110, 4.2.1
  if (path < rest.size() && rest[path] == '?') return "The target must begin with /";
  call.path = path == rest.size() ? "/" : rest.substr(path, rest.find('?') - path);
  if (!base::equals_ignore_case(authority, call.host)) return "Host and target name different servers";
  return nullptr;
}

const char* check_target(domain::Call& call, const RequestLine& line) {
  if (line.has_fragment) return "The target has a fragment";
  call.query = line.query;
  if (call.target.front() != '/') {
    if (call.target.starts_with("http://") || call.target.starts_with("https://")) return split_absolute_target(call);
    if (call.target != "*" || call.method != domain::Method::Options) return "The target must begin with /";
  }
  call.path = line.path;
  return nullptr;
}

const char* check_length(domain::Call& call, const DecisiveFields& fields, ParsedHead& parsed) {
  const Field& length_field = fields.content_length;
  const Field& coding = fields.transfer_encoding;
  if (length_field.repeated) return "More than one Content-Length header";
  if (length_field.present && coding.present) return "Content-Length and Transfer-Encoding together";
  if (coding.present) {
    if (coding.repeated || !base::equals_ignore_case(coding.first, "chunked") || parsed.http_1_0) {
      return "Transfer-Encoding must be chunked";
    }
    parsed.chunked = call.has_body = true;
  }
  if (length_field.present) {
    const auto length = base::parse_digits(length_field.first);
    if (!length) return "Content-Length is not a number";
    call.content_length = *length;
    call.has_body = *length > 0;
  }
  call.body_complete = !call.has_body;
  return nullptr;
}

}  // namespace

bool is_host(std::string_view text) {
  static constexpr std::array<bool, 256> kAllowed = [] {
    std::array<bool, 256> allowed{};
    for (std::size_t byte = 0x21; byte < 0x7f; ++byte) allowed[byte] = true;
    for (char c : std::string_view("/\\@?#\"<>")) allowed[static_cast<unsigned char>(c)] = false;
    return allowed;
  }();
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return kAllowed[static_cast<unsigned char>(c)]; });
}

HeadState find_head(std::string_view buffer, HeadSearch& search, const domain::Limits& limits, std::optional<Refusal>& refusal) {
  const char* const begin = buffer.data();
  const char* const end = begin + buffer.size();
  base::FoundBytes feeds(begin, begin + search.scanned, end, [](auto word) { return base::has_byte(word, '\n'); });
  while (search.head_bytes == 0) {
    const char* const at = feeds.next();
    if (at == end) break;
    const auto feed = static_cast<std::size_t>(at - begin);
    if (feed == 0 || at[-1] != '\r') {
      refusal = malformed("A line must end with CR LF");
      return HeadState::Refused;
    }
    if (search.line_bytes == 0) search.line_bytes = feed + 1;
    if (feed >= 3 && at[-2] == '\n') search.head_bytes = feed + 1;
  }
  // A CR at the end may be half of a line's end.
  search.scanned = buffer.size() - (buffer.ends_with('\r') ? 1 : 0);
  const std::size_t line_bytes = search.line_bytes != 0 ? search.line_bytes - 2 : search.scanned;
  if (line_bytes > static_cast<std::size_t>(limits.request_line_bytes)) {
    refusal = too_large(Fault::TargetTooLong, fmt::format("The request line is longer than {} bytes", limits.request_line_bytes));
    return HeadState::Refused;
  }
  const std::size_t bytes = search.head_bytes != 0 ? search.head_bytes : buffer.size();
  if (search.line_bytes != 0 && bytes - search.line_bytes > static_cast<std::size_t>(limits.header_bytes)) {
    refusal = too_large(Fault::HeadersTooLarge, fmt::format("The headers are larger than {} bytes", limits.header_bytes));
    return HeadState::Refused;
  }
  return search.head_bytes != 0 ? HeadState::Complete : HeadState::NeedMore;
}

std::optional<Refusal> parse_head(char* head, std::size_t head_bytes, const domain::Limits& limits, domain::Call& call,
                                  ParsedHead& parsed) {
  HeadGrammar grammar(head, head_bytes);
  RequestLine line;
  call.method = domain::Method::Other;
  if (!grammar.ends_well()) return malformed("The request head has no end");
  if (const char* mistake = grammar.take_request_line(line)) return malformed(mistake);
  call.method_text = line.method;
  call.method = domain::parse_method(line.method);
  call.target = line.target;
  parsed.http_1_0 = line.http_1_0;
  DecisiveFields fields;
  fields.authorization_max = static_cast<std::size_t>(limits.authorization_bytes);
  while (grammar.has_field()) {
    domain::Header header;
    if (const char* mistake = grammar.take_field(header)) return malformed(mistake);
    if (call.headers.size() >= static_cast<std::size_t>(limits.header_count)) {
      return too_large(Fault::HeadersTooLarge, fmt::format("There are more than {} headers", limits.header_count));
    }
    call.headers.push_back(header);
    fields.notice(header);
  }
  if (!fields.connection_is_list) return malformed("Connection must be a list of words");
  if (const char* mistake = check_host(call, fields.host, !parsed.http_1_0)) return malformed(mistake);
  if (const char* mistake = check_target(call, line)) return malformed(mistake);
  if (const char* mistake = check_length(call, fields, parsed)) return malformed(mistake);
  if (fields.has_long_authorization) {
    return too_large(Fault::HeadersTooLarge, fmt::format("Authorization is longer than {} bytes", limits.authorization_bytes));
  }
  if (fields.expects_other) return malformed("Expect must be 100-continue");
  // RFC 9112, 9.3.
  parsed.keep_alive = !fields.closes && (!parsed.http_1_0 || fields.keeps_alive);
  parsed.expects_continue = fields.expects_continue && call.has_body && !parsed.http_1_0;
  return std::nullopt;
}

}  // namespace funcgate::http
