#include "http/transport.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>

namespace funcgate::http {
namespace {

std::error_code system_error(int number) { return {number, std::generic_category()}; }
bool would_block(int number) { return number == EAGAIN || number == EWOULDBLOCK; }

}  // namespace

bool Operation::make_room() {
  if (late_room == nullptr) return true;
  try {
    room = late_room->input_room();
    return true;
  } catch (const std::bad_alloc&) {
    result.error = std::make_error_code(std::errc::not_enough_memory);
    return false;
  }
}

void Operation::give_room_back() {
  if (late_room == nullptr || room.empty()) return;
  room = {};
  late_room->input_room_unused();
}

Transport::Transport(base::IoThread& io, base::FileDescriptor socket) : io_(io), socket_(std::move(socket)) {
  watched_ = io_.watch(socket_.get(), *this);
}

Transport::~Transport() { close(); }

void Transport::close() {
  if (!socket_) return;
  io_.unwatch(socket_.get(), *this);
  socket_.reset();
}

PeerState Transport::peer_state() const { return peer_; }

bool Transport::attempt(Operation& operation) {
  Progress progress = Progress::Done;
  if (!watched_) {
    operation.result.error = std::make_error_code(std::errc::not_enough_memory);  // it would never hear of anything
    return true;
  }
  switch (operation.kind) {
    case Operation::Kind::Read: progress = read(operation); break;
    case Operation::Kind::Discard: progress = receive(operation); break;
    case Operation::Kind::Handshake: progress = handshake_step(operation); break;
    case Operation::Kind::Write: progress = write(operation); break;
    case Operation::Kind::WaitWritable: progress = writable_ && may_send() ? Progress::Done : Progress::Waits; break;
    case Operation::Kind::ShutdownSend: progress = end_stream(operation); break;
  }
  if (progress == Progress::Done) return true;
  operation.give_room_back();
  return false;
}

void Transport::wait(Operation& operation) {
  (operation.receives() ? receiving_ : sending_) = &operation;
  if (writable_ || output_watched_) return;
  output_watched_ = true;
  if (!io_.watch_output(socket_.get(), *this)) cancel();
}

void Transport::cancel() {
  if (receiving_ == nullptr && sending_ == nullptr) return;
  cancelled_ = true;
  io_.wake(*this);
}

void Transport::on_events(std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    peer_ = PeerState::Gone;
  } else if ((events & EPOLLRDHUP) != 0 && peer_ == PeerState::Open) {
    peer_ = PeerState::SendsNoMore;
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable_ = true;
  // Whoever goes on may destroy this object, unless another operation waits.
  const bool receives = receiving_ != nullptr, sends = sending_ != nullptr;
  const bool cancelled = std::exchange(cancelled_, false);
  if (receives) go_on(receiving_, cancelled);
  if (sends) go_on(sending_, cancelled);
}

void Transport::go_on(Operation*& waiting, bool cancelled) {
  Operation& operation = *waiting;
  if (cancelled) {
    operation.result.error = std::make_error_code(std::errc::operation_canceled);
  } else if (!attempt(operation)) {
    wait(operation);
    return;
  }
  waiting = nullptr;
  operation.waiter.resume();
}

bool Transport::is_first_of_turn(std::uint64_t& turn) {
  const bool first = turn != io_.turn();
  turn = io_.turn();
  if (!first) io_.wake(*this);
  return first;
}

Transport::Progress Transport::receive(Operation& operation) {
  if (!readable_ || !may_receive()) return Progress::Waits;
  if (!operation.make_room()) return Progress::Done;
  ssize_t got = 0;
  do {
    got = ::recv(socket_.get(), operation.room.data(), operation.room.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && would_block(errno)) {
    readable_ = false;
    return Progress::Waits;
  }
  if (got > 0) {
    // Less than there was room for: nothing is left, and what comes is a new event. An end was told with what came before it.
    if (static_cast<std::size_t>(got) < operation.room.size() && peer_ == PeerState::Open) readable_ = false;
    operation.result.bytes = static_cast<std::size_t>(got);
  } else {
    operation.result.error = got < 0 ? system_error(errno) : std::make_error_code(std::errc::connection_reset);
  }
  return Progress::Done;
}

Transport::Progress Transport::send(Operation& operation) {
  std::size_t left = kSendBytesPerTurn;
  while (!operation.bytes.empty()) {
    if (left == 0) return next_turn();
    const ssize_t put = ::send(socket_.get(), operation.bytes.data(), std::min(left, operation.bytes.size()), MSG_NOSIGNAL);
    if (put >= 0) {
      operation.bytes.remove_prefix(static_cast<std::size_t>(put));
      operation.result.bytes += static_cast<std::size_t>(put);
      left -= static_cast<std::size_t>(put);
    } else if (would_block(errno)) {
      writable_ = false;
      return Progress::Waits;
    } else if (errno != EINTR) {
      operation.result.error = system_error(errno);
      break;
    }
  }
  return Progress::Done;
}

long Transport::send_file(int file, std::size_t bytes) {
  const ssize_t put = ::sendfile(socket_.get(), file, nullptr, std::min(bytes, kSendBytesPerTurn));
  if (put < 0 && would_block(errno)) writable_ = false;
  return put;
}

Transport::Progress Transport::end_stream(Operation&) {
  ::shutdown(socket_.get(), SHUT_WR);
  return Progress::Done;
}

std::unique_ptr<Transport> plain_transport(base::IoThread& io, base::FileDescriptor socket) {
  return std::make_unique<Transport>(io, std::move(socket));
}

}  // namespace funcgate::http
