#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace funcgate::base {

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "funcgate: internal error: CHECK(%s) failed at %s:%d\n", expression, file, line);
  std::abort();
}

std::string_view code_name(Code code) {
  static constexpr std::string_view kNames[] = {"InvalidArgument", "Unauthenticated", "PermissionDenied", "NotFound", "Conflict",
                                                "FailedPrecondition", "PayloadTooLarge", "ResourceExhausted", "Cancelled",
                                                "Unavailable", "DeadlineExceeded", "FunctionFailed", "DataLoss", "Internal"};
  return kNames[static_cast<int>(code)];
}

}  // namespace funcgate::base
