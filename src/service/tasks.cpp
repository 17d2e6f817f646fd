#include "service/tasks.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/principal_issuer.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "base/offload.h"
#include "service/fault_text.h"
#include "service/gateway.h"
#include "service/redaction.h"
#include "service/run_answer.h"

namespace funcgate::service {
namespace {

constexpr std::int64_t kIdlePollMs = 1000;
// A task whose pool had no room waits this long; for a part of it no task is claimed at all.
constexpr std::int64_t kPutBackMs = 1000;
constexpr std::int64_t kPauseMs = 200;
constexpr std::int64_t kPruneMs = 5000;
// A cancelled task is looked for again and again: it may be on its way from one thread to another, where nobody finds it.
constexpr std::int64_t kCancelMs = 5000, kCancelAgainMs = 250;
// The longest pause between two attempts to write the end of a task.
constexpr std::int64_t kWriteAgainMs = 16'000;

std::string unreadable_text() {
  return fault_text(
      {.fault = domain::Fault::System, .reason = domain::Reason::Internal, .message = "The stored task cannot be read"});
}

domain::TaskStatus status_of(domain::RunStatus status, const Answer& answer) {
  switch (status) {
    case domain::RunStatus::TimedOut: return domain::TaskStatus::Timeout;
    case domain::RunStatus::QueueExpired: return domain::TaskStatus::Expire;
    case domain::RunStatus::Cancelled: return domain::TaskStatus::Cancelled;
    case domain::RunStatus::Replied:
    case domain::RunStatus::WorkerLost:
    case domain::RunStatus::QueueFull:
    case domain::RunStatus::CallerGone:
    case domain::RunStatus::Stopping: break;
  }
  return answer.refusal ? domain::TaskStatus::Failure : domain::TaskStatus::Success;
}

// The task was not begun: it waits for another turn.
bool not_begun(domain::RunStatus status) {
  return status == domain::RunStatus::QueueFull || status == domain::RunStatus::Stopping;
}

std::string_view text_at(const base::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(base::json::string_view(name.data(), name.size()));
  const base::json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

std::string read_answer_file(Answer& answer, std::int64_t bytes_max) {
  const std::string path = fmt::format("/proc/self/fd/{}", answer.file.get());
  auto content = base::read_file(path, static_cast<std::size_t>(bytes_max));
  return content.ok() ? std::move(*content) : std::string();
}

}  // namespace

// The request that made a task, as its function may see it.
struct Tasks::StoredRequest {
  base::json::value document;
  domain::Call call;
  domain::VisibleRequest visible;

