// IdentityDraft: users, groups, roles and applications as they will be after an apply: what is there, overlaid with what
// documents ask for.
// Internal to apply/.
//
// Objects are loaded when they are first named. Nothing is written here; finish() tells what is to be written.
// Thread-safety: one plan, one thread; loading blocks.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "domain/change_set.h"
#include "domain/directory.h"
#include "domain/ports/identity_store.h"
#include "service/admin/built_ins.h"
#include "service/admin/sessions.h"
#include "service/apply/plan.h"
#include "service/apply/result.h"

namespace funcgate::service {

// What planning of identities needs from outside; everything outlives the plan.
struct IdentityTools {
  domain::DirectoryPtr directory;
  domain::IdentityStore& store;
  PasswordHashing& hashing;
  base::Random& random;
  std::function<bool(const base::SecretString& value)> is_instance_api_key = {};  // empty: nothing is
};

// Roles as objects of a report: "Watchers", and "Shop/Watchers" of an application; and as keys that tell both apart.
std::string role_title(std::string_view application_name, std::string_view name);
std::string role_key(std::string_view application, std::string_view name);

class IdentityDraft {
 public:
  template <class T>
  struct Drafted {
    T before, after;
    bool is_new = false, own_changed = false, links_changed = false, deleted = false;
    // A deleted object is gone for everybody who looks it up.
    bool exists() const { return !deleted; }
  };
  using DraftedUser = Drafted<domain::User>;
  using DraftedGroup = Drafted<domain::UserGroup>;
  using DraftedRole = Drafted<domain::Role>;
  using DraftedApplication = Drafted<domain::Application>;

  // Null: documents are checked without a server; then everything is new and nobody else exists.
  IdentityDraft(const IdentityTools* tools, const ApplyOptions& options, base::WallMs now_ms)
      : tools_(tools), options_(options), now_ms_(now_ms) {}

  bool offline() const { return tools_ == nullptr; }
  const IdentityTools& tools() const { return *tools_; }

  // Null: there is none. An Error is the store's: nobody knows then.
  base::Result<DraftedUser*> user(std::string_view login);
  DraftedGroup* group(std::string_view name);
  // `application`: its id; empty: a system-wide role.
  DraftedRole* role(std::string_view name, std::string_view application = {});
  DraftedApplication* application(std::string_view name);
  DraftedUser& make_user(const std::string& login);
  DraftedGroup& make_group(const std::string& name);
  DraftedRole& make_role(const std::string& name, const std::string& application = {});
  DraftedApplication& make_application(const std::string& name);

  // As other documents refer to them. Nothing is loaded for it.
  IdentityState state_of(domain::IdentityKind kind, std::string_view name);
  bool is_built_in_user(std::string_view login) const;

  // Exactly these users are in the group; logins that exist, sorted, each once. Users are loaded only if they come or go. Logins
  // added and removed are returned.
  struct Difference {
    std::vector<std::string> added, removed;
    bool empty() const { return added.empty() && removed.empty(); }
  };
  base::Result<Difference> set_members(DraftedGroup& group, const std::vector<std::string>& logins);
  // Exactly these groups have the role; names of groups.
  Difference set_groups(DraftedRole& role, const std::vector<DraftedGroup*>& groups);
  // Of the built-in roles the group has exactly these; the others are none of its business. Names of roles.
  Difference set_built_in_roles(DraftedGroup& group, const std::set<const BuiltIn*>& roles);

  // Name of the application of this id; "" of "".
  std::string application_name(const std::string& id) const;
  // Name of the group of this id as it will be; "" if it will not be there.
  std::string group_name(const std::string& id) const;
  // What stands in the way of a removal when all is planned: `Application "Shop"`, whose access list names the group; `Role "X"`
  // and `SecretKey "Y"`, which belong to the application.
  std::vector<std::string> users_of_group(std::string_view name) const;
  base::Result<std::vector<std::string>> users_of_application(std::string_view name) const;

  // Objects that an earlier apply of the set made and that no document speaks of are deleted; what is removed is reported.
  using IsMentioned = std::function<bool(domain::ResourceKind kind, std::string_view name)>;
  base::Status prune(const IsMentioned& is_mentioned, std::vector<ObjectResult>& objects);

  // The secret key of an owner; nullopt: there is none.
  base::Result<std::optional<domain::SecretKey>> secret_key(const std::string& owner_id, const std::string& name);
  // Bookkeeping of something that this apply makes.
  domain::Bookkeeping made_now() const;
  // `expected_version` 0: it is new.
  void put_secret_key(domain::SecretKey secret, std::int64_t expected_version);

  // Ends the sessions of a user who stays. `why` empty: without an event, because another one tells it.
  base::Status end_sessions(const DraftedUser& user, const std::string& why);

  // The one that will hold: of this apply, or what is there; without a server the default.
  const domain::PasswordPolicy& policy() const;
  void set_policy(domain::PasswordPolicy policy, std::vector<domain::AuditFieldChange> changes);
  void set_audited(domain::PrivilegeSet audited, std::vector<domain::AuditFieldChange> changes);
  // Says how an object changed, for its audit event. `event`: "user.changed", … Of users, groups and roles finish() knows the
  // version: it may change once more.
  void note(std::string event, std::string_view kind, const std::string& id, const std::string& name, std::int64_t version,
            std::string summary, std::vector<domain::AuditFieldChange> changes = {});

  // After all documents: the version that a user, group or role will have; nullopt: it was not drafted, or is deleted.
  std::optional<std::int64_t> version_after(domain::ResourceKind kind, std::string_view name) const;
  // Everything to be written; call once.
  void finish(domain::ChangeSet& changes);

 private:
  template <class T>
  void finish_objects(domain::IdentityKind kind, std::map<std::string, Drafted<T>, std::less<>>& objects,
                      domain::ChangeSet& changes);
  base::Status remove_user(DraftedUser& user);
  const DraftedUser* drafted_user(std::string_view login) const;  // also of a deleted one; null: not loaded
  bool is_member(std::string_view login, const std::string& group_id) const;
  // With its event; whether that changed anything.
  bool set_role(DraftedGroup& group, const std::string& role_id, std::string_view role_name, bool given);
  void complete_events();
  void prune_applications(const IsMentioned& is_mentioned, std::vector<ObjectResult>& objects);
  base::Status prune_secret_keys(const IsMentioned& is_mentioned, std::vector<ObjectResult>& objects);

  const IdentityTools* tools_;
  const ApplyOptions& options_;
  const base::WallMs now_ms_;
  std::map<std::string, DraftedUser, std::less<>> users_;                // by login
  std::map<std::string, DraftedGroup, std::less<>> groups_;              // by name in lower case
  std::map<std::string, DraftedRole, std::less<>> roles_;                // by role_key(): the same, within an application
  std::map<std::string, DraftedApplication, std::less<>> applications_;  // by name in lower case
  std::optional<domain::PasswordPolicy> policy_;
  const domain::PasswordPolicy default_policy_ = {};
  std::optional<domain::PrivilegeSet> audited_;
  std::vector<domain::IdentityChange> secret_keys_;
  domain::ChangeSet extra_;  // events, ended sessions
};

}  // namespace funcgate::service
