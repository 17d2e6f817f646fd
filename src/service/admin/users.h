// Users: making, changing and deleting users, and their places in user groups.
//
// Every function is one change with its audit events: live when it returns. Errors: InvalidArgument, NotFound, Conflict,
// FailedPrecondition (built in, in use, the last administrator), each explained by `problem`.
// Thread-safety: any thread; blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "domain/identity.h"
#include "service/admin/change_problem.h"
#include "service/admin/identity_references.h"
#include "service/admin/identity_service.h"
#include "service/admin/sessions.h"

namespace funcgate::service {

// The fields that somebody writes. They are brought into their stored form.
struct UserFields {
  std::string login, first_name, surname, email, description;
  bool enabled = true, must_change_password = false;
};

class Users {
 public:
  struct Parts {
    IdentityService& identity;
    domain::IdentityStore& store;
    const base::Clock& clock;
    base::Random& random;
    FindReferences references;
  };
  explicit Users(Parts parts) : parts_(std::move(parts)) {}

  // What is wrong with the fields; brings them into their stored form.
  static std::vector<base::Finding> check(UserFields& fields);

  // `password`: hashed already, see Sessions::hash_new_password(); nullopt: nobody can sign in as this user yet.
  base::Result<domain::User> create(UserFields fields, std::optional<PasswordHashing::Hashed> password,
                                    const domain::Actor& actor, ChangeProblem& problem);
  // Disabling ends the sessions; keys are refused from then on.
  base::Result<domain::User> replace(const std::string& id, std::int64_t expected_version, UserFields fields,
                                     const domain::Actor& actor, ChangeProblem& problem);
  // Revokes the keys, ends the sessions, drops the memberships.
  base::Status remove(const std::string& id, std::int64_t expected_version, const domain::Actor& actor, ChangeProblem& problem);

  // Idempotent: what is so already is neither an error nor an event.
  base::Status set_membership(const std::string& user_id, const std::string& group_id, bool member, const domain::Actor& actor);
  base::Status end_sessions(const std::string& id, const domain::Actor& actor);

 private:
  const Parts parts_;
};

// Steps that every change of users shares. Each adds to `changes`; an Error is the store's.
// Ends the sessions. The event is written only if there is one; the end is ordered anyway, for one that begins meanwhile.
base::Status add_end_of_sessions(domain::IdentityStore& store, const domain::User& user, const std::string& why,
                                 const domain::Actor& actor, domain::ChangeSet& changes);
// What goes with a user who is deleted: the events of the keys, which the store revokes itself, and the sessions.
base::Status add_end_of_user(domain::IdentityStore& store, const domain::User& user, const domain::Actor& actor,
                             domain::ChangeSet& changes);

}  // namespace funcgate::service
