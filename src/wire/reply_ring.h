// ReplyRing: how replies come back without a system call each. Bytes of whole frames, in memory that server and worker share.
//
// While the server is awake it looks into the ring once per turn, so the worker only puts its reply there. Before the server
// sleeps it says so; the first reply after that goes through the socket and wakes it. What does not fit goes through the socket
// too: replies are in the order of their calls, over both ways together.
// The memory is writable by user code: the server keeps its own position, copies before it looks, and takes a length that cannot
// be for what it is, a broken worker. A reply that is in the ring survives the death of its worker.
// Thread-safety: the server's methods on one thread, the worker's on one thread of the worker.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace funcgate::wire {

class ReplyRing {
 public:
  static constexpr std::size_t kBytes = 64 << 10;  // a power of two

  // What both sides see; all zero at first. Positions count bytes and are never reduced.
  struct Memory {
    alignas(64) std::atomic<std::uint64_t> written;  // by the worker
    alignas(64) std::atomic<std::uint64_t> taken;    // by the server
    alignas(64) std::atomic<std::uint32_t> server;   // State
    alignas(64) char bytes[kBytes];
  };

  explicit ReplyRing(Memory* memory) : memory_(memory) {}

  // Server. From now on it looks: every turn until falls_asleep().
  void awake() { memory_->server.store(kAwake, std::memory_order_relaxed); }
  // Server. True: the ring is empty, and the next reply comes through the socket. False: stay awake, there is something.
  bool falls_asleep();
  // Server. Appends what is there to `out`. False: the positions are nonsense.
  bool take(std::string& out);

  enum class Put {
    Done,     // nothing else is to be done
    Wake,     // it is there, but the server fell asleep meanwhile: send it a Wake frame
    Refused,  // it is not: send it through the socket
  };
  // Worker. `frame` is whole.
  Put put(std::string_view frame);

 private:
  enum State : std::uint32_t { kAbsent = 0, kAwake, kAsleep };
  Memory* memory_;
  std::uint64_t position_ = 0;  // of this side; what the other side wrote is only ever compared with it
  std::uint64_t seen_ = 0;      // by the server: the worker had written up to here
};

}  // namespace funcgate::wire
