#include "wire/messages.h"

#include <gtest/gtest.h>

#include <random>

namespace funcgate::wire {
namespace {

Invoke full_invoke() {
  Invoke invoke;
  invoke.function_id = "sales__prices.quote";
  invoke.mode = InvokeMode::Auth;
  invoke.form = ArgumentForm::GetSimplified;
  invoke.flags = kStrictValidation | kRestricted;
  invoke.fixed_kwargs = "{}";
  invoke.timeout_ms = 1;
  invoke.result_bytes_max = 2;
  invoke.large_result_bytes_max = 3;
  invoke.json_depth_max = 6;
  invoke.trace_id = "TRACE-1";
  invoke.trigger_time_ms = -4;
  invoke.queue = 5;
  invoke.caller = R"({"name":"ann"})";
  invoke.headers = {{"a", "b"}, {"c", ""}};
  invoke.body = std::string_view("\0\xff", 2);
  invoke.parts = {{"p", "q"}};
  invoke.readable = R"(["caller"])";
  return invoke;
}

std::string payload_of(const std::string& frame_bytes) { return frame_bytes.substr(kHeadBytes); }

TEST(Messages, InvokeComesBackAsItWas) {
  std::string bytes;
  encode_invoke(bytes, 7, 3, full_invoke());
  const std::string payload = payload_of(bytes);
  const auto back = decode_invoke(payload);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->function_id, "sales__prices.quote");
  EXPECT_EQ(back->mode, InvokeMode::Auth);
  EXPECT_EQ(back->form, ArgumentForm::GetSimplified);
  EXPECT_EQ(back->flags, kStrictValidation | kRestricted);
  EXPECT_EQ(back->large_result_bytes_max, 3u);
  EXPECT_EQ(back->json_depth_max, 6u);
  EXPECT_EQ(back->trigger_time_ms, -4);
  EXPECT_EQ(back->queue, 5);
  EXPECT_EQ(back->caller, R"({"name":"ann"})");
  ASSERT_EQ(back->headers.size(), 2u);
  EXPECT_EQ(back->headers[1].name, "c");
  EXPECT_EQ(back->body, std::string_view("\0\xff", 2));
  ASSERT_EQ(back->parts.size(), 1u);
  EXPECT_EQ(back->readable, R"(["caller"])");
}

// limits.form_fields may be as large as 100,000.
TEST(Messages, AnInvokeHoldsAsManyPartsAsAConfigurationMayAllow) {
  Invoke invoke;
  for (std::size_t count : {100'000, 100'001}) {
    invoke.parts.assign(count, {"n", ""});
    std::string bytes;
    encode_invoke(bytes, 7, 3, invoke);
    const auto back = decode_invoke(payload_of(bytes));
    EXPECT_EQ(back.has_value(), count == 100'000);
    if (back) EXPECT_EQ(back->parts.size(), count);
  }
}

TEST(Messages, ReplyComesBackAsItWas) {
  Reply reply;
  reply.outcome = Outcome::Raised;
  reply.flags = kRetire | kCustom;
  reply.status = 404;
  reply.body_kind = BodyKind::CallFile;
  reply.content_type = "text/plain";
  reply.headers = {{"X-A", "b"}};
  reply.problem = "{}";
  reply.run_ns = 5;
  std::string bytes;
  encode_reply(bytes, 7, reply);
  const std::string payload = payload_of(bytes);
  const auto back = decode_reply(payload);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->outcome, Outcome::Raised);
  EXPECT_EQ(back->flags, kRetire | kCustom);
  EXPECT_EQ(back->status, 404);
  EXPECT_EQ(back->body_kind, BodyKind::CallFile);
  EXPECT_EQ(back->headers.at(0).value, "b");
  EXPECT_EQ(back->run_ns, 5);
}

TEST(Messages, AskAndAnswerComeBackAsTheyWere) {
  std::string bytes;
  encode_ask(bytes, 7, {AskKind::Store, "s__m.f", "{}"});
  const auto ask = decode_ask(std::string_view(bytes).substr(kHeadBytes));
  ASSERT_TRUE(ask.has_value());
  EXPECT_EQ(ask->kind, AskKind::Store);
  EXPECT_EQ(ask->function_id, "s__m.f");
  std::string answer_bytes;
  encode_answer(answer_bytes, 7, {true, "42"});
  const auto answer = decode_answer(std::string_view(answer_bytes).substr(kHeadBytes));
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->ok);
  EXPECT_EQ(answer->value, "42");
}

