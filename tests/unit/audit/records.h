// Call records for the tests of audit.
#pragma once

#include <fmt/format.h>

#include "audit/block.h"
#include "auth/principal_issuer.h"
#include "domain/call_record.h"
#include "support/fake_clock.h"
#include "support/memory_journal_store.h"

namespace funcgate::audit {

using test::kStartMs;

inline std::shared_ptr<const std::string> shared(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

inline domain::PrincipalPtr a_caller(const std::string& name) {
  domain::PrincipalFields fields;
  fields.type = "httpBasic";
  fields.auth_id = "partners";
  fields.name = name;
  fields.user_id = "u-" + name;
  return auth::PrincipalIssuer::issue(std::move(fields));
}

inline std::string trace_of(int number) { return fmt::format("TRACE-00000000-0000-4000-8000-{:012X}", number); }

inline domain::CallRecord a_call(int number, const std::string& api_id = "total", std::int64_t time_ms = kStartMs) {
  domain::CallRecord record;
  record.trigger_time_ms = time_ms;
  record.start_time_ms = time_ms + 1;
  record.end_time_ms = time_ms + 3;
  record.queue_us = 250;
  record.run_us = 1500;
  record.trace_id = trace_of(number);
  record.api_id = shared(api_id);
  record.func_id = shared("shop__prices.total");
  record.publish_version = 7;
  record.api_version = 3;
  record.address = domain::Address::v4({192, 0, 2, 1});
  record.method = domain::Method::Post;
  record.status = 200;
  return record;
}

inline domain::CallRecord a_refusal(const std::string& api_id = "total", domain::Reason reason = domain::Reason::BasicPassword,
                                    std::int64_t time_ms = kStartMs) {
  domain::CallRecord record;
  record.trigger_time_ms = record.end_time_ms = time_ms;
  record.trace_id = "refused";
  if (!api_id.empty()) record.api_id = shared(api_id);
  record.address = domain::Address::v4({192, 0, 2, 1});
  record.method = domain::Method::Post;
  record.status = 401;
  record.error = "401.99";
  record.reason = reason;
  record.auth_id = "partners";
  return record;
}

// All records of all blocks, in order.
inline std::vector<BlockRecord> journaled(const test::MemoryJournalStore& store) {
  std::vector<BlockRecord> out;
  for (const auto& [sequence, block] : store.blocks()) {
    auto content = decode_block(block.records);
    CHECK(content.ok());
    CHECK(static_cast<std::int64_t>(content->records.size()) == block.count);
    for (auto& record : content->records) out.push_back(std::move(record));
  }
  return out;
}

}  // namespace funcgate::audit
