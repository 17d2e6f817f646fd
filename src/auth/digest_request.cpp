#include "auth/digest_request.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::auth {
namespace {

using domain::DigestAlgorithm;

constexpr std::size_t kCnonceBytesMax = 256;
constexpr std::size_t kCountDigits = 8;

std::optional<DigestAlgorithm> parse_algorithm(const std::optional<std::string_view>& text) {
  if (!text) return DigestAlgorithm::Md5;
  for (const DigestAlgorithm algorithm : {DigestAlgorithm::Sha256, DigestAlgorithm::Sha512_256, DigestAlgorithm::Md5}) {
    if (base::equals_ignore_case(*text, domain::algorithm_name(algorithm))) return algorithm;
  }
  return std::nullopt;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return base::hex_value(c) >= 0; });
}

}  // namespace

DigestRequest::DigestRequest(std::string_view authorization) {
  const AuthorizationParts parts = split_authorization(authorization);
  if (!base::equals_ignore_case(parts.scheme, "Digest")) {
    problem = Problem::NotDigest;
  } else if (read(parts.rest)) {
    problem = Problem::None;
  }
}

bool DigestRequest::read(std::string_view rest) {
  if (!parse_digest_parameters(rest, parameters_)) return false;
  const DigestParameters& p = parameters_;
  if (!p.realm || !p.nonce || !p.uri || !p.response || p.uri->empty()) return false;
  realm = *p.realm;
  nonce = *p.nonce;
  uri = *p.uri;
  opaque = p.opaque;
  qop = p.qop;
  algorithm = parse_algorithm(p.algorithm);
  return read_name() && read_response() && read_count();
}

bool DigestRequest::read_name() {
  const DigestParameters& p = parameters_;
  if (p.userhash) {
    is_userhash = base::equals_ignore_case(*p.userhash, "true");
    if (!is_userhash && !base::equals_ignore_case(*p.userhash, "false")) return false;
  }
  // Both, or a hash in the extended form, contradict each other (3.4.4).
  if (p.username.has_value() == p.username_extended.has_value() || (is_userhash && p.username_extended)) return false;
  if (p.username_extended) {
    auto decoded = decode_extended_value(*p.username_extended);
    if (!decoded) return false;
    name_storage_ = std::move(*decoded);
    name = name_storage_;
  } else if (is_userhash) {
    const std::size_t size = std::min(p.username->size(), hash_storage_.size());
    std::transform(p.username->begin(), p.username->begin() + static_cast<std::ptrdiff_t>(size), hash_storage_.begin(),
                   base::ascii_lower);
    // A longer one is no hash; it stays as it is and is not found.
    name = p.username->size() <= hash_storage_.size() ? std::string_view(hash_storage_.data(), size) : *p.username;
  } else if (base::is_valid_utf8(*p.username)) {
    name = *p.username;
  } else {
    name_storage_ = base::latin1_to_utf8(*p.username);
    name = name_storage_;
  }
  return true;
}

bool DigestRequest::read_response() {
  const std::string_view text = *parameters_.response;
  const std::size_t digits = algorithm == DigestAlgorithm::Md5 ? 32 : 64;
  if (text.empty() || text.size() > response_storage_.size()) return false;
  if (algorithm && text.size() != digits) return false;
  // Every character, whatever the one before was: without a branch the compiler reads sixteen at once.
  bool is_hex_text = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto lower = static_cast<unsigned char>(c | 0x20);
    const bool is_digit = static_cast<unsigned char>(c - '0') < 10, is_letter = static_cast<unsigned char>(lower - 'a') < 6;
    is_hex_text &= is_digit | is_letter;
    response_storage_[i] = static_cast<char>(lower);  // digits have that bit set
  }
  if (!is_hex_text) return false;
  response = {response_storage_.data(), text.size()};
  return true;
}

bool DigestRequest::read_count() {
  if (!qop) return true;  // refused later, for that
  const DigestParameters& p = parameters_;
  if (!p.nc || !p.cnonce || p.cnonce->empty() || p.cnonce->size() > kCnonceBytesMax) return false;
  if (p.nc->size() != kCountDigits || !is_hex(*p.nc)) return false;
  nc = *p.nc;
  cnonce = *p.cnonce;
  for (const char c : nc) count = count << 4 | static_cast<std::uint32_t>(base::hex_value(c));
  return count != 0;
}

bool is_request_target(std::string_view uri, const domain::Call& call) {
  if (uri == call.target) return true;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!base::starts_with_ignore_case(uri, scheme)) continue;
    const std::string_view rest = uri.substr(scheme.size());
    const std::size_t end = rest.find_first_of("/?");
    if (end == std::string_view::npos || call.host.empty()) return false;
    return base::equals_ignore_case(rest.substr(0, end), call.host) && rest.substr(end) == call.target;
  }
  return false;
}

}  // namespace funcgate::auth
