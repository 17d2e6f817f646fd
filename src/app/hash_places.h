// HashPlaces: the threads that compute password hashes, whoever asks: sign-in, HTTP Basic, documents. Who asks has a queue of its
// own, so that none fills that of another; what they share is the memory and the processors that hashes take.
//
// Whoever guesses gets at most half of them: after a wrong password its thread rests for as long as it has computed, at most
// kRestMaxMs, so that a flood of guesses leaves half of each of these processors to the callers who are known. The guesser's
// answer is on its way before; right passwords cost no rest.
//
// These threads get out of the way of all others. They do nothing but hash: whoever held a lock in such a thread would keep those
// waiting who need the lock, on busy processors for long. Who asks waits at its own priority.
//
// Thread-safety: any thread. Waiting blocks for as long as the hashes ahead take; the queues and pools of those who ask limit how
// many wait.
#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include "base/blocking_pool.h"
#include "base/check.h"
#include "crypto/hash_memory.h"

namespace funcgate::app {

class HashPlaces {
 public:
  static constexpr std::int64_t kRestMaxMs = 200;
  using Rest = std::function<void(std::chrono::nanoseconds)>;
  // How long the memory of a hash stays for the next one: hashes that come closer together do not ask the system for it, and a
  // server at rest does not keep 19 MiB.
  static constexpr std::chrono::milliseconds kMemoryKept{500};

  // `count` > 0. `rest` blocks the thread that calls it for so long; none: until hurry(), at most.
  explicit HashPlaces(std::size_t count, Rest rest = nullptr)
      : rest_(rest ? std::move(rest) : [this](std::chrono::nanoseconds time) { rest_unless_hurried(time); }),
        threads_("funcgate-hash", count, kWaitingMax, base::Priority::Background,
                 {kMemoryKept, [] { crypto::release_hash_memory(kMemoryKept); }}) {}

  // From now on nobody rests: the server is about to end.
  void hurry() {
    {
      const std::lock_guard lock(mutex_);
      hurried_ = true;
    }
    hurry_.notify_all();
  }

  // How many wait for a thread now.
  std::size_t waiting() const { return threads_.queued(); }

  // What `work` returns or throws, computed on one of the threads, in the order of arrival. It takes no lock that others need.
  template <class Work>
  std::invoke_result_t<Work> run(Work work) {
    return submit([work = std::move(work)](bool&) mutable { return work(); });
  }

  // The same for a password that somebody presented: `is_wrong` of what `work` returns tells whether the thread rests.
  template <class Work, class IsWrong>
  std::invoke_result_t<Work> judge(Work work, IsWrong is_wrong) {
    return submit([work = std::move(work), is_wrong = std::move(is_wrong)](bool& wrong) mutable {
      auto outcome = work();
      wrong = is_wrong(outcome);
      return outcome;
    });
  }

 private:
  static constexpr std::size_t kWaitingMax = 65'536;

  // `work` tells by its argument whether the thread shall rest.
  template <class Work>
  std::invoke_result_t<Work, bool&> submit(Work work) {
    using Outcome = std::invoke_result_t<Work, bool&>;
    // Shared: the thread may still be on its way out of the task when the result is there.
    struct Task {
      std::packaged_task<Outcome(bool&)> compute;
      bool wrong = false;
    };
    const auto task = std::make_shared<Task>(std::packaged_task<Outcome(bool&)>(std::move(work)));
    auto result = task->compute.get_future();
    const bool submitted = threads_.submit([this, task] {
      const std::chrono::nanoseconds begin = computed();
      task->compute(task->wrong);
      if (task->wrong) rest_(std::min<std::chrono::nanoseconds>(computed() - begin, std::chrono::milliseconds(kRestMaxMs)));
    });
    CHECK(submitted);  // no more threads ask than there is room
    return result.get();
  }

  void rest_unless_hurried(std::chrono::nanoseconds time) {
    std::unique_lock lock(mutex_);
    hurry_.wait_for(lock, time, [this] { return hurried_; });
  }

  // By the calling thread: waiting for a processor is not computing.
  static std::chrono::nanoseconds computed() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

  std::mutex mutex_;
  std::condition_variable hurry_;
  bool hurried_ = false;  // guarded by mutex_
  const Rest rest_;
  base::BlockingPool threads_;
};

}  // namespace funcgate::app
