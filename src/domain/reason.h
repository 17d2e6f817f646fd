// Reason: why a call was refused or failed. One stable token for log, metric, record and explanation; never sent to the caller.
// Fault: what the caller is told instead; only http/envelope knows its status and number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace funcgate::domain {

// X(Enumerator, "token")
#define FUNCGATE_REASONS(X)                                    \
  X(None, "")                                                  \
  X(HttpMalformed, "http.malformed")                           \
  X(HttpTooLarge, "http.too_large")                            \
  X(HttpSlow, "http.slow")                                     \
  X(RouteUnknown, "route.unknown")                             \
  X(ApiUnknown, "api.unknown")                                 \
  X(MethodNotAllowed, "method.not_allowed")                    \
  X(AuthNoneConfigured, "auth.none_configured")                \
  X(AuthConfigMissing, "auth.config_missing")                  \
  X(AuthConfigBroken, "auth.config_broken")                    \
  X(AuthTypeUnknown, "auth.type_unknown")                      \
  X(AuthSecretUnreadable, "auth.secret_unreadable")            \
  X(AuthStateUnavailable, "auth.state_unavailable")            \
  X(AuthFeedLost, "auth.feed_lost")                            \
  X(AuthPlainHttp, "auth.plain_http")                          \
  X(AuthBlockedAddress, "auth.blocked_address")                \
  X(AuthBlockedAccount, "auth.blocked_account")                \
  X(AuthRunAsDisabled, "auth.run_as_disabled")                 \
  X(AuthInternal, "auth.internal")                             \
  X(AuthDuplicateAuthorization, "auth.duplicate_authorization") \
  X(AuthBodyTooLarge, "auth.body_too_large")                   \
  X(AuthDeadline, "auth.deadline")                             \
  X(Anonymous, "anonymous")                                    \
  X(FixedFieldAbsent, "fixed_field.absent")                    \
  X(FixedFieldMismatch, "fixed_field.mismatch")                \
  X(FixedFieldRepeated, "fixed_field.repeated")                \
  X(FixedFieldExpired, "fixed_field.expired")                  \
  X(BasicAbsent, "basic.absent")                               \
  X(BasicMalformed, "basic.malformed")                         \
  X(BasicUserUnknown, "basic.user_unknown")                    \
  X(BasicUserDisabled, "basic.user_disabled")                  \
  X(BasicPassword, "basic.password")                           \
  X(BasicTooLong, "basic.too_long")                            \
  X(BasicOverload, "basic.overload")                           \
  X(DigestAbsent, "digest.absent")                             \
  X(DigestMalformed, "digest.malformed")                       \
  X(DigestUriMismatch, "digest.uri_mismatch")                  \
  X(DigestRealm, "digest.realm")                               \
  X(DigestNonceUnknown, "digest.nonce_unknown")                \
  X(DigestQop, "digest.qop")                                   \
  X(DigestAlgorithm, "digest.algorithm")                       \
  X(DigestOpaque, "digest.opaque")                             \
  X(DigestUserUnknown, "digest.user_unknown")                  \
  X(DigestUserDisabled, "digest.user_disabled")                \
  X(DigestResponse, "digest.response")                         \
  X(DigestNonceStale, "digest.nonce_stale")                    \
  X(DigestNcReplayed, "digest.nc_replayed")                    \
  X(DigestNcJump, "digest.nc_jump")                            \
  X(FuncAbsent, "func.absent")                                 \
  X(FuncFalse, "func.false")                                   \
  X(FuncValue, "func.value")                                   \
  X(FuncRaised, "func.raised")                                 \
  X(FuncTimeout, "func.timeout")                               \
  X(FuncOverload, "func.overload")                             \
  X(FuncCrashed, "func.crashed")                               \
  X(FuncMissing, "func.missing")                               \
  X(KeyAbsent, "key.absent")                                   \
  X(KeyMalformed, "key.malformed")                             \
  X(KeyAlg, "key.alg")                                         \
  X(KeyKid, "key.kid")                                         \
  X(KeySignature, "key.signature")                             \
  X(KeyClaims, "key.claims")                                   \
  X(KeyAudience, "key.audience")                               \
  X(KeyExpired, "key.expired")                                 \
  X(KeyUnknown, "key.unknown")                                 \
  X(KeyRevoked, "key.revoked")                                 \
  X(KeyOwner, "key.owner")                                     \
  X(KeyPrivilege, "key.privilege")                             \
  X(KeyRestricted, "key.restricted")                           \
  X(KeyNoSecret, "key.no_secret")                              \
  X(KeySession, "key.session")                                 \
  X(ApiDisabled, "api.disabled")                               \
  X(ApiExpired, "api.expired")                                 \
  X(ApiThrottled, "api.throttled")                             \
  X(BodyTooLarge, "body.too_large")                            \
  X(BodySlow, "body.slow")                                     \
  X(BodyMediaType, "body.media_type")                          \
  X(UploadQuota, "upload.quota")                               \
  X(ArgumentsInvalid, "arguments.invalid")                     \
  X(CapacityConcurrency, "capacity.concurrency")               \
  X(CapacityQueue, "capacity.queue")                           \
  X(CapacityRecord, "capacity.record")                         \
  X(CapacityTasks, "capacity.tasks")                           \
  X(CapacityWorkers, "capacity.workers")                       \
  X(QueueExpired, "queue.expired")                             \
  X(FunctionMissing, "function.missing")                       \
  X(FunctionRaised, "function.raised")                         \
  X(FunctionTimeout, "function.timeout")                       \
  X(FunctionResultInvalid, "function.result_invalid")          \
  X(WorkerLost, "worker.lost")                                 \
  X(TaskUnknown, "task.unknown")                               \
  X(TaskFinished, "task.finished")                             \
  X(TaskPolling, "task.polling")                               \
  X(ServerStopping, "server.stopping")                         \
  X(CallerGone, "caller.gone")                                 \
  X(Internal, "internal")

