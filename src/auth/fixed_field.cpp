#include "auth/fixed_field.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <tuple>

#include "auth/authorization_header.h"
#include "auth/credential_fields.h"
#include "auth/principal_issuer.h"
#include "base/encoding.h"
#include "base/secret.h"
#include "base/text.h"

namespace funcgate::auth {
namespace {

using domain::FieldLocation;
using domain::Reason;

constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kValueBytesMax = 1024;  // of a stored value: a longer one cannot be right

domain::FieldReference canonical(domain::FieldReference field) {
  if (field.location == FieldLocation::Header) field.name = base::to_lower(field.name);
  return field;
}

crypto::Digest256 hash_of(const crypto::KeyedHash& pepper, std::string_view config_id, const domain::FieldReference& field,
                          std::string_view value) {
  return pepper.digest({config_id, domain::location_name(field.location), field.name, value});
}

}  // namespace

std::string fixed_field_hash(const crypto::KeyedHash& pepper, std::string_view config_id, const domain::FieldReference& field,
                             std::string_view value) {
  const crypto::Digest256 digest = hash_of(pepper, config_id, canonical(field), value);
  return base::hex_encode(crypto::as_view(digest));
}

FixedFieldScheme::FixedFieldScheme(const domain::ApiAuthentication& authentication, const domain::FixedFieldConfig& config,
                                   const crypto::KeyedHash& pepper, const std::vector<crypto::KeyedHash>& retired)
    : peppers_{pepper} {
  peppers_.insert(peppers_.end(), retired.begin(), retired.end());
  identify(authentication, "fixedField");
  for (const domain::FixedFieldEntry& stored : config.fields) {
    const domain::FieldReference reference = canonical(stored.field);
    std::string hash = base::hex_decode(stored.value_hash).value_or("");
    if (hash.size() != kHashBytes) hash.clear();
    auto& fields = reference.location == FieldLocation::Body ? body_fields_ : head_fields_;
    auto field = std::find_if(fields.begin(), fields.end(), [&](const Field& f) {
      return f.reference.location == reference.location && f.reference.name == reference.name;
    });
    if (field == fields.end()) field = fields.insert(fields.end(), Field{reference, {}});
    field->entries.push_back(entries_.size());
    entries_.push_back(
        {.hash = std::move(hash),
         .not_after_ms = stored.not_after_ms.value_or(std::numeric_limits<std::int64_t>::max()),
         .disabled = stored.disabled,
         .principal = PrincipalIssuer::issue({.type = type, .auth_id = id, .name = stored.label, .run_as = run_as})});
  }
  for (const Field& field : body_fields_) body_names_.push_back(field.reference.name);
}

void FixedFieldScheme::compare(const Field& field, std::string_view value, std::int64_t now_ms, Tally& tally) const {
  bool any = false;
  // All of them, whichever fits: the time must not tell under which pepper an entry stands.
  for (const crypto::KeyedHash& pepper : peppers_) {
    const crypto::Digest256 presented = hash_of(pepper, id, field.reference, value);
    for (const std::size_t index : field.entries) {
      const Entry& entry = entries_[index];
      const bool equal = base::constant_time_equal(crypto::as_view(presented), entry.hash);
      const bool usable = !entry.disabled && now_ms <= entry.not_after_ms;
      if (equal && usable && (tally.matched == nullptr || &entry < tally.matched)) tally.matched = &entry;
      if (equal && !usable) tally.expired = true;
      any |= equal;
    }
  }
  if (!any) tally.mismatch = true;
}

FixedFieldScheme::Tally FixedFieldScheme::judge_head(const domain::Call& call, std::int64_t now_ms) const {
  Tally tally;
  std::array<char, kValueBytesMax> decoded;
  std::size_t decoded_bytes = 0;  // that were written, at most: a value that fails may have written all of them
  for (const Field& field : head_fields_) {
    int count = 0;
    std::string_view value;
    const auto visit = [&](std::string_view found) {
      if (count++ == 0) value = found;
    };
    const bool in_query = field.reference.location == FieldLocation::Query;
    if (in_query) {
      for_each_form_value(call.query, field.reference.name, visit);
    } else {
      for_each_header(call, field.reference.name, visit);
    }
    if (count == 0) continue;
    if (count > 1) {
      tally.repeated = true;
      continue;
    }
    if (in_query) {
      const auto size = decode_form_to(value, decoded.data(), decoded.size());
      decoded_bytes = std::max(decoded_bytes, size.value_or(decoded.size()));
      if (!size) {
        tally.mismatch = true;
        continue;
      }
      value = {decoded.data(), *size};
    }
    compare(field, value, now_ms, tally);
  }
  if (decoded_bytes > 0) explicit_bzero(decoded.data(), decoded_bytes);
  return tally;
}

Needs FixedFieldScheme::needs(const AuthCall& call, AuthThread& thread) const {
  if (body_fields_.empty()) return Needs::Head;
  const BodyForm form = body_form(call.call);
  if (form == BodyForm::None || judge_head(call.call, call.wall_ms(thread)).matched != nullptr) return Needs::Head;
  return form == BodyForm::Multipart ? Needs::HeadAndBodyStart : Needs::HeadAndBody;
}

Outcome FixedFieldScheme::rejected(Reason reason) const {
  return Outcome::rejected(reason, std::string(refusal_message()), true);
}

Outcome FixedFieldScheme::conclude(const Tally& tally) const {
  if (tally.matched != nullptr) return Outcome::accepted(tally.matched->principal);
  if (tally.repeated) return rejected(Reason::FixedFieldRepeated);
  if (tally.expired) return rejected(Reason::FixedFieldExpired);
  if (tally.mismatch) return rejected(Reason::FixedFieldMismatch);
  return Outcome::absent(Reason::FixedFieldAbsent);
}

Outcome FixedFieldScheme::try_now(const AuthCall& call, AuthThread& thread) const {
  const std::int64_t now_ms = call.wall_ms(thread);
  Tally tally = judge_head(call.call, now_ms);
  if (tally.matched != nullptr || body_fields_.empty()) return conclude(tally);
  const BodyForm form = body_form(call.call);
  if (form == BodyForm::None) return conclude(tally);
  if (!call.call.body_complete && form != BodyForm::Multipart) {
    Outcome outcome = Outcome::rejected(Reason::AuthBodyTooLarge, "The body is too large to look for a credential in it", false);
    outcome.fault = domain::Fault::BodyTooLarge;
    return outcome;
  }
  BodyFields found = read_body_fields(call.call, body_names_);
  for (std::size_t i = 0; i < body_fields_.size(); ++i) {
    BodyField& field = found.fields[i];
    if (field.count == 0) continue;
    if (field.count > 1) {
      tally.repeated = true;
    } else if (!field.text) {
      tally.mismatch = true;  // a number, true or null is never a text
    } else {
      compare(body_fields_[i], *field.text, now_ms, tally);
    }
    if (field.text) base::wipe(*field.text);
  }
  const bool nothing_seen = tally.matched == nullptr && !tally.repeated && !tally.expired && !tally.mismatch;
  if (nothing_seen && !found.is_readable) {
    // Nobody can say whether a field stands in it: the request is at fault, not the credential.
    Outcome outcome = Outcome::rejected(Reason::HttpMalformed, "The request body cannot be read", false);
    outcome.fault = domain::Fault::BadRequest;
    return outcome;
  }
  return conclude(tally);
}

std::vector<std::string> FixedFieldScheme::challenges(AuthThread& thread, bool stale) const {
  std::ignore = thread;
  std::ignore = stale;
  return {plain_challenge("FixedField", realm)};
}

std::vector<domain::FieldReference> FixedFieldScheme::credential_fields() const {
  std::vector<domain::FieldReference> out;
  for (const Field& field : head_fields_) out.push_back(field.reference);
  for (const Field& field : body_fields_) out.push_back(field.reference);
  return out;
}

}  // namespace funcgate::auth
