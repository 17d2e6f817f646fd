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

// What a run left, copied from the worker's frame.
struct Outcome {
  std::string_view outcome;  // a constant
  bool is_value = false;
  std::string body, content_type, problem, print;
  std::int64_t run_ms = 0;
};

// Lives as long as the run, even if nobody waits for its end any more.
struct DraftRun {
  domain::GenerationPtr generation;
  service::CatalogPtr catalog;
  std::string kwargs, trace_id, function_id;
  std::promise<Outcome> done;
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

Outcome copied(const domain::RunResult& result) {
  const domain::FunctionReply& reply = result.reply;
  return {.outcome = outcome_of(result),
          .is_value = reply.outcome == domain::ReplyOutcome::Value,
          .body = std::string(reply.body),
          .content_type = std::string(reply.content_type),
          .problem = std::string(reply.problem),
          .print = std::string(reply.print_log),
          .run_ms = reply.run_ns / 1'000'000};
}

// What was printed and what went wrong are shown as they would be recorded: without the values of password variables. Searching
// long texts for many values takes its time, and so does reading JSON: not on an io thread.
json::object describe(Outcome outcome, const service::Catalog& catalog) {
  std::vector<std::string_view> secrets;
  for (const base::SecretString& password : catalog.passwords) secrets.push_back(password.reveal());
  service::mask_secrets(outcome.problem, secrets);
  service::mask_secrets(outcome.print, secrets);
  return {{"outcome", std::string(outcome.outcome)},
          {"result", outcome.is_value ? json_or_text(outcome.body) : json::value()},
          {"contentType", std::move(outcome.content_type)},
          {"problem", json_or_text(outcome.problem)},
          {"print", std::move(outcome.print)},
          {"runMs", outcome.run_ms}};
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
  domain::RunResult result;
  co_await runner.run(work, result);
  draft->done.set_value(copied(result));
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
  return describe(done.get(), *draft->catalog);
}

}  // namespace funcgate::app
