// Result<T>: a value or an Error. The way every operation that can fail says so, in its signature.
//
// Thread-safety: plain values. TRY and CO_TRY are declarations, so that they read the same in functions and coroutines.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace funcgate::base {

// The codes, by what the caller should do next.
enum class Code {
  InvalidArgument,     // correct the request
  Unauthenticated,     // present another credential
  PermissionDenied,    // ask an administrator
  NotFound,            // check the name
  Conflict,            // reload or wait, then repeat
  FailedPrecondition,  // bring the object into the needed state
  PayloadTooLarge,     // send less
  ResourceExhausted,   // wait, then repeat
  Cancelled,           // nothing: the caller has gone
  Unavailable,         // repeat later; nothing was run
  DeadlineExceeded,    // ask for less, or allow more time
  FunctionFailed,      // tell the author of the function
  DataLoss,            // tell the operator; keep the files
  Internal,            // report a bug with the trace id
};

std::string_view code_name(Code code);

// `message` may be shown to a caller; `detail` goes to the log only. Neither ever holds a secret.
struct Error {
  Code code = Code::Internal;
  std::string message;
  std::string detail;
};

struct [[nodiscard]] Unit {};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { CHECK(ok()); return *std::get_if<0>(&state_); }
  const T& value() const& { CHECK(ok()); return *std::get_if<0>(&state_); }
  T&& value() && { CHECK(ok()); return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { CHECK(!ok()); return *std::get_if<1>(&state_); }
  Error&& error() && { CHECK(!ok()); return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

// An operation that yields nothing but may fail. `return kDone;` says it worked.
using Status = Result<Unit>;
inline const Unit kDone{};

}  // namespace funcgate::base

#define FUNCGATE_JOIN2(a, b) a##b
#define FUNCGATE_JOIN(a, b) FUNCGATE_JOIN2(a, b)
#define FUNCGATE_TRY(tmp, declaration, ret, ...)  \
  auto tmp = (__VA_ARGS__);                       \
  if (!tmp.ok()) ret std::move(tmp).error();      \
  declaration = std::move(tmp).value()

// TRY(User user, find(id));   hands the Error of find() to our caller.
#define TRY(declaration, ...) FUNCGATE_TRY(FUNCGATE_JOIN(try_result_, __LINE__), declaration, return, __VA_ARGS__)
#define CO_TRY(declaration, ...) FUNCGATE_TRY(FUNCGATE_JOIN(try_result_, __LINE__), declaration, co_return, __VA_ARGS__)
// TRY_DONE(save(row));   the same for a Status.
#define TRY_DONE(...)                                                                                          \
  if (auto FUNCGATE_JOIN(try_status_, __LINE__) = (__VA_ARGS__); !FUNCGATE_JOIN(try_status_, __LINE__).ok()) \
  return std::move(FUNCGATE_JOIN(try_status_, __LINE__)).error()
