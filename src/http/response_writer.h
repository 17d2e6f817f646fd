// ResponseWriter: from an Answer to the bytes of a response; TimeText: the time of this turn as text, formatted once.
//
// Not thread-safe: one per io thread.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/io_thread.h"
#include "domain/call.h"
#include "service/answer.h"
#include "service/settings.h"

namespace funcgate::http {

// What of the request an answer repeats or depends on.
struct ResponseContext {
  const domain::Call& call;
  std::string masked_target;  // empty: call.target
  bool keep_alive = true;
  bool http_1_0 = false;
};

class ResponseWriter {
 public:
  ResponseWriter(base::IoThread& io, const service::ServerSettings& settings) : io_(io), settings_(settings) {}

  // Appends head and body (not a file's bytes) to `out`.
  void write(std::string& out, const service::Answer& answer, const ResponseContext& context);

 private:
  void head(std::string& out, int status, const ResponseContext& context);
  void refusal(std::string& out, const service::Answer& answer, const ResponseContext& context);
  void envelope(std::string& out, const service::Answer& answer, const ResponseContext& context);
  void append_envelope(std::string& out, const ResponseContext& context);
  void common(std::string& out, const service::Answer& answer, const ResponseContext& context);
  // Sets arrived_, now_ and date_lines_.
  void read_time(const service::Answer& answer, const ResponseContext& context);
  std::int64_t cost_ms() const { return std::max<std::int64_t>(0, now_.ms - arrived_.ms); }

  // A time and its text, of which many answers in a row have the same.
  struct TimeText {
    base::WallMs ms = -1;
    std::string text;
    void set(base::WallMs time);
  };

  base::IoThread& io_;
  const service::ServerSettings& settings_;
  TimeText now_, arrived_;
  std::int64_t date_s_ = -1;
  std::string date_lines_;  // the lines of a head that change once a second, from the end of the status line on
  std::string scratch_;     // an envelope while its length is not known; empty otherwise
};

std::string_view status_text(int status);

}  // namespace funcgate::http
