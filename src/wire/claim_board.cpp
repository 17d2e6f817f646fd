#include "wire/claim_board.h"

namespace funcgate::wire {
namespace {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr std::uint64_t kOffered = 0, kClaimed = 1, kRecalled = 2;
constexpr std::uint64_t word(std::uint64_t call, std::uint64_t state) { return call << 2 | state; }

}  // namespace

void ClaimBoard::offer(std::uint16_t slot, std::uint64_t call) {
  words_[slot % kSlots].store(word(call, kOffered), std::memory_order_release);
}

bool ClaimBoard::recall(std::uint16_t slot, std::uint64_t call) {
  std::uint64_t expected = word(call, kOffered);
  return words_[slot % kSlots].compare_exchange_strong(expected, word(call, kRecalled), std::memory_order_acq_rel);
}

bool ClaimBoard::claimed(std::uint16_t slot, std::uint64_t call) const {
  return words_[slot % kSlots].load(std::memory_order_acquire) == word(call, kClaimed);
}

bool ClaimBoard::claim(std::uint16_t slot, std::uint64_t call) {
  std::uint64_t expected = word(call, kOffered);
  return words_[slot % kSlots].compare_exchange_strong(expected, word(call, kClaimed), std::memory_order_acq_rel);
}

}  // namespace funcgate::wire
