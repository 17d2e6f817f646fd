#include "audit/block.h"

#include <gtest/gtest.h>

#include "audit/byte_code.h"
#include "audit/trace_code.h"
#include "records.h"

namespace funcgate::audit {
namespace {

std::string packed(const std::vector<const domain::CallRecord*>& records) {
  BlockPacker packer;
  for (const auto* record : records) packer.add(*record);
  return packer.finish();
}

domain::JournalBlock sealed(const std::vector<const domain::CallRecord*>& records) {
  return seal_block(empty_chain(), packed(records), kStartMs, kStartMs, static_cast<std::int64_t>(records.size()), 12345);
}

// A block as releases before wrote it: one call of "total" by nobody, answered after 3 ms.
std::string first_version() {
  std::string out(1, 1);
  append_signed(out, kStartMs - 20);  // the block before
  append_signed(out, 12345);
  append_signed(out, kStartMs + 3);  // the base: the end of the first record
  append_number(out, 2);
  append_text(out, "total");
  append_text(out, "shop__prices.total");
  append_number(out, 0);  // callers
  append_number(out, 1);
  out += std::string{static_cast<char>(8 | 64), static_cast<char>(domain::Method::Post), '\xc0', 0, 2, 1};
  append_text(out, "own-trace");
  append_signed(out, -3);
  append_signed(out, 3);
  for (const int run : {1, 250, 1500}) append_signed(out, run);
  for (const std::uint64_t index : {1, 2}) append_number(out, index);
  for (const int version : {3, 7}) append_signed(out, version);
  for (const std::uint64_t none : {0, 0}) append_number(out, none);  // caller, configuration
  append_signed(out, 200);
  for (const std::uint64_t none : {0, 0}) append_number(out, none);  // error, reason
  return out;
}

TEST(Block, OfTheFirstVersionIsRead) {
  const auto content = decode_block(first_version());
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(content->head.previous_last_ms, kStartMs - 20);
  ASSERT_EQ(content->records.size(), 1U);
  const BlockRecord& record = content->records[0];
  EXPECT_EQ(record.trigger_time_ms, kStartMs);
  EXPECT_EQ(record.start_time_ms, kStartMs + 1);
  EXPECT_EQ(record.end_time_ms, kStartMs + 3);
  EXPECT_EQ(record.duration_us, 3000);
  EXPECT_EQ(record.run_us, 1500);
  EXPECT_EQ(record.path, "");
  EXPECT_EQ(record.api_id, "total");
  EXPECT_EQ(record.func_id, "shop__prices.total");
  EXPECT_EQ(record.address, "192.0.2.1");
  EXPECT_EQ(record.trace_id, "own-trace");
  EXPECT_EQ(record.status, 200);
  EXPECT_EQ(decode_block_head(first_version())->removable_before_ms, 12345);
}

TEST(Block, KeepsHowPathsWereSpelt) {
  domain::CallRecord call = a_call(1), unknown = a_refusal(""), neither = a_refusal("");
  call.path = domain::ApiPath(2, 3);
  unknown.path = domain::ApiPath(1, 1);
  unknown.asked_id = std::make_unique<const std::string>("a-stranger-asked-for-this");
  neither.path = domain::ApiPath(1, 1);
  const auto content = decode_block(sealed({&call, &unknown, &neither}).records);
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(content->records[0].path, "/api/v1/sync/total");
  EXPECT_EQ(content->records[1].path, "/api/v1/al/a-stranger-asked-for-this/s");
  EXPECT_EQ(content->records[1].api_id, "");
  EXPECT_EQ(content->records[2].path, "") << "a path without an id is none";
}

TEST(Block, BeginsWithTheEarliestTriggerAndEndsWithTheLatestEnd) {
  domain::CallRecord slow = a_call(1), quick = a_call(2);
  slow.trigger_time_ms -= 90'000;
  BlockPacker packer;
  packer.add(quick);
  packer.add(slow);
  EXPECT_EQ(packer.first_ms(), kStartMs - 90'000);
  EXPECT_EQ(packer.last_ms(), kStartMs + 3);
}

TEST(Block, GivesBackEveryMember) {
  domain::CallRecord call = a_call(1);
  call.duration_ns = 3'456'789;
  call.caller = a_caller("anna");
  call.cached = true;
  call.task_id = "task-1";
  call.address = *domain::Address::parse("2001:db8::7");
  domain::CallRecord refusal = a_refusal();
  refusal.count = 17;
  domain::CallRecord bare;  // the Unix socket, nothing known
  bare.trace_id = "own-trace";
  const auto content = decode_block(sealed({&call, &refusal, &bare}).records);
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(content->head.removable_before_ms, 12345);
  ASSERT_EQ(content->records.size(), 3U);

  const BlockRecord& first = content->records[0];
  EXPECT_EQ(first.trigger_time_ms, kStartMs);
  EXPECT_EQ(first.start_time_ms, kStartMs + 1);
  EXPECT_EQ(first.end_time_ms, kStartMs + 3);
  EXPECT_EQ(first.duration_us, 3456);
  EXPECT_EQ(first.queue_us, 250);
  EXPECT_EQ(first.run_us, 1500);
  EXPECT_EQ(first.trace_id, trace_of(1));
  EXPECT_EQ(first.api_id, "total");
  EXPECT_EQ(first.func_id, "shop__prices.total");
  EXPECT_EQ(first.task_id, "task-1");
  EXPECT_EQ(first.address, "2001:db8::7");
  EXPECT_EQ(first.method, "POST");
  EXPECT_EQ(first.publish_version, 7);
  EXPECT_EQ(first.api_version, 3);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.error, "");
  EXPECT_EQ(first.reason, "");
  EXPECT_TRUE(first.cached);
  EXPECT_EQ(first.count, 1U);
  ASSERT_TRUE(first.has_caller);
  EXPECT_EQ(first.caller.type, "httpBasic");
  EXPECT_EQ(first.caller.auth_id, "partners");
  EXPECT_EQ(first.caller.name, "anna");
  EXPECT_EQ(first.caller.user_id, "u-anna");
  EXPECT_EQ(first.caller.run_as, "system");

  const BlockRecord& second = content->records[1];
  EXPECT_EQ(second.address, "192.0.2.1");
  EXPECT_EQ(second.trace_id, "refused");
  EXPECT_EQ(second.error, "401.99");
  EXPECT_EQ(second.reason, "basic.password");
  EXPECT_EQ(second.auth_id, "partners");
  EXPECT_EQ(second.count, 17U);
  EXPECT_EQ(second.start_time_ms, 0);
  EXPECT_FALSE(second.has_caller);
  EXPECT_FALSE(second.cached);

  EXPECT_EQ(content->records[2].address, "local");
  EXPECT_EQ(content->records[2].api_id, "");
  EXPECT_EQ(content->records[2].trigger_time_ms, 0);
}

TEST(Block, KeepsNoTextsOfTheCall) {
  domain::CallRecord call = a_call(1);
  call.texts = std::make_unique<domain::CallRecordTexts>();
  domain::CallRecordTexts& texts = *call.texts;
  for (std::string* text :
       {&texts.print_log, &texts.exception_type, &texts.exception_text, &texts.traceback, &texts.kwargs, &texts.result}) {
    *text = "CANARY";
  }
  EXPECT_EQ(sealed({&call}).records.find("CANARY"), std::string::npos);
}

TEST(Block, NeedsAtMostAHundredBytesPerCall) {
  const auto api = shared("total"), function = shared("shop__prices.total");
  const domain::PrincipalPtr caller = a_caller("anna");
  std::vector<domain::CallRecord> calls;
  std::vector<const domain::CallRecord*> views;
  for (int i = 0; i < 1000; ++i) {
    calls.push_back(a_call(i, "total", kStartMs + i % 20));
    calls.back().api_id = api;
    calls.back().func_id = function;
    calls.back().caller = caller;
    calls.back().path = domain::ApiPath(0, 3);
    calls.back().duration_ns = 2'900'000 + i;
  }
  for (const auto& call : calls) views.push_back(&call);
  const std::size_t size = packed(views).size();
  RecordProperty("bytes", static_cast<int>(size));
  EXPECT_LT(size, 1000U * 60);
}

TEST(Block, RefusesEveryCutAndEveryOtherVersion) {
  domain::CallRecord call = a_call(1), refusal = a_refusal();
  call.caller = a_caller("anna");
  const std::string bytes = sealed({&call, &refusal}).records;
  ASSERT_TRUE(decode_block(bytes).ok());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto content = decode_block(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(content.ok()) << size;
    EXPECT_EQ(content.error().code, base::Code::DataLoss);
  }
  EXPECT_FALSE(decode_block(bytes + "x").ok()) << "bytes behind the end";
  std::string newer = bytes;
  newer[0] = 3;
  EXPECT_FALSE(decode_block(newer).ok());
}

TEST(Block, SurvivesEveryDamagedByte) {
  domain::CallRecord call = a_call(1), refusal = a_refusal();
  call.caller = a_caller("anna");
  const std::string bytes = sealed({&call, &refusal}).records;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(value);
      const auto content = decode_block(damaged);  // right or refused, never a crash
      if (content.ok()) EXPECT_LE(content->records.size(), 2U);
    }
  }
}

