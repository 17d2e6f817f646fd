#include "service/admin/api_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "base/unicode.h"
#include "domain/address.h"
#include "service/admin/api_key_status.h"
#include "service/admin/change_problem.h"
#include "service/admin/identity_events.h"
#include "service/admin/identity_rules.h"

namespace funcgate::service {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;
using domain::ApiKey;
using domain::ChangeSet;
using domain::Directory;
using domain::IdentityKind;

constexpr std::string_view kKind = "ApiKey";
constexpr std::size_t kRestrictionsMax = 100, kApiIdBytesMax = 300, kReasonCharactersMax = 200;
constexpr std::string_view kUnprivilegedOwner = "owner lacks the privilege Use API Key";

Error invalid(std::string message) { return Error{Code::InvalidArgument, std::move(message), {}}; }

// Everything but the expiry, whose rule depends on what the key had before.
Status check_fields(ApiKey& key) {
  const std::vector<base::Finding> findings = ApiKeys::check(key);
  if (!findings.empty()) return invalid(findings.front().path + " " + findings.front().message);
  return base::kDone;
}

Result<ApiKey> find(domain::IdentityStore& store, const std::string& id) {
  Result<ApiKey> key = store.api_key(id);
  if (!key.ok() && key.error().code == Code::NotFound) return unknown_object("API key", id);
  return key;
}

void put(ChangeSet& changes, ApiKey key, std::int64_t expected_version) {
  std::string id = key.id;
  changes.identity.push_back(
      {.kind = IdentityKind::ApiKey, .id = std::move(id), .expected_version = expected_version, .value = std::move(key)});
}

// Names of an owner's keys are unique, whatever the case of their letters and among revoked keys, too: the store sees to it.
Error name_in_use(const ApiKey& key) {
  return Error{Code::Conflict, fmt::format("The user has a key \"{}\" already", base::printable(key.name)), {}};
}

std::string owner_login(const Directory& directory, const ApiKey& key) {
  const domain::UserEntry* owner = directory.user(key.user_id);
  return owner == nullptr ? key.user_id : std::string(owner->login());
}

// The name that a key keeps when another one takes its place: no two keys of a user share one.
std::string replaced_name(const ApiKey& key) {
  const std::string tail = fmt::format(" (replaced, {})", key.id);
  std::string name = key.name;
  // By bytes: a name within them is within the same number of characters, too.
  if (base::utf8_length(name) + tail.size() > kNameCharactersMax) {
    name = std::string(base::truncate_utf8(name, kNameCharactersMax - tail.size()));
  }
  return name + tail;
}

void mark_revoked(ApiKey& key, const std::string& reason, const domain::Actor& actor, std::int64_t now_ms) {
  key.revoked_at_ms = now_ms;
  key.revoked_by = author_name(actor);
  key.revoked_reason = reason;
}

}  // namespace

ApiKeys::ApiKeys(IdentityService& identity, domain::IdentityStore& store, const base::Clock& clock, base::Random& random,
                 IssueToken issue, IdentifyToken identify)
    : identity_(identity),
      store_(store),
      clock_(clock),
      random_(random),
      issue_(std::move(issue)),
      identify_(std::move(identify)) {}

std::vector<base::Finding> ApiKeys::check(ApiKey& key) {
  std::vector<base::Finding> findings;
  check_name(key.name, "name", findings);
  const std::uint8_t known =
      static_cast<std::uint8_t>(domain::KeyScope::Api) | static_cast<std::uint8_t>(domain::KeyScope::Management);
  if (key.scopes == 0 || (key.scopes & ~known) != 0) findings.push_back({"scopes", "value", "must name api, management or both"});
  for (const auto& [path, list] : {std::pair("apis", &key.apis), std::pair("addresses", &key.addresses)}) {
    if (list->size() > kRestrictionsMax) {
      findings.push_back({path, "value", fmt::format("must have at most {} entries", kRestrictionsMax)});
    }
  }
  for (std::size_t i = 0; i < key.apis.size(); ++i) {
    const std::string& api = key.apis[i];
    if (!api.empty() && api.size() <= kApiIdBytesMax && !base::has_control(api)) continue;
    findings.push_back({fmt::format("apis[{}]", i), "value", "must be the id of an API"});
  }
  for (std::size_t i = 0; i < key.addresses.size(); ++i) {
    // An address that nobody can read would admit everybody or nobody; neither is what was meant.
    if (domain::Network::parse(key.addresses[i])) continue;
    findings.push_back({fmt::format("addresses[{}]", i), "value", "must be an address or network such as 192.0.2.0/24"});
  }
  std::sort(key.apis.begin(), key.apis.end());
  key.apis.erase(std::unique(key.apis.begin(), key.apis.end()), key.apis.end());
  return findings;
}

