#include "http/access_log.h"

#include <fmt/format.h>

#include <iostream>

#include "base/json.h"

namespace funcgate::http {

base::Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& target) {
  std::unique_ptr<AccessLog> log(new AccessLog);
  if (target.empty() || target == "off") return log;
  log->enabled_ = true;
  if (target == "-") {
    log->to_standard_output_ = true;
  } else {
    log->file_.open(target, std::ios::app);
    if (!log->file_) return base::Error{base::Code::InvalidArgument, "cannot open the access log " + target, {}};
  }
  log->thread_ = std::thread([raw = log.get()] { raw->work(); });
  return log;
}

AccessLog::~AccessLog() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void AccessLog::write(const domain::Call& call, std::string_view target, int status, std::int64_t bytes, base::WallMs now,
                      std::int64_t us) {
  std::string line = "{\"time\":\"";
  base::append_rfc3339(line, now);
  line += "\",\"address\":";
  base::append_json_string(line, call.peer.text());
  line += ",\"method\":";
  base::append_json_string(line, call.method_text);
  line += ",\"url\":";
  base::append_json_string(line, target);
  fmt::format_to(std::back_inserter(line), ",\"status\":{},\"bytes\":{},\"us\":{},\"traceId\":", status, bytes, us);
  base::append_json_string(line, call.trace_id);
  line += "}\n";
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() + line.size() > kQueueBytesMax) {
      ++dropped_;
      return;
    }
    was_empty = queue_.empty();
    queue_ += line;
  }
  if (was_empty) changed_.notify_one();
}

void AccessLog::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::string lines;
    lines.swap(queue_);
    if (dropped_ > 0) lines += fmt::format("{{\"event\":\"access_log.dropped\",\"count\":{}}}\n", std::exchange(dropped_, 0));
    lock.unlock();
    std::ostream& out = to_standard_output_ ? static_cast<std::ostream&>(std::cout) : file_;
    out << lines << std::flush;
    lock.lock();
  }
}

}  // namespace funcgate::http
