#include "http/client/load_generator.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "http/client/load_thread.h"

namespace funcgate::http {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kOtherDescriptors = 64;  // standard streams, event loops, what libraries open
constexpr auto kProgressPause = std::chrono::seconds(1);

base::Status allow_descriptors(std::size_t connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return base::kDone;
  const rlim_t wanted = connections + kOtherDescriptors;
  if (limit.rlim_cur >= wanted) return base::kDone;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (limit.rlim_cur >= wanted && ::setrlimit(RLIMIT_NOFILE, &limit) == 0) return base::kDone;
  return Error{Code::ResourceExhausted,
               fmt::format("{} connections need {} open files, and this process may have {}: raise the limit (ulimit -n)",
                           connections, wanted, std::max(before, limit.rlim_max)),
               {}};
}

// The `part`-th of `parts` shares of `whole`; together they are exactly `whole`.
std::uint64_t share_of(std::uint64_t whole, std::size_t part, std::size_t parts) {
  return whole / parts + (part < whole % parts ? 1 : 0);
}

LoadProgress progress_of(const std::vector<std::unique_ptr<LoadThread>>& threads) {
  LoadProgress sum;
  for (const auto& thread : threads) {
    const LoadProgress one = thread->progress();
    sum.requests += one.requests;
    sum.failed += one.failed;
    sum.elapsed_ns = std::max(sum.elapsed_ns, one.elapsed_ns);
  }
  return sum;
}

}  // namespace

void LoadResult::add(const LoadResult& other) {
  latency.add(other.latency);
  for (std::size_t i = 0; i < statuses.size(); ++i) statuses[i] += other.statuses[i];
  requests += other.requests;
  succeeded += other.succeeded;
  timed_out += other.timed_out;
  lost += other.lost;
  malformed += other.malformed;
  failed_to_connect += other.failed_to_connect;
  connect_errors += other.connect_errors;
  connections_opened += other.connections_opened;
  preparations += other.preparations;
  repeated += other.repeated;
  due_but_not_sent += other.due_but_not_sent;
  sent_bytes += other.sent_bytes;
  received_bytes += other.received_bytes;
  // A thread that never began counts for nothing.
  if (other.began_ns != 0) began_ns = began_ns == 0 ? other.began_ns : std::min(began_ns, other.began_ns);
  ended_ns = std::max(ended_ns, other.ended_ns);
  if (first_problem.empty()) first_problem = other.first_problem;
  if (!broken_off) broken_off = other.broken_off;
}

base::Result<LoadResult> make_load(const LoadPlan& plan, std::atomic<bool>& stop,
                                   const std::function<void(const LoadProgress&)>& on_progress) {
  TRY_DONE(allow_descriptors(plan.connections));
  const std::size_t parts = std::min(plan.threads, plan.connections);
  std::vector<std::unique_ptr<LoadThread>> loads;
  for (std::size_t part = 0; part < parts; ++part) {
    LoadShare share;
    share.connections = static_cast<std::size_t>(share_of(plan.connections, part, parts));
    if (plan.rate_per_second) share.rate_per_second = *plan.rate_per_second / static_cast<double>(parts);
    if (plan.requests) share.requests = share_of(*plan.requests, part, parts);
    loads.push_back(std::make_unique<LoadThread>(plan, share, stop));
  }
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = 0;  // guarded by mutex
  std::vector<std::thread> threads;
  base::Status started = base::kDone;
  for (const auto& load : loads) {
    std::unique_lock lock(mutex);
    try {
      threads.emplace_back([&, target = load.get()] {
        target->run();
        const std::lock_guard guard(mutex);
        --running;
        ended.notify_one();
      });
      ++running;
    } catch (const std::system_error& error) {
      started = Error{Code::ResourceExhausted, fmt::format("no thread can be started: {}", error.what()), {}};
      stop = true;
      break;
    }
  }
  {
    std::unique_lock lock(mutex);
    while (!ended.wait_for(lock, kProgressPause, [&] { return running == 0; })) {
      if (on_progress) on_progress(progress_of(loads));
    }
  }
  for (std::thread& thread : threads) thread.join();
  TRY_DONE(std::move(started));
  auto sum = std::make_unique<LoadResult>();
  for (const auto& load : loads) sum->add(load->result());
  return std::move(*sum);
}

}  // namespace funcgate::http
