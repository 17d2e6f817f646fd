#include "http/envelope.h"

#include <fmt/format.h>

#include "base/json.h"
#include "service/fault_text.h"

namespace funcgate::http {
namespace {

void append_times(std::string& out, const domain::Call& call, const EnvelopeTimes& times) {
  out += ",\"traceId\":";
  base::append_json_string(out, call.trace_id);
  out += ",\"clientTime\":";
  if (call.client_time.empty()) {
    out += "null";
  } else {
    base::append_json_string(out, call.client_time);
  }
  fmt::format_to(std::back_inserter(out), ",\"reqTime\":\"{}\",\"respTime\":\"{}\",\"reqCost\":{}}}", times.request,
                 times.response, times.cost_ms);
}

void append_url(std::string& out, const domain::Call& call, std::string_view target, const service::ServerSettings& settings) {
  std::string url = settings.public_url;
  if (url.empty() && !call.host.empty()) url = fmt::format("{}://{}", call.tls ? "https" : "http", call.host);
  if (target.starts_with("http://") || target.starts_with("https://")) url.clear();
  url.append(target);
  base::append_json_string(out, url);
}

}  // namespace

int append_refusal(std::string& out, const domain::Refusal& refusal, const domain::Call& call, std::string_view target,
                   const EnvelopeTimes& times, const service::ServerSettings& settings, bool async_api, bool management) {
  const bool compat = settings.compat_dataflux && !management;
  const service::FaultIdentity identity = service::fault_identity(refusal.fault, compat, async_api);
  fmt::format_to(std::back_inserter(out), "{{\"ok\":false,\"error\":{},\"reason\":\"{}\",\"message\":", identity.error,
                 identity.reason);
  base::append_json_string(out, refusal.message);
  if (!refusal.detail.empty()) out.append(",\"detail\":").append(refusal.detail);
  fmt::format_to(std::back_inserter(out), ",\"status\":{},\"reqDump\":{{\"method\":", identity.status);
  base::append_json_string(out, call.method_text);
  out += ",\"url\":";
  append_url(out, call, target, settings);
  out.push_back('}');
  append_times(out, call, times);
  return identity.status;
}

void append_success(std::string& out, int status, std::string_view data, const domain::Call& call, const EnvelopeTimes& times,
                    std::string_view members) {
  fmt::format_to(std::back_inserter(out), "{{\"ok\":true,\"error\":{},\"message\":\"\",\"data\":", status);
  out.append(data.empty() ? "null" : data).append(members);
  append_times(out, call, times);
}

}  // namespace funcgate::http
