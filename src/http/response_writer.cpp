#include "http/response_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "http/envelope.h"

namespace funcgate::http {
namespace {

void append_number(std::string& out, std::int64_t number) {
  const fmt::format_int text(number);
  out.append(text.data(), text.size());
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

// What only the server may say; names in lower case.
bool reserved_header(std::string_view name) {
  static constexpr std::string_view kReserved[] = {"content-length", "transfer-encoding", "connection", "date", "server",
                                                   "www-authenticate", "authentication-info", "x-trace-id", "content-type",
                                                   "x-content-type-options", "access-control-allow-origin",
                                                   "access-control-allow-credentials"};
  const std::string lowered = base::to_lower(name);
  return std::find(std::begin(kReserved), std::end(kReserved), lowered) != std::end(kReserved);
}

bool is_active_content(std::string_view content_type) {
  for (std::string_view media : {"text/html", "image/svg+xml", "application/xml", "text/xml", "application/xhtml+xml"}) {
    if (domain::media_type_is(content_type, media)) return true;
  }
  return false;
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

std::string_view ResponseWriter::now_text() {
  const base::WallMs now = io_.clock().wall_ms();
  if (now != now_ms_) {
    now_ms_ = now;
    now_text_.clear();
    base::append_rfc3339(now_text_, now);
    if (now / 1000 != date_s_) {
      date_s_ = now / 1000;
      date_text_ = base::format_http_date(now);
    }
  }
  return now_text_;
}

void ResponseWriter::head(std::string& out, int status, const ResponseContext& context) {
  out += "HTTP/1.1 ";
  append_number(out, status);
  out.push_back(' ');
  out += status_text(status);
  out += "\r\nServer: funcgate\r\nDate: ";
  now_text();
  out += date_text_;
  out += "\r\n";
  if (!context.keep_alive) {
    out += "Connection: close\r\n";
  } else if (context.http_1_0) {
    out += "Connection: keep-alive\r\n";
  }
  append_header(out, "X-Trace-Id", context.call.trace_id);
  if (!context.call.client_time.empty()) append_header(out, "X-Client-Time", context.call.client_time);
  times(out, context);
  out += "X-Content-Type-Options: nosniff\r\n";
}

void ResponseWriter::times(std::string& out, const ResponseContext& context) {
  out += "X-Request-Time: ";
  if (context.call.arrival_ms == now_ms_) {
    out += now_text_;
  } else {
    base::append_rfc3339(out, context.call.arrival_ms);
  }
  out += "\r\nX-Response-Time: ";
  out += now_text_;
  out += "\r\nX-Request-Cost: ";
  append_number(out, std::max<std::int64_t>(0, now_ms_ - context.call.arrival_ms));
  out += "\r\n";
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

void ResponseWriter::refusal(std::string& out, const service::Answer& answer, const ResponseContext& context) {
  const domain::Refusal& refusal = *answer.refusal;
  scratch_.clear();
  std::string request_time;
  base::append_rfc3339(request_time, context.call.arrival_ms);
  const EnvelopeTimes times{request_time, now_text(), std::max<std::int64_t>(0, now_ms_ - context.call.arrival_ms)};
  const std::string_view target = context.masked_target.empty() ? context.call.target : std::string_view(context.masked_target);
  const int status = append_refusal(scratch_, refusal, context.call, target, times, settings_, answer.async_api,
                                    answer.management);
  head(out, status, context);
  common(out, answer, context);
  for (const std::string& challenge : refusal.challenges) append_header(out, "WWW-Authenticate", challenge);
  if (!refusal.allow.empty()) append_header(out, "Allow", refusal.allow);
  if (refusal.retry_after_s > 0) append_header(out, "Retry-After", std::to_string(refusal.retry_after_s));
  out += "Cache-Control: private, no-store\r\nContent-Type: application/json\r\nContent-Length: ";
  append_number(out, static_cast<std::int64_t>(scratch_.size()));
  out += "\r\n\r\n";
  if (context.call.method != domain::Method::Head) out += scratch_;
}

void ResponseWriter::envelope(std::string& out, const service::Answer& answer, const ResponseContext& context) {
  scratch_.clear();
  std::string request_time;
  base::append_rfc3339(request_time, context.call.arrival_ms);
  const EnvelopeTimes times{request_time, now_text(), std::max<std::int64_t>(0, now_ms_ - context.call.arrival_ms)};
  append_success(scratch_, answer.status, answer.body_bytes(), context.call, times, answer.envelope_members);
  head(out, answer.status, context);
  common(out, answer, context);
  out += "Cache-Control: private, no-store\r\nContent-Type: application/json\r\nContent-Length: ";
  append_number(out, static_cast<std::int64_t>(scratch_.size()));
  out += "\r\n\r\n";
  if (context.call.method != domain::Method::Head) out += scratch_;
}

void ResponseWriter::write(std::string& out, const service::Answer& answer, const ResponseContext& context) {
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
  if (is_active_content(answer.content_type)) out += "Content-Security-Policy: sandbox allow-scripts allow-forms\r\n";
  const bool no_body = answer.status == 204 || answer.status == 304;
  const std::string_view body = answer.body_bytes();
  if (!no_body) {
    if (!answer.content_type.empty()) append_header(out, "Content-Type", answer.content_type);
    out += "Content-Length: ";
    append_number(out, answer.file ? answer.file_bytes : static_cast<std::int64_t>(body.size()));
    out += "\r\n";
  }
  out += "\r\n";
  if (!no_body && context.call.method != domain::Method::Head) out += body;
}

}  // namespace funcgate::http
