// Listener: accepts connections on one io thread; each thread has its own socket (SO_REUSEPORT), so no hand-over is needed.
#pragma once

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

// A socket that accepts, watched by its io thread.
class Acceptor : private base::EventHandler {
 public:
  ~Acceptor() override { stop(); }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Own thread.
  void start();
  void stop();

 protected:
  explicit Acceptor(Edge& edge) : edge_(edge), pause_([this] { accept(); }) {}
  virtual void accepted(base::FileDescriptor socket) = 0;
  virtual void failed(const std::string& why) = 0;

  Edge& edge_;
  base::FileDescriptor socket_;  // listens and does not block

 private:
  void on_events(std::uint32_t) override { accept(); }
  void accept();
  void pause(int error_number);

  base::Timer pause_;
};

class Listener final : public Acceptor {
 public:
  // `tls` may be null (plain HTTP). Port 0 takes a free one; see port().
  static base::Result<std::unique_ptr<Listener>> open(Edge& edge, const ListenAddress& address, TlsIdentity* tls,
                                                      Entrance entrance = Entrance::Public);
  std::uint16_t port() const;

 private:
  Listener(Edge& edge, TlsIdentity* tls, Entrance entrance);
  void accepted(base::FileDescriptor socket) override;
  void failed(const std::string& why) override;

  TlsIdentity* tls_;
  const Entrance entrance_;
};

// The control socket: a Unix socket for the same operating-system user only.
class ControlListener final : public Acceptor {
 public:
  static base::Result<std::unique_ptr<ControlListener>> open(Edge& edge, const std::string& path);

 private:
  explicit ControlListener(Edge& edge);
  void accepted(base::FileDescriptor socket) override;
  void failed(const std::string& why) override;
};

}  // namespace funcgate::http
