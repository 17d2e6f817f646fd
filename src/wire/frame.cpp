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
  make_room();
  raw(FrameHead{0, type, kVersion, slot, call});
}

void FrameWriter::cut() {
  if (to_ != nullptr) out_.resize(static_cast<std::size_t>(to_ - out_.data()));
}

void FrameWriter::make_room() {
  constexpr std::size_t kBlockBytes = 1024;
  cut();
  const std::size_t written = out_.size();
  out_.resize(written + kBlockBytes);
  to_ = out_.data() + written;
  end_ = to_ + kBlockBytes;
}

void FrameWriter::long_text(std::string_view value) {
  raw(static_cast<std::uint32_t>(value.size()));
  cut();
  out_.append(value);
  to_ = end_ = out_.data() + out_.size();
}

void FrameWriter::finish() {
  cut();
  const auto payload_bytes = static_cast<std::uint32_t>(out_.size() - begin_ - kHeadBytes);
  std::memcpy(out_.data() + begin_, &payload_bytes, sizeof payload_bytes);
}

}  // namespace funcgate::wire
