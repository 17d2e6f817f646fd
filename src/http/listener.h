// Listener: accepts connections on one io thread; each thread has its own socket (SO_REUSEPORT), so no hand-over is needed.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <memory>
#include <string>

#include "base/result.h"
#include "http/edge.h"
#include "http/tls.h"

namespace funcgate::http {

struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};
// "127.0.0.1:8089", "[::1]:8089", ":8089" (all addresses).
base::Result<ListenAddress> parse_listen_address(std::string_view text);

class Listener {
 public:
  // `tls` may be null (plain HTTP). Port 0 takes a free one; see port().
  static base::Result<std::unique_ptr<Listener>> open(Edge& edge, const ListenAddress& address, TlsIdentity* tls,
                                                      Entrance entrance = Entrance::Public);
  std::uint16_t port() const;
  // Own thread.
  void start();
  void stop();

 private:
  Listener(Edge& edge, TlsIdentity* tls, Entrance entrance);
  void accept();
  Edge& edge_;
  TlsIdentity* tls_;
  const Entrance entrance_;
  boost::asio::ip::tcp::acceptor acceptor_;
  base::Timer pause_;
};

// The control socket: a Unix socket for the same operating-system user only.
class ControlListener {
 public:
  static base::Result<std::unique_ptr<ControlListener>> open(Edge& edge, const std::string& path);
  void start();
  void stop();

 private:
  explicit ControlListener(Edge& edge);
  void accept();
  Edge& edge_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  base::Timer pause_;
};

}  // namespace funcgate::http