enum class Reason : std::uint8_t {
#define X(name, token) name,
  FUNCGATE_REASONS(X)
#undef X
};
inline constexpr std::size_t kReasonCount = 0
#define X(name, token) +1
    FUNCGATE_REASONS(X)
#undef X
    ;

std::string_view reason_token(Reason reason);
// Whether only an account that exists is refused for it: its name may be shown. Any other one may be a password that somebody
// typed in its place.
bool account_exists(Reason reason);

// What the caller is told. The comment is error number and public reason in http/envelope.
enum class Fault : std::uint8_t {
  BadRequest,           // 400.43 EClientBadRequest
  PublishFailed,        // 400.9  EScriptPublishFailed
  Unauthenticated,      // 401.99 EAPIAuth
  UserPrivilege,        // 403.15 EUserPrivilege
  UserAccess,           // 403.16 EUserAccess
  ApiDisabled,          // 403.21 EBizCondition.APIDisabled
  ApiExpired,           // 403.21 EBizCondition.APIExpired
  PlainHttp,            // 403.44 EClientUnsupported.PlainHTTP
  NotFound,             // 404.41 EClientNotFound
  MethodNotAllowed,     // 405.44 EClientUnsupported.Method
  Timeout,              // 408.45 EClientTimeout
  Conflict,             // 409.25 EBizRequestConflict
  UserPassword,         // 400.12 EUserPassword
  UserAuth,             // 401.14 EUserAuth
  PasswordExpired,      // 403.17 EPasswordExpired
  Csrf,                 // 403.31 ECsrf
  Duplicated,           // 409.42 EClientDuplicated
  IdempotentReplay,     // 409.56 EIdempotentReplay
  PreconditionFailed,   // 412.51 EPreconditionFailed
  PreconditionRequired, // 428.52 EPreconditionRequired
  Keystore,             // 503.61 EKeystore
  SetupPending,         // 503.63 ESetupPending
  BodyTooLarge,         // 413.43 EClientTooLarge
  TargetTooLong,        // 414.43 EClientTooLarge
  MediaType,            // 415.44 EClientUnsupported.MediaType
  ApiThrottling,        // 429.46 EClientRateLimit.APIThrottling
  AuthThrottling,       // 429.47 EClientRateLimit.AuthThrottling
  HeadersTooLarge,      // 431.43 EClientTooLarge
  FunctionFailed,       // 500.1  EFuncFailed
  ResultInvalid,        // 500.11 EFuncResultInvalid
  System,               // 500.5  ESys
  WorkerLost,           // 502.99 EWorkerNoResponse
  LimitReached,         // 503.1  ESysLimitReached
  Expired,              // 503.3  EFuncExpired
  FunctionUnavailable,  // 503.41 EFuncUnavailable
  AuthUnavailable,      // 503.99 EAPIAuthUnavailable
  FunctionTimeout,      // 504.2  EFuncTimeout
};

// A call that ends here. `message` and `detail` go to the caller; `reason` never does.
struct Refusal {
  Fault fault = Fault::System;
  Reason reason = Reason::Internal;
  std::string message;
  std::string detail;                          // JSON text, or empty: no member `detail`
  std::int64_t retry_after_s = 0;              // 0: no Retry-After
  std::vector<std::string> challenges;         // values of WWW-Authenticate, in order
  std::string allow;                           // value of Allow
  bool close = false;                          // the connection cannot be used any further
};

}  // namespace funcgate::domain
