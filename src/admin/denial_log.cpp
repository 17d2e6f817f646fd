#include "admin/denial_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "domain/address.h"

namespace funcgate::admin {
namespace {

// `event`: the first of `count`.
void log_lost(const domain::AuditEvent& event, std::string_view problem, std::size_t count) {
  base::log::error("audit.not_written",
                   {{"event", event.event}, {"trace", event.actor.trace_id}, {"count", count}, {"problem", problem}});
}

}  // namespace

bool DenialLog::is_merged(domain::AuditEvent& event, base::WallMs now) {
  // By network and not by trace id: a caller chooses that, and of an IPv6 network any address.
  const auto address = domain::Address::parse(event.actor.address);
  const std::string key =
      fmt::format("{}\n{}\n{}\n{}\n{}", event.event, address ? address->network().text() : event.actor.address,
                  event.actor.user_id, event.object_id, event.reason);
  Recent* recent = recent_.find(key);
  if (recent != nullptr && now >= recent->written_ms && now - recent->written_ms < kMergedMs) {
    ++recent->merged;
    return true;
  }
  if (recent != nullptr && recent->merged > 0) event.summary += fmt::format(" ({} more since the last record)", recent->merged);
  recent_.put(key, {now, 0});
  return false;
}

void DenialLog::record(domain::AuditEvent event) {
  const base::WallMs now = clock_.wall_ms();
  const std::lock_guard lock(mutex_);
  if (is_merged(event, now)) return;
  event.time_ms = now;
  if (waiting_.size() >= kWaitingMax) {
    ++lost_count_;
    log_lost(event, "too many refused attempts wait to be recorded", 1);
    return;
  }
  waiting_.push_back(std::move(event));
  ++accepted_count_;
  if (!writes_) writes_ = thread_.submit([this] { write_waiting(); });
}

void DenialLog::await_written(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  written_.wait_for(lock, at_most, [this, all = accepted_count_] { return done_count_ >= all; });
}

DenialLog::Portion DenialLog::take_portion() {
  const std::lock_guard lock(mutex_);
  Portion portion;
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kTogetherMax));
  portion.events.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  writes_ = !portion.events.empty();
  if (!writes_ || lost_count_ == 0) return portion;
  portion.tells_lost = lost_count_;
  portion.events.front().summary += fmt::format(" ({} other refused attempts could not be recorded)", lost_count_);
  return portion;
}

void DenialLog::write_waiting() {
  for (Portion portion = take_portion(); !portion.events.empty(); portion = take_portion()) {
    const std::size_t count = portion.events.size();
    const domain::AuditEvent first = portion.events.front();
    std::string problem;
    try {
      const auto status = identity_.record(std::move(portion.events));
      if (!status.ok()) problem = status.error().message;
    } catch (const std::exception& thrown) {
      problem = thrown.what();
    }
    if (!problem.empty()) log_lost(first, problem, count);
    const std::lock_guard lock(mutex_);
    lost_count_ = problem.empty() ? lost_count_ - portion.tells_lost : lost_count_ + count;
    done_count_ += count;
    written_.notify_all();
  }
}

}  // namespace funcgate::admin
