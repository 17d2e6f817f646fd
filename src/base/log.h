// Structured log: an event name and fields on one line of JSON. Values are escaped; a SecretString does not compile.
//
// Thread-safety: every function may be called from any thread; lines are never mixed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace funcgate::base::log {

enum class Level { Debug, Info, Warning, Error };

struct Field {
  std::string_view name;
  std::string value;  // JSON text of the value

  Field(std::string_view field_name, std::string_view text);
  Field(std::string_view field_name, const char* text) : Field(field_name, std::string_view(text)) {}
  Field(std::string_view field_name, const std::string& text) : Field(field_name, std::string_view(text)) {}
  Field(std::string_view field_name, std::int64_t number);
  Field(std::string_view field_name, int number) : Field(field_name, static_cast<std::int64_t>(number)) {}
  Field(std::string_view field_name, std::uint64_t number) : Field(field_name, static_cast<std::int64_t>(number)) {}
  Field(std::string_view field_name, bool truth);
};

// Lines below `level` are dropped. `path` "-" or empty: standard error.
void configure(Level level, const std::string& path);
bool enabled(Level level);
void write(Level level, std::string_view event, std::initializer_list<Field> fields);

inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::Debug)) write(Level::Debug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) { write(Level::Info, event, fields); }
inline void warning(std::string_view event, std::initializer_list<Field> fields = {}) { write(Level::Warning, event, fields); }
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) { write(Level::Error, event, fields); }

}  // namespace funcgate::base::log
