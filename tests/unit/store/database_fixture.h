// A database of its own in a temporary folder.
#pragma once

#include <gmock/gmock.h>

#include <memory>

#include "store/database.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "support/temporary_folder.h"

namespace funcgate::store {

class DatabaseTest : public ::testing::Test {
 protected:
  DatabaseTest() { reopen(); }

  void reopen(std::span<const Migration> migrations = sqlite_migrations()) {
    database_.reset();
    auto opened = Database::open(folder_ / "funcgate.db", migrations, clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().message << " " << opened.error().detail;
    database_ = std::move(*opened);
  }

  test::TemporaryFolder folder_;
  test::FakeClock clock_;
  test::FakeRandom random_;
  std::unique_ptr<Database> database_;
};

}  // namespace funcgate::store
