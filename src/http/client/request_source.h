// RequestSource: what one connection of a load sends, request by request, and what it makes of the answers.
//
// Thread-safety: each belongs to one connection and so to one thread.
#pragma once

#include <string>
#include <string_view>

#include "http/client/response_reader.h"

namespace funcgate::http {

enum class Verdict {
  Counts,  // an answer like any other
  Repeat,  // the same request once more, with what this answer told; at most once in a row
  Ready,   // of preparation(): next() can be asked now
  Later,   // of preparation(): not now; try again
  Never,   // of preparation(): this load makes no sense; see problem()
};

class RequestSource {
 public:
  virtual ~RequestSource() = default;

  // A request that must be answered before the first counted one; empty = none is needed. Whole: head and body. Valid, as that
  // of next(), until the next call.
  virtual std::string_view preparation() { return {}; }
  virtual Verdict prepared(int) { return Verdict::Ready; }
  // Why prepared() answered Later or Never.
  virtual std::string problem() const { return {}; }

  virtual std::string_view next() = 0;
  // After each answer to next().
  virtual Verdict judge(int) { return Verdict::Counts; }

  // Of the fields of all answers; null: nobody wants to see them.
  virtual FieldObserver* observer() { return nullptr; }
};

// The same bytes each time.
class FixedRequest final : public RequestSource {
 public:
  // `text` outlives this object: all connections share it.
  explicit FixedRequest(std::string_view text) : text_(text) {}
  std::string_view next() override { return text_; }

 private:
  std::string_view text_;
};

}  // namespace funcgate::http
