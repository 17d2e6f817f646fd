// PrivilegeUses: writes privilege.used for those privileges whose use somebody wants to know about, once per request and
// privilege. What cannot be recorded does not happen: the privilege then counts as not held, and the request is refused.
//
// Thread-safety: one request, one thread; blocks for the database.
#pragma once

#include "admin/answer.h"
#include "domain/privilege.h"
#include "service/admin/identity_service.h"

namespace funcgate::admin {

struct Context;
struct Route;

class PrivilegeUses {
 public:
  PrivilegeUses(service::IdentityService& identity, const Route& route) : identity_(identity), route_(route) {}

  // A check that the caller has passed. False: this use should be recorded and cannot be.
  bool note(const Context& context, domain::Privilege privilege);
  bool failed() const { return failed_; }

 private:
  service::IdentityService& identity_;
  const Route& route_;
  domain::PrivilegeSet noted_;
  bool failed_ = false;
};

// 503.1.
Answer cannot_record_use();

}  // namespace funcgate::admin
