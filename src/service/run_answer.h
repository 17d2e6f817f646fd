// From the result of a run to the answer of the call, and to the texts of its record.
#pragma once

#include <string>

#include "domain/call.h"
#include "domain/call_record.h"
#include "domain/invocation.h"
#include "service/answer.h"
#include "service/catalog.h"
#include "service/settings.h"

namespace funcgate::service {

struct RunContext {
  domain::RunResult& run;  // its reply moves into the answer
  const Endpoint& endpoint;
  std::string_view task_id;
  const domain::Call& call;
  std::int64_t timeout_ms;
  const std::string& folder;
  const ServerSettings& settings;
  const domain::FunctionInfo* function;  // that ran; null: none did
};
// `answer`: a fresh one.
void fill_answer(Answer& answer, const RunContext& context);

// The task object of a failed run: {"name":"Func.Runner","id",…,"exceptionType",…}; `with` decides how much is shown.
std::string failure_detail(const domain::RunResult& run, std::string_view problem, std::string_view task_id,
                           std::int64_t trigger_time_ms, domain::ErrorDetail with);
// Passwords of the catalog and credential values of the request are masked.
void fill_record_texts(domain::CallRecord& record, const Answer& answer, const Endpoint* endpoint, const domain::Call& call,
                       const std::vector<base::SecretString>& passwords);
// The JSON of a member of an object that a worker sent; empty if it is absent, or `object` none.
std::string member_json(std::string_view object, std::string_view name);
// A member of a JSON object that is a text; empty if absent.
std::string text_member(std::string_view object, std::string_view name);

}  // namespace funcgate::service
