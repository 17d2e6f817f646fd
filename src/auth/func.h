// Authentication by a published function: it sees the request with its credentials, and only the object True passes.
//
// Runs in the pool that is reserved for such functions, at most half of it for one configuration. Thread-safety: immutable;
// remembered answers are in the VerdictCache of the thread.
#pragma once

#include <forward_list>
#include <string>
#include <string_view>
#include <vector>

#include "auth/scheme.h"
#include "auth/verdict_cache.h"
#include "crypto/keyed_hash.h"

namespace funcgate::auth {

class FuncScheme final : public Scheme {
 public:
  // `timeout_ms`: for a configuration that names none.
  FuncScheme(const domain::ApiAuthentication& authentication, const domain::FuncConfig& config, const crypto::KeyedHash& process,
             std::int64_t timeout_ms = 2000);

  Needs needs(const AuthCall& call, AuthThread& thread) const override;
  Outcome try_now(const AuthCall& call, AuthThread& thread) const override;
  base::Async<Outcome> authenticate(const AuthCall& call, AuthThread& thread) const override;
  std::vector<std::string> challenges(AuthThread& thread, bool stale) const override;
  int challenge_rank() const override { return 4; }
  std::vector<domain::FieldReference> credential_fields() const override { return config_.credential_fields; }
  std::string_view refusal_message() const override { return "Func Auth failed"; }

 private:
  // The declared fields of one call, as parts of the cache key: for each its place, name, number of values, values.
  struct Presented {
    bool any = false;
    std::vector<std::string> parts;
  };
  crypto::Digest128 mark(const domain::ApiAuthentication& authentication) const;
  Presented present(const domain::Call& call) const;
  bool any_head_field(const domain::Call& call) const;
  // While it remembers, the function can read nothing but the declared fields: what is not in the key cannot decide.
  bool caches() const { return config_.cache_ttl_s > 0 && !config_.credential_fields.empty(); }
  bool shows_body(const domain::Call& call) const;
  // nullptr: not published, or no longer callable without arguments.
  const domain::FunctionInfo* function(const AuthCall& call) const;
  crypto::Digest128 cache_key(const AuthCall& call, const domain::FunctionInfo& function, const Presented& presented) const;
  // Credentials of the call included, session cookies of the console not; what a header then says is kept in `cookies`.
  domain::VisibleRequest visible_request(const domain::Call& call, std::forward_list<std::string>& cookies) const;
  base::Async<Outcome> run(const AuthCall& call, AuthThread& thread, const domain::FunctionInfo& function) const;
  base::Async<Outcome> wait_for_leader(const AuthCall& call, AuthThread& thread, VerdictCache::WaiterPtr waiter) const;
  void remember(const Outcome& outcome, const crypto::Digest128& key, AuthThread& thread) const;
  base::SteadyNs deadline(const AuthCall& call, AuthThread& thread) const;

  // constant after construction
  domain::FuncConfig config_;
  const crypto::KeyedHash process_;
  const std::int64_t timeout_ms_;
  bool body_declared_ = false, query_declared_ = false;
  std::vector<std::string> body_names_;  // of the declared body fields, in their order
  std::string readable_;                 // JSON list for the worker
  std::string function_chain_;           // JSON list
  crypto::Digest128 mark_{};             // of everything the configuration says, and of when it was created
};

}  // namespace funcgate::auth
