// Edge: what the connections of one io thread share; Routes: where a request goes.
//
// Not thread-safe: one Edge per io thread.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "base/async.h"
#include "base/io_thread.h"
#include "base/metrics.h"
#include "base/random.h"
#include "domain/call.h"
#include "http/access_log.h"
#include "http/response_writer.h"
#include "http/spare_buffers.h"
#include "service/gateway.h"
#include "service/settings.h"

namespace funcgate::http {

// Where a connection was accepted: decides which routes exist on it. Management: an address of its own for the management API.
enum class Entrance { Public, Control, Management };

// Everything that is not a published call: health, metrics, documents, and the control socket's operations.
class LocalRoutes {
 public:
  virtual ~LocalRoutes() = default;
  // nullopt: no such route. The body is complete if there is one (at most 64 MiB on Control, none on Public).
  virtual base::Async<std::optional<service::Answer>> serve(const domain::Call& call, Entrance entrance) = 0;
};

struct EdgeMetrics {
  explicit EdgeMetrics(base::Metrics& metrics);
  base::Counter& connections;
  base::Counter& requests;
  base::Counter& malformed;
};

class AdminEdge;  // admin_edge.h
class Connection;
// Connection::stop() for those who only hold an Edge.
void stop_connection(Connection& connection);

struct Edge {
  base::IoThread& io;
  const service::ServerSettings& settings;
  service::Gateway& gateway;
  LocalRoutes& local;
  base::Random& random;
  AccessLog& access_log;
  EdgeMetrics& metrics;
  std::atomic<std::int64_t>& open_connections;
  AdminEdge* admin = nullptr;    // null: there is no management API
  bool admin_elsewhere = false;  // it has an address of its own: not on Entrance::Public
  ResponseWriter writer{io, settings};
  std::list<Connection*> connections{};
  // Room for header fields, lent to the connection whose request is being read: idle ones keep none.
  std::vector<domain::Header> spare_headers{};
  // ... for its bytes (wiped, with a size), and for texts: bodies that came later, answers (empty).
  SpareBuffers spare_inputs{4 << 10}, spare_texts{128 << 10};
  bool stopping = false;
};

}  // namespace funcgate::http
