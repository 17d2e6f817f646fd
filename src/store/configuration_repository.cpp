#include "store/configuration_repository.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "base/json.h"
#include "base/log.h"
#include "domain/api_auth_json.h"
#include "domain/env_variable_json.h"
#include "domain/function_api_json.h"
#include "domain/limits.h"
#include "domain/script_json.h"
#include "store/resource_rows.h"

namespace funcgate::store {
namespace {

using base::Result;
using base::Status;
using domain::Configuration;
using domain::ResourceChange;
using domain::ResourceKind;
using domain::ResourceMeta;

struct DocumentRow {
  std::string id, document;
  ResourceMeta meta;
};

std::vector<DocumentRow> read_documents(soci::session& session, ResourceKind kind) {
  DocumentRow row;
  soci::statement statement =
      (session.prepare << fmt::format("SELECT id, document, version, created_at_ms, updated_at_ms, apply_set FROM {} ORDER BY id",
                                      resource_table(kind)),
       soci::into(row.id), soci::into(row.document), soci::into(row.meta.version), soci::into(row.meta.created_at_ms),
       soci::into(row.meta.updated_at_ms), soci::into(row.meta.apply_set));
  statement.execute();
  std::vector<DocumentRow> rows;
  while (statement.fetch()) rows.push_back(row);
  return rows;
}

// What a document lacks or says wrongly goes to the log: the operator has to mend it, and until then the object is closed.
void log_unreadable(ResourceKind kind, const std::string& id, const std::vector<base::Finding>& findings,
                    std::string_view effect) {
  for (const base::Finding& finding : findings) {
    base::log::error(
        "store.unreadable_document",
        {{"kind", resource_kind_name(kind)},
         {"id", id},
         {"path", finding.path},
         {"problem", finding.message},
         {"effect", effect}});
  }
}

base::json::value parse_document(const DocumentRow& row, std::vector<base::Finding>& findings) {
  auto parsed = base::parse_json(row.document);
  if (parsed.ok()) return std::move(parsed).value();
  findings.push_back({"", "type", parsed.error().message});
  return base::json::object();
}

void load_script_sets(soci::session& session, Configuration& configuration) {
  for (DocumentRow& row : read_documents(session, ResourceKind::ScriptSet)) {
    std::vector<base::Finding> findings;
    domain::ScriptSet set = domain::read_script_set(row.id, parse_document(row, findings), findings);
    set.version = row.meta.version;
    log_unreadable(ResourceKind::ScriptSet, row.id, findings, "what cannot be read is left out");
    configuration.script_sets.emplace(row.id, domain::Stored<domain::ScriptSet>{std::move(set), row.meta});
  }
}

void load_scripts(soci::session& session, Configuration& configuration) {
  domain::Script script;
  ResourceMeta meta;
  soci::statement statement =
      (session.prepare << "SELECT s.id, s.set_id, s.title, s.publish_version, v.source, v.sha256, s.version, s.created_at_ms, "
                          "s.updated_at_ms, s.apply_set FROM scripts s JOIN script_versions v ON v.script_id = s.id AND "
                          "v.publish_version = s.publish_version ORDER BY s.id",
       soci::into(script.id), soci::into(script.set_id), soci::into(script.title), soci::into(script.publish_version),
       soci::into(script.source), soci::into(script.source_sha256), soci::into(meta.version), soci::into(meta.created_at_ms),
       soci::into(meta.updated_at_ms), soci::into(meta.apply_set));
  statement.execute();
  while (statement.fetch()) configuration.scripts.emplace(script.id, domain::Stored<domain::Script>{script, meta});
}

void load_api_authentications(soci::session& session, Configuration& configuration) {
  for (DocumentRow& row : read_documents(session, ResourceKind::ApiAuthentication)) {
    domain::ApiAuthentication authentication = domain::from_stored_json(row.id, row.document);
    authentication.version = row.meta.version;
    if (const auto* broken = std::get_if<domain::BrokenConfig>(&authentication.config)) {
      log_unreadable(ResourceKind::ApiAuthentication, row.id, {{"", "value", broken->problem}}, "it denies everybody");
    }
    configuration.api_authentications.emplace(row.id,
                                              domain::Stored<domain::ApiAuthentication>{std::move(authentication), row.meta});
  }
}

void load_function_apis(soci::session& session, Configuration& configuration) {
  for (DocumentRow& row : read_documents(session, ResourceKind::FuncApi)) {
    std::vector<base::Finding> findings;
    domain::FunctionApi api = domain::read_function_api(row.id, parse_document(row, findings), findings);
    api.version = row.meta.version;
    if (!findings.empty()) {
      // Whoever could call it is not known for sure any more: nobody can.
      api.is_disabled = true;
      api.anonymous = false;
      api.api_auth_ids.clear();
      log_unreadable(ResourceKind::FuncApi, row.id, findings, "it is disabled");
    }
    configuration.function_apis.emplace(row.id, domain::Stored<domain::FunctionApi>{std::move(api), row.meta});
  }
}

void load_env_variables(soci::session& session, Configuration& configuration) {
  for (DocumentRow& row : read_documents(session, ResourceKind::EnvVariable)) {
    std::vector<base::Finding> findings;
    domain::EnvVariable variable = domain::read_env_variable(row.id, parse_document(row, findings), findings);
    variable.version = row.meta.version;
    if (!findings.empty()) {
      variable.script_sets.clear();
      log_unreadable(ResourceKind::EnvVariable, row.id, findings, "no script may read it");
    }
    configuration.env_variables.emplace(row.id, domain::Stored<domain::EnvVariable>{std::move(variable), row.meta});
  }
}

}  // namespace

Result<Configuration> ConfigurationRepository::load() {
  return database_.read("read the configuration", [](soci::session& session) -> Result<Configuration> {
    Configuration configuration;
    load_script_sets(session, configuration);
    load_scripts(session, configuration);
    load_api_authentications(session, configuration);
    load_function_apis(session, configuration);
    load_env_variables(session, configuration);
    configuration.sequence = configuration_sequence(session);
    return configuration;
  });
}

Result<std::int64_t> ConfigurationRepository::commit(const std::vector<ResourceChange>& changes, std::int64_t expected_sequence,
                                                     const std::string& author, const std::string& note) {
  return database_.write("write the configuration", [&](soci::session& session) -> Result<std::int64_t> {
    TRY_DONE(require_configuration_sequence(session, expected_sequence));
    ChangeRows rows(session, author, note, clock_.wall_ms());
    write_resources(session, changes, author, note, rows);
    return rows.sequence();
  });
}

Result<std::string> ConfigurationRepository::instance_id() {
  return database_.write("read the instance id", [&](soci::session& session) -> Result<std::string> {
    const std::string made = random_.alphanumeric(32);
    session << "INSERT INTO instance (name, value) VALUES ('id', :id) ON CONFLICT (name) DO NOTHING", soci::use(made);
    std::string id;
    session << "SELECT value FROM instance WHERE name = 'id'", soci::into(id);
    return id;
  });
}

Result<bool> ConfigurationRepository::is_noted(const std::string& fact) {
  return database_.read("read a fact about the instance", [&](soci::session& session) -> Result<bool> {
    int count = 0;
    session << "SELECT COUNT(*) FROM instance WHERE name = :name", soci::use(fact), soci::into(count);
    return count > 0;
  });
}

Status ConfigurationRepository::note(const std::string& fact) {
  return database_.write("note a fact about the instance", [&](soci::session& session) -> Status {
    const std::string yes = "yes";
    session << "INSERT INTO instance (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING", soci::use(fact),
        soci::use(yes);
    return base::kDone;
  });
}

Result<std::vector<ScriptVersion>> ConfigurationRepository::script_versions(const std::string& script_id) {
  return database_.read("read script versions", [&](soci::session& session) -> Result<std::vector<ScriptVersion>> {
    ScriptVersion version;
    soci::statement statement =
        (session.prepare << "SELECT publish_version, sha256, author, note, published_at_ms FROM script_versions "
                            "WHERE script_id = :id ORDER BY publish_version DESC",
         soci::use(script_id), soci::into(version.publish_version), soci::into(version.sha256), soci::into(version.author),
         soci::into(version.note), soci::into(version.published_at_ms));
    statement.execute();
    std::vector<ScriptVersion> versions;
    while (statement.fetch()) versions.push_back(version);
    return versions;
  });
}

Result<std::string> ConfigurationRepository::script_source(const std::string& script_id, std::int64_t publish_version) {
  return database_.read("read a script version", [&](soci::session& session) -> Result<std::string> {
    std::string source;
    session << "SELECT source FROM script_versions WHERE script_id = :id AND publish_version = :version", soci::use(script_id),
        soci::use(publish_version), soci::into(source);
    if (!session.got_data()) {
      return base::Error{
          base::Code::NotFound, fmt::format("script {} has no version {}", base::json_string(script_id), publish_version), {}};
    }
    return source;
  });
}

}  // namespace funcgate::store
