#include "app/cli/routes_command.h"

#include "admin/router.h"

namespace funcgate::app::cli {
namespace {

const char* access_name(admin::Access::Kind kind) {
  switch (kind) {
    case admin::Access::Kind::Open: return "open";
    case admin::Access::Kind::SignedIn: return "signed-in";
    case admin::Access::Kind::Needs: return "needs";
    case admin::Access::Kind::Scoped: return "scoped";
  }
  return "needs";
}

base::json::string text(std::string_view content) { return base::json::string(content.data(), content.size()); }

}  // namespace

base::json::array describe_routes() {
  base::json::array out;
  for (const admin::Route& route : admin::product_routes()) {
    base::json::array privileges;
    for (const domain::Privilege privilege : route.access.privileges)
      privileges.emplace_back(text(domain::privilege_name(privilege)));
    base::json::object row{{"method", text(domain::method_name(route.method))}, {"path", text(route.pattern)}};
    row["access"] = access_name(route.access.kind);
    row["privileges"] = std::move(privileges);
    row["ifMatch"] = route.rules.if_match;
    row["rawBody"] = route.rules.raw_body;
    base::json::array query;
    for (const auto* names : {&route.rules.query.texts, &route.rules.query.flags}) {
      for (const std::string_view name : *names) query.emplace_back(text(name));
    }
    row["query"] = route.rules.query.list ? base::json::value() : base::json::value(std::move(query));
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace funcgate::app::cli
