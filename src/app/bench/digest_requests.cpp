#include "app/bench/digest_requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "auth/authorization_header.h"
#include "auth/digest.h"
#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::app::bench {
namespace {

using http::Verdict;

constexpr std::size_t kCnonceBytes = 12, kCountDigits = 8, kOffersShownMax = 200;
constexpr std::string_view kSession = "-sess";

struct AlgorithmRow {
  std::string_view name;
  crypto::HashAlgorithm algorithm;
};
constexpr AlgorithmRow kAlgorithms[] = {{"SHA-512-256", crypto::HashAlgorithm::Sha512_256},
                                        {"SHA-256", crypto::HashAlgorithm::Sha256},
                                        {"MD5", crypto::HashAlgorithm::Md5}};

const AlgorithmRow* find_algorithm(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms),
                                         [&](const AlgorithmRow& row) { return base::equals_ignore_case(row.name, name); });
  return found == std::end(kAlgorithms) ? nullptr : found;
}

bool names(std::string_view list, std::string_view word) {
  for (const std::string_view one : base::split(list, ',')) {
    if (base::equals_ignore_case(base::trim(one), word)) return true;
  }
  return false;
}

void write_count(std::uint32_t count, char* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = kCountDigits; i-- > 0; count >>= 4) out[i] = kDigits[count & 15];
}

}  // namespace

DigestRequests::DigestRequests(const RequestText& request, std::string_view bare, const Account& account, base::Random& random)
    : request_(request), bare_(bare), account_(account), random_(random) {}

void DigestRequests::begin_answer() {
  offered_.reset();
  offered_stale_ = false;
  next_nonce_.clear();
  other_offers_.clear();
}

void DigestRequests::on_field(std::string_view name, std::string_view value) {
  if (base::equals_ignore_case(name, "www-authenticate")) return read_challenge(value);
  if (!base::equals_ignore_case(name, "authentication-info") || value.find("nextnonce") == std::string_view::npos) return;
  auth::DigestOffer info;
  if (auth::parse_digest_offer(value, info) && info.nextnonce) next_nonce_ = *info.nextnonce;
}

void DigestRequests::read_challenge(std::string_view value) {
  const auth::AuthorizationParts parts = auth::split_authorization(value);
  auth::DigestOffer offer;
  const bool readable = base::equals_ignore_case(parts.scheme, "Digest") && auth::parse_digest_offer(parts.rest, offer) &&
                        offer.realm && offer.nonce;
  std::string_view algorithm = readable ? offer.algorithm.value_or("MD5") : std::string_view();
  const bool session = algorithm.size() > kSession.size() &&
                       base::equals_ignore_case(algorithm.substr(algorithm.size() - kSession.size()), kSession);
  if (session) algorithm.remove_suffix(kSession.size());
  const AlgorithmRow* const row = find_algorithm(algorithm);
  const bool with_auth = readable && offer.qop && names(*offer.qop, "auth");
  const bool with_auth_int = readable && offer.qop && names(*offer.qop, "auth-int");
  if (row == nullptr || (!with_auth && !with_auth_int)) {
    if (other_offers_.size() < kOffersShownMax)
      other_offers_ += (other_offers_.empty() ? "" : ", ") + base::printable(parts.scheme, 40);
    return;
  }
  if (offered_) return;
  offered_stale_ = offer.stale && base::equals_ignore_case(*offer.stale, "true");
  offered_ = Terms{.realm = std::string(*offer.realm),
                   .nonce = std::string(*offer.nonce),
                   .opaque = std::string(offer.opaque.value_or("")),
                   .algorithm_name = fmt::format("{}{}", row->name, session ? kSession : ""),
                   .algorithm = row->algorithm,
                   .session = session,
                   .auth_int = !with_auth,
                   .has_opaque = offer.opaque.has_value()};
}

std::string_view DigestRequests::preparation() {
  begin_answer();
  return bare_;
}

