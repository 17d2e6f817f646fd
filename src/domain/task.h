// Task: one asynchronous run, durable from its acceptance to the end of its result's life.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "domain/principal.h"

namespace funcgate::domain {

enum class TaskStatus : std::uint8_t { Waiting, Running, Success, Failure, Timeout, Expire, Cancelled };
std::string_view task_status_name(TaskStatus status);
std::optional<TaskStatus> parse_task_status(std::string_view name);
// Of a status that never changes again.
bool has_ended(TaskStatus status);

struct Task {
  std::string id;  // task- + 22 letters and digits
  std::string api_id, func_id, root_task_id, trace_id, origin, origin_id;
  std::string function_chain = "[]";  // JSON
  std::string caller_json = "{}";
  PrincipalFields caller;  // who may poll
  TaskStatus status = TaskStatus::Waiting;
  std::string kwargs = "{}";  // JSON object, validated
  std::string files, folder;  // JSON list; folder of the uploads, relative to the run folder; empty = none
  std::string request;        // what _DFF_HTTP_REQUEST shows, JSON {method,path,query,host,protocol,ip,headers:[[n,v]]}
  std::string eta, delay;     // JSON texts as requested
  std::int64_t queue = 3;
  bool unbox = true, json_dumps = false, retry_on_crash = false;
  std::int64_t timeout_ms = 0;
  std::int64_t trigger_time_ms = 0;
  std::int64_t earliest_ms = 0;    // not started before
  std::int64_t expires_at_ms = 0;  // not started after
  std::int64_t result_ttl_s = 86'400;
  int attempts = 0;
  std::optional<std::int64_t> start_time_ms, end_time_ms;
  // The end: what a synchronous call would have answered.
  int status_code = 0;
  std::string content_type, headers;  // headers: JSON [[name,value]]
  std::string result;                 // bytes
  std::string failure;                // JSON {error, reason, message, detail} unless success
};

}  // namespace funcgate::domain
