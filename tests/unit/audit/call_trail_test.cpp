#include "audit/call_trail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "records.h"

namespace funcgate::audit {
namespace {

using domain::CallPlace;
using domain::CallTrailQuery;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

domain::PrincipalPtr a_key_caller() {
  domain::PrincipalFields fields;
  fields.type = "apiKey";
  fields.auth_id = "keys";
  fields.name = fields.run_as = "agent";
  fields.user_id = "usr-1";
  fields.key_id = "key-1";
  fields.key_name = "Nightly";
  return auth::PrincipalIssuer::issue(std::move(fields));
}

// A journal to which blocks are added.
class CallTrail : public ::testing::Test {
 protected:
  void add(const std::vector<const domain::CallRecord*>& records) {
    BlockPacker packer;
    for (const auto* record : records) packer.add(*record);
    const std::int64_t first_ms = packer.first_ms(), last_ms = packer.last_ms(), count = packer.count();
    const domain::JournalBlock block = seal_block(head_, packer.finish(), first_ms, last_ms, count, 0);
    ASSERT_TRUE(store_.append(block, {}).ok());
    head_ = {block.sequence, block.last_ms, block.hash};
  }
  // Calls number_ + 1 … number_ + `count` in a block, a millisecond apart.
  void add_calls(int count) {
    std::vector<domain::CallRecord> calls;
    std::vector<const domain::CallRecord*> views;
    for (int i = 0; i < count; ++i, ++number_) calls.push_back(a_call(number_ + 1, "total", kStartMs + number_));
    for (const auto& call : calls) views.push_back(&call);
    add(views);
  }
  CallPage find(const CallTrailQuery& query = {}) {
    auto page = find_calls(store_, query, "main");
    CHECK(page.ok());
    return std::move(page).value();
  }
  static std::string text(const base::json::object& record, std::string_view name) { return base::text_of(record, name); }
  static std::vector<std::string> texts(const CallPage& page, std::string_view name) {
    std::vector<std::string> out;
    for (const auto& record : page.records) out.push_back(text(record, name));
    return out;
  }
  std::vector<std::string> traces(const CallTrailQuery& query) { return texts(find(query), "traceId"); }

