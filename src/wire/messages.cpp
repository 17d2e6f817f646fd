#include "wire/messages.h"

#include <algorithm>

#include "base/field_limit.h"

namespace funcgate::wire {
namespace {

template <class Field>
void write_pairs(FrameWriter& writer, const std::vector<Field>& fields) {
  writer.u32(static_cast<std::uint32_t>(fields.size()));
  for (const Field& field : fields) {
    writer.text(field.name);
    writer.text(field.value);
  }
}

template <class Field>
bool read_pairs(FieldReader& reader, std::vector<Field>& fields) {
  const auto count = reader.u32();
  // Headers and text parts.
  if (count > base::kFieldsMax) return false;
  // Whoever claims many fields and sends few costs no memory.
  fields.reserve(std::min<std::uint32_t>(count, 256));
  for (std::uint32_t i = 0; i < count && !reader.failed(); ++i) {
    Field field;
    field.name = reader.text();
    field.value = reader.text();
    fields.push_back(field);
  }
  return !reader.failed();
}

}  // namespace

void encode_invoke(std::string& out, std::uint64_t call, std::uint16_t slot, const Invoke& invoke) {
  FrameWriter writer(out, MessageType::Invoke, call, slot);
  writer.text(invoke.function_id);
  writer.u8(static_cast<std::uint8_t>(invoke.mode));
  writer.u8(static_cast<std::uint8_t>(invoke.form));
  writer.u8(invoke.flags);
  writer.text(invoke.fixed_kwargs);
  writer.u32(invoke.timeout_ms);
  writer.u32(invoke.result_bytes_max);
  writer.u32(invoke.large_result_bytes_max);
  writer.u16(invoke.json_depth_max);
  for (std::string_view text : {invoke.api_id, invoke.trace_id, invoke.task_id, invoke.root_task_id, invoke.origin,
                                invoke.origin_id, invoke.function_chain}) {
    writer.text(text);
  }
  writer.i64(invoke.trigger_time_ms);
  writer.u16(invoke.queue);
  for (std::string_view text : {invoke.eta, invoke.delay, invoke.caller, invoke.method, invoke.path, invoke.query, invoke.host,
                                invoke.hostname, invoke.protocol, invoke.ip, invoke.ips, invoke.content_type}) {
    writer.text(text);
  }
  write_pairs(writer, invoke.headers);
  writer.text(invoke.body);
  write_pairs(writer, invoke.parts);
  for (std::string_view text : {invoke.files, invoke.folder, invoke.readable}) writer.text(text);
  writer.finish();
}

std::optional<Invoke> decode_invoke(std::string_view payload) {
  FieldReader reader(payload);
  Invoke invoke;
  invoke.function_id = reader.text();
  const auto mode = reader.u8(), form = reader.u8();
  if (mode > static_cast<std::uint8_t>(InvokeMode::Draft) || form > static_cast<std::uint8_t>(ArgumentForm::None))
    return std::nullopt;
  invoke.mode = static_cast<InvokeMode>(mode);
  invoke.form = static_cast<ArgumentForm>(form);
  invoke.flags = reader.u8();
  invoke.fixed_kwargs = reader.text();
  invoke.timeout_ms = reader.u32();
  invoke.result_bytes_max = reader.u32();
  invoke.large_result_bytes_max = reader.u32();
  invoke.json_depth_max = reader.u16();
  for (std::string_view* text : {&invoke.api_id, &invoke.trace_id, &invoke.task_id, &invoke.root_task_id, &invoke.origin,
                                 &invoke.origin_id, &invoke.function_chain}) {
    *text = reader.text();
  }
  invoke.trigger_time_ms = reader.i64();
  invoke.queue = reader.u16();
  for (std::string_view* text :
       {&invoke.eta, &invoke.delay, &invoke.caller, &invoke.method, &invoke.path, &invoke.query, &invoke.host, &invoke.hostname,
        &invoke.protocol, &invoke.ip, &invoke.ips, &invoke.content_type}) {
    *text = reader.text();
  }
  if (!read_pairs(reader, invoke.headers)) return std::nullopt;
  invoke.body = reader.text();
  if (!read_pairs(reader, invoke.parts)) return std::nullopt;
  for (std::string_view* text : {&invoke.files, &invoke.folder, &invoke.readable}) *text = reader.text();
  if (!reader.complete()) return std::nullopt;
  return invoke;
}

void encode_reply(std::string& out, std::uint64_t call, const Reply& reply) {
  FrameWriter writer(out, MessageType::Reply, call);
  writer.u8(static_cast<std::uint8_t>(reply.outcome));
  writer.u16(reply.flags);
  writer.u16(reply.status);
  writer.u8(static_cast<std::uint8_t>(reply.body_kind));
  writer.text(reply.content_type);
  write_pairs(writer, reply.headers);
  for (std::string_view text :
       {reply.body, reply.problem, reply.kwargs, reply.print_log, reply.caller_name, reply.caller_attributes, reply.options}) {
    writer.text(text);
  }
  writer.i64(reply.start_time_ms);
  writer.i64(reply.run_ns);
  writer.finish();
}

std::optional<Reply> decode_reply(std::string_view payload) {
  FieldReader reader(payload);
  Reply reply;
  const auto outcome = reader.u8();
  reply.flags = reader.u16();
  reply.status = reader.u16();
  const auto body_kind = reader.u8();
  if (outcome > static_cast<std::uint8_t>(Outcome::Missing) || body_kind > static_cast<std::uint8_t>(BodyKind::ResourceFile) ||
      reply.status < 200 || reply.status > 599) {
    return std::nullopt;
  }
  reply.outcome = static_cast<Outcome>(outcome);
  reply.body_kind = static_cast<BodyKind>(body_kind);
  reply.content_type = reader.text();
  if (!read_pairs(reader, reply.headers)) return std::nullopt;
  for (std::string_view* text : {&reply.body, &reply.problem, &reply.kwargs, &reply.print_log, &reply.caller_name,
                                 &reply.caller_attributes, &reply.options}) {
    *text = reader.text();
  }
  reply.start_time_ms = reader.i64();
  reply.run_ns = reader.i64();
  if (!reader.complete()) return std::nullopt;
  return reply;
}

void encode_ask(std::string& out, std::uint64_t call, const Ask& ask) {
  FrameWriter writer(out, MessageType::Ask, call);
  writer.u8(static_cast<std::uint8_t>(ask.kind));
  writer.text(ask.function_id);
  writer.text(ask.request);
  writer.finish();
}

std::optional<Ask> decode_ask(std::string_view payload) {
  FieldReader reader(payload);
  const auto kind = reader.u8();
  Ask ask;
  ask.function_id = reader.text();
  ask.request = reader.text();
  if (!reader.complete() || kind < static_cast<std::uint8_t>(AskKind::Env) || kind > static_cast<std::uint8_t>(AskKind::Func)) {
    return std::nullopt;
  }
  ask.kind = static_cast<AskKind>(kind);
  return ask;
}

void encode_wake(std::string& out) { FrameWriter(out, MessageType::Wake, 0).finish(); }

void encode_answer(std::string& out, std::uint64_t call, const Answer& answer) {
  FrameWriter writer(out, MessageType::Answer, call);
  writer.u8(answer.ok ? 1 : 0);
  writer.text(answer.value);
  writer.finish();
}

std::optional<Answer> decode_answer(std::string_view payload) {
  FieldReader reader(payload);
  Answer answer;
  answer.ok = reader.u8() == 1;
  answer.value = reader.text();
  if (!reader.complete()) return std::nullopt;
  return answer;
}

void encode_report(std::string& out, MessageType type, std::string_view report) {
  const FrameHead head{static_cast<std::uint32_t>(report.size()), type, kVersion, 0, 0};
  char bytes[kHeadBytes];
  std::memcpy(bytes, &head, kHeadBytes);
  out.append(bytes, kHeadBytes);
  out.append(report);
}

}  // namespace funcgate::wire
