// http/request_parser and http/proxy: a head is refused or understood; what is understood lies inside the buffer, within the
// limits, and leaves no second reading: one Host, one length, no control byte, no fragment.
#include <string>

#include "base/text.h"
#include "domain/limits.h"
#include "fuzz_input.h"
#include "http/proxy.h"
#include "http/request_parser.h"

using namespace funcgate;
using namespace funcgate::fuzz;

namespace {

domain::Limits small_limits() {
  domain::Limits limits;
  limits.request_line_bytes = 128;
  limits.header_bytes = 512;
  limits.header_count = 8;
  limits.authorization_bytes = 64;
  return limits;
}

void check_understood(const std::string& head, const domain::Limits& limits, const domain::Call& call,
                      const http::ParsedHead& parsed) {
  const auto inside = [&](std::string_view view) { return lies_within(view, head); };
  // The path of an absolute target without one is not in the head.
  PROMISE(inside(call.path) || call.path == "/");
  PROMISE(inside(call.method_text) && inside(call.target) && inside(call.query) && inside(call.host));
  PROMISE(!call.method_text.empty() && !call.target.empty());
  for (char c : call.target) PROMISE(static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '#');
  PROMISE(call.path.starts_with('/') || call.target == "*");
  PROMISE(call.path.find('?') == std::string_view::npos);
  int hosts = 0, lengths = 0, codings = 0;
  for (const domain::Header& header : call.headers) {
    PROMISE(inside(header.name) && inside(header.value) && !header.name.empty());
    for (char c : header.name) PROMISE(static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != ':' && !(c >= 'A' && c <= 'Z'));
    for (char c : header.value) PROMISE((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\t');
    PROMISE(base::trim(header.value) == header.value && base::is_token(header.name));
    hosts += header.name == "host";
    lengths += header.name == "content-length";
    codings += header.name == "transfer-encoding";
  }
  PROMISE(hosts <= 1 && lengths <= 1 && codings <= 1 && lengths + codings <= 1);
  PROMISE(hosts == 1 || parsed.http_1_0);
  PROMISE(parsed.chunked == (codings == 1) && (call.content_length >= 0) == (lengths == 1));
  PROMISE(call.has_body == (parsed.chunked || call.content_length > 0));
  PROMISE(static_cast<std::int64_t>(head.size()) <= limits.request_line_bytes + 2 + limits.header_bytes);
}

// What a trusted proxy says moves the caller along the chain or nowhere, and is refused without effect.
void check_forwarding(const std::string& head, domain::Call call) {
  static const service::ServerSettings kTrusting = [] {
    service::ServerSettings settings;
    settings.trusted_proxies = {*domain::Network::parse("10.0.0.0/8"), *domain::Network::parse("127.0.0.1")};
    return settings;
  }();
  const domain::Address proxy = *domain::Address::parse("10.0.0.1");
  call.peer = proxy;
  const std::string_view host = call.host;
  if (const auto refusal = http::apply_forwarding(call, kTrusting)) {
    PROMISE(refusal->close && !refusal->message.empty());
    PROMISE(call.peer == proxy && call.proxies.empty() && !call.tls && call.host.data() == host.data());
    PROMISE(!http::is_client_sure(call, kTrusting));
    return;
  }
  PROMISE(lies_within(call.host, head) && (call.host.data() == host.data() || http::is_host(call.host)));
  PROMISE(call.proxies.empty() ? call.peer == proxy : call.proxies.back() == proxy);
  PROMISE(!http::is_on_this_machine(call, kTrusting));
  call.peer = *domain::Address::parse("203.0.113.7");
  call.proxies.clear();
  const domain::Address stranger = call.peer;
  PROMISE(!http::apply_forwarding(call, kTrusting) && call.peer == stranger && call.proxies.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const domain::Limits kLimits = small_limits();
  const std::string_view bytes = text_of(data, size);
  http::HeadSearch search;
  std::optional<domain::Refusal> refusal;
  const http::HeadState whole = http::find_head(bytes, search, kLimits, refusal);
  PROMISE((whole == http::HeadState::Refused) == refusal.has_value());
  PROMISE((whole == http::HeadState::Complete) == (search.head_bytes != 0) || whole == http::HeadState::Refused);

  // Byte by byte it ends at the same place, or is refused as well. (Refused earlier: a limit is seen before the bad line.)
  http::HeadSearch step_search;
  std::optional<domain::Refusal> step_refusal;
  http::HeadState state = http::HeadState::NeedMore;
  for (std::size_t have = 1; have <= size && state == http::HeadState::NeedMore; ++have) {
    state = http::find_head(bytes.substr(0, have), step_search, kLimits, step_refusal);
  }
  if (size > 0) PROMISE(state == whole && (whole != http::HeadState::Complete || step_search.head_bytes == search.head_bytes));
  if (whole != http::HeadState::Complete) return 0;

  std::string head(bytes.substr(0, search.head_bytes));
  domain::Call call;
  http::ParsedHead parsed;
  refusal = http::parse_head(head.data(), head.size(), kLimits, call, parsed);
  PROMISE(call.headers.size() <= static_cast<std::size_t>(kLimits.header_count));
  if (refusal) {
    PROMISE(refusal->close && !refusal->message.empty());
    return 0;
  }
  check_understood(head, kLimits, call, parsed);
  check_forwarding(head, call);
  return 0;
}
