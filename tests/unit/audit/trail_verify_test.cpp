#include "audit/trail_verify.h"

#include "audit/trail_events.h"
#include "audit/trail_retention.h"
#include "crypto/hash.h"
#include "trail_fixture.h"

namespace funcgate::audit {
namespace {

class TrailVerify : public TrailTest {};

TEST_F(TrailVerify, PassesWhatWasWritten) {
  EXPECT_EQ(verified(), "0 records, chain intact");
  record(700);  // more than are read at once
  EXPECT_EQ(verified(), "700 records, chain intact");
  EXPECT_EQ(verified({.from_sequence = 300}), "401 records, chain intact");
  EXPECT_EQ(verified_export(exported()), "700 records, chain intact");
  EXPECT_EQ(verified_export(exported(), {.from_sequence = 300}), "401 records, chain intact");
  const auto result = verify_trail(*store_);
  EXPECT_EQ(result->head.sequence, 700);
  EXPECT_EQ(result->head.hash, store_->audit_head()->hash);
}

TEST_F(TrailVerify, FindsEveryAlteredColumnOfEveryRecord) {
  record(6);
  const std::pair<const char*, const char*> columns[] = {
      {"time_ms", "time_ms + 1"}, {"event", "'user.created'"},
      {"outcome", "'DENIED'"},    {"actor_id", "'usr-x'"},
      {"actor_login", "'bob'"},   {"object_kind", "'Role'"},
      {"object_id", "'usr-x'"},   {"object_name", "'x'"},
      {"trace_id", "'x'"},        {"address", "'10.0.0.1'"},
      {"reason", "'x'"},          {"previous_hash", "hash"},
      {"hash", "previous_hash"},  {"document", "replace(document, 'did it', 'did not')"},
      {"document", "'{'"},        {"document", "document || ' '"}};
  for (const std::int64_t sequence : {1, 3, 6}) {
    const domain::AuditEntry original = store_->audit_from(sequence, 1)->front();
    for (const auto& [column, value] : columns) {
      const std::string where = " WHERE sequence = " + std::to_string(sequence);
      tamper("CREATE TABLE kept AS SELECT * FROM audit_entries" + where);
      tamper(std::string("UPDATE audit_entries SET ") + column + " = " + value + where);
      EXPECT_EQ(verified(), "stream admin, record " + std::to_string(sequence) + ": hash mismatch") << column << " = " << value;
      tamper("DELETE FROM audit_entries" + where);
      tamper("INSERT INTO audit_entries SELECT * FROM kept");
      tamper("DROP TABLE kept");
    }
  }
  EXPECT_EQ(verified(), "6 records, chain intact");
}

TEST_F(TrailVerify, FindsEveryTamperingWithTheOrder) {
  struct Case {
    const char* what;
    std::vector<const char*> sql;
    const char* verdict;
  };
  const Case cases[] = {
      {"the first removed", {"DELETE FROM audit_entries WHERE sequence = 1"}, "record 1: record missing"},
      {"the first three removed", {"DELETE FROM audit_entries WHERE sequence <= 3"}, "record 1: record missing"},
      {"one removed", {"DELETE FROM audit_entries WHERE sequence = 4"}, "record 4: record missing"},
      {"one removed and the gap closed",
       {"DELETE FROM audit_entries WHERE sequence = 4", "UPDATE audit_entries SET sequence = -sequence WHERE sequence > 4",
        "UPDATE audit_entries SET sequence = -sequence - 1 WHERE sequence < 0"},
       "record 4: order"},
      {"two exchanged",
       {"UPDATE audit_entries SET sequence = -3 WHERE sequence = 3", "UPDATE audit_entries SET sequence = 3 WHERE sequence = 5",
        "UPDATE audit_entries SET sequence = 5 WHERE sequence = -3"},
       "record 3: order"},
      {"one written twice",
       {"UPDATE audit_entries SET sequence = -sequence WHERE sequence > 4",
        "INSERT INTO audit_entries SELECT 5, time_ms, event, outcome, actor_id, actor_login, object_kind, object_id, "
        "object_name, trace_id, "
        "address, reason, document, previous_hash, hash FROM audit_entries WHERE sequence = 4",
        "UPDATE audit_entries SET sequence = -sequence + 1 WHERE sequence < 0"},
       "record 5: order"},
      {"one appended without a link",
       {"INSERT INTO audit_entries SELECT 9, time_ms, event, outcome, actor_id, actor_login, object_kind, object_id, "
        "object_name, trace_id, "
        "address, reason, document, previous_hash, hash FROM audit_entries WHERE sequence = 4"},
       "record 9: order"},
      {"a record before the first",
       {"INSERT INTO audit_entries SELECT 0, time_ms, event, outcome, actor_id, actor_login, object_kind, object_id, "
        "object_name, trace_id, "
        "address, reason, document, previous_hash, hash FROM audit_entries WHERE sequence = 4"},
       ""},
  };
  record(8);
  for (const Case& each : cases) {
    tamper("CREATE TABLE kept AS SELECT * FROM audit_entries");
    for (const char* sql : each.sql) tamper(sql);
    const std::string expected = *each.verdict == '\0' ? "8 records, chain intact" : std::string("stream admin, ") + each.verdict;
    EXPECT_EQ(verified(), expected) << each.what;
    tamper("DELETE FROM audit_entries");
    tamper("INSERT INTO audit_entries SELECT * FROM kept");
    tamper("DROP TABLE kept");
  }
}

TEST_F(TrailVerify, FindsAForgedRecordWhereTheChainBreaks) {
  record(5);
  const auto all = entries();
  domain::AuditEvent event;
  event.event = "user.changed";
  event.time_ms = all[2].time_ms;
  // Properly hashed and linked at its own place: the next one still knows the old hash.
  replace(3, trail_.link(event, 3, all[1].hash));
  tamper("UPDATE audit_entries SET object_kind = '', object_id = '', actor_login = '' WHERE sequence = 3");
  EXPECT_EQ(verified(), "stream admin, record 4: hash mismatch");
  // Linked to nothing.
  replace(3, trail_.link(event, 3, std::string(64, 'f')));
  EXPECT_EQ(verified(), "stream admin, record 3: hash mismatch");
  // A first record that claims a predecessor.
  replace(1, trail_.link(event, 1, std::string(64, 'f')));
  EXPECT_EQ(verified(), "stream admin, record 1: hash mismatch");
}

TEST_F(TrailVerify, ACheckpointFindsACutOrRewrittenEnd) {
  record(8);
  const ChainAnchor head{8, store_->audit_head()->hash};
  EXPECT_EQ(verified({.checkpoints = {head}}), "8 records, chain intact");
  EXPECT_EQ(verified({.checkpoints = {ChainAnchor{8, std::string(64, 'a')}}}), "stream admin, record 8: hash mismatch");
  tamper("DELETE FROM audit_entries WHERE sequence > 6");
  EXPECT_EQ(verified(), "6 records, chain intact") << "the chain alone cannot know";
  EXPECT_EQ(verified({.checkpoints = {head}}), "stream admin, record 6: head behind checkpoint");
  EXPECT_EQ(verified_export(exported(), {.checkpoints = {head}}), "stream admin, record 6: head behind checkpoint");
  record(2);
  EXPECT_EQ(verified({.checkpoints = {head}}), "stream admin, record 8: hash mismatch");
  tamper("DELETE FROM audit_entries");
  EXPECT_EQ(verified({.checkpoints = {head}}), "stream admin, record 0: head behind checkpoint");
}

TEST_F(TrailVerify, CheckpointsFromBeforeACutFindItThoughNewerOnesCameOverWhatIsLeft) {
  record(8);
  const ChainAnchor before{8, store_->audit_head()->hash};
  tamper("DELETE FROM audit_entries WHERE sequence > 6");
  record(6);
  const ChainAnchor after{12, store_->audit_head()->hash};
  EXPECT_EQ(verified({.checkpoints = {after}}), "12 records, chain intact") << "the newest one alone has seen only what is left";
  EXPECT_EQ(verified({.checkpoints = {after, before}}), "stream admin, record 8: hash mismatch");
  EXPECT_EQ(verified_export(exported(), {.checkpoints = {before, after}}), "stream admin, record 8: hash mismatch");
}

TEST_F(TrailVerify, PruningIsNoDamageAndCuttingMoreIs) {
  record(20);
  const auto all = entries();
  const std::int64_t now = clock_.wall_ms();
  ASSERT_EQ(*prune_trail(*store_, *changes_, now, 15'500), 5);
  EXPECT_EQ(verified(), "16 records, chain intact");
  EXPECT_EQ(verified_export(exported()), "16 records, chain intact");
  ASSERT_EQ(*prune_trail(*store_, *changes_, now, 10'500), 10) << "again, with two announcements now";
  EXPECT_EQ(verified(), "12 records, chain intact");
  EXPECT_EQ(verified({.checkpoints = {ChainAnchor{3, all[2].hash}}}), "12 records, chain intact") << "older than what is kept";
  EXPECT_EQ(verified({.checkpoints = {ChainAnchor{10, all[9].hash}}}), "12 records, chain intact");
  EXPECT_EQ(verified({.checkpoints = {ChainAnchor{10, std::string(64, 'a')}}}), "stream admin, record 11: hash mismatch");
  EXPECT_EQ(verified({.from_sequence = 12}), "11 records, chain intact");
  tamper("DELETE FROM audit_entries WHERE sequence <= 12");
  EXPECT_EQ(verified(), "stream admin, record 11: record missing");
  tamper("DELETE FROM audit_entries WHERE sequence <= 21");
  EXPECT_EQ(verified(), "stream admin, record 11: record missing") << "the anchor is there, but not for this place";
}

TEST_F(TrailVerify, PruningMeanwhileIsNoDamageEither) {
  record(1200);
  // Something happens behind the reader's back, once, after the first portion.
  std::function<void()> meanwhile = [&] { ASSERT_EQ(*prune_trail(*store_, *changes_, clock_.wall_ms(), 400'500), 800); };
  const ReadEntries read = [&](std::int64_t sequence, std::size_t count) {
    auto entries = store_->audit_from(sequence, count);
    if (count > 1 && meanwhile) std::exchange(meanwhile, nullptr)();
    return entries;
  };
  EXPECT_EQ(verify_trail(read)->text(), "401 records, chain intact");
  record(300);
  meanwhile = [&] { tamper("DELETE FROM audit_entries WHERE sequence <= 1400"); };
  EXPECT_EQ(verify_trail(read)->text(), "stream admin, record 1: record missing") << "the announcement was cut off, too";
}

TEST_F(TrailVerify, AnExportIsCheckedLineByLine) {
  record(8);
  const std::vector<std::string> lines = exported();
  const auto with = [&](auto change) {
    std::vector<std::string> changed = lines;
    change(changed);
    return verified_export(changed);
  };
  using Lines = std::vector<std::string>&;
  EXPECT_EQ(with([](Lines l) { l[3].replace(l[3].find("did it"), 6, "did no"); }), "stream admin, record 4: hash mismatch");
  EXPECT_EQ(with([](Lines l) { l.erase(l.begin()); }), "stream admin, record 1: record missing");
  EXPECT_EQ(with([](Lines l) { l.erase(l.begin() + 3); }), "stream admin, record 4: record missing");
  EXPECT_EQ(with([](Lines l) { std::swap(l[3], l[5]); }), "stream admin, record 4: order");
  EXPECT_EQ(with([](Lines l) { std::swap(l[0], l[7]); }), "stream admin, record 8: order");
  EXPECT_EQ(with([](Lines l) { l.insert(l.begin() + 4, l[3]); }), "stream admin, record 4: order");
  EXPECT_EQ(with([](Lines l) { l[3] = "not json"; }), "stream admin, record 4: hash mismatch");
  EXPECT_EQ(with([](Lines l) { l[3] = "{}"; }), "stream admin, record 4: hash mismatch");
  EXPECT_EQ(with([](Lines l) { l[3].insert(1, "\"seq\":4,"); }), "stream admin, record 4: hash mismatch") << "a member twice";
  EXPECT_EQ(with([](Lines l) { l[3].insert(1, "\"extra\":1,"); }), "stream admin, record 4: hash mismatch");
  EXPECT_EQ(with([](Lines l) { l.insert(l.begin() + 4, "  "); }), "8 records, chain intact");
  EXPECT_EQ(verify_trail_export(folder_ / "nothing", {}).error().code, base::Code::NotFound);
}

}  // namespace
}  // namespace funcgate::audit
