// StubRunner: a FunctionRunner whose functions are written in the test. Keeps what it was asked to run.
//
//   StubRunner runner;
//   runner.answer = [](const domain::Invocation&) { return value_result("42"); };
//   runner.hold();                 // calls wait …
//   runner.release();              // … until here
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "domain/ports/function_runner.h"

namespace funcgate::test {

// What of an Invocation outlives it.
struct Ran {
  domain::RunKind kind;
  std::string function_id, api_id, origin, origin_id, share_key, task_id, readable, query, body, content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  bool restricted, has_caller, raw_body_intact;
  base::SteadyNs total_deadline_ns;
  std::int64_t timeout_ms;
};

class StubRunner : public domain::FunctionRunner {
 public:
  std::function<domain::RunResult(const domain::Invocation&)> answer;
  std::vector<Ran> ran;
  std::atomic<int> cancels{0};  // calls of cancel()

  void hold() { held_ = true; }
  void release() {
    held_ = false;
    for (auto& gate : std::exchange(gates_, {})) gate->runs.complete(true);
  }
  void cancel(const std::string& task_id) override {
    ++cancels;
    for (auto& gate : std::exchange(gates_, {})) {
      if (gate->task_id == task_id) {
        gate->runs.complete(false);
      } else {
        gates_.push_back(gate);
      }
    }
  }

  base::Async<void> run(const domain::Invocation& invocation, domain::RunResult& result) override {
    ran.push_back(facts(invocation));
    if (held_) {
      const auto gate = std::make_shared<Gate>();
      gate->task_id = invocation.task_id;
      gates_.push_back(gate);
      const bool runs = co_await gate->runs.wait();
      if (!runs) {
        result.status = domain::RunStatus::Cancelled;
        co_return;
      }
    }
    result = answer(invocation);
  }

 private:
  static Ran facts(const domain::Invocation& invocation) {
    Ran out{.kind = invocation.kind,
            .function_id = invocation.function != nullptr ? invocation.function->id : "",
            .api_id = std::string(invocation.api_id),
            .origin = std::string(invocation.origin),
            .origin_id = std::string(invocation.origin_id),
            .share_key = std::string(invocation.share_key),
            .task_id = std::string(invocation.task_id),
            .readable = std::string(invocation.readable),
            .restricted = invocation.restricted,
            .has_caller = invocation.caller != nullptr,
            .raw_body_intact = false,
            .total_deadline_ns = invocation.total_deadline_ns,
            .timeout_ms = invocation.timeout_ms};
    if (const domain::VisibleRequest* request = invocation.request) {
      out.query = request->query;
      out.body = request->body;
      out.content_type = request->content_type;
      out.raw_body_intact = request->raw_body_intact;
      for (const domain::Header& header : request->headers) out.headers.emplace_back(header.name, header.value);
    }
    return out;
  }
  struct Gate {
    std::string task_id;
    base::OneShot<bool> runs;
  };
  bool held_ = false;
  std::vector<std::shared_ptr<Gate>> gates_;
};

inline domain::RunResult status_result(domain::RunStatus status) {
  domain::RunResult result;
  result.status = status;
  return result;
}
// `body` and `problem` are copied into the reply.
inline domain::RunResult reply_result(domain::ReplyOutcome outcome, domain::AuthAnswer auth, std::string body,
                                      std::string problem = {}) {
  domain::RunResult result;
  result.reply.outcome = outcome;
  result.reply.auth = auth;
  const std::size_t size = body.size();
  const std::string both = std::move(body) + problem;
  result.reply.buffer = base::frame_bytes(both);
  const std::string_view kept(result.reply.buffer.get(), both.size());
  result.reply.body = kept.substr(0, size);
  result.reply.problem = kept.substr(size);
  return result;
}
inline domain::RunResult value_result(std::string body) {
  return reply_result(domain::ReplyOutcome::Value, domain::AuthAnswer::None, std::move(body));
}

// A generation with the functions that a test names.
inline domain::GenerationPtr a_generation(std::vector<domain::FunctionInfo> functions) {
  auto generation = std::make_shared<domain::Generation>();
  generation->number = 1;
  for (auto& function : functions) {
    const std::string id = function.id;
    generation->functions.emplace(id, std::move(function));
  }
  return generation;
}
inline domain::FunctionInfo a_function(std::string id) {
  domain::FunctionInfo function;
  function.script_id = id.substr(0, id.find('.'));
  function.set_id = function.script_id.substr(0, function.script_id.find("__"));
  function.name = id.substr(id.find('.') + 1);
  function.id = std::move(id);
  function.publish_version = 1;
  return function;
}

}  // namespace funcgate::test
