#include "domain/function_api_json.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/text.h"
#include "domain/limits.h"
#include "domain/script_json.h"

namespace funcgate::domain {
namespace {

namespace json = base::json;
using base::ObjectReader;

constexpr std::size_t kFixedKwargsBytesMax = 65'536, kCorsOriginsMax = 50;
constexpr std::int64_t kThrottleLimitMax = 1'000'000'000'000;
constexpr Method kMethods[] = {Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete, Method::Head};
constexpr std::string_view kPerNames[] = {"api", "caller", "address"};
constexpr std::string_view kErrorDetailNames[] = {"type", "message", "traceback"};

json::array text_array(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}
json::value or_null(const std::optional<std::int64_t>& number) { return number ? json::value(*number) : json::value(); }
json::value time_or_null(const std::optional<std::int64_t>& time_ms) {
  return time_ms ? json::value(base::format_rfc3339(*time_ms)) : json::value();
}

json::value throttling_spec(const FunctionApi& api) {
  if (api.throttling.empty()) return nullptr;
  json::object out;
  for (const ThrottleRule& rule : api.throttling) out[rule.rule] = rule.limit;
  out["per"] = kPerNames[static_cast<std::size_t>(api.throttle_per)];
  return out;
}

json::object full_spec(const FunctionApi& api) {
  json::object out{{"title", api.title}, {"note", api.note}, {"tags", text_array(api.tags)}, {"funcId", api.func_id}};
  auto kwargs = base::parse_json(api.func_call_kwargs);
  out["funcCallKwargs"] = kwargs.ok() ? std::move(kwargs).value() : json::value(json::object());
  out["execMode"] = api.exec_mode == ExecMode::Sync ? "sync" : "async";
  out["apiAuthIds"] = text_array(api.api_auth_ids);
  out["anonymous"] = api.anonymous;
  out["anonymousReason"] = api.anonymous_reason;
  out["anonymousUntil"] = time_or_null(api.anonymous_until_ms);
  out["passAuthorization"] = api.pass_authorization;
  json::array methods;
  for (Method method : api.methods) methods.emplace_back(method_name(method));
  out["methods"] = std::move(methods);
  out["corsOrigins"] = text_array(api.cors_origins);
  out["timeout"] = or_null(api.timeout_s);
  out["expires"] = or_null(api.expires_s);
  out["throttling"] = throttling_spec(api);
  out["maxConcurrent"] = api.max_concurrent;
  out["expireTime"] = time_or_null(api.expire_time_ms);
  out["isDisabled"] = api.is_disabled;
  out["acceptFiles"] = api.accept_files;
  out["maxBodyBytes"] = or_null(api.max_body_bytes);
  out["maxUploadBytes"] = or_null(api.max_upload_bytes);
  out["preAuthBodyBytes"] = or_null(api.pre_auth_body_bytes);
  out["returnType"] = api.return_type == ReturnType::Raw ? "raw" : "jsonDumps";
  out["unbox"] = api.unbox;
  out["errorDetail"] =
      api.error_detail ? json::value(kErrorDetailNames[static_cast<std::size_t>(*api.error_detail)]) : json::value();
  out["validation"] = api.strict_validation ? "strict" : "off";
  out["resultTtl"] = api.result_ttl_s;
  out["retryOnCrash"] = api.retry_on_crash;
  out["taskRecordLimit"] = api.task_record_limit;
  out["recordDetail"] = api.record_detail;
  out["showInDoc"] = api.show_in_doc;
  return out;
}

// The member `name`, or what importers call it. `holder` keeps the value of a text that holds JSON.
const json::value* member_or_alias(ObjectReader& reader, std::string_view name, std::string_view alias, json::value& holder) {
  const json::value* value = reader.member(name);
  const json::value* imported = reader.member(alias);
  if (imported == nullptr) return value;
  if (value != nullptr) {
    reader.finding(alias, "duplicate", fmt::format("is another name of \"{}\"; give one of them", name));
    return value;
  }
  const json::string* text = imported->if_string();
  if (text == nullptr) return imported;
  auto parsed = base::parse_json({text->data(), text->size()});
  if (!parsed.ok()) {
    reader.finding(alias, "value", parsed.error().message);
    return nullptr;
  }
  holder = std::move(parsed).value();
  return &holder;
}

void read_tags(ObjectReader& reader, FunctionApi& api, std::vector<base::Finding>& findings) {
  json::value holder;
  const json::value* tags = member_or_alias(reader, "tags", "tagsJSON", holder);
  if (tags == nullptr || tags->is_null()) return;
  const json::value wrapped = json::object{{"tags", *tags}};
  ObjectReader(wrapped, "", findings).text_list("tags", api.tags, 20, 64);
  std::sort(api.tags.begin(), api.tags.end());
  api.tags.erase(std::unique(api.tags.begin(), api.tags.end()), api.tags.end());
}

void read_function(ObjectReader& reader, FunctionApi& api) {
  reader.text("funcId", api.func_id, 1, 400, true);
  if (!api.func_id.empty() && !is_function_id(api.func_id))
    reader.finding("funcId", "value", "must look like set__script.function");
  json::value holder;
  const json::value* kwargs = member_or_alias(reader, "funcCallKwargs", "funcCallKwargsJSON", holder);
  if (kwargs == nullptr || kwargs->is_null()) return;
  if (!kwargs->is_object()) {
    reader.finding("funcCallKwargs", "type", "must be an object");
    return;
  }
  std::string text = base::to_json(*kwargs);
  if (text.size() > kFixedKwargsBytesMax) {
    reader.finding("funcCallKwargs", "value", fmt::format("can have at most {} bytes", kFixedKwargsBytesMax));
    return;
  }
  api.func_call_kwargs = std::move(text);
}

void read_api_auth_ids(ObjectReader& reader, FunctionApi& api) {
  std::vector<std::string> found;
  auto add = [&](const json::value& element, const std::string& path) {
    const json::string* text = element.if_string();
    const std::string id = text == nullptr ? std::string() : std::string(text->data(), text->size());
    if (!base::is_object_id(id)) {
      reader.finding(path, "value", "must be the id of an API authentication");
    } else if (std::find(found.begin(), found.end(), id) != found.end()) {
      reader.finding(path, "duplicate", fmt::format("\"{}\" is named twice", id));
    } else {
      found.push_back(id);
    }
  };
  reader.list("apiAuthIds", kAuthEntriesPerApiMax, add);
  if (const json::value* single = reader.member("apiAuthId"); single != nullptr && !single->is_null()) {
    if (found.empty()) {
      add(*single, "apiAuthId");
    } else {
      reader.finding("apiAuthId", "duplicate", "is another name of \"apiAuthIds\"; give one of them");
    }
  }
  api.api_auth_ids = std::move(found);
}

void read_callers(ObjectReader& reader, FunctionApi& api, std::size_t findings_before,
                  const std::vector<base::Finding>& findings) {
  read_api_auth_ids(reader, api);
  std::optional<std::string> reason;
  reader.boolean("anonymous", api.anonymous).optional_text("anonymousReason", reason, 500);
  reader.time("anonymousUntil", api.anonymous_until_ms).boolean("passAuthorization", api.pass_authorization);
  reader.boolean("isDisabled", api.is_disabled);
  api.anonymous_reason = reason.value_or("");
  if (api.anonymous && !api.api_auth_ids.empty()) {
    reader.finding("anonymous", "value", "cannot be true together with apiAuthIds: an API is open or it is not");
  }
  if (api.anonymous && base::trim(api.anonymous_reason).empty()) {
    reader.finding("anonymousReason", "missing", "is required: say why everybody may call this API");
  }
  if (api.pass_authorization && !api.anonymous)
    reader.finding("passAuthorization", "value", "is possible with anonymous: true only");
  const bool clean = findings.size() == findings_before;
  if (clean && !api.anonymous && api.api_auth_ids.empty() && !api.is_disabled) {
    reader.finding(
        "apiAuthIds", "missing",
        "says nobody: name at least one API authentication, or say anonymous: true with an anonymousReason, or isDisabled: true");
  }
}

void read_methods(ObjectReader& reader, FunctionApi& api) {
  const json::value* given = reader.member("methods");
  if (given == nullptr) return;
  std::vector<Method> found;
  bool clean = true;
  reader.list("methods", std::size(kMethods), [&](const json::value& element, const std::string& path) {
    const json::string* text = element.if_string();
    const Method method = text == nullptr ? Method::Other : parse_method({text->data(), text->size()});
    if (std::find(std::begin(kMethods), std::end(kMethods), method) == std::end(kMethods)) {
      reader.finding(path, "value", "must be GET, POST, PUT, PATCH, DELETE or HEAD");
    } else if (std::find(found.begin(), found.end(), method) != found.end()) {
      reader.finding(path, "duplicate", fmt::format("{} is named twice", method_name(method)));
    } else {
      found.push_back(method);
      return;
    }
    clean = false;
  });
  if (!clean || !given->is_array()) return;
  if (found.empty()) {
    reader.finding("methods", "value", "must name at least one method");
  } else {
    api.methods = std::move(found);
  }
}

// scheme://host or scheme://host:port in lower case, as browsers send it (RFC 6454, 6.2).
bool is_origin(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || (text.substr(0, colon) != "https" && text.substr(0, colon) != "http")) return false;
  std::string_view host = text.substr(colon + 3);
  const std::size_t bracket = host.rfind(']');
  const std::size_t port = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (port != std::string_view::npos) {
    const auto number = base::parse_digits(host.substr(port + 1));
    if (!number || *number < 1 || *number > 65535) return false;
    host = host.substr(0, port);
  }
  if (host.empty() || host.size() > 255) return false;
  return std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '[' || c == ']' || c == ':';
  });
}

