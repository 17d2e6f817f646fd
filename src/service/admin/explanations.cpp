#include "service/admin/explanations.h"

#include <utility>

#include "base/text.h"

namespace funcgate::service {
namespace {

namespace json = base::json;

constexpr std::size_t kTextBytesMax = 256, kStepsMax = 32;

void cut(std::string& text) {
  if (text.size() > kTextBytesMax) text = std::string(base::truncate_utf8(text, kTextBytesMax));
}

}  // namespace

void Explanations::note(Explanation explanation) {
  if (explanation.trace_id.empty()) return;
  // Everything a caller chooses is cut: what is kept in all is bounded by kKeptMax such entries.
  cut(explanation.trace_id);
  cut(explanation.api_id);
  cut(explanation.method);
  cut(explanation.path);
  if (explanation.steps.size() > kStepsMax) explanation.steps.resize(kStepsMax);
  for (ExplainedStep& step : explanation.steps) cut(step.fact);
  Explanation dropped;  // freed after the lock
  std::lock_guard lock(mutex_);
  if (kept_.size() >= kKeptMax) {
    dropped = std::move(kept_.front());
    kept_.pop_front();
    const auto indexed = by_trace_.find(dropped.trace_id);
    if (indexed != by_trace_.end() && indexed->second == first_) by_trace_.erase(indexed);
    ++first_;
  }
  by_trace_[explanation.trace_id] = first_ + kept_.size();
  kept_.push_back(std::move(explanation));
}

std::optional<Explanation> Explanations::find(std::string_view trace_id) const {
  const base::WallMs oldest_ms = clock_.wall_ms() - kKeptMs;
  std::lock_guard lock(mutex_);
  const auto indexed = by_trace_.find(std::string(trace_id));
  if (indexed == by_trace_.end()) return std::nullopt;
  const Explanation& found = kept_[indexed->second - first_];
  if (found.time_ms < oldest_ms) return std::nullopt;
  return found;
}

json::array to_json(const std::vector<ExplainedStep>& told) {
  json::array steps;
  for (const ExplainedStep& step : told) {
    json::object out{{"configuration", step.config_id}, {"type", step.type}, {"verdict", step.verdict}};
    out["reason"] = domain::reason_token(step.reason);
    if (!step.fact.empty()) out["fact"] = step.fact;
    steps.push_back(std::move(out));
  }
  return steps;
}

json::object to_json(const Explanation& explanation) {
  return {{"traceId", explanation.trace_id},
          {"time", base::format_rfc3339(explanation.time_ms)},
          {"api", explanation.api_id},
          {"method", explanation.method},
          {"path", explanation.path},
          {"address", explanation.address.text()},
          {"status", explanation.status},
          {"error", explanation.error},
          {"reason", domain::reason_token(explanation.reason)},
          {"steps", to_json(explanation.steps)}};
}

}  // namespace funcgate::service
