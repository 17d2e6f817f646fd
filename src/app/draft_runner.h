// Runs one function of a candidate generation and waits for its end: what an author sees when he tries a draft.
//
// Thread-safety: any thread but the io thread it is given; blocks at most kDraftRunMs and a little more.
#pragma once

#include <string>

#include "base/io_thread.h"
#include "base/json.h"
#include "domain/ports/function_runner.h"
#include "service/catalog.h"

namespace funcgate::app {

inline constexpr std::int64_t kDraftRunMs = 60'000;

// {"outcome": "value"|"raised"|"badArguments"|…, "result", "problem", "print", "runMs"}. NotFound: no such function. Values of
// the catalog's password variables are masked in problem and print.
base::Result<base::json::object> run_candidate(base::IoThread& io, domain::FunctionRunner& runner,
                                               const domain::GenerationPtr& candidate, service::CatalogPtr catalog,
                                               const std::string& function_id, const std::string& kwargs,
                                               const std::string& trace_id);

}  // namespace funcgate::app
