// TLS: the server's certificate and key, reloadable without dropping connections.
//
// Thread-safety: current() and reload() from any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

typedef struct ssl_ctx_st SSL_CTX;

namespace funcgate::http {

class TlsIdentity {
 public:
  // PEM files; the chain begins with the server's certificate. TLS 1.2 and 1.3 only.
  static base::Result<std::unique_ptr<TlsIdentity>> load(std::string certificate_path, std::string key_path);
  std::shared_ptr<SSL_CTX> current() const;
  // New connections use the new files; on failure the old ones stay in use.
  base::Status reload();

 private:
  TlsIdentity(std::string certificate_path, std::string key_path)
      : certificate_path_(std::move(certificate_path)), key_path_(std::move(key_path)) {}
  const std::string certificate_path_, key_path_;
  mutable std::mutex mutex_;
  std::shared_ptr<SSL_CTX> context_;  // guarded by mutex_
};

}  // namespace funcgate::http