  // False: `text` is none; the task was not made by HTTP.
  bool restore(const std::string& text);
};

bool Tasks::StoredRequest::restore(const std::string& text) {
  auto parsed = base::parse_json(text);
  if (!parsed.ok() || !parsed->is_object()) return false;
  document = std::move(*parsed);
  const base::json::object& object = document.get_object();
  call.method_text = text_at(object, "method");
  call.method = domain::parse_method(call.method_text);
  call.path = text_at(object, "path");
  call.host = text_at(object, "host");
  call.tls = text_at(object, "protocol") == "https";
  call.peer = domain::Address::parse(text_at(object, "ip")).value_or(domain::Address());
  if (const auto* proxies = object.if_contains("proxies"); proxies != nullptr && proxies->is_array()) {
    for (const base::json::value& proxy : proxies->get_array()) {
      const base::json::string* written = proxy.if_string();
      const auto address =
          written == nullptr ? std::nullopt : domain::Address::parse(std::string_view(written->data(), written->size()));
      if (address) call.proxies.push_back(*address);
    }
  }
  visible.query = text_at(object, "query");
  if (const auto* headers = object.if_contains("headers"); headers != nullptr && headers->is_array()) {
    for (const base::json::value& pair : headers->get_array()) {
      const base::json::array* both = pair.if_array();
      if (both == nullptr || both->size() != 2 || !both->at(0).is_string() || !both->at(1).is_string()) continue;
      const auto &name = both->at(0).get_string(), &value = both->at(1).get_string();
      visible.headers.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
    }
  }
  visible.raw_body_intact = false;
  return true;
}

Tasks::Tasks(const ServerSettings& settings, domain::TaskStore& store, base::BlockingPool& pool, base::Snapshot<Catalog>& catalog,
             std::size_t running_max)
    : settings_(settings), store_(store), pool_(pool), catalog_(catalog), running_max_(running_max) {}

base::Status Tasks::recover() {
  domain::Refusal lost{.fault = domain::Fault::WorkerLost,
                       .reason = domain::Reason::WorkerLost,
                       .message = "The server stopped while this task was running"};
  TRY(const std::size_t count, store_.recover(base::SystemClock().wall_ms(), fault_text(lost)));
  if (count > 0) base::log::warning("task.recovered", {{"count", static_cast<std::int64_t>(count)}});
  return base::kDone;
}

void Tasks::attach(base::IoThread& io, domain::FunctionRunner& runner, domain::Recorder& recorder) {
  io_ = &io;
  runner_ = &runner;
  recorder_ = &recorder;
  timer_.set_callback([this] { base::spawn(pump()); });
}

void Tasks::wake() {
  if (io_ != nullptr) io_->post([this] { base::spawn(pump()); });
}

base::Async<base::Status> Tasks::submit(base::IoThread& io, domain::Task task) {
  std::function<base::Result<base::Unit>()> work = [this, &task]() -> base::Result<base::Unit> {
    TRY(const std::size_t waiting, store_.count_waiting(task));
    if (static_cast<std::int64_t>(waiting) >= settings_.limits.tasks_waiting) {
      const std::string_view of = task.api_id.empty() ? "function" : "API";
      return base::Error{base::Code::ResourceExhausted, fmt::format("Too many tasks of this {} are waiting", of), {}};
    }
    return store_.insert(task);
  };
  base::Result<base::Unit> result = co_await base::offload<base::Unit>(pool_, io, work);
  if (result.ok()) wake();
  co_return result;
}

base::Async<base::Result<domain::Task>> Tasks::get(base::IoThread& io, std::string id) {
  std::function<base::Result<domain::Task>()> work = [this, &id] { return store_.get(id); };
  base::Result<domain::Task> result = co_await base::offload<domain::Task>(pool_, io, work);
  co_return result;
}

base::Async<void> Tasks::wait_for_end(base::IoThread& io, std::string id, base::SteadyNs deadline) {
  auto event = std::make_shared<base::OneShot<bool>>();
  base::Timer timer([event] { event->complete(false); });
  io.timers().arm(timer, deadline);
  {
    std::lock_guard lock(mutex_);
    waiters_.emplace(id, Waiter{&io, event.get(), [event] { event->complete(true); }});
  }
  // It may have ended between the caller's look and our entry.
  base::Result<domain::Task> now = co_await get(io, id);
  if (!now.ok() || now->end_time_ms) event->complete(true);
  co_await event->wait();
  std::lock_guard lock(mutex_);
  const auto [first, last] = waiters_.equal_range(id);
  for (auto waiter = first; waiter != last; ++waiter) {
    if (waiter->second.event != event.get()) continue;
    waiters_.erase(waiter);
    break;
  }
}

void Tasks::ended(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto [first, last] = waiters_.equal_range(id);
  for (auto waiter = first; waiter != last; ++waiter) waiter->second.io->post(std::move(waiter->second.resume));
  waiters_.erase(first, last);
}

base::Async<base::Status> Tasks::cancel(base::IoThread& io, std::string id) {
  std::function<base::Result<bool>()> work = [this, &id] { return store_.cancel_waiting(id, base::SystemClock().wall_ms()); };
  base::Result<bool> waiting = co_await base::offload<bool>(pool_, io, work);
  if (!waiting.ok()) co_return std::move(waiting).error();
  if (*waiting) {
    ended(id);
    co_return base::kDone;
  }
  // Running: its end is written by whoever runs it; the caller hears of it within moments.
  const base::SteadyNs deadline = io.clock().steady_ns() + kCancelMs * base::kNsPerMs;
  while (io.clock().steady_ns() < deadline) {
    if (runner_ != nullptr) runner_->cancel(id);
    co_await wait_for_end(io, id, std::min(deadline, io.clock().steady_ns() + kCancelAgainMs * base::kNsPerMs));
    // It may have been put back instead.
    base::Result<bool> put_back = co_await base::offload<bool>(pool_, io, work);
    if (!put_back.ok() && put_back.error().code == base::Code::Conflict) co_return co_await stopped(io, id);
    if (!put_back.ok()) co_return std::move(put_back).error();
    if (!*put_back) continue;
    ended(id);
    co_return base::kDone;
  }
  co_return base::Error{
      base::Code::Unavailable, "The task could not be stopped in time; ask for its status, or cancel again", {}};
}

base::Async<base::Status> Tasks::stopped(base::IoThread& io, std::string id) {
  base::Result<domain::Task> ended = co_await get(io, std::move(id));
  if (!ended.ok()) co_return std::move(ended).error();
  if (ended->status == domain::TaskStatus::Cancelled) co_return base::kDone;
  co_return base::Error{base::Code::Conflict, "The task ended by itself before it could be stopped", {}};
}

void Tasks::stop() {
  stopping_ = true;
  if (io_ == nullptr) return;
  io_->post([this] {
    // Each ends here and takes itself out of the list.
    while (!write_pauses_.empty()) write_pauses_.front()->complete(true);
  });
}

base::Async<void> Tasks::pump() {
  if (pumping_) {
    again_ = true;
    co_return;
  }
  pumping_ = true;
  do {
    again_ = false;
    if (stopping_ || running_ >= running_max_ || io_->clock().steady_ns() < paused_until_ns_) break;
    const std::size_t room = running_max_ - running_;
    const base::WallMs now = io_->clock().wall_ms();
    std::function<base::Result<std::vector<domain::Task>>()> claim = [this, now, room] {
      return store_.claim(now, room, unreadable_text());
    };
    base::Result<std::vector<domain::Task>> claimed = co_await base::offload<std::vector<domain::Task>>(pool_, *io_, claim);
    if (!claimed.ok()) {
      base::log::error("task.claim_failed", {{"error", claimed.error().message}});
      break;
    }
    for (domain::Task& task : *claimed) {
      ++running_;
      base::spawn(run(std::move(task)));
    }
    co_await prune(now);
  } while (again_);
  pumping_ = false;
  if (!stopping_) io_->timers().arm(timer_, io_->clock().steady_ns() + kIdlePollMs * base::kNsPerMs);
}

bool Tasks::remove_outdated(base::WallMs now_ms) {
  bool more = false;
  if (const auto folders = store_.prune(now_ms); folders.ok()) {
    more = !folders->empty();
    for (const std::string& folder : *folders) {
      if (folder.empty()) continue;
      const base::Status removed = base::remove_tree(folder);
      if (!removed.ok()) base::log::warning("task.folder_not_removed", {{"folder", folder}, {"error", removed.error().message}});
    }
  } else {
    base::log::warning("task.prune_failed", {{"error", folders.error().message}});
  }
  if (!prune_also_) return more;
  const auto removed = prune_also_(now_ms);
  if (!removed.ok()) base::log::warning("task.prune_failed", {{"error", removed.error().message}});
  return more || (removed.ok() && *removed > 0);
}

base::Async<void> Tasks::prune(base::WallMs now_ms) {
  if (now_ms - pruned_ms_ < kPruneMs) co_return;
  bool more = false;
  std::function<base::Result<base::Unit>()> work = [this, now_ms, &more]() -> base::Result<base::Unit> {
    more = remove_outdated(now_ms);
    return base::kDone;
  };
  base::Result<base::Unit> done = co_await base::offload<base::Unit>(pool_, *io_, work);
  // As long as there is something to remove, every round removes some.
  if (!done.ok() || !more) pruned_ms_ = now_ms;
}

domain::Invocation Tasks::invocation(const domain::Task& task, const CatalogPtr& catalog,
                                     const domain::FunctionInfo& function) const {
  domain::Invocation work;
  work.generation = catalog->generation;
  work.function = &function;
  work.form = domain::ArgumentForm::Kwargs;
  work.body = task.kwargs;
  work.queue = static_cast<std::uint16_t>(task.queue);
  const std::int64_t left_ms = std::max<std::int64_t>(0, task.expires_at_ms - io_->clock().wall_ms());
  work.queue_deadline_ns = io_->clock().steady_ns() + left_ms * base::kNsPerMs;
  work.timeout_ms = task.timeout_ms;
  work.unbox = task.unbox;
  work.json_dumps = task.json_dumps;
  work.api_id = task.api_id;
  work.trace_id = task.trace_id;
  work.task_id = task.id;
  work.root_task_id = task.root_task_id;
  work.origin = task.origin;
  work.origin_id = task.origin_id;
  work.function_chain = task.function_chain;
  work.trigger_time_ms = task.trigger_time_ms;
  work.eta = task.eta;
  work.delay = task.delay;
  work.caller_json = task.caller_json;
  work.files = task.files;
  work.result_bytes_max = settings_.limits.result_bytes;
  work.large_result_bytes_max = settings_.limits.large_result_bytes;
  return work;
}

base::Async<Answer> Tasks::perform(domain::Task& task, const CatalogPtr& catalog, domain::RunResult& result) {
  if (!recorder_->reserve()) {
    result.status = domain::RunStatus::QueueFull;
    co_return Answer();
  }
  StoredRequest request;
  Answer answer = co_await execute(task, catalog, request, result);
  if (not_begun(result.status)) {
    recorder_->release();
  } else {
    recorder_->record(record_of(task, answer, result, request.call, *catalog));
    if (settings_.record_before_reply) {
      const base::SteadyNs deadline = io_->clock().steady_ns() + kRecordWaitMs * base::kNsPerMs;
      if (!co_await recorder_->durable(*io_, deadline)) {
        // As with the answer to a call: who asked for evidence first gets no result without it, and a second record says so.
        answer = Answer();
        answer.refusal = domain::Refusal{.fault = domain::Fault::LimitReached,
                                         .reason = domain::Reason::CapacityRecord,
                                         .message = "The task was run, but its record could not be written in time"};
        recorder_->record_refusal(record_of(task, answer, result, request.call, *catalog));
      }
    }
  }
  co_return answer;
}

base::Async<Answer> Tasks::execute(domain::Task& task, const CatalogPtr& catalog, StoredRequest& request,
                                   domain::RunResult& result) {
  const bool is_http = request.restore(task.request);
  request.call.arrival_ms = task.trigger_time_ms;
  const auto found = catalog->endpoints.find(task.api_id);
  static const Endpoint kNoEndpoint;  // tasks of DFF.FUNC have no API
  const Endpoint& endpoint = found == catalog->endpoints.end() ? kNoEndpoint : *found->second;
  const domain::FunctionInfo* function = catalog->generation ? catalog->generation->function(task.func_id) : nullptr;
  if (function == nullptr) {
    Answer answer;
    answer.refusal = domain::Refusal{.fault = domain::Fault::FunctionUnavailable,
                                     .reason = domain::Reason::FunctionMissing,
                                     .message = "The function of this task is not published any more"};
    co_return answer;
  }
  domain::Invocation work = invocation(task, catalog, *function);
  if (is_http) {
    work.call = &request.call;
    work.request = &request.visible;
  }
  const std::string folder = settings_.call_folder + "/" + task.id;
  work.folder = folder;
  co_await runner_->run(work, result);
  if (result.start_time_ms != 0) task.start_time_ms = result.start_time_ms;
  Answer answer;
  fill_answer(answer, {result, endpoint, task.id, request.call, task.timeout_ms, folder, settings_, function});
  if (answer.file && answer.file_bytes > settings_.limits.result_bytes) {
    answer.refusal =
        domain::Refusal{.fault = domain::Fault::ResultInvalid,
                        .reason = domain::Reason::FunctionResultInvalid,
                        .message = fmt::format("The result of a task may have {} bytes", settings_.limits.result_bytes)};
  }
  co_return answer;
}

domain::CallRecord Tasks::record_of(const domain::Task& task, const Answer& answer, const domain::RunResult& result,
                                    const domain::Call& call, const Catalog& catalog) const {
  const auto found = catalog.endpoints.find(task.api_id);
  const Endpoint* endpoint = found == catalog.endpoints.end() ? nullptr : found->second.get();
  domain::CallRecord record;
  record.trigger_time_ms = task.trigger_time_ms;
  record.start_time_ms = result.start_time_ms;
  record.end_time_ms = io_->clock().wall_ms();
  record.queue_us = result.queue_ns / 1000;
  record.run_us = answer.reply.run_ns / 1000;
  // It may have begun in another run of the server: there is but the wall clock.
  record.duration_ns = std::max<std::int64_t>(record.end_time_ms - record.trigger_time_ms, 0) * base::kNsPerMs;
  record.trace_id = task.trace_id;
  record.task_id = task.id;
  record.address = call.peer;
  record.method = call.method;
  if (const auto route = parse_api_route(call.path); route && route->api_id == task.api_id) record.path = route->path;
  // For the record only: whom the call that made the task ran as.
  record.caller = auth::PrincipalIssuer::issue_unmarked(task.caller);
  record.status = answer.status;
  if (answer.refusal) {
    const FaultIdentity identity = fault_identity(answer.refusal->fault, settings_.compat_dataflux);
    record.status = identity.status;
    record.error = identity.error;
    record.reason = answer.refusal->reason;
  }
  if (endpoint != nullptr) {
    record.api_id = endpoint->id;
    record.func_id = endpoint->func_id;
    record.api_version = endpoint->api.version;
    record.publish_version = endpoint->function != nullptr ? endpoint->function->publish_version : 0;
    record.records_kept_max = endpoint->api.task_record_limit;
  } else {
    record.func_id = std::make_shared<const std::string>(task.func_id);
    if (!record.path.none()) record.asked_id = std::make_unique<const std::string>(task.api_id);
  }
  fill_record_texts(record, answer, endpoint, call, catalog.passwords);
  return record;
}

void Tasks::keep_answer(domain::Task& task, Answer& answer, const Catalog& catalog) const {
  if (answer.refusal) {
    task.failure = fault_text(*answer.refusal);
    std::vector<std::string_view> secrets;
    for (const base::SecretString& password : catalog.passwords) secrets.push_back(password.reveal());
    mask_secrets(task.failure, secrets);
    return;
  }
  task.status_code = answer.status;
  task.content_type = answer.envelope ? "application/json" : answer.media();
  task.result = answer.file ? read_answer_file(answer, settings_.limits.result_bytes) : std::string(answer.body_bytes());
  base::json::array headers;
  for (const domain::Header& header : answer.headers) {
    headers.push_back(base::json::array{base::json::string(header.name), base::json::string(header.value)});
  }
  task.headers = base::to_json(headers);
}

base::Async<void> Tasks::run(domain::Task task) {
  const CatalogPtr catalog = catalog_.current();
  domain::RunResult result;
  Answer answer = co_await perform(task, catalog, result);
  // Accepted is accepted: a task that finds no room waits on, until its own time is over.
  const bool waits_on = not_begun(result.status);
  std::function<base::Result<base::Unit>()> write;
  if (waits_on) {
    paused_until_ns_ = io_->clock().steady_ns() + kPauseMs * base::kNsPerMs;
    const std::int64_t earliest_ms = io_->clock().wall_ms() + kPutBackMs;
    write = [this, &task, earliest_ms] { return store_.put_back(task.id, earliest_ms); };
  } else {
    task.end_time_ms = io_->clock().wall_ms();
    task.status = status_of(result.status, answer);
    keep_answer(task, answer, *catalog);
    write = [this, &task]() -> base::Result<base::Unit> {
      // Scratch space; a left-over goes at the next start.
      std::ignore = base::remove_tree(settings_.call_folder + "/" + task.id);
      return store_.finish(task);
    };
  }
  const bool written = co_await write_surely(task.id, std::move(write));
  --running_;
  if (written && !waits_on) ended(task.id);
  base::spawn(pump());
}

base::Async<bool> Tasks::write_surely(std::string id, std::function<base::Result<base::Unit>()> write) {
  for (std::int64_t pause_ms = kIdlePollMs / 4;; pause_ms = std::min(2 * pause_ms, kWriteAgainMs)) {
    base::Result<base::Unit> written = co_await base::offload<base::Unit>(pool_, *io_, write);
    if (written.ok() || written.error().code == base::Code::Conflict) co_return true;
    base::log::error("task.finish_failed", {{"task", id}, {"error", written.error().message}});
    if (stopping_) co_return false;
    base::OneShot<bool> pause;
    base::Timer timer([&pause] { pause.complete(true); });
    io_->timers().arm(timer, io_->clock().steady_ns() + pause_ms * base::kNsPerMs);
    const auto place = write_pauses_.insert(write_pauses_.end(), &pause);
    co_await pause.wait();
    write_pauses_.erase(place);
  }
}

}  // namespace funcgate::service
