// BlockingPool: a few threads for what blocks (SQL, files, hashing), behind a bounded queue.
//
// Thread-safety: submit() from any thread. A job that throws is lost and logged; the thread goes on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace funcgate::base {

class BlockingPool {
 public:
  // Background: threads that get out of the way of all others when the processors are busy, for work that costs much time of
  // them and that strangers can ask for, like hashing passwords.
  enum class Priority { Normal, Background };
  BlockingPool(const std::string& name, std::size_t threads, std::size_t queue_max, Priority priority = Priority::Normal);
  // Runs what is queued, then joins.
  ~BlockingPool();

  // False, and nothing is kept, when the queue is full or the pool is stopping.
  [[nodiscard]] bool submit(std::function<void()> job);
  std::size_t queued() const;

 private:
  void work();

  const std::size_t queue_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  // constant after construction
  std::vector<std::thread> threads_;
};

}  // namespace funcgate::base