TEST(Block, HashCoversEveryColumn) {
  domain::CallRecord call = a_call(1);
  const domain::JournalBlock block = sealed({&call});
  std::vector<domain::JournalBlock> altered(6, block);
  altered[0].sequence += 1;
  altered[1].first_ms += 1;
  altered[2].last_ms += 1;
  altered[3].count += 1;
  altered[4].previous_hash[0] = '1';
  altered[5].records.back() ^= 1;
  for (const auto& other : altered) EXPECT_NE(block_hash(other), block.hash);
  EXPECT_EQ(block_hash(block), block.hash);
  EXPECT_EQ(block.hash.size(), 64U);
}

TEST(Block, TimeNeverGoesBackAlongTheChain) {
  domain::CallRecord call = a_call(1);
  const ChainHead head{5, kStartMs + 5000, std::string(64, 'a')};
  const domain::JournalBlock block = seal_block(head, packed({&call}), kStartMs, kStartMs + 3, 1, 0);
  EXPECT_EQ(block.sequence, 6);
  EXPECT_EQ(block.first_ms, kStartMs);
  EXPECT_EQ(block.last_ms, kStartMs + 5000);
}

TEST(TraceCode, ShortensOnlyWhatItCanGiveBack) {
  const std::string own = "TRACE-5B0E1A2C-93F4-4D11-8A77-0123456789AB";
  const auto bytes = shorten_trace_id(own);
  ASSERT_TRUE(bytes.has_value());
  EXPECT_EQ(lengthen_trace_id(*bytes), own);
  for (const char* other :
       {"", "TRACE-", "TRACE-5b0e1a2c-93F4-4D11-8A77-0123456789AB", "TRACE-5B0E1A2C-93F4-4D11-8A77-0123456789A",
        "TRACE-5B0E1A2C-93F4-4D11-8A77-0123456789ABC", "TRACE-5B0E1A2C93F4-4D11-8A77-0123456789ABCD",
        "trace-5B0E1A2C-93F4-4D11-8A77-0123456789AB", "TRACE-5B0E1A2C-93F4-4D11-8A77-0123456789AG"}) {
    EXPECT_FALSE(shorten_trace_id(other).has_value()) << other;
  }
}

}  // namespace
}  // namespace funcgate::audit
