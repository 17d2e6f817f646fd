// Transport: one accepted byte stream, plain TCP, TLS or Unix, as the connection needs it: awaitable reads and writes.
//
// Not thread-safe: lives on one io thread. Failures are error codes; cancel() ends pending operations with one.
#pragma once

#include <coroutine>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

#include "base/files.h"
#include "base/io_thread.h"

typedef struct ssl_ctx_st SSL_CTX;

namespace funcgate::http {

struct IoResult {
  std::error_code error;
  std::size_t bytes = 0;
};

enum class PeerState : std::uint8_t {
  Open,
  SendsNoMore,  // it shut down its sending side, or closed: TCP tells these apart only when it is sent something
  Gone,         // reset, or both directions are shut
};

class Transport;

// Where input goes, asked for only when there is some: who waits for it holds no memory.
class InputRoom {
 public:
  virtual ~InputRoom() = default;
  // Never empty. Throws std::bad_alloc.
  virtual std::span<char> input_room() = 0;
  // Nothing came after all; it will be asked for again.
  virtual void input_room_unused() = 0;
};

// One thing to do with a transport: co_await it. It is tried at once and waits only if it has to. One that receives (Read,
// Discard, Handshake) and one that sends (the others) may wait at the same time. Lives in the awaiting coroutine's frame.
class Operation {
 public:
  enum class Kind : std::uint8_t { Read, Discard, Handshake, Write, WaitWritable, ShutdownSend };

  Operation(Transport& transport, Kind kind, std::span<char> room = {}, std::string_view bytes = {})
      : room(room), bytes(bytes), kind(kind), transport_(transport) {}
  inline bool await_ready();
  inline void await_suspend(std::coroutine_handle<> waiter);
  IoResult await_resume() const { return result; }

  bool receives() const { return kind <= Kind::Handshake; }
  // False: there is no memory, which is the result.
  bool make_room();
  void give_room_back();

  // For the transport.
  std::span<char> room;            // to be read into
  InputRoom* late_room = nullptr;  // makes that, once it is needed
  std::string_view bytes;          // still to be written
  IoResult result;
  std::coroutine_handle<> waiter;
  const Kind kind;

 private:
  Transport& transport_;
};

// Destroyed only while no operation waits.
class Transport : private base::EventHandler {
 public:
  Transport(base::IoThread& io, base::FileDescriptor socket);  // the socket does not block
  ~Transport() override;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Some bytes; end of stream is an error.
  Operation read_some(std::span<char> room) { return {*this, Operation::Kind::Read, room}; }
  Operation read_some(InputRoom& room) {
    Operation reading{*this, Operation::Kind::Read};
    reading.late_room = &room;
    return reading;
  }
  // Bytes as they come from the wire, still encrypted: for dropping what a peer sends after shutdown_send().
  Operation discard(std::span<char> room) { return {*this, Operation::Kind::Discard, room}; }
  Operation handshake() { return {*this, Operation::Kind::Handshake}; }
  // Writes everything.
  Operation write_all(std::string_view bytes) { return {*this, Operation::Kind::Write, {}, bytes}; }
  // Room for output, and a turn that has not waited for it yet.
  Operation wait_writable() { return {*this, Operation::Kind::WaitWritable}; }
  // Tells the peer that nothing more comes: close_notify (RFC 8446, 6.1) on TLS, then the end of the stream. At most once, with
  // no write pending.
  Operation shutdown_send() { return {*this, Operation::Kind::ShutdownSend}; }

  virtual bool is_tls() const { return false; }
  // Whether send_file() exists here; if not, copy instead.
  virtual bool can_send_file() const { return true; }
  // Sends of a file from its current position: how many of the `bytes` went, or -1 with errno (EAGAIN: none). Before the next
  // one: wait_writable().
  long send_file(int file, std::size_t bytes);
  // What is known of the peer; no system call.
  PeerState peer_state() const;
  // Ends what waits with operation_canceled: in this turn or the next, never inline.
  void cancel();
  void close();

  // Does what can be done of `operation` now. True: it has ended, its result is set.
  bool attempt(Operation& operation);
  void wait(Operation& operation);

 protected:
  enum class Progress : std::uint8_t { Done, Waits };
  virtual Progress read(Operation& operation) { return receive(operation); }
  virtual Progress handshake_step(Operation&) { return Progress::Done; }
  virtual Progress write(Operation& operation) { return send(operation); }
  virtual Progress end_stream(Operation& operation);

  int socket() const { return socket_.get(); }
  Progress receive(Operation& operation);
  Progress send(Operation& operation);
  // Whether this turn still has time for this peer. If not, the operation waits for the next.
  bool may_receive() { return is_first_of_turn(received_turn_); }
  bool may_send() { return is_first_of_turn(sent_turn_); }

  Progress next_turn() {
    io_.wake(*this);
    return Progress::Waits;
  }
  // One fast peer leaves the others of the thread their turn.
  static constexpr std::size_t kSendBytesPerTurn = 1 << 20;

  // What the descriptor can do without blocking, as far as is known.
  bool readable_ = false, writable_ = true;

 private:
  void on_events(std::uint32_t events) override;
  void go_on(Operation*& waiting, bool cancelled);
  // False: not again in this turn; it goes on in the next.
  bool is_first_of_turn(std::uint64_t& turn);

  base::IoThread& io_;
  base::FileDescriptor socket_;
  std::uint64_t received_turn_ = 0, sent_turn_ = 0;
  Operation* receiving_ = nullptr;
  Operation* sending_ = nullptr;
  bool watched_ = false, output_watched_ = false, cancelled_ = false;
  PeerState peer_ = PeerState::Open;
};

bool Operation::await_ready() { return transport_.attempt(*this); }
void Operation::await_suspend(std::coroutine_handle<> coroutine) {
  waiter = coroutine;
  transport_.wait(*this);
}

// TCP or Unix.
std::unique_ptr<Transport> plain_transport(base::IoThread& io, base::FileDescriptor socket);
std::unique_ptr<Transport> tls_transport(base::IoThread& io, base::FileDescriptor socket,
                                         const std::shared_ptr<SSL_CTX>& context);

}  // namespace funcgate::http
