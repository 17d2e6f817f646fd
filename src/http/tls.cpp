#include "http/tls.h"

#include <openssl/ssl.h>

#include <boost/asio/ssl/impl/src.hpp>

namespace funcgate::http {

base::Result<std::unique_ptr<TlsIdentity>> TlsIdentity::load(std::string certificate_path, std::string key_path) {
  std::unique_ptr<TlsIdentity> identity(new TlsIdentity(std::move(certificate_path), std::move(key_path)));
  TRY_DONE(identity->reload());
  return identity;
}

std::shared_ptr<boost::asio::ssl::context> TlsIdentity::current() const {
  std::lock_guard lock(mutex_);
  return context_;
}

base::Status TlsIdentity::reload() {
  auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_server);
  boost::system::error_code error;
  context->use_certificate_chain_file(certificate_path_, error);
  if (error)
    return base::Error{
        base::Code::InvalidArgument, "cannot read the certificate " + certificate_path_ + ": " + error.message(), {}};
  context->use_private_key_file(key_path_, boost::asio::ssl::context::pem, error);
  if (error)
    return base::Error{base::Code::InvalidArgument,
                       "cannot use the private key " + key_path_ + " with the certificate " + certificate_path_ + ": " +
                           error.message(),
                       {}};
  SSL_CTX* native = context->native_handle();
  if (SSL_CTX_check_private_key(native) != 1) {
    return base::Error{
        base::Code::InvalidArgument, "the private key " + key_path_ + " does not belong to " + certificate_path_, {}};
  }
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Credentials do not stay in the library's buffers either.
  SSL_CTX_set_options(native, SSL_OP_CLEANSE_PLAINTEXT);
  // Only what this server speaks: a client that offers nothing else fails at once.
  SSL_CTX_set_alpn_select_cb(
      native,
      [](SSL*, const unsigned char** out, unsigned char* length, const unsigned char* in, unsigned int size, void*) {
        static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
        unsigned char* selected = nullptr;
        if (SSL_select_next_proto(&selected, length, kHttp11, sizeof kHttp11, in, size) != OPENSSL_NPN_NEGOTIATED)
          return SSL_TLSEXT_ERR_NOACK;
        *out = selected;
        return SSL_TLSEXT_ERR_OK;
      },
      nullptr);
  std::lock_guard lock(mutex_);
  context_ = std::move(context);
  return base::kDone;
}

}  // namespace funcgate::http
