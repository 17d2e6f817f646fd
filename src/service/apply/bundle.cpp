#include "service/apply/bundle.h"

#include <fmt/format.h>

#include "base/text.h"
#include "service/admin/identity_rules.h"

namespace funcgate::service {
namespace {

namespace json = base::json;
using base::Code;
using base::Error;
using base::Result;

std::string text_of(const json::value* value) {
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

// Takes `member` out of `object` as the secret of `path`.
void take_secret(BundleDocument& document, json::object& object, std::string_view member, std::string_view reference,
                 const std::string& path) {
  const auto found = object.find(member);
  if (found == object.end()) return;
  if (json::string* text = found->value().if_string()) {
    document.secrets.insert_or_assign(path, base::SecretString(std::string(text->data(), text->size())));
    std::fill(text->begin(), text->end(), '\0');
  } else {
    document.findings.push_back({path, "type", "must be a text"});
  }
  object.erase(found);
  if (object.contains(reference)) {
    document.findings.push_back({path, "duplicate", fmt::format("give it here or with {}, not both", reference)});
  }
}

void take_from_entries(BundleDocument& document, std::string_view list, std::string_view member, std::string_view reference) {
  json::value* entries = document.spec.if_contains(list);
  json::array* array = entries == nullptr ? nullptr : entries->if_array();
  if (array == nullptr) return;
  for (std::size_t i = 0; i < array->size(); ++i) {
    json::object* entry = (*array)[i].if_object();
    if (entry != nullptr) take_secret(document, *entry, member, reference, fmt::format("{}[{}].{}", list, i, member));
  }
}

json::object map_to_json(const std::map<std::string, std::string, std::less<>>& map) {
  json::object out;
  for (const auto& [name, value] : map) out[name] = value;
  return out;
}

void normalise_names(BundleDocument& document) {
  if (document.kind == "Application" || document.kind == "UserGroup" || document.kind == "Role")
    document.name = stored_name(document.name);
  document.application = stored_name(document.application);
}

Result<BundleDocument> read_document(const json::value& value) {
  const Error unreadable{Code::InvalidArgument, "a document of the bundle cannot be read", {}};
  const json::object* object = value.if_object();
  if (object == nullptr) return unreadable;
  BundleDocument document;
  document.file = text_of(object->if_contains("file"));
  document.kind = text_of(object->if_contains("kind"));
  document.name = text_of(object->if_contains("name"));
  document.application = text_of(object->if_contains("application"));
  const json::value* spec = object->if_contains("spec");
  const json::value* lines = object->if_contains("lines");
  const json::value* secrets = object->if_contains("secrets");
  const json::value* files = object->if_contains("files");
  if (spec == nullptr || !spec->is_object() || lines == nullptr || !lines->is_object() || secrets == nullptr ||
      !secrets->is_object() || files == nullptr || !files->is_object()) {
    return unreadable;
  }
  document.spec = spec->get_object();
  for (const auto& [path, line] : lines->get_object()) {
    if (const std::int64_t* number = line.if_int64()) document.lines.emplace(std::string(path), *number);
  }
  for (const auto& [path, secret] : secrets->get_object()) {
    document.secrets.emplace(std::string(path), base::SecretString(text_of(&secret)));
  }
  for (const auto& [path, file] : files->get_object()) document.files.emplace(std::string(path), text_of(&file));
  normalise_names(document);
  take_inline_secrets(document);
  return document;
}

}  // namespace

std::int64_t BundleDocument::line_of(std::string_view path) const {
  while (true) {
    if (const auto found = lines.find(path); found != lines.end()) return found->second;
    if (path.empty()) return 0;
    const std::size_t cut = path.find_last_of(".[");
    path = cut == std::string_view::npos ? std::string_view() : path.substr(0, cut);
  }
}

BundleDocument document_from_json(const json::value& document) {
  BundleDocument result;
  base::ObjectReader reader(document, "", result.findings);
  std::string api_version(kApiVersion);
  reader.text("apiVersion", api_version, 1, 100).text("kind", result.kind, 1, 100, true);
  if (api_version != kApiVersion) {
    reader.finding("apiVersion", "value", fmt::format("must be {}", kApiVersion));
  }
  if (const json::value* metadata = reader.member("metadata"); metadata != nullptr) {
    base::ObjectReader names(*metadata, "metadata", result.findings);
    names.text("name", result.name, 1, 200, true).text("application", result.application, 1, 100);
    names.finish();
  } else if (reader.is_object()) {
    reader.finding("metadata", "missing", "is required");
  }
  if (const json::value* spec = reader.member("spec"); spec != nullptr && spec->is_object()) {
    result.spec = spec->get_object();
  } else if (reader.is_object()) {
    reader.finding("spec", spec == nullptr ? "missing" : "type", spec == nullptr ? "is required" : "must be an object");
  }
  reader.finish();
  normalise_names(result);
  take_inline_secrets(result);
  return result;
}

void take_inline_secrets(BundleDocument& document) {
  if (document.kind == "ApiAuthentication") {
    take_from_entries(document, "fields", "value", "valueFrom");
    take_from_entries(document, "users", "password", "passwordFrom");
  } else if (document.kind == "EnvVariable" && text_of(document.spec.if_contains("type")) == "password") {
    take_secret(document, document.spec, "value", "valueFrom", "value");
  } else if (document.kind == "User") {
    take_secret(document, document.spec, "password", "passwordFrom", "password");
  } else if (document.kind == "SecretKey") {
    take_secret(document, document.spec, "value", "valueFrom", "value");
  }
}

base::SecretString to_json(const Bundle& bundle) {
  json::array documents;
  for (const BundleDocument& document : bundle.documents) {
    json::object lines, secrets;
    for (const auto& [path, line] : document.lines) lines[path] = line;
    for (const auto& [path, secret] : document.secrets) secrets[path] = secret.reveal();
    documents.push_back(json::object{{"file", document.file},
                                     {"kind", document.kind},
                                     {"name", document.name},
                                     {"application", document.application},
                                     {"spec", document.spec},
                                     {"lines", std::move(lines)},
                                     {"secrets", std::move(secrets)},
                                     {"files", map_to_json(document.files)}});
  }
  return base::SecretString(base::to_json(json::object{{"apiVersion", kApiVersion}, {"documents", std::move(documents)}}));
}

Result<Bundle> bundle_from_json(std::string_view text) {
  if (text.size() > kBundleBytesMax) {
    return Error{Code::PayloadTooLarge, fmt::format("a bundle can have at most {} bytes", kBundleBytesMax), {}};
  }
  TRY(const json::value parsed, base::parse_json(text, 80));
  const json::object* object = parsed.if_object();
  const json::value* documents = object == nullptr ? nullptr : object->if_contains("documents");
  if (documents == nullptr || !documents->is_array() || text_of(object->if_contains("apiVersion")) != kApiVersion) {
    return Error{Code::InvalidArgument, fmt::format("not a bundle of {}", kApiVersion), {}};
  }
  if (documents->get_array().size() > kBundleDocumentsMax) {
    return Error{Code::PayloadTooLarge, fmt::format("a bundle can have at most {} documents", kBundleDocumentsMax), {}};
  }
  Bundle bundle;
  for (const json::value& value : documents->get_array()) {
    TRY(BundleDocument document, read_document(value));
    bundle.documents.push_back(std::move(document));
  }
  return bundle;
}

}  // namespace funcgate::service
