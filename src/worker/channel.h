// The worker's end of the connection to the server: whole frames in, whole frames out, questions in between.
//
// Blocking: the server ends a worker that waits too long. The views of a frame stay valid until the next call of next(), also
// while ask() reads: what arrives meanwhile goes to a second buffer.
// Thread-safety: none; the caller holds the GIL, which is released while waiting.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/files.h"
#include "wire/frame.h"
#include "wire/messages.h"

namespace funcgate::worker {

// Bytes that were read, without ever filling memory that is about to be overwritten.
class ReadBuffer {
 public:
  std::string_view view() const { return {bytes_.get(), size_}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Room for `count` more bytes behind the content; returns where they go. added() says how many were written.
  char* room(std::size_t count);
  void added(std::size_t count) { size_ += count; }
  void append(std::string_view bytes);
  void erase(std::size_t at, std::size_t count);
  void shrink_to(std::size_t size) { size_ = size; }
  // Gives back the memory of an empty buffer that once held something large.
  void release_if_large();
  void release_if_empty();

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0, capacity_ = 0;
};

class Channel {
 public:
  explicit Channel(base::FileDescriptor socket) : socket_(std::move(socket)) {}

  enum class State { Frame, Closed, Broken };
  // The next frame, in the order of arrival. Closed: the server has nothing more for this worker.
  State next(wire::Frame& frame);
  // One write for all of `bytes`. False: the server has gone.
  bool write(std::string_view bytes);
  // Asks during call number `call` and waits for its answer. nullopt: the server has gone or does not speak the protocol; then
  // nothing more can be done here. The answer's view points into `answer_bytes`.
  // May be called by several threads of a script: one asks at a time.
  std::optional<wire::Answer> ask(std::uint64_t call, const wire::Ask& question, std::string& answer_bytes);
  // Returns when no thread is inside ask().
  void wait_for_ask();

 private:
  std::optional<wire::Answer> exchange(std::uint64_t call, const wire::Ask& question, std::string& answer_bytes);
  bool read_into(ReadBuffer& buffer, std::size_t wanted);
  void notice_rest(bool on);

  base::FileDescriptor socket_;
  ReadBuffer buffer_;  // begin_ is the first byte that was not handed out
  std::size_t begin_ = 0;
  ReadBuffer later_;  // arrived during ask(), follows buffer_
  std::string out_;
  std::mutex ask_mutex_;
  bool notices_rest_ = false;
};

}  // namespace funcgate::worker
