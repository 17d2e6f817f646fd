#include "domain/task.h"

namespace funcgate::domain {
namespace {
constexpr std::string_view kNames[] = {"waiting", "running", "success", "failure", "timeout", "expire", "cancelled"};
}

std::string_view task_status_name(TaskStatus status) { return kNames[static_cast<std::size_t>(status)]; }

std::optional<TaskStatus> parse_task_status(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<TaskStatus>(i);
  }
  return std::nullopt;
}

bool has_ended(TaskStatus status) { return status != TaskStatus::Waiting && status != TaskStatus::Running; }

}  // namespace funcgate::domain
