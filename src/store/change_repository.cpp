#include "store/change_repository.h"

#include <soci/soci.h>

#include <algorithm>
#include <array>

#include "store/application_rows.h"
#include "store/audit_rows.h"
#include "store/key_rows.h"
#include "store/resource_rows.h"
#include "store/role_rows.h"
#include "store/session_rows.h"
#include "store/user_rows.h"

namespace funcgate::store {
namespace {

using base::Result;
using base::Status;
using domain::ChangeSet;
using domain::IdentityChange;
using domain::IdentityKind;

// What refers to something comes after it.
constexpr std::array kPutOrder = {IdentityKind::Role,           IdentityKind::UserGroup,     IdentityKind::Application,
                                  IdentityKind::User,           IdentityKind::ApiKey,        IdentityKind::SecretKey,
                                  IdentityKind::PasswordPolicy, IdentityKind::PrivilegeAudit};

struct Writing {
  soci::session& session;
  const std::string& author;
  std::int64_t now_ms;
};

Status remove_object(const Writing& writing, const IdentityChange& change) {
  switch (change.kind) {
    case IdentityKind::User:
      return remove_user(writing.session, change.id, change.expected_version, writing.author, writing.now_ms);
    case IdentityKind::UserGroup: return remove_user_group(writing.session, change.id, change.expected_version);
    case IdentityKind::Role: return remove_role(writing.session, change.id, change.expected_version);
    case IdentityKind::Application: return remove_application(writing.session, change.id, change.expected_version);
    case IdentityKind::SecretKey: return remove_secret_key(writing.session, change.id, change.expected_version);
    case IdentityKind::ApiKey:
    case IdentityKind::PasswordPolicy:
    case IdentityKind::PrivilegeAudit: break;
  }
  return base::Error{
      base::Code::InvalidArgument, "API keys are revoked, not deleted; the policy and the audited privileges stay", {}};
}

Status put_object(const Writing& writing, const IdentityChange& change) {
  const std::int64_t expected = change.expected_version;
  switch (change.kind) {
    case IdentityKind::User: return put_user(writing.session, std::get<domain::User>(change.value), expected);
    case IdentityKind::UserGroup: return put_user_group(writing.session, std::get<domain::UserGroup>(change.value), expected);
    case IdentityKind::Role: return put_role(writing.session, std::get<domain::Role>(change.value), expected);
    case IdentityKind::Application:
      return put_application(writing.session, std::get<domain::Application>(change.value), expected);
    case IdentityKind::ApiKey: return put_api_key(writing.session, std::get<domain::ApiKey>(change.value), expected);
    case IdentityKind::SecretKey: return put_secret_key(writing.session, std::get<domain::SecretKey>(change.value), expected);
    case IdentityKind::PasswordPolicy:
      return put_password_policy(writing.session, std::get<domain::PasswordPolicy>(change.value), expected);
    case IdentityKind::PrivilegeAudit:
      return put_audited_privileges(writing.session, std::get<domain::AuditedPrivileges>(change.value), expected, writing.author,
                                    writing.now_ms);
  }
  return base::kDone;
}

Status write_identity(const Writing& writing, const std::vector<IdentityChange>& changes, ChangeRows& rows) {
  for (const IdentityChange& change : changes) {
    if (change.deleted) TRY_DONE(remove_object(writing, change));
  }
  for (const IdentityKind kind : kPutOrder) {
    for (const IdentityChange& change : changes) {
      if (!change.deleted && change.kind == kind) TRY_DONE(put_object(writing, change));
    }
  }
  for (const IdentityChange& change : changes) rows.append(identity_kind_name(change.kind), change.id, change.deleted);
  return base::kDone;
}

Status write_sessions(const Writing& writing, const ChangeSet& changes) {
  for (const std::string& id : changes.sessions_ended) end_session(writing.session, id);
  for (const std::string& user : changes.sessions_ended_of_users)
    end_sessions_of_user(writing.session, user, changes.session_kept);
  for (const domain::Session& begun : changes.sessions_begun) TRY_DONE(begin_session(writing.session, begun));
  return base::kDone;
}

Status write_audit(const Writing& writing, const ChangeSet& changes, const domain::EventChain& chain) {
  append_audit(writing.session, chain, changes.events, writing.now_ms);
  if (changes.audit_removed_to == 0) return base::kDone;
  const bool announced = std::any_of(changes.events.begin(), changes.events.end(),
                                     [](const domain::AuditEvent& event) { return event.event == "audit.pruned"; });
  if (!announced) {
    return base::Error{base::Code::FailedPrecondition, "audit entries are removed together with an audit.pruned event only", {}};
  }
  return remove_audit(writing.session, changes.audit_removed_to);
}

Result<std::int64_t> write_all(const Writing& writing, const ChangeSet& changes, const domain::EventChain& chain) {
  if (!changes.resources.empty()) TRY_DONE(require_configuration_sequence(writing.session, changes.expected_sequence));
  if (changes.setup_done && !remove_setup_token(writing.session)) {
    return base::Error{base::Code::Conflict, "the server has been set up already", {}};
  }
  ChangeRows rows(writing.session, changes.author, changes.note, writing.now_ms);
  TRY_DONE(write_identity(writing, changes.identity, rows));
  TRY_DONE(write_sessions(writing, changes));
  // Resources last: the sequence that is returned is then that of the configuration, too.
  write_resources(writing.session, changes.resources, changes.author, changes.note, rows);
  TRY_DONE(write_audit(writing, changes, chain));
  return rows.sequence();
}

}  // namespace

Result<std::int64_t> ChangeRepository::commit(const ChangeSet& changes) {
  return database_.write("write a change", [&](soci::session& session) -> Result<std::int64_t> {
    return write_all({session, changes.author, clock_.wall_ms()}, changes, chain_);
  });
}

}  // namespace funcgate::store
