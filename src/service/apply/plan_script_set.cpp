#include "base/text.h"
#include "domain/limits.h"
#include "domain/script_json.h"
#include "service/apply/plan_context.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using domain::ResourceKind;
using domain::Script;

// The scripts a document names, by script id; findings go to `reader`.
std::map<std::string, Script> read_scripts(base::ObjectReader& reader, const std::string& set_id,
                                           std::vector<base::Finding>& findings) {
  std::map<std::string, Script> scripts;
  const json::value* given = reader.member("scripts");
  if (given == nullptr) return scripts;
  const json::object* by_name = given->if_object();
  if (by_name == nullptr) {
    reader.finding("scripts", "type", "must be an object: name of the script → {file: …} or {source: …}");
    return scripts;
  }
  for (const auto& [key, value] : *by_name) {
    const std::string name(key.data(), key.size());
    const std::string path = fmt::format("scripts.{}", base::printable(name, 100));
    if (!domain::is_script_name(name)) {
      findings.push_back({path, "value", "must match ^[A-Za-z_][A-Za-z0-9_]*$, without \"__\", with 1 to 60 characters"});
      continue;
    }
    Script script;
    script.id = set_id + "__" + name;
    script.set_id = set_id;
    base::ObjectReader entry(value, path, findings);
    const std::size_t before = findings.size();
    entry.text("source", script.source, 0, domain::kScriptBytesMax).text("title", script.title, 0, 200);
    if (const json::value* file = entry.member("file"); file != nullptr) {
      entry.finding("file", "value", "files are read by the command line only; send the source itself");
    } else if (entry.is_object() && !value.get_object().contains("source")) {
      entry.finding("source", "missing", "is required: {file: …} or {source: …}");
    }
    entry.finish();
    if (script.source.size() > domain::kScriptBytesMax) entry.finding("source", "value", "a script can have at most 1 MiB");
    if (script.source.find('\0') != std::string::npos || !base::is_valid_utf8(script.source)) {
      entry.finding("source", "value", "must be UTF-8 text without NUL");
    }
    if (findings.size() == before) scripts.emplace(script.id, std::move(script));
  }
  return scripts;
}

std::string hash_or_empty(const PlanContext& context, const std::string& source) {
  return context.offline() ? std::string() : context.tools.codec->sha256_hex(source);
}

// Adds, publishes anew or removes the scripts of one set; returns what changed, for the set's result.
std::vector<FieldChange> place_scripts(PlanContext& context, const std::string& set_id, std::map<std::string, Script>& wanted) {
  std::vector<FieldChange> changes;
  auto& scripts = context.plan.next.scripts;
  const auto& options = context.options;
  auto member = [&](const std::string& id) { return "scripts." + id.substr(set_id.size() + 2); };
  for (auto& [id, script] : wanted) {
    script.source_sha256 = hash_or_empty(context, script.source);
    const auto found = scripts.find(id);
    if (found == scripts.end()) {
      script.publish_version = 1;
      changes.push_back({member(id), {}, base::json_string(script.source_sha256)});
      const domain::ResourceMeta meta{1, context.tools.now_ms, context.tools.now_ms,
                                      options.by_hand ? std::string() : options.set};
      scripts.emplace(id, domain::Stored<Script>{std::move(script), meta});
      continue;
    }
    domain::Stored<Script>& stored = found->second;
    if (stored.value.source == script.source && stored.value.title == script.title) continue;
    changes.push_back({member(id), base::json_string(stored.value.source_sha256), base::json_string(script.source_sha256)});
    script.publish_version = stored.value.publish_version + 1;
    ++stored.meta.version;
    stored.meta.updated_at_ms = context.tools.now_ms;
    stored.value = std::move(script);
  }
  for (auto entry = scripts.begin(); entry != scripts.end();) {
    if (entry->second.value.set_id != set_id || wanted.contains(entry->first)) {
      ++entry;
      continue;
    }
    changes.push_back({member(entry->first), base::json_string(entry->second.value.source_sha256), {}});
    entry = scripts.erase(entry);
  }
  return changes;
}

}  // namespace

void plan_script_set(PlanContext& context, const BundleDocument& document) {
  std::vector<base::Finding> findings;
  domain::ScriptSet set;
  set.id = document.name;
  domain::check_script_set_id(set.id, findings);
  const json::value spec(document.spec);
  base::ObjectReader reader(spec, "", findings);
  domain::read_script_set_members(reader, set);
  std::map<std::string, Script> wanted = read_scripts(reader, set.id, findings);
  bool publish = true;
  reader.boolean("publish", publish);
  if (!publish) reader.finding("publish", "value", "must be true: this release keeps no drafts, what is applied is published");
  reader.finish();
  if (!context.report(document, findings)) return;
  auto& sets = context.plan.next.script_sets;
  const auto old = sets.find(set.id);
  std::vector<FieldChange> changes;
  if (old != sets.end()) changes = member_changes(domain::to_spec(old->second.value), domain::to_spec(set));
  std::vector<FieldChange> of_scripts = place_scripts(context, set.id, wanted);
  changes.insert(changes.end(), std::make_move_iterator(of_scripts.begin()), std::make_move_iterator(of_scripts.end()));
  context.place(ResourceKind::ScriptSet, sets, std::move(set), std::move(changes));
}

}  // namespace funcgate::service
