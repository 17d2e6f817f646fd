#include "wire/claim_board.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "wire/worker_memory.h"

namespace funcgate::wire {
namespace {

struct Boards {
  base::FileDescriptor fd;
  base::Result<WorkerMemory> server_memory = WorkerMemory::create(fd);
  base::Result<WorkerMemory> worker_memory = WorkerMemory::attach(fd.get());
  ClaimBoard* server = &server_memory->board;
  ClaimBoard* worker = &worker_memory->board;
};

TEST(ClaimBoard, AClaimedCallCannotBeRecalled) {
  Boards boards;
  ASSERT_TRUE(boards.server_memory.ok() && boards.worker_memory.ok());
  boards.server->offer(3, 7);
  EXPECT_FALSE(boards.server->claimed(3, 7));
  EXPECT_TRUE(boards.worker->claim(3, 7));
  EXPECT_TRUE(boards.server->claimed(3, 7));
  EXPECT_FALSE(boards.server->recall(3, 7));
  EXPECT_FALSE(boards.worker->claim(3, 7)) << "a second time";
}

TEST(ClaimBoard, ARecalledCallCannotBeClaimed) {
  Boards boards;
  boards.server->offer(0, 1);
  EXPECT_TRUE(boards.server->recall(0, 1));
  EXPECT_FALSE(boards.worker->claim(0, 1));
  EXPECT_FALSE(boards.server->claimed(0, 1));
}

TEST(ClaimBoard, OtherCallsAndSlotsAreNotTouched) {
  Boards boards;
  boards.server->offer(1, 5);
  EXPECT_FALSE(boards.worker->claim(1, 4));
  EXPECT_FALSE(boards.worker->claim(2, 5));
  EXPECT_FALSE(boards.worker->claim(9, 5)) << "nothing was offered there";
  EXPECT_TRUE(boards.worker->claim(1, 5));
}

TEST(ClaimBoard, ClaimedOrRecalledNeverBoth) {
  Boards boards;
  ASSERT_TRUE(boards.server_memory.ok() && boards.worker_memory.ok());
  constexpr std::uint64_t kCalls = 100000;
  std::atomic<std::uint64_t> offered{0}, finished{0};
  std::atomic<std::uint64_t> claimed{0}, recalled{0}, both{0};
  std::vector<std::uint8_t> claims(kCalls + 1, 0);
  std::thread worker([&] {
    for (std::uint64_t call = 1; call <= kCalls; ++call) {
      while (offered.load(std::memory_order_acquire) < call) std::this_thread::yield();
      if (boards.worker->claim(static_cast<std::uint16_t>(call % ClaimBoard::kSlots), call)) claims[call] = 1;
      finished.store(call, std::memory_order_release);
    }
  });
  for (std::uint64_t call = 1; call <= kCalls; ++call) {
    const auto slot = static_cast<std::uint16_t>(call % ClaimBoard::kSlots);
    boards.server->offer(slot, call);
    offered.store(call, std::memory_order_release);
    // Sometimes at once, sometimes later, so that both sides win now and then.
    if (call % 3 == 0) std::this_thread::yield();
    const bool back = boards.server->recall(slot, call);
    while (finished.load(std::memory_order_acquire) < call) std::this_thread::yield();
    if (back) ++recalled;
    if (claims[call] != 0) ++claimed;
    if (back == (claims[call] != 0)) ++both;
  }
  worker.join();
  EXPECT_EQ(both, 0u) << "calls that both or neither got";
  EXPECT_EQ(claimed + recalled, kCalls);
}

}  // namespace
}  // namespace funcgate::wire
