#include "base/blocking_pool.h"

#include <pthread.h>

#include <exception>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace funcgate::base {

namespace {
// The pool whose thread this is.
thread_local const BlockingPool* serving = nullptr;
}  // namespace

BlockingPool::BlockingPool(const std::string& name, std::size_t threads, std::size_t queue_max, Priority priority, Rest rest)
    : name_(name.substr(0, 15)), queue_max_(queue_max), priority_(priority), rest_(std::move(rest)) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] {
      begin();
      work(Role::Regular);
    });
  }
}

void BlockingPool::begin() const {
  serving = this;
  pthread_setname_np(pthread_self(), name_.c_str());
  step_aside(priority_);
}

BlockingPool::~BlockingPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stand_ins_.empty(); });
  }
  join_ended();
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

void BlockingPool::while_waiting(const std::function<void()>& wait) {
  struct StandIn {
    explicit StandIn(BlockingPool& of) : pool(of), sent(serving == &of && of.send_stand_in()) {}
    ~StandIn() {
      if (sent) pool.recall_stand_in();
    }
    StandIn(const StandIn&) = delete;
    StandIn& operator=(const StandIn&) = delete;
    BlockingPool& pool;
    const bool sent;
  };
  const StandIn stand_in(*this);
  wait();
}

bool BlockingPool::send_stand_in() {
  join_ended();
  const std::lock_guard lock(mutex_);
  if (stand_ins_wanted_ >= kStandInsMax) return false;
  const auto self = stand_ins_.emplace(stand_ins_.end());
  try {
    *self = std::thread([this, self] {
      begin();
      work(Role::StandIn);
      const std::lock_guard ending(mutex_);
      ended_.splice(ended_.end(), stand_ins_, self);
      changed_.notify_all();
    });
  } catch (const std::system_error&) {
    stand_ins_.erase(self);
    return false;
  }
  ++stand_ins_working_;
  ++stand_ins_wanted_;
  return true;
}

void BlockingPool::recall_stand_in() {
  {
    const std::lock_guard lock(mutex_);
    --stand_ins_wanted_;
  }
  changed_.notify_all();
}

void BlockingPool::join_ended() {
  std::list<std::thread> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(ended_);
  }
  for (std::thread& thread : ended) thread.join();
}

void BlockingPool::work(Role role) {
  std::unique_lock lock(mutex_);
  const auto is_recalled = [&] { return role == Role::StandIn && stand_ins_working_ > stand_ins_wanted_; };
  const auto is_wanted = [&] { return stopping_ || !jobs_.empty() || is_recalled(); };
  bool rests = !rest_.work;
  while (true) {
    if (rests) {
      changed_.wait(lock, is_wanted);
    } else if (!changed_.wait_for(lock, rest_.after, is_wanted)) {
      rests = true;
      lock.unlock();
      rest_.work();
      lock.lock();
      continue;
    }
    if (jobs_.empty() || is_recalled()) {
      if (role == Role::StandIn) --stand_ins_working_;
      changed_.notify_one();  // a job may have come that this thread was woken for
      return;
    }
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    try {
      job();
    } catch (const std::exception& error) {
      // Jobs answer in other ways; memory may run out all the same. The job is lost, the thread and the server stay.
      log::error("pool.job_threw", {{"what", printable(error.what())}});
    }
    rests = !rest_.work;
    lock.lock();
  }
}

}  // namespace funcgate::base
