// auth: the Authorization header as every scheme reads it, and what is printed into challenges.
#include <memory>
#include <string>

#include "auth/authorization_header.h"
#include "auth/digest_request.h"
#include "base/text.h"
#include "fuzz_input.h"

using namespace funcgate;
using namespace funcgate::fuzz;

namespace {

void check_split(std::string_view text) {
  const auth::AuthorizationParts parts = auth::split_authorization(text);
  PROMISE(lies_within(parts.scheme, text) && lies_within(parts.rest, text));
  PROMISE(parts.scheme.find(' ') == std::string_view::npos && !parts.rest.starts_with(' '));
  PROMISE(text.starts_with(parts.scheme) && text.ends_with(parts.rest));
  PROMISE(auth::is_scheme(text, parts.scheme) && auth::is_scheme(text, base::to_upper(parts.scheme)));
}

void check_digest(std::string_view text) {
  const auto request = std::make_unique<auth::DigestRequest>(text);
  const bool is_digest = base::equals_ignore_case(auth::split_authorization(text).scheme, "Digest");
  PROMISE((request->problem == auth::DigestRequest::Problem::NotDigest) == !is_digest);
  if (request->problem != auth::DigestRequest::Problem::None) return;
  PROMISE(!request->uri.empty() && !request->response.empty() && request->response.size() <= 64);
  for (char c : request->response) PROMISE((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
  if (!request->is_userhash) PROMISE(base::is_valid_utf8(request->name));
  if (request->qop) PROMISE(request->nc.size() == 8 && request->count != 0 && !request->cnonce.empty());
  if (!request->qop) PROMISE(request->nc.empty() && request->cnonce.empty());
}

// What stands in a challenge can be read back, and never leaves its line.
void check_quoted(std::string_view text) {
  const std::string quoted = auth::quoted(text);
  PROMISE(!base::has_control(quoted) && quoted.size() >= 2);
  if (text.size() > 2000) return;
  const std::string header = "realm=" + quoted;
  const auto parameters = std::make_unique<auth::DigestParameters>();
  PROMISE(auth::parse_digest_parameters(header, *parameters) && parameters->realm);
  std::string expected;
  for (char c : text) {
    if (!base::has_control({&c, 1})) expected.push_back(c);
  }
  PROMISE(*parameters->realm == expected);
  PROMISE(!base::has_control(auth::basic_challenge(text)) &&
          !base::has_control(auth::digest_challenge({.realm = text, .nonce = text})));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = text_of(data, size);
  check_split(text);
  check_digest(text);
  check_quoted(text);
  return 0;
}
