// /api-authentications/{id}/test: what a configuration says of a sample request. Nothing is counted, kept or recorded of it.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "admin/identity_documents.h"
#include "admin/router.h"
#include "admin/sample_request.h"
#include "admin/services.h"
#include "auth/api_key.h"
#include "service/fault_text.h"
#include "service/redaction.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;

json::value parsed(std::string_view text) {
  auto value = base::parse_json(text);
  return value.ok() ? std::move(*value) : json::value();
}

// An authentication function may repeat what it was shown. Whoever tries a sample knows it, but answers end up in terminals and
// tickets. Not on an io thread: a sample may have many values.
void mask_sample(std::string& text, const std::vector<std::string>& values) {
  constexpr std::size_t kMaskedLeastBytes = 6;  // shorter ones may stand in a text by chance
  std::vector<std::string_view> masked;
  std::copy_if(values.begin(), values.end(), std::back_inserter(masked),
               [](const std::string& value) { return value.size() >= kMaskedLeastBytes; });
  service::mask_secrets(text, std::move(masked));
}

// The members of the answer that a caller would get.
void append_refusal(json::object& out, const domain::Refusal& refusal, bool compat) {
  const service::FaultIdentity identity = service::fault_identity(refusal.fault, compat);
  out["status"] = identity.status;
  out["error"] = fmt::format("{} {}", identity.error, identity.reason);
  out["message"] = refusal.message;
  if (!refusal.detail.empty()) out["detail"] = parsed(refusal.detail);
  if (refusal.retry_after_s > 0) out["retryAfter"] = refusal.retry_after_s;
  json::array challenges;
  for (const std::string& challenge : refusal.challenges) challenges.emplace_back(challenge);
  if (!challenges.empty()) out["challenges"] = std::move(challenges);
  out["reason"] = domain::reason_token(refusal.reason);
}

json::object verdict_json(const std::string& id, const service::TrialVerdict& verdict, bool compat) {
  json::object out{{"accepted", verdict.accepted()}, {"configuration", id}, {"type", verdict.type}};
  if (verdict.refusal) append_refusal(out, *verdict.refusal, compat);
  out["steps"] = service::to_json(verdict.steps);
  if (verdict.accepted()) out["principal"] = parsed(verdict.principal->caller_json());
  return out;
}

Answer test_authentication(Context& context) {
  const std::string& id = context.path_parameters.at(0);
  const auto configuration = context.services.resources.configuration();
  if (id != auth::kBuiltinKeyId && !configuration->api_authentications.contains(id)) return not_found("API authentication", id);
  Answer problem;
  const auto body = required_body(context, problem);
  if (!body) return problem;
  std::vector<base::Finding> findings;
  Sample sample = read_sample(context, *body, findings);
  if (!findings.empty()) return invalid(findings);
  service::Trial trial;
  trial.sample = std::move(sample.request);
  trial.config_id = id;
  trial.catalog = context.services.catalog.current();
  trial.directory = context.directory;
  auto verdict = context.services.try_authentication(std::move(trial));
  if (!verdict.ok()) return from_error(verdict.error());
  if (verdict->refusal) mask_sample(verdict->refusal->detail, sample.values);
  return ok(verdict_json(id, *verdict, context.services.settings.compat_dataflux));
}

}  // namespace

void add_trial_routes(std::vector<Route>& routes) {
  // Whoever may try credentials could as well set them; nobody else gets to guess past the throttle.
  routes.push_back({domain::Method::Post,
                    "/api-authentications/{id}/test",
                    Access::needs({domain::Privilege::ManageApiAuthentication}),
                    test_authentication,
                    {.only_asks = true}});
}

}  // namespace funcgate::admin
