// PostBox: closures handed over from any thread to one that runs them in order.
//
// Thread-safety: put() from any thread; the rest by the owner. Nobody waits for anybody: a list with one atomic head.
#pragma once

#include <atomic>
#include <type_traits>
#include <utility>

namespace funcgate::base {

class PostBox {
 public:
  PostBox() = default;
  PostBox(const PostBox&) = delete;
  PostBox& operator=(const PostBox&) = delete;
  // Drops what was not run.
  ~PostBox() { clear(); }

  // True: the owner is asleep, and the caller is the one who has to wake it.
  template <class F>
  bool put(F&& work) {
    return push(*new Work<std::decay_t<F>>(std::forward<F>(work)));
  }

  // Runs what is here, and what is put meanwhile, but at most `works_max`. True: there was something.
  bool run(std::size_t works_max) {
    bool any = false;
    for (; works_max > 0; --works_max) {
      if (first_ == nullptr) first_ = in_order(head_.exchange(nullptr));
      if (first_ == nullptr) break;
      const Owned work(*this);
      work.item->run();
      any = true;
    }
    return any;
  }
  // The owner wants to sleep. False: it must not, there is work. Otherwise whoever puts something wakes it, until awake().
  bool falls_asleep() {
    if (first_ != nullptr) return false;
    // Sequentially consistent, like the two in push(): either the one who puts sees the owner asleep, or the owner sees the work.
    asleep_.store(true);
    if (head_.load() == nullptr) return true;
    asleep_.store(false);
    return false;
  }
  void awake() { asleep_.store(false, std::memory_order_relaxed); }
  void clear() {
    while (first_ != nullptr || (first_ = in_order(head_.exchange(nullptr))) != nullptr) const Owned work(*this);
  }

 private:
  struct Item {
    virtual ~Item() = default;
    virtual void run() = 0;
    Item* next = nullptr;
  };
  template <class F>
  struct Work final : Item {
    explicit Work(F f) : function(std::move(f)) {}
    void run() override { function(); }
    F function;
  };
  // The first one, taken out: deleted also when it throws.
  struct Owned {
    explicit Owned(PostBox& box) : item(std::exchange(box.first_, box.first_->next)) {}
    ~Owned() { delete item; }
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    Item* const item;
  };

  bool push(Item& item) {
    item.next = head_.load(std::memory_order_relaxed);
    while (!head_.compare_exchange_weak(item.next, &item)) {
    }
    return asleep_.load() && asleep_.exchange(false);
  }
  // The list holds the last one first.
  static Item* in_order(Item* last) {
    Item* first = nullptr;
    while (last != nullptr) {
      Item* const before = std::exchange(last->next, first);
      first = std::exchange(last, before);
    }
    return first;
  }

  std::atomic<Item*> head_{nullptr};
  std::atomic<bool> asleep_{false};
  Item* first_ = nullptr;  // taken over and not run yet
};

}  // namespace funcgate::base
