#include "http/listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "http/connection.h"

namespace funcgate::http {
namespace {

using boost::system::error_code;
constexpr int kBacklog = 1024;
// After running out of descriptors: accepting again at once would spin.
constexpr std::int64_t kPauseMs = 50;

domain::Address address_of(const boost::asio::ip::address& address) {
  if (address.is_v4()) return domain::Address::v4(address.to_v4().to_bytes());
  return domain::Address::v6(address.to_v6().to_bytes());
}

}  // namespace

base::Result<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const auto port = colon == std::string_view::npos ? std::nullopt : base::parse_digits(text.substr(colon + 1));
  if (!port || *port > 65535) {
    return base::Error{base::Code::InvalidArgument,
                       fmt::format("cannot listen on \"{}\": write HOST:PORT, for example 127.0.0.1:8089", base::printable(text)),
                       {}};
  }
  std::string host(text.substr(0, colon));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  if (host.empty() || host == "*") host = "::";
  return ListenAddress{host, static_cast<std::uint16_t>(*port)};
}

Listener::Listener(Edge& edge, TlsIdentity* tls, Entrance entrance)
    : edge_(edge), tls_(tls), entrance_(entrance), acceptor_(edge.io.context()), pause_([this] { accept(); }) {}

base::Result<std::unique_ptr<Listener>> Listener::open(Edge& edge, const ListenAddress& address, TlsIdentity* tls,
                                                       Entrance entrance) {
  std::unique_ptr<Listener> listener(new Listener(edge, tls, entrance));
  error_code error;
  const auto ip = boost::asio::ip::make_address(address.host, error);
  auto failed = [&](std::string_view what) {
    return base::Error{
        base::Code::Unavailable, fmt::format("cannot {} {}:{}: {}", what, address.host, address.port, error.message()), {}};
  };
  if (error) return failed("understand the address");
  const boost::asio::ip::tcp::endpoint endpoint(ip, address.port);
  auto& acceptor = listener->acceptor_;
  acceptor.open(endpoint.protocol(), error);
  if (error) return failed("open a socket for");
  acceptor.set_option(boost::asio::socket_base::reuse_address(true), error);
  const int on = 1;
  ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  acceptor.bind(endpoint, error);
  if (error) return failed("bind");
  acceptor.listen(kBacklog, error);
  if (error) return failed("listen on");
  return listener;
}

std::uint16_t Listener::port() const {
  error_code ignored;
  return acceptor_.local_endpoint(ignored).port();
}

void Listener::start() { accept(); }

void Listener::stop() {
  error_code ignored;
  pause_.cancel();
  acceptor_.close(ignored);
}

void Listener::accept() {
  acceptor_.async_accept([this](error_code error, boost::asio::ip::tcp::socket socket) {
    if (error == boost::asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (error) {
      base::log::warning("connection.accept_failed", {{"error", error.message()}});
      edge_.io.timers().arm(pause_, edge_.io.turn_steady_ns() + kPauseMs * base::kNsPerMs);
      return;
    }
    error_code ignored;
    const auto remote = socket.remote_endpoint(ignored);
    if (!ignored && edge_.open_connections.load(std::memory_order_relaxed) < edge_.settings.limits.connections) {
      const int on = 1;
      ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto transport = tls_ == nullptr ? plain_transport(std::move(socket)) : tls_transport(std::move(socket), tls_->current());
      auto connection = std::make_unique<Connection>(edge_, std::move(transport), address_of(remote.address()), entrance_);
      base::spawn(Connection::run(std::move(connection)));
    }
    accept();
  });
}

ControlListener::ControlListener(Edge& edge) : edge_(edge), acceptor_(edge.io.context()), pause_([this] { accept(); }) {}

base::Result<std::unique_ptr<ControlListener>> ControlListener::open(Edge& edge, const std::string& path) {
  std::unique_ptr<ControlListener> listener(new ControlListener(edge));
  error_code error;
  ::unlink(path.c_str());  // left by a server that was killed; the data directory's lock says that none is running
  auto failed = [&] {
    return base::Error{base::Code::Unavailable, fmt::format("cannot open the control socket {}: {}", path, error.message()), {}};
  };
  listener->acceptor_.open(boost::asio::local::stream_protocol(), error);
  if (error) return failed();
  const mode_t before = ::umask(0177);
  listener->acceptor_.bind(boost::asio::local::stream_protocol::endpoint(path), error);
  ::umask(before);
  if (error) return failed();
  listener->acceptor_.listen(16, error);
  if (error) return failed();
  return listener;
}

void ControlListener::start() { accept(); }
void ControlListener::stop() {
  error_code ignored;
  acceptor_.close(ignored);
}

void ControlListener::accept() {
  acceptor_.async_accept([this](error_code error, boost::asio::local::stream_protocol::socket socket) {
    if (error == boost::asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (error) {
      base::log::warning("control.accept_failed", {{"error", error.message()}});
      edge_.io.timers().arm(pause_, edge_.io.turn_steady_ns() + kPauseMs * base::kNsPerMs);
      return;
    }
    ucred peer{};
    socklen_t length = sizeof peer;
    // The file's mode says the same; the kernel's word about the peer does not depend on a folder's permissions.
    const bool same_user = ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
                           (peer.uid == ::geteuid() || peer.uid == 0);
    if (same_user) {
      auto connection =
          std::make_unique<Connection>(edge_, local_transport(std::move(socket)), domain::Address(), Entrance::Control);
      base::spawn(Connection::run(std::move(connection)));
    }
    accept();
  });
}

}  // namespace funcgate::http
