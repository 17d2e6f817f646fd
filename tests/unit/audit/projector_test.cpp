#include "audit/projector.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "records.h"

namespace funcgate::audit {
namespace {

constexpr base::SteadyNs kNow = 1'000'000'000'000;
constexpr std::int64_t kEveryMs = 500;

domain::CallRecord kept(int number, std::int64_t kept_max, const std::string& api_id = "total") {
  domain::CallRecord record = a_call(number, api_id);
  record.records_kept_max = kept_max;
  return record;
}

std::vector<std::string> ids(const std::vector<domain::StoredCallRecord>& records) {
  std::vector<std::string> out;
  for (const auto& record : records) out.push_back(record.id);
  return out;
}

TEST(Projector, MakesOnlyTheNewestOfEachApi) {
  Projector projector(kEveryMs);
  for (int i = 0; i < 1000; ++i) projector.add({4, i}, kept(i, 3));
  projector.add({5, 0}, kept(0, 3, "other"));
  auto records = projector.take(kNow);
  // APIs come in any order, the records of one stay in theirs.
  if (records.front().api_id == "other") std::rotate(records.begin(), records.begin() + 1, records.end());
  const std::vector<std::string> oldest_first{"CALL-4-997", "CALL-4-998", "CALL-4-999", "CALL-5-0"};
  EXPECT_EQ(ids(records), oldest_first);
  EXPECT_EQ(records[0].kept_max, 3);
  EXPECT_TRUE(projector.empty());
}

TEST(Projector, FollowsTheNewestLimitOfAnApi) {
  Projector projector(kEveryMs);
  for (int i = 0; i < 7; ++i) projector.add({1, i}, kept(i, 5));
  projector.add({1, 7}, kept(7, 2));
  EXPECT_EQ(ids(projector.take(kNow)), (std::vector<std::string>{"CALL-1-6", "CALL-1-7"}));
  for (int i = 0; i < 4; ++i) projector.add({2, i}, kept(i, 2));
  for (int i = 4; i < 6; ++i) projector.add({2, i}, kept(i, 3));
  EXPECT_EQ(ids(projector.take(kNow)), (std::vector<std::string>{"CALL-2-3", "CALL-2-4", "CALL-2-5"}));
}

TEST(Projector, MakesNoDocumentForAnApiThatKeepsNone) {
  Projector projector(kEveryMs);
  for (int i = 0; i < 10; ++i) projector.add({1, i}, kept(i, 0));
  const auto records = projector.take(kNow);
  ASSERT_EQ(records.size(), 1U) << "only the word to forget what was kept before";
  EXPECT_EQ(records[0].api_id, "total");
  EXPECT_EQ(records[0].kept_max, 0);
  EXPECT_EQ(records[0].document, "");
}

TEST(Projector, LeavesOutRefusalsOfUnknownApis) {
  Projector projector(kEveryMs);
  projector.add({1, 0}, a_refusal(""));
  EXPECT_TRUE(projector.empty());
}

TEST(Projector, IsDueAtOnceThenAfterItsTimeOrWhenFull) {
  Projector projector(kEveryMs);
  EXPECT_FALSE(projector.due(kNow)) << "nothing waits";
  projector.add({1, 0}, kept(0, 100));
  EXPECT_TRUE(projector.due(kNow));
  std::ignore = projector.take(kNow);
  projector.add({1, 1}, kept(1, 100));
  EXPECT_FALSE(projector.due(kNow + (kEveryMs - 1) * base::kNsPerMs));
  EXPECT_TRUE(projector.due(kNow + kEveryMs * base::kNsPerMs));
  domain::CallRecord large = kept(2, 100);
  large.texts = std::make_unique<domain::CallRecordTexts>();
  large.texts->print_log.assign(Projector::kTextBytesMax, 'x');
  projector.add({1, 2}, std::move(large));
  EXPECT_TRUE(projector.due(kNow)) << "too much text waits";
  std::ignore = projector.take(kNow);
  for (std::size_t i = 0; i < Projector::kWaitingMax; ++i) projector.add({2, static_cast<int>(i)}, kept(3, 10'000));
  EXPECT_TRUE(projector.due(kNow)) << "too many wait";
}

TEST(CallDocument, HasTheMembersOfTheCallRecord) {
  domain::CallRecord record = a_call(1);
  record.caller = a_caller("anna \"quoted\"");
  record.texts = std::make_unique<domain::CallRecordTexts>();
  record.texts->print_log = "line\n";
  record.texts->exception_type = "ValueError";
  record.texts->exception_text = "bad";
  record.texts->traceback = "Traceback";
  record.texts->kwargs = R"({"a":1})";
  const auto parsed = base::parse_json(call_document("CALL-1-2", record));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(base::to_json(*parsed),
            R"({"id":"CALL-1-2","traceId":"TRACE-00000000-0000-4000-8000-000000000001","taskId":null,)"
            R"("apiId":"total","apiVersion":3,)"
            R"("funcId":"shop__prices.total","publishVersion":7,"caller":{"type":"httpBasic","authId":"partners",)"
            R"("name":"anna \"quoted\"","keyId":null,"runAs":"system"},"address":"192.0.2.1","method":"POST","status":200,)"
            R"("error":null,"reason":null,"cached":false,"count":1,"triggerTimeMs":1772442900100,"startTimeMs":1772442900101,)"
            R"("endTimeMs":1772442900103,"queueMs":2.5E-1,"runMs":1.5E0,"printLog":"line\n","exceptionType":"ValueError",)"
            R"("exceptionText":"bad","traceback":"Traceback","kwargs":"{\"a\":1}"})");
}

TEST(CallDocument, OfARefusalNamesTheConfigurationButNobody) {
  const auto parsed = base::parse_json(call_document("CALL-1-0", a_refusal()));
  ASSERT_TRUE(parsed.ok());
  const auto& document = parsed->as_object();
  EXPECT_EQ(base::to_json(document.at("caller")), R"({"type":null,"authId":"partners","name":null,"keyId":null,"runAs":null})");
  EXPECT_EQ(document.at("reason").as_string(), "basic.password");
  EXPECT_EQ(document.at("error").as_string(), "401.99");
  EXPECT_TRUE(document.at("startTimeMs").is_null());
  EXPECT_FALSE(document.contains("result"));
}

TEST(CallDocument, CutsLongTextsAndStaysJson) {
  domain::CallRecord record = a_call(1);
  record.texts = std::make_unique<domain::CallRecordTexts>();
  record.texts->result.assign(100'000, 'r');
  record.texts->print_log = "\xff\x01 not UTF-8";
  const auto parsed = base::parse_json(call_document("CALL-1-0", record));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->as_object().at("result").as_string().size(), 65536U);
}

}  // namespace
}  // namespace funcgate::audit
