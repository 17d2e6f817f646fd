#include "service/admin/secret_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/keyed_hash.h"
#include "service/admin/identity_events.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::SecretString;
using base::Status;
using domain::IdentityKind;
using domain::SecretKey;
using domain::SecretSourceKind;

constexpr std::string_view kKind = "SecretKey", kCalled = "secret key", kPurpose = "funcgate/secret/v1";
constexpr std::size_t kOwnerHexDigits = 16, kRandomCharacters = 8, kIdBytes = 10;

domain::IdentityChange put(SecretKey secret, std::int64_t expected_version) {
  std::string id = secret.id;
  return {.kind = IdentityKind::SecretKey, .id = std::move(id), .expected_version = expected_version, .value = std::move(secret)};
}

Error not_here(std::string_view name) {
  return {Code::NotFound, fmt::format("Secret key \"{}\" does not exist here", base::printable(name, 64)), {}};
}

}  // namespace

std::string secret_owner_id(const SecretKey& names) {
  const std::string application = base::to_lower(names.application), flow = base::to_lower(names.flow),
                    action = base::to_lower(names.action), configuration = base::to_lower(names.http_configuration);
  const bool by_configuration = names.owner_kind == "httpConfiguration";
  const std::string text = by_configuration ? crypto::length_prefixed({names.owner_kind, application, configuration})
                                            : crypto::length_prefixed({names.owner_kind, application, flow, action});
  return (by_configuration ? "hcf-" : "act-") + crypto::sha256_hex(text).substr(0, kOwnerHexDigits);
}

void complete_new_secret(SecretKey& secret, base::Random& random, domain::Bookkeeping meta) {
  secret.id = domain::make_id(domain::IdPrefix::SecretKey, random.bytes(kIdBytes));
  secret.owner_id = secret_owner_id(secret);
  secret.key = domain::make_secret_key_key(secret.name, secret.owner_id, random.alphanumeric(kRandomCharacters));
  secret.meta = std::move(meta);
}

bool is_instance_api_key(const SecretString& value, const IdentifyToken& identify) {
  constexpr std::string_view kBearer = "Bearer ";
  std::string_view token = value.reveal();
  if (token.size() > kBearer.size() && base::equals_ignore_case(token.substr(0, kBearer.size()), kBearer))
    token = base::trim(token.substr(kBearer.size()));
  return identify && !identify(SecretString(std::string(token))).empty();
}

std::vector<base::Finding> check_secret_value(const SecretString& value, const std::string& path) {
  if (!value.empty() && value.size() <= domain::kSecretValueBytesMax) return {};
  return {{path, "value", fmt::format("must have 1 to {} bytes", domain::kSecretValueBytesMax)}};
}

Result<std::string> seal_secret(domain::SecretVault& vault, const SecretKey& secret, const SecretString& value) {
  return vault.seal(value.reveal(), {kPurpose, secret.owner_kind, secret.owner_id, secret.key});
}

Result<SecretString> open_secret(domain::SecretVault& vault, const SecretKey& secret) {
  return vault.open(secret.sealed, {kPurpose, secret.owner_kind, secret.owner_id, secret.key});
}

base::json::object audited_fields(const SecretKey& secret) {
  base::json::object out{{"name", secret.name}, {"enabled", secret.enabled}};
  if (!secret.sealed.empty()) out["value"] = std::string(domain::kMaskedSecret);
  return out;
}

std::string described(const SecretKey& secret) {
  const std::string owner = secret.owner_kind == "httpConfiguration"
                                ? fmt::format("HTTP configuration {}", secret.http_configuration)
                                : fmt::format("{}/{}", secret.flow, secret.action);
  return fmt::format("Secret key \"{}\" of {} in {}", secret.name, owner, secret.application);
}

SecretSourceKind SecretKeys::source_of(const SecretKey& secret) const {
  if (parts_.keystore.has_alias(secret.key)) return SecretSourceKind::Keystore;
  return secret.sealed.empty() ? SecretSourceKind::None : SecretSourceKind::Sealed;
}

