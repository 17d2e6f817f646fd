#include "service/apply/secrets.h"

namespace funcgate::service {

using domain::SecretOrigin;

ResolvedSecret resolve_secret(PlanContext& context, const BundleDocument& document, const domain::SecretReference& reference,
                              const std::string& path, const std::string& reference_path) {
  const auto given = document.secrets.find(path);
  if (given != document.secrets.end() && (reference.origin == SecretOrigin::Keystore || reference.origin == SecretOrigin::Keep)) {
    context.problem(document, {path, "duplicate", fmt::format("give it here or with {}, not both", reference_path)});
    return {SecretSource::Failed, {}};
  }
  if (given != document.secrets.end()) return {SecretSource::Given, given->second};
  switch (reference.origin) {
    case SecretOrigin::None: return {SecretSource::Absent, {}};
    case SecretOrigin::Keep: return {SecretSource::Keep, {}};
    case SecretOrigin::Env:
    case SecretOrigin::File:
      // The server must not read its own files and environment for whoever sends a document.
      context.problem(document,
                      {reference_path, "value", "env and file are resolved by the command line only; send the value itself"});
      return {SecretSource::Failed, {}};
    case SecretOrigin::Keystore: break;
  }
  if (context.tools.vault == nullptr) return {SecretSource::Unknown, {}};
  auto value = context.tools.vault->look_up(reference.name);
  if (!value.ok()) {
    context.problem(document, {reference_path, "value", value.error().message});
    return {SecretSource::Failed, {}};
  }
  return {SecretSource::Given, std::move(*value)};
}

}  // namespace funcgate::service
