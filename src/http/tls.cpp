#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace funcgate::http {
namespace {

// In words, of the library's newest complaint; forgets all.
std::string last_problem() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = reason != nullptr ? reason : "unknown problem";
  ERR_clear_error();
  return text;
}

}  // namespace

base::Result<std::unique_ptr<TlsIdentity>> TlsIdentity::load(std::string certificate_path, std::string key_path) {
  std::unique_ptr<TlsIdentity> identity(new TlsIdentity(std::move(certificate_path), std::move(key_path)));
  TRY_DONE(identity->reload());
  return identity;
}

std::shared_ptr<SSL_CTX> TlsIdentity::current() const {
  std::lock_guard lock(mutex_);
  return context_;
}

base::Status TlsIdentity::reload() {
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (context == nullptr) return base::Error{base::Code::Internal, "cannot prepare TLS: " + last_problem(), {}};
  SSL_CTX* native = context.get();
  if (SSL_CTX_use_certificate_chain_file(native, certificate_path_.c_str()) != 1) {
    return base::Error{
        base::Code::InvalidArgument, "cannot read the certificate " + certificate_path_ + ": " + last_problem(), {}};
  }
  // Without a password: a server that starts unattended has nobody to ask.
  SSL_CTX_set_default_passwd_cb(native, [](char*, int, int, void*) { return 0; });
  if (SSL_CTX_use_PrivateKey_file(native, key_path_.c_str(), SSL_FILETYPE_PEM) != 1) {
    return base::Error{
        base::Code::InvalidArgument,
        "cannot use the private key " + key_path_ + " with the certificate " + certificate_path_ + ": " + last_problem(),
        {}};
  }
  if (SSL_CTX_check_private_key(native) != 1) {
    ERR_clear_error();
    return base::Error{
        base::Code::InvalidArgument, "the private key " + key_path_ + " does not belong to " + certificate_path_, {}};
  }
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection keeps no buffers; a turn reads what is there at once; what cannot be written whole is written in parts.
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(native, 1);
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
  context_ = context;
  return base::kDone;
}

}  // namespace funcgate::http
