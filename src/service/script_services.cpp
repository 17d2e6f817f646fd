#include "service/script_services.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/json.h"
#include "base/json_scan.h"
#include "base/log.h"
#include "base/offload.h"
#include "base/text.h"
#include "domain/env_variable_json.h"
#include "domain/limits.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
using domain::ScriptAnswer;

// Less than the 10 s that are promised: the answer has to travel too.
constexpr std::int64_t kAnswerMs = 9'000;
constexpr std::int64_t kTaskQueueDefault = 3, kTaskQueueMax = 15;

ScriptAnswer answer_of(const Result<std::string>& result) {
  return result.ok() ? ScriptAnswer{true, *result} : ScriptAnswer{false, result.error().message};
}

Error invalid(std::string message) { return Error{Code::InvalidArgument, std::move(message), {}}; }

// Hands the result of `work` on. Runs detached: whoever waits may have given up.
template <class T>
base::Async<void> deliver(base::Async<Result<T>> work, std::shared_ptr<base::OneShot<Result<T>>> done) {
  Result<T> result = co_await work;
  done->complete(std::move(result));
}

// The result of `work`, or DeadlineExceeded; then `work` goes on alone to its end.
template <class T>
base::Async<Result<T>> in_time(base::IoThread& io, base::Async<Result<T>> work) {
  auto done = std::make_shared<base::OneShot<Result<T>>>();
  base::Timer timer([done] {
    Error late{Code::DeadlineExceeded, "the server did not answer in time; whether it did what was asked is not known", {}};
    done->complete(std::move(late));
  });
  io.timers().arm(timer, io.clock().steady_ns() + kAnswerMs * base::kNsPerMs);
  base::spawn(deliver<T>(std::move(work), done));
  Result<T> result = co_await done->wait();
  co_return result;
}

// The members of one request, found but not believed.
class RequestMembers {
 public:
  RequestMembers(const std::string& request, const std::vector<std::vector<std::string>>& names)
      : request_(request), names_(names), members_(base::find_members(request, names)) {}

  bool readable() const { return members_.has_value(); }
  // As it stands in the request; empty if absent.
  std::string_view raw(std::string_view name) const {
    const base::JsonMember* found = member(name);
    return found == nullptr ? std::string_view()
                            : std::string_view(request_).substr(found->value_begin, found->value_end - found->value_begin);
  }
  std::optional<std::string> text(std::string_view name) const {
    const base::JsonMember* found = member(name);
    return found == nullptr ? std::nullopt : found->string_value;
  }
  Result<std::string> name_text(std::string_view name, std::size_t bytes_min = 1) const {
    const auto found = text(name);
    if (!found || found->size() < bytes_min || found->size() > domain::kCacheKeyBytesMax ||
        found->find('\0') != std::string::npos) {
      return invalid(fmt::format("{} must be a text of {} to {} bytes without NUL", name, bytes_min, domain::kCacheKeyBytesMax));
    }
    return *found;
  }
  Result<std::string> value() const {
    const std::string_view found = raw("value");
    if (found.empty()) return invalid("value is missing");
    if (found.size() > domain::kCacheValueBytesMax) {
      return Error{
          Code::PayloadTooLarge, fmt::format("a value can have at most {} bytes as JSON", domain::kCacheValueBytesMax), {}};
    }
    return std::string(found);
  }
  Result<std::int64_t> integer(std::string_view name, std::int64_t otherwise) const {
    const std::string_view found = raw(name);
    if (found.empty()) return otherwise;
    const auto number = base::parse_int(found);
    if (!number) return invalid(fmt::format("{} must be an integer of at most 18 digits", name));
    return *number;
  }
  // Milliseconds; 0 if absent or null.
  Result<std::int64_t> expire_ms() const {
    const std::string_view found = raw("expire");
    if (found.empty() || found == "null") return 0;
    const auto seconds = base::parse_number(found);
    if (!seconds || *seconds * 1000 < static_cast<double>(kCacheExpireMinMs) ||
        *seconds * 1000 > static_cast<double>(kCacheExpireMaxMs)) {
      return invalid(fmt::format("expire must be {} to {} seconds", kCacheExpireMinMs / 1000, kCacheExpireMaxMs / 1000));
    }
    return static_cast<std::int64_t>(*seconds * 1000);
  }

