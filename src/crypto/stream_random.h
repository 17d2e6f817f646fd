// StreamRandom: randomness for what every call takes some of (trace and task ids, nonces), without asking the kernel for each
// byte.
//
// 4 KiB at a time are the ChaCha20 key stream (RFC 8439) under 32 fresh bytes of getrandom(2), which are wiped at once: as hard
// to foresee as those are, and nothing of a pool that is used up can be found out afterwards. The kernel makes the same stream,
// some five times as slowly. No state outlives a pool, and what was given out is erased.
//
// Thread-safety: any thread; each has a pool of its own. Not across fork(): a child would give out what its parent gives out.
#pragma once

#include "base/random.h"

namespace funcgate::crypto {

class StreamRandom final : public base::Random {
 public:
  // Larger pieces than a quarter of a pool come from the kernel.
  void fill(void* out, std::size_t size) override;
};

}  // namespace funcgate::crypto
