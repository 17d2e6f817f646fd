// Frames between server and worker over a Unix stream socket: a fixed head, then fields. Same machine, native byte order.
//
//   offset 0  u32  payload bytes, at most kPayloadBytesMax
//          4  u8   type (MessageType)
//          5  u8   protocol version, kVersion
//          6  u16  claim slot of an Invoke, else 0
//          8  u64  call number, unique per worker connection; 0 when the frame belongs to no call
//         16       payload
//
// Both sides are of one build, but the worker runs user code: the server treats every byte from it as hostile. Reader never
// reads outside its buffer; after the first problem it stays failed and yields empty values.
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace funcgate::wire {

inline constexpr std::uint8_t kVersion = 3;
inline constexpr std::size_t kHeadBytes = 16;
inline constexpr std::size_t kPayloadBytesMax = 640u << 20;

enum class MessageType : std::uint8_t {
  Ready = 1,   // worker → server, once: the scripts are loaded; payload is the functions report (JSON)
  LoadFailed,  // worker → server, once: they are not; payload is {"errors":[…]} (JSON); the worker then exits
  Invoke,      // server → worker: run one function
  Reply,       // worker → server: its outcome
  Ask,         // worker → server, during a call: a DFF member needs the server
  Answer,      // server → worker
  Wake,        // worker → server: there is something in the ring of replies; no payload
};

struct FrameHead {
  std::uint32_t payload_bytes = 0;
  MessageType type = MessageType::Ready;
  std::uint8_t version = kVersion;
  std::uint16_t slot = 0;
  std::uint64_t call = 0;
};
static_assert(sizeof(FrameHead) == kHeadBytes);

struct Frame {
  FrameHead head;
  std::string_view payload;  // into the caller's buffer
};

enum class FrameState { Complete, NeedMore, Broken };

// Takes the first frame of `buffer`. Complete: `frame` is set and `used` bytes belong to it. NeedMore: `used` is the number of
// bytes that must be there in all (0 while the head is not). Broken: unknown type or version, or too long: close the socket.
FrameState next_frame(std::string_view buffer, Frame& frame, std::size_t& used);

// Appends a frame to `out`, which nobody else may touch before finish() has filled in the length. A frame is many small fields:
// `out` is made larger by a block at a time, and cut to what was written at the end.
class FrameWriter {
 public:
  FrameWriter(std::string& out, MessageType type, std::uint64_t call, std::uint16_t slot = 0);
  void u8(std::uint8_t value) { raw(value); }
  void u16(std::uint16_t value) { raw(value); }
  void u32(std::uint32_t value) { raw(value); }
  void i64(std::int64_t value) { raw(value); }
  void text(std::string_view value) {
    const auto size = static_cast<std::uint32_t>(value.size());
    if (sizeof size + value.size() > room()) return long_text(value);
    std::memcpy(to_, &size, sizeof size);
    to_ += sizeof size;
    if (size == 0) return;
    std::memcpy(to_, value.data(), value.size());
    to_ += value.size();
  }
  void finish();

 private:
  template <class T>
  void raw(T value) {
    if (sizeof value > room()) make_room();
    std::memcpy(to_, &value, sizeof value);
    to_ += sizeof value;
  }
  std::size_t room() const { return static_cast<std::size_t>(end_ - to_); }
  void cut();
  void make_room();
  void long_text(std::string_view value);

  std::string& out_;
  const std::size_t begin_;
  // [to_, end_): the end of `out_`, not written yet
  char* to_ = nullptr;
  char* end_ = nullptr;
};

class FieldReader {
 public:
  explicit FieldReader(std::string_view payload) : left_(payload) {}
  std::uint8_t u8() { return raw<std::uint8_t>(); }
  std::uint16_t u16() { return raw<std::uint16_t>(); }
  std::uint32_t u32() { return raw<std::uint32_t>(); }
  std::int64_t i64() { return raw<std::int64_t>(); }
  std::string_view text() {
    const auto size = u32();
    if (size > left_.size()) {
      failed_ = true;
      left_ = {};
      return {};
    }
    const auto value = left_.substr(0, size);
    left_.remove_prefix(size);
    return value;
  }
  // True if every field was there and nothing is left over.
  bool complete() const { return !failed_ && left_.empty(); }
  bool failed() const { return failed_; }

 private:
  template <class T>
  T raw() {
    T value{};
    if (left_.size() < sizeof value) {
      failed_ = true;
      left_ = {};
      return value;
    }
    std::memcpy(&value, left_.data(), sizeof value);
    left_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view left_;
  bool failed_ = false;
};

}  // namespace funcgate::wire
