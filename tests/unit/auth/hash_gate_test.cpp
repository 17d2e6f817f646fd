#include "auth/hash_gate.h"

#include <atomic>
#include <condition_variable>
#include <thread>

#include "unit/auth/auth_fixture.h"

namespace funcgate::test {
namespace {

using auth::HashAnswer;

// Hashes that begin when asked and end when the test opens the door.
class Door {
 public:
  bool verify(std::string_view password, std::string_view phc) {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    return plain_verifier(password, phc);
  }
  void wait_entered(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_ >= count; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int entered_ = 0;
  bool open_ = false;
};

struct HashGate : AuthFixture {
  Door door;
  auth::HashGate hashes{auth::HashGateSettings{}, [this](auto password, auto phc) { return door.verify(password, phc); }};
  ~HashGate() override { door.open(); }

  static crypto::Digest128 key(int number) {
    crypto::Digest128 out{};
    out[0] = static_cast<unsigned char>(number);
    out[1] = static_cast<unsigned char>(number >> 8);
    return out;
  }
  static domain::Address address(int number) {
    return domain::Address::v4({10, 0, static_cast<unsigned char>(number / 200), static_cast<unsigned char>(number % 200 + 1)});
  }
  std::unique_ptr<Started<HashAnswer>> begin(int key_number, int address_number, std::string password = "right") {
    return std::make_unique<Started<HashAnswer>>(hashes.verify(key(key_number), base::SecretString(std::move(password)),
                                                               "plain:right", address(address_number), io,
                                                               clock.steady_ns() + 10'000 * base::kNsPerMs));
  }
  void turn() {
    io.run_turn(0);
    io.timers().advance(clock.steady_ns());
  }
};

TEST_F(HashGate, AnswersRightAndWrong) {
  door.open();
  auto right = begin(1, 1), wrong = begin(2, 2, "other");
  drive(*right);
  drive(*wrong);
  EXPECT_EQ(**right, HashAnswer::Right);
  EXPECT_EQ(**wrong, HashAnswer::Wrong);
}

// authentication must-hold 36
TEST_F(HashGate, EqualCredentialsShareOneHash) {
  std::vector<std::unique_ptr<Started<HashAnswer>>> callers;
  for (int i = 0; i < 20; ++i) callers.push_back(begin(1, 1));
  door.wait_entered(1);
  EXPECT_EQ(hashes.waiting(), 0u) << "who shares a hash takes no place";
  door.open();
  for (auto& caller : callers) {
    drive(*caller);
    EXPECT_EQ(**caller, HashAnswer::Right);
  }
  EXPECT_EQ(hashes.computed(), 1u);
}

// authentication must-hold 36
TEST_F(HashGate, LeavingCallerHarmsNobody) {
  auto first = begin(1, 1);
  door.wait_entered(1);
  {
    // Destroyed while they wait: one in the running hash, one alone in the room.
    auto shares =
        hashes.verify(key(1), base::SecretString("right"), "plain:right", address(1), io, clock.steady_ns() + 1'000'000'000);
    auto alone =
        hashes.verify(key(2), base::SecretString("right"), "plain:right", address(1), io, clock.steady_ns() + 1'000'000'000);
    // Starts both without an owner that would await them to the end.
    std::move(shares).await_suspend(std::noop_coroutine()).resume();
    std::move(alone).await_suspend(std::noop_coroutine()).resume();
    EXPECT_EQ(hashes.waiting(), 1u);
  }
  EXPECT_EQ(hashes.waiting(), 0u) << "nobody wants that hash any more";
  auto second = begin(1, 1);
  door.open();
  drive(*first);
  drive(*second);
  EXPECT_EQ(**first, HashAnswer::Right);
  EXPECT_EQ(**second, HashAnswer::Right);
  EXPECT_EQ(hashes.computed(), 1u);
}

// authentication must-hold 35
TEST_F(HashGate, RunsAtMostItsConcurrencyAndKeepsABoundedRoom) {
  auto running = begin(0, 0);
  door.wait_entered(1);
  std::vector<std::unique_ptr<Started<HashAnswer>>> waiting;
  for (int i = 1; i <= 64; ++i) waiting.push_back(begin(i, i));
  EXPECT_EQ(hashes.waiting(), 64u);
  EXPECT_EQ(hashes.running(), 1u);
  auto refused = begin(100, 100);
  ASSERT_TRUE(refused->done()) << "at once";
  EXPECT_EQ(**refused, HashAnswer::Overload);
  door.open();
  for (auto& caller : waiting) {
    drive(*caller);
    EXPECT_EQ(**caller, HashAnswer::Right);
  }
  drive(*running);
  EXPECT_EQ(hashes.waiting(), 0u);
}

TEST_F(HashGate, GivesOneAddressFourPlaces) {
  auto running = begin(0, 1);
  door.wait_entered(1);
  std::vector<std::unique_ptr<Started<HashAnswer>>> waiting;
  for (int i = 1; i <= 4; ++i) waiting.push_back(begin(i, 1));
  auto fifth = begin(5, 1);
  ASSERT_TRUE(fifth->done());
  EXPECT_EQ(**fifth, HashAnswer::Overload);
  auto neighbour = begin(6, 2);
  EXPECT_FALSE(neighbour->done());
  door.open();
  for (auto& caller : waiting) drive(*caller);
  drive(*neighbour);
  drive(*running);
  auto later = begin(7, 1);
  drive(*later);
  EXPECT_EQ(**later, HashAnswer::Right) << "the places are free again";
}

TEST_F(HashGate, LetsNobodyWaitLongerThanTwoSecondsForAHashToBegin) {
  auto running = begin(0, 0);
  door.wait_entered(1);
  auto waiting = begin(1, 1);
  clock.advance_ms(1900);
  turn();
  EXPECT_FALSE(waiting->done());
  clock.advance_ms(110);
  turn();
  ASSERT_TRUE(waiting->done());
  EXPECT_EQ(**waiting, HashAnswer::Overload);
  EXPECT_EQ(hashes.waiting(), 0u);
  EXPECT_FALSE(running->done()) << "a hash that has begun may end";
  clock.advance_ms(10'000);
  turn();
  ASSERT_TRUE(running->done());
  EXPECT_EQ(**running, HashAnswer::Deadline);
}

// Two io threads with loops of their own share the gate; every caller is answered on its thread.
TEST_F(HashGate, AnswersOnTheThreadThatAsked) {
  door.open();
  base::SystemClock system_clock;
  base::IoThread first(1, system_clock), second(2, system_clock);
  first.start("first");
  second.start("second");
  std::atomic<int> right{0}, on_own_thread{0}, ended{0};
  constexpr int kCallers = 40;
  struct Caller {
    static base::Async<void> call(auth::HashGate& gate, base::IoThread& on, int number, std::atomic<int>& right_count,
                                  std::atomic<int>& own_count, std::atomic<int>& end_count) {
      const auto thread_id = std::this_thread::get_id();
      const HashAnswer answer = co_await gate.verify(key(number % 8), base::SecretString("right"), "plain:right", address(number),
                                                     on, on.clock().steady_ns() + 10'000 * base::kNsPerMs);
      right_count += answer == HashAnswer::Right ? 1 : 0;
      own_count += std::this_thread::get_id() == thread_id ? 1 : 0;
      ++end_count;
    }
  };
  for (int i = 0; i < kCallers; ++i) {
    base::IoThread& on = i % 2 == 0 ? first : second;
    on.post([&, i] { base::spawn(Caller::call(hashes, on, i, right, on_own_thread, ended)); });
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (ended < kCallers && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  first.stop();
  second.stop();
  EXPECT_EQ(right, kCallers);
  EXPECT_EQ(on_own_thread, kCallers);
}

}  // namespace
}  // namespace funcgate::test
