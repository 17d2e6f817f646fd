// Async<T>: a lazily started coroutine, awaited once by its owner; spawn() starts a detached one.
//
// Thread-safety: a coroutine belongs to one thread; whoever resumes it does so on that thread (IoThread::post moves over).
// It knows no executor and no event loop, so a test drives it by hand. Frames come from a pool of the
// thread (frame_pool.h).
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/frame_pool.h"

namespace funcgate::base {

template <class T>
class Async;

namespace async_detail {

struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
    std::coroutine_handle<> next = handle.promise().continuation;
    return next ? next : std::noop_coroutine();
  }
  void await_resume() const noexcept {}
};

struct PromiseCore {
  static void* operator new(std::size_t bytes) { return take_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { give_frame(frame, bytes); }

  std::coroutine_handle<> continuation;
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
};

template <class T>
struct Promise : PromiseCore {
  std::variant<std::monostate, T, std::exception_ptr> result;
  Async<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    result.template emplace<1>(std::forward<U>(value));
  }
  void unhandled_exception() { result.template emplace<2>(std::current_exception()); }
  T take() {
    if (result.index() == 2) std::rethrow_exception(std::get<2>(result));
    CHECK(result.index() == 1);
    return std::move(std::get<1>(result));
  }
};

template <>
struct Promise<void> : PromiseCore {
  std::exception_ptr failure;
  Async<void> get_return_object();
  void return_void() {}
  void unhandled_exception() { failure = std::current_exception(); }
  void take() {
    if (failure) std::rethrow_exception(failure);
  }
};

}  // namespace async_detail

template <class T>
class [[nodiscard]] Async {
 public:
  using promise_type = async_detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Async(Handle handle) : handle_(handle) {}
  Async(Async&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Async& operator=(Async&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Async() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().continuation = awaiting;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  Handle handle_;
};

namespace async_detail {
template <class T>
Async<T> Promise<T>::get_return_object() {
  return Async<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Async<void> Promise<void>::get_return_object() {
  return Async<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// Owns itself: starts at once and frees its frame at the end. An exception that reaches it is a bug.
struct Detached {
  struct promise_type {
    static void* operator new(std::size_t bytes) { return take_frame(bytes); }
    static void operator delete(void* frame, std::size_t bytes) noexcept { give_frame(frame, bytes); }
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};
inline Detached run_detached(Async<void> work) { co_await work; }
}  // namespace async_detail

// Starts `work` now, on this thread; nobody awaits it. `work` must not throw.
inline void spawn(Async<void> work) { async_detail::run_detached(std::move(work)); }

// One value handed from whoever completes to the one coroutine that waits. Both on the same thread.
// complete() may come before wait(); only the first complete() counts. The object outlives the wait.
template <class T>
class OneShot {
 public:
  // True if this call delivered the value (or stored it for a waiter to come).
  bool complete(T value) {
    if (value_) return false;
    value_.emplace(std::move(value));
    if (waiter_) std::exchange(waiter_, nullptr).resume();
    return true;
  }
  bool completed() const { return value_.has_value(); }

  auto wait() {
    struct Awaiter {
      OneShot& event;
      bool await_ready() const noexcept { return event.value_.has_value(); }
      void await_suspend(std::coroutine_handle<> handle) noexcept { event.waiter_ = handle; }
      T await_resume() { return std::move(*event.value_); }
    };
    return Awaiter{*this};
  }

 private:
  std::optional<T> value_;
  std::coroutine_handle<> waiter_;
};

}  // namespace funcgate::base
