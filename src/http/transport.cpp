#include "http/transport.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

namespace funcgate::http {
namespace {

using boost::system::error_code;

template <class Socket>
class SocketTransport final : public Transport {
 public:
  explicit SocketTransport(Socket socket) : socket_(std::move(socket)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
  }

  void start_read(boost::asio::mutable_buffer buffer, IoCompletion& completion) override {
    socket_.async_read_some(buffer, [&completion](error_code error, std::size_t bytes) { completion.complete(error, bytes); });
  }
  void start_write(std::string_view bytes, IoCompletion& completion) override {
    boost::asio::async_write(socket_, boost::asio::buffer(bytes.data(), bytes.size()),
                             [&completion](error_code error, std::size_t written) { completion.complete(error, written); });
  }
  void start_handshake(IoCompletion& completion) override { completion.complete({}, 0); }
  std::size_t try_write(std::string_view bytes) override {
    const ssize_t put = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return put > 0 ? static_cast<std::size_t>(put) : 0;  // an error shows again in the write that follows
  }
  bool can_send_file() const override { return true; }
  long send_file(int file, std::size_t bytes) override { return ::sendfile(socket_.native_handle(), file, nullptr, bytes); }
  void start_wait_writable(IoCompletion& completion) override {
    socket_.async_wait(Socket::wait_write, [&completion](error_code error) { completion.complete(error, 0); });
  }
  void cancel() override {
    error_code ignored;
    socket_.cancel(ignored);
  }
  void shutdown_send() override {
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }
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
    stream_.async_read_some(buffer, [&completion](error_code error, std::size_t bytes) { completion.complete(error, bytes); });
  }
  void start_write(std::string_view bytes, IoCompletion& completion) override {
    boost::asio::async_write(stream_, boost::asio::buffer(bytes.data(), bytes.size()),
                             [&completion](error_code error, std::size_t written) { completion.complete(error, written); });
  }
  void start_handshake(IoCompletion& completion) override {
    stream_.async_handshake(boost::asio::ssl::stream_base::server,
                            [&completion](error_code error) { completion.complete(error, 0); });
  }
  std::size_t try_write(std::string_view) override { return 0; }
  long send_file(int, std::size_t) override { return -1; }
  void start_wait_writable(IoCompletion& completion) override {
    stream_.next_layer().async_wait(boost::asio::ip::tcp::socket::wait_write,
                                    [&completion](error_code error) { completion.complete(error, 0); });
  }
  bool is_tls() const override { return true; }
  void cancel() override {
    error_code ignored;
    stream_.next_layer().cancel(ignored);
  }
  void shutdown_send() override {
    // close_notify without waiting for the peer's: a blocking or lingering shutdown would be an attacker's to prolong.
    ::SSL_shutdown(stream_.native_handle());
    error_code ignored;
    stream_.next_layer().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
  }
  void close() override {
    error_code ignored;
    stream_.next_layer().close(ignored);
  }

 private:
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
