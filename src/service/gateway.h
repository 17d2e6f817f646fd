// Gateway: THE path of a published call: find, authenticate, authorise, admit, run, record.
//
// One per io thread, used on it only. The order of checks stands in gateway.cpp, once, with a reason beside each step.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "auth/chain.h"
#include "auth/scheme.h"
#include "auth/throttle.h"
#include "base/async.h"
#include "base/io_thread.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "domain/api_path.h"
#include "domain/directory.h"
#include "domain/ports/function_runner.h"
#include "domain/ports/recorder.h"
#include "service/admin/explanations.h"
#include "service/answer.h"
#include "service/auth_metrics.h"
#include "service/body_source.h"
#include "service/catalog.h"
#include "service/rate_limiter.h"
#include "service/result_cache.h"
#include "service/settings.h"
#include "service/strip.h"
#include "service/tasks.h"
#include "service/upload_quota.h"

namespace funcgate::service {

// Shared by the gateways of all threads.
struct GatewayShared {
  const ServerSettings& settings;
  base::Snapshot<Catalog>& catalog;
  auth::Throttle& throttle;
  RateLimiter& rates;
  ResultCache& results;
  Tasks& tasks;
  UploadQuota& uploads;
  // Under a key of this process.
  std::function<crypto::Digest256(std::string_view)> cache_key;  // a keyed hash
  base::Metrics& metrics;
  const base::Snapshot<domain::Directory>& directory;
  Explanations* explanations = nullptr;  // null: nobody can ask why a call was refused
};

// How the path was spelt: /api/v1/(func-api|al|sync|async)/{id}(/(normal|s|simplified))?
struct ApiRoute {
  std::string_view api_id;
  bool simplified = false;
  domain::ApiPath path = {};
};
// nullopt: not a spelling of an API address.
std::optional<ApiRoute> parse_api_route(std::string_view path);

// One call on its way; lives in serve()'s frame.
struct Passage {
  domain::Call& call;
  BodySource& body_source;
  ApiRoute route;
  CatalogPtr catalog;
  const Endpoint* endpoint = nullptr;
  domain::PrincipalPtr principal;
  const auth::Scheme* scheme = nullptr;  // that accepted
  std::optional<auth::Outcome> outcome;  // of its acceptance, if Authentication-Info needs it
  std::string_view deciding_auth_id;     // configuration that accepted or refused; of the catalog
  std::string_view deciding_type;        // of that configuration; empty: it cannot be used, or none decided
  std::string tried_account;             // by whom it was refused: the name that was tried; empty: none
  StripStorage storage;
  std::optional<domain::VisibleRequest> visible;
  Multipart multipart;
  std::string files_json;
  std::array<char, 27> task_letters;
  std::string_view task_id;  // in `task_letters`; empty until the caller is admitted
  std::string folder;        // of this call, named after its task; empty until somebody may need one: Gateway::folder_of()
  std::int64_t upload_bytes = 0;
  domain::ArgumentForm form = domain::ArgumentForm::GetSimplified;
  std::int64_t timeout_ms = 0, expires_ms = 0;
  bool has_folder = false;  // something was written to `folder`
  bool slot_reserved = false, running_counted = false, cached = false;
  bool explained = false;            // the refusal was noted
  std::vector<ExplainedStep> steps;  // answers of the list that refused
  domain::RunResult run;
};

class Gateway {
 public:
  Gateway(const GatewayShared& shared, base::IoThread& io, auth::AuthThread& auth_thread, domain::FunctionRunner& runner,
          domain::Recorder& recorder);

  // The whole life of one call; never throws a call away without a record. `call` and `body` live until the answer is written.
  // `answer` is a fresh one, filled in where it stands: every layer that would hand it on would move it.
  base::Async<void> serve(domain::Call& call, BodySource& body, ApiRoute route, Answer& answer);
  // Who calls, for task requests: the authentication list of `endpoint`, on this request.
  base::Async<std::optional<domain::Refusal>> authenticate(Passage& passage);
  const CatalogPtr& catalog() { return pin_.get(); }
  // Lets go of what was replaced: while no call comes, nothing else does, and an old generation's workers stay as long.
  void let_go() {
    pin_.get();
    directory_.get();
  }
  // The target for error bodies, credential fields masked.
  std::string masked_target(const domain::Call& call, std::string_view api_id);
  GatewayShared& shared() { return shared_; }
  base::IoThread& io() { return io_; }
  domain::Recorder& recorder() { return recorder_; }

 private:
  using Refused = std::optional<domain::Refusal>;
  Refused find(Passage& passage);
  bool preflight(const Passage& passage, Answer& answer) const;
  Refused check_method(const Passage& passage) const;
  Refused check_state(const Passage& passage) const;
  Refused check_rate(const Passage& passage);
  // Authentication that needs no waiting is done at once: `refused` says how it ended, and nothing is left to await.
  std::optional<base::Async<Refused>> try_authenticate(Passage& passage, Refused& refused);
  // The rest of it, from where `result` stopped.
  base::Async<Refused> finish_authentication(Passage& passage, auth::AuthCall auth_call, auth::ChainResult result);
  Refused settle(Passage& passage, const auth::AuthCall& auth_call, auth::ChainResult& result) const;
  void observe(Passage& passage, const Refused& refused);
  void begin_deadline(auth::AuthCall& auth_call);
  // Gives the call its task id.
  void name(Passage& passage);
  const std::string& folder_of(Passage& passage) const;
  // Of a call that has a body.
  base::Async<Refused> read_body(Passage& passage);
  base::Async<Refused> read_multipart(Passage& passage);
  Refused check_body(Passage& passage);
  void read_shortened_times(Passage& passage) const;
  Refused reserve(Passage& passage);
  domain::Invocation invocation(Passage& passage, domain::RunKind kind) const;
  base::Async<void> decide_and_run(Passage& passage, Answer& answer);
  base::Async<void> run(Passage& passage, Answer& answer);
  base::Async<void> run_cached(Passage& passage, Answer& answer);
  // Under which the result cache knows the answer of this call.
  ResultCache::Key result_key(const Passage& passage);
  base::Async<void> submit_task(Passage& passage, Answer& answer);
  void add_cors(const Passage& passage, Answer& answer) const;
  void add_authentication_info(const Passage& passage, Answer& answer);
  void explain(Passage& passage, const domain::Refusal& refusal);
  void finish(Passage& passage, Answer& answer, base::SteadyNs ended_ns);
  // When the call ended, on both clocks.
  domain::CallRecord record_of(const Passage& passage, const Answer& answer, base::WallMs ended_ms,
                               base::SteadyNs ended_ns) const;
  Answer withheld(const Passage& passage, const Answer& answer);
  void count(const Passage& passage, const Answer& answer, base::SteadyNs ended_ns);

  GatewayShared shared_;
  base::Snapshot<Catalog>::Pin pin_;
  base::Snapshot<domain::Directory>::Pin directory_;
  base::IoThread& io_;
  auth::AuthThread& auth_thread_;
  domain::FunctionRunner& runner_;
  domain::Recorder& recorder_;
  AuthObserver observer_;
  // Kept for their capacity.
  std::string key_text_;                       // of result_key()
  std::vector<domain::Header> spare_headers_;  // room for what a function may see, lent to one call
};

}  // namespace funcgate::service
