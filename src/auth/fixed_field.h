// Fixed field: caller and API agree on a header, query or body field with a secret value; one match suffices.
//
// Only keyed hashes of the values are known here. Every entry whose field is present is compared, in constant time and to the
// end, so that neither the time nor the order of the list tells which entry was close. Thread-safety: immutable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/scheme.h"
#include "crypto/keyed_hash.h"

namespace funcgate::auth {

// What is stored instead of a value: 64 hex digits of the keyed hash of configuration id, location, name and value.
// `pepper` is KeyedHash(pepper key). Header names count in lower case.
std::string fixed_field_hash(const crypto::KeyedHash& pepper, std::string_view config_id, const domain::FieldReference& field,
                             std::string_view value);

class FixedFieldScheme final : public Scheme {
 public:
  // An entry whose hash is empty or not 64 hex digits admits nobody. `retired`: peppers that entries may still be hashed under.
  FixedFieldScheme(const domain::ApiAuthentication& authentication, const domain::FixedFieldConfig& config,
                   const crypto::KeyedHash& pepper, const std::vector<crypto::KeyedHash>& retired = {});

  Needs needs(const AuthCall& call, AuthThread& thread) const override;
  Outcome try_now(const AuthCall& call, AuthThread& thread) const override;
  std::vector<std::string> challenges(AuthThread& thread, bool stale) const override;
  int challenge_rank() const override { return 3; }
  std::vector<domain::FieldReference> credential_fields() const override;
  std::string_view refusal_message() const override { return "Fixed Field Auth failed"; }

 private:
  struct Entry {
    std::string hash;  // 32 bytes, or empty: never equal
    std::int64_t not_after_ms;
    bool disabled;
    domain::PrincipalPtr principal;
  };
  // One name at one place, with all entries that use it.
  struct Field {
    domain::FieldReference reference;
    std::vector<std::size_t> entries;
  };
  struct Tally {
    const Entry* matched = nullptr;  // the first of the list, if several do
    bool mismatch = false, repeated = false, expired = false;
  };
  void compare(const Field& field, std::string_view value, std::int64_t now_ms, Tally& tally) const;
  Tally judge_head(const domain::Call& call, std::int64_t now_ms) const;
  Outcome conclude(const Tally& tally) const;
  Outcome rejected(domain::Reason reason) const;

  // constant after construction
  std::vector<crypto::KeyedHash> peppers_;  // the current one first
  std::vector<Entry> entries_;  // as listed
  std::vector<Field> head_fields_, body_fields_;
  std::vector<std::string> body_names_;  // of body_fields_
};

}  // namespace funcgate::auth
