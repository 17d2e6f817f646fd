#include "auth/digest.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "auth/principal_issuer.h"
#include "base/encoding.h"
#include "base/io_thread.h"
#include "base/text.h"

namespace funcgate::auth {
namespace {

using domain::DigestAlgorithm;
using domain::Reason;
using Problem = DigestRequest::Problem;

constexpr std::int64_t kClockToleranceMs = 5000;
constexpr DigestAlgorithm kStrongestFirst[] = {DigestAlgorithm::Sha512_256, DigestAlgorithm::Sha256, DigestAlgorithm::Md5};

std::size_t index_of(DigestAlgorithm algorithm) { return static_cast<std::size_t>(algorithm); }

// What an accepted request leaves for Authentication-Info: lines, because none of the texts can hold a line feed.
struct InfoState {
  DigestAlgorithm algorithm = DigestAlgorithm::Md5;
  std::size_t account = 0;
  std::string_view nonce, nc, qop, cnonce, uri;

  std::string write() const {
    std::string out;
    out.reserve(32 + nonce.size() + nc.size() + qop.size() + cnonce.size() + uri.size());
    out.append(std::to_string(index_of(algorithm))).append("\n").append(std::to_string(account));
    for (const std::string_view text : {nonce, nc, qop, cnonce, uri}) out.append("\n").append(text);
    return out;
  }
  static std::optional<InfoState> read(std::string_view text) {
    const auto lines = base::split(text, '\n');
    if (lines.size() != 7) return std::nullopt;
    const auto algorithm = base::parse_digits(lines[0]), account = base::parse_digits(lines[1]);
    if (!algorithm || *algorithm > 2 || !account) return std::nullopt;
    return InfoState{static_cast<DigestAlgorithm>(*algorithm),
                     static_cast<std::size_t>(*account),
                     lines[2],
                     lines[3],
                     lines[4],
                     lines[5],
                     lines[6]};
  }
};

// What an accepted request with qop=auth leaves: nothing of it depends on the answer. The moment its nonce was issued, in 8
// bytes, and the value of Authentication-Info but for nextnonce; told from InfoState by its first byte.
struct ReadyInfo {
  static constexpr char kMark = 'R';
  base::WallMs issued_ms = 0;
  std::string_view text;

  static std::optional<ReadyInfo> read(std::string_view state) {
    ReadyInfo info;
    if (state.size() < 1 + sizeof info.issued_ms || state.front() != kMark) return std::nullopt;
    std::memcpy(&info.issued_ms, state.data() + 1, sizeof info.issued_ms);
    info.text = state.substr(1 + sizeof info.issued_ms);
    return info;
  }
  static std::string write(base::WallMs issued_ms, std::string_view rspauth, const DigestRequest& request) {
    constexpr std::size_t kFixedBytes = 64;  // names, quotes and blanks
    std::string out(1 + sizeof issued_ms, kMark);
    std::memcpy(out.data() + 1, &issued_ms, sizeof issued_ms);
    out.reserve(out.size() + kFixedBytes + rspauth.size() + request.qop->size() + request.nc.size() + request.cnonce.size());
    out.append("rspauth=\"").append(rspauth).append("\", qop=").append(*request.qop).append(", nc=").append(request.nc);
    append_quoted(out.append(", cnonce="), request.cnonce);
    return out;
  }
};

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

bool is_auth_int(std::string_view qop) { return base::equals_ignore_case(qop, "auth-int"); }

// With the key that it names; what names none of them fails under the current one.
base::Result<base::SecretString> open_sealed(const std::vector<crypto::SealingKey>& keys, std::string_view sealed,
                                             std::initializer_list<std::string_view> bound_to) {
  const auto kid = crypto::sealed_kid(sealed);
  const auto named =
      std::find_if(keys.begin(), keys.end(), [&](const crypto::SealingKey& key) { return kid && key.kid() == *kid; });
  return (named == keys.end() ? keys.front() : *named).open(sealed, bound_to);
}

}  // namespace

crypto::HashAlgorithm hash_algorithm(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::Sha256: return crypto::HashAlgorithm::Sha256;
    case DigestAlgorithm::Sha512_256: return crypto::HashAlgorithm::Sha512_256;
    case DigestAlgorithm::Md5: return crypto::HashAlgorithm::Md5;
  }
  return crypto::HashAlgorithm::Sha256;
}

