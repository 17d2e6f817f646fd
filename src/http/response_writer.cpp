#include "http/response_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "base/text.h"
#include "http/envelope.h"

namespace funcgate::http {
namespace {

// Small texts, for which `out` is made larger once.
void append_all(std::string& out, std::initializer_list<std::string_view> texts) {
  std::size_t bytes = 0;
  for (std::string_view text : texts) bytes += text.size();
  const std::size_t begin = out.size();
  out.resize(begin + bytes);
  char* to = out.data() + begin;
  for (std::string_view text : texts) {
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    to += text.size();
  }
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  append_all(out, {name, ": ", value, "\r\n"});
}

std::string_view view(const fmt::format_int& number) { return {number.data(), number.size()}; }

// The end of a head of `media` (empty: no such line) and so many bytes.
void append_length(std::string& out, std::string_view media, std::size_t bytes) {
  const fmt::format_int length(bytes);
  append_all(out, {media.empty() ? "" : "Content-Type: ", media, media.empty() ? "" : "\r\n", "Content-Length: ", view(length),
                   "\r\n\r\n"});
}

// What only the server may say; names in lower case.
bool reserved_header(std::string_view name) {
  static constexpr std::string_view kReserved[] = {"content-length",
                                                   "transfer-encoding",
                                                   "connection",
                                                   "date",
                                                   "server",
                                                   "www-authenticate",
                                                   "authentication-info",
                                                   "x-trace-id",
                                                   "content-type",
                                                   "x-content-type-options",
                                                   "access-control-allow-origin",
                                                   "access-control-allow-credentials"};
  const std::string lowered = base::to_lower(name);
  return std::find(std::begin(kReserved), std::end(kReserved), lowered) != std::end(kReserved);
}

bool is_active_content(std::string_view content_type) {
  static constexpr std::string_view kActive[] = {"text/html", "image/svg+xml", "application/xml", "text/xml",
                                                 "application/xhtml+xml"};
  const std::string_view media = base::trim(content_type.substr(0, content_type.find(';')));
  return std::any_of(std::begin(kActive), std::end(kActive),
                     [&](std::string_view active) { return base::equals_ignore_case(media, active); });
}

}  // namespace

std::string_view status_text(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Status";
  }
}

void ResponseWriter::read_time(const service::Answer& answer, const ResponseContext& context) {
  arrived_.set(context.call.arrival_ms);
  const base::WallMs now = answer.ended_ms != 0 ? answer.ended_ms : io_.clock().wall_ms();
  now_.set(now);
  if (now / 1000 == date_s_) return;
  date_s_ = now / 1000;
  date_lines_ = "\r\nServer: funcgate\r\nDate: " + base::format_http_date(now) + "\r\n";
}

void ResponseWriter::TimeText::set(base::WallMs time) {
  if (time == ms) return;
  ms = time;
  text.clear();
  base::append_rfc3339(text, time);
}

void ResponseWriter::head(std::string& out, int status, const ResponseContext& context) {
  const fmt::format_int code(status), cost(cost_ms());
  const std::string_view connection = !context.keep_alive ? "Connection: close\r\n"
                                      : context.http_1_0  ? "Connection: keep-alive\r\n"
                                                          : "";
  const std::string_view client_time = context.call.client_time;
  append_all(out,
             {"HTTP/1.1 ", view(code), " ", status_text(status), date_lines_, connection, "X-Trace-Id: ", context.call.trace_id,
              client_time.empty() ? "" : "\r\nX-Client-Time: ", client_time, "\r\nX-Request-Time: ", arrived_.text,
              "\r\nX-Response-Time: ", now_.text, "\r\nX-Request-Cost: ", view(cost), "\r\nX-Content-Type-Options: nosniff\r\n"});
}

