// offload(): runs blocking work on a pool and resumes the awaiting coroutine on its io thread.
#pragma once

#include <exception>
#include <functional>

#include "base/async.h"
#include "base/blocking_pool.h"
#include "base/io_thread.h"
#include "base/log.h"
#include "base/result.h"
#include "base/text.h"

namespace funcgate::base {

// The result of `work`, or Unavailable if the pool's queue is full, or Internal if it threw: memory ran out, most likely. The
// coroutine always waits for the end of `work`: what it refers to stays alive.
template <class T>
Async<Result<T>> offload(BlockingPool& pool, IoThread& io, std::function<Result<T>()> work) {
  Result<T> result = Error{Code::Internal, "Internal error", "the work threw"};
  OneShot<bool> done;
  const bool queued = pool.submit([&result, &done, &io, &work] {
    try {
      result = work();
    } catch (const std::exception& exception) {
      log::error("offload.threw", {{"what", printable(exception.what())}});
    }
    io.post([&done] { done.complete(true); });
  });
  if (!queued) co_return Error{Code::Unavailable, "the server is busy", "the pool for blocking work is full"};
  co_await done.wait();
  co_return result;
}

}  // namespace funcgate::base
