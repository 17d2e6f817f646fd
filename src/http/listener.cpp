#include "http/listener.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "http/connection.h"

namespace funcgate::http {
namespace {

constexpr int kBacklog = 1024;
constexpr int kControlBacklog = 16;
// A crowd at the door leaves those inside their turn.
constexpr int kAcceptsPerTurn = 64;
// After running out of descriptors: accepting again at once would spin.
constexpr std::int64_t kPauseMs = 50;

// nullptr: not an address in digits. To be freed with freeaddrinfo().
addrinfo* numeric_address(const ListenAddress& address) {
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  wanted.ai_socktype = SOCK_STREAM;
  const int state = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &wanted, &found);
  return state == 0 ? found : nullptr;
}

std::optional<domain::Address> peer_of(int socket) {
  sockaddr_storage remote{};
  socklen_t length = sizeof remote;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&remote), &length) != 0) return std::nullopt;
  if (remote.ss_family == AF_INET) {
    return domain::Address::v4(std::bit_cast<std::array<std::uint8_t, 4>>(reinterpret_cast<const sockaddr_in&>(remote).sin_addr));
  }
  return domain::Address::v6(
      std::bit_cast<std::array<std::uint8_t, 16>>(reinterpret_cast<const sockaddr_in6&>(remote).sin6_addr));
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

void Acceptor::start() {
  if (!edge_.io.watch(socket_.get(), *this)) pause(errno);
}

void Acceptor::stop() {
  pause_.cancel();
  if (!socket_) return;
  edge_.io.unwatch(socket_.get(), *this);
  socket_.reset();
}

void Acceptor::accept() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    base::FileDescriptor socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      accepted(std::move(socket));
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    if (errno == EINTR || errno == ECONNABORTED) continue;  // that client has gone, the next one waits
    pause(errno);
    return;
  }
  edge_.io.wake(*this);
}

void Acceptor::pause(int error_number) {
  failed(base::errno_text(error_number));
  edge_.io.timers().arm(pause_, edge_.io.turn_steady_ns() + kPauseMs * base::kNsPerMs);
}

Listener::Listener(Edge& edge, TlsIdentity* tls, Entrance entrance)
    : Acceptor(edge), tls_(tls), entrance_(entrance) {}

base::Result<std::unique_ptr<Listener>> Listener::open(Edge& edge, const ListenAddress& address, TlsIdentity* tls,
                                                       Entrance entrance) {
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> place(numeric_address(address), &::freeaddrinfo);
  auto failed = [&](std::string_view what, std::string_view why) {
    return base::Error{base::Code::Unavailable, fmt::format("cannot {} {}:{}: {}", what, address.host, address.port, why), {}};
  };
  if (place == nullptr) return failed("understand the address", "it is neither an IPv4 nor an IPv6 address");
  std::unique_ptr<Listener> listener(new Listener(edge, tls, entrance));
  base::FileDescriptor socket(::socket(place->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failed("open a socket for", base::errno_text(errno));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(socket.get(), place->ai_addr, place->ai_addrlen) != 0) return failed("bind", base::errno_text(errno));
  if (::listen(socket.get(), kBacklog) != 0) return failed("listen on", base::errno_text(errno));
  listener->socket_ = std::move(socket);
  return listener;
}

std::uint16_t Listener::port() const {
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&local), &length) != 0) return 0;
  return ntohs(local.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(local).sin6_port
                                           : reinterpret_cast<const sockaddr_in&>(local).sin_port);
}

void Listener::accepted(base::FileDescriptor socket) {
  if (edge_.open_connections.load(std::memory_order_relaxed) >= edge_.settings.limits.connections) return;
  const auto peer = peer_of(socket.get());
  if (!peer) return;  // it has gone already
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto transport = tls_ == nullptr ? plain_transport(edge_.io, std::move(socket))
                                   : tls_transport(edge_.io, std::move(socket), tls_->current());
  base::spawn(Connection::run(std::make_unique<Connection>(edge_, std::move(transport), *peer, entrance_)));
}

void Listener::failed(const std::string& why) { base::log::warning("connection.accept_failed", {{"error", why}}); }

ControlListener::ControlListener(Edge& edge) : Acceptor(edge) {}

base::Result<std::unique_ptr<ControlListener>> ControlListener::open(Edge& edge, const std::string& path) {
  auto failed = [&](std::string_view why) {
    return base::Error{base::Code::Unavailable, fmt::format("cannot open the control socket {}: {}", path, why), {}};
  };
  sockaddr_un place{};
  place.sun_family = AF_UNIX;
  if (path.size() >= sizeof place.sun_path) {
    return failed(fmt::format("the path has {} bytes, the system allows {}: use a data directory with a shorter path",
                              path.size(), sizeof place.sun_path - 1));
  }
  path.copy(place.sun_path, path.size());
  std::unique_ptr<ControlListener> listener(new ControlListener(edge));
  base::FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failed(base::errno_text(errno));
  ::unlink(path.c_str());  // left by a server that was killed; the data directory's lock says that none is running
  const mode_t before = ::umask(0177);
  const bool bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0;
  const int bind_error = errno;
  ::umask(before);
  if (!bound) return failed(base::errno_text(bind_error));
  if (::listen(socket.get(), kControlBacklog) != 0) return failed(base::errno_text(errno));
  listener->socket_ = std::move(socket);
  return listener;
}

void ControlListener::failed(const std::string& why) { base::log::warning("control.accept_failed", {{"error", why}}); }

void ControlListener::accepted(base::FileDescriptor socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  // The file's mode says the same; the kernel's word about the peer does not depend on a folder's permissions.
  const bool same_user =
      ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && (peer.uid == ::geteuid() || peer.uid == 0);
  if (!same_user) return;
  base::spawn(Connection::run(
      std::make_unique<Connection>(edge_, plain_transport(edge_.io, std::move(socket)), domain::Address(), Entrance::Control)));
}

}  // namespace funcgate::http
