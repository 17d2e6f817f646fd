// crypto/jws CompactJws: two inputs. As they come: views stay within bounds, nothing is verified by chance. As header and claims
// of a token that was really signed: what is accepted is what the strict JSON scanner accepts, and both read the same claims.
#include <string>

#include "base/encoding.h"
#include "base/json_scan.h"
#include "crypto/jws.h"
#include "fuzz_input.h"

using namespace funcgate;
using namespace funcgate::fuzz;

namespace {

std::string signed_token(const crypto::HmacKey& key, std::string_view header, std::string_view claims) {
  const std::string part = base::base64url_encode(header) + "." + base::base64url_encode(claims);
  return part + "." + base::base64url_encode(crypto::as_view(key.sign(part)));
}

void agree(const base::JsonMember& member, std::string_view read) {
  PROMISE(std::string_view(member.string_value.value_or("")) == read);
}

void check_claims(const crypto::CompactJws& token, const crypto::HmacKey& key, std::string_view header, std::string_view claims) {
  const auto in_header = base::find_members(header, {{"alg"}, {"kid"}});
  const auto in_claims = base::find_members(claims, {{"iss"}, {"sub"}, {"jti"}, {"iat"}});
  PROMISE(in_header && in_claims);
  PROMISE((*in_header)[0].string_value == "HS256");
  agree((*in_header)[1], token.key_id());
  const crypto::JwsClaims* read = token.verify(key);
  PROMISE(read != nullptr);
  if (!read->readable) return;
  agree((*in_claims)[0], read->issuer);
  agree((*in_claims)[1], read->subject);
  agree((*in_claims)[2], read->id);
  const base::JsonMember& issued = (*in_claims)[3];
  PROMISE(issued.found);
  PROMISE(claims.substr(issued.value_begin, issued.value_end - issued.value_begin) == std::to_string(read->issued_at_s));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const crypto::HmacKey key(std::string_view("a signing secret of the fuzz target"));
  const std::string_view text = text_of(data, size);
  const crypto::CompactJws raw(text);
  PROMISE(raw.problem() == crypto::JwsProblem::None || raw.verify(key) == nullptr);
  PROMISE(size <= crypto::kJwsBytesMax || raw.problem() == crypto::JwsProblem::Malformed);
  const std::size_t cut = text.find('\0');
  const std::string_view header = text.substr(0, cut);
  const std::string_view claims = cut == std::string_view::npos ? std::string_view("{\"iat\":1}") : text.substr(cut + 1);
  const std::string token = signed_token(key, header, claims);
  const crypto::CompactJws read(token);
  if (read.problem() != crypto::JwsProblem::Malformed) {
    PROMISE(!base::validate_json(header) && !base::validate_json(claims));
  }
  if (read.problem() == crypto::JwsProblem::None) check_claims(read, key, header, claims);
  return 0;
}