base::Result<std::string> seal_digest_ha1(const crypto::SealingKey& sealing, std::string_view config_id, std::string_view name,
                                          DigestAlgorithm algorithm, std::string_view realm, std::string_view password) {
  const base::SecretString ha1(digest_ha1(hash_algorithm(algorithm), name, realm, password));
  return sealing.seal(ha1.reveal(), {config_id, name, domain::algorithm_name(algorithm), realm});
}

// ---- building ----

DigestScheme::DigestScheme(const domain::ApiAuthentication& authentication, const domain::DigestConfig& config,
                           const DigestSecrets& secrets)
    : nonces_(secrets.nonces),
      auth_int_(config.auth_int),
      userhash_(config.userhash),
      nonce_ttl_ms_(config.nonce_ttl_s * 1000),
      number_(next_number()) {
  identify(authentication, "httpDigest");
  for (const DigestAlgorithm algorithm : kStrongestFirst) {
    if (std::find(config.algorithms.begin(), config.algorithms.end(), algorithm) != config.algorithms.end())
      algorithms_.push_back(algorithm);
  }
  for (const base::SecretString& key : secrets.opaque_keys) {
    const crypto::Digest128 opaque = crypto::KeyedHash(key).digest128({"opaque", id});
    opaques_.push_back(base::base64url_encode(crypto::as_view(opaque)));
  }
}

base::Status DigestScheme::add_accounts(const domain::DigestConfig& config, const DigestSecrets& secrets, base::Random& random) {
  for (const DigestAlgorithm algorithm : kStrongestFirst) {
    const std::size_t bytes = crypto::digest_bytes(hash_algorithm(algorithm));
    dummy_ha1_[index_of(algorithm)] =
        PreparedHa1(hash_algorithm(algorithm), base::SecretString(base::hex_encode(random.bytes(bytes))));
  }
  for (const domain::DigestUser& user : config.users) {
    Account account;
    account.name = user.username;
    account.not_after_ms = user.not_after_ms.value_or(std::numeric_limits<std::int64_t>::max());
    account.disabled = user.disabled;
    account.principal = PrincipalIssuer::issue({.type = type, .auth_id = id, .name = user.username, .run_as = run_as});
    if (!user.sealed_ha1.empty() && user.sealed_ha1.size() != config.algorithms.size()) {
      return base::Error{base::Code::DataLoss, "a user does not have one secret for each algorithm"};
    }
    for (std::size_t i = 0; i < user.sealed_ha1.size(); ++i) {
      const DigestAlgorithm algorithm = config.algorithms[i];
      if (user.sealed_ha1[i].empty()) continue;
      TRY(base::SecretString ha1,
          open_sealed(secrets.sealing, user.sealed_ha1[i], {id, user.username, domain::algorithm_name(algorithm), realm}));
      if (ha1.size() != 2 * crypto::digest_bytes(hash_algorithm(algorithm))) {
        return base::Error{base::Code::DataLoss, "a stored secret has the wrong length"};
      }
      account.ha1[index_of(algorithm)] = PreparedHa1(hash_algorithm(algorithm), std::move(ha1));
    }
    by_name_.emplace(user.username, accounts_.size());
    for (const DigestAlgorithm algorithm : algorithms_) {
      if (!userhash_) break;
      by_userhash_[index_of(algorithm)].emplace(digest_userhash(hash_algorithm(algorithm), user.username, realm),
                                                accounts_.size());
    }
    accounts_.push_back(std::move(account));
  }
  return base::kDone;
}

base::Result<SchemePtr> DigestScheme::make(const domain::ApiAuthentication& authentication, const domain::DigestConfig& config,
                                           const DigestSecrets& secrets, base::Random& random) {
  const std::shared_ptr<DigestScheme> scheme(new DigestScheme(authentication, config, secrets));
  if (scheme->algorithms_.empty()) return base::Error{base::Code::DataLoss, "no algorithm is offered"};
  TRY_DONE(scheme->add_accounts(config, secrets, random));
  return SchemePtr(scheme);
}

