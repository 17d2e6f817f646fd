// HashPlaces: the threads that compute password hashes, whoever asks: sign-in, HTTP Basic, documents. Who asks has a queue of its
// own, so that none fills that of another; what they share is the memory and the processors that hashes take.
//
// These threads get out of the way of all others. They do nothing but hash: whoever held a lock in such a thread would keep those
// waiting who need the lock, on busy processors for long. Who asks waits at its own priority.
//
// Thread-safety: any thread. Waiting blocks for as long as the hashes ahead take; the queues and pools of those who ask limit how
// many wait.
#pragma once

#include <cstddef>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/blocking_pool.h"
#include "base/check.h"

namespace funcgate::app {

class HashPlaces {
 public:
  // `count` > 0.
  explicit HashPlaces(std::size_t count)
      : threads_("funcgate-hash", count, kWaitingMax, base::BlockingPool::Priority::Background) {}

  // How many wait for a thread now.
  std::size_t waiting() const { return threads_.queued(); }

  // What `work` returns or throws, computed on one of the threads, in the order of arrival. It takes no lock that others need.
  template <class Work>
  std::invoke_result_t<Work> run(Work work) {
    // Shared: the thread may still be on its way out of the task when the result is there.
    const auto task = std::make_shared<std::packaged_task<std::invoke_result_t<Work>()>>(std::move(work));
    auto result = task->get_future();
    const bool submitted = threads_.submit([task] { (*task)(); });
    CHECK(submitted);  // no more threads ask than there is room
    return result.get();
  }

 private:
  static constexpr std::size_t kWaitingMax = 65'536;

  base::BlockingPool threads_;
};

}  // namespace funcgate::app
