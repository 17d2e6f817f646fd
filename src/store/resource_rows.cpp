#include "store/resource_rows.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "base/json.h"
#include "domain/api_auth_json.h"
#include "domain/env_variable_json.h"
#include "domain/function_api_json.h"
#include "domain/limits.h"
#include "domain/script_json.h"

namespace funcgate::store {
namespace {

using domain::ResourceChange;
using domain::ResourceKind;
using domain::ResourceMeta;

void put_document(soci::session& session, ResourceKind kind, const std::string& id, const std::string& document,
                  const ResourceMeta& meta) {
  session << fmt::format(
      "INSERT INTO {} (id, version, document, created_at_ms, updated_at_ms, apply_set) "
      "VALUES (:id, :version, :document, :created, :updated, :apply_set) ON CONFLICT (id) DO UPDATE SET version = "
      "excluded.version, "
      "document = excluded.document, updated_at_ms = excluded.updated_at_ms, apply_set = excluded.apply_set",
      resource_table(kind)),
      soci::use(id), soci::use(meta.version), soci::use(document), soci::use(meta.created_at_ms), soci::use(meta.updated_at_ms),
      soci::use(meta.apply_set);
}

void put_script(soci::session& session, const domain::Stored<domain::Script>& stored, const std::string& author,
                const std::string& note) {
  const domain::Script& script = stored.value;
  session << "INSERT INTO scripts (id, set_id, title, publish_version, version, created_at_ms, updated_at_ms, apply_set) "
             "VALUES (:id, :set_id, :title, :publish_version, :version, :created, :updated, :apply_set) "
             "ON CONFLICT (id) DO UPDATE SET title = excluded.title, publish_version = excluded.publish_version, "
             "version = excluded.version, updated_at_ms = excluded.updated_at_ms, apply_set = excluded.apply_set",
      soci::use(script.id), soci::use(script.set_id), soci::use(script.title), soci::use(script.publish_version),
      soci::use(stored.meta.version), soci::use(stored.meta.created_at_ms), soci::use(stored.meta.updated_at_ms),
      soci::use(stored.meta.apply_set);
  session << "INSERT INTO script_versions (script_id, publish_version, source, sha256, author, published_at_ms, note) "
             "VALUES (:id, :publish_version, :source, :sha256, :author, :published, :note) "
             "ON CONFLICT (script_id, publish_version) DO NOTHING",
      soci::use(script.id), soci::use(script.publish_version), soci::use(script.source), soci::use(script.source_sha256),
      soci::use(author), soci::use(stored.meta.updated_at_ms), soci::use(note);
  const std::int64_t oldest_kept = script.publish_version - static_cast<std::int64_t>(domain::kScriptVersionsKept) + 1;
  session << "DELETE FROM script_versions WHERE script_id = :id AND publish_version < :oldest", soci::use(script.id),
      soci::use(oldest_kept);
}

void remove_object(soci::session& session, const ResourceChange& change) {
  session << fmt::format("DELETE FROM {} WHERE id = :id", resource_table(change.kind)), soci::use(change.id);
}

void put_object(soci::session& session, const ResourceChange& change, const std::string& author, const std::string& note) {
  switch (change.kind) {
    case ResourceKind::ScriptSet:
      CHECK(change.script_set.has_value());
      put_document(session, change.kind, change.id, base::to_json(to_spec(change.script_set->value)), change.script_set->meta);
      return;
    case ResourceKind::Script:
      CHECK(change.script.has_value());
      put_script(session, *change.script, author, note);
      return;
    case ResourceKind::ApiAuthentication:
      CHECK(change.api_authentication.has_value());
      put_document(session, change.kind, change.id, to_stored_json(change.api_authentication->value),
                   change.api_authentication->meta);
      return;
    case ResourceKind::FuncApi:
      CHECK(change.function_api.has_value());
      put_document(session, change.kind, change.id, base::to_json(to_spec(change.function_api->value, false)),
                   change.function_api->meta);
      return;
    case ResourceKind::EnvVariable:
      CHECK(change.env_variable.has_value());
      put_document(session, change.kind, change.id, base::to_json(to_stored(change.env_variable->value)),
                   change.env_variable->meta);
      return;
    case ResourceKind::User:
    case ResourceKind::UserGroup:
    case ResourceKind::Role:
    case ResourceKind::PasswordPolicy:
    case ResourceKind::PrivilegeAudit:
    case ResourceKind::SecretKey:
    case ResourceKind::Application: break;
  }
}

std::int64_t newest_sequence(soci::session& session) {
  std::int64_t sequence = 0;
  session << "SELECT COALESCE(MAX(sequence), 0) FROM changes", soci::into(sequence);
  return sequence;
}

}  // namespace

const char* resource_table(ResourceKind kind) {
  switch (kind) {
    case ResourceKind::ScriptSet: return "script_sets";
    case ResourceKind::ApiAuthentication: return "api_authentications";
    case ResourceKind::FuncApi: return "function_apis";
    case ResourceKind::EnvVariable: return "env_variables";
    case ResourceKind::Script: return "scripts";
    case ResourceKind::User:
    case ResourceKind::UserGroup:
    case ResourceKind::Role:
    case ResourceKind::PasswordPolicy:
    case ResourceKind::PrivilegeAudit:
    case ResourceKind::SecretKey:
    case ResourceKind::Application: break;
  }
  return "";
}

std::int64_t configuration_sequence(soci::session& session) {
  std::int64_t sequence = 0;
  session << statements::kConfigurationSequence, soci::into(sequence);
  return sequence;
}

base::Status require_configuration_sequence(soci::session& session, std::int64_t expected) {
  const std::int64_t sequence = configuration_sequence(session);
  if (sequence <= expected && expected <= newest_sequence(session)) return base::kDone;
  return base::Error{base::Code::Conflict,
                     fmt::format("the configuration was changed meanwhile (change {} instead of {}); repeat", sequence, expected),
                     {}};
}

ChangeRows::ChangeRows(soci::session& session, const std::string& author, const std::string& note, std::int64_t now_ms)
    : session_(session), author_(author), note_(note), now_ms_(now_ms), sequence_(newest_sequence(session)) {}

void ChangeRows::append(std::string_view kind, const std::string& id, bool deleted) {
  ++sequence_;
  const std::string kind_text(kind);
  const int deleted_number = deleted ? 1 : 0;
  session_ << "INSERT INTO changes (sequence, kind, id, deleted, author, note, changed_at_ms) "
              "VALUES (:sequence, :kind, :id, :deleted, :author, :note, :now)",
      soci::use(sequence_), soci::use(kind_text), soci::use(id), soci::use(deleted_number), soci::use(author_), soci::use(note_),
      soci::use(now_ms_);
}

void write_resources(soci::session& session, const std::vector<ResourceChange>& changes, const std::string& author,
                     const std::string& note, ChangeRows& rows) {
  for (const ResourceChange& change : changes) {
    CHECK(!is_identity_kind(change.kind));  // those are IdentityChanges
    if (change.deleted) {
      remove_object(session, change);
    } else {
      put_object(session, change, author, note);
    }
    rows.append(resource_kind_name(change.kind), change.id, change.deleted);
  }
}

}  // namespace funcgate::store