// ---- answers ----

Outcome DigestScheme::rejected(Reason reason, bool counts, std::string_view account) const {
  Outcome outcome = Outcome::rejected(reason, std::string(refusal_message()), counts);
  outcome.account = account;
  return outcome;
}

Outcome DigestScheme::malformed(Reason reason, std::string_view account) const {
  Outcome outcome = rejected(reason, true, account);
  outcome.fault = domain::Fault::BadRequest;
  outcome.message = reason == Reason::DigestUriMismatch ? "The uri of the Digest credential is not the request target"
                                                        : "The Digest credential is malformed";
  return outcome;
}

Outcome DigestScheme::stale(Reason reason) const {
  Outcome outcome = rejected(reason, false);
  outcome.stale = true;
  return outcome;
}

Outcome DigestScheme::accepted(const DigestRequest& request, const Subject& subject, const ResponseHash& hash,
                               const TargetHashes& target) const {
  Outcome outcome = Outcome::accepted(subject.account->principal);
  if (is_auth_int(*request.qop)) {
    const InfoState state{*request.algorithm, static_cast<std::size_t>(subject.account - accounts_.data()),
                          request.nonce,      request.nc,
                          *request.qop,       request.cnonce,
                          request.uri};
    outcome.authentication_info_state = state.write();
  } else {
    const crypto::HexDigest rspauth = hash.of(target.answer);
    outcome.authentication_info_state = ReadyInfo::write(subject.nonce.issued_ms, rspauth.view(), request);
  }
  return outcome;
}

// ---- verification, in the order of docs/authentication.md ----

bool DigestScheme::offers(DigestAlgorithm algorithm) const {
  return std::find(algorithms_.begin(), algorithms_.end(), algorithm) != algorithms_.end();
}

bool DigestScheme::offers_qop(std::string_view qop) const {
  return base::equals_ignore_case(qop, "auth") || (auth_int_ && is_auth_int(qop));
}

const DigestScheme::Account* DigestScheme::find(const DigestRequest& request) const {
  const auto& index = request.is_userhash ? by_userhash_[index_of(*request.algorithm)] : by_name_;
  const auto found = index.find(request.name);
  return found == index.end() ? nullptr : &accounts_[found->second];
}

std::optional<Outcome> DigestScheme::check(const DigestRequest& request, const AuthCall& call, AuthThread& thread,
                                           Subject& subject) const {
  if (request.problem == Problem::NotDigest) return Outcome::absent(Reason::DigestAbsent);
  if (request.problem == Problem::Malformed) return malformed(Reason::DigestMalformed);
  if (request.realm != realm) return rejected(Reason::DigestRealm, false);
  if (const Nonce* known = thread.digests.nonce(number_, request.nonce)) {
    subject.nonce = *known;
    subject.is_nonce_known = true;
  } else {
    const auto nonce = nonces_.verify(request.nonce, id, realm);
    if (!nonce) return rejected(Reason::DigestNonceUnknown, false);
    subject.nonce = *nonce;
  }
  if (!request.algorithm || !offers(*request.algorithm)) return rejected(Reason::DigestAlgorithm, false);
  if (!request.qop || !offers_qop(*request.qop)) return rejected(Reason::DigestQop, false);
  if (request.opaque && std::find(opaques_.begin(), opaques_.end(), *request.opaque) == opaques_.end())
    return rejected(Reason::DigestOpaque, false);
  if (!is_request_target(request.uri, call.call)) return malformed(Reason::DigestUriMismatch, request.name);
  subject.account = find(request);
  subject.usable = subject.account != nullptr && !subject.account->disabled &&
                   call.wall_ms(thread) <= subject.account->not_after_ms &&
                   !subject.account->ha1[index_of(*request.algorithm)].empty();
  return std::nullopt;
}

