#include "auth/func_outcome.h"

#include <fmt/format.h>

#include "auth/principal_issuer.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/text.h"

namespace funcgate::auth {
namespace {

using domain::AuthAnswer;
using domain::ExposeDetail;
using domain::Reason;
using domain::ReplyOutcome;
using domain::RunStatus;

constexpr std::size_t kDetailBytesMax = 16 * 1024;
constexpr std::size_t kRepresentationCharactersMax = 1000;
constexpr std::size_t kCallerNameBytesMax = 256;
constexpr std::size_t kCallerAttributesBytesMax = 4096;

Outcome rejected(const FuncRun& run, Reason reason, std::string detail) {
  Outcome outcome = Outcome::rejected(reason, std::string(run.refusal_message), true);
  outcome.detail = std::move(detail);
  return outcome;
}

// Processes that run user code are not trusted to send JSON: what is not becomes null.
std::string checked_value(std::string_view json) {
  if (json.empty() || json.size() > kDetailBytesMax || base::validate_json(json)) return "null";
  return std::string(json);
}

std::string cut(std::string_view text) {
  std::size_t characters = 0, at = 0;
  for (; at < text.size(); ++at) {
    const bool starts_character = (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80;
    if (starts_character && characters++ == kRepresentationCharactersMax) break;
  }
  return std::string(text.substr(0, at));
}

std::string seconds(std::int64_t ms) { return fmt::format("{}.{:03}", ms / 1000, ms % 1000); }

// The task object of a function that raised: members in this order, representations cut, nothing else of what the worker sent.
std::string task_object(const FuncRun& run, const domain::RunResult& result) {
  std::string type = "UserScriptException", exception, origin_type, origin;
  const auto members =
      base::find_members(result.reply.problem, {{"exceptionType"}, {"exception"}, {"originExceptionType"}, {"originException"}});
  if (members) {
    const auto take = [&](std::size_t index, std::string& target) {
      const auto& value = (*members)[index].string_value;
      if (value) target = cut(*value);
    };
    take(0, type);
    take(1, exception);
    take(2, origin_type);
    take(3, origin);
  }
  const std::int64_t start_ms = result.reply.start_time_ms > 0 ? result.reply.start_time_ms : result.start_time_ms;
  std::string out = R"({"name":"Func.Runner","id":)";
  base::append_json_string(out, run.task_id);
  out += ",\"triggerTime\":" + seconds(run.trigger_time_ms);
  out += ",\"startTime\":" + seconds(start_ms > 0 ? start_ms : run.trigger_time_ms);
  out += ",\"endTime\":" + seconds(run.end_time_ms) + ",\"status\":\"failure\",\"exceptionType\":";
  base::append_json_string(out, type);
  out += ",\"exception\":";
  base::append_json_string(out, exception);
  out += ",\"exceptionFrom\":\"userScript\",\"originExceptionType\":";
  base::append_json_string(out, origin_type);
  out += ",\"originException\":";
  base::append_json_string(out, origin);
  out += '}';
  return out;
}

Outcome accepted(const FuncRun& run, const domain::FunctionReply& reply) {
  const std::string_view attributes = reply.caller_attributes.empty() ? "{}" : reply.caller_attributes;
  const bool name_is_good = reply.caller_name.size() <= kCallerNameBytesMax && base::is_valid_utf8(reply.caller_name);
  const bool attributes_are_good = attributes.size() <= kCallerAttributesBytesMax && !base::validate_json(attributes) &&
                                   base::trim(attributes).starts_with('{');
  // The worker refuses both itself; a process that sends them nevertheless is not to be believed.
  if (!name_is_good || !attributes_are_good) return Outcome::unavailable(Reason::AuthInternal);
  return Outcome::accepted(PrincipalIssuer::issue_unmarked({.type = "func",
                                                            .auth_id = std::string(run.config_id),
                                                            .name = std::string(reply.caller_name),
                                                            .run_as = std::string(run.run_as),
                                                            .attributes = std::string(attributes)}));
}

Outcome of_value(const FuncRun& run, const domain::FunctionReply& reply) {
  const bool shown = run.expose != ExposeDetail::None;
  switch (reply.auth) {
    case AuthAnswer::True: return accepted(run, reply);
    case AuthAnswer::False: return rejected(run, Reason::FuncFalse, shown ? "false" : "");
    case AuthAnswer::Value:
    case AuthAnswer::Other: return rejected(run, Reason::FuncValue, shown ? checked_value(reply.body) : "");
    case AuthAnswer::None: break;  // a reply that is no verdict
  }
  return Outcome::unavailable(Reason::AuthInternal);
}

Outcome of_reply(const FuncRun& run, const domain::RunResult& result) {
  switch (result.reply.outcome) {
    case ReplyOutcome::Value: return of_value(run, result.reply);
    case ReplyOutcome::Raised:
      return rejected(run, Reason::FuncRaised, run.expose == ExposeDetail::All ? task_object(run, result) : "");
    case ReplyOutcome::ResultInvalid: return rejected(run, Reason::FuncValue, run.expose == ExposeDetail::None ? "" : "null");
    case ReplyOutcome::BadArguments:  // it wants arguments: not the function that was published for this
    case ReplyOutcome::Missing: return Outcome::unavailable(Reason::FuncMissing);
  }
  return Outcome::unavailable(Reason::AuthInternal);
}

}  // namespace

Outcome func_outcome(const FuncRun& run, const domain::RunResult& result) {
  switch (result.status) {
    case RunStatus::Replied: return of_reply(run, result);
    case RunStatus::TimedOut:
    case RunStatus::QueueExpired: return Outcome::unavailable(Reason::FuncTimeout);
    case RunStatus::QueueFull: return Outcome::unavailable(Reason::FuncOverload);
    case RunStatus::WorkerLost: return Outcome::unavailable(Reason::FuncCrashed);
    case RunStatus::Cancelled:  // nobody here cancels or drops: something is being torn down
    case RunStatus::CallerGone:
    case RunStatus::Stopping: return Outcome::unavailable(Reason::ServerStopping);
  }
  return Outcome::unavailable(Reason::AuthInternal);
}

bool is_returned_refusal(const Outcome& outcome) {
  return outcome.verdict == Verdict::Rejected && (outcome.reason == Reason::FuncFalse || outcome.reason == Reason::FuncValue);
}

}  // namespace funcgate::auth
