// The envelope: the one JSON form of errors and of boxed results. Members stand in this order for good.
#pragma once

#include <string>
#include <string_view>

#include "domain/call.h"
#include "domain/reason.h"
#include "service/settings.h"

namespace funcgate::http {

struct EnvelopeTimes {
  std::string_view request, response;  // RFC 3339 with ms
  std::int64_t cost_ms = 0;
};

// `target` has credential fields masked. Returns the HTTP status.
int append_refusal(std::string& out, const domain::Refusal& refusal, const domain::Call& call, std::string_view target,
                   const EnvelopeTimes& times, const service::ServerSettings& settings, bool async_api, bool management = false);
// {"ok":true,"error":200,"message":"","data":…,"traceId",…}; `members`: further ones behind data, from their comma on.
void append_success(std::string& out, int status, std::string_view data, const domain::Call& call, const EnvelopeTimes& times,
                    std::string_view members = {});

}  // namespace funcgate::http