Result<MadeKey> ApiKeys::create(const std::string& user_id, ApiKey wanted, const domain::Actor& actor) {
  TRY_DONE(check_fields(wanted));
  const std::int64_t now_ms = clock_.wall_ms();
  if (wanted.expires_at_ms != 0 && wanted.expires_at_ms <= now_ms) return invalid("expiresAt must be in the future");
  MadeKey made;
  // Only what a caller may choose is taken over.
  made.key.id = domain::make_id(domain::IdPrefix::ApiKey, random_.bytes(10));
  made.key.user_id = user_id;
  made.key.name = std::move(wanted.name);
  made.key.scopes = wanted.scopes;
  made.key.apis = std::move(wanted.apis);
  made.key.addresses = std::move(wanted.addresses);
  made.key.expires_at_ms = wanted.expires_at_ms;
  made.key.meta = created_by(actor, now_ms);
  auto done = identity_.change([&](const Directory& current, ChangeSet& changes) -> Status {
    const domain::UserEntry* owner = current.user(user_id);
    if (owner == nullptr) return unknown_object("user", user_id);
    if (owner->built_in())
      return Error{Code::FailedPrecondition, fmt::format("The user \"{}\" cannot have API keys", owner->login()), {}};
    TRY(const std::size_t active, store_.count_active_keys(user_id, now_ms));
    if (active >= domain::kActiveKeysPerUserMax) {
      return Error{
          Code::ResourceExhausted,
          fmt::format("The user has {} active keys, the most there may be; revoke one first", domain::kActiveKeysPerUserMax),
          {}};
    }
    TRY(IssuedToken issued, issue_(made.key));
    made.token = std::move(issued.token);
    made.key.kid = std::move(issued.kid);
    if (!may_use_keys(*owner, current)) made.warnings.emplace_back(kUnprivilegedOwner);
    auto event = object_event("key.created", actor, kKind, made.key.id, made.key.name, 1,
                              fmt::format("API key \"{}\" of \"{}\" created", made.key.name, owner->login()));
    event.changes = changes_between({}, audited_fields(made.key));
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    put(changes, made.key, 0);
    return base::kDone;
  });
  // Of a new key only its name can be in the way.
  if (!done.ok() && done.error().code == Code::Conflict) return name_in_use(made.key);
  if (!done.ok()) return std::move(done).error();
  return made;
}

Result<ApiKey> ApiKeys::update(ApiKey changed, const domain::Actor& actor) {
  TRY_DONE(check_fields(changed));
  ApiKey after;
  bool renamed = false;
  auto done = identity_.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(const ApiKey before, find(store_, changed.id));
    if (before.revoked_at_ms != 0) return Error{Code::FailedPrecondition, "The key is revoked; nothing of it can be changed", {}};
    if (before.meta.version != changed.meta.version) {
      return Error{Code::Conflict, "The object was changed meanwhile; read it again", {}};
    }
    const std::int64_t now_ms = clock_.wall_ms();
    after = before;
    after.name = changed.name;
    after.apis = changed.apis;
    after.addresses = changed.addresses;
    if (changed.expires_at_ms != before.expires_at_ms) {
      if (changed.expires_at_ms == 0 || (before.expires_at_ms != 0 && changed.expires_at_ms > before.expires_at_ms)) {
        return invalid("expiresAt may only become earlier; reissue the key for a later end");
      }
      if (changed.expires_at_ms <= now_ms) return invalid("expiresAt must be in the future; to end a key now, revoke it");
      after.expires_at_ms = changed.expires_at_ms;
    }
    auto differences = changes_between(audited_fields(before), audited_fields(after));
    if (differences.empty()) return base::kDone;
    mark_changed(after.meta, actor, now_ms);
    auto event = object_event("key.changed", actor, kKind, after.id, after.name, after.meta.version,
                              fmt::format("API key \"{}\" of \"{}\" changed", after.name, owner_login(current, after)));
    event.changes = std::move(differences);
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    put(changes, after, before.meta.version);
    renamed = base::fold_case(after.name) != base::fold_case(before.name);
    return base::kDone;
  });
  // The version was compared already: the store can only refuse the new name.
  if (!done.ok() && renamed && done.error().code == Code::Conflict) return name_in_use(after);
  if (!done.ok()) return std::move(done).error();
  return after;
}

