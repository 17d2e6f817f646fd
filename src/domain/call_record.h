// CallRecord: what is remembered of one call, allowed or refused. The fixed part is what the journal keeps of every call; the
// texts exist only for what is shown in call records (failures, prints, details).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/short_text.h"
#include "domain/address.h"
#include "domain/api_path.h"
#include "domain/call.h"
#include "domain/principal.h"
#include "domain/reason.h"

namespace funcgate::domain {

struct CallRecordTexts {
  std::string print_log, exception_type, exception_text, traceback, kwargs, result;
};

struct CallRecord {
  std::int64_t trigger_time_ms = 0, start_time_ms = 0, end_time_ms = 0;
  std::int64_t queue_us = 0, run_us = 0;
  std::int64_t duration_ns = 0;  // from the trigger to the end
  base::ShortText<64> trace_id;
  std::shared_ptr<const std::string> api_id;  // shared with the endpoint: no copy per call
  std::shared_ptr<const std::string> func_id;
  std::int64_t publish_version = 0, api_version = 0;
  PrincipalPtr caller;  // null: refused before anybody was known
  std::string auth_id;  // configuration that decided a refusal
  base::ShortText<32> task_id;
  Address address;
  Method method = Method::Get;
  ApiPath path;            // with the id of the API, or with asked_id
  int status = 0;          // HTTP
  std::string_view error;  // "401.99", static text; empty = none
  Reason reason = Reason::None;
  bool cached = false;
  std::uint32_t count = 1;              // refusals of one second that were merged
  std::int64_t records_kept_max = 100;  // taskRecordLimit of the API
  std::unique_ptr<CallRecordTexts> texts;
  std::unique_ptr<const std::string> asked_id;  // where no API is: what was asked for
};

}  // namespace funcgate::domain
