// A trial: what one authentication configuration says of a sample request, by the checks of real calls and with nothing counted.
//
// No counter of wrong credentials, no use of a nonce, no last use of a key, no remembered verdict, no record, no metric of
// authentication; blocks are not looked at either. Passwords are hashed where those of calls are, behind the same bounds, and
// an authentication function really runs. Thread-safety: an io thread, that of the AuthThread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "auth/scheme.h"
#include "base/async.h"
#include "domain/directory.h"
#include "service/admin/explanations.h"
#include "service/catalog.h"
#include "service/settings.h"

namespace funcgate::service {

// As it would come over the wire. Holds credentials: never logged, stored or told.
struct SampleRequest {
  std::string method, target, host;                          // `target`: path and query
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, values without blanks at the ends
  std::string body;                                          // empty: none
  domain::Address address;
  bool tls = true;
  std::string trace_id;
};

struct TrialVerdict {
  std::string type;                        // of the configuration; empty: it cannot be used
  domain::PrincipalPtr principal;          // exactly when accepted
  std::optional<domain::Refusal> refusal;  // what a caller would get
  std::vector<ExplainedStep> steps;
  bool accepted() const { return principal != nullptr; }
};

struct Trial {
  SampleRequest sample;
  std::string config_id;
  CatalogPtr catalog;
  domain::DirectoryPtr directory;
};

// How long a trial takes at most.
inline constexpr std::int64_t kTrialMs = 15'000;

// `trial` outlives the coroutine. `thread`: whose hashes, nonces and functions are used.
base::Async<TrialVerdict> try_sample(const Trial& trial, const auth::AuthThread& thread, const ServerSettings& settings);

}  // namespace funcgate::service
