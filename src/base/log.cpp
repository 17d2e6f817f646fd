#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

#include "base/clock.h"
#include "base/json.h"

namespace funcgate::base::log {
namespace {

std::atomic<int> g_level{static_cast<int>(Level::Info)};

// spdlog brings the sinks; the line is ours because it must be JSON whatever a value contains.
std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("funcgate", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    return made;
  }();
  return instance;
}

}  // namespace

Field::Field(std::string_view field_name, std::string_view text) : name(field_name) { append_json_string(value, text); }
Field::Field(std::string_view field_name, std::int64_t number) : name(field_name), value(std::to_string(number)) {}
Field::Field(std::string_view field_name, bool truth) : name(field_name), value(truth ? "true" : "false") {}

void configure(Level level, const std::string& path) {
  g_level = static_cast<int>(level);
  if (path.empty() || path == "-") return;
  auto made = std::make_shared<spdlog::logger>("funcgate", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
  made->set_pattern("%v");
  made->set_level(spdlog::level::trace);
  made->flush_on(spdlog::level::info);
  logger() = std::move(made);
}

bool enabled(Level level) { return static_cast<int>(level) >= g_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (!enabled(level)) return;
  static constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
  std::string line = "{\"time\":\"";
  append_rfc3339(line, SystemClock().wall_ms());
  line += fmt::format("\",\"level\":\"{}\",\"event\":", kNames[static_cast<int>(level)]);
  append_json_string(line, event);
  for (const Field& field : fields) {
    line.push_back(',');
    append_json_string(line, field.name);
    line.push_back(':');
    line += field.value;
  }
  line.push_back('}');
  logger()->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace funcgate::base::log
