#include "admin/denial_log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "support/fake_clock.h"
#include "support/memory_identity_store.h"

namespace funcgate::admin {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::chrono::seconds kPatience{30};

// A store that stands still while it is closed.
class Gate final : public domain::ChangeStore {
 public:
  explicit Gate(domain::ChangeStore& behind) : behind_(behind) {}
  base::Result<std::int64_t> commit(const domain::ChangeSet& changes) override {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    if (!changed_.wait_for(lock, kPatience, [this] { return open_; })) ADD_FAILURE() << "somebody waits for the store";
    return behind_.commit(changes);
  }
  void set_open(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    entered_ = 0;
    changed_.notify_all();
  }
  void await_commit() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [this] { return entered_ > 0; }));
  }

 private:
  domain::ChangeStore& behind_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int entered_ = 0;
};

struct DenialLogTest : testing::Test {
  DenialLogTest() { log.emplace(identity, clock); }
  void refuse(std::size_t number) {
    domain::AuditEvent event;
    event.event = "login.failed";
    event.outcome = domain::AuditOutcome::Denied;
    event.actor.address = "192.0.2.1";
    event.object_id = std::to_string(number);
    event.summary = "refused";
    log->record(event);
  }
  void refuse(std::size_t first, std::size_t end) {
    for (std::size_t number = first; number < end; ++number) refuse(number);
  }
  std::vector<domain::AuditEvent> written() {
    log->await_written(kPatience);
    return store.events();
  }

  test::FakeClock clock;
  test::MemoryIdentityStore store;
  Gate gate{store};
  base::Snapshot<domain::Directory> directory{std::make_shared<const domain::Directory>()};
  service::IdentityService identity{{gate, store, directory, clock}};
  std::optional<DenialLog> log;
};

// The gate is closed until this thread has come back.
TEST_F(DenialLogTest, WhoIsRefusedDoesNotWaitForTheRecord) {
  gate.set_open(false);
  refuse(0);
  gate.await_commit();
  const std::size_t commits = store.commits();
  refuse(1, 2 * DenialLog::kTogetherMax);
  EXPECT_THAT(store.events(), SizeIs(0));
  gate.set_open(true);
  const auto events = written();
  ASSERT_THAT(events, SizeIs(2 * DenialLog::kTogetherMax));
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].object_id, std::to_string(i)) << "in order";
  EXPECT_EQ(store.commits(), commits + 3) << "many of them in one transaction";
}

TEST_F(DenialLogTest, WhatFindsNoPlaceIsToldByTheNextRecord) {
  gate.set_open(false);
  refuse(0);
  gate.await_commit();
  refuse(1, 1 + DenialLog::kWaitingMax + 7);
  gate.set_open(true);
  const auto events = written();
  ASSERT_THAT(events, SizeIs(1 + DenialLog::kWaitingMax));
  EXPECT_EQ(events[0].summary, "refused");
  EXPECT_EQ(events[1].summary, "refused (7 other refused attempts could not be recorded)");
  for (std::size_t i = 2; i < events.size(); ++i) EXPECT_EQ(events[i].summary, "refused");
}

TEST_F(DenialLogTest, WhatCannotBeWrittenIsToldByTheNextRecord) {
  store.fail_next_commit();
  refuse(0);
  EXPECT_THAT(written(), SizeIs(0));
  store.fail_next_commit();
  refuse(1);
  EXPECT_THAT(written(), SizeIs(0));
  refuse(2);
  ASSERT_THAT(written(), SizeIs(1));
  EXPECT_THAT(store.events().back().summary, EndsWith("(2 other refused attempts could not be recorded)"));
  refuse(3);
  ASSERT_THAT(written(), SizeIs(2));
  EXPECT_EQ(store.events().back().summary, "refused") << "once";
}

TEST_F(DenialLogTest, WhatWaitsIsWrittenBeforeTheEnd) {
  gate.set_open(false);
  refuse(0, 300);
  gate.set_open(true);
  log.reset();
  EXPECT_THAT(store.events(), SizeIs(300));
}

TEST_F(DenialLogTest, WhoReadsTheStreamWaitsNoLongerThanHeWants) {
  gate.set_open(false);
  refuse(0);
  log->await_written(std::chrono::milliseconds(1));
  EXPECT_THAT(store.events(), SizeIs(0));
  gate.set_open(true);
  EXPECT_THAT(written(), SizeIs(1));
}

TEST_F(DenialLogTest, TheSameWithinASecondIsOneRecord) {
  for (int i = 0; i < 20; ++i) refuse(0);
  ASSERT_THAT(written(), SizeIs(1));
  clock.advance_ms(DenialLog::kMergedMs);
  refuse(0);
  ASSERT_THAT(written(), SizeIs(2));
  EXPECT_THAT(store.events().back().summary, HasSubstr("19 more since the last record"));
}

}  // namespace
}  // namespace funcgate::admin
