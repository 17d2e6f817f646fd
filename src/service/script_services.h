// ScriptServer: answers what running functions ask for: environment variables, the cache, the store, tasks of their own.
//
// One per io thread, used on it only. Requests are JSON from processes that run user code: whatever is missing, malformed, too
// long or not allowed is answered with ok = false and a text that says so; nothing is guessed.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/async.h"
#include "base/blocking_pool.h"
#include "base/io_thread.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/snapshot.h"
#include "domain/ports/key_value_store.h"
#include "domain/ports/script_services.h"
#include "domain/task.h"
#include "service/catalog.h"
#include "service/script_cache.h"
#include "service/settings.h"
#include "service/tasks.h"

namespace funcgate::service {

// Whether scripts of the set may ask for the variable: it is listed, or "*" is.
bool may_read(const domain::EnvVariable& variable, std::string_view set_id);

// The task that DFF.FUNC(func_id, kwargs, queue) of the call `context` starts: trace, caller and root of the chain are the
// call's own; timeout, expiry and (for queue 0) the pool are the function's. FailedPrecondition: the chain is too deep or has
// the function already; NotFound: no such function in the call's generation; InvalidArgument: kwargs do not fit its parameters.
base::Result<domain::Task> make_script_task(const domain::ScriptContext& context, const std::string& func_id, std::string kwargs,
                                            std::int64_t queue, const domain::Limits& limits, base::WallMs now_ms);

class ScriptServer final : public domain::ScriptServices {
 public:
  // Opens the sealed value of a password; may block, is called on the pool.
  using Unseal = std::function<base::Result<base::SecretString>(const domain::EnvVariable&)>;

  // What is passed by reference outlives this object, and the pool has ended before it goes.
  ScriptServer(base::IoThread& io, base::Snapshot<Catalog>& catalog, ScriptCache& cache, domain::KeyValueStore& store,
               base::BlockingPool& pool, Tasks& tasks, Unseal unseal, base::Random& random, const ServerSettings& settings);

  // Env    {"id"}                                     → {"found":true,"value":…} or {"found":false}
  // Cache  {"op","scope","key", and by op: "field","value","expire","step","start","stop"} → see ScriptCache::run
  // Store  {"op":"get","scope","key"} → value or null        {"op":"set",…,"value","expire"} → true, durable
  //        {"op":"delete","scope","key"} → true if it was there   {"op":"keys","scope","key": prefix} → list of keys
  // Func   {"funcId","kwargs","queue"}                → {"id":"task-…"}, durable; never in an authentication function
  // scope and key: 1 to 256 bytes; value: at most 1 MiB of JSON; expire: null or 1 s to 30 d.
  base::Async<domain::ScriptAnswer> ask(domain::ScriptQuestion question, domain::ScriptContext context,
                                        std::string request) override;

 private:
  base::Async<domain::ScriptAnswer> read_variable(domain::ScriptContext context, std::string request);
  domain::ScriptAnswer use_cache(const std::string& request);
  base::Async<domain::ScriptAnswer> use_store(std::string request);
  base::Async<domain::ScriptAnswer> start_task(domain::ScriptContext context, std::string request);

  base::IoThread& io_;
  base::Snapshot<Catalog>& catalog_;
  ScriptCache& cache_;
  domain::KeyValueStore& store_;
  base::BlockingPool& pool_;
  Tasks& tasks_;
  const Unseal unseal_;
  base::Random& random_;
  const ServerSettings& settings_;
};

}  // namespace funcgate::service