Verdict DigestRequests::prepared(int status) {
  if (status == 401 && offered_) {
    terms_ = std::move(*offered_);
    adopt();
    return Verdict::Ready;
  }
  if (status == 429 || status >= 500) {
    problem_ = fmt::format("asked for a challenge of HTTP Digest, the server answered {}", status);
    return Verdict::Later;
  }
  if (status == 401) {
    problem_ = fmt::format("the server offers no HTTP Digest that can be answered; it offers: {}",
                           other_offers_.empty() ? std::string("nothing") : other_offers_);
  } else if (status / 100 == 2) {
    problem_ = fmt::format("the server answered {} without credentials: this API does not ask for HTTP Digest", status);
  } else {
    problem_ = fmt::format("asked for a challenge of HTTP Digest, the server answered {}", status);
  }
  return Verdict::Never;
}

void DigestRequests::adopt() {
  const crypto::HashAlgorithm algorithm = terms_.algorithm;
  cnonce_ = base::hex_encode(random_.bytes(kCnonceBytes));
  std::string ha1 = auth::digest_ha1(algorithm, account_.name, terms_.realm, account_.password.reveal());
  if (terms_.session) {
    // RFC 7616, 3.4.2: bound to the first nonce and cnonce.
    crypto::Hasher hasher(algorithm);
    hasher.update(ha1).update(":").update(terms_.nonce).update(":").update(cnonce_);
    ha1 = std::string(hasher.finish_hex().view());
  }
  ha1_ = base::SecretString(std::move(ha1));
  body_hash_ = terms_.auth_int ? std::string(crypto::Hasher(algorithm).update(request_.body).finish_hex().view()) : std::string();
  text_ = request_.head;
  text_ += "Authorization: Digest username=" + auth::quoted(account_.name) + ", realm=" + auth::quoted(terms_.realm);
  text_ += ", nonce=" + auth::quoted(terms_.nonce) + ", uri=" + auth::quoted(request_.target);
  text_ += fmt::format(", algorithm={}, qop={}, nc=", terms_.algorithm_name, qop());
  count_at_ = text_.size();
  text_.append(kCountDigits, '0');
  text_ += ", cnonce=" + auth::quoted(cnonce_);
  if (terms_.has_opaque) text_ += ", opaque=" + auth::quoted(terms_.opaque);
  text_ += ", response=\"";
  response_at_ = text_.size();
  text_.append(2 * crypto::digest_bytes(algorithm), '0');
  text_ += "\"\r\n\r\n";
  text_ += request_.body;
  count_ = 0;
}

std::string_view DigestRequests::next() {
  begin_answer();
  write_count(++count_, text_.data() + count_at_);
  auth::DigestResponseParts parts{.ha1 = ha1_.reveal(),
                                  .nonce = terms_.nonce,
                                  .nc = std::string_view(text_).substr(count_at_, kCountDigits),
                                  .cnonce = cnonce_,
                                  .qop = qop(),
                                  .method = request_.method,
                                  .uri = request_.target};
  if (terms_.auth_int) parts.body_hash = body_hash_;
  const crypto::HexDigest response = auth::digest_response(terms_.algorithm, parts);
  std::copy(response.view().begin(), response.view().end(), text_.begin() + static_cast<std::ptrdiff_t>(response_at_));
  return text_;
}

Verdict DigestRequests::judge(int status) {
  // Stale says that the response was right and only the nonce too old; twice in a row it says nothing any more.
  if (status == 401 && offered_ && offered_stale_ && !repeated_) {
    terms_ = std::move(*offered_);
    adopt();
    repeated_ = true;
    return Verdict::Repeat;
  }
  repeated_ = false;
  // A session key stays bound to its first nonce.
  if (status != 401 && !next_nonce_.empty() && !terms_.session) {
    terms_.nonce = next_nonce_;
    adopt();
  }
  return Verdict::Counts;
}

}  // namespace funcgate::app::bench
