// HashPlaces: how many password hashes may be in progress at once, whoever computes them: sign-in, HTTP Basic, documents. They
// have queues of their own, so that none fills that of another; what they share is the memory and the processors they take.
//
// Thread-safety: any thread. Waiting blocks for as long as the hashes ahead take; the queues and pools of those who ask limit how
// many wait.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace funcgate::app {

class HashPlaces {
 public:
  // `count` > 0.
  explicit HashPlaces(std::size_t count) : free_(count) {}

  // How many wait for one now.
  std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(arrived_ - admitted_);
  }

  // One place for as long as the object lives, given in the order of arrival.
  class Hold {
   public:
    explicit Hold(HashPlaces& places) : places_(places) { places_.take(); }
    ~Hold() { places_.give_back(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    HashPlaces& places_;
  };

 private:
  void take() {
    std::unique_lock lock(mutex_);
    const std::uint64_t mine = arrived_++;
    turn_.wait(lock, [&] { return mine == admitted_ && free_ > 0; });
    ++admitted_;
    --free_;
    turn_.notify_all();
  }
  void give_back() {
    const std::lock_guard lock(mutex_);
    ++free_;
    turn_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable turn_;
  // guarded by mutex_
  std::size_t free_;
  std::uint64_t arrived_ = 0, admitted_ = 0;
};

}  // namespace funcgate::app
