#include "app/keystore_access.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/overlap_ends.h"
#include "base/files.h"
#include "base/log.h"
#include "base/text.h"

namespace funcgate::app {

using base::Error;
using base::Result;
using base::Status;
using keystore::Purpose;

namespace {

// The word of /readyz for a purpose that cannot be used.
std::string_view degraded_name(Purpose purpose) {
  switch (purpose) {
    case Purpose::PasswordPepper: return "passwords";
    case Purpose::ApiKeySigning: return "apiKeys";
    case Purpose::Sealing: return "secrets";
  }
  return "";
}

// Whether what the catalog is built with differs: peppers and sealing keys. Signing secrets are published by themselves, and
// everything else is looked up when it is used.
bool catalog_differs(const keystore::KeystoreContent& before, const keystore::KeystoreContent& now) {
  const auto same = [](const keystore::PreviousSecret& a, const keystore::PreviousSecret& b) { return a.value == b.value; };
  return std::any_of(keystore::kPurposes.begin(), keystore::kPurposes.end(), [&](Purpose purpose) {
    if (purpose == Purpose::ApiKeySigning) return false;
    const auto old_one = before.usable(purpose), new_one = now.usable(purpose);
    if (old_one.ok() != new_one.ok() || (new_one.ok() && !(*old_one == *new_one))) return true;
    const auto old_ones = before.previous(purpose), new_ones = now.previous(purpose);
    return !std::equal(old_ones.begin(), old_ones.end(), new_ones.begin(), new_ones.end(), same);
  });
}

}  // namespace

Result<std::unique_ptr<KeyOverlaps>> KeyOverlaps::open(std::string path, History history) {
  std::unique_ptr<KeyOverlaps> overlaps(new KeyOverlaps(std::move(path)));
  overlaps->first_ = !history.all_seen;
  const Status read = overlaps->read();
  if (read.ok() && !overlaps->lost_) return overlaps;
  if (!read.ok() && read.error().code == base::Code::NotFound && !history.had_file) {
    const std::lock_guard lock(overlaps->mutex_);
    TRY_DONE(overlaps->save());
    return overlaps;
  }
  overlaps->lost_ = true;
  base::log::error("keystore.overlaps_lost", {{"path", overlaps->path_},
                                              {"problem", read.ok() ? "a restore found it damaged" : read.error().message},
                                              {"effect", "API keys of retired signing secrets are refused"},
                                              {"remedy", "put the file of a backup back and restart"}});
  return overlaps;
}

Status KeyOverlaps::read() {
  TRY(OverlapEnds ends, read_overlap_ends(path_));
  until_ms_ = std::move(ends.until_ms);
  lost_ = ends.others_over;
  return base::kDone;
}

Status KeyOverlaps::save() { return base::write_file_durably(path_, to_json({until_ms_, false}), 0600); }

base::WallMs KeyOverlaps::verifies_until(const std::string& kid, base::WallMs retired_ms, std::int64_t default_ms,
                                         base::WallMs now_ms) {
  const std::lock_guard lock(mutex_);
  if (const auto chosen = until_ms_.find(kid); chosen != until_ms_.end()) return chosen->second;
  // Nobody knows what was chosen. It stays over in the file that the next rotation writes.
  if (lost_) return until_ms_[kid] = 0;
  const base::WallMs from_ms = first_ && retired_ms != 0 ? std::min(retired_ms, now_ms) : now_ms;
  const base::WallMs until_ms = until_ms_[kid] = from_ms + default_ms;
  if (const Status saved = save(); !saved.ok()) {
    // Not remembered, it would begin anew at each start.
    base::log::error("keystore.overlap_not_kept", {{"problem", saved.error().message}});
    until_ms_.erase(kid);
    return 0;
  }
  return until_ms;
}

void KeyOverlaps::all_seen() {
  const std::lock_guard lock(mutex_);
  first_ = false;
}

Status KeyOverlaps::choose(const std::string& kid, base::WallMs until_ms) {
  const std::lock_guard lock(mutex_);
  const auto before = until_ms_;
  until_ms_[kid] = until_ms;
  Status saved = save();
  if (!saved.ok()) until_ms_ = before;
  return saved;
}

std::string KeystoreAccess::problem(Purpose purpose) const {
  const auto secret = keystore_.content()->usable(purpose);
  return secret.ok() ? std::string() : secret.error().message;
}

std::vector<service::KeystoreEntry> KeystoreAccess::entries() const {
  const auto content = keystore_.content();
  std::vector<service::KeystoreEntry> out;
  for (const keystore::EntrySummary& summary : content->list()) {
    service::KeystoreEntry entry;
    entry.alias = summary.alias;
    entry.kid = summary.kid;
    entry.bytes = summary.bytes;
    entry.created_at_ms = summary.created_ms;
    entry.status = keystore::state_name(summary.state);
    for (const Purpose purpose : keystore::kPurposes) {
      if (!base::equals_ignore_case(summary.alias, content->aliases().of(purpose))) continue;
      entry.purpose = keystore::rule_of(purpose).title;
      if (const std::string wrong = problem(purpose); !wrong.empty()) entry.status = wrong;
    }
    out.push_back(std::move(entry));
  }
  return out;
}

std::vector<std::string> KeystoreAccess::degraded() const {
  std::vector<std::string> out;
  for (const Purpose purpose : keystore::kPurposes) {
    if (!problem(purpose).empty()) out.emplace_back(degraded_name(purpose));
  }
  return out;
}

// The record before the rest: that waits for an apply that runs, and a crash meanwhile must not leave a change nobody knows of.
// What the file says decides whether there is a rest, and not the alias: somebody may have changed more of it since.
void KeystoreAccess::make_live(const keystore::KeystoreContent& before, Recorded recorded) {
  effects_.publish_signing_keys();
  effects_.record(std::move(recorded.event), recorded.alias, std::move(recorded.summary), recorded.actor);
  const bool owed = owes_publication_.exchange(false);
  if (!owed && !catalog_differs(before, *keystore_.content())) return;
  try {
    effects_.publish_all();
  } catch (...) {
    owes_publication_ = true;
    throw;
  }
}

bool KeystoreAccess::is_sealing_key(std::string_view alias) const {
  const std::string sealing = base::to_lower(keystore_.content()->aliases().sealing), wanted = base::to_lower(alias);
  return wanted == sealing || wanted.starts_with(sealing + ".prev.");
}

Status KeystoreAccess::change(const std::string& alias, const Change& change, const std::function<Status()>& write) {
  const auto checked = [&]() -> Status {
    if (change.allowed) TRY_DONE(change.allowed());
    return write();
  };
  const auto before = keystore_.content();
  // Whoever changes something now may have sealed it under this key and not written it yet. For no other secret anybody waits.
  TRY_DONE(is_sealing_key(alias) ? effects_.while_nothing_changes(checked) : checked());
  make_live(*before, {"keystore.changed", base::to_lower(alias), change.summary, change.actor});
  return base::kDone;
}

Status KeystoreAccess::reload(const domain::Actor& actor) {
  const auto before = keystore_.content();
  TRY_DONE(keystore_.reload());
  make_live(*before, {"keystore.reloaded", "", "Keystore read again", actor});
  base::log::info("keystore.reloaded");
  return base::kDone;
}

Status KeystoreAccess::set(const std::string& alias, const base::SecretString& value, const Change& how) {
  TRY_DONE(change(alias, how, [&] { return keystore_.set(alias, value); }));
  base::log::info("keystore.changed", {{"alias", alias}});
  return base::kDone;
}

Status KeystoreAccess::generate(const std::string& alias, const Change& how) {
  TRY_DONE(change(alias, how, [&] { return keystore_.generate(alias); }));
  base::log::info("keystore.changed", {{"alias", alias}});
  return base::kDone;
}

Status KeystoreAccess::remove(const std::string& alias, const Change& how) {
  TRY_DONE(change(alias, how, [&] { return keystore_.remove(alias); }));
  base::log::info("keystore.changed", {{"alias", alias}, {"deleted", true}});
  return base::kDone;
}

Result<std::string> KeystoreAccess::rotate(const std::string& alias, std::int64_t overlap_ms, const domain::Actor& actor) {
  keystore::RotateOptions options;
  if (base::equals_ignore_case(alias, keystore_.content()->aliases().api_key)) {
    const std::int64_t overlap = overlap_ms < 0 ? overlap_.default_ms : overlap_ms;
    options.keep_previous = overlap > 0;
    // First the end, then the retirement: whatever happens in between, no secret serves for longer than was chosen.
    options.before = [this, overlap](const keystore::Rotation& rotation) {
      return overlap_.ends.choose(rotation.previous_kid, clock_.wall_ms() + overlap);
    };
  }
  const auto before = keystore_.content();
  TRY(const keystore::Rotation rotation, keystore_.rotate(alias, options));
  const std::string recorded = base::to_lower(alias);
  make_live(*before, {"keystore.rotated", recorded,
                      fmt::format("Secret \"{}\" rotated; the new kid is {}", recorded, rotation.kid), actor});
  base::log::info("keystore.rotated", {{"alias", alias}, {"kid", rotation.kid}, {"previous", rotation.previous_kid}});
  return rotation.kid;
}

}  // namespace funcgate::app
