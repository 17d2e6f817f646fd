// ResponseWriter: from an Answer to the bytes of a response; TimeText: the time of this turn as text, formatted once.
//
// Not thread-safe: one per io thread.
#pragma once

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
  void common(std::string& out, const service::Answer& answer, const ResponseContext& context);
  void times(std::string& out, const ResponseContext& context);
  std::string_view now_text();

  base::IoThread& io_;
  const service::ServerSettings& settings_;
  base::WallMs now_ms_ = -1;
  std::int64_t date_s_ = -1;
  std::string now_text_, date_text_, scratch_;
};

std::string_view status_text(int status);

}  // namespace funcgate::http
