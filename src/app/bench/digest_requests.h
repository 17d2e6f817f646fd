// DigestRequests: the requests of one connection with HTTP Digest (RFC 7616), as a client that does it right: a challenge of its
// own, a rising count for each request, and another nonce as soon as the server names one.
//
// SHA-512-256, SHA-256 and MD5, plain and -sess; qop auth, or auth-int if that is all there is; the first challenge that can be
// answered is taken, because servers write the strongest first. One challenge per line. A request is patched in place: nothing
// is allocated but for a new nonce. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/bench/bench_options.h"
#include "base/random.h"
#include "crypto/hash.h"
#include "http/client/request_source.h"

namespace funcgate::app::bench {

class DigestRequests final : public http::RequestSource, public http::FieldObserver {
 public:
  // All of them outlive this object. `bare`: the whole request without credentials.
  DigestRequests(const RequestText& request, std::string_view bare, const Account& account, base::Random& random);

  std::string_view preparation() override;
  http::Verdict prepared(int status) override;
  std::string problem() const override { return problem_; }
  std::string_view next() override;
  http::Verdict judge(int status) override;
  http::FieldObserver* observer() override { return this; }
  void on_field(std::string_view name, std::string_view value) override;

 private:
  // What the request is made with: of a challenge, kept beyond the answer it came in.
  struct Terms {
    std::string realm, nonce, opaque, algorithm_name;
    crypto::HashAlgorithm algorithm = crypto::HashAlgorithm::Sha256;
    bool session = false, auth_int = false, has_opaque = false;
  };
  void read_challenge(std::string_view value);
  void begin_answer();
  // Writes the request anew with a count of 0.
  void adopt();
  std::string_view qop() const { return terms_.auth_int ? "auth-int" : "auth"; }

  const RequestText& request_;
  const std::string_view bare_;
  const Account& account_;
  base::Random& random_;

  // Of the answer that is being read
  std::optional<Terms> offered_;
  bool offered_stale_ = false;
  std::string next_nonce_, other_offers_;

  Terms terms_;
  base::SecretString ha1_;
  std::string body_hash_, cnonce_, text_;
  std::size_t count_at_ = 0, response_at_ = 0;
  std::uint32_t count_ = 0;
  bool repeated_ = false;
  std::string problem_;
};

}  // namespace funcgate::app::bench
