#include "app/backup_text.h"

#include <fmt/format.h>

namespace funcgate::app {
namespace {

namespace json = base::json;

void add_line(std::vector<std::string>& lines, std::string_view secret, std::string_view things,
              const backup::KeyCounts& counts) {
  for (const auto& [kid, count] : counts) {
    if (count > 0) lines.push_back(fmt::format("{} {} ({} {}{})", secret, kid, count, things, count == 1 ? "" : "s"));
  }
}

json::object counts_document(const backup::KeyCounts& counts) {
  json::object document;
  for (const auto& [kid, count] : counts) document[kid] = count;
  return document;
}

}  // namespace

std::string content_text(const backup::Manifest& manifest) {
  std::string text;
  std::size_t files = 0;
  for (const backup::Member& member : manifest.members) {
    const auto schema = manifest.schemas.find(member.name);
    if (schema == manifest.schemas.end() && member.name.find('/') != std::string::npos) {
      ++files;
      continue;
    }
    if (!text.empty()) text += ", ";
    text += member.name;
    if (schema != manifest.schemas.end()) text += fmt::format(" (schema {})", schema->second);
  }
  if (files > 0) text += fmt::format(", {} file{} of scripts and tasks", files, files == 1 ? "" : "s");
  return text;
}

std::vector<std::string> key_lines(const backup::Manifest& manifest) {
  std::vector<std::string> lines;
  add_line(lines, "sealing key", "sealed value", manifest.sealing);
  add_line(lines, "password pepper", "password", manifest.peppers);
  add_line(lines, "API key signing secret", "API key", manifest.signing);
  return lines;
}

json::object backup_document(const backup::Manifest& manifest, const std::string& file) {
  json::object schemas;
  for (const auto& [name, version] : manifest.schemas) schemas[name] = version;
  json::array left_out;
  for (const std::string& sentence : manifest.left_out) left_out.push_back(json::string(sentence));
  return {{"file", file},
          {"version", manifest.product_version},
          {"createdAt", base::format_rfc3339(manifest.created_ms)},
          {"databases", std::move(schemas)},
          {"members", manifest.members.size()},
          {"bytes", manifest.bytes()},
          {"keystore", manifest.find(backup::kKeystoreName) != nullptr},
          {"keys", json::object{{"sealing", counts_document(manifest.sealing)},
                                {"peppers", counts_document(manifest.peppers)},
                                {"signing", counts_document(manifest.signing)}}},
          {"unfinishedTasks", manifest.unfinished_tasks},
          {"leftOut", std::move(left_out)}};
}

}  // namespace funcgate::app