base::json::object SecretKeys::to_json(const SecretKey& secret) const {
  const SecretSourceKind source = source_of(secret);
  base::json::object out = domain::secret_key_json(secret, source);
  if (source != SecretSourceKind::Keystore) return out;
  const auto value = parts_.vault.look_up(secret.key);
  out["isInstanceApiKey"] = value.ok() && is_instance_api_key(*value, parts_.identify);
  return out;
}

Status SecretKeys::require_free_name(const SecretKey& secret, ChangeProblem& problem) const {
  TRY(const auto other, find({secret.owner_id}, secret.name));
  if (!other || other->id == secret.id) return base::kDone;
  return name_taken(problem, kCalled, secret.name);
}

Result<SecretKey> SecretKeys::create(SecretKey wanted, const domain::Actor& actor, ChangeProblem& problem) {
  if (!domain::is_secret_key_name(wanted.name))
    return invalid_change(problem, {{"name", "value", "must match ^[A-Za-z_][A-Za-z0-9_]{0,63}$"}});
  complete_new_secret(wanted, parts_.random, created_by(actor, parts_.clock.wall_ms()));
  wanted.sealed.clear();
  wanted.is_instance_api_key = false;
  TRY(const domain::DirectoryPtr live,
      parts_.identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> Status {
        TRY_DONE(require_free_name(wanted, problem));
        auto event = object_event("secret.created", actor, kKind, wanted.id, wanted.name, 1, described(wanted) + " created");
        event.changes = changes_between({}, audited_fields(wanted));
        changes.author = author_name(actor);
        changes.events.push_back(std::move(event));
        changes.identity.push_back(put(wanted, 0));
        return base::kDone;
      }));
  std::ignore = live;  // secrets are no part of the directory
  return wanted;
}

Result<SecretKey> SecretKeys::edit(const std::string& id, std::int64_t expected_version, const domain::Actor& actor,
                                   ChangeProblem& problem, const Edit& change) {
  SecretKey after;
  TRY(const domain::DirectoryPtr live,
      parts_.identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> Status {
        auto found = parts_.store.secret_key(id);
        if (!found.ok()) return found.error().code == Code::NotFound ? unknown_object(kCalled, id) : found.error();
        const SecretKey before = std::move(*found);
        after = before;
        if (expected_version != 0 && before.meta.version != expected_version) return stale_change(problem, before.meta.version);
        domain::AuditEvent event = object_event("secret.changed", actor, kKind, id, before.name, 0, {});
        TRY_DONE(change(after, event));
        event.changes = changes_between(audited_fields(before), audited_fields(after));
        // Another value looks the same and is a change all the same.
        if (before.sealed != after.sealed && !before.sealed.empty() && !after.sealed.empty())
          event.changes.push_back({"value", std::string(kHiddenValue), std::string(kHiddenValue)});
        if (event.changes.empty()) return base::kDone;
        mark_changed(after.meta, actor, parts_.clock.wall_ms());
        event.object_name = after.name;
        event.object_version = after.meta.version;
        if (event.summary.empty()) event.summary = described(after) + " changed";
        changes.author = author_name(actor);
        changes.events.push_back(std::move(event));
        changes.identity.push_back(put(after, before.meta.version));
        return base::kDone;
      }));
  std::ignore = live;  // as above
  return after;
}

Result<SecretKey> SecretKeys::update(const SecretKey& wanted, const domain::Actor& actor, ChangeProblem& problem) {
  if (!domain::is_secret_key_name(wanted.name))
    return invalid_change(problem, {{"name", "value", "must match ^[A-Za-z_][A-Za-z0-9_]{0,63}$"}});
  return edit(wanted.id, wanted.meta.version, actor, problem, [&](SecretKey& secret, domain::AuditEvent&) {
    secret.name = wanted.name;
    secret.enabled = wanted.enabled;
    return require_free_name(secret, problem);
  });
}

