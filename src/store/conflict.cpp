#include "store/conflict.h"

#include <fmt/format.h>

#include "base/json.h"

namespace funcgate::store {
namespace {

base::Error conflict(std::string message) { return base::Error{base::Code::Conflict, std::move(message), {}}; }

}  // namespace

base::Error taken(std::string_view what, std::string_view name) {
  return conflict(fmt::format("{} {} is taken", what, base::json_string(name)));
}

base::Error exists(std::string_view what, std::string_view name) {
  return conflict(fmt::format("{} {} exists already", what, base::json_string(name)));
}

base::Error stale(std::string_view what, std::string_view name, std::int64_t expected, std::int64_t found) {
  if (found == 0) return conflict(fmt::format("{} {} does not exist any more", what, base::json_string(name)));
  return conflict(
      fmt::format("{} {} was changed meanwhile: it has version {}, the change was made from {}; read it again and repeat", what,
                  base::json_string(name), found, expected));
}

base::Error dangling(std::string_view what, std::string_view name) {
  return conflict(fmt::format("{} {} does not exist", what, base::json_string(name)));
}

base::Status check_version(std::string_view what, std::string_view name, std::int64_t expected, std::int64_t found) {
  if (expected == found) return base::kDone;
  if (expected == 0) return exists(what, name);
  return stale(what, name, expected, found);
}

}  // namespace funcgate::store
