#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <string>

#include "http/transport.h"

namespace funcgate::http {
namespace {

class TlsTransport final : public Transport {
 public:
  TlsTransport(base::IoThread& io, base::FileDescriptor socket, SSL_CTX* context)
      : Transport(io, std::move(socket)), ssl_(::SSL_new(context), &::SSL_free) {
    if (ssl_ == nullptr || ::SSL_set_fd(ssl_.get(), this->socket()) != 1) ssl_.reset();
    ::ERR_clear_error();
  }
  ~TlsTransport() override { close(); }

  bool is_tls() const override { return true; }
  bool can_send_file() const override { return false; }

 private:
  Progress read(Operation& operation) override {
    if (!readable_ && (ssl_ == nullptr || ::SSL_has_pending(ssl_.get()) == 0)) return Progress::Waits;
    if (!may_receive()) return Progress::Waits;
    if (!operation.make_room()) return Progress::Done;
    return step(operation, [&](SSL* ssl) {
      const std::size_t room = std::min<std::size_t>(operation.room.size(), INT_MAX);
      const int got = ::SSL_read(ssl, operation.room.data(), static_cast<int>(room));
      if (got > 0) operation.result.bytes = static_cast<std::size_t>(got);
      return got;
    });
  }

  Progress handshake_step(Operation& operation) override {
    return step(operation, [](SSL* ssl) { return ::SSL_accept(ssl); });
  }

  Progress write(Operation& operation) override {
    const std::size_t until = operation.bytes.size() - std::min(operation.bytes.size(), kSendBytesPerTurn);
    while (!operation.bytes.empty()) {
      if (operation.bytes.size() < until) return next_turn();
      // A record at most; the library keeps what of it does not fit, and wants the same bytes again.
      const Progress progress = step(operation, [&](SSL* ssl) {
        const std::size_t size = std::min<std::size_t>(operation.bytes.size(), INT_MAX);
        const int put = ::SSL_write(ssl, operation.bytes.data(), static_cast<int>(size));
        if (put > 0) {
          operation.bytes.remove_prefix(static_cast<std::size_t>(put));
          operation.result.bytes += static_cast<std::size_t>(put);
        }
        return put;
      });
      if (progress == Progress::Waits || operation.result.error) return progress;
    }
    return Progress::Done;
  }

  // The library's own way would wait for the peer's alert too, and that wait would be a stranger's to prolong. Written into
  // memory instead, ours is sent like any other bytes.
  Progress end_stream(Operation& operation) override {
    if (ssl_ != nullptr && !ending_) {
      ending_ = true;
      BIO* const memory = ::BIO_new(::BIO_s_mem());
      if (memory != nullptr) {
        ::SSL_set0_wbio(ssl_.get(), memory);
        ::SSL_shutdown(ssl_.get());
        ::ERR_clear_error();
        char* bytes = nullptr;
        const long size = BIO_get_mem_data(memory, &bytes);
        if (size > 0) close_notify_.assign(bytes, static_cast<std::size_t>(size));
      }
      operation.bytes = close_notify_;
    }
    if (send(operation) == Progress::Waits) return Progress::Waits;
    return Transport::end_stream(operation);
  }

  template <class F>
  Progress step(Operation& operation, F&& call) {
    if (ssl_ == nullptr) {
      operation.result.error = std::make_error_code(std::errc::not_enough_memory);
      return Progress::Done;
    }
    ::ERR_clear_error();  // what another connection left there would be taken for ours
    const int state = call(ssl_.get());
    if (state > 0) return Progress::Done;
    switch (::SSL_get_error(ssl_.get(), state)) {
      case SSL_ERROR_WANT_READ: readable_ = false; return Progress::Waits;
      case SSL_ERROR_WANT_WRITE: writable_ = false; return Progress::Waits;
      default: operation.result.error = std::make_error_code(std::errc::connection_reset);
    }
    ::ERR_clear_error();
    return Progress::Done;
  }

  std::unique_ptr<SSL, decltype(&::SSL_free)> ssl_;
  std::string close_notify_;
  bool ending_ = false;
};

}  // namespace

std::unique_ptr<Transport> tls_transport(base::IoThread& io, base::FileDescriptor socket,
                                         const std::shared_ptr<SSL_CTX>& context) {
  return std::make_unique<TlsTransport>(io, std::move(socket), context.get());
}

}  // namespace funcgate::http
