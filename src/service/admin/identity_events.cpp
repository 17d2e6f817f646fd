#include "service/admin/identity_events.h"

#include <utility>

#include "base/clock.h"

namespace funcgate::service {
namespace {

namespace json = base::json;

json::array texts(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& text : list) out.emplace_back(text);
  return out;
}

}  // namespace

json::object audited_fields(const domain::User& user, const domain::Directory& directory) {
  json::array groups;
  for (const std::string& id : user.groups) {
    const domain::UserGroup* group = directory.group(id);
    groups.emplace_back(group == nullptr ? id : group->name);
  }
  return {{"login", user.login},
          {"firstName", user.first_name},
          {"surname", user.surname},
          {"email", user.email},
          {"description", user.description},
          {"enabled", user.enabled},
          {"groups", std::move(groups)},
          {"mustChangePassword", user.must_change_password}};
}

json::object audited_fields(const domain::UserGroup& group, const domain::Directory& directory) {
  json::array roles;
  for (const std::string& id : group.roles) {
    const domain::Role* role = directory.role(id);
    roles.emplace_back(role == nullptr ? id : role->name);
  }
  return {{"name", group.name}, {"description", group.description}, {"roles", std::move(roles)}};
}

json::object audited_fields(const domain::Role& role, const domain::Directory& directory) {
  json::array privileges;
  for (const std::string_view name : domain::privilege_names(role.privileges)) privileges.emplace_back(name);
  json::object out{{"name", role.name}, {"description", role.description}, {"privileges", std::move(privileges)}};
  if (!role.application.empty()) {
    const domain::Application* application = directory.application(role.application);
    out["application"] = application == nullptr ? role.application : application->name;
  }
  return out;
}

json::object audited_fields(const domain::ApiKey& key) {
  json::array scopes;
  if ((key.scopes & static_cast<std::uint8_t>(domain::KeyScope::Api)) != 0) scopes.emplace_back("api");
  if ((key.scopes & static_cast<std::uint8_t>(domain::KeyScope::Management)) != 0) scopes.emplace_back("management");
  json::object out{
      {"name", key.name}, {"scopes", std::move(scopes)}, {"apis", texts(key.apis)}, {"addresses", texts(key.addresses)}};
  out["expiresAt"] = key.expires_at_ms == 0 ? json::value() : json::value(base::format_rfc3339(key.expires_at_ms));
  return out;
}

std::vector<domain::AuditFieldChange> changes_between(const json::object& before, const json::object& after) {
  std::vector<domain::AuditFieldChange> out;
  for (const auto& member : after) {
    const json::value* old = before.if_contains(member.key());
    if (old != nullptr && *old == member.value()) continue;
    out.push_back({std::string(member.key()), old == nullptr ? "" : base::to_json(*old), base::to_json(member.value())});
  }
  for (const auto& member : before) {
    if (!after.contains(member.key())) out.push_back({std::string(member.key()), base::to_json(member.value()), ""});
  }
  return out;
}

domain::AuditEvent object_event(std::string event, const domain::Actor& actor, std::string_view kind, std::string_view id,
                                std::string_view name, std::int64_t version, std::string summary) {
  domain::AuditEvent out;
  out.event = std::move(event);
  out.actor = actor;
  out.object_kind = kind;
  out.object_id = id;
  out.object_name = name;
  out.object_version = version;
  out.summary = std::move(summary);
  return out;
}

std::string author_name(const domain::Actor& actor) {
  if (!actor.login.empty()) return actor.login;
  return actor.origin == "CLI" ? "local" : std::string(domain::kSystemLogin);
}

domain::Bookkeeping created_by(const domain::Actor& actor, std::int64_t now_ms) {
  domain::Bookkeeping meta;
  meta.created_at_ms = meta.updated_at_ms = now_ms;
  meta.created_by = meta.updated_by = author_name(actor);
  return meta;
}

void mark_changed(domain::Bookkeeping& meta, const domain::Actor& actor, std::int64_t now_ms) {
  ++meta.version;
  meta.updated_at_ms = now_ms;
  meta.updated_by = author_name(actor);
}

}  // namespace funcgate::service