  test::MemoryJournalStore store_;
  ChainHead head_ = empty_chain();
  int number_ = 0;
};

TEST_F(CallTrail, ARecordHasTheMembersOfTheStream) {
  domain::CallRecord call = a_call(1);
  call.caller = a_key_caller();
  call.path = domain::ApiPath(1, 2);
  call.duration_ns = 3'456'789;
  call.task_id = "task-1";
  add({&call});
  const CallPage page = find();
  ASSERT_EQ(page.records.size(), 1U);
  EXPECT_EQ(page.next, CallPlace());
  const auto expected = base::parse_json(R"({"seq":1,"stream":"calls","node":"main","event":"call","id":"CALL-1-0","outcome":"OK",
    "actor":{"kind":"API_KEY","userId":"usr-1","login":"agent","keyId":"key-1"},"runAs":"agent","origin":"API","address":"192.0.2.1",
    "object":{"kind":"Function","id":"shop__prices.total","version":7},"api":{"kind":"FunctionApi","id":"total","version":3},
    "method":"POST","path":"/api/v1/al/total/simplified","status":200,"durationMs":3.456,"queueMs":0.25,"runMs":1.5,
    "authId":"keys","processId":"task-1","count":1})");
  base::json::object found = page.records.front();
  EXPECT_EQ(text(found, "time"), base::format_rfc3339(kStartMs));
  EXPECT_EQ(text(found, "traceId"), trace_of(1));
  EXPECT_EQ(text(found, "prevHash"), std::string(64, '0'));
  EXPECT_EQ(text(found, "hash"), head_.hash);
  for (const char* name : {"time", "traceId", "prevHash", "hash"}) found.erase(name);
  EXPECT_EQ(base::json::value(found), *expected) << base::to_json(found);
}

TEST_F(CallTrail, ActorsAreWhoTheyWere) {
  domain::CallRecord key = a_call(1), user = a_call(2), anonymous = a_call(3), refused = a_refusal(), own = a_call(5);
  key.caller = a_key_caller();
  user.caller = a_caller("anna");
  anonymous.caller = auth::PrincipalIssuer::issue({.type = "anonymous", .name = "system"});
  own.caller = auth::PrincipalIssuer::issue({.name = "system"});
  add({&own, &refused, &anonymous, &user, &key});
  std::vector<std::string> kinds;
  for (const auto& record : find().records) kinds.push_back(text(record.at("actor").as_object(), "kind"));
  EXPECT_THAT(kinds, ElementsAre("API_KEY", "USER", "ANONYMOUS", "ANONYMOUS", "SYSTEM"));
  const CallPage page = find({.reason = "basic.password"});
  ASSERT_EQ(page.records.size(), 1U);
  EXPECT_EQ(text(page.records[0], "authId"), "partners");
  EXPECT_EQ(text(page.records[0], "outcome"), "DENIED");
  EXPECT_FALSE(page.records[0].contains("runAs"));
  EXPECT_TRUE(find({.actor = "system"}).records.size() == 1) << "nobody is called system";
}

TEST_F(CallTrail, EveryFilterFindsItsRecordsAlone) {
  domain::CallRecord one = a_call(1, "total", kStartMs), two = a_call(2, "other", kStartMs + 1000), refused = a_refusal("total");
  one.caller = a_key_caller();
  two.caller = a_caller("anna");
  two.status = 500;
  two.func_id = shared("shop__prices.other");
  two.task_id = "task-2";
  two.address = *domain::Address::parse("2001:db8::7");
  refused.trigger_time_ms = kStartMs + 2000;
  add({&one});
  add({&two, &refused});
  const std::string first = trace_of(1), second = trace_of(2);
  EXPECT_THAT(traces({}), ElementsAre("refused", second, first));
  EXPECT_THAT(traces({.from_ms = kStartMs + 1000}), ElementsAre("refused", second));
  EXPECT_THAT(traces({.to_ms = kStartMs + 1000}), ElementsAre(second, first));
  EXPECT_THAT(traces({.from_ms = kStartMs + 1, .to_ms = kStartMs + 1999}), ElementsAre(second));
  EXPECT_THAT(traces({.actor = "agent"}), ElementsAre(first));
  EXPECT_THAT(traces({.actor = "key-1"}), ElementsAre(first));
  EXPECT_THAT(traces({.actor = "u-anna"}), ElementsAre(second));
  EXPECT_THAT(traces({.actor = "Nightly"}), IsEmpty());
  EXPECT_THAT(traces({.caller = "Nightly"}), ElementsAre(first));
  EXPECT_THAT(traces({.run_as = "agent"}), ElementsAre(first));
  EXPECT_THAT(traces({.address = "2001:db8::7"}), ElementsAre(second));
  EXPECT_THAT(traces({.trace_id = first}), ElementsAre(first));
  EXPECT_THAT(traces({.reason = "basic.password"}), ElementsAre("refused"));
  EXPECT_THAT(traces({.outcome = "OK"}), ElementsAre(first));
  EXPECT_THAT(traces({.outcome = "DENIED"}), ElementsAre("refused"));
  EXPECT_THAT(traces({.outcome = "FAILED"}), ElementsAre(second));
  EXPECT_THAT(traces({.api = "total"}), ElementsAre("refused", first));
  EXPECT_THAT(traces({.object = "shop__prices.other"}), ElementsAre(second));
  EXPECT_THAT(traces({.object = "other"}), ElementsAre(second));
  EXPECT_THAT(traces({.process_id = "task-2"}), ElementsAre(second));
  EXPECT_THAT(traces({.text = "SHOP__PRICES.O"}), ElementsAre(second));
  EXPECT_THAT(traces({.text = "no such text"}), IsEmpty());
  EXPECT_THAT(traces({.status = 401}), ElementsAre("refused"));
  EXPECT_THAT(traces({.api = "total", .status = 500}), IsEmpty());
}

TEST_F(CallTrail, APageEndsInABlockAndTheNextGoesOnThere) {
  for (const int count : {1, 7, 1, 40, 3}) add_calls(count);
  std::vector<std::string> walked;
  CallTrailQuery query;
  query.limit = 5;
  int pages = 0;
  do {
    const CallPage page = find(query);
    EXPECT_LE(page.records.size(), 5U);
    for (const auto& record : page.records) walked.push_back(text(record, "traceId"));
    query.before = page.next;
    add_calls(2);  // what comes meanwhile is not of this walk
    ASSERT_LT(++pages, 30);
  } while (query.before.sequence != 0);
  ASSERT_EQ(walked.size(), 52U);
  for (std::size_t i = 0; i < walked.size(); ++i) EXPECT_EQ(walked[i], trace_of(52 - static_cast<int>(i)));
}

TEST_F(CallTrail, TheLastPageIsKnownAsTheLast) {
  add_calls(10);
  CallTrailQuery query;
  query.limit = 10;
  EXPECT_EQ(find(query).next, CallPlace());
  query.limit = 9;
  EXPECT_EQ(find(query).next, (CallPlace{1, 1}));
}

TEST_F(CallTrail, APageLooksThroughNoMoreThanItMay) {
  for (int i = 0; i < 6; ++i) add_calls(4096);
  CallTrailQuery query;
  query.trace_id = trace_of(1);
  const CallPage page = find(query);
  EXPECT_THAT(page.records, IsEmpty());
  EXPECT_EQ(page.looked_through, kRecordsLookedThroughMax);
  ASSERT_NE(page.next.sequence, 0);
  query.before = page.next;
  const CallPage rest = find(query);
  EXPECT_EQ(rest.records.size(), 1U);
  EXPECT_EQ(rest.next, CallPlace());
  EXPECT_EQ(page.looked_through + rest.looked_through, 6U * 4096);
}

TEST_F(CallTrail, APageReadsNoMoreBlocksThanItMay) {
  for (std::size_t i = 0; i < kBlocksLookedThroughMax + 10; ++i) add_calls(1);
  CallTrailQuery query;
  query.trace_id = trace_of(1);
  const CallPage page = find(query);
  EXPECT_THAT(page.records, IsEmpty());
  EXPECT_EQ(page.looked_through, kBlocksLookedThroughMax);
  query.before = page.next;
  EXPECT_EQ(find(query).records.size(), 1U);
}

TEST_F(CallTrail, ADamagedBlockIsTold) {
  for (int i = 0; i < 3; ++i) add_calls(2);
  auto blocks = store_.blocks();
  blocks[2].records.back() ^= 1;
  store_.set_blocks(blocks);
  const CallPage page = find({.api = "total"});
  ASSERT_EQ(page.records.size(), 5U);
  const base::json::object& problem = page.records[2];
  EXPECT_NE(text(problem, "problem"), "");
  EXPECT_EQ(problem.at("seq").as_int64(), 2);
  EXPECT_EQ(problem.at("count").as_int64(), 2);
  EXPECT_FALSE(problem.contains("status")) << "nothing of it is told as true";

  // Whole, but of a version that this code does not know.
  blocks = store_.blocks();
  blocks[2].records[0] = 9;
  blocks[2].hash = block_hash(blocks[2]);
  store_.set_blocks(blocks);
  CallTrailQuery query;
  query.limit = 1;
  std::vector<std::string> walked;
  do {
    const CallPage one = find(query);
    for (const auto& record : one.records) walked.push_back(text(record, "traceId"));
    query.before = one.next;
  } while (query.before.sequence != 0);
  EXPECT_THAT(walked, ElementsAre(trace_of(6), trace_of(5), "", trace_of(2), trace_of(1)));
}

TEST_F(CallTrail, AStoreThatIsAwayIsAnError) {
  store_.fail_reads();
  EXPECT_EQ(find_calls(store_, {}, "main").error().code, base::Code::Unavailable);
}

}  // namespace
}  // namespace funcgate::audit
