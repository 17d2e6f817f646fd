#include <algorithm>

#include "base/text.h"
#include "base/unicode.h"
#include "domain/api_auth_json.h"
#include "service/apply/secrets.h"

namespace funcgate::service {
namespace {

using base::Finding;
using domain::ApiAuthentication;
using domain::ResourceKind;

// One configuration being planned.
struct Subject {
  PlanContext& context;
  const BundleDocument& document;
  const ApiAuthentication* old;  // null: new
  domain::ApiAuthenticationDraft& draft;
  std::vector<FieldChange> secret_changes;

  void problem(std::string path, std::string_view code, std::string message) {
    context.problem(document, {std::move(path), std::string(code), std::move(message)});
  }
  void to_be_filled(std::string path) {
    context.warning(document, {std::move(path), "missing", "is not set: the entry admits nobody until it is"});
  }
  void secret_changed(std::string name) { secret_changes.push_back({std::move(name), {}, std::string(kHidden)}); }
  // False, and a problem, if the rules of secrets refuse it.
  bool accept(std::vector<Finding>& findings, std::vector<Finding>& warnings) {
    for (const Finding& warning : warnings) context.warning(document, warning);
    return context.report(document, findings);
  }
};

// The codec failed: its message tells the administrator what the keystore lacks.
void codec_problem(Subject& subject, const std::string& path, const base::Error& error) {
  subject.problem(path, "secret", error.message);
}

// --- fixedField

void plan_field(Subject& subject, domain::FixedFieldEntry& entry, const domain::FixedFieldEntry* old, std::size_t index) {
  const std::string path = fmt::format("fields[{}].value", index);
  const ResolvedSecret secret =
      resolve_secret(subject.context, subject.document, subject.draft.secrets[index], path, path + "From");
  const bool same_field = old != nullptr && old->field.location == entry.field.location && old->field.name == entry.field.name;
  switch (secret.source) {
    case SecretSource::Failed:
    case SecretSource::Unknown: return;
    case SecretSource::Absent:
    case SecretSource::Keep:
      if (old != nullptr && !same_field) {
        subject.problem(path, "missing", "a changed name or location needs the value again");
      } else if (old != nullptr && !old->value_hash.empty()) {
        entry.value_hash = old->value_hash;
        entry.value_set_at = old->value_set_at;
      } else if (old != nullptr || secret.source == SecretSource::Keep) {
        subject.to_be_filled(path);
      } else if (!subject.context.offline()) {
        subject.problem(path, "missing", "a new entry needs a value");
      }
      return;
    case SecretSource::Given: break;
  }
  std::vector<Finding> findings, warnings;
  domain::check_field_value(secret.value.reveal(), entry.field.location, path, findings, warnings);
  if (!subject.accept(findings, warnings) || subject.context.offline()) return;
  auto hash = subject.context.tools.codec->field_hash(subject.draft.value.id, entry.field, secret.value.reveal());
  if (!hash.ok()) return codec_problem(subject, path, hash.error());
  const bool unchanged = same_field && base::constant_time_equal(old->value_hash, *hash);
  entry.value_hash = std::move(*hash);
  entry.value_set_at = unchanged ? old->value_set_at : subject.context.tools.now_ms;
  if (!unchanged) subject.secret_changed(fmt::format("fields[{}].value", entry.label));
}

void plan_secrets(Subject& subject, domain::FixedFieldConfig& config) {
  const auto* old = subject.old == nullptr ? nullptr : std::get_if<domain::FixedFieldConfig>(&subject.old->config);
  for (std::size_t i = 0; i < config.fields.size(); ++i) {
    const domain::FixedFieldEntry* before = nullptr;
    for (std::size_t k = 0; old != nullptr && k < old->fields.size(); ++k) {
      if (old->fields[k].label == config.fields[i].label) before = &old->fields[k];
    }
    plan_field(subject, config.fields[i], before, i);
  }
}

// --- httpBasic, httpDigest

// The users of a stored configuration by name.
template <class User>
std::map<std::string_view, const User*> by_name(const std::vector<User>& users) {
  std::map<std::string_view, const User*> map;
  for (const User& user : users) map.emplace(user.username, &user);
  return map;
}
template <class User>
const User* find_user(const std::map<std::string_view, const User*>& users, std::string_view name) {
  const auto found = users.find(name);
  return found == users.end() ? nullptr : found->second;
}

// The password of user `index` in NFC, checked; nullopt: kept, absent or refused. `state` tells which.
std::optional<base::SecretString> user_password(Subject& subject, const std::string& username, std::size_t index,
                                                SecretSource& state) {
  const std::string path = fmt::format("users[{}].password", index);
  const ResolvedSecret secret =
      resolve_secret(subject.context, subject.document, subject.draft.secrets[index], path, path + "From");
  state = secret.source;
  if (secret.source != SecretSource::Given) return std::nullopt;
  std::vector<Finding> findings, warnings;
  domain::check_password(username, secret.value.reveal(), path, findings, warnings);
  auto normalized = base::to_nfc(secret.value.reveal());
  if (!subject.accept(findings, warnings) || !normalized) {
    state = SecretSource::Failed;
    return std::nullopt;
  }
  return base::SecretString(std::move(*normalized));
}

// No password was given and none can be kept.
void password_missing(Subject& subject, bool existing, std::size_t index, SecretSource state) {
  const std::string path = fmt::format("users[{}].password", index);
  if (existing || state == SecretSource::Keep) {
    subject.to_be_filled(path);
  } else if (!subject.context.offline()) {
    subject.problem(path, "missing", "a new user needs a password");
  }
}

void plan_basic_user(Subject& subject, domain::BasicUser& user, const domain::BasicUser* old, std::size_t index) {
  SecretSource state = SecretSource::Absent;
  const auto password = user_password(subject, user.username, index, state);
  if (state == SecretSource::Failed || state == SecretSource::Unknown) return;
  if (!password) {
    if (old == nullptr || old->password_hash.empty()) return password_missing(subject, old != nullptr, index, state);
    user.password_hash = old->password_hash;
    user.password_set_at = old->password_set_at;
    return;
  }
  if (subject.context.offline()) return;
  const std::string path = fmt::format("users[{}].password", index);
  domain::SecretCodec& codec = *subject.context.tools.codec;
  if (old != nullptr && !old->password_hash.empty()) {
    const auto same = codec.verify_password(password->reveal(), old->password_hash);
    if (!same.ok()) return codec_problem(subject, path, same.error());
    if (*same) {
      user.password_hash = old->password_hash;
      user.password_set_at = old->password_set_at;
      return;
    }
  }
  auto hash = codec.hash_password(password->reveal());
  if (!hash.ok()) return codec_problem(subject, path, hash.error());
  user.password_hash = std::move(*hash);
  user.password_set_at = subject.context.tools.now_ms;
  subject.secret_changed(fmt::format("users[{}].password", user.username));
}

void plan_secrets(Subject& subject, domain::BasicConfig& config) {
  const auto* old = subject.old == nullptr ? nullptr : std::get_if<domain::BasicConfig>(&subject.old->config);
  const auto old_users = old == nullptr ? std::map<std::string_view, const domain::BasicUser*>() : by_name(old->users);
  for (std::size_t i = 0; i < config.users.size(); ++i) {
    plan_basic_user(subject, config.users[i], find_user(old_users, config.users[i].username), i);
  }
}

struct DigestPlan {
  Subject& subject;
  const domain::DigestConfig& config;
  const domain::DigestConfig* old_config;
  bool same_realm = false;
  std::vector<std::string> need_realm, need_algorithm;

