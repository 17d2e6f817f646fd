#include "base/blocking_pool.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <exception>

#include "base/log.h"
#include "base/text.h"

namespace funcgate::base {

namespace {
constexpr int kBackgroundNice = 10;
}

BlockingPool::BlockingPool(const std::string& name, std::size_t threads, std::size_t queue_max, Priority priority)
    : queue_max_(queue_max) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, name, priority] {
      pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
      // Of this thread alone, as Linux has it. If it is refused the work is done all the same.
      if (priority == Priority::Background) ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kBackgroundNice);
      work();
    });
  }
}

BlockingPool::~BlockingPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool BlockingPool::submit(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || jobs_.size() >= queue_max_) return false;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

std::size_t BlockingPool::queued() const {
  std::lock_guard lock(mutex_);
  return jobs_.size();
}

void BlockingPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    try {
      job();
    } catch (const std::exception& error) {
      // Jobs answer in other ways; memory may run out all the same. The job is lost, the thread and the server stay.
      log::error("pool.job_threw", {{"what", printable(error.what())}});
    }
    lock.lock();
  }
}

}  // namespace funcgate::base
