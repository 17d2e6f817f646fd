#include "auth/key_usage.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

namespace funcgate::auth {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::size_t kToldMax = 100'000;

}  // namespace

KeyUsageTable::KeyUsageTable(std::size_t slots, KeyPlane plane)
    : slots_least_(std::max<std::size_t>(1, slots)), plane_(plane), slots_(slots_least_) {}

void KeyUsageTable::Moment::set(base::WallMs now_ms, const domain::Address& from, std::string_view api_id) {
  time_ms = now_ms;
  address = from;
  api_bytes = static_cast<std::uint8_t>(std::min(api_id.size(), kApiBytesMax));
  std::memcpy(api.data(), api_id.data(), api_bytes);
}

void KeyUsageTable::note(std::string_view key_id, base::WallMs time_ms, const domain::Address& address, std::string_view api) {
  if (key_id.empty() || key_id.size() > kIdBytesMax) return;
  const std::int64_t hour = time_ms / kHourMs;
  const std::size_t start = std::hash<std::string_view>()(key_id) + static_cast<std::size_t>(hour);
  const std::lock_guard lock(mutex_);
  for (std::size_t probe = 0; probe < kProbesMax; ++probe) {
    Slot& slot = slots_[(start + probe) % slots_.size()];
    if (slot.id_bytes == 0) {
      slot.id_bytes = static_cast<std::uint8_t>(key_id.size());
      std::memcpy(slot.id.data(), key_id.data(), key_id.size());
      slot.hour = hour;
      slot.first.set(time_ms, address, api);
      slot.last = slot.first;
      if (2 * ++taken_ > slots_.size()) is_filling_.store(true, std::memory_order_relaxed);
      return;
    }
    if (slot.hour == hour && slot.key_id() == key_id) return slot.last.set(time_ms, address, api);
  }
  ++dropped_;
}

KeyUse KeyUsageTable::use(const Slot& slot, const Moment& moment) const {
  return {std::string(slot.key_id()), moment.time_ms, moment.address, std::string(moment.api.data(), moment.api_bytes), plane_};
}

std::vector<KeyUsageTable::Slot> KeyUsageTable::exchange(std::vector<Slot> empty, std::uint64_t& dropped) {
  const std::lock_guard lock(mutex_);
  slots_.swap(empty);
  taken_ = 0;
  is_filling_.store(false, std::memory_order_relaxed);
  dropped += std::exchange(dropped_, 0);
  return empty;
}

std::size_t KeyUsageTable::slots_wanted() {
  const std::lock_guard lock(mutex_);
  // What was dropped may be one key many times: twice the room is a beginning.
  const std::size_t wanted = dropped_ > 0 ? 2 * std::max(slots_.size(), 2 * taken_) : 4 * taken_;
  return std::clamp(wanted, slots_least_, std::max(slots_least_, KeyUsage::kSlotsMax));
}

KeyUsage::KeyUsage(std::size_t threads, std::size_t slots) : told_(kToldMax) {
  for (std::size_t i = 0; i < threads; ++i) tables_.push_back(std::make_unique<KeyUsageTable>(slots, KeyPlane::Calls));
  tables_.push_back(std::make_unique<KeyUsageTable>(slots, KeyPlane::Management));
}

bool KeyUsage::is_filling() const {
  return std::any_of(tables_.begin(), tables_.end(), [](const auto& table) { return table->is_filling(); });
}

// Hours are told once and in their order; a clock that was set back tells none twice.
bool KeyUsage::is_first(const KeyUse& use) {
  const std::int64_t hour = use.time_ms / kHourMs;
  std::int64_t* told = told_.find(use.key_id);
  if (told != nullptr && *told >= hour) return false;
  told_.put(use.key_id, hour);
  return true;
}

KeyUsageReport KeyUsage::drain() {
  const std::lock_guard lock(drain_mutex_);
  KeyUsageReport report;
  std::map<std::string, KeyUse> last;
  std::vector<KeyUse> firsts;
  for (const auto& table : tables_) {
    const auto slots = table->exchange(std::vector<KeyUsageTable::Slot>(table->slots_wanted()), report.dropped);
    for (const KeyUsageTable::Slot& slot : slots) {
      if (slot.id_bytes == 0) continue;
      firsts.push_back(table->use(slot, slot.first));
      KeyUse newest = table->use(slot, slot.last);
      KeyUse& kept = last[newest.key_id];
      if (kept.key_id.empty() || kept.time_ms < newest.time_ms) kept = std::move(newest);
    }
  }
  std::sort(firsts.begin(), firsts.end(),
            [](const KeyUse& a, const KeyUse& b) { return std::tie(a.time_ms, a.key_id) < std::tie(b.time_ms, b.key_id); });
  for (KeyUse& use : firsts) {
    if (is_first(use)) report.first_uses.push_back(use);
    if (use.plane == KeyPlane::Calls) report.first_calls.push_back(std::move(use));
  }
  for (auto& [id, use] : last) report.last_uses.push_back(std::move(use));
  return report;
}

}  // namespace funcgate::auth