  const std::string* old_sealed(const domain::DigestUser& old, domain::DigestAlgorithm algorithm) const {
    const auto& known = old_config->algorithms;
    const auto found = std::find(known.begin(), known.end(), algorithm);
    const auto index = static_cast<std::size_t>(found - known.begin());
    return found == known.end() || index >= old.sealed_ha1.size() ? nullptr : &old.sealed_ha1[index];
  }

  void keep(domain::DigestUser& user, const domain::DigestUser& old) {
    if (!same_realm) return need_realm.push_back(user.username);
    for (domain::DigestAlgorithm algorithm : config.algorithms) {
      const std::string* sealed = old_sealed(old, algorithm);
      if (sealed == nullptr) return need_algorithm.push_back(user.username);
      user.sealed_ha1.push_back(*sealed);
    }
    user.password_set_at = old.password_set_at;
  }

  // Seals the HA1 of each algorithm; what is stored already and opens to the same HA1 is taken over as it is.
  void set(domain::DigestUser& user, const domain::DigestUser* old, const base::SecretString& password, const std::string& path) {
    const PlanTools& tools = subject.context.tools;
    const std::string& realm = subject.draft.value.realm;
    bool changed = false;
    for (domain::DigestAlgorithm algorithm : config.algorithms) {
      const base::SecretString ha1 = tools.codec->digest_ha1(algorithm, user.username, realm, password.reveal());
      const auto bound_to = {std::string_view(subject.draft.value.id), std::string_view(user.username),
                             domain::algorithm_name(algorithm), std::string_view(realm)};
      const std::string* sealed = old == nullptr || !same_realm ? nullptr : old_sealed(*old, algorithm);
      if (sealed != nullptr) {
        const auto opened = tools.vault->open(*sealed, bound_to);
        if (opened.ok() && *opened == ha1) {
          user.sealed_ha1.push_back(*sealed);
          continue;
        }
      }
      auto box = tools.vault->seal(ha1.reveal(), bound_to);
      if (!box.ok()) return codec_problem(subject, path, box.error());
      user.sealed_ha1.push_back(std::move(*box));
      changed = true;
    }
    user.password_set_at = changed ? tools.now_ms : old->password_set_at;
    if (changed) subject.secret_changed(fmt::format("users[{}].password", user.username));
  }
};

void plan_digest_user(DigestPlan& plan, domain::DigestUser& user, const domain::DigestUser* old, std::size_t index) {
  SecretSource state = SecretSource::Absent;
  const auto password = user_password(plan.subject, user.username, index, state);
  if (state == SecretSource::Failed || state == SecretSource::Unknown) return;
  if (!password) {
    if (old == nullptr || old->sealed_ha1.empty()) return password_missing(plan.subject, old != nullptr, index, state);
    return plan.keep(user, *old);
  }
  if (!plan.subject.context.offline()) plan.set(user, old, *password, fmt::format("users[{}].password", index));
}

void plan_secrets(Subject& subject, domain::DigestConfig& config) {
  const auto* old = subject.old == nullptr ? nullptr : std::get_if<domain::DigestConfig>(&subject.old->config);
  const auto old_users = old == nullptr ? std::map<std::string_view, const domain::DigestUser*>() : by_name(old->users);
  DigestPlan plan{subject, config, old, old != nullptr && subject.old->realm == subject.draft.value.realm, {}, {}};
  for (std::size_t i = 0; i < config.users.size(); ++i) {
    plan_digest_user(plan, config.users[i], find_user(old_users, config.users[i].username), i);
  }
  if (!plan.need_realm.empty()) {
    subject.problem("realm", "missing", fmt::format("a new realm needs new passwords for: {}", fmt::join(plan.need_realm, ", ")));
  }
  if (!plan.need_algorithm.empty()) {
    subject.problem("algorithms", "missing",
                    fmt::format("users without this algorithm: {}", fmt::join(plan.need_algorithm, ", ")));
  }
}

void plan_secrets(Subject&, domain::FuncConfig&) {}

// Whoever is named here must exist: a name that somebody else gets later would be let in by nobody's decision.
void plan_secrets(Subject& subject, domain::ApiKeyConfig& config) {
  if (subject.context.offline()) return;
  const auto check = [&](std::string_view member, domain::IdentityKind kind, const char* what,
                         const std::vector<std::string>& names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (subject.context.tools.identity_of(kind, names[i]) != IdentityState::Missing) continue;
      subject.problem(fmt::format("{}[{}]", member, i), "value",
                      fmt::format("no such {} \"{}\"", what, base::printable(names[i], 100)));
    }
  };
  check("allowedUsers", domain::IdentityKind::User, "user", config.allowed_users);
  check("allowedGroups", domain::IdentityKind::UserGroup, "group", config.allowed_groups);
  check("allowedRoles", domain::IdentityKind::Role, "role", config.allowed_roles);
}

// An enabled user, as whom accepted calls shall run.
void check_run_as(const PlanContext& context, const std::string& login, std::vector<Finding>& findings) {
  if (login.empty() || login == domain::kSystemLogin || context.offline()) return;
  const std::string shown = base::printable(login, 100);
  switch (context.tools.identity_of(domain::IdentityKind::User, login)) {
    case IdentityState::Usable: return;
    case IdentityState::Disabled:
      return findings.push_back({"runAs", "value", fmt::format("the user \"{}\" is disabled", shown)});
    case IdentityState::Missing: return findings.push_back({"runAs", "value", fmt::format("no such user \"{}\"", shown)});
  }
}

void plan_secrets(Subject&, domain::BrokenConfig&) {}

}  // namespace

