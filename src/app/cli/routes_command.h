// funcgate routes: the table of the management API as data, for whoever compares it with its document.
//
// Thread-safety: any thread.
#pragma once

#include "base/json.h"

namespace funcgate::app::cli {

// [{"method", "path", "access": "open|signed-in|needs|scoped", "privileges": [names], "ifMatch", "rawBody"}], in the table's
// order. Needs no data directory.
base::json::array describe_routes();

}  // namespace funcgate::app::cli
