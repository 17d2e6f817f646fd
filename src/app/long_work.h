// LongWork: what a command shows and heeds while it works for minutes: a line of progress on a terminal, and Ctrl-C or SIGTERM,
// which end the work in order, so that nothing half-done stays behind.
//
// One object at a time; one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace funcgate::app {

class LongWork {
 public:
  // From here until the end of the object the signals are heeded and not deadly.
  LongWork();
  ~LongWork();
  LongWork(const LongWork&) = delete;
  LongWork& operator=(const LongWork&) = delete;

  // Begins a part: "copying journal.db". `bytes_total` 0: unknown.
  void begin(std::string_view what, std::uint64_t bytes_total);
  // More is done; false: end the work.
  bool advance(std::uint64_t bytes);
  // So much is done altogether.
  bool reach(std::uint64_t bytes);
  bool go_on();
  bool interrupted() const;

 private:
  void show(bool always);
  void wipe_line();

  const bool terminal_;
  bool shown_ = false;
  std::string what_;
  std::uint64_t done_ = 0, total_ = 0;
  std::chrono::steady_clock::time_point last_;
};

// "12.3 MiB"
std::string byte_text(std::uint64_t bytes);

}  // namespace funcgate::app
