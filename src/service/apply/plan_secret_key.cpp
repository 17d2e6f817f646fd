#include "service/apply/plan_secret_key.h"

#include "base/text.h"
#include "domain/secret_key_json.h"
#include "service/admin/identity_rules.h"
#include "service/admin/secret_keys.h"
#include "service/apply/identity_draft.h"
#include "service/apply/secrets.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using base::Finding;
using base::text_of;
using domain::ResourceKind;
using domain::SecretKey;

json::object own_fields(const SecretKey& secret) { return {{"name", secret.name}, {"enabled", secret.enabled}}; }

// Seals a value that is given and is another one than the stored; true: the secret has a new value.
bool plan_value(PlanContext& context, const BundleDocument& document, const domain::SecretReference& reference,
                SecretKey& secret) {
  const ResolvedSecret given = resolve_secret(context, document, reference, "value", "valueFrom");
  if (given.source == SecretSource::Failed || given.source == SecretSource::Unknown) return false;
  if (given.source != SecretSource::Given) {
    if (secret.sealed.empty() && !context.offline())
      context.warning(document, {"value", "missing", "has no value yet: it has to be filled in"});
    return false;
  }
  if (!context.report(document, check_secret_value(given.value, "value")) || context.offline()) return false;
  if (!secret.sealed.empty()) {
    const auto stored = open_secret(*context.tools.vault, secret);
    if (stored.ok() && *stored == given.value) return false;
  }
  auto sealed = seal_secret(*context.tools.vault, secret, given.value);
  if (!sealed.ok()) {
    context.problem(document, {"value", "secret", sealed.error().message});
    return false;
  }
  secret.sealed = std::move(*sealed);
  const auto& is_key = context.identity->tools().is_instance_api_key;
  secret.is_instance_api_key = is_key && is_key(given.value);
  return true;
}

std::string id_of(std::string_view application, std::string_view owner, std::string_view name) {
  return fmt::format("{}/{}/{}", application, owner, name);
}

}  // namespace

std::string secret_key_id(const SecretKey& secret) {
  const std::string owner =
      secret.owner_kind == "httpConfiguration" ? secret.http_configuration : secret.flow + "/" + secret.action;
  return id_of(secret.application, owner, secret.name);
}

std::string secret_key_id(const BundleDocument& document) {
  const auto name = [&](std::string_view member) { return stored_name(text_of(document.spec, member)); };
  const std::string configuration = name("httpConfiguration");
  const std::string owner = configuration.empty() ? name("flow") + "/" + name("action") : configuration;
  return id_of(document.application, owner, document.name);
}

void plan_secret_key(PlanContext& context, const BundleDocument& document) {
  std::vector<Finding> findings;
  const json::value spec(document.spec);
  const domain::SecretKeyDocument wanted = domain::read_secret_key_document(document.name, document.application, spec, findings);
  if (!context.report(document, findings)) return;
  IdentityDraft& draft = *context.identity;
  auto found = draft.secret_key(secret_owner_id(wanted.value), wanted.value.name);
  if (!found.ok()) {
    context.problem(document, {"", "unavailable", found.error().message});
    return;
  }
  const bool is_new = !*found;
  SecretKey secret = is_new ? wanted.value : **found;
  const SecretKey before = secret;
  if (is_new && !draft.offline()) complete_new_secret(secret, draft.tools().random, draft.made_now());
  secret.name = wanted.value.name;
  secret.enabled = wanted.value.enabled;
  const std::size_t problems = context.plan.result.problems.size();
  const bool value_set = plan_value(context, document, wanted.value_from, secret);
  if (context.plan.result.problems.size() != problems) return;

  std::vector<FieldChange> changes;
  if (!is_new) changes = member_changes(own_fields(before), own_fields(secret));
  const bool fields_changed = !changes.empty();
  if (value_set && !is_new) changes.push_back({"value", before.sealed.empty() ? "" : std::string(kHidden), std::string(kHidden)});
  ObjectResult object{ResourceKind::SecretKey, secret_key_id(secret), ObjectOutcome::Unchanged, secret.meta.version, {},
                      secret.application};
  if (is_new) {
    object.outcome = ObjectOutcome::Created;
    draft.note("secret.created", "SecretKey", secret.id, secret.name, 1, described(secret) + " created",
               audited(member_changes({}, own_fields(secret))));
  } else if (!changes.empty()) {
    object.outcome = ObjectOutcome::Changed;
    ++object.version;
    if (fields_changed) {
      draft.note("secret.changed", "SecretKey", secret.id, secret.name, object.version, described(secret) + " changed",
                 audited(member_changes(own_fields(before), own_fields(secret))));
    }
  }
  if (value_set)
    draft.note("secret.value_set", "SecretKey", secret.id, secret.name, object.version, described(secret) + " was given a value");
  object.fields = std::move(changes);
  if (object.outcome != ObjectOutcome::Unchanged) draft.put_secret_key(std::move(secret), is_new ? 0 : before.meta.version);
  context.plan.result.objects.push_back(std::move(object));
}

}  // namespace funcgate::service
