// /throttle: counters of wrong credentials of published calls and of management keys.
#include <fmt/format.h>

#include "admin/router.h"
#include "admin/services.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;

// Without an address every counter goes; with one those of its network.
Answer clear_throttle(Context& context) {
  const std::string_view text = context.parameter("address");
  std::optional<domain::Address> address;
  if (!text.empty()) {
    address = domain::Address::parse(text);
    if (!address) return invalid("address", "address", "must be an IPv4 or IPv6 address");
  }
  const std::size_t gone = context.services.clear_throttle(address);
  const std::string network = address ? address->network().text() : "every address";
  domain::AuditEvent event;
  event.event = "auth.throttle_cleared";
  event.actor = context.actor();
  event.object_kind = "Throttle";
  event.object_id = network;
  event.summary = fmt::format("{} counters of wrong credentials were cleared, of {}", gone, network);
  if (auto status = context.services.identity.record({event}); !status.ok()) return from_error(status.error());
  return ok(json::object{{"cleared", gone}});
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
