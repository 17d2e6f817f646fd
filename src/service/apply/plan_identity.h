// Planning of users, user groups, roles, the password policy and audited privileges. Internal to apply/.
//
// A document says how an object shall be: fields left out return to their defaults, lists are replaced. Passwords are used when
// the user is made, and later only with `force: true`. Thread-safety: one plan, one thread; hashes passwords.
#pragma once

#include "service/apply/identity_draft.h"
#include "service/apply/plan_context.h"

namespace funcgate::service {

// `version`: after the change, as far as it is known; that of users, groups, roles and applications is put right when all is
// planned.
void report_object(PlanContext& context, domain::ResourceKind kind, const std::string& name, bool is_new, std::int64_t version,
                   std::vector<FieldChange> changes);

// In the order in which they may refer to each other.
void plan_user(PlanContext& context, const BundleDocument& document);
void plan_user_group(PlanContext& context, const BundleDocument& document);
void plan_role(PlanContext& context, const BundleDocument& document);
void plan_application(PlanContext& context, const BundleDocument& document);  // plan_application.cpp
void plan_password_policy(PlanContext& context, const BundleDocument& document);
void plan_privilege_audit(PlanContext& context, const BundleDocument& document);

}  // namespace funcgate::service
