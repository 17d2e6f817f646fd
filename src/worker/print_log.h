// What a call prints: each line with ms since the start of the call and since the line before, cut to bounds.
//
// At most kLineCharactersMax characters of a line; of the whole the first kHeadCharacters and the last kTailCharacters.
// Thread-safety: none; the caller holds the GIL.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace funcgate::worker {

class PrintLog {
 public:
  static constexpr std::size_t kLineCharactersMax = 3000, kHeadCharacters = 20000, kTailCharacters = 30000;

  void begin(base::SteadyNs now) {
    start_ns_ = last_ns_ = now;
    used_ = false;
  }
  // UTF-8; may hold several lines or a part of one.
  void write(std::string_view text, base::SteadyNs now);
  // Everything since begin(), valid until the next begin() or write(). Empty if nothing was printed.
  std::string_view finish(base::SteadyNs now);

 private:
  void add_to_line(std::string_view text);
  void end_line(base::SteadyNs now);
  void add(std::string_view text);

  base::SteadyNs start_ns_ = 0, last_ns_ = 0;
  bool used_ = false;
  std::string line_, head_, tail_;
  std::size_t line_characters_ = 0, head_characters_ = 0, tail_characters_ = 0, dropped_characters_ = 0;
};

}  // namespace funcgate::worker
