// Transport: one accepted byte stream, plain TCP, TLS or Unix, as the connection needs it: awaitable reads and writes.
//
// Not thread-safe: lives on one io thread. Failures are error codes; cancel() ends a pending read or write with one.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>

#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace funcgate::http {

struct IoResult {
  boost::system::error_code error;
  std::size_t bytes = 0;
};

// What a pending operation completes into; lives in the awaiting coroutine's frame.
struct IoCompletion {
  IoResult result;
  std::coroutine_handle<> waiter;
  void complete(boost::system::error_code error, std::size_t bytes) {
    result = {error, bytes};
    waiter.resume();
  }
};

enum class PeerState : std::uint8_t {
  Open,
  SendsNoMore,  // it shut down its sending side, or closed: TCP tells these apart only when it is sent something
  Gone,         // reset, or both directions are shut
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual void start_read(boost::asio::mutable_buffer buffer, IoCompletion& completion) = 0;
  // Bytes as they come from the wire, still encrypted: for dropping what a peer sends after try_shutdown_send().
  virtual void start_discard(boost::asio::mutable_buffer buffer, IoCompletion& completion) = 0;
  // Writes everything.
  virtual void start_write(std::string_view bytes, IoCompletion& completion) = 0;
  virtual void start_handshake(IoCompletion& completion) = 0;
  // Bytes taken at once without waiting; 0 when it would block or has to wait for its turn.
  virtual std::size_t try_write(std::string_view bytes) = 0;
  // Sends `bytes` of a file from its current position; false: not supported here, copy instead.
  virtual bool can_send_file() const { return false; }
  virtual long send_file(int file, std::size_t bytes) = 0;
  virtual void start_wait_writable(IoCompletion& completion) = 0;
  virtual bool is_tls() const { return false; }
  // What the kernel knows of the peer; one system call, no waiting.
  virtual PeerState peer_state() const = 0;
  virtual void cancel() = 0;
  // Tells the peer that nothing more comes: close_notify (RFC 8446, 6.1) on TLS, then the end of the stream. At most once, with
  // no write pending. False: the rest does not fit now and goes with start_shutdown_send().
  virtual bool try_shutdown_send() = 0;
  virtual void start_shutdown_send(IoCompletion& completion) = 0;
  virtual void close() = 0;
};

std::unique_ptr<Transport> plain_transport(boost::asio::ip::tcp::socket socket);
std::unique_ptr<Transport> local_transport(boost::asio::local::stream_protocol::socket socket);
std::unique_ptr<Transport> tls_transport(boost::asio::ip::tcp::socket socket, std::shared_ptr<boost::asio::ssl::context> context);

// co_await read_some(transport, buffer)
class ReadSome {
 public:
  ReadSome(Transport& transport, boost::asio::mutable_buffer buffer) : transport_(transport), buffer_(buffer) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    completion_.waiter = waiter;
    transport_.start_read(buffer_, completion_);
  }
  IoResult await_resume() const { return completion_.result; }

 private:
  Transport& transport_;
  boost::asio::mutable_buffer buffer_;
  IoCompletion completion_;
};

class Discard {
 public:
  Discard(Transport& transport, boost::asio::mutable_buffer buffer) : transport_(transport), buffer_(buffer) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    completion_.waiter = waiter;
    transport_.start_discard(buffer_, completion_);
  }
  IoResult await_resume() const { return completion_.result; }

 private:
  Transport& transport_;
  boost::asio::mutable_buffer buffer_;
  IoCompletion completion_;
};

class ShutdownSend {
 public:
  explicit ShutdownSend(Transport& transport) : transport_(transport) {}
  bool await_ready() { return transport_.try_shutdown_send(); }
  void await_suspend(std::coroutine_handle<> waiter) {
    completion_.waiter = waiter;
    transport_.start_shutdown_send(completion_);
  }
  IoResult await_resume() const { return completion_.result; }

 private:
  Transport& transport_;
  IoCompletion completion_;
};

class WriteAll {
 public:
  WriteAll(Transport& transport, std::string_view bytes) : transport_(transport), bytes_(bytes) {}
  bool await_ready() {
    bytes_.remove_prefix(transport_.try_write(bytes_));
    return bytes_.empty();
  }
  void await_suspend(std::coroutine_handle<> waiter) {
    completion_.waiter = waiter;
    transport_.start_write(bytes_, completion_);
  }
  IoResult await_resume() const { return completion_.result; }

 private:
  Transport& transport_;
  std::string_view bytes_;
  IoCompletion completion_;
};

class Handshake {
 public:
  explicit Handshake(Transport& transport) : transport_(transport) {}
  bool await_ready() const { return !transport_.is_tls(); }
  void await_suspend(std::coroutine_handle<> waiter) {
    completion_.waiter = waiter;
    transport_.start_handshake(completion_);
  }
  IoResult await_resume() const { return completion_.result; }

 private:
  Transport& transport_;
  IoCompletion completion_;
};

class WaitWritable {
 public:
  explicit WaitWritable(Transport& transport) : transport_(transport) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    completion_.waiter = waiter;
    transport_.start_wait_writable(completion_);
  }
  IoResult await_resume() const { return completion_.result; }

 private:
  Transport& transport_;
  IoCompletion completion_;
};

}  // namespace funcgate::http
