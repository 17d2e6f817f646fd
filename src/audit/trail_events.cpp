#include "audit/trail_events.h"

#include <fmt/format.h>

#include "audit/trail.h"
#include "base/canonical_json.h"

namespace funcgate::audit {
namespace {

using domain::AuditEntry;
using domain::AuditEvent;
namespace json = base::json;

constexpr const char* kPruned = "audit.pruned";
constexpr const char* kCheckpoint = "audit.checkpoint";
constexpr const char* kStreamKind = "AuditStream";
constexpr std::string_view kRemovedTo = "removedTo";
constexpr std::string_view kHead = "head";
constexpr std::size_t kHashCharacters = 64;

std::string stream_text(std::string_view stream) { return std::string(stream); }

// New values of the changes of `entry` whose field is `field`.
std::vector<json::value> new_values(const AuditEntry& entry, std::string_view field) {
  std::vector<json::value> values;
  const auto parsed = base::parse_json(entry.document);
  const json::object* record = parsed.ok() ? parsed->if_object() : nullptr;
  const json::value* changes = record == nullptr ? nullptr : record->if_contains("changes");
  if (changes == nullptr || !changes->is_array()) return values;
  for (const json::value& change : changes->get_array()) {
    const json::object* object = change.if_object();
    if (object == nullptr) continue;
    const json::value* name = object->if_contains("field");
    const json::value* value = object->if_contains("new");
    if (name != nullptr && value != nullptr && name->is_string() &&
        name->get_string() == json::string_view(field.data(), field.size())) {
      values.push_back(*value);
    }
  }
  return values;
}

domain::AuditFieldChange set_to(std::string_view field, const StreamHead& head) {
  return {std::string(field), {}, base::canonical_json(head_to_json(head))};
}

AuditEvent removal_event(const StreamHead& last, std::string summary, std::int64_t time_ms) {
  AuditEvent event;
  event.time_ms = time_ms;
  event.event = kPruned;
  event.object_kind = kStreamKind;
  event.object_id = event.object_name = last.stream;
  event.summary = std::move(summary);
  event.changes = {set_to(kRemovedTo, last)};
  return event;
}

std::optional<StreamHead> read_removal(const AuditEntry& entry, std::string_view stream) {
  if (entry.event != kPruned) return std::nullopt;
  for (const json::value& value : new_values(entry, kRemovedTo)) {
    if (auto head = head_from_json(value); head && head->stream == stream) return head;
  }
  return std::nullopt;
}

}  // namespace

json::object head_to_json(const StreamHead& head) {
  json::object object{{"stream", head.stream}, {"seq", head.sequence}, {"hash", head.hash}};
  if (!head.node.empty()) object["node"] = head.node;
  return object;
}

std::optional<StreamHead> head_from_json(const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  const auto text = [&](const char* name) -> std::string {
    const json::value* member = object->if_contains(name);
    return member == nullptr || !member->is_string() ? std::string() : std::string(member->get_string());
  };
  const json::value* sequence = object->if_contains("seq");
  StreamHead head{text("stream"), text("node"), 0, text("hash")};
  if (sequence == nullptr || !sequence->is_int64() || head.stream.empty() || head.hash.size() != kHashCharacters)
    return std::nullopt;
  head.sequence = sequence->get_int64();
  return head;
}

AuditEvent pruned_event(const AuditEntry& last, std::int64_t time_ms) {
  return removal_event({stream_text(kAdminStream), {}, last.sequence, last.hash},
                       fmt::format("Removed the records up to {}, which have been kept long enough", last.sequence), time_ms);
}

std::optional<ChainAnchor> read_pruned(const AuditEntry& entry) {
  const auto head = read_removal(entry, kAdminStream);
  return head ? std::optional<ChainAnchor>({head->sequence, head->hash}) : std::nullopt;
}

AuditEvent pruned_blocks_event(const StreamHead& last, std::int64_t time_ms) {
  return removal_event(
      last, fmt::format("The blocks of call records up to {} have been kept long enough: they are removed", last.sequence),
      time_ms);
}

std::optional<StreamHead> read_pruned_blocks(const AuditEntry& entry) { return read_removal(entry, kCallsStream); }

AuditEvent checkpoint_event(const std::vector<StreamHead>& heads, const domain::Actor& actor, std::int64_t time_ms) {
  AuditEvent event;
  event.time_ms = time_ms;
  event.event = kCheckpoint;
  event.actor = actor;
  event.object_kind = kStreamKind;
  event.summary = fmt::format("Anchored the heads of {} streams", heads.size());
  for (const StreamHead& head : heads) event.changes.push_back(set_to(kHead, head));
  return event;
}

std::optional<std::vector<StreamHead>> read_anchored_heads(const AuditEntry& entry) {
  if (entry.event != kCheckpoint) return std::nullopt;
  std::vector<StreamHead> heads;
  for (const json::value& value : new_values(entry, kHead)) {
    if (auto head = head_from_json(value)) heads.push_back(*std::move(head));
  }
  return heads;
}

}  // namespace funcgate::audit
