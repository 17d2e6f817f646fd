#include "service/authentication_trial.h"

#include "auth/chain.h"
#include "auth/credential_cache.h"
#include "auth/verdict_cache.h"
#include "base/io_thread.h"
#include "service/explain_call.h"
#include "service/gateway.h"

namespace funcgate::service {
namespace {

constexpr std::size_t kOwnEntries = 1;  // of caches that nobody looks at afterwards

domain::Call call_of(const SampleRequest& sample, const ServerSettings& settings, base::IoThread& io) {
  domain::Call call;
  call.method = domain::parse_method(sample.method);
  call.method_text = sample.method;
  call.target = sample.target;
  const std::size_t mark = call.target.find('?');
  call.path = call.target.substr(0, mark);
  if (mark != std::string_view::npos) call.query = call.target.substr(mark + 1);
  for (const auto& [name, value] : sample.headers) call.headers.push_back({name, value});
  call.has_body = !sample.body.empty();
  if (call.has_body) call.content_length = std::ssize(sample.body);
  // Of a body that is too long for it, authentication sees the beginning, here as there.
  call.body = std::string_view(sample.body).substr(0, static_cast<std::size_t>(settings.limits.pre_auth_body_bytes));
  call.body_complete = call.body.size() == sample.body.size();
  call.tls = sample.tls;
  call.peer = sample.address;
  call.host = sample.host;
  call.trace_id = sample.trace_id;
  if (const auto route = parse_api_route(call.path)) call.api_id = route->api_id;
  call.arrival_ms = io.turn_wall_ms();
  call.arrival_ns = io.turn_steady_ns();
  return call;
}

auth::Chain chain_of(const Trial& trial) {
  auth::ChainEntry entry;
  entry.config_id = trial.config_id;
  if (const auto found = trial.catalog->schemes.find(trial.config_id); found != trial.catalog->schemes.end()) {
    entry.scheme = found->second;
  } else if (const auto broken = trial.catalog->unusable.find(trial.config_id); broken != trial.catalog->unusable.end()) {
    entry.broken = broken->second;
  }
  std::vector<auth::ChainEntry> entries;
  entries.push_back(std::move(entry));
  return auth::compile_chain(std::move(entries), false, false);
}

}  // namespace

base::Async<TrialVerdict> try_sample(const Trial& trial, const auth::AuthThread& thread, const ServerSettings& settings) {
  // Everything that a check would remember ends with the trial.
  auth::CredentialCache credentials(kOwnEntries);
  auth::VerdictCache verdicts(kOwnEntries);
  auth::Throttle throttle({.entries_max = 1}, thread.clock);
  auth::AuthThread own{.clock = thread.clock,
                       .random = thread.random,
                       .io = thread.io,
                       .credentials = credentials,
                       .verdicts = verdicts,
                       .hashes = thread.hashes,
                       .nonces = thread.nonces,
                       .functions = thread.functions};
  own.is_trial = true;
  const auth::Chain chain = chain_of(trial);
  const domain::Call call = call_of(trial.sample, settings, *thread.io);
  const auto* authorization = call.header("authorization");
  const auth::AuthCall asked{.call = call,
                             .authorization = authorization == nullptr ? std::string_view() : *authorization,
                             .api_id = call.api_id,
                             .generation = trial.catalog->generation,
                             .deadline_ns = thread.io->turn_steady_ns() + kTrialMs * base::kNsPerMs,
                             .json_depth_max = settings.limits.json_depth,
                             .directory = trial.directory};
  auth::ChainResult result = auth::try_chain(chain, asked, own, throttle, true);
  if (result.state == auth::ChainResult::State::Undecided)
    result = co_await auth::finish_chain(chain, asked, own, throttle, std::move(result));

  TrialVerdict verdict;
  if (const auth::SchemePtr& scheme = chain.entries.front().scheme) verdict.type = scheme->type;
  if (result.state == auth::ChainResult::State::Accepted) {
    verdict.principal = result.outcome.principal;
    result.so_far.push_back(std::move(result.outcome));
  } else {
    verdict.refusal = std::move(result.refusal);
  }
  verdict.steps = explain_chain(chain, result.so_far, asked);
  co_return verdict;
}

}  // namespace funcgate::service
