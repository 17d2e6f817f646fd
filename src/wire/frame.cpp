#include "wire/frame.h"

namespace funcgate::wire {

FrameState next_frame(std::string_view buffer, Frame& frame, std::size_t& used) {
  used = 0;
  if (buffer.size() < kHeadBytes) return FrameState::NeedMore;
  std::memcpy(&frame.head, buffer.data(), kHeadBytes);
  const auto type = static_cast<std::uint8_t>(frame.head.type);
  if (frame.head.version != kVersion || type < static_cast<std::uint8_t>(MessageType::Ready) ||
      type > static_cast<std::uint8_t>(MessageType::Wake) || frame.head.payload_bytes > kPayloadBytesMax) {
    return FrameState::Broken;
  }
  used = kHeadBytes + frame.head.payload_bytes;
  if (buffer.size() < used) return FrameState::NeedMore;
  frame.payload = buffer.substr(kHeadBytes, frame.head.payload_bytes);
  return FrameState::Complete;
}

FrameWriter::FrameWriter(std::string& out, MessageType type, std::uint64_t call, std::uint16_t slot)
    : out_(out), begin_(out.size()) {
  const FrameHead head{0, type, kVersion, slot, call};
  char bytes[kHeadBytes];
  std::memcpy(bytes, &head, kHeadBytes);
  out_.append(bytes, kHeadBytes);
}

void FrameWriter::finish() {
  const auto payload_bytes = static_cast<std::uint32_t>(out_.size() - begin_ - kHeadBytes);
  std::memcpy(out_.data() + begin_, &payload_bytes, sizeof payload_bytes);
}

}  // namespace funcgate::wire
