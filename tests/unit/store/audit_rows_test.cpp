#include "store/audit_rows.h"

#include "audit/trail_events.h"
#include "audit/trail_retention.h"
#include "identity_fixture.h"

namespace funcgate::store {
namespace {

using base::Code;
using domain::AuditQuery;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AuditRowsTest : public IdentityStoreTest {
 protected:
  void record(std::vector<domain::AuditEvent> events) { commit({}, std::move(events)); }
  void record_many(int entries) {
    for (int i = 1; i <= entries; ++i) {
      record({an_event("user.changed", "usr-" + std::to_string(i))});
      clock_.advance_ms(1000);
    }
  }
  std::vector<std::int64_t> found(const AuditQuery& query) {
    std::vector<std::int64_t> sequences;
    const auto entries = store_.audit(query);
    EXPECT_TRUE(entries.ok());
    if (entries.ok()) {
      for (const domain::AuditEntry& entry : *entries) sequences.push_back(entry.sequence);
    }
    return sequences;
  }
};

TEST_F(AuditRowsTest, EntriesAreChainedInTheOrderGiven) {
  EXPECT_EQ(store_.audit_head()->sequence, 0);
  record({an_event("user.created"), an_event("membership.added")});
  record({an_event("user.changed")});
  const auto entries = store_.audit_from(1, 100);
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].previous_hash, std::string(64, '0'));
  EXPECT_EQ((*entries)[1].previous_hash, (*entries)[0].hash);
  EXPECT_EQ((*entries)[2].previous_hash, (*entries)[1].hash);
  EXPECT_EQ((*entries)[1].event, "membership.added");
  EXPECT_EQ((*entries)[2].sequence, 3);
  EXPECT_EQ((*entries)[0].time_ms, clock_.wall_ms()) << "an event without a time gets that of its transaction";
  EXPECT_EQ(store_.audit_head()->hash, (*entries)[2].hash);
  EXPECT_EQ(store_.audit_from(2, 1)->front().sequence, 2);
  EXPECT_TRUE(store_.audit_from(4, 1)->empty());
}

TEST_F(AuditRowsTest, NeitherMistakeNorMaliceChangesAnEntry) {
  record_many(5);
  const char* copy =
      "SELECT {}, time_ms, event, outcome, actor_id, actor_login, object_kind, object_id, object_name, trace_id, address, "
      "reason, document, previous_hash, hash FROM audit_entries WHERE sequence = 2";
  const auto copied_to = [&](const char* place) {
    std::string sql(copy);
    return sql.replace(sql.find("{}"), 2, place);
  };
  struct Case {
    std::string sql;
    const char* refusal;
  };
  const Case cases[] = {
      {"UPDATE audit_entries SET reason = 'x' WHERE sequence = 3", "audit entries never change"},
      {"UPDATE audit_entries SET sequence = sequence + 1", "audit entries never change"},
      {"DELETE FROM audit_entries WHERE sequence = 5", "removed by retention only"},
      {"DELETE FROM audit_entries WHERE sequence = 1", "removed by retention only"},
      {"DELETE FROM audit_entries", "removed by retention only"},
      {"INSERT INTO audit_entries " + copied_to("9"), "appended only"},
      {"INSERT INTO audit_entries " + copied_to("0"), "appended only"},
      {"INSERT OR REPLACE INTO audit_entries " + copied_to("3"), "appended only"},
      {"REPLACE INTO audit_entries " + copied_to("5"), "appended only"},
  };
  for (const Case& each : cases) EXPECT_THAT(run_sql(each.sql), HasSubstr(each.refusal)) << each.sql;
  // Even within the limits of retention only the beginning goes.
  EXPECT_EQ(run_sql("UPDATE audit_removal SET removed_to = 4"), "");
  EXPECT_THAT(run_sql("DELETE FROM audit_entries WHERE sequence = 3"), HasSubstr("removed by retention only"));
  EXPECT_THAT(run_sql("DELETE FROM audit_entries WHERE sequence <= 5"), HasSubstr("removed by retention only"));
  EXPECT_EQ(count("SELECT COUNT(*) FROM audit_entries"), 5);
}

