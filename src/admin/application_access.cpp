#include "admin/application_access.h"

#include <fmt/format.h>

#include "admin/privilege_uses.h"
#include "admin/services.h"
#include "base/text.h"
#include "domain/access_list.h"
#include "service/admin/applications.h"

namespace funcgate::admin {

using domain::Privilege;

bool is_admitted(const Context& context, const domain::Application& application) {
  if (context.caller.kind == Caller::Kind::Local) return true;
  const domain::UserEntry* user = context.user();
  return user != nullptr && domain::admits(*context.directory, *user, application.access);
}

Answer not_admitted(const domain::Application& application) {
  return refused(domain::Fault::UserAccess, domain::Reason::ArgumentsInvalid,
                 fmt::format("The access list of the application \"{}\" does not admit you", application.name));
}

std::optional<Answer> check_reach(const Context& context, const domain::Application& application, Privilege privilege) {
  if (!context.has(privilege, application.id)) return privilege_missing(domain::privilege_name(privilege));
  if (!is_admitted(context, application)) return not_admitted(application);
  if (!context.holds(privilege, application.id)) return cannot_record_use();
  return std::nullopt;
}

bool may_reach(const Context& context, const domain::Application& application, Privilege privilege) {
  return context.has(privilege, application.id) && is_admitted(context, application);
}

std::optional<Answer> check_waiting_secret_keys(const Context& context, const std::string& name) {
  if (context.has(Privilege::ManageSecretKeys)) return std::nullopt;
  const auto waiting = service::secret_keys_of(context.services.identity_store, name);
  if (!waiting.ok()) return from_error(waiting.error());
  if (waiting->empty()) return std::nullopt;
  return refused(domain::Fault::UserPrivilege, domain::Reason::ArgumentsInvalid,
                 fmt::format("Privilege \"{}\" is required, because secret keys name the application \"{}\" already",
                             domain::privilege_name(Privilege::ManageSecretKeys), base::printable(name)));
}

bool note_use(const Context& context, Privilege privilege) {
  if (context.caller.kind == Caller::Kind::Local || context.uses == nullptr) return true;
  return context.uses->note(context, privilege);
}

}  // namespace funcgate::admin