 private:
  const base::JsonMember* member(std::string_view name) const {
    if (!members_) return nullptr;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i].front() == name) return (*members_)[i].found ? &(*members_)[i] : nullptr;
    }
    return nullptr;
  }

  const std::string& request_;
  const std::vector<std::vector<std::string>>& names_;
  const std::optional<std::vector<base::JsonMember>> members_;
};

const std::vector<std::vector<std::string>>& keyed_members() {
  static const std::vector<std::vector<std::string>> names{{"op"},     {"scope"}, {"key"},   {"field"}, {"value"},
                                                           {"expire"}, {"step"},  {"start"}, {"stop"}};
  return names;
}

Result<CacheRequest> read_cache_request(const std::string& text) {
  const RequestMembers members(text, keyed_members());
  if (!members.readable()) return invalid("the request is not valid JSON");
  const auto operation = parse_cache_operation(members.text("op").value_or(""));
  if (!operation) return invalid("DFF.CACHE has no such operation");
  CacheRequest request;
  request.operation = *operation;
  TRY(request.scope, members.name_text("scope"));
  TRY(request.key, members.name_text("key"));
  switch (*operation) {
    case CacheOperation::Set:
    case CacheOperation::GetSet: {
      TRY(request.value, members.value());
      TRY(request.expire_ms, members.expire_ms());
      break;
    }
    case CacheOperation::Expire: {
      TRY(request.expire_ms, members.expire_ms());
      break;
    }
    case CacheOperation::HSet: {
      TRY(request.value, members.value());
      [[fallthrough]];
    }
    case CacheOperation::HGet:
    case CacheOperation::HDel: {
      TRY(request.field, members.name_text("field"));
      break;
    }
    case CacheOperation::HIncr: {
      TRY(request.field, members.name_text("field"));
      [[fallthrough]];
    }
    case CacheOperation::Incr: {
      TRY(request.step, members.integer("step", 1));
      break;
    }
    case CacheOperation::LPush:
    case CacheOperation::RPush: {
      TRY(request.value, members.value());
      break;
    }
    case CacheOperation::LRange:
    case CacheOperation::LTrim: {
      TRY(request.start, members.integer("start", 0));
      TRY(request.stop, members.integer("stop", -1));
      break;
    }
    case CacheOperation::Get:
    case CacheOperation::Delete:
    case CacheOperation::HGetAll:
    case CacheOperation::LPop:
    case CacheOperation::RPop:
    case CacheOperation::LLen:
      break;
  }
  return request;
}

struct StoreRequest {
  enum class Operation { Get, Set, Delete, Keys } operation = Operation::Get;
  std::string scope, key, value;  // Keys: `key` is a prefix
  std::int64_t expire_ms = 0;     // 0: never
};

Result<StoreRequest> read_store_request(const std::string& text) {
  static constexpr std::string_view kOperations[] = {"get", "set", "delete", "keys"};
  const RequestMembers members(text, keyed_members());
  if (!members.readable()) return invalid("the request is not valid JSON");
  const auto operation = std::find(std::begin(kOperations), std::end(kOperations), members.text("op").value_or(""));
  if (operation == std::end(kOperations)) return invalid("DFF.STORE has no such operation");
  StoreRequest request;
  request.operation = static_cast<StoreRequest::Operation>(operation - std::begin(kOperations));
  TRY(request.scope, members.name_text("scope"));
  TRY(request.key, members.name_text("key", request.operation == StoreRequest::Operation::Keys ? 0 : 1));
  if (request.operation == StoreRequest::Operation::Set) {
    TRY(request.value, members.value());
    TRY(request.expire_ms, members.expire_ms());
  }
  return request;
}

