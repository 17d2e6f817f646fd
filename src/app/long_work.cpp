#include "app/long_work.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace funcgate::app {
namespace {

constexpr std::chrono::milliseconds kEvery{200};
constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

volatile sig_atomic_t signalled = 0;
void note(int) { signalled = 1; }

// A signal that whoever started us had ignored (nohup) stays ignored.
void handle(void (*handler)(int)) {
  for (const int number : kSignals) {
    struct sigaction action{}, before{};
    action.sa_handler = handler;
    if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    ::sigaction(number, &action, nullptr);
  }
}

}  // namespace

std::string byte_text(std::uint64_t bytes) {
  constexpr double kStep = 1024.0;
  constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double amount = static_cast<double>(bytes) / kStep;
  std::size_t unit = 0;
  while (amount >= kStep && unit + 1 < kUnits.size()) {
    amount /= kStep;
    ++unit;
  }
  return fmt::format("{:.1f} {}", amount, kUnits[unit]);
}

LongWork::LongWork() : terminal_(::isatty(STDERR_FILENO) == 1) {
  signalled = 0;
  handle(note);
}

LongWork::~LongWork() {
  wipe_line();
  handle(SIG_DFL);
}

bool LongWork::interrupted() const { return signalled != 0; }

void LongWork::begin(std::string_view what, std::uint64_t bytes_total) {
  what_ = what;
  done_ = 0;
  total_ = bytes_total;
  show(true);
}

bool LongWork::advance(std::uint64_t bytes) { return reach(done_ + bytes); }

bool LongWork::reach(std::uint64_t bytes) {
  done_ = bytes;
  return go_on();
}

bool LongWork::go_on() {
  show(false);
  return !interrupted();
}

void LongWork::show(bool always) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (!always && now - last_ < kEvery) return;
  last_ = now;
  std::string line = what_;
  if (done_ > 0) line += ": " + byte_text(done_);
  if (done_ > 0 && total_ >= done_) line += fmt::format(" of {} ({} %)", byte_text(total_), done_ * 100 / total_);
  // Back to the first column, and the rest of an earlier, longer line away.
  fmt::print(stderr, "\r{}\x1b[K", line);
  std::fflush(stderr);
  shown_ = true;
}

void LongWork::wipe_line() {
  if (!shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace funcgate::app