IdentityLookup lookup_in(domain::DirectoryPtr directory) {
  return [directory = std::move(directory)](domain::IdentityKind kind, std::string_view name) {
    if (kind == domain::IdentityKind::User) {
      const domain::UserEntry* user = directory->user_by_login(base::to_lower(name));
      if (user == nullptr) return IdentityState::Missing;
      return user->enabled() ? IdentityState::Usable : IdentityState::Disabled;
    }
    const bool known = kind == domain::IdentityKind::UserGroup ? directory->group_by_name(name) != nullptr
                                                               : directory->role_by_name(name, {}) != nullptr;
    return known ? IdentityState::Usable : IdentityState::Missing;
  };
}

void plan_api_authentication(PlanContext& context, const BundleDocument& document) {
  auto& objects = context.plan.next.api_authentications;
  const auto found = objects.find(document.name);
  const ApiAuthentication* old = found == objects.end() ? nullptr : &found->second.value;
  std::vector<Finding> findings, warnings;
  domain::ApiAuthenticationDraft draft = domain::read_api_authentication(
      document.name, document.spec, domain::ApiAuthenticationForm::Document, context.tools.now_ms, findings, warnings);
  if (document.name == "api-key") findings.push_back({"id", "value", "\"api-key\" is built in and cannot be written"});
  const bool was_known = old != nullptr && !std::holds_alternative<domain::BrokenConfig>(old->config);
  if (findings.empty() && was_known && old->config.index() != draft.value.config.index()) {
    findings.push_back({"type", "value", "the type of a configuration cannot be changed"});
  }
  check_run_as(context, draft.value.run_as, findings);
  for (const Finding& warning : warnings) context.warning(document, warning);
  if (!context.report(document, findings)) return;
  const std::size_t problems_before = context.plan.result.problems.size();
  Subject subject{context, document, old, draft, {}};
  std::visit([&](auto& config) { plan_secrets(subject, config); }, draft.value.config);
  if (context.plan.result.problems.size() != problems_before) return;
  std::vector<FieldChange> changes;
  if (old != nullptr) {
    changes = member_changes(without_reports(domain::to_public_spec(*old)), without_reports(domain::to_public_spec(draft.value)));
    changes.insert(changes.end(), subject.secret_changes.begin(), subject.secret_changes.end());
  }
  context.place(ResourceKind::ApiAuthentication, objects, std::move(draft.value), std::move(changes));
}

}  // namespace funcgate::service