Status SecretKeys::remove(const std::string& id, std::int64_t expected_version, const domain::Actor& actor,
                          ChangeProblem& problem) {
  TRY(const domain::DirectoryPtr live,
      parts_.identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> Status {
        auto found = parts_.store.secret_key(id);
        if (!found.ok()) return found.error().code == Code::NotFound ? unknown_object(kCalled, id) : found.error();
        const std::int64_t version = found->meta.version;
        if (expected_version != 0 && version != expected_version) return stale_change(problem, version);
        changes.author = author_name(actor);
        changes.events.push_back(
            object_event("secret.deleted", actor, kKind, id, found->name, version, described(*found) + " deleted"));
        changes.identity.push_back(
            {.kind = IdentityKind::SecretKey, .id = id, .deleted = true, .expected_version = version, .value = {}});
        return base::kDone;
      }));
  std::ignore = live;  // as above
  return base::kDone;
}

Status SecretKeys::set_value(const std::string& id, const SecretString& value, const domain::Actor& actor,
                             ChangeProblem& problem) {
  if (auto findings = check_secret_value(value, "secret"); !findings.empty()) return invalid_change(problem, std::move(findings));
  TRY(const SecretKey done, edit(id, 0, actor, problem, [&](SecretKey& secret, domain::AuditEvent& event) -> Status {
        TRY(secret.sealed, seal_secret(parts_.vault, secret, value));
        secret.is_instance_api_key = is_instance_api_key(value, parts_.identify);
        event.event = "secret.value_set";
        event.summary = described(secret) + " was given a value";
        return base::kDone;
      }));
  std::ignore = done;
  return base::kDone;
}

Status SecretKeys::remove_value(const std::string& id, const domain::Actor& actor) {
  ChangeProblem problem;
  TRY(const SecretKey done, edit(id, 0, actor, problem, [&](SecretKey& secret, domain::AuditEvent& event) -> Status {
        secret.sealed.clear();
        secret.is_instance_api_key = false;
        event.summary = described(secret) + " lost its value";
        return base::kDone;
      }));
  std::ignore = done;
  return base::kDone;
}

Result<std::optional<SecretKey>> SecretKeys::find(const std::vector<std::string>& owner_ids, std::string_view name) const {
  // A name that cannot exist must not reach the query, where a star would mean more than itself.
  if (!domain::is_secret_key_name(name)) return std::optional<SecretKey>();
  for (const std::string& owner : owner_ids) {
    domain::ListQuery query;
    query.filters = {{"owner", owner}, {"name", std::string(name)}};
    query.limit = 1;
    query.count_total = false;
    TRY(domain::ListPage<SecretKey> page, parts_.store.secret_keys(query));
    if (!page.rows.empty()) return std::optional(std::move(page.rows.front()));
  }
  return std::optional<SecretKey>();
}

Result<UsableSecret> SecretKeys::resolve(const std::vector<std::string>& owner_ids, std::string_view name) const {
  TRY(const auto secret, find(owner_ids, name));
  if (!secret) return not_here(name);
  if (!secret->enabled) return Error{Code::FailedPrecondition, fmt::format("Secret key \"{}\" is disabled", secret->name), {}};
  UsableSecret usable{secret->name, {}, false};
  auto from_keystore = parts_.vault.look_up(secret->key);
  if (from_keystore.ok()) {
    usable.value = std::move(*from_keystore);
  } else if (from_keystore.error().code != Code::NotFound) {
    return from_keystore.error();
  } else if (secret->sealed.empty()) {
    return Error{Code::FailedPrecondition, fmt::format("Secret key \"{}\" has no value", secret->name), {}};
  } else {
    TRY(usable.value, open_secret(parts_.vault, *secret));
  }
  // Anew: the value in the keystore may be another one by now, and a signing secret may be new here.
  usable.is_instance_api_key = is_instance_api_key(usable.value, parts_.identify);
  return usable;
}

Result<bool> SecretKeys::has(const std::vector<std::string>& owner_ids, std::string_view name) const {
  TRY(const auto secret, find(owner_ids, name));
  return secret.has_value() && secret->enabled;
}

}  // namespace funcgate::service
