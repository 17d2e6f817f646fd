#include "service/apply/bundle_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "base/text.h"
#include "domain/api_auth_document.h"
#include "domain/limits.h"
#include "service/apply/yaml_reader.h"

namespace funcgate::service {
namespace {

namespace fs = std::filesystem;
namespace json = base::json;
using domain::SecretOrigin;

constexpr std::size_t kFilesMax = 20'000, kSecretFileBytesMax = 65'536;

class Reader {
 public:
  Reader(fs::path root, const EnvironmentLookup& environment, std::vector<Problem>& problems)
      : root_(std::move(root)), environment_(environment), problems_(problems) {}

  void read_file(const fs::path& path) {
    const std::string shown = path.lexically_relative(root_).string();
    const auto text = base::read_file(path.string(), kBundleFileBytesMax);
    if (!text.ok()) return note(shown, 0, {"", "value", text.error().message});
    total_bytes_ += text->size();
    if (total_bytes_ > kBundleBytesMax)
      return note(shown, 0, {"", "value", fmt::format("the documents have more than {} bytes", kBundleBytesMax)});
    std::vector<YamlProblem> yaml_problems;
    for (YamlDocument& yaml : read_yaml(*text, yaml_problems)) take(shown, path.parent_path(), yaml);
    for (const YamlProblem& problem : yaml_problems) note(shown, problem.line, {problem.path, "yaml", problem.message});
  }

  void note(const std::string& file, std::int64_t line, base::Finding finding) {
    problems_.push_back({file, line, "", "", std::move(finding)});
  }

  Bundle bundle;

 private:
  void take(const std::string& file, const fs::path& folder, YamlDocument& yaml) {
    BundleDocument document = document_from_json(yaml.value);
    document.file = file;
    for (const auto& [path, line] : yaml.lines) {
      if (path.starts_with("spec.")) document.lines.emplace(path.substr(5), line);
    }
    // Members of the frame that a member of the spec could share a name with ("kind") stay what the spec says.
    for (const auto& [path, line] : yaml.lines) {
      if (!path.starts_with("spec.")) document.lines.emplace(path, line);
    }
    if (const auto name = yaml.lines.find("metadata.name"); name != yaml.lines.end()) document.lines["id"] = name->second;
    resolve_scripts(document, folder);
    resolve_secrets(document, folder);
    for (const base::Finding& finding : document.findings) {
      problems_.push_back({file, document.line_of(finding.path), document.kind, document.name, finding});
    }
    document.findings.clear();
    bundle.documents.push_back(std::move(document));
  }

  // nullopt: `finding` was added.
  std::optional<std::string> read_inside(const fs::path& folder, const std::string& name, std::size_t bytes_max,
                                         const std::string& path, BundleDocument& document) {
    std::error_code error;
    const fs::path real = fs::canonical(folder / name, error);
    auto refuse = [&](std::string message) {
      document.findings.push_back({path, "value", std::move(message)});
      return std::nullopt;
    };
    if (error) return refuse(fmt::format("cannot read \"{}\": {}", base::printable(name), error.message()));
    const fs::path inside = real.lexically_relative(root_);
    if (inside.empty() || *inside.begin() == "..")
      return refuse(fmt::format("\"{}\" is outside of the folder", base::printable(name)));
    auto text = base::read_file(real.string(), bytes_max);
    if (!text.ok()) return refuse(text.error().message);
    total_bytes_ += text->size();
    if (total_bytes_ > kBundleBytesMax)
      return refuse(fmt::format("the documents and scripts have more than {} bytes", kBundleBytesMax));
    document.files[path.substr(0, path.rfind('.'))] = inside.string();
    return std::move(*text);
  }

  void resolve_scripts(BundleDocument& document, const fs::path& folder) {
    json::value* scripts = document.kind == "ScriptSet" ? document.spec.if_contains("scripts") : nullptr;
    json::object* by_name = scripts == nullptr ? nullptr : scripts->if_object();
    if (by_name == nullptr) return;
    for (auto& member : *by_name) {
      json::object* script = member.value().if_object();
      const json::value* file = script == nullptr ? nullptr : script->if_contains("file");
      if (file == nullptr || !file->is_string()) continue;
      const std::string name(file->get_string().data(), file->get_string().size());
      const std::string path = fmt::format("scripts.{}.file", std::string_view(member.key()));
      auto source = read_inside(folder, name, domain::kScriptBytesMax, path, document);
      if (script->contains("source")) document.findings.push_back({path, "duplicate", "give file or source, not both"});
      script->erase("file");
      (*script)["source"] = source.value_or("");
    }
  }

