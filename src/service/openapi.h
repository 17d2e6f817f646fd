// The OpenAPI 3.1 document of the published APIs that want to be shown, compiled with the catalog.
//
// Shown are titles, descriptions, arguments, result types and the names of credential fields; constants, credential values,
// users and names of functions never. Thread-safety: pure functions.
#pragma once

#include <string>

#include "base/clock.h"
#include "service/catalog.h"
#include "service/settings.h"

namespace funcgate::service {

// As JSON, in the order of ids: equal catalogs give equal bytes. `now_ms` decides which APIs have expired.
std::string openapi_document(const Catalog& catalog, const ServerSettings& settings, base::WallMs now_ms);

}  // namespace funcgate::service