void read_cors_origins(ObjectReader& reader, FunctionApi& api) {
  reader.list("corsOrigins", kCorsOriginsMax, [&](const json::value& element, const std::string& path) {
    const json::string* text = element.if_string();
    const std::string origin = text == nullptr ? std::string() : std::string(text->data(), text->size());
    if (origin == "*" && !api.anonymous) {
      reader.finding(path, "value", "\"*\" is possible with anonymous: true only");
    } else if (origin != "*" && !is_origin(origin)) {
      reader.finding(path, "value", "must be an exact origin such as https://shop.example");
    } else {
      api.cors_origins.push_back(origin);
    }
  });
}

void read_throttling(ObjectReader& reader, FunctionApi& api, std::vector<base::Finding>& findings) {
  json::value holder;
  const json::value* given = member_or_alias(reader, "throttling", "throttlingJSON", holder);
  if (given == nullptr || given->is_null()) return;
  ObjectReader rules(*given, "throttling", findings);
  for (const auto& window : kThrottleWindows) {
    std::optional<std::int64_t> limit;
    rules.optional_integer(window.rule, limit, 1, kThrottleLimitMax);
    if (limit) api.throttling.push_back({window.rule, window.window_s, *limit});
  }
  std::string per = "api";
  rules.choice("per", per, {std::begin(kPerNames), std::end(kPerNames)});
  api.throttle_per = static_cast<ThrottlePer>(std::find(std::begin(kPerNames), std::end(kPerNames), per) - std::begin(kPerNames));
  rules.finish();
}

