#include "worker/channel.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "worker/kept_memory.h"
#include "worker/python.h"

namespace funcgate::worker {
namespace {

constexpr std::size_t kReadBytes = 128 << 10;
// A buffer that once held a large call is given back afterwards.
constexpr std::size_t kKeepBytesMax = 4 << 20;

}  // namespace

char* ReadBuffer::room(std::size_t count) {
  if (capacity_ - size_ < count) {
    const std::size_t wanted = std::max(size_ + count, capacity_ * 2);
    std::unique_ptr<char[]> larger(new char[wanted]);
    std::copy_n(bytes_.get(), size_, larger.get());
    bytes_ = std::move(larger);
    capacity_ = wanted;
  }
  return bytes_.get() + size_;
}

void ReadBuffer::append(std::string_view bytes) {
  std::copy(bytes.begin(), bytes.end(), room(bytes.size()));
  size_ += bytes.size();
}

void ReadBuffer::erase(std::size_t at, std::size_t count) {
  if (count == 0) return;
  std::copy(bytes_.get() + at + count, bytes_.get() + size_, bytes_.get() + at);
  size_ -= count;
}

void ReadBuffer::release_if_large() {
  if (capacity_ > kKeepBytesMax) release_if_empty();
}

void ReadBuffer::release_if_empty() {
  if (size_ > 0) return;
  bytes_.reset();
  capacity_ = 0;
}

// Only from then on does a wait have an end: a worker that keeps nothing is not woken.
void Channel::notice_rest(bool on) {
  const timeval time{on ? kRestS : 0, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  notices_rest_ = on;
}

bool Channel::read_into(ReadBuffer& buffer, std::size_t wanted) {
  const std::size_t missing = wanted > buffer.size() ? wanted - buffer.size() : 0;
  const std::size_t room = std::max(kReadBytes, missing);
  for (;;) {
    char* const target = buffer.room(room);
    if (is_memory_kept() && !notices_rest_) notice_rest(true);
    PyThreadState* state = PyEval_SaveThread();
    const ssize_t got = ::read(socket_.get(), target, room);
    const int error = errno;
    PyEval_RestoreThread(state);
    if (got > 0) {
      buffer.added(static_cast<std::size_t>(got));
      return true;
    }
    if (got == 0 || (error != EINTR && error != EAGAIN)) return false;
    if (error == EAGAIN) {
      notice_rest(false);
      buffer.release_if_empty();
      release_kept_memory();
    }
  }
}

Channel::State Channel::next(wire::Frame& frame) {
  if (!later_.empty()) {
    buffer_.erase(0, begin_);
    begin_ = 0;
    buffer_.append(later_.view());
    later_.shrink_to(0);
    later_.release_if_large();
  }
  for (;;) {
    std::size_t used = 0;
    switch (wire::next_frame(buffer_.view().substr(begin_), frame, used)) {
      case wire::FrameState::Complete: begin_ += used; return State::Frame;
      case wire::FrameState::Broken: return State::Broken;
      case wire::FrameState::NeedMore: break;
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    buffer_.release_if_large();
    if (!read_into(buffer_, used)) return State::Closed;
  }
}

bool Channel::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Channel::wait_for_ask() {
  if (ask_mutex_.try_lock()) return ask_mutex_.unlock();
  PyThreadState* state = PyEval_SaveThread();
  {
    const std::lock_guard lock(ask_mutex_);
  }
  PyEval_RestoreThread(state);
}

std::optional<wire::Answer> Channel::ask(std::uint64_t call, const wire::Ask& question, std::string& answer_bytes) {
  // The lock is never waited for with the GIL: the thread that has it needs the GIL to go on.
  if (!ask_mutex_.try_lock()) {
    PyThreadState* state = PyEval_SaveThread();
    ask_mutex_.lock();
    PyEval_RestoreThread(state);
  }
  const std::lock_guard lock(ask_mutex_, std::adopt_lock);
  return exchange(call, question, answer_bytes);
}

std::optional<wire::Answer> Channel::exchange(std::uint64_t call, const wire::Ask& question, std::string& answer_bytes) {
  out_.clear();
  wire::encode_ask(out_, call, question);
  if (!write(out_)) return std::nullopt;
  // Frames that were read together with the current one keep their place before what arrives now.
  if (begin_ < buffer_.size()) {
    // Frames of an earlier question of this call would already be in later_, and begin_ at the end.
    later_.append(buffer_.view().substr(begin_));
    buffer_.shrink_to(begin_);
  }
  std::size_t at = 0;
  for (;;) {
    wire::Frame frame;
    std::size_t used = 0;
    const auto state = wire::next_frame(later_.view().substr(at), frame, used);
    if (state == wire::FrameState::Broken) return std::nullopt;
    if (state == wire::FrameState::NeedMore) {
      if (!read_into(later_, at + used)) return std::nullopt;
      continue;
    }
    if (frame.head.type == wire::MessageType::Answer && frame.head.call == call) {
      answer_bytes = frame.payload;
      later_.erase(at, used);
      return wire::decode_answer(answer_bytes);
    }
    at += used;
  }
}

}  // namespace funcgate::worker