TEST_F(AuditRowsTest, EveryQuestionHasItsAnswer) {
  domain::AuditEvent denied = an_event("login.failed", "usr-tom");
  denied.outcome = domain::AuditOutcome::Denied;
  denied.actor = {"ANONYMOUS", "", "", "", "CONSOLE", "192.0.2.1", ""};
  denied.reason = "basic.password";
  denied.summary = "100% wrong_";
  record({an_event("user.created", "usr-a"), an_event("user.changed", "usr-b"), an_event("user_x", "usr-b"), denied});
  const std::int64_t time = clock_.wall_ms();
  clock_.advance_ms(5000);
  record({an_event("userx.changed", "usr-a")});
  EXPECT_THAT(found({}), ElementsAre(5, 4, 3, 2, 1));
  EXPECT_THAT(found({.event = "user."}), ElementsAre(2, 1));
  EXPECT_THAT(found({.event = "user.changed"}), ElementsAre(2));
  EXPECT_THAT(found({.actor = "ada"}), ElementsAre(5, 3, 2, 1));
  EXPECT_THAT(found({.event = "user.", .actor = "usr-ada"}), ElementsAre(2, 1));
  EXPECT_THAT(found({.object = "usr-b"}), ElementsAre(3, 2));
  EXPECT_THAT(found({.object = "name of usr-b"}), ElementsAre(3, 2));
  EXPECT_THAT(found({.outcome = "DENIED"}), ElementsAre(4));
  EXPECT_THAT(found({.address = "192.0.2.1"}), ElementsAre(4));
  EXPECT_THAT(found({.trace_id = "TRACE-usr-a"}), ElementsAre(5, 1));
  EXPECT_THAT(found({.reason = "basic.password"}), ElementsAre(4));
  EXPECT_THAT(found({.text = "0% WRONG_"}), ElementsAre(4)) << "wildcards are meant literally";
  EXPECT_THAT(found({.text = "wrong_x"}), ElementsAre());
  EXPECT_THAT(found({.from_ms = time + 1}), ElementsAre(5));
  EXPECT_THAT(found({.to_ms = time}), ElementsAre(4, 3, 2, 1));
  EXPECT_THAT(found({.before_sequence = 3, .limit = 1}), ElementsAre(2));
  EXPECT_THAT(found({.actor = "' OR 1=1 --"}), ElementsAre());
}

TEST_F(AuditRowsTest, RetentionRemovesAPrefixWithItsAnchorInOneTransaction) {
  record_many(10);
  const std::int64_t now = clock_.wall_ms();
  EXPECT_EQ(*audit::prune_trail(store_, changes_, now, 60'000), 0) << "nothing is old enough";
  // Entries 1 to 4 are older than 6 s.
  const domain::AuditEntry last = store_.audit_from(4, 1)->front();
  EXPECT_EQ(*audit::prune_trail(store_, changes_, now, 6'000), 4);
  EXPECT_EQ(store_.audit_from(1, 1)->front().sequence, 5);
  const auto anchor = audit::read_pruned(*store_.audit_head());
  ASSERT_TRUE(anchor.has_value());
  EXPECT_EQ(anchor->sequence, 4);
  EXPECT_EQ(anchor->hash, last.hash);
  EXPECT_THAT(run_sql("DELETE FROM audit_entries WHERE sequence = 5"), HasSubstr("retention only")) << "the door is shut again";
  // The newest always stays.
  EXPECT_EQ(*audit::prune_trail(store_, changes_, now + 1'000'000, 0), 10);
  EXPECT_EQ(count("SELECT COUNT(*) FROM audit_entries"), 2);
}

TEST_F(AuditRowsTest, AClockThatWasSetBackCutsNoHole) {
  record({an_event("user.changed")});
  clock_.set_wall_ms(clock_.wall_ms() - 1'000'000);
  record({an_event("user.changed")});
  clock_.set_wall_ms(clock_.wall_ms() + 1'000'000);
  record({an_event("user.changed")});
  EXPECT_EQ(store_.removable_audit(clock_.wall_ms() - 500'000, 100)->sequence, 0) << "an older one behind a young one stays";
}

TEST_F(AuditRowsTest, RemovingWithoutAnAnchorIsRefused) {
  record_many(3);
  domain::ChangeSet set;
  set.audit_removed_to = 2;
  EXPECT_EQ(changes_.commit(set).error().code, Code::FailedPrecondition);
  set.events = {an_event("user.changed")};
  EXPECT_EQ(changes_.commit(set).error().code, Code::FailedPrecondition);
  set.events = {audit::pruned_event(store_.audit_from(3, 1)->front(), 1)};
  set.audit_removed_to = 4;
  EXPECT_EQ(changes_.commit(set).error().code, Code::FailedPrecondition) << "not even the anchor itself";
  EXPECT_EQ(count("SELECT COUNT(*) FROM audit_entries"), 3);
}

}  // namespace
}  // namespace funcgate::store