// Blocks; on the pool. The result as JSON.
Result<std::string> run_store(domain::KeyValueStore& store, const StoreRequest& request, base::WallMs now_ms) {
  switch (request.operation) {
    case StoreRequest::Operation::Get: {
      TRY(const std::optional<std::string> value, store.get(request.scope, request.key, now_ms));
      return value.value_or("null");
    }
    case StoreRequest::Operation::Set: {
      TRY_DONE(store.set(request.scope, request.key, request.value, request.expire_ms == 0 ? 0 : now_ms + request.expire_ms));
      return std::string("true");
    }
    case StoreRequest::Operation::Delete: {
      TRY(const bool removed, store.remove(request.scope, request.key));
      return std::string(removed ? "true" : "false");
    }
    case StoreRequest::Operation::Keys:
      break;
  }
  TRY(const std::vector<std::string> keys, store.keys(request.scope, request.key, now_ms));
  std::string list = "[";
  for (const std::string& key : keys) {
    if (list.size() > 1) list.push_back(',');
    base::append_json_string(list, key);
  }
  return list + "]";
}

// The functions that led here, this one last.
Result<base::json::array> chain_of(const domain::ScriptContext& context) {
  base::json::array chain;
  if (context.function_chain.empty()) {
    chain.emplace_back(context.function_id);
    return chain;
  }
  const auto parsed = base::parse_json(context.function_chain);
  if (!parsed.ok() || !parsed->is_array()) return Error{Code::Internal, "the chain of functions cannot be read", {}};
  chain = parsed->get_array();
  return chain;
}

Status check_kwargs(const domain::FunctionInfo& function, const std::string& kwargs) {
  const auto parsed = base::parse_json(kwargs);
  const base::json::object* object = parsed.ok() ? parsed->if_object() : nullptr;
  if (object == nullptr) return invalid("kwargs must be an object");
  for (const std::string& name : function.required_parameters) {
    if (!object->contains(name)) return invalid(fmt::format("the argument {} of {} is missing", name, function.id));
  }
  for (const auto& [key, value] : *object) {
    const std::string_view name(key.data(), key.size());
    const bool known = std::find(function.parameters.begin(), function.parameters.end(), name) != function.parameters.end();
    if (!known && !function.extra_arguments) {
      return invalid(fmt::format("{} has no argument {}", function.id, base::printable(name, 64)));
    }
  }
  return base::kDone;
}

// The caller of a call that is a task itself: only the JSON of the first one is left of it.
domain::PrincipalFields fields_of(const std::string& caller_json) {
  static const std::vector<std::vector<std::string>> kNames{{"type"},  {"authId"},  {"name"},  {"userId"},
                                                            {"keyId"}, {"keyName"}, {"runAs"}, {"attributes"}};
  const RequestMembers members(caller_json, kNames);
  domain::PrincipalFields fields;
  fields.type = members.text("type").value_or("");
  fields.auth_id = members.text("authId").value_or("");
  fields.name = members.text("name").value_or("");
  fields.user_id = members.text("userId").value_or("");
  fields.key_id = members.text("keyId").value_or("");
  fields.key_name = members.text("keyName").value_or("");
  fields.run_as = members.text("runAs").value_or("system");
  if (const auto attributes = members.raw("attributes"); !attributes.empty()) fields.attributes = attributes;
  return fields;
}

}  // namespace

bool may_read(const domain::EnvVariable& variable, std::string_view set_id) {
  return std::any_of(variable.script_sets.begin(), variable.script_sets.end(),
                     [&](const std::string& listed) { return listed == "*" || (listed == set_id && !set_id.empty()); });
}

