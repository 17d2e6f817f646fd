// Idempotency-Key: a POST that is repeated with the same key gets the first answer again and does nothing twice.
//
// Kept per principal for 24 hours in the database. Successes are kept, and what failed in the middle (500.5) or did not end in
// time, of which nobody knows how far it came; what was refused changed nothing and may be tried again under the same key.
// Answers that showed a token are not kept: their repetition is 409.56 with the id of what was made. Thread-safety: any thread;
// blocks.
#pragma once

#include <optional>

#include "admin/context.h"
#include "domain/ports/identity_store.h"

namespace funcgate::admin {

inline constexpr base::WallMs kIdempotencyKeptMs = 24 * 3600 * 1000LL;

class Idempotency {
 public:
  // For a request with the header; `started_ms`: since when this process answers.
  Idempotency(const Context& context, base::WallMs started_ms);

  // The answer if the request must not run: that of the first request (Idempotency-Replayed: true), 400.43 for a bad key or
  // another body, 409.25 while the first one runs, 409.56. nullopt: run it, then call finish().
  std::optional<Answer> begin();
  void finish(const Answer& answer);

 private:
  Answer replay(const domain::IdempotencyRecord& first) const;

  const Context& context_;
  const base::WallMs started_ms_;
  domain::IdempotencyRecord record_;
};

}  // namespace funcgate::admin
