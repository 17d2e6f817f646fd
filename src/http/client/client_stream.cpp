#include "http/client/client_stream.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "http/client/target_url.h"

namespace funcgate::http {
namespace {

using base::Code;
using base::Error;

std::string newest_tls_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? std::string("TLS failed") : std::string(reason);
}

bool is_address(const std::string& host) {
  boost::system::error_code error;
  boost::asio::ip::make_address(host, error);
  return !error;
}

}  // namespace

void ClientTls::ContextDeleter::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void ClientStream::TlsDeleter::operator()(ssl_st* tls) const { SSL_free(tls); }

base::Result<ClientTls> ClientTls::make(const std::string& ca_file, std::string host) {
  ClientTls made(SSL_CTX_new(TLS_client_method()), std::move(host));
  SSL_CTX* const context = made.context_.get();
  CHECK(context != nullptr);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  SSL_CTX_set_alpn_protos(context, kHttp11, sizeof kHttp11);
  ERR_clear_error();
  const int trusted = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context)
                                      : SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr);
  if (trusted != 1) {
    return Error{
        Code::InvalidArgument,
        fmt::format("the certificates of {} cannot be read: {}", ca_file.empty() ? "this machine" : ca_file, newest_tls_error()),
        {}};
  }
  // The name that the certificate must have, in the parameters that every connection begins with.
  X509_VERIFY_PARAM* const parameters = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int named = is_address(made.host_) ? X509_VERIFY_PARAM_set1_ip_asc(parameters, made.host_.c_str())
                                           : X509_VERIFY_PARAM_set1_host(parameters, made.host_.c_str(), made.host_.size());
  CHECK(named == 1);
  return made;
}

ClientStream::Io ClientStream::failed(int error_number) {
  error_number_ = error_number;
  tls_problem_.clear();
  return Io::Failed;
}

ClientStream::Io ClientStream::open(const boost::asio::ip::tcp::endpoint& endpoint, const ClientTls* tls) {
  close();
  socket_ = base::FileDescriptor(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket_) return failed(errno);
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (tls != nullptr) {
    tls_.reset(SSL_new(tls->context_.get()));
    CHECK(tls_ != nullptr);
    SSL_set_fd(tls_.get(), socket_.get());
    SSL_set_connect_state(tls_.get());
    if (!is_address(tls->host_)) SSL_set_tlsext_host_name(tls_.get(), tls->host_.c_str());
  }
  if (::connect(socket_.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0) {
    connected_ = true;
    return advance();
  }
  return errno == EINPROGRESS ? Io::Wait : failed(errno);
}

ClientStream::Io ClientStream::advance() {
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return failed(errno);
    if (error != 0) return failed(error);
    // No error may also mean: not yet.
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    if (::getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0)
      return errno == ENOTCONN ? Io::Wait : failed(errno);
    connected_ = true;
  }
  if (!tls_) return Io::Done;
  ERR_clear_error();
  const int returned = SSL_do_handshake(tls_.get());
  return returned == 1 ? Io::Done : tls_outcome(returned);
}

ClientStream::Io ClientStream::tls_outcome(int returned) {
  const int system_error = errno;
  switch (SSL_get_error(tls_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return Io::Wait;
    case SSL_ERROR_ZERO_RETURN: return Io::End;
    case SSL_ERROR_SYSCALL: return failed(system_error == 0 ? ECONNRESET : system_error);
    default: break;
  }
  failed(0);
  const long verdict = SSL_get_verify_result(tls_.get());
  tls_problem_ = verdict == X509_V_OK ? newest_tls_error()
                                      : fmt::format("the certificate is not trusted: {}", X509_verify_cert_error_string(verdict));
  return Io::Failed;
}

ClientStream::Io ClientStream::read(char* into, std::size_t capacity, std::size_t& got) {
  got = 0;
  if (tls_) {
    ERR_clear_error();
    errno = 0;
    const int returned = SSL_read_ex(tls_.get(), into, capacity, &got);
    return returned == 1 ? Io::Done : tls_outcome(returned);
  }
  ssize_t bytes = 0;
  do bytes = ::recv(socket_.get(), into, capacity, 0);
  while (bytes < 0 && errno == EINTR);
  if (bytes > 0) {
    got = static_cast<std::size_t>(bytes);
    return Io::Done;
  }
  if (bytes == 0) return Io::End;
  return errno == EAGAIN ? Io::Wait : failed(errno);
}

ClientStream::Io ClientStream::write(std::string_view bytes, std::size_t& sent) {
  sent = 0;
  if (tls_) {
    ERR_clear_error();
    errno = 0;
    const int returned = SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &sent);
    return returned == 1 ? Io::Done : tls_outcome(returned);
  }
  ssize_t taken = 0;
  do taken = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  while (taken < 0 && errno == EINTR);
  if (taken >= 0) {
    sent = static_cast<std::size_t>(taken);
    return Io::Done;
  }
  return errno == EAGAIN ? Io::Wait : failed(errno);
}

void ClientStream::close() {
  // Best effort: whoever measures does not wait for the peer's farewell.
  if (tls_ && connected_ && SSL_is_init_finished(tls_.get())) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());
  }
  tls_.reset();
  socket_.reset();
  connected_ = false;
}

std::string ClientStream::problem() const { return tls_problem_.empty() ? base::errno_text(error_number_) : tls_problem_; }

base::Result<boost::asio::ip::tcp::endpoint> find_reachable(const std::vector<boost::asio::ip::tcp::endpoint>& endpoints,
                                                            const ClientTls* tls, base::SteadyNs timeout_ns) {
  const base::SystemClock clock;
  std::string problem = "there is no address";
  for (const auto& endpoint : endpoints) {
    ClientStream stream;
    ClientStream::Io state = stream.open(endpoint, tls);
    const base::SteadyNs until_ns = clock.steady_ns() + timeout_ns;
    while (state == ClientStream::Io::Wait) {
      const base::SteadyNs left_ns = until_ns - clock.steady_ns();
      if (left_ns <= 0) break;
      pollfd wanted{.fd = stream.descriptor(), .events = POLLIN | POLLOUT, .revents = 0};
      // A handshake waits for bytes, a connection for room to send; a writable socket must not make a busy loop of the former.
      if (stream.is_encrypted() && stream.is_connected()) wanted.events = POLLIN;
      ::poll(&wanted, 1, static_cast<int>(std::max<base::SteadyNs>(1, left_ns / base::kNsPerMs)));
      state = stream.advance();
    }
    if (state == ClientStream::Io::Done) return endpoint;
    const std::string why = state == ClientStream::Io::Wait  ? std::string("no answer in time")
                            : state == ClientStream::Io::End ? std::string("the server ended the connection")
                                                             : stream.problem();
    problem = fmt::format("cannot connect to {}: {}", endpoint_text(endpoint), why);
  }
  return Error{Code::Unavailable, std::move(problem), {}};
}

}  // namespace funcgate::http