Result<domain::Task> make_script_task(const domain::ScriptContext& context, const std::string& func_id, std::string kwargs,
                                      std::int64_t queue, const domain::Limits& limits, base::WallMs now_ms) {
  TRY(base::json::array chain, chain_of(context));
  if (chain.size() >= static_cast<std::size_t>(domain::kFunctionChainMax)) {
    return Error{Code::FailedPrecondition, fmt::format("a chain can have at most {} functions", domain::kFunctionChainMax), {}};
  }
  for (const base::json::value& earlier : chain) {
    if (!earlier.is_string()) return Error{Code::Internal, "the chain of functions cannot be read", {}};
    if (earlier.get_string() == func_id) {
      return Error{
          Code::FailedPrecondition, fmt::format("{} is in the chain of this call already", base::printable(func_id)), {}};
    }
  }
  const domain::FunctionInfo* function = context.generation ? context.generation->function(func_id) : nullptr;
  if (function == nullptr)
    return Error{Code::NotFound, fmt::format("there is no published function {}", base::printable(func_id)), {}};
  TRY_DONE(check_kwargs(*function, kwargs));
  chain.emplace_back(func_id);
  domain::Task task;
  task.func_id = func_id;
  const bool is_first = context.root_task_id.empty() || context.root_task_id == "ROOT";
  task.root_task_id = is_first ? context.task_id : context.root_task_id;
  task.trace_id = context.trace_id;
  task.origin = "func";
  task.origin_id = context.task_id;
  task.function_chain = base::to_json(chain);
  task.caller = context.caller ? context.caller->fields() : fields_of(context.caller_json);
  task.caller_json = context.caller ? std::string(context.caller->caller_json()) : context.caller_json;
  if (task.caller_json.empty()) task.caller_json = "{}";
  task.kwargs = std::move(kwargs);
  task.queue = queue != 0 ? queue : function->queue.value_or(kTaskQueueDefault);
  task.timeout_ms = function->timeout_s ? *function->timeout_s * 1000 : limits.async_function_timeout_ms;
  task.trigger_time_ms = task.earliest_ms = now_ms;
  task.expires_at_ms = now_ms + (function->expires_s ? *function->expires_s * 1000 : task.timeout_ms);
  return task;
}

ScriptServer::ScriptServer(base::IoThread& io, base::Snapshot<Catalog>& catalog, ScriptCache& cache, domain::KeyValueStore& store,
                           base::BlockingPool& pool, Tasks& tasks, Unseal unseal, base::Random& random,
                           const ServerSettings& settings)
    : io_(io),
      catalog_(catalog),
      cache_(cache),
      store_(store),
      pool_(pool),
      tasks_(tasks),
      unseal_(std::move(unseal)),
      random_(random),
      settings_(settings) {}

base::Async<ScriptAnswer> ScriptServer::ask(domain::ScriptQuestion question, domain::ScriptContext context, std::string request) {
  ScriptAnswer answer{false, "unknown kind of question"};
  switch (question) {
    case domain::ScriptQuestion::Env:
      answer = co_await read_variable(std::move(context), std::move(request));
      break;
    case domain::ScriptQuestion::Cache:
      answer = use_cache(request);
      break;
    case domain::ScriptQuestion::Store:
      answer = co_await use_store(std::move(request));
      break;
    case domain::ScriptQuestion::Func:
      answer = co_await start_task(std::move(context), std::move(request));
      break;
  }
  co_return answer;
}

