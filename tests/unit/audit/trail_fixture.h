// A management stream in a database of its own, and ways to tamper with it that the database itself would refuse.
#pragma once

#include <gmock/gmock.h>
#include <soci/soci.h>

#include <fstream>

#include "audit/trail.h"
#include "audit/trail_verify.h"
#include "store/change_repository.h"
#include "store/identity_repository.h"
#include "support/fake_clock.h"
#include "support/temporary_folder.h"

namespace funcgate::audit {

class TrailTest : public ::testing::Test {
 protected:
  TrailTest() {
    auto opened = store::Database::open(folder_ / "funcgate.db", store::sqlite_migrations(), clock_);
    CHECK(opened.ok());
    database_ = std::move(*opened);
    changes_ = std::make_unique<store::ChangeRepository>(*database_, clock_, trail_);
    store_ = std::make_unique<store::IdentityRepository>(*database_);
  }

  // Events 1 second apart, in one transaction.
  void record(int count) {
    domain::ChangeSet set;
    for (int i = 0; i < count; ++i) {
      domain::AuditEvent event;
      event.event = i % 2 == 0 ? "user.changed" : "role.changed";
      event.time_ms = clock_.wall_ms();
      event.object_kind = "User";
      event.object_id = "usr-" + std::to_string(i);
      event.actor.login = "ada";
      event.summary = "did it";
      set.events.push_back(event);
      clock_.advance_ms(1000);
    }
    CHECK(changes_->commit(set).ok());
  }
  std::vector<domain::AuditEntry> entries() { return *store_->audit_from(1, 1000); }
  // With the triggers gone, as for somebody who owns the file.
  void tamper(const std::string& sql) {
    const auto done = database_->write("tamper", [&](soci::session& session) -> base::Status {
      for (const char* trigger :
           {"audit_entries_append_only", "audit_entries_never_change", "audit_entries_removed_from_the_beginning"}) {
        session << std::string("DROP TRIGGER IF EXISTS ") + trigger;
      }
      if (!sql.empty()) session << sql;
      return base::kDone;
    });
    ASSERT_TRUE(done.ok()) << sql << ": " << done.error().detail;
  }
  void replace(std::int64_t sequence, const domain::AuditEntry& entry) {
    tamper("");
    const auto done = database_->write("tamper", [&](soci::session& session) -> base::Status {
      session
          << "UPDATE audit_entries SET document = :document, previous_hash = :previous, hash = :hash WHERE sequence = :sequence",
          soci::use(entry.document), soci::use(entry.previous_hash), soci::use(entry.hash), soci::use(sequence);
      return base::kDone;
    });
    ASSERT_TRUE(done.ok());
  }
  std::string verified(const VerifyOptions& options = {}) {
    const auto result = verify_trail(*store_, options);
    return result.ok() ? result->text() : result.error().message;
  }
  std::vector<std::string> exported() {
    std::vector<std::string> lines;
    for (const domain::AuditEntry& entry : entries()) lines.push_back(base::to_json(base::json::value(*domain::exported_record(entry))));
    return lines;
  }
  std::string verified_export(const std::vector<std::string>& lines, const VerifyOptions& options = {}) {
    const std::string path = folder_ / "export.ndjson";
    std::ofstream file(path, std::ios::trunc);
    for (const std::string& line : lines) file << line << "\n";
    file.close();
    const auto result = verify_trail_export(path, options);
    return result.ok() ? result->text() : result.error().message;
  }

  test::TemporaryFolder folder_;
  test::FakeClock clock_;
  Trail trail_{"main"};
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::ChangeRepository> changes_;
  std::unique_ptr<store::IdentityRepository> store_;
};

}  // namespace funcgate::audit
