#include "service/fault_text.h"

#include <fmt/format.h>

#include "base/json.h"

namespace funcgate::service {

FaultIdentity fault_identity(domain::Fault fault, bool compat, bool async_api) {
  using domain::Fault;
  switch (fault) {
    case Fault::BadRequest: return {400, "400.43", "EClientBadRequest"};
    case Fault::PublishFailed: return {400, "400.9", "EScriptPublishFailed"};
    case Fault::Unauthenticated: return {401, "401.99", "EAPIAuth"};
    case Fault::UserPrivilege:
      return compat ? FaultIdentity{401, "401.15", "EUserPrivilege"} : FaultIdentity{403, "403.15", "EUserPrivilege"};
    case Fault::UserAccess:
      return compat ? FaultIdentity{401, "401.15", "EUserAccess"} : FaultIdentity{403, "403.16", "EUserAccess"};
    case Fault::ApiDisabled:
      if (!compat) return {403, "403.21", "EBizCondition.APIDisabled"};
      return {403, "403.21", async_api ? "EBizCondition.AsyncAPIDisabled" : "EBizCondition.SyncAPIDisabled"};
    case Fault::ApiExpired:
      if (!compat) return {403, "403.21", "EBizCondition.APIExpired"};
      return {403, "403.21", async_api ? "EBizCondition.AsyncAPIExpired" : "EBizCondition.SyncAPIExpired"};
    case Fault::PlainHttp: return {403, "403.44", "EClientUnsupported.PlainHTTP"};
    case Fault::NotFound: return {404, "404.41", "EClientNotFound"};
    case Fault::MethodNotAllowed:
      return compat ? FaultIdentity{400, "400.44", "EClientUnsupported.Method"}
                    : FaultIdentity{405, "405.44", "EClientUnsupported.Method"};
    case Fault::Timeout: return {408, "408.45", "EClientTimeout"};
    case Fault::Conflict: return {409, "409.25", "EBizRequestConflict"};
    case Fault::UserPassword: return {400, "400.12", "EUserPassword"};
    case Fault::UserAuth: return {401, "401.14", "EUserAuth"};
    case Fault::PasswordExpired: return {403, "403.17", "EPasswordExpired"};
    case Fault::Csrf: return {403, "403.31", "ECsrf"};
    case Fault::Duplicated: return {409, "409.42", "EClientDuplicated"};
    case Fault::IdempotentReplay: return {409, "409.56", "EIdempotentReplay"};
    case Fault::PreconditionFailed: return {412, "412.51", "EPreconditionFailed"};
    case Fault::PreconditionRequired: return {428, "428.52", "EPreconditionRequired"};
    case Fault::Keystore: return {503, "503.61", "EKeystore"};
    case Fault::SetupPending: return {503, "503.63", "ESetupPending"};
    case Fault::BodyTooLarge: return {413, "413.43", "EClientTooLarge"};
    case Fault::TargetTooLong: return {414, "414.43", "EClientTooLarge"};
    case Fault::MediaType:
      return compat ? FaultIdentity{400, "400.44", "EClientUnsupported.MediaType"}
                    : FaultIdentity{415, "415.44", "EClientUnsupported.MediaType"};
    case Fault::ApiThrottling: return {429, "429.46", "EClientRateLimit.APIThrottling"};
    case Fault::AuthThrottling:
      return compat ? FaultIdentity{429, "429.46", "EClientRateLimit.AuthThrottling"}
                    : FaultIdentity{429, "429.47", "EClientRateLimit.AuthThrottling"};
    case Fault::HeadersTooLarge: return {431, "431.43", "EClientTooLarge"};
    case Fault::FunctionFailed:
      return compat ? FaultIdentity{599, "599.1", "EFuncFailed"} : FaultIdentity{500, "500.1", "EFuncFailed"};
    case Fault::ResultInvalid:
      return compat ? FaultIdentity{599, "599.98", "EFuncResultParsingFailed"}
                    : FaultIdentity{500, "500.11", "EFuncResultInvalid"};
    case Fault::System: return {500, "500.5", "ESys"};
    case Fault::WorkerLost:
      return compat ? FaultIdentity{599, "599.99", "EWorkerNoResponse"} : FaultIdentity{502, "502.99", "EWorkerNoResponse"};
    case Fault::LimitReached: return {503, "503.1", "ESysLimitReached"};
    case Fault::Expired:
      return compat ? FaultIdentity{599, "599.2", "EFuncExpired"} : FaultIdentity{503, "503.3", "EFuncExpired"};
    case Fault::FunctionUnavailable:
      return compat ? FaultIdentity{404, "404.41", "EFuncUnavailable"} : FaultIdentity{503, "503.41", "EFuncUnavailable"};
    case Fault::AuthUnavailable: return {503, "503.99", "EAPIAuthUnavailable"};
    case Fault::FunctionTimeout:
      return compat ? FaultIdentity{599, "599.2", "EFuncTimeout"} : FaultIdentity{504, "504.2", "EFuncTimeout"};
  }
  return {500, "500.5", "ESys"};
}

std::optional<domain::Fault> find_fault(std::string_view error, std::string_view reason) {
  for (int i = 0; i <= static_cast<int>(domain::Fault::FunctionTimeout); ++i) {
    const auto fault = static_cast<domain::Fault>(i);
    const FaultIdentity identity = fault_identity(fault, false);
    if (identity.error == error && identity.reason == reason) return fault;
  }
  return std::nullopt;
}

std::string fault_text(const domain::Refusal& refusal) {
  const FaultIdentity identity = fault_identity(refusal.fault, false);
  std::string out = fmt::format("{{\"error\":{},\"reason\":{},\"message\":{}", identity.error, base::json_string(identity.reason),
                                base::json_string(refusal.message));
  if (!refusal.detail.empty()) out += ",\"detail\":" + refusal.detail;
  out.push_back('}');
  return out;
}

}  // namespace funcgate::service
