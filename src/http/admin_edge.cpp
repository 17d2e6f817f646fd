#include "http/admin_edge.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/offload.h"
#include "base/text.h"
#include "domain/session_cookie.h"
#include "http/proxy.h"

namespace funcgate::http {
namespace {

using domain::Fault;
using domain::Method;
using domain::Reason;
using service::Answer;

constexpr std::size_t kQueryFieldsMax = 100, kRevokeBodyBytesMax = 8192;
constexpr std::string_view kSecureCookie = domain::kSecureSessionCookie, kPlainCookie = domain::kPlainSessionCookie;

Answer refused(domain::Refusal refusal) {
  Answer answer;
  answer.refusal = std::move(refusal);
  return answer;
}

// The value of the one header, of several joined as one list; empty: absent.
std::string joined(const domain::Call& call, std::string_view name) {
  std::string out;
  for (const domain::Header& header : call.headers) {
    if (header.name != name) continue;
    if (!out.empty()) out += ", ";
    out += header.value;
  }
  return out;
}

std::string_view single(const domain::Call& call, std::string_view name) {
  bool repeated = false;
  const auto* value = call.header(name, &repeated);
  return value == nullptr || repeated ? std::string_view() : *value;
}

// Empty if it is absent, or there twice with different values: then nobody knows which one is meant.
base::SecretString cookie(const domain::Call& call, std::string_view wanted) {
  std::string_view found;
  for (const domain::Header& header : call.headers) {
    if (header.name != "cookie") continue;
    for (std::string_view pair : base::split(header.value, ';')) {
      pair = base::trim(pair);
      const std::size_t mark = pair.find('=');
      if (mark == std::string_view::npos || pair.substr(0, mark) != wanted) continue;
      if (!found.empty() && found != pair.substr(mark + 1)) return {};
      found = pair.substr(mark + 1);
    }
  }
  return base::SecretString(std::string(found));
}

std::optional<std::vector<std::pair<std::string, std::string>>> read_query(std::string_view query) {
  const auto fields = base::split_query(query, kQueryFieldsMax);
  if (!fields) return std::nullopt;
  std::vector<std::pair<std::string, std::string>> out;
  for (const base::QueryField& field : *fields) {
    auto name = base::decode_form(field.raw_name), value = base::decode_form(field.raw_value);
    if (!name || !value) return std::nullopt;
    out.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

admin::Request make_request(const domain::Call& call, Entrance entrance, const service::ServerSettings& settings) {
  admin::Request request;
  request.method = call.method;
  request.path = call.path.substr(std::min(call.path.size(), admin::kPathPrefix.size()));
  if (!call.path.starts_with(admin::kPathPrefix)) request.path = "/";
  request.content_type = single(call, "content-type");
  request.accept = joined(call, "accept");
  request.authorization_count = static_cast<std::size_t>(call.header_count("authorization"));
  if (request.authorization_count == 1) request.authorization = base::SecretString(std::string(*call.header("authorization")));
  request.session_cookie = cookie(call, call.tls ? kSecureCookie : kPlainCookie);
  request.csrf_token = base::SecretString(std::string(single(call, "x-csrf-token")));
  request.origin = joined(call, "origin");
  request.host = call.host;
  request.if_match = joined(call, "if-match");
  request.if_none_match = joined(call, "if-none-match");
  request.idempotency_key = joined(call, "idempotency-key");
  request.address = call.peer;
  request.tls = call.tls;
  request.local = entrance == Entrance::Control;
  request.loopback = request.local || is_on_this_machine(call, settings);
  request.trace_id = call.trace_id;
  request.received_ms = call.arrival_ms;
  return request;
}

bool signs_in(const admin::Request& request) {
  return request.method == Method::Post && (request.path == "/session" || request.path == "/setup");
}

// Whether more may come than anybody is trusted with who is not known yet.
bool has_large_body(const domain::Call& call) {
  const bool length_unknown = call.has_body && call.content_length < 0;
  return length_unknown || call.content_length > static_cast<std::int64_t>(AdminEdge::kStrangerBodyBytesMax);
}

std::string size_text(std::size_t bytes) {
  return bytes >= 1 << 20 ? fmt::format("{} MiB", bytes >> 20) : fmt::format("{} KiB", bytes >> 10);
}

admin::Answer busy(std::string message = "The server is busy with other management requests") {
  admin::Answer answer = admin::refused(Fault::LimitReached, Reason::CapacityQueue, std::move(message));
  answer.refusal->retry_after_s = 1;
  return answer;
}

admin::Answer crowded() { return busy("Too many requests from this network wait whose sender is not known yet"); }

std::string envelope_members(const admin::Answer& answer) {
  std::string out;
  if (answer.page) {
    fmt::format_to(std::back_inserter(out), ",\"pageInfo\":{{\"pageSize\":{},\"nextCursor\":", answer.page->page_size);
    out += answer.page->next_cursor.empty() ? "null" : base::json_string(answer.page->next_cursor);
    out += answer.page->total < 0 ? ",\"total\":null}" : fmt::format(",\"total\":{}}}", answer.page->total);
  }
  if (!answer.warnings.empty()) {
    base::json::array warnings;
    for (const std::string& warning : answer.warnings) warnings.emplace_back(warning);
    out += ",\"warnings\":" + base::to_json(warnings);
  }
  return out;
}

Answer to_answer(admin::Answer from) {
  Answer answer;
  answer.management = true;
  answer.own_headers = {{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
                        {"X-Frame-Options", "DENY"},
                        {"Referrer-Policy", "no-referrer"}};
  if (!from.etag.empty()) answer.own_headers.emplace_back("ETag", from.etag);
  if (!from.location.empty()) answer.own_headers.emplace_back("Location", from.location);
  if (!from.set_cookie.empty()) answer.own_headers.emplace_back("Set-Cookie", from.set_cookie);
  for (auto& header : from.headers) answer.own_headers.push_back(std::move(header));
  if (from.refusal) {
    answer.refusal = std::move(from.refusal);
    return answer;
  }
  answer.status = from.status;
  answer.authenticated = true;  // Cache-Control: private, no-store
  if (from.status == 204 || from.status == 304) return answer;
  if (!from.content_type.empty()) {
    answer.owned_content_type = std::move(from.content_type);
    answer.owned_body = std::move(from.raw_body);
    return answer;
  }
  answer.envelope = true;
  answer.envelope_members = envelope_members(from);
  answer.owned_body = from.data ? base::to_json(*from.data) : "null";
  base::wipe_stack();  // the text was put together there, and a new key is told only once
  return answer;
}

}  // namespace

bool is_admin_path(std::string_view path) { return path == "/admin" || path.starts_with("/admin/"); }

// One of the places of a network, for as long as the object lives.
class AdminEdge::Place {
 public:
  Place(std::mutex& mutex, Places& places, const domain::Address& address, std::size_t places_max)
      : mutex_(mutex), places_(places), network_(address.network()) {
    const std::lock_guard lock(mutex_);
    std::size_t& taken = places_[network_];
    got_ = taken < places_max;
    if (got_) ++taken;
  }
  ~Place() {
    if (!got_) return;
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(network_);
    if (found != places_.end() && --found->second == 0) places_.erase(found);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  bool got() const { return got_; }

 private:
  std::mutex& mutex_;
  Places& places_;
  const domain::Address network_;
  bool got_ = false;
};

base::Async<admin::Answer> AdminEdge::ask(base::IoThread& io, admin::Request& request, base::BlockingPool& pool,
                                          const CallerWatch* caller) {
  std::function<base::Result<admin::Answer>()> work = [this, &request, caller]() -> base::Result<admin::Answer> {
    if (caller != nullptr && caller->left()) return base::Error{base::Code::Unavailable, "the caller has gone", {}};
    admin::Answer answer = router_.handle(request);
    // Passwords and tokens went through here, and this thread may wait for long.
    base::wipe_stack();
    return answer;
  };
  base::Result<admin::Answer> answer = co_await base::offload<admin::Answer>(pool, io, work);
  // Passwords stood in it.
  base::wipe(request.body);
  co_return answer.ok() ? std::move(*answer) : busy();
}

base::Async<admin::Admission> AdminEdge::admit(base::IoThread& io, const admin::Request& request, base::BlockingPool& pool) {
  std::function<base::Result<admin::Admission>()> work = [this, &request]() -> base::Result<admin::Admission> {
    admin::Admission admission = router_.admit(request);
    base::wipe_stack();
    return admission;
  };
  base::Result<admin::Admission> admission = co_await base::offload<admin::Admission>(pool, io, work);
  if (admission.ok()) co_return std::move(*admission);
  admin::Admission none;
  none.refusal = busy();
  co_return none;
}

base::Async<admin::Admission> AdminEdge::admit_stranger(base::IoThread& io, const admin::Request& request) {
  const Place place(mutex_, strangers_, request.address, kStrangersPerNetworkMax);
  if (place.got()) co_return co_await admit(io, request, pools_.strangers);
  admin::Admission none;
  none.refusal = crowded();
  co_return none;
}

base::Async<admin::Answer> AdminEdge::ask_as_stranger(base::IoThread& io, admin::Request& request) {
  const Place place(mutex_, strangers_, request.address, kStrangersPerNetworkMax);
  if (!place.got()) co_return crowded();
  co_return co_await ask(io, request, pools_.strangers);
}

base::Async<std::optional<Answer>> AdminEdge::read_body(domain::Call& call, service::BodySource& body, admin::Request& request,
                                                        std::size_t bytes_max) {
  if (!call.has_body) co_return std::nullopt;
  if (call.header("content-encoding") != nullptr) {
    co_return refused({.fault = Fault::MediaType, .reason = Reason::BodyMediaType, .message = "Bodies are not compressed here"});
  }
  const service::BodyResult got = co_await body.read(bytes_max, false);
  switch (got) {
    case service::BodyResult::Complete: request.body = call.body; co_return std::nullopt;
    case service::BodyResult::TooLarge:
      co_return refused({.fault = Fault::BodyTooLarge,
                         .reason = Reason::BodyTooLarge,
                         .message = fmt::format("The body has more than {}", size_text(bytes_max))});
    case service::BodyResult::TimedOut:
      co_return refused(
          {.fault = Fault::Timeout, .reason = Reason::BodySlow, .message = "The body came too slowly", .close = true});
    case service::BodyResult::Prefix:
    case service::BodyResult::Malformed:
    case service::BodyResult::Gone: break;
  }
  co_return refused(
      {.fault = Fault::BadRequest, .reason = Reason::HttpMalformed, .message = "The body cannot be read", .close = true});
}

// Set-up and sign-in: nobody is known yet. Only a sign-in that is complete takes a place: a slow sender keeps nobody out.
base::Async<Answer> AdminEdge::let_in(base::IoThread& io, domain::Call& call, service::BodySource& body,
                                      admin::Request& request) {
  if (auto problem = co_await read_body(call, body, request, kStrangerBodyBytesMax)) {
    problem->management = true;
    co_return std::move(*problem);
  }
  const Place place(mutex_, sign_ins_, request.address, kSignInsPerNetworkMax);
  if (!place.got()) {
    base::wipe(request.body);
    co_return to_answer(busy("Too many sign-ins from this network wait"));
  }
  // Who does not wait for the answer any more frees the place: his password is not hashed.
  const CallerWatch caller(io, call.presence);
  co_return to_answer(co_await ask(io, request, pools_.sign_in, &caller));
}

base::BlockingPool& AdminEdge::pool_of(admin::Work work) const {
  switch (work) {
    case admin::Work::Quick: break;
    case admin::Work::Long: return pools_.long_work;
    case admin::Work::Keystore: return pools_.keystore;
  }
  return pools_.management;
}

base::Async<Answer> AdminEdge::serve(base::IoThread& io, domain::Call& call, service::BodySource& body, Entrance entrance) {
  admin::Request request = make_request(call, entrance, settings_);
  auto query = read_query(call.query);
  if (!query) co_return to_answer(admin::invalid("", "value", "The query cannot be read"));
  request.query = std::move(*query);
  if (signs_in(request)) co_return co_await let_in(io, call, body, request);
  // Nobody can be known: the router refuses from the head alone, and the body is never asked for.
  const bool credential = request.local || request.authorization_count > 0 || !request.session_cookie.empty();
  if (!credential) co_return to_answer(co_await ask_as_stranger(io, request));
  const admin::Work work = router_.work_of(request);
  std::size_t bytes_max = kStrangerBodyBytesMax;
  const bool known = router_.knows(request);
  if (!known || work != admin::Work::Quick || has_large_body(call)) {
    admin::Admission admission;
    if (known) {
      admission = co_await admit(io, request, pools_.management);
    } else {
      admission = co_await admit_stranger(io, request);
    }
    if (admission.refusal) co_return to_answer(std::move(*admission.refusal));
    bytes_max = admission.body_bytes_max;
  }
  if (auto problem = co_await read_body(call, body, request, bytes_max)) {
    problem->management = true;
    co_return std::move(*problem);
  }
  co_return to_answer(co_await ask(io, request, pool_of(work)));
}

base::Async<std::optional<Answer>> AdminEdge::refuse_stranger(base::IoThread& io, const domain::Call& call) {
  admin::Request request = make_request(call, Entrance::Public, settings_);
  request.method = Method::Get;
  request.path = "/me";
  admin::Answer answer;
  if (router_.knows(request)) {
    answer = co_await ask(io, request, pools_.management);
  } else {
    answer = co_await ask_as_stranger(io, request);
  }
  if (!answer.refusal) co_return std::nullopt;
  co_return to_answer(std::move(answer));
}

base::Async<Answer> AdminEdge::revoke_key(base::IoThread& io, domain::Call& call, service::BodySource& body) {
  if (call.method != Method::Post) {
    domain::Refusal refusal{
        .fault = Fault::MethodNotAllowed, .reason = Reason::MethodNotAllowed, .message = "Method not allowed"};
    refusal.allow = "POST";
    co_return refused(std::move(refusal));
  }
  admin::Request request = make_request(call, Entrance::Public, settings_);
  // 204 would say that the key has ended: what cannot be read is refused.
  if (auto problem = co_await read_body(call, body, request, kRevokeBodyBytesMax)) {
    problem->management = true;
    co_return std::move(*problem);
  }
  const Place place(mutex_, strangers_, request.address, kStrangersPerNetworkMax);
  if (!place.got()) {
    base::wipe(request.body);
    co_return to_answer(crowded());
  }
  std::function<base::Result<admin::Answer>()> work = [this, &request]() -> base::Result<admin::Answer> {
    admin::Answer answer = router_.revoke_by_possession(request);
    base::wipe_stack();
    return answer;
  };
  base::Result<admin::Answer> answer = co_await base::offload<admin::Answer>(pools_.strangers, io, work);
  base::wipe(request.body);
  co_return to_answer(answer.ok() ? std::move(*answer) : busy());
}

}  // namespace funcgate::http