TEST(Messages, ACutPayloadIsRefusedWhereverItIsCut) {
  std::string invoke, reply, ask;
  encode_invoke(invoke, 1, 0, full_invoke());
  Reply full_reply;
  full_reply.headers = {{"a", "b"}};
  full_reply.body = "body";
  encode_reply(reply, 1, full_reply);
  encode_ask(ask, 1, {AskKind::Env, "f", "{}"});
  for (std::size_t size = 0; size < invoke.size() - kHeadBytes; ++size) {
    EXPECT_FALSE(decode_invoke(std::string_view(invoke).substr(kHeadBytes, size)).has_value()) << size;
  }
  for (std::size_t size = 0; size < reply.size() - kHeadBytes; ++size) {
    EXPECT_FALSE(decode_reply(std::string_view(reply).substr(kHeadBytes, size)).has_value()) << size;
  }
  for (std::size_t size = 0; size < ask.size() - kHeadBytes; ++size) {
    EXPECT_FALSE(decode_ask(std::string_view(ask).substr(kHeadBytes, size)).has_value()) << size;
  }
  EXPECT_FALSE(decode_reply(payload_of(reply) + "x").has_value()) << "something is left over";
}

TEST(Messages, RefusesValuesThatDoNotExist) {
  struct ByteCase {
    const char* rule;
    std::size_t offset;
    unsigned char value;
  };
  std::string bytes;
  encode_reply(bytes, 1, {});
  const ByteCase cases[] = {{"outcome", 0, 5}, {"status below 200", 3, 100}, {"body kind", 5, 3}};
  for (const auto& [rule, offset, value] : cases) {
    std::string payload = payload_of(bytes);
    payload[offset] = static_cast<char>(value);
    if (offset == 3) payload[4] = 0;
    EXPECT_FALSE(decode_reply(payload).has_value()) << rule;
  }
  std::string ask;
  encode_ask(ask, 1, {AskKind::Env, "", ""});
  for (int kind : {0, 5, 255}) {
    std::string payload = payload_of(ask);
    payload[0] = static_cast<char>(kind);
    EXPECT_FALSE(decode_ask(payload).has_value()) << kind;
  }
}

TEST(Messages, AnyBytesAreReadWithoutHarm) {
  std::mt19937 random(1);  // the same bytes in every run
  std::string seed;
  Reply reply;
  reply.headers = {{"a", "b"}};
  encode_reply(seed, 1, reply);
  const std::string payload = payload_of(seed);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = payload;
    for (int change = 0; change < 4; ++change) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (const auto back = decode_reply(bytes)) {
      EXPECT_LE(back->body.size(), bytes.size());
      EXPECT_GE(back->status, 200);
    }
    std::ignore = decode_invoke(bytes);  // must only not read outside, which the sanitizers watch
    std::ignore = decode_ask(bytes);
    std::ignore = decode_answer(bytes);
  }
}

TEST(Messages, AHugeHeaderCountIsRefusedBeforeAnythingIsReserved) {
  std::string bytes;
  encode_reply(bytes, 1, {});
  std::string payload = payload_of(bytes);
  // The count stands behind outcome, flags, status, body kind and the empty content type.
  for (std::size_t i = 0; i < 4; ++i) payload[10 + i] = '\xff';
  EXPECT_FALSE(decode_reply(payload).has_value());
}

}  // namespace
}  // namespace funcgate::wire
