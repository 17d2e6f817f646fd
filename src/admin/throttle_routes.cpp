// /throttle: counters of wrong credentials of published calls and of management keys.
#include <fmt/format.h>

#include "admin/router.h"
#include "admin/services.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;

// Without an address every counter goes; with one those of its network.
Answer clear_throttle(Context& context) {
  std::optional<domain::Address> address;
  // Given and empty is no wish to clear everything: a script's variable was not set.
  for (const auto& [name, text] : context.request.query) {
    if (name != "address") continue;
    address = domain::Address::parse(text);
    if (!address) return invalid("address", "address", "must be an IPv4 or IPv6 address");
  }
  const std::string network = address ? address->network().text() : "every address";
  domain::AuditEvent event;
  event.event = "auth.throttle_cleared";
  event.actor = context.actor();
  event.object_kind = "Throttle";
  event.object_id = network;
  event.summary = fmt::format("Counters of wrong credentials cleared, of {}", network);
  // First: what cannot be recorded is not done.
  if (auto status = context.services.identity.record({event}); !status.ok()) return from_error(status.error());
  return ok(json::object{{"cleared", context.services.clear_throttle(address)}});
}

}  // namespace

void add_throttle_routes(std::vector<Route>& routes) {
  routes.push_back({domain::Method::Delete,
                    "/throttle",
                    Access::needs({domain::Privilege::AdministerServer}),
                    clear_throttle,
                    {.event = "auth.throttle_cleared", .query = {.texts = {"address"}}}});
}

}  // namespace funcgate::admin
