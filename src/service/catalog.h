// Catalog: one immutable picture of everything published, compiled for serving; Endpoint: one published API in it.
//
// A call pins the catalog it began with to its end: one version of everything decides it. Thread-safety: immutable.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "auth/chain.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "domain/configuration.h"
#include "domain/invocation.h"
#include "service/openapi_page.h"

namespace funcgate::service {

// What outlives a recompilation of the endpoint. Any thread.
struct EndpointState {
  std::atomic<std::int64_t> running{0};
  std::atomic<std::int64_t> tasks_waiting{0};
};

// Fields to take away before a function sees the request.
struct StripRules {
  std::vector<std::string> headers;  // lower case; Authorization and Proxy-Authorization are always among them
  // Calls that arrive before it (Unix, ms) keep Authorization, though it stands above: it is not judged, the function does that.
  std::int64_t authorization_passes_until_ms = 0;
  std::vector<std::string> query_names;
  std::vector<std::string> body_names;               // as configured: urlencoded and multipart compare exactly
  std::vector<std::vector<std::string>> body_paths;  // the same as JSON paths
};

struct Endpoint {
  domain::FunctionApi api;
  std::shared_ptr<const std::string> id, func_id;
  const domain::FunctionInfo* function = nullptr;  // of the catalog's generation; null: 503.41
  std::string unavailable_reason;
  auth::Chain chain;
  bool denies = false;  // neither list nor anonymous: met at run time it refuses
  StripRules strip;
  std::string allow;  // value of Allow
  std::int64_t timeout_ms = 30'000, expires_ms = 30'000;
  std::int64_t body_bytes_max = 0, upload_bytes_max = 0, pre_auth_body_bytes_max = 0;
  std::uint16_t queue = 1;
  domain::ErrorDetail error_detail = domain::ErrorDetail::Type;
  std::string fixed_kwargs;  // empty instead of {}
  double cache_ttl_s = 0;
  crypto::Digest128 cache_identity{};  // of results: a digest of everything but the request that an answer depends on
  std::vector<std::string> cache_vary;
  std::string readable;  // JSON list for the worker when results are cached
  std::shared_ptr<EndpointState> state;
  base::Counter* calls_ok = nullptr;
  base::Counter* calls_failed = nullptr;
  base::Histogram* duration = nullptr;
};

struct Catalog {
  std::int64_t sequence = 0;
  domain::GenerationPtr generation;
  domain::TextMap<std::shared_ptr<const Endpoint>> endpoints;
  domain::TextMap<auth::SchemePtr> schemes;
  domain::TextMap<domain::Reason> unusable;  // configurations without a scheme, and why
  domain::TextMap<domain::EnvVariable> env_variables;
  std::vector<base::SecretString> passwords;  // clear values of password variables: masked in whatever is stored
  std::shared_ptr<OpenApiPage> openapi = std::make_shared<OpenApiPage>();  // the one thing in it that time changes
};
using CatalogPtr = std::shared_ptr<const Catalog>;

}  // namespace funcgate::service
