// A Digest Authorization header, read and checked for form: what RFC 7616, 3.4 demands of it before anything is looked up.
//
// Not copyable: views point into the header and into the object. Thread-safety: a plain value.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/authorization_header.h"
#include "domain/api_auth.h"
#include "domain/call.h"

namespace funcgate::auth {

class DigestRequest {
 public:
  enum class Problem : std::uint8_t { None, NotDigest, Malformed };
  explicit DigestRequest(std::string_view authorization);
  DigestRequest(const DigestRequest&) = delete;
  DigestRequest& operator=(const DigestRequest&) = delete;

  Problem problem = Problem::Malformed;
  // Valid if there is no problem. UTF-8 user name, or the userhash in lower case.
  std::string_view name;
  bool is_userhash = false;
  std::string_view realm, nonce, uri;
  std::string_view response;                         // lower-case hex
  std::optional<domain::DigestAlgorithm> algorithm;  // nullopt: one that is not known here. Left out = MD5
  std::optional<std::string_view> qop;               // as sent; without it nc and cnonce are empty
  std::string_view nc, cnonce;
  std::uint32_t count = 0;  // value of nc, not 0
  std::optional<std::string_view> opaque;

 private:
  bool read(std::string_view rest);
  bool read_name();
  bool read_response();
  bool read_count();

  DigestParameters parameters_;
  std::string name_storage_;
  std::array<char, 64> hash_storage_, response_storage_;
};

// Whether `uri` is the target of the request, byte for byte, or an absolute URI with its host whose path and query are.
bool is_request_target(std::string_view uri, const domain::Call& call);

}  // namespace funcgate::auth