ResponseHash DigestScheme::response_hash(const DigestRequest& request, const Subject& subject) const {
  // The same work for accounts that do not exist or may not enter.
  const PreparedHa1& ha1 = (subject.usable ? subject.account->ha1 : dummy_ha1_)[index_of(*request.algorithm)];
  return {hash_algorithm(*request.algorithm),
          {.ha1 = ha1.reveal(),
           .nonce = request.nonce,
           .nc = request.nc,
           .cnonce = request.cnonce,
           .qop = *request.qop,
           .uri = request.uri,
           .after_ha1 = ha1.after()}};
}

TargetHashes DigestScheme::target_hashes(const DigestRequest& request, const AuthCall& call, const ResponseHash& hash,
                                         AuthThread& thread, Subject& subject) const {
  const crypto::HashAlgorithm algorithm = hash_algorithm(*request.algorithm);
  const TargetHashes* known = thread.digests.target(algorithm, call.call.method_text, request.uri);
  subject.is_target_known = known != nullptr;
  if (known != nullptr) return *known;
  return {hash.a2(call.call.method_text, std::nullopt), hash.a2({}, std::nullopt)};
}

// nullopt: the response is right.
std::optional<Outcome> DigestScheme::judge_response(const DigestRequest& request, const AuthCall& call, const Subject& subject,
                                                    const ResponseHash& hash, const TargetHashes& target) const {
  crypto::HexDigest ha2 = target.request;
  if (is_auth_int(*request.qop)) {
    if (subject.usable && call.call.has_body && !call.call.body_complete) {
      Outcome outcome = Outcome::rejected(Reason::AuthBodyTooLarge, "The body is too large for qop=auth-int", false);
      outcome.fault = domain::Fault::BodyTooLarge;
      return outcome;
    }
    const auto body_hash = crypto::Hasher(hash_algorithm(*request.algorithm)).update(call.call.body).finish_hex();
    ha2 = hash.a2(call.call.method_text, body_hash.view());
  }
  const bool right = base::constant_time_equal(hash.of(ha2).view(), request.response);
  const std::string_view name = subject.account != nullptr ? std::string_view(subject.account->name) : request.name;
  if (subject.account == nullptr) return rejected(Reason::DigestUserUnknown, true, name);
  if (!subject.usable) return rejected(Reason::DigestUserDisabled, true, name);
  if (!right) return rejected(Reason::DigestResponse, true, name);
  return std::nullopt;
}

Outcome DigestScheme::judge_use(const DigestRequest& request, const AuthCall& call, const Subject& subject,
                                const ResponseHash& hash, const TargetHashes& target, AuthThread& thread) const {
  const std::int64_t age_ms = call.wall_ms(thread) - subject.nonce.issued_ms;
  const auto outdated = [&] {
    Outcome outcome = stale(Reason::DigestNonceStale);
    outcome.fact_ms = age_ms;
    return outcome;
  };
  if (age_ms > nonce_ttl_ms_ || age_ms < -kClockToleranceMs) return outdated();
  switch (thread.is_trial ? thread.nonces.judge(subject.nonce, request.count) : thread.nonces.use(subject.nonce, request.count)) {
    case NonceUse::Accepted: remember(request, call, subject, target, thread); return accepted(request, subject, hash, target);
    case NonceUse::Replayed: return stale(Reason::DigestNcReplayed);
    case NonceUse::Jump: return stale(Reason::DigestNcJump);
    case NonceUse::Stale: return outdated();
  }
  return Outcome::unavailable(Reason::AuthInternal);
}

// Only what accepted requests show: nobody else can push out what they use.
void DigestScheme::remember(const DigestRequest& request, const AuthCall& call, const Subject& subject,
                            const TargetHashes& target, AuthThread& thread) const {
  if (!subject.is_nonce_known) thread.digests.keep(number_, request.nonce, subject.nonce);
  if (!subject.is_target_known) {
    thread.digests.keep(hash_algorithm(*request.algorithm), call.call.method_text, request.uri, target);
  }
}

