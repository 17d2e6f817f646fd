// offload(): runs blocking work on a pool and resumes the awaiting coroutine on its io thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/async.h"
#include "base/blocking_pool.h"
#include "base/io_thread.h"
#include "base/result.h"

namespace funcgate::base {

// The result of `work`, or Unavailable if the pool's queue is full. The coroutine always waits for the end of `work`: what it
// refers to stays alive.
template <class T>
Async<Result<T>> offload(BlockingPool& pool, IoThread& io, std::function<Result<T>()> work) {
  OneShot<Result<T>> done;
  const bool queued = pool.submit([&done, &io, &work] {
    auto result = std::make_shared<Result<T>>(work());
    io.post([&done, result] { done.complete(std::move(*result)); });
  });
  if (!queued) co_return Error{Code::Unavailable, "the server is busy", "the pool for blocking work is full"};
  Result<T> result = co_await done.wait();
  co_return result;
}

}  // namespace funcgate::base
