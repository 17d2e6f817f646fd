#include "wire/reply_ring.h"

#include <algorithm>
#include <cstring>

namespace funcgate::wire {
namespace {
static_assert((ReplyRing::kBytes & (ReplyRing::kBytes - 1)) == 0);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<std::uint32_t>::is_always_lock_free);
constexpr std::uint64_t kMask = ReplyRing::kBytes - 1;
}  // namespace

// Sequentially consistent on both sides: the server says "asleep" and then looks for bytes, the worker writes bytes and then
// looks whether the server sleeps. At least one of both sees what the other did.
bool ReplyRing::falls_asleep() {
  memory_->server.store(kAsleep, std::memory_order_seq_cst);
  seen_ = memory_->written.load(std::memory_order_seq_cst);
  if (seen_ == position_) return true;
  awake();
  return false;
}

bool ReplyRing::take(std::string& out) {
  const std::uint64_t written = memory_->written.load(std::memory_order_acquire), count = written - position_;
  if (count > kBytes || written < seen_) return false;
  if (count == 0) return true;
  const std::size_t from = position_ & kMask, first = std::min<std::size_t>(count, kBytes - from);
  out.append(memory_->bytes + from, first);
  out.append(memory_->bytes, count - first);
  position_ += count;
  memory_->taken.store(position_, std::memory_order_release);
  return true;
}

ReplyRing::Put ReplyRing::put(std::string_view frame) {
  std::uint32_t asleep = kAsleep;
  if (memory_->server.load(std::memory_order_relaxed) != kAwake) {
    // The frame that goes through the socket wakes it: what follows may already rely on that.
    memory_->server.compare_exchange_strong(asleep, kAwake, std::memory_order_seq_cst);
    return Put::Refused;
  }
  if (frame.size() > kBytes - (position_ - memory_->taken.load(std::memory_order_acquire))) return Put::Refused;
  const std::size_t at = position_ & kMask, first = std::min(frame.size(), kBytes - at);
  std::memcpy(memory_->bytes + at, frame.data(), first);
  std::memcpy(memory_->bytes, frame.data() + first, frame.size() - first);
  position_ += frame.size();
  memory_->written.store(position_, std::memory_order_seq_cst);
  if (memory_->server.load(std::memory_order_seq_cst) != kAsleep) return Put::Done;
  // Awake again by itself in this very moment, or to be woken.
  return memory_->server.compare_exchange_strong(asleep, kAwake, std::memory_order_seq_cst) ? Put::Wake : Put::Done;
}

}  // namespace funcgate::wire
