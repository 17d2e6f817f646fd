#include "app/draft_runner.h"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <memory>

#include "service/redaction.h"

namespace funcgate::app {
namespace {

namespace json = base::json;

constexpr std::int64_t kQueueMs = 10'000;
constexpr std::int64_t kDraftResultBytesMax = 1 << 20;

// Lives as long as the run, even if nobody waits for its end any more.
struct DraftRun {
  domain::GenerationPtr generation;
  service::CatalogPtr catalog;
  std::string kwargs, trace_id, function_id;
  std::promise<json::object> done;
};

std::string_view outcome_of(const domain::RunResult& result) {
  switch (result.status) {
    case domain::RunStatus::Replied: break;
    case domain::RunStatus::TimedOut: return "timeout";
    case domain::RunStatus::WorkerLost: return "workerLost";
    case domain::RunStatus::QueueFull:
    case domain::RunStatus::QueueExpired:
    case domain::RunStatus::Cancelled:
    case domain::RunStatus::CallerGone:
    case domain::RunStatus::Stopping: return "notRun";
  }
  switch (result.reply.outcome) {
    case domain::ReplyOutcome::Value: return "value";
    case domain::ReplyOutcome::Raised: return "raised";
    case domain::ReplyOutcome::BadArguments: return "badArguments";
    case domain::ReplyOutcome::ResultInvalid: return "resultInvalid";
    case domain::ReplyOutcome::Missing: return "missing";
  }
  return "notRun";
}

json::value json_or_text(std::string_view text) {
  if (text.empty()) return nullptr;
  auto parsed = base::parse_json(text);
  return parsed.ok() ? std::move(*parsed) : json::value(std::string(text));
}

// What was printed and what went wrong are shown as they would be recorded: without the values of password variables.
json::object describe(const domain::RunResult& result, const service::Catalog& catalog) {
  const domain::FunctionReply& reply = result.reply;
  std::vector<std::string_view> secrets;
  for (const base::SecretString& password : catalog.passwords) secrets.push_back(password.reveal());
  std::string problem(reply.problem), print(reply.print_log);
  service::mask_secrets(problem, secrets);
  service::mask_secrets(print, secrets);
  return {{"outcome", std::string(outcome_of(result))},
          {"result", reply.outcome == domain::ReplyOutcome::Value ? json_or_text(reply.body) : json::value()},
          {"contentType", std::string(reply.content_type)},
          {"problem", json_or_text(problem)},
          {"print", std::move(print)},
          {"runMs", reply.run_ns / 1'000'000}};
}

base::Async<void> run(base::IoThread& io, domain::FunctionRunner& runner, std::shared_ptr<DraftRun> draft) {
  domain::Invocation work;
  work.kind = domain::RunKind::Draft;
  work.generation = draft->generation;
  work.function = draft->generation->function(draft->function_id);
  work.form = domain::ArgumentForm::Kwargs;
  work.body = draft->kwargs;
  work.queue_deadline_ns = io.clock().steady_ns() + kQueueMs * base::kNsPerMs;
  work.timeout_ms = kDraftRunMs;
  work.trace_id = draft->trace_id;
  work.origin = "draft";
  work.origin_id = draft->function_id;
  work.caller_json = "{}";
  work.trigger_time_ms = io.clock().wall_ms();
  work.result_bytes_max = work.large_result_bytes_max = kDraftResultBytesMax;
  const domain::RunResult result = co_await runner.run(work);
  draft->done.set_value(describe(result, *draft->catalog));
}

}  // namespace

base::Result<json::object> run_candidate(base::IoThread& io, domain::FunctionRunner& runner,
                                         const domain::GenerationPtr& candidate, service::CatalogPtr catalog,
                                         const std::string& function_id, const std::string& kwargs, const std::string& trace_id) {
  if (candidate->function(function_id) == nullptr)
    return base::Error{base::Code::NotFound, fmt::format("The draft has no function \"{}\" with @DFF.API", function_id), {}};
  auto draft = std::make_shared<DraftRun>();
  draft->generation = candidate;
  draft->catalog = std::move(catalog);
  draft->kwargs = kwargs;
  draft->trace_id = trace_id;
  draft->function_id = function_id;
  auto done = draft->done.get_future();
  io.post([&io, &runner, draft] { base::spawn(run(io, runner, draft)); });
  // The runner ends by itself; this is for a server that goes down meanwhile.
  if (done.wait_for(std::chrono::milliseconds(kQueueMs + kDraftRunMs + 5000)) != std::future_status::ready)
    return base::Error{base::Code::DeadlineExceeded, "The draft did not end in time", {}};
  return done.get();
}

}  // namespace funcgate::app
