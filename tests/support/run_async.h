// Started<T>: a coroutine that a test has started and whose result it takes when it is there.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>

#include "base/async.h"

namespace funcgate::test {

template <class T>
class Started {
 public:
  explicit Started(base::Async<T> work) { base::spawn(keep(std::move(work), result_)); }
  bool done() const { return result_->has_value(); }
  T& operator*() { return result_->value(); }
  T* operator->() { return &result_->value(); }

 private:
  static base::Async<void> keep(base::Async<T> work, std::shared_ptr<std::optional<T>> result) { result->emplace(co_await work); }
  std::shared_ptr<std::optional<T>> result_ = std::make_shared<std::optional<T>>();
};

// For work that never waits for anything outside.
template <class T>
T run_to_end(base::Async<T> work) {
  Started<T> started(std::move(work));
  EXPECT_TRUE(started.done()) << "the coroutine waits for something";
  return std::move(*started);
}

}  // namespace funcgate::test
