// wire: frames and their payloads. What a compromised worker writes is refused or understood, and what is understood is
// written again byte for byte.
#include <string>

#include "fuzz_input.h"
#include "wire/frame.h"
#include "wire/messages.h"

using namespace funcgate::wire;
using namespace funcgate::fuzz;

namespace {

// The payload of `again`, one whole frame.
std::string_view payload_of(const std::string& again, MessageType type) {
  Frame frame;
  std::size_t used = 0;
  PROMISE(next_frame(again, frame, used) == FrameState::Complete && used == again.size() && frame.head.type == type);
  return frame.payload;
}

void check_payload(std::string_view payload) {
  std::string again;
  if (const auto invoke = decode_invoke(payload)) {
    PROMISE(lies_within(invoke->body, payload) && lies_within(invoke->readable, payload));
    encode_invoke(again, 7, 3, *invoke);
    PROMISE(payload_of(again, MessageType::Invoke) == payload);
  }
  again.clear();
  if (const auto reply = decode_reply(payload)) {
    PROMISE(reply->status >= 200 && reply->status <= 599);
    for (const HeaderField& header : reply->headers)
      PROMISE(lies_within(header.name, payload) && lies_within(header.value, payload));
    encode_reply(again, 7, *reply);
    PROMISE(payload_of(again, MessageType::Reply) == payload);
  }
  again.clear();
  if (const auto ask = decode_ask(payload)) {
    encode_ask(again, 7, *ask);
    PROMISE(payload_of(again, MessageType::Ask) == payload);
  }
  again.clear();
  if (const auto answer = decode_answer(payload)) {
    encode_answer(again, 7, *answer);
    // Every first byte but 1 means no; it is written as 0.
    PROMISE(payload_of(again, MessageType::Answer).substr(1) == payload.substr(1));
    PROMISE(answer->ok == (payload[0] == 1));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view buffer = text_of(data, size);
  check_payload(buffer);
  while (true) {
    Frame frame;
    std::size_t used = 0;
    const FrameState state = next_frame(buffer, frame, used);
    if (state == FrameState::NeedMore) PROMISE(used == 0 ? buffer.size() < kHeadBytes : used > buffer.size());
    if (state != FrameState::Complete) break;
    PROMISE(used >= kHeadBytes && used <= buffer.size() && frame.payload.size() + kHeadBytes == used);
    PROMISE(lies_within(frame.payload, buffer));
    check_payload(frame.payload);
    buffer.remove_prefix(used);
  }
  return 0;
}
