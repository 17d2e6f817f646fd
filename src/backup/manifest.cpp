#include "backup/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/json.h"
#include "base/text.h"

namespace funcgate::backup {
namespace {

using base::Code;
using base::Error;
using base::Finding;
using base::ObjectReader;
using base::Result;
namespace json = base::json;

constexpr std::int64_t kFormat = 1;
constexpr std::int64_t kCountMax = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kNameBytesMax = 1000;
constexpr std::size_t kSha256Digits = 64;
constexpr std::size_t kKeysMax = 10'000;

json::object counts_document(const KeyCounts& counts) {
  json::object document;
  for (const auto& [kid, count] : counts) document[kid] = count;
  return document;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void read_counts(ObjectReader& keys, std::string_view name, KeyCounts& counts, std::vector<Finding>& findings) {
  const json::value* value = keys.member(name);
  if (value == nullptr || !value->is_object() || value->get_object().size() > kKeysMax) {
    findings.push_back({keys.path_of(name), "type", "must be an object of counts"});
    return;
  }
  ObjectReader reader(*value, keys.path_of(name), findings);
  for (const auto& member : value->get_object()) {
    // The reader marks names that it was asked for and keeps views of them: those of the document live long enough.
    const std::string_view kid = member.key();
    reader.integer(kid, counts[std::string(kid)], 0, kCountMax, true);
    if (kid.size() != 16 || !is_hex(kid)) reader.finding(kid, "value", "must be the kid of a secret");
  }
}

void read_member(const json::value& value, const std::string& path, Manifest& manifest, std::set<std::string>& names,
                 std::vector<Finding>& findings) {
  Member member;
  ObjectReader reader(value, path, findings);
  reader.text("name", member.name, 1, kNameBytesMax, true);
  reader.integer("bytes", member.bytes, 0, kCountMax, true);
  reader.text("sha256", member.sha256, kSha256Digits, kSha256Digits, true);
  reader.finish();
  if (!is_member_name(member.name)) reader.finding("name", "value", "is no name that a backup may contain");
  if (!names.insert(member.name).second) reader.finding("name", "duplicate", "stands there twice");
  if (!is_hex(member.sha256)) reader.finding("sha256", "value", "must be hex digits");
  manifest.members.push_back(std::move(member));
}

void read_schemas(ObjectReader& reader, Manifest& manifest, std::vector<Finding>& findings) {
  constexpr std::int64_t kVersionMax = 1'000'000;
  const json::value* databases = reader.member("databases");
  if (databases == nullptr || !databases->is_object()) {
    findings.push_back({"databases", "missing", "must be an object"});
    return;
  }
  ObjectReader by_name(*databases, "databases", findings);
  for (const std::string_view name : {kConfigurationName, kJournalName}) {
    std::int64_t version = 0;
    by_name.integer(name, version, 1, kVersionMax, true);
    manifest.schemas[std::string(name)] = static_cast<int>(version);
    if (manifest.find(name) == nullptr) findings.push_back({"members", "missing", fmt::format("has no {}", name)});
  }
  by_name.finish();
}

Error not_a_manifest(std::string_view problem) {
  return Error{Code::InvalidArgument, fmt::format("{} cannot be read: {}", kManifestName, problem), {}};
}

}  // namespace

bool is_member_name(std::string_view name) {
  for (const std::string_view known : {kConfigurationName, kJournalName, kKeystoreName, kOverlapsName}) {
    if (name == known) return true;
  }
  if (name.size() > kNameBytesMax || !base::is_valid_utf8(name) || base::has_control(name)) return false;
  if (name.find('\\') != std::string_view::npos) return false;
  std::string_view rest = name;
  if (rest.starts_with(kResourcePrefix)) {
    rest.remove_prefix(kResourcePrefix.size());
  } else if (rest.starts_with(kCallPrefix)) {
    rest.remove_prefix(kCallPrefix.size());
  } else {
    return false;
  }
  const std::vector<std::string_view> parts = base::split(rest, '/');
  return std::none_of(parts.begin(), parts.end(),
                      [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

const Member* Manifest::find(std::string_view name) const {
  const auto found = std::find_if(members.begin(), members.end(), [&](const Member& member) { return member.name == name; });
  return found == members.end() ? nullptr : &*found;
}

std::int64_t Manifest::bytes() const {
  std::int64_t sum = 0;
  for (const Member& member : members) sum += member.bytes;
  return sum;
}

std::string to_text(const Manifest& manifest) {
  json::array members, left_out;
  for (const Member& member : manifest.members)
    members.push_back(json::object{{"name", member.name}, {"bytes", member.bytes}, {"sha256", member.sha256}});
  for (const std::string& sentence : manifest.left_out) left_out.push_back(json::string(sentence));
  json::object schemas;
  for (const auto& [name, version] : manifest.schemas) schemas[name] = version;
  return base::to_json(json::object{{"format", kFormat},
                                    {"product", "funcgate"},
                                    {"version", manifest.product_version},
                                    {"createdAt", base::format_rfc3339(manifest.created_ms)},
                                    {"databases", std::move(schemas)},
                                    {"keys", json::object{{"sealing", counts_document(manifest.sealing)},
                                                          {"peppers", counts_document(manifest.peppers)},
                                                          {"signing", counts_document(manifest.signing)}}},
                                    {"unfinishedTasks", manifest.unfinished_tasks},
                                    {"leftOut", std::move(left_out)},
                                    {"members", std::move(members)}}) +
         "\n";
}

Result<Manifest> read_manifest(std::string_view text) {
  const auto document = base::parse_json(text);
  if (!document.ok()) return not_a_manifest(document.error().message);
  std::vector<Finding> findings;
  ObjectReader reader(*document, "", findings);
  if (!reader.is_object()) return not_a_manifest("it is no JSON object");
  std::int64_t format = 0;
  std::string product;
  reader.integer("format", format, 1, kCountMax, true).choice("product", product, {"funcgate"}, true);
  if (findings.empty() && format > kFormat) {
    return Error{Code::FailedPrecondition,
                 fmt::format("the backup has format {}, this release reads format {}. Restore it with the release that made it, "
                             "or a newer one",
                             format, kFormat),
                 {}};
  }
  Manifest manifest;
  std::optional<std::int64_t> created_ms;
  reader.text("version", manifest.product_version, 1, 100, true).time("createdAt", created_ms);
  if (!created_ms) reader.finding("createdAt", "missing", "is missing");
  manifest.created_ms = created_ms.value_or(0);
  std::set<std::string> names;
  reader.list("members", kMembersMax,
              [&](const json::value& value, const std::string& path) { read_member(value, path, manifest, names, findings); });
  read_schemas(reader, manifest, findings);
  const json::value* keys = reader.member("keys");
  if (keys == nullptr) {
    reader.finding("keys", "missing", "is missing");
  } else {
    ObjectReader by_purpose(*keys, "keys", findings);
    read_counts(by_purpose, "sealing", manifest.sealing, findings);
    read_counts(by_purpose, "peppers", manifest.peppers, findings);
    read_counts(by_purpose, "signing", manifest.signing, findings);
    by_purpose.finish();
  }
  reader.integer("unfinishedTasks", manifest.unfinished_tasks, 0, kCountMax, true);
  reader.text_list("leftOut", manifest.left_out, kMembersMax, 2 * kNameBytesMax);
  reader.finish();
  if (!findings.empty()) return not_a_manifest(findings.front().path + " " + findings.front().message);
  return manifest;
}

}  // namespace funcgate::backup
