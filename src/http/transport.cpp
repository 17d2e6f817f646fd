#include "http/transport.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

#include "base/frame_pool.h"

namespace funcgate::http {
namespace {

using boost::system::error_code;

// Ends `completion`. What asio needs for the operation comes from the thread's pool of frames: its own keeps two per thread.
struct Completing {
  using allocator_type = base::FrameAllocator<char>;
  allocator_type get_allocator() const noexcept { return {}; }
  void operator()(error_code error, std::size_t bytes = 0) const { completion->complete(error, bytes); }
  IoCompletion* completion;
};

PeerState state_of_peer(int socket) {
  pollfd state{socket, POLLRDHUP, 0};
  if (::poll(&state, 1, 0) <= 0) return PeerState::Open;
  return (state.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 ? PeerState::Gone : PeerState::SendsNoMore;
}

template <class Socket>
class SocketTransport final : public Transport {
 public:
  explicit SocketTransport(Socket socket) : socket_(std::move(socket)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
  }

  void start_read(boost::asio::mutable_buffer buffer, IoCompletion& completion) override {
    socket_.async_read_some(buffer, Completing{&completion});
  }
  void start_discard(boost::asio::mutable_buffer buffer, IoCompletion& completion) override { start_read(buffer, completion); }
  void start_write(std::string_view bytes, IoCompletion& completion) override {
    boost::asio::async_write(socket_, boost::asio::buffer(bytes.data(), bytes.size()), Completing{&completion});
  }
  void start_handshake(IoCompletion& completion) override { completion.complete({}, 0); }
  std::size_t try_write(std::string_view bytes) override {
    const ssize_t put = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return put > 0 ? static_cast<std::size_t>(put) : 0;  // an error shows again in the write that follows
  }
  bool can_send_file() const override { return true; }
  long send_file(int file, std::size_t bytes) override { return ::sendfile(socket_.native_handle(), file, nullptr, bytes); }
  void start_wait_writable(IoCompletion& completion) override { socket_.async_wait(Socket::wait_write, Completing{&completion}); }
  PeerState peer_state() const override { return state_of_peer(const_cast<Socket&>(socket_).native_handle()); }
  void cancel() override {
    error_code ignored;
    socket_.cancel(ignored);
  }
  bool try_shutdown_send() override {
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    return true;
  }
  void start_shutdown_send(IoCompletion& completion) override { completion.complete({}, 0); }  // never left to do
  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  Socket socket_;
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(boost::asio::ip::tcp::socket socket, std::shared_ptr<boost::asio::ssl::context> context)
      : context_(std::move(context)), stream_(std::move(socket), *context_) {}

  void start_read(boost::asio::mutable_buffer buffer, IoCompletion& completion) override {
    stream_.async_read_some(buffer, Completing{&completion});
  }
  void start_discard(boost::asio::mutable_buffer buffer, IoCompletion& completion) override {
    stream_.next_layer().async_read_some(buffer, Completing{&completion});
  }
  void start_write(std::string_view bytes, IoCompletion& completion) override {
    boost::asio::async_write(stream_, boost::asio::buffer(bytes.data(), bytes.size()), Completing{&completion});
  }
  void start_handshake(IoCompletion& completion) override {
    stream_.async_handshake(boost::asio::ssl::stream_base::server, Completing{&completion});
  }
  std::size_t try_write(std::string_view) override { return 0; }
  long send_file(int, std::size_t) override { return -1; }
  void start_wait_writable(IoCompletion& completion) override {
    stream_.next_layer().async_wait(boost::asio::ip::tcp::socket::wait_write, Completing{&completion});
  }
  bool is_tls() const override { return true; }
  void cancel() override {
    error_code ignored;
    stream_.next_layer().cancel(ignored);
  }
  PeerState peer_state() const override {
    return state_of_peer(const_cast<boost::asio::ip::tcp::socket&>(stream_.next_layer()).native_handle());
  }
  bool try_shutdown_send() override {
    make_close_notify();
    if (!close_notify_.empty()) {
      const ssize_t put =
          ::send(stream_.next_layer().native_handle(), close_notify_.data(), close_notify_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (put > 0) close_notify_.erase(0, static_cast<std::size_t>(put));
      if (!close_notify_.empty()) return false;
    }
    end_stream();
    return true;
  }
  void start_shutdown_send(IoCompletion& completion) override {
    boost::asio::async_write(stream_.next_layer(), boost::asio::buffer(close_notify_),
                             [this, &completion](error_code error, std::size_t written) {
                               end_stream();
                               completion.complete(error, written);
                             });
  }
  void close() override {
    error_code ignored;
    stream_.next_layer().close(ignored);
  }

 private:
  // The library would write the alert into a buffer that asio empties only together with waiting for the peer's own: that wait
  // would be a stranger's to prolong. Written into memory instead, it is sent like any other bytes.
  void make_close_notify() {
    SSL* const ssl = stream_.native_handle();
    BIO* const memory = ::BIO_new(::BIO_s_mem());
    if (memory == nullptr) return;
    ::SSL_set0_wbio(ssl, memory);
    ::SSL_shutdown(ssl);
    ::ERR_clear_error();
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(memory, &bytes);
    if (size > 0) close_notify_.assign(bytes, static_cast<std::size_t>(size));
  }
  void end_stream() {
    error_code ignored;
    stream_.next_layer().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
  }

  std::string close_notify_;
  std::shared_ptr<boost::asio::ssl::context> context_;
  boost::asio::ssl::stream<boost::asio::ip::tcp::socket> stream_;
};

}  // namespace

std::unique_ptr<Transport> plain_transport(boost::asio::ip::tcp::socket socket) {
  return std::make_unique<SocketTransport<boost::asio::ip::tcp::socket>>(std::move(socket));
}
std::unique_ptr<Transport> local_transport(boost::asio::local::stream_protocol::socket socket) {
  return std::make_unique<SocketTransport<boost::asio::local::stream_protocol::socket>>(std::move(socket));
}
std::unique_ptr<Transport> tls_transport(boost::asio::ip::tcp::socket socket,
                                         std::shared_ptr<boost::asio::ssl::context> context) {
  return std::make_unique<TlsTransport>(std::move(socket), std::move(context));
}

}  // namespace funcgate::http
