// ServerRoutes: everything that is not a published call: health, metrics, the OpenAPI document, and the control socket's
// operations (apply, diff, export), which do what the command line asks of a running server.
#pragma once

#include "app/management.h"
#include "base/blocking_pool.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "http/edge.h"
#include "service/admin/resource_service.h"
#include "service/catalog.h"

namespace funcgate::app {

struct RoutesParts {
  const service::ServerSettings& settings;
  base::Metrics& metrics;
  base::Snapshot<service::Catalog>& catalog;
  service::ResourceService& resources;
  base::BlockingPool& management;
  Management& plane;
  std::atomic<bool>& stopping;
};

// One per io thread.
class ServerRoutes final : public http::LocalRoutes {
 public:
  ServerRoutes(const RoutesParts& parts, base::IoThread& io) : parts_(parts), io_(io) {}
  base::Async<std::optional<service::Answer>> serve(const domain::Call& call, http::Entrance entrance) override;

 private:
  bool may_read_metrics(const domain::Call& call, http::Entrance entrance) const;
  service::Answer ready();
  base::Async<std::optional<service::Answer>> openapi(const domain::Call& call);
  base::Async<service::Answer> apply(const domain::Call& call, bool dry_run);
  base::Async<service::Answer> export_files(const domain::Call& call);
  base::Async<service::Answer> setup_token();
  base::Async<service::Answer> keystore(const domain::Call& call);

  RoutesParts parts_;
  base::IoThread& io_;
};

}  // namespace funcgate::app
