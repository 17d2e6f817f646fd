// The record of a call: what it costs the io thread to hand it over, and the journal thread to make it part of a sealed block.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "audit/block.h"
#include "audit/ring_recorder.h"
#include "auth/principal_issuer.h"
#include "base/check.h"
#include "base/metrics.h"
#include "domain/call_record.h"

namespace funcgate::micro {
namespace {

constexpr std::int64_t kBlockRecords = 4096;

// What the calls of one endpoint share.
struct Endpoint {
  std::shared_ptr<const std::string> api_id = std::make_shared<const std::string>("sum-basic");
  std::shared_ptr<const std::string> func_id = std::make_shared<const std::string>("bench__main.total");
  domain::PrincipalPtr caller;

  Endpoint() {
    domain::PrincipalFields fields;
    fields.type = "httpBasic";
    fields.auth_id = "basic";
    fields.name = "mia";
    caller = auth::PrincipalIssuer::issue(std::move(fields));
  }
  domain::CallRecord record(std::int64_t number) const {
    domain::CallRecord record;
    record.trigger_time_ms = 1772442900100 + number / 50;
    record.start_time_ms = record.trigger_time_ms;
    record.end_time_ms = record.trigger_time_ms + 1;
    record.queue_us = 40 + number % 30;
    record.run_us = 3 + number % 5;
    record.trace_id = "TRACE-1B4E28BA-2FA1-41D2-883F-0016D3CCA427";
    record.api_id = api_id;
    record.func_id = func_id;
    record.publish_version = record.api_version = 1;
    record.caller = caller;
    record.address = domain::Address::v4({127, 0, 0, 1});
    record.method = domain::Method::Post;
    record.status = 200;
    return record;
  }
};

// Made, handed over, and taken by the other side: moved twice and freed.
void hand_over(benchmark::State& state) {
  const Endpoint endpoint;
  base::Metrics metrics;
  audit::WakeSignal wake;
  audit::RingRecorder recorder(8192, 2048, 8000, wake, {metrics.counter("refused", "-"), metrics.counter("counted", "-")});
  std::int64_t number = 0;
  std::size_t taken = 0;
  while (state.KeepRunningBatch(64)) {
    for (int i = 0; i < 64; ++i) {
      CHECK(recorder.reserve());
      recorder.record(endpoint.record(number++));
    }
    taken += recorder.consume_calls(64, [](domain::CallRecord&& record) { benchmark::DoNotOptimize(record.status); });
  }
  CHECK(taken == static_cast<std::size_t>(number));
}

// Packed, hashed and sealed in blocks of their usual size; the time is that of one record. Records are made beforehand.
void journal(benchmark::State& state) {
  const Endpoint endpoint;
  std::vector<domain::CallRecord> records;
  for (std::int64_t number = 0; number < kBlockRecords; ++number) records.push_back(endpoint.record(number));
  audit::ChainHead head = audit::empty_chain();
  while (state.KeepRunningBatch(kBlockRecords)) {
    audit::BlockPacker packer;
    for (const domain::CallRecord& record : records) packer.add(record);
    const std::int64_t first_ms = packer.first_ms(), last_ms = packer.last_ms();
    const std::string body = packer.finish();
    const domain::JournalBlock block = audit::seal_block(head, body, first_ms, last_ms, kBlockRecords, 0);
    head.sequence = block.sequence;
    head.last_ms = block.last_ms;
    head.hash = block.hash;
  }
  CHECK(head.sequence > 0 && head.hash.size() == 64);
}

BENCHMARK(hand_over)->Name("record/hand-over");
BENCHMARK(journal)->Name("record/journal");

}  // namespace
}  // namespace funcgate::micro