base::Async<ScriptAnswer> ScriptServer::read_variable(domain::ScriptContext context, std::string request) {
  static const std::vector<std::vector<std::string>> kNames{{"id"}};
  const auto id = RequestMembers(request, kNames).text("id");
  if (!id) co_return ScriptAnswer{false, "id must be a text"};
  // Unknown, not allowed and never set look alike: a script learns nothing about other sets' variables.
  const ScriptAnswer absent{true, "{\"found\":false}"};
  const CatalogPtr catalog = catalog_.current();
  const auto found = catalog->env_variables.find(*id);
  if (found == catalog->env_variables.end() || !may_read(found->second, context.set_id)) co_return absent;
  const domain::EnvVariable& variable = found->second;
  Result<std::string> value = invalid("");
  if (variable.type == domain::EnvType::Password) {
    if (variable.value.empty()) co_return absent;
    // The job keeps the catalog: it may outlive this wait.
    std::function<Result<base::SecretString>()> open = [this, catalog, &variable] { return unseal_(variable); };
    base::Async<Result<base::SecretString>> work = base::offload<base::SecretString>(pool_, io_, open);
    Result<base::SecretString> clear = co_await in_time<base::SecretString>(io_, std::move(work));
    if (!clear.ok()) {
      base::log::error("env.unreadable", {{"variable", *id}, {"error", clear.error().message}});
      co_return ScriptAnswer{false, fmt::format("the variable {} cannot be read at present", *id)};
    }
    value = domain::env_value_json(variable.type, clear->reveal());
  } else {
    value = domain::env_value_json(variable.type, variable.value);
  }
  if (!value.ok()) co_return ScriptAnswer{false, fmt::format("the variable {} {}", *id, value.error().message)};
  ScriptAnswer answer{true, fmt::format("{{\"found\":true,\"value\":{}}}", *value)};
  if (variable.type == domain::EnvType::Password) base::wipe(*value);
  co_return answer;
}

ScriptAnswer ScriptServer::use_cache(const std::string& request) {
  const auto parsed = read_cache_request(request);
  if (!parsed.ok()) return ScriptAnswer{false, parsed.error().message};
  return answer_of(cache_.run(*parsed, io_.clock().steady_ns()));
}

base::Async<ScriptAnswer> ScriptServer::use_store(std::string request) {
  const auto parsed = read_store_request(request);
  if (!parsed.ok()) co_return ScriptAnswer{false, parsed.error().message};
  const base::WallMs now = io_.clock().wall_ms();
  std::function<Result<std::string>()> run = [this, wanted = *parsed, now] { return run_store(store_, wanted, now); };
  base::Async<Result<std::string>> work = base::offload<std::string>(pool_, io_, run);
  const Result<std::string> result = co_await in_time<std::string>(io_, std::move(work));
  co_return answer_of(result);
}

base::Async<ScriptAnswer> ScriptServer::start_task(domain::ScriptContext context, std::string request) {
  static const std::vector<std::vector<std::string>> kNames{{"funcId"}, {"kwargs"}, {"queue"}};
  // A caller who is not accepted yet must not be able to fill the queue.
  if (context.authentication) co_return ScriptAnswer{false, "DFF.FUNC does not work in an authentication function"};
  const RequestMembers members(request, kNames);
  if (!members.readable()) co_return ScriptAnswer{false, "the request is not valid JSON"};
  const auto func_id = members.text("funcId");
  if (!func_id) co_return ScriptAnswer{false, "func_id must be a text"};
  std::string kwargs(members.raw("kwargs"));
  if (kwargs.empty() || kwargs == "null") kwargs = "{}";
  if (static_cast<std::int64_t>(kwargs.size()) > settings_.limits.body_bytes) {
    co_return ScriptAnswer{false, fmt::format("kwargs can have at most {} bytes as JSON", settings_.limits.body_bytes)};
  }
  std::int64_t queue = 0;
  if (const std::string_view wanted = members.raw("queue"); !wanted.empty() && wanted != "null") {
    queue = base::parse_int(wanted).value_or(0);
    if (queue < 1 || queue > kTaskQueueMax) co_return ScriptAnswer{false, fmt::format("queue must be 1 to {}", kTaskQueueMax)};
  }
  Result<domain::Task> task =
      make_script_task(context, *func_id, std::move(kwargs), queue, settings_.limits, io_.clock().wall_ms());
  if (!task.ok()) co_return ScriptAnswer{false, task.error().message};
  task->id = "task-" + random_.alphanumeric(22);
  const std::string id = task->id;
  base::Async<Status> work = tasks_.submit(io_, std::move(*task));
  const Status stored = co_await in_time<base::Unit>(io_, std::move(work));
  if (!stored.ok()) co_return ScriptAnswer{false, stored.error().message};
  co_return ScriptAnswer{true, fmt::format("{{\"id\":\"{}\"}}", id)};
}

}  // namespace funcgate::service