void ResponseWriter::common(std::string& out, const service::Answer& answer, const ResponseContext&) {
  if (!answer.cors_origin.empty()) append_header(out, "Access-Control-Allow-Origin", answer.cors_origin);
  if (answer.cors_vary) out += "Vary: Origin\r\n";
  if (!answer.cors_methods.empty()) append_header(out, "Access-Control-Allow-Methods", answer.cors_methods);
  if (!answer.cors_headers.empty()) append_header(out, "Access-Control-Allow-Headers", answer.cors_headers);
  if (!answer.authentication_info.empty()) append_header(out, "Authentication-Info", answer.authentication_info);
  if (answer.retry_after_s > 0) append_header(out, "Retry-After", std::to_string(answer.retry_after_s));
  if (answer.cached && !answer.refusal) out += "X-Dff-Cache: Cached\r\n";
  for (const auto& [name, value] : answer.own_headers) {
    // Some came from a function, by way of the result cache or a task.
    if (!reserved_header(name) && base::is_token(name) && !base::has_control(value)) append_header(out, name, value);
  }
}

// What is in scratch_. It may be a secret that is told once: nothing stays of it.
void ResponseWriter::append_envelope(std::string& out, const ResponseContext& context) {
  constexpr std::size_t kKeptBytesMax = 16 << 10;
  append_length(out, "application/json", scratch_.size());
  if (context.call.method != domain::Method::Head) out += scratch_;
  explicit_bzero(scratch_.data(), scratch_.size());
  scratch_.clear();
  if (scratch_.capacity() > kKeptBytesMax) std::string().swap(scratch_);
}

void ResponseWriter::refusal(std::string& out, const service::Answer& answer, const ResponseContext& context) {
  const domain::Refusal& refusal = *answer.refusal;
  const EnvelopeTimes times{arrived_.text, now_.text, cost_ms()};
  const std::string_view target = context.masked_target.empty() ? context.call.target : std::string_view(context.masked_target);
  const int status =
      append_refusal(scratch_, refusal, context.call, target, times, settings_, answer.async_api, answer.management);
  head(out, status, context);
  common(out, answer, context);
  for (const std::string& challenge : refusal.challenges) append_header(out, "WWW-Authenticate", challenge);
  if (!refusal.allow.empty()) append_header(out, "Allow", refusal.allow);
  if (refusal.retry_after_s > 0) append_header(out, "Retry-After", std::to_string(refusal.retry_after_s));
  out += "Cache-Control: private, no-store\r\n";
  append_envelope(out, context);
}

void ResponseWriter::envelope(std::string& out, const service::Answer& answer, const ResponseContext& context) {
  const EnvelopeTimes times{arrived_.text, now_.text, cost_ms()};
  append_success(scratch_, answer.status, answer.body_bytes(), context.call, times, answer.envelope_members);
  head(out, answer.status, context);
  common(out, answer, context);
  out += "Cache-Control: private, no-store\r\n";
  append_envelope(out, context);
}

void ResponseWriter::write(std::string& out, const service::Answer& answer, const ResponseContext& context) {
  read_time(answer, context);
  if (answer.refusal) return refusal(out, answer, context);
  if (answer.envelope) return envelope(out, answer, context);
  head(out, answer.status, context);
  common(out, answer, context);
  bool own_cache_control = false;
  for (const domain::Header& header : answer.headers) {
    if (reserved_header(header.name)) continue;
    own_cache_control = own_cache_control || base::equals_ignore_case(header.name, "cache-control");
    append_header(out, header.name, header.value);
  }
  for (const auto& [name, value] : answer.own_headers) {
    own_cache_control = own_cache_control || base::equals_ignore_case(name, "cache-control");
  }
  if (answer.authenticated && !own_cache_control) out += "Cache-Control: private, no-store\r\n";
  // The console may share the origin: whatever a function answers must not run as it.
  if (is_active_content(answer.media())) out += "Content-Security-Policy: sandbox allow-scripts allow-forms\r\n";
  const bool no_body = answer.status == 204 || answer.status == 304;
  const std::string_view body = answer.body_bytes();
  if (no_body) {
    out += "\r\n";
    return;
  }
  append_length(out, answer.media(), answer.file ? static_cast<std::size_t>(answer.file_bytes) : body.size());
  if (context.call.method != domain::Method::Head) out += body;
}

}  // namespace funcgate::http
