// FunctionApi: what a published API says; Script and ScriptSet: what it runs; EnvVariable: what scripts may ask for.
//
// Member names follow the resource documents (camelCase there). Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/call.h"

namespace funcgate::domain {

enum class ExecMode : std::uint8_t { Sync, Async };
enum class ReturnType : std::uint8_t { Raw, JsonDumps };
enum class ErrorDetail : std::uint8_t { Type, Message, Traceback };
enum class ThrottlePer : std::uint8_t { Api, Caller, Address };

// One fixed window. `rule` as bySecond … byYear.
struct ThrottleRule {
  std::string_view rule;  // static text
  std::int64_t window_s = 0;
  std::int64_t limit = 0;
};
inline constexpr struct {
  std::string_view rule;
  std::int64_t window_s;
} kThrottleWindows[] = {{"bySecond", 1},    {"byMinute", 60},       {"byHour", 3600},
                        {"byDay", 86'400},  {"byMonth", 2'592'000}, {"byYear", 31'536'000}};

struct FunctionApi {
  std::string id, title, note;
  std::vector<std::string> tags;
  std::string func_id;
  std::string func_call_kwargs = "{}";  // JSON object
  ExecMode exec_mode = ExecMode::Sync;
  std::vector<std::string> api_auth_ids;
  bool anonymous = false;
  std::string anonymous_reason;
  std::optional<std::int64_t> anonymous_until_ms;
  bool pass_authorization = false;
  std::vector<Method> methods{Method::Get, Method::Post};
  std::vector<std::string> cors_origins;
  std::optional<std::int64_t> timeout_s, expires_s;  // else the decorator's
  std::vector<ThrottleRule> throttling;
  ThrottlePer throttle_per = ThrottlePer::Api;
  std::int64_t max_concurrent = 0;  // 0: bounded by the pool only
  std::optional<std::int64_t> expire_time_ms;
  bool is_disabled = false;
  bool accept_files = false;
  std::optional<std::int64_t> max_body_bytes, max_upload_bytes, pre_auth_body_bytes;
  ReturnType return_type = ReturnType::Raw;
  bool unbox = true;
  std::optional<ErrorDetail> error_detail;  // else Type, in compat mode Message
  bool strict_validation = true;
  std::int64_t result_ttl_s = 86'400;
  bool retry_on_crash = false;
  std::int64_t task_record_limit = 100;
  bool record_detail = false;
  bool show_in_doc = false;
  std::int64_t version = 1;
};

struct Script {
  std::string id;      // sales__prices
  std::string set_id;  // sales
  std::string title;
  std::int64_t publish_version = 0;
  std::string source;  // of the published version
  std::string source_sha256;  // hex
};

struct ScriptSet {
  std::string id, title, note, requirements;
  std::int64_t version = 1;
};

// One decorated function of the published scripts, as the worker reported it.
struct FunctionInfo {
  std::string id, script_id, set_id, name, title, description, category;
  std::vector<std::string> tags;
  std::optional<std::int64_t> timeout_s, expires_s, queue;
  double cache_result_s = 0;
  std::vector<std::string> cache_vary{"caller"};
  bool isolated_calls = false;  // isolation="call"
  bool is_hidden = false, is_async = false;
  std::vector<std::string> required_parameters, parameters;
  bool extra_arguments = false;  // **kwargs
  std::string schema = "{}", result_schema = "{}";  // JSON
  std::int64_t publish_version = 0;                 // of its script
};

enum class EnvType : std::uint8_t { String, Password, Integer, Float, Boolean, Json, CommaArray };
struct EnvVariable {
  std::string id, title, note;
  EnvType type = EnvType::String;
  std::string value;                     // text as written; for Password: sealed, associated data: "env", id
  std::vector<std::string> script_sets;  // "*" = all; empty = nobody
  std::int64_t version = 1;
};

}  // namespace funcgate::domain