std::string DigestScheme::account_name(const AuthCall& call) const {
  const DigestRequest request(call.authorization);
  if (request.problem != Problem::None || !request.algorithm) return {};
  const Account* account = find(request);
  return account != nullptr ? account->name : std::string(request.name);
}

Needs DigestScheme::needs(const AuthCall& call, AuthThread& thread) const {
  if (!auth_int_ || !call.call.has_body || call.call.body_complete) return Needs::Head;
  const DigestRequest request(call.authorization);
  if (request.problem != Problem::None || !request.qop || !is_auth_int(*request.qop)) return Needs::Head;
  Subject subject;
  if (check(request, call, thread, subject)) return Needs::Head;
  return subject.usable ? Needs::HeadAndBody : Needs::Head;
}

Outcome DigestScheme::try_now(const AuthCall& call, AuthThread& thread) const {
  if (call.authorization.empty()) return Outcome::absent(Reason::DigestAbsent);
  const DigestRequest request(call.authorization);
  Subject subject;
  if (auto refusal = check(request, call, thread, subject)) return std::move(*refusal);
  const ResponseHash hash = response_hash(request, subject);
  const TargetHashes target = target_hashes(request, call, hash, thread, subject);
  if (auto refusal = judge_response(request, call, subject, hash, target)) return std::move(*refusal);
  return judge_use(request, call, subject, hash, target, thread);
}

// ---- what is sent ----

std::vector<std::string> DigestScheme::challenges(AuthThread& thread, bool stale) const {
  const std::string nonce = nonces_.issue(id, realm, thread.clock.wall_ms(), thread.random);
  std::vector<std::string> out;
  for (const DigestAlgorithm algorithm : algorithms_) {
    out.push_back(digest_challenge({.realm = realm,
                                    .algorithm = domain::algorithm_name(algorithm),
                                    .nonce = nonce,
                                    .opaque = opaques_.front(),
                                    .auth_int = auth_int_,
                                    .userhash = userhash_,
                                    .stale = stale}));
  }
  return out;
}

bool DigestScheme::needs_answer_body(const Outcome& accepted) const {
  const auto state = InfoState::read(accepted.authentication_info_state);
  return state && is_auth_int(state->qop);
}

// `, nextnonce="…"` once more than half of the lifetime is over.
std::string DigestScheme::next_nonce(base::WallMs issued_ms, AuthThread& thread) const {
  const base::WallMs now_ms = thread.io != nullptr ? thread.io->turn_wall_ms() : thread.clock.wall_ms();
  if (now_ms - issued_ms <= nonce_ttl_ms_ / 2) return {};
  return ", nextnonce=" + quoted(nonces_.issue(id, realm, now_ms, thread.random));
}

std::optional<std::string> DigestScheme::authentication_info(const Outcome& accepted, std::optional<std::string_view> body,
                                                             AuthThread& thread) const {
  if (const auto ready = ReadyInfo::read(accepted.authentication_info_state)) {
    return std::string(ready->text) + next_nonce(ready->issued_ms, thread);
  }
  const auto state = InfoState::read(accepted.authentication_info_state);
  if (!state || state->account >= accounts_.size()) return std::nullopt;
  const crypto::HashAlgorithm algorithm = hash_algorithm(state->algorithm);
  DigestResponseParts parts{.ha1 = accounts_[state->account].ha1[index_of(state->algorithm)].reveal(),
                            .nonce = state->nonce,
                            .nc = state->nc,
                            .cnonce = state->cnonce,
                            .qop = state->qop,
                            .uri = state->uri};
  std::string out;
  std::optional<crypto::HexDigest> body_hash;
  if (body) {
    body_hash = crypto::Hasher(algorithm).update(*body).finish_hex();
    parts.body_hash = body_hash->view();
    out += "rspauth=" + quoted(digest_response(algorithm, parts).view()) + ", ";
  }
  out.append("qop=").append(state->qop).append(", nc=").append(state->nc).append(", cnonce=").append(quoted(state->cnonce));
  if (const auto nonce = nonces_.verify(state->nonce, id, realm)) out += next_nonce(nonce->issued_ms, thread);
  return out;
}

}  // namespace funcgate::auth