Result<ApiKey> ApiKeys::revoke(const std::string& key_id, std::string reason, const domain::Actor& actor) {
  std::vector<base::Finding> findings;
  check_free_text(reason, "reason", kReasonCharactersMax, false, findings);
  if (!findings.empty()) return invalid("reason " + findings.front().message);
  ApiKey after;
  auto done = identity_.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(after, find(store_, key_id));
    if (after.revoked_at_ms != 0) return base::kDone;  // final: the first one's reason stays
    const std::int64_t now_ms = clock_.wall_ms();
    const std::int64_t version = after.meta.version;
    mark_revoked(after, reason, actor, now_ms);
    mark_changed(after.meta, actor, now_ms);
    auto event = object_event("key.revoked", actor, kKind, after.id, after.name, after.meta.version,
                              fmt::format("API key \"{}\" of \"{}\" revoked", after.name, owner_login(current, after)));
    if (!reason.empty()) event.changes.push_back({"revokedReason", "", base::json_string(reason)});
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    put(changes, after, version);
    return base::kDone;
  });
  if (!done.ok()) return std::move(done).error();
  return after;
}

Result<MadeKey> ApiKeys::reissue(const std::string& key_id, std::int64_t overlap_ms, const domain::Actor& actor) {
  if (overlap_ms < 0) return invalid("the overlap cannot be negative");
  MadeKey made;
  auto done = identity_.change([&](const Directory& current, ChangeSet& changes) -> Status {
    TRY(const ApiKey before, find(store_, key_id));
    if (before.revoked_at_ms != 0) return Error{Code::FailedPrecondition, "The key is revoked; make a new one", {}};
    const domain::UserEntry* owner = current.user(before.user_id);
    if (owner == nullptr) return unknown_object("user", before.user_id);
    const std::int64_t now_ms = clock_.wall_ms();
    const bool expired = before.expires_at_ms != 0 && before.expires_at_ms <= now_ms;
    // Only a key that is good until now, and ends now, gives its place away.
    if (overlap_ms > 0 || expired) {
      TRY(const std::size_t active, store_.count_active_keys(before.user_id, now_ms));
      if (active >= domain::kActiveKeysPerUserMax) {
        return Error{Code::ResourceExhausted,
                     fmt::format("The user has no place for another active key; {}",
                                 expired ? "revoke one first" : "reissue without an overlap"),
                     {}};
      }
    }
    made.key = ApiKey{};
    made.key.id = domain::make_id(domain::IdPrefix::ApiKey, random_.bytes(10));
    made.key.user_id = before.user_id;
    made.key.name = before.name;
    made.key.scopes = before.scopes;
    made.key.apis = before.apis;
    made.key.addresses = before.addresses;
    made.key.replaces = before.id;
    // The new key lasts as long as the old one was made for.
    if (before.expires_at_ms != 0) {
      made.key.expires_at_ms = now_ms + std::max<std::int64_t>(before.expires_at_ms - before.meta.created_at_ms, 60'000);
    }
    made.key.meta = created_by(actor, now_ms);
    TRY(IssuedToken issued, issue_(made.key));
    made.token = std::move(issued.token);
    made.key.kid = std::move(issued.kid);
    if (!may_use_keys(*owner, current)) made.warnings.emplace_back(kUnprivilegedOwner);

    ApiKey old = before;
    old.name = replaced_name(before);
    if (overlap_ms == 0) {
      mark_revoked(old, "reissued", actor, now_ms);
    } else {
      const std::int64_t end_ms = now_ms + overlap_ms;
      old.expires_at_ms = old.expires_at_ms == 0 ? end_ms : std::min(old.expires_at_ms, end_ms);
    }
    mark_changed(old.meta, actor, now_ms);
    auto event =
        object_event("key.reissued", actor, kKind, made.key.id, made.key.name, 1,
                     fmt::format("API key \"{}\" of \"{}\" reissued; it replaces {}", made.key.name, owner->login(), before.id));
    event.changes = changes_between({}, audited_fields(made.key));
    event.changes.push_back({"replaces", "", base::json_string(before.id)});
    changes.author = author_name(actor);
    changes.events.push_back(std::move(event));
    auto ended = object_event(overlap_ms == 0 ? "key.revoked" : "key.changed", actor, kKind, old.id, old.name, old.meta.version,
                              fmt::format("API key {} was replaced by {}", old.id, made.key.id));
    ended.changes = changes_between(audited_fields(before), audited_fields(old));
    changes.events.push_back(std::move(ended));
    put(changes, std::move(old), before.meta.version);  // first: it gives its name away
    put(changes, made.key, 0);
    return base::kDone;
  });
  if (!done.ok()) return std::move(done).error();
  return made;
}

Result<ApiKey> ApiKeys::revoke_by_token(const base::SecretString& token, std::string reason, const domain::Actor& actor) {
  const std::string id = identify_(token);
  if (id.empty()) return Error{Code::NotFound, "This is no key of this instance", {}};
  return revoke(id, reason.empty() ? "by possession" : std::move(reason), actor);
}

}  // namespace funcgate::service
