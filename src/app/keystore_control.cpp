#include "app/keystore_control.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/seal.h"
#include "service/admin/keystore_events.h"

namespace funcgate::app {
namespace {

namespace json = base::json;
using base::Code;
using base::Error;
using base::Result;
using base::SecretString;
using base::Status;
using base::text_of;
using keystore::Purpose;

constexpr std::size_t kValueBytesMax = 64 * 1024;
constexpr std::int64_t kMsPerHour = 3'600'000;

// A secret travels as Base64, because it may be any octets.
Result<SecretString> secret_of(const json::object& request, std::string_view name) {
  std::string encoded = text_of(request, name);
  auto decoded = base::base64_decode(encoded);
  base::wipe(encoded);
  if (!decoded || decoded->empty() || decoded->size() > kValueBytesMax)
    return Error{Code::InvalidArgument, fmt::format("The value must have 1 to {} bytes.", kValueBytesMax), {}};
  SecretString secret(*decoded);
  base::wipe(*decoded);
  return secret;
}

json::object said(std::string text) { return {{"text", std::move(text)}}; }

std::string listed_time(std::int64_t time_ms) { return time_ms == 0 ? std::string() : base::format_rfc3339(time_ms); }

}  // namespace

void KeystoreControl::record(std::string name, std::string_view alias, std::string summary, const domain::Actor& actor,
                             domain::AuditOutcome outcome) {
  service::record_keystore_event(identity_, std::move(name), alias, std::move(summary), actor, outcome);
}

json::object KeystoreControl::list() const {
  json::array rows;
  for (const service::KeystoreEntry& entry : access_.entries()) {
    rows.push_back(json::object{{"alias", entry.alias},
                                {"bytes", entry.bytes},
                                {"kid", entry.kid},
                                {"purpose", entry.purpose},
                                {"status", entry.status},
                                {"createdAt", listed_time(entry.created_at_ms)}});
  }
  return {{"entries", std::move(rows)}};
}

Result<std::size_t> KeystoreControl::sealed_with(const std::string& kid) {
  TRY(service::SealedCounts counts, sealed_counts_());
  return counts[kid];
}

Result<json::object> KeystoreControl::check(const domain::Actor& actor) {
  const auto content = keystore_.content();
  json::array lines;
  bool all_well = true;
  std::string first_problem;
  for (const Purpose purpose : keystore::kPurposes) {
    const auto secret = content->usable(purpose);
    if (secret.ok()) {
      lines.emplace_back(fmt::format("{} \"{}\": ok, {} bytes, kid {}", keystore::rule_of(purpose).title,
                                     content->aliases().of(purpose), secret->size(), crypto::key_id(*secret)));
      continue;
    }
    all_well = false;
    if (first_problem.empty()) first_problem = secret.error().message;
    lines.emplace_back(secret.error().message);
  }
  TRY(const service::SealedCounts counts, sealed_counts_());
  std::size_t known = 0, all = 0;
  for (const auto& [kid, count] : counts) all += count;
  const auto count_of = [&](const std::string& kid) {
    const auto found = counts.find(kid);
    const std::size_t count = found == counts.end() ? 0 : found->second;
    known += count;
    return count;
  };
  if (const auto sealing = content->usable(Purpose::Sealing); sealing.ok()) {
    lines.emplace_back(fmt::format("{} stored secrets are sealed with \"{}\"", count_of(crypto::key_id(*sealing)),
                                   content->aliases().of(Purpose::Sealing)));
  }
  for (const keystore::PreviousSecret& previous : content->previous(Purpose::Sealing))
    lines.emplace_back(fmt::format("{} stored secrets are sealed with \"{}\"", count_of(previous.kid), previous.alias));
  if (all > known) {
    all_well = false;
    lines.emplace_back(
        fmt::format("{} stored secrets cannot be opened: the key they are sealed with is not in the keystore", all - known));
    if (first_problem.empty()) first_problem = "stored secrets cannot be opened";
  }
  if (!all_well) record("keystore.check_failed", "", first_problem, actor, domain::AuditOutcome::Failed);
  return json::object{{"ok", all_well}, {"lines", std::move(lines)}};
}

// A usable pepper or sealing key is never overwritten: what was made with it would be lost.
Status KeystoreControl::may_replace(const std::string& alias) {
  const auto content = keystore_.content();
  const keystore::Aliases& aliases = content->aliases();
  for (const Purpose purpose : {Purpose::PasswordPepper, Purpose::Sealing}) {
    if (!base::equals_ignore_case(alias, aliases.of(purpose)) || !content->usable(purpose).ok()) continue;
    return Error{Code::FailedPrecondition,
                 fmt::format("{} \"{}\" is in use: overwritten, {}. Put another in its place with: funcgate keystore rotate {}",
                             keystore::rule_of(purpose).title, aliases.of(purpose),
                             keystore::rule_of(purpose).consequence_of_replacing, aliases.of(purpose)),
                 {}};
  }
  return may_remove(alias);
}

Status KeystoreControl::may_remove(const std::string& alias) {
  const auto content = keystore_.content();
  if (!access_.is_sealing_key(alias)) return base::kDone;
  const auto value = content->get(alias);
  if (!value) return base::kDone;
  TRY(const std::size_t count, sealed_with(crypto::key_id(*value)));
  if (count == 0) return base::kDone;
  return Error{Code::FailedPrecondition,
               fmt::format("{} stored secrets are sealed with \"{}\"; without it nobody can open them.", count, alias),
               {}};
}

Result<json::object> KeystoreControl::set(const json::object& request, const std::string& alias, const domain::Actor& actor) {
  const std::string text = fmt::format("Secret \"{}\" set", base::to_lower(alias));
  const KeystoreAccess::Change change{text, actor, [&] { return may_replace(alias); }};
  const json::value* generate = request.if_contains("generate");
  if (generate != nullptr && *generate == json::value(true)) {
    TRY_DONE(access_.generate(alias, change));
  } else {
    TRY(const SecretString value, secret_of(request, "value"));
    TRY_DONE(access_.set(alias, value, change));
  }
  return said(text);
}

Result<json::object> KeystoreControl::remove(const std::string& alias, const domain::Actor& actor) {
  const std::string text = fmt::format("Secret \"{}\" deleted", base::to_lower(alias));
  TRY_DONE(access_.remove(alias, {text, actor, [&] { return may_remove(alias); }}));
  return said(text);
}

Result<json::object> KeystoreControl::rotate(const json::object& request, const std::string& alias, const domain::Actor& actor) {
  const json::value* given = request.if_contains("overlapMs");
  const std::int64_t overlap_ms = given != nullptr && given->is_int64() ? given->get_int64() : -1;
  if (overlap_ms > 87'600 * kMsPerHour) return Error{Code::InvalidArgument, "The overlap must be 0 hours to 10 years.", {}};
  TRY(const std::string kid, access_.rotate(alias, overlap_ms, actor));
  std::string text = fmt::format("Secret \"{}\" rotated; the new kid is {}", base::to_lower(alias), kid);
  if (overlap_ms >= 0 && base::equals_ignore_case(alias, keystore_.content()->aliases().api_key))
    text += fmt::format("; keys signed before verify for {} hours more", overlap_ms / kMsPerHour);
  return said(std::move(text));
}

Result<json::object> KeystoreControl::change_password(const json::object& request, const domain::Actor& actor) {
  TRY(SecretString password, secret_of(request, "password"));
  TRY_DONE(keystore_.change_password(std::move(password)));
  record("keystore.changed", "", "Password of the keystore changed", actor);
  return said("The keystore has another password now");
}

Result<json::object> KeystoreControl::run(const json::object& request, const domain::Actor& actor) {
  const std::string what = text_of(request, "do"), alias = text_of(request, "alias");
  if (what == "list") return list();
  if (what == "check") return check(actor);
  if (what == "passwd") return change_password(request, actor);
  if (what == "reload") {
    TRY_DONE(access_.reload(actor));
    return said("The keystore was read again");
  }
  if (alias.empty() || alias.size() > 1000 || base::has_control(alias))
    return Error{Code::InvalidArgument, "An alias must have 1 to 1000 characters.", {}};
  if (what == "set") return set(request, alias, actor);
  if (what == "delete") return remove(alias, actor);
  if (what == "rotate") return rotate(request, alias, actor);
  return Error{Code::InvalidArgument, "There is no such operation on the keystore.", {}};
}

Status KeystoreControl::drop_unused_sealing_keys() {
  const auto content = keystore_.content();
  if (!content->usable(Purpose::Sealing).ok()) return base::kDone;
  const auto retired = content->previous(Purpose::Sealing);
  if (retired.empty()) return base::kDone;
  TRY(const service::SealedCounts counts, sealed_counts_());
  for (const keystore::PreviousSecret& previous : retired) {
    if (counts.contains(previous.kid)) continue;
    // Counted once more: an apply may have been under way that sealed with it.
    const std::string text = fmt::format("Retired secret \"{}\" deleted: nothing is sealed with it", previous.alias);
    const domain::Actor nobody;
    const Status removed = access_.remove(previous.alias, {text, nobody, [&] { return may_remove(previous.alias); }});
    if (!removed.ok() && removed.error().code == Code::FailedPrecondition) continue;
    TRY_DONE(removed);
    base::log::info("keystore.retired_secret_deleted", {{"alias", previous.alias}});
  }
  return base::kDone;
}

}  // namespace funcgate::app
