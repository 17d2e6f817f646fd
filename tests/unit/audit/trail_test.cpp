#include "audit/trail.h"

#include <gmock/gmock.h>

#include "audit/trail_events.h"
#include "crypto/hash.h"

namespace funcgate::audit {
namespace {

using domain::AuditEntry;
using domain::AuditEvent;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kTime = 1772442900100;  // 2026-03-02T09:15:00.100Z
const std::string kZeros(64, '0');

AuditEvent an_event() {
  AuditEvent event;
  event.time_ms = kTime;
  event.event = "user.changed";
  event.outcome = domain::AuditOutcome::Denied;
  event.actor = {"API_KEY", "usr-ada", "ada", "key-1", "MANAGEMENT", "10.0.0.7", "TRACE-1"};
  event.object_kind = "User";
  event.object_id = "usr-mia";
  event.object_name = "mia";
  event.object_version = 3;
  event.summary = "Changed user \"mia\"";
  event.reason = "Administer Server";
  event.changes = {{"enabled", "true", "false"}, {"password", "", "\"********\""}, {"groups", R"(["b","a"])", ""}};
  return event;
}

TEST(Trail, ARecordHasOneText) {
  const AuditEntry entry = Trail("main").link(an_event(), 7, std::string(64, 'a'));
  EXPECT_EQ(
      entry.document,
      R"({"actor":{"keyId":"key-1","kind":"API_KEY","login":"ada","userId":"usr-ada"},"address":"10.0.0.7","changes":[)"
      R"({"field":"enabled","new":false,"old":true},{"field":"password","new":"********"},{"field":"groups","old":["b","a"]}],)"
      R"("event":"user.changed","node":"main","object":{"id":"usr-mia","kind":"User","name":"mia","version":3},)"
      R"("origin":"MANAGEMENT","outcome":"DENIED","prevHash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",)"
      R"("reason":"Administer Server","seq":7,"stream":"admin","summary":"Changed user \"mia\"",)"
      R"("time":"2026-03-02T09:15:00.100Z","traceId":"TRACE-1"})");
  EXPECT_EQ(entry.hash, crypto::sha256_hex(entry.document));
  EXPECT_EQ(entry.previous_hash, std::string(64, 'a'));
  EXPECT_EQ(entry.sequence, 7);
  EXPECT_EQ(entry.time_ms, kTime);
  EXPECT_EQ(entry.event + entry.outcome + entry.actor_id + entry.actor_login, "user.changedDENIEDusr-adaada");
  EXPECT_EQ(entry.object_kind + entry.object_id + entry.object_name, "Userusr-miamia");
  EXPECT_EQ(entry.trace_id + entry.address + entry.reason, "TRACE-110.0.0.7Administer Server");
}

TEST(Trail, WhatIsEmptyIsLeftOut) {
  AuditEvent event;
  event.time_ms = kTime;
  event.event = "server.started";
  EXPECT_EQ(Trail("main").link(event, 1, kZeros).document,
            R"({"actor":{"kind":"SYSTEM"},"event":"server.started","node":"main","origin":"SYSTEM","outcome":"OK","prevHash":")" +
                kZeros + R"(","seq":1,"stream":"admin","time":"2026-03-02T09:15:00.100Z"})");
}

TEST(Trail, NoBytesOfAnEventBreakTheRecord) {
  std::string deep(200, '[');
  deep += std::string(200, ']');
  AuditEvent event = an_event();
  event.summary = "\xff\x01\n\"";
  event.actor.login = "m\xc3";
  event.object_name = std::string("a\0b", 3);
  event.changes = {{"\xfe", "not json", "{\"a\":1,\"a\":2}"}, {"deep", deep, "1e400"}};
  const AuditEntry entry = Trail("n\xff").link(event, 1, kZeros);
  const auto record = domain::exported_record(entry);
  ASSERT_TRUE(record.ok());
  const auto back = imported_record(*record);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->document, entry.document);
  EXPECT_EQ(back->hash, crypto::sha256_hex(entry.document));
  EXPECT_EQ(back->actor_login, entry.actor_login) << "columns say what the record says";
  EXPECT_EQ(back->object_name, entry.object_name);
  EXPECT_THAT(entry.document, HasSubstr(R"("old":"not json")"));
}

TEST(Trail, AnExportIsReadBack) {
  const AuditEntry entry = Trail("main").link(an_event(), 7, std::string(64, 'a'));
  const auto record = domain::exported_record(entry);
  EXPECT_EQ(record->at("hash").as_string(), entry.hash.c_str());
  const auto back = imported_record(*record);
  EXPECT_EQ(back->document, entry.document);
  EXPECT_EQ(back->hash, entry.hash);
  AuditEntry broken = entry;
  broken.document = "{";
  EXPECT_EQ(domain::exported_record(broken).error().code, base::Code::DataLoss);
  for (const char* text : {"[]", "{}", R"({"seq":"1"})", R"({"seq":1,"time":"now"})"}) {
    EXPECT_EQ(imported_record(*base::parse_json(text)).error().code, base::Code::InvalidArgument) << text;
  }
}

TEST(Trail, EventsAboutStreamsAreReadBack) {
  const AuditEntry last = Trail("main").link(an_event(), 7, kZeros);
  const AuditEntry pruned = Trail("main").link(pruned_event(last, kTime), 8, last.hash);
  const auto anchor = read_pruned(pruned);
  ASSERT_TRUE(anchor.has_value());
  EXPECT_EQ(anchor->sequence, 7);
  EXPECT_EQ(anchor->hash, last.hash);
  EXPECT_FALSE(read_pruned(last).has_value());

  const std::vector<StreamHead> heads = {{"calls", "one", 12, std::string(64, 'b')}, {"calls", "two", 9, std::string(64, 'c')}};
  domain::Actor actor;
  actor.login = "ada";
  const AuditEntry checkpoint = Trail("main").link(checkpoint_event(heads, actor, kTime), 9, pruned.hash);
  EXPECT_EQ(checkpoint.event, "audit.checkpoint");
  EXPECT_EQ(checkpoint.actor_login, "ada");
  EXPECT_EQ(read_anchored_heads(checkpoint), heads);
  EXPECT_FALSE(read_anchored_heads(pruned).has_value());
  // Somebody else's event of that name says nothing.
  AuditEvent forged = an_event();
  forged.event = "audit.pruned";
  forged.changes = {{"removedTo", "", "7"}, {"removedTo", "", R"({"stream":"calls","seq":7,"hash":"x"})"}};
  EXPECT_FALSE(read_pruned(Trail("main").link(forged, 9, kZeros)).has_value());
}

}  // namespace
}  // namespace funcgate::audit
