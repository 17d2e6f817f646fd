// Who may do what with an application: those who hold the privilege, everywhere or inside of it, and whom its access list admits.
//
// Thread-safety: one request, one thread.
#pragma once

#include <optional>

#include "admin/answer.h"
#include "admin/context.h"

namespace funcgate::admin {

// Whether the access list of the application admits the caller; the owner of the data directory always.
bool is_admitted(const Context& context, const domain::Application& application);
// 403.16.
Answer not_admitted(const domain::Application& application);

// nullopt: the caller holds the privilege in this application, whose access list admits him. Otherwise 403.15 for want of the
// privilege, or 403.16; 503.1 if its use cannot be recorded.
std::optional<Answer> check_reach(const Context& context, const domain::Application& application, domain::Privilege privilege);
// The same without a record of the use: for each row of a list.
bool may_reach(const Context& context, const domain::Application& application, domain::Privilege privilege);

// Secret keys belong to an application by its name, and may name one that does not exist: those only who holds `Manage Secret
// Keys` everywhere may put into the hands of others. nullopt: the caller may make an application of this name (as it is stored).
// Otherwise 403.15.
std::optional<Answer> check_waiting_secret_keys(const Context& context, const std::string& name);

// Records a use of a privilege that the caller holds somewhere: that he may come here at all. False: it cannot be recorded.
bool note_use(const Context& context, domain::Privilege privilege);

}  // namespace funcgate::admin
