#include "admin/context.h"

#include "admin/privilege_uses.h"

namespace funcgate::admin {

const domain::UserEntry* Context::user() const { return caller.user_id.empty() ? nullptr : directory->user(caller.user_id); }

bool Context::holds(domain::Privilege privilege, std::string_view application) const {
  if (!has(privilege, application)) return false;
  return uses == nullptr || caller.kind == Caller::Kind::Local || uses->note(*this, privilege);
}

bool Context::has(domain::Privilege privilege, std::string_view application) const {
  if (caller.kind == Caller::Kind::Local) return true;
  const domain::UserEntry* entry = user();
  return entry != nullptr && directory->holds(*entry, privilege, application);
}

domain::Actor Context::actor() const {
  domain::Actor actor;
  switch (caller.kind) {
    case Caller::Kind::Nobody:
      actor.kind = "ANONYMOUS";
      actor.origin = "CONSOLE";
      break;
    case Caller::Kind::Session:
      actor.kind = "USER";
      actor.origin = "CONSOLE";
      break;
    case Caller::Kind::Key:
      actor.kind = "API_KEY";
      actor.origin = "MANAGEMENT";
      break;
    case Caller::Kind::Local:
      actor.kind = "SYSTEM";
      actor.origin = "CLI";
      break;
  }
  actor.user_id = caller.user_id;
  actor.login = caller.login;
  actor.key_id = caller.key_id;
  actor.address = request.address.text();
  actor.trace_id = request.trace_id;
  return actor;
}

std::string_view Context::parameter(std::string_view name) const {
  for (const auto& [key, value] : request.query) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace funcgate::admin
