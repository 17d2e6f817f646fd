// ClientStream: one connection to a server, plain or TLS, that never waits; and ClientTls, what all TLS connections share.
//
// Certificates are always checked, for the name or the address that was dialled. Not thread-safe; a ClientTls may be shared by
// threads once it is made.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace funcgate::http {

class ClientTls {
 public:
  // TLS 1.2 and 1.3. `ca_file`: PEM, trusted instead of what this machine trusts; empty = the machine's. `host`: whom the
  // certificate must name. InvalidArgument: the file cannot be read.
  static base::Result<ClientTls> make(const std::string& ca_file, std::string host);

 private:
  friend class ClientStream;
  struct ContextDeleter {
    void operator()(ssl_ctx_st* context) const;
  };
  ClientTls(ssl_ctx_st* context, std::string host) : context_(context), host_(std::move(host)) {}

  std::unique_ptr<ssl_ctx_st, ContextDeleter> context_;
  std::string host_;
};

class ClientStream {
 public:
  enum class Io {
    Done,
    Wait,    // until the descriptor is readable or writable
    End,     // the peer sends no more
    Failed,  // see problem()
  };

  ClientStream() = default;
  ClientStream(ClientStream&&) noexcept = default;
  ClientStream& operator=(ClientStream&&) noexcept = default;

  // Begins to connect; `tls` null: plain. What was open is closed.
  Io open(const boost::asio::ip::tcp::endpoint& endpoint, const ClientTls* tls);
  // After open() until it is no longer Wait: connection and handshake. Done: read() and write() may be used.
  Io advance();
  Io read(char* into, std::size_t capacity, std::size_t& got);
  // At most all of `bytes`.
  Io write(std::string_view bytes, std::size_t& sent);
  void close();

  int descriptor() const { return socket_.get(); }
  bool is_open() const { return static_cast<bool>(socket_); }
  bool is_encrypted() const { return tls_ != nullptr; }
  bool is_connected() const { return connected_; }
  // What went wrong last, in words.
  std::string problem() const;

 private:
  struct TlsDeleter {
    void operator()(ssl_st* tls) const;
  };
  Io tls_outcome(int returned);
  Io failed(int error_number);

  base::FileDescriptor socket_;
  std::unique_ptr<ssl_st, TlsDeleter> tls_;
  bool connected_ = false;
  int error_number_ = 0;
  std::string tls_problem_;
};

// Connects to the first of the endpoints that takes a connection, TLS included, each within `timeout_ns`, and closes it again.
// Unavailable: none does; the message is ready to be shown.
base::Result<boost::asio::ip::tcp::endpoint> find_reachable(const std::vector<boost::asio::ip::tcp::endpoint>& endpoints,
                                                            const ClientTls* tls, base::SteadyNs timeout_ns);

}  // namespace funcgate::http
