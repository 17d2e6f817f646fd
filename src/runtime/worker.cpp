#include "runtime/worker.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "runtime/call_frames.h"

namespace funcgate::runtime {
namespace {
constexpr std::size_t kReadBytes = 64 << 10;
}

Worker::Worker(WorkerOwner& owner, base::IoThread& io, StartedWorker started, std::size_t slot)
    : owner_(&owner),
      io_(io),
      process_(std::move(started.process)),
      socket_(std::move(started.socket)),
      memory_(std::move(started.memory)),
      slot_(slot) {
  ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
  run_timer_.set_callback([this] {
    // The deadline of the call in front. Killing is all there is: nothing inside Python can be trusted to stop.
    if (take_replies()) return;  // that call has ended, and the next one has a deadline of its own
    timed_out_ = true;
    fail();
  });
  in_.resize(kReadBytes);
}

Worker::~Worker() {
  io_.remove(*this);
  if (socket_) io_.unwatch(socket_.get(), *this);
  kill_worker(process_.pidfd);
}

void Worker::start() {
  io_.add(*this);
  if (!io_.watch(socket_.get(), *this)) io_.post([self = shared_from_this()] { self->fail(); });
}

void Worker::on_events(std::uint32_t events) {
  const auto self = shared_from_this();  // whoever gets a reply may end this worker
  if ((events & EPOLLOUT) != 0 && write_waits_) {
    write_waits_ = false;
    flush();
  }
  read();
}

void Worker::send(PendingCall& call) {
  call.number = next_number_++;
  call.sent_ns = io_.turn_steady_ns();
  const auto slot = static_cast<std::uint16_t>(call.number % wire::ClaimBoard::kSlots);
  memory_.board.offer(slot, call.number);
  append_invoke(out_, scratch_, call.number, slot, *call.invocation);
  call.ends_at = left_bytes_ + out_.size() - out_sent_;
  calls_.push_back(&call);
  expected_ns_ += call.expected_ns;
  if (calls_.size() == 1) {
    memory_.replies.awake();
    next_front();
  }
}

void Worker::next_front() {
  if (calls_.empty()) {
    run_timer_.cancel();
    return;
  }
  front_since_ns_ = io_.turn_steady_ns();
  const domain::Invocation& invocation = *calls_.front()->invocation;
  base::SteadyNs deadline = front_since_ns_ + invocation.timeout_ms * base::kNsPerMs;
  if (invocation.total_deadline_ns != 0) deadline = std::min(deadline, invocation.total_deadline_ns);
  io_.timers().arm(run_timer_, deadline);
}

std::deque<PendingCall*> Worker::recall(bool keep_first) {
  std::deque<PendingCall*> back;
  const PendingCall* const front_before = front();
  for (std::size_t i = keep_first ? 1 : 0; i < calls_.size();) {
    PendingCall* call = calls_[i];
    if (memory_.board.recall(static_cast<std::uint16_t>(call->number % wire::ClaimBoard::kSlots), call->number)) {
      back.push_back(call);
      expected_ns_ -= call->expected_ns;
      calls_.erase(calls_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  if (front() != front_before) next_front();
  return back;
}

PendingCall* Worker::find(std::string_view task_id) {
  for (PendingCall* call : calls_) {
    if (call->invocation->task_id == task_id) return call;
  }
  return nullptr;
}

bool Worker::take_back(PendingCall& call) {
  if (!memory_.board.recall(static_cast<std::uint16_t>(call.number % wire::ClaimBoard::kSlots), call.number)) return false;
  expected_ns_ -= call.expected_ns;
  std::erase(calls_, &call);
  return true;
}

void Worker::answer(std::uint64_t call, const wire::Answer& answer) {
  if (dead_ || calls_.empty() || calls_.front()->number != call) return;
  wire::encode_answer(out_, call, answer);
  answer_end_ = out_.size();
}

void Worker::flush() {
  if (!has_output()) return;
  const ssize_t put = ::send(socket_.get(), out_.data() + out_sent_, out_.size() - out_sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (put < 0 && errno != EAGAIN && errno != EINTR) {
    write_waits_ = true;  // nothing more is written
    io_.post([self = shared_from_this()] { self->fail(); });
    return;
  }
  if (put > 0) sent(static_cast<std::size_t>(put));
  if (out_.empty()) return;
  write_waits_ = true;
  if (!output_watched_) output_watched_ = io_.watch_output(socket_.get(), *this);
  if (!output_watched_) io_.post([self = shared_from_this()] { self->fail(); });
}

void Worker::sent(std::size_t bytes) {
  out_sent_ += bytes;
  left_bytes_ += bytes;
  if (answer_end_ > 0 && answer_end_ <= out_sent_) {
    asking_ = false;
    answer_end_ = 0;
  }
  if (out_sent_ == out_.size()) {
    // What was sent holds the credentials that an authentication function looks at: it does not stay in the buffer.
    explicit_bzero(out_.data(), out_.size());
    out_.clear();
    out_sent_ = 0;
    if (out_.capacity() > 4 * kReadBytes) std::string().swap(out_);
  } else if (out_sent_ > out_.size() / 2) {
    // Not each time: a large call leaves in many pieces, and all behind it would be moved for each of them.
    const std::size_t left = out_.size() - out_sent_;
    std::memcpy(out_.data(), out_.data() + out_sent_, left);
    explicit_bzero(out_.data() + left, out_sent_);
    out_.resize(left);
    answer_end_ -= std::min(answer_end_, out_sent_);
    out_sent_ = 0;
  }
}

void Worker::read() {
  // A process that never stops sending leaves the others their turn.
  constexpr int kReadsPerTurn = 4;
  for (int i = 0; i < kReadsPerTurn && !dead_; ++i) {
    if (in_.size() - in_used_ < kReadBytes / 4) in_.resize(std::max(in_.size() * 2, in_used_ + kReadBytes));
    const ssize_t got = ::recv(socket_.get(), in_.data() + in_used_, in_.size() - in_used_, 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got == 0 || (got < 0 && errno != EINTR)) {
      fail();
    } else if (got > 0) {
      received(static_cast<std::size_t>(got));
    }
  }
  if (!dead_) io_.wake(*this);
}

void Worker::received(std::size_t bytes) {
  in_used_ += bytes;
  std::size_t at = 0;
  while (!dead_) {
    wire::Frame frame;
    std::size_t used = 0;
    const auto state = wire::next_frame(std::string_view(in_.data() + at, in_used_ - at), frame, used);
    const bool has_head = state != wire::FrameState::Broken && used > 0;
    // What it put into shared memory before this frame comes before it.
    if (has_head) take_replies();
    if (dead_) return;
    // Before its payload is there: nobody gets memory for a frame that nobody waits for.
    if (state == wire::FrameState::Broken || (has_head && !expects(frame.head)) ||
        (state == wire::FrameState::Complete && !handle(frame))) {
      break_off();
      return;
    }
    if (state == wire::FrameState::NeedMore) break;
    at += used;
  }
  take_replies();
  if (dead_) return;
  if (at > 0) {
    std::memmove(in_.data(), in_.data() + at, in_used_ - at);
    in_used_ -= at;
    if (in_used_ == 0 && in_.size() > 16 * kReadBytes) {
      in_.resize(kReadBytes);
      in_.shrink_to_fit();
    }
  }
}

bool Worker::before_sleep() {
  // What is held waits only for a frame in the socket, which wakes us.
  return calls_.empty() || replies_at_ < replies_.size() || memory_.replies.falls_asleep();
}

void Worker::after_sleep() {
  if (!calls_.empty()) memory_.replies.awake();
}

bool Worker::take_replies() {
  if (taking_ || dead_) return false;
  const auto self = shared_from_this();  // whoever gets a reply may end this worker
  taking_ = true;
  bool any = false;
  while (!dead_ && !calls_.empty()) {
    if (replies_at_ == replies_.size()) {
      replies_.clear();
      replies_at_ = 0;
      if (!memory_.replies.take(replies_)) break_off();
      if (replies_.empty()) break;
    }
    wire::Frame frame;
    std::size_t used = 0;
    const auto state = wire::next_frame(std::string_view(replies_).substr(replies_at_), frame, used);
    const bool whole = state == wire::FrameState::Complete && frame.head.type == wire::MessageType::Reply;
    // A larger reply before it, or a question, is still in the socket.
    if (whole && frame.head.call != calls_.front()->number) break;
    replies_at_ += used;
    any = true;
    if (!whole || !handle(frame)) break_off();
  }
  taking_ = false;
  return any;
}

void Worker::break_off() {
  base::log::error("worker.protocol", {{"pid", process_.pid}, {"action", "killed"}});
  broken_ = true;
  fail();
}

bool Worker::expects(const wire::FrameHead& head) {
  // Not more often than there were calls: every one of them costs this thread a look.
  if (head.type == wire::MessageType::Wake) return head.payload_bytes == 0 && wakes_ + 1 < next_number_;
  // Replies come in the order of the pipe, and to what has left: anything else is a forged frame, by which a process that never
  // reads could let this server's memory grow.
  return (head.type == wire::MessageType::Reply || head.type == wire::MessageType::Ask) && !calls_.empty() &&
         head.call == calls_.front()->number && calls_.front()->ends_at <= left_bytes_;
}

bool Worker::handle(const wire::Frame& frame) {
  if (!expects(frame.head)) return false;
  if (frame.head.type == wire::MessageType::Wake) {
    ++wakes_;
    return true;
  }
  PendingCall* call = calls_.front();
  if (frame.head.type == wire::MessageType::Ask) {
    const auto ask = wire::decode_ask(frame.payload);
    // One question at a time, until its answer has left: user code must fill neither the server's pool nor its memory.
    if (!ask || asking_) return false;
    asking_ = true;
    owner_->asked(*this, *call, *ask);
    return true;
  }
  asking_ = false;
  answer_end_ = 0;
  auto reply = read_reply(frame.payload);
  if (!reply) return false;
  calls_.pop_front();
  expected_ns_ -= call->expected_ns;
  next_front();
  owner_->replied(*this, *call, std::move(*reply));
  return true;
}

void Worker::fail() {
  if (dead_) return;
  const auto self = shared_from_this();
  // What it had done is done, however it ended. (After a time-out there was a look already.)
  if (!broken_ && !timed_out_) take_replies();
  if (dead_) return;
  dead_ = true;
  io_.remove(*this);
  run_timer_.cancel();
  kill_worker(process_.pidfd);
  io_.unwatch(socket_.get(), *this);
  socket_.reset();
  std::deque<PendingCall*> begun, unclaimed;
  for (PendingCall* call : calls_) {
    // The process is dead or dying: whoever wins this exchange decides for good whether the call had begun.
    const auto slot = static_cast<std::uint16_t>(call->number % wire::ClaimBoard::kSlots);
    (memory_.board.recall(slot, call->number) ? unclaimed : begun).push_back(call);
  }
  calls_.clear();
  expected_ns_ = 0;
  if (owner_ != nullptr) owner_->gone(*this, std::move(begun), timed_out_, std::move(unclaimed));
}

void Worker::discard() {
  owner_ = nullptr;
  CHECK(calls_.empty());
  fail();
}

}  // namespace funcgate::runtime
