#include "http/edge.h"

namespace funcgate::http {

EdgeMetrics::EdgeMetrics(base::Metrics& metrics)
    : connections(metrics.counter("funcgate_connections_total", "Connections accepted.")),
      requests(metrics.counter("funcgate_requests_total", "Requests whose head was read.")),
      malformed(metrics.counter("funcgate_requests_malformed_total", "Requests refused for their form.")) {}

}  // namespace funcgate::http
