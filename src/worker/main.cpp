// funcgate-worker: started by `funcgate serve`, never by a person.
#include <cstdio>
#include <exception>
#include <string_view>

#include "base/text.h"
#include "worker/sandbox.h"
#include "worker/zygote.h"

namespace {

constexpr std::string_view kHelp =
    "Usage: funcgate-worker --zygote --socket-fd N\n"
    "Runs published Python functions in a sandbox. `funcgate serve` starts it; there is nothing to do by hand.\n"
    "  --zygote        start Python once and fork workers on request\n"
    "  --socket-fd N   the descriptor of the connection to the server\n"
    "  --help          show this text\n"
    "  --version       show the version\n";

int run(int count, char** arguments) {
  bool zygote = false;
  int socket = -1;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--help") {
      std::fwrite(kHelp.data(), 1, kHelp.size(), stdout);
      return 0;
    }
    if (argument == "--version") {
      std::puts(funcgate::worker::memory_is_limited() ? "funcgate-worker " FUNCGATE_VERSION
                                                      : "funcgate-worker " FUNCGATE_VERSION
                                                        " (built with a sanitizer: memory is not limited)");
      return 0;
    }
    if (argument == "--zygote") {
      zygote = true;
    } else if (argument == "--socket-fd" && i + 1 < count) {
      const auto number = funcgate::base::parse_digits(arguments[++i]);
      if (number && *number <= 1'000'000) socket = static_cast<int>(*number);
    } else {
      std::fprintf(stderr, "funcgate-worker: unknown argument %s; see --help\n", funcgate::base::printable(argument).c_str());
      return 2;
    }
  }
  if (!zygote || socket < 3) {
    std::fputs("funcgate-worker: --zygote and --socket-fd (3 or above) are needed; see --help\n", stderr);
    return 2;
  }
  return funcgate::worker::run_zygote(socket);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "funcgate-worker: %s\n", error.what());
    return 1;
  }
}
