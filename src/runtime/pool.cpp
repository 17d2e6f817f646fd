#include "runtime/pool.h"

#include "base/log.h"
#include "runtime/bench.h"
#include "runtime/python_host.h"

namespace funcgate::runtime {

Pool::Pool(PoolSettings settings, const std::vector<base::IoThread*>& threads,
           const std::vector<domain::ScriptServices*>& services, base::BlockingPool& spawner, WorkerStarter starter)
    : settings_(std::move(settings)),
      spawner_(spawner),
      starter_(std::move(starter)),
      threads_(threads),
      active_(settings_.eager) {
  for (std::size_t i = 0; i < threads.size(); ++i) {
    benches_.push_back(std::make_unique<Bench>(*this, *threads[i], i < settings_.workers, services[i]));
  }
}

Pool::~Pool() = default;

base::Status Pool::start_all(const std::shared_ptr<const RuntimeGeneration>& generation, std::string* report) {
  {
    std::lock_guard lock(mutex_);
    started_[generation->number] = true;
  }
  for (std::size_t slot = 0; slot < settings_.workers; ++slot) {
    TRY(StartedWorker started, starter_(settings_, *generation));
    if (slot == 0 && report != nullptr) *report = started.report;
    Bench& bench = *benches_[slot % benches_.size()];
    bench.io().post([&bench, weak = std::weak_ptr(generation), started = std::move(started), slot]() mutable {
      bench.adopt(weak, std::move(started), slot);
    });
  }
  return base::kDone;
}

void Pool::ensure_started(const std::shared_ptr<const RuntimeGeneration>& generation) {
  {
    std::lock_guard lock(mutex_);
    bool& started = started_[generation->number];
    if (started) return;
    started = true;
  }
  for (std::size_t slot = 0; slot < settings_.workers; ++slot) start_slot(generation, slot);
  active_.store(true);
}

base::Result<StartedWorker> Pool::start(const RuntimeGeneration& generation) const {
  try {
    return starter_(settings_, generation);
  } catch (const std::exception& exception) {
    // Memory ran out, most likely. Whoever waits for this worker must hear of it.
    return base::Error{base::Code::Internal, "a worker could not be started", exception.what()};
  }
}

void Pool::start_slot(const std::shared_ptr<const RuntimeGeneration>& generation, std::size_t slot) {
  Bench& bench = *benches_[slot % benches_.size()];
  const std::weak_ptr weak = generation;
  const bool queued = spawner_.submit([this, &bench, weak, slot] {
    const auto alive = weak.lock();
    if (!alive) return;
    auto started = start(*alive);
    if (!started.ok()) {
      base::log::error("worker.start_failed", {{"pool", settings_.name}, {"error", started.error().message}});
      bench.io().post([&bench, weak, slot] { bench.start_failed(weak, slot); });
      return;
    }
    bench.io().post(
        [&bench, weak, slot, started = std::move(*started)]() mutable { bench.adopt(weak, std::move(started), slot); });
  });
  if (!queued) bench.io().post([&bench, weak, slot] { bench.start_failed(weak, slot); });
}

bool Pool::start_single(const std::shared_ptr<const RuntimeGeneration>& generation, base::IoThread& io,
                        std::function<void(base::Result<StartedWorker>)> ready) {
  return spawner_.submit([this, generation, &io, ready = std::move(ready)] {
    auto started = std::make_shared<base::Result<StartedWorker>>(start(*generation));
    io.post([started, ready] { ready(std::move(*started)); });
  });
}

void Pool::retire(std::uint64_t generation) {
  {
    std::lock_guard lock(mutex_);
    started_.erase(generation);
  }
  for (auto& bench : benches_) {
    bench->io().post([target = bench.get(), generation] { target->retire(generation); });
  }
}

void Pool::cancel(const std::string& task_id) {
  for (auto& bench : benches_) {
    bench->io().post([target = bench.get(), task_id] { target->cancel(task_id); });
  }
}

bool Pool::enter_queue() {
  if (queued_.fetch_add(1, std::memory_order_relaxed) < settings_.queue_length) return true;
  queued_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

bool Pool::take_share(std::string_view key) {
  std::lock_guard lock(mutex_);
  auto found = shares_.find(key);
  if (found == shares_.end()) found = shares_.emplace(std::string(key), 0).first;
  if (found->second >= (settings_.workers + 1) / 2) return false;
  ++found->second;
  return true;
}

void Pool::give_share_back(std::string_view key) {
  {
    std::lock_guard lock(mutex_);
    const auto found = shares_.find(key);
    if (found != shares_.end() && --found->second == 0) shares_.erase(found);
  }
  // A call of this key may wait on any thread.
  for (auto& bench : benches_) {
    if (bench->waiting() > 0) bench->io().post([target = bench.get()] { target->dispatch_all(); });
  }
}

std::int64_t Pool::workers_alive() const {
  std::int64_t sum = 0;
  for (const auto& bench : benches_) sum += bench->alive();
  return sum;
}

}  // namespace funcgate::runtime