void read_limits(ObjectReader& reader, FunctionApi& api) {
  const Limits limits;
  reader.optional_integer("timeout", api.timeout_s, 1, 3600).optional_integer("expires", api.expires_s, 1, 86'400);
  reader.integer("maxConcurrent", api.max_concurrent, 0, 10'000);
  reader.time("expireTime", api.expire_time_ms);
  reader.boolean("acceptFiles", api.accept_files);
  reader.optional_integer("maxBodyBytes", api.max_body_bytes, 0, 10 * limits.body_bytes);
  reader.optional_integer("maxUploadBytes", api.max_upload_bytes, 0, 10 * limits.upload_bytes);
  reader.optional_integer("preAuthBodyBytes", api.pre_auth_body_bytes, 0, 10 * limits.pre_auth_body_bytes);
  reader.integer("resultTtl", api.result_ttl_s, 60, 604'800).boolean("retryOnCrash", api.retry_on_crash);
  reader.integer("taskRecordLimit", api.task_record_limit, 0, 10'000).boolean("recordDetail", api.record_detail);
}

// Absent or null: the server's default, which compat mode changes.
void read_error_detail(ObjectReader& reader, FunctionApi& api) {
  const json::value* given = reader.member("errorDetail");
  if (given == nullptr || given->is_null()) return;
  std::string name;
  reader.choice("errorDetail", name, {std::begin(kErrorDetailNames), std::end(kErrorDetailNames)});
  const auto* found = std::find(std::begin(kErrorDetailNames), std::end(kErrorDetailNames), name);
  if (found != std::end(kErrorDetailNames)) api.error_detail = static_cast<ErrorDetail>(found - std::begin(kErrorDetailNames));
}

void read_answers(ObjectReader& reader, FunctionApi& api) {
  std::string exec_mode = "sync", return_type = "raw", validation = "strict";
  reader.choice("execMode", exec_mode, {"sync", "async"}).choice("returnType", return_type, {"raw", "jsonDumps"});
  reader.boolean("unbox", api.unbox);
  read_error_detail(reader, api);
  reader.choice("validation", validation, {"strict", "off"}).boolean("showInDoc", api.show_in_doc);
  api.exec_mode = exec_mode == "async" ? ExecMode::Async : ExecMode::Sync;
  api.return_type = return_type == "jsonDumps" ? ReturnType::JsonDumps : ReturnType::Raw;
  api.strict_validation = validation != "off";
}

}  // namespace

bool is_placeholder(const json::value& fixed_argument) {
  const json::string* text = fixed_argument.if_string();
  return text != nullptr && (*text == "INPUT_BY_CALLER" || *text == "FROM_PARAMETER");
}

json::object to_spec(const FunctionApi& api, bool brief) {
  json::object out = full_spec(api);
  if (!brief) return out;
  FunctionApi defaults;
  const json::object usual = full_spec(defaults);
  json::object shortened;
  for (const auto& [name, value] : out) {
    const json::value* otherwise = usual.if_contains(name);
    if (name == "funcId" || otherwise == nullptr || *otherwise != value) shortened[name] = value;
  }
  return shortened;
}

FunctionApi read_function_api(const std::string& id, const json::value& spec, std::vector<base::Finding>& findings) {
  const std::size_t findings_before = findings.size();
  FunctionApi api;
  api.id = id;
  if (!base::is_object_id(id)) findings.push_back({"id", "value", "must match ^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$"});
  ObjectReader reader(spec, "", findings);
  reader.text("title", api.title, 0, 200).text("note", api.note, 0, 5000);
  read_tags(reader, api, findings);
  read_function(reader, api);
  read_callers(reader, api, findings_before, findings);
  read_methods(reader, api);
  read_cors_origins(reader, api);
  read_throttling(reader, api, findings);
  read_limits(reader, api);
  read_answers(reader, api);
  reader.finish();
  return api;
}

}  // namespace funcgate::domain
