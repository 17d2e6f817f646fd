#include "runtime/call_frames.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace funcgate::runtime {
namespace {

wire::InvokeMode mode_of(domain::RunKind kind) {
  switch (kind) {
    case domain::RunKind::Call: return wire::InvokeMode::Call;
    case domain::RunKind::Validate: return wire::InvokeMode::Validate;
    case domain::RunKind::Auth: return wire::InvokeMode::Auth;
    case domain::RunKind::Draft: return wire::InvokeMode::Draft;
  }
  return wire::InvokeMode::Call;
}

wire::ArgumentForm form_of(domain::ArgumentForm form) {
  switch (form) {
    case domain::ArgumentForm::Kwargs: return wire::ArgumentForm::Kwargs;
    case domain::ArgumentForm::PostStandard: return wire::ArgumentForm::PostStandard;
    case domain::ArgumentForm::PostSimplified: return wire::ArgumentForm::PostSimplified;
    case domain::ArgumentForm::GetStandard: return wire::ArgumentForm::GetStandard;
    case domain::ArgumentForm::GetSimplified: return wire::ArgumentForm::GetSimplified;
    case domain::ArgumentForm::None: return wire::ArgumentForm::None;
  }
  return wire::ArgumentForm::None;
}

struct AddressTexts {
  std::string ip, ips;
};

void set_request(wire::Invoke& invoke, const domain::Invocation& invocation, AddressTexts& texts) {
  const domain::Call& call = *invocation.call;
  invoke.flags |= wire::kIsHttp;
  invoke.method = call.method_text;
  invoke.path = call.path;
  invoke.host = call.host;
  invoke.hostname = call.host.substr(
      0, call.host.rfind(':') == std::string_view::npos || call.host.back() == ']' ? call.host.size() : call.host.rfind(':'));
  invoke.protocol = call.tls ? "https" : "http";
  texts.ip = call.peer.text();
  texts.ips = call.addresses_json();
  invoke.ip = texts.ip;
  invoke.ips = texts.ips;
  if (invocation.request == nullptr) return;
  invoke.query = invocation.request->query;
  invoke.content_type = invocation.request->content_type;
  invoke.body = invocation.request->body;
  if (invocation.request->raw_body_intact) invoke.flags |= wire::kRawBodyIntact;
  for (const domain::Header& header : invocation.request->headers) invoke.headers.push_back({header.name, header.value});
}

}  // namespace

void append_invoke(std::string& out, InvokeScratch& scratch, std::uint64_t call, std::uint16_t slot,
                   const domain::Invocation& invocation) {
  wire::Invoke& invoke = scratch.invoke;
  invoke.headers.clear();
  invoke.parts.clear();
  invoke.function_id = invocation.function->id;
  invoke.mode = mode_of(invocation.kind);
  invoke.form = form_of(invocation.form);
  invoke.flags = static_cast<std::uint8_t>(
      (invocation.strict_validation ? wire::kStrictValidation : 0) | (invocation.unbox ? wire::kUnbox : 0) |
      (invocation.json_dumps ? wire::kJsonDumps : 0) | (invocation.async_api ? wire::kAsyncApi : 0) |
      (invocation.restricted ? wire::kRestricted : 0) | (invocation.want_arguments ? wire::kWantArguments : 0));
  invoke.fixed_kwargs = invocation.fixed_kwargs;
  invoke.timeout_ms = static_cast<std::uint32_t>(invocation.timeout_ms);
  invoke.result_bytes_max = static_cast<std::uint32_t>(invocation.result_bytes_max);
  invoke.large_result_bytes_max = static_cast<std::uint32_t>(invocation.large_result_bytes_max);
  invoke.json_depth_max = static_cast<std::uint16_t>(invocation.json_depth_max);
  invoke.api_id = invocation.api_id;
  invoke.trace_id = invocation.trace_id;
  invoke.task_id = invocation.task_id;
  invoke.root_task_id = invocation.root_task_id;
  invoke.origin = invocation.origin;
  invoke.origin_id = invocation.origin_id;
  if (invocation.function_chain.empty()) {
    scratch.chain = "[";
    base::append_json_string(scratch.chain, invocation.function->id);
    scratch.chain += "]";
    invoke.function_chain = scratch.chain;
  } else {
    invoke.function_chain = invocation.function_chain;
  }
  invoke.trigger_time_ms = invocation.trigger_time_ms;
  invoke.queue = invocation.queue;
  invoke.eta = invocation.eta;
  invoke.delay = invocation.delay;
  invoke.caller = invocation.caller ? invocation.caller->caller_json() : invocation.caller_json;
  for (std::string_view* text : {&invoke.method, &invoke.path, &invoke.query, &invoke.host, &invoke.hostname, &invoke.protocol,
                                 &invoke.ip, &invoke.ips, &invoke.content_type}) {
    *text = {};
  }
  invoke.body = invocation.body;
  AddressTexts addresses;
  if (invocation.call != nullptr) set_request(invoke, invocation, addresses);
  if (invocation.form == domain::ArgumentForm::Kwargs) invoke.body = invocation.body;
  for (const domain::FormPart& part : invocation.parts) invoke.parts.push_back({part.name, part.value});
  invoke.files = invocation.files;
  invoke.folder = invocation.folder;
  invoke.readable = invocation.readable;
  wire::encode_invoke(out, call, slot, invoke);
}

