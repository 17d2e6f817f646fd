// BlockingPool: a few threads for what blocks (SQL, files, hashing), behind a bounded queue.
//
// Thread-safety: submit() from any thread. A job that throws is lost and logged; the thread goes on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/scheduling.h"

namespace funcgate::base {

class BlockingPool {
 public:
  // What each thread does once when it has had nothing to do for `after`: giving back what jobs leave behind for the next ones.
  // Without `work`, nothing. It must not throw.
  struct Rest {
    std::chrono::milliseconds after;
    std::function<void()> work;
  };
  BlockingPool(const std::string& name, std::size_t threads, std::size_t queue_max, Priority priority = Priority::Normal,
               Rest rest = {});
  // Runs what is queued, then joins.
  ~BlockingPool();

  // False, and nothing is kept, when the queue is full or the pool is stopping.
  [[nodiscard]] bool submit(std::function<void()> job);
  std::size_t queued() const;

  // For a job that has to wait for long: runs `wait`, and meanwhile another thread stands in for this one, so that the jobs
  // behind do not wait too. On a thread that is not of this pool, beyond `kStandInsMax` at a time, and where no thread can be
  // had, `wait` just runs. What it throws is thrown.
  void while_waiting(const std::function<void()>& wait);
  static constexpr std::size_t kStandInsMax = 64;

 private:
  enum class Role { Regular, StandIn };
  void begin() const;
  void work(Role role);
  bool send_stand_in();
  void recall_stand_in();
  void join_ended();

  // constant after construction
  const std::string name_;
  const std::size_t queue_max_;
  const Priority priority_;
  const Rest rest_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::list<std::thread> stand_ins_, ended_;                  // ended: to be joined by whoever comes next
  std::size_t stand_ins_working_ = 0, stand_ins_wanted_ = 0;  // wanted: as many as threads wait
  // constant after construction
  std::vector<std::thread> threads_;
};

}  // namespace funcgate::base