  void resolve_secret(BundleDocument& document, const fs::path& folder, const json::object& holder,
                      std::string_view reference_name, const std::string& reference_path, const std::string& secret_path) {
    const json::value* reference = holder.if_contains(reference_name);
    if (reference == nullptr) return;
    // What is wrong with its form is reported by whoever reads the whole spec.
    std::vector<base::Finding> ignored;
    const domain::SecretReference source = domain::read_secret_reference(*reference, reference_path, ignored);
    std::optional<std::string> value;
    if (source.origin == SecretOrigin::Env) {
      value = environment_(source.name);
      if (!value)
        document.findings.push_back(
            {reference_path, "value", fmt::format("environment variable {} is not set", base::printable(source.name))});
    } else if (source.origin == SecretOrigin::File) {
      auto text = base::read_file((folder / source.name).string(), kSecretFileBytesMax);
      if (text.ok()) {
        value = std::move(*text);
        if (value->ends_with('\n')) value->pop_back();
        if (value->ends_with('\r')) value->pop_back();
      } else {
        document.findings.push_back({reference_path, "value", text.error().message});
      }
    }
    if (value) document.secrets.insert_or_assign(secret_path, base::SecretString(std::move(*value)));
  }

  void resolve_secrets(BundleDocument& document, const fs::path& folder) {
    if (document.kind == "EnvVariable") resolve_secret(document, folder, document.spec, "valueFrom", "valueFrom", "value");
    if (document.kind == "SecretKey") resolve_secret(document, folder, document.spec, "valueFrom", "valueFrom", "value");
    if (document.kind == "User") resolve_secret(document, folder, document.spec, "passwordFrom", "passwordFrom", "password");
    if (document.kind != "ApiAuthentication") return;
    struct {
      const char *list, *reference, *secret;
    } static constexpr kPlaces[] = {{"fields", "valueFrom", "value"}, {"users", "passwordFrom", "password"}};
    for (const auto& place : kPlaces) {
      const json::value* entries = document.spec.if_contains(place.list);
      const json::array* array = entries == nullptr ? nullptr : entries->if_array();
      for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
        const std::string entry = fmt::format("{}[{}].", place.list, i);
        if (const json::object* holder = (*array)[i].if_object()) {
          resolve_secret(document, folder, *holder, place.reference, entry + place.reference, entry + place.secret);
        }
      }
    }
  }

  const fs::path root_;
  const EnvironmentLookup& environment_;
  std::vector<Problem>& problems_;
  std::size_t total_bytes_ = 0;
};

bool is_document(const fs::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }

std::vector<fs::path> list_documents(const fs::path& root, std::error_code& error) {
  std::vector<fs::path> found;
  fs::recursive_directory_iterator entry(root, error);
  std::size_t seen = 0;
  while (!error && entry != fs::recursive_directory_iterator()) {
    if (++seen > kFilesMax) {
      error = std::make_error_code(std::errc::file_too_large);
      break;
    }
    const fs::path& path = entry->path();
    std::error_code unreadable;
    if (path.filename().string().starts_with('.')) {
      entry.disable_recursion_pending();
    } else if (is_document(path) && entry->is_regular_file(unreadable)) {
      found.push_back(path);
    }
    entry.increment(error);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Bundle read_bundle(const std::string& path, const EnvironmentLookup& environment, std::vector<Problem>& problems) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  const bool single = !error && fs::is_regular_file(real, error);
  const std::vector<fs::path> files = error ? std::vector<fs::path>() : single ? std::vector{real} : list_documents(real, error);
  if (error) {
    problems.push_back({path, 0, "", "", {"", "value", "cannot be read: " + error.message()}});
    return {};
  }
  if (files.empty()) problems.push_back({path, 0, "", "", {"", "missing", "holds no *.yaml or *.yml"}});
  Reader reader(single ? real.parent_path() : real, environment, problems);
  for (const fs::path& file : files) reader.read_file(file);
  if (reader.bundle.documents.size() > kBundleDocumentsMax) {
    problems.push_back({path, 0, "", "", {"", "value", fmt::format("more than {} documents", kBundleDocumentsMax)}});
  }
  return std::move(reader.bundle);
}

}  // namespace funcgate::service