bool are_times_possible(const domain::FunctionReply& reply, base::WallMs sent_ms, base::WallMs now_ms,
                        std::int64_t since_sent_ns) {
  const bool start_is = reply.start_time_ms == 0 || (reply.start_time_ms >= sent_ms && reply.start_time_ms <= now_ms);
  return start_is && reply.run_ns >= 0 && reply.run_ns <= since_sent_ns;
}

void make_times_possible(domain::FunctionReply& reply, base::WallMs sent_ms, base::WallMs now_ms, std::int64_t since_sent_ns) {
  reply.run_ns = std::clamp<std::int64_t>(reply.run_ns, 0, std::max<std::int64_t>(since_sent_ns, 0));
  // A clock that was set back says that it was sent later than now.
  if (reply.start_time_ms != 0) reply.start_time_ms = std::clamp(reply.start_time_ms, std::min(sent_ms, now_ms), now_ms);
}

std::optional<domain::FunctionReply> read_reply(std::string_view payload) {
  domain::FunctionReply reply;
  reply.buffer = base::frame_bytes(payload);
  const auto decoded = wire::decode_reply({reply.buffer.get(), payload.size()});
  if (!decoded || base::has_control(decoded->content_type)) return std::nullopt;
  // The worker checks them too, but it runs user code: a line break here would be a second answer.
  for (const wire::HeaderField& field : decoded->headers) {
    if (!base::is_token(field.name) || base::has_control(field.value)) return std::nullopt;
  }
  reply.outcome = static_cast<domain::ReplyOutcome>(decoded->outcome);
  reply.status = decoded->status;
  reply.body_kind = static_cast<domain::ReplyBody>(decoded->body_kind);
  reply.cacheable = (decoded->flags & wire::kCacheable) != 0;
  reply.allow_304 = (decoded->flags & wire::kAllow304) != 0;
  reply.auto_delete = (decoded->flags & wire::kAutoDelete) != 0;
  reply.worker_retires = (decoded->flags & wire::kRetire) != 0;
  reply.custom = (decoded->flags & wire::kCustom) != 0;
  reply.none = (decoded->flags & wire::kNone) != 0;
  if (decoded->flags & wire::kAuthTrue) reply.auth = domain::AuthAnswer::True;
  if (decoded->flags & wire::kAuthFalse) reply.auth = domain::AuthAnswer::False;
  if (decoded->flags & wire::kAuthValue) reply.auth = domain::AuthAnswer::Value;
  // Several answers at once are none.
  if (decoded->flags & wire::kAuthOther) reply.auth = domain::AuthAnswer::Other;
  reply.content_type = decoded->content_type;
  reply.body = decoded->body;
  reply.problem = decoded->problem;
  reply.kwargs = decoded->kwargs;
  reply.print_log = decoded->print_log;
  reply.caller_name = decoded->caller_name;
  reply.caller_attributes = decoded->caller_attributes;
  reply.options = decoded->options;
  for (const wire::HeaderField& field : decoded->headers) reply.headers.push_back({field.name, field.value});
  reply.start_time_ms = decoded->start_time_ms;
  reply.run_ns = decoded->run_ns;
  return reply;
}

}  // namespace funcgate::runtime
