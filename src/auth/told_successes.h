// ToldSuccesses: of which accepted calls the throttle knows already, so that the next one of the same caller need not tell it
// again.
//
// Telling twice changes nothing unless a credential was wrong in between: that is what the number of failures is for. Holds
// principals, so that no other can stand at the address of one that went; bounded by its places. Not thread-safe: one per io
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "domain/address.h"
#include "domain/principal.h"

namespace funcgate::auth {

class ToldSuccesses {
 public:
  // One success: who, from where, after how many failures of anybody, when (ms of the steady clock).
  struct Success {
    domain::PrincipalPtr who;
    domain::Address from;
    std::uint64_t failures = 0;
    std::int64_t at_ms = 0;
  };
  // The last one that was told of `who` at `from`; null: not known.
  const Success* find(const domain::PrincipalPtr& who, const domain::Address& from) const {
    const Success& kept = places_[place(who, from)];
    return kept.who == who && kept.from == from ? &kept : nullptr;
  }
  void keep(Success success) {
    Success& kept = places_[place(success.who, success.from)];
    kept = std::move(success);
  }

 private:
  static constexpr std::size_t kPlaces = 512;
  static std::size_t place(const domain::PrincipalPtr& who, const domain::Address& from) {
    const auto number = reinterpret_cast<std::uintptr_t>(who.get()) / alignof(std::max_align_t);
    return (number ^ number / kPlaces ^ from.bytes()[15] ^ std::size_t{from.bytes()[14]} << 8) % kPlaces;
  }

  std::array<Success, kPlaces> places_;
};

}  // namespace funcgate::auth
