// Router: THE table of the management API: method and path → who may → handler.
//
// Every route says who may call it; a route without an entry cannot exist. The chain of checks stands in Router::handle():
// set-up pending, authentication, password to be changed, CSRF, route, privilege, If-Match, idempotency, handler.
// Thread-safety: the table is immutable once built; handle() from any number of threads; blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "admin/context.h"
#include "admin/known_callers.h"
#include "auth/throttle.h"

namespace funcgate::admin {

class DenialLog;  // denial_log.h
using Handler = std::function<Answer(Context&)>;

struct Access {
  enum class Kind {
    Open,      // /setup, POST /session: nobody need be known
    SignedIn,  // any session or management key
    Needs,     // all of `privileges`, system-wide
    Scoped,    // the handler judges by application: at least one of `privileges` somewhere
  } kind = Kind::Needs;
  std::vector<domain::Privilege> privileges;

  static Access open() { return {Kind::Open, {}}; }
  static Access signed_in() { return {Kind::SignedIn, {}}; }
  static Access needs(std::initializer_list<domain::Privilege> all) { return {Kind::Needs, all}; }
  static Access scoped(std::initializer_list<domain::Privilege> any) { return {Kind::Scoped, any}; }
};

// The query parameters of a route. Any other one, and one that is given twice, is 400.43 before anything is done.
struct Query {
  std::vector<std::string_view> texts = {};  // the handler judges their values
  std::vector<std::string_view> flags = {};  // true or false
  bool list = false;                         // the handler reads all of them with read_list_query() or the like

  static Query of_list() { return {.list = true}; }
};

// What a route says of itself besides.
struct Rules {
  // Of the audit trail, for attempts that are refused; of what only reads, the use of a privilege.
  std::string_view event = "privilege.used";
  bool if_match = false;  // 428.52 without If-Match; the handler compares the version (see etag.h)
  // Not JSON (YAML, CSV): the handler judges media type and text itself. Otherwise a body is JSON and stands in Context::body.
  bool raw_body = false;
  Query query = {};
  // A POST that only asks and whose answer is not to be kept: its Idempotency-Key has nothing to guard and is let pass.
  bool only_asks = false;
};

struct Route {
  domain::Method method;
  std::string_view pattern;  // "/users/{id}/api-keys"; a parameter is one segment, percent-decoded
  Access access;
  Handler handler;
  Rules rules = {};
};

// What handle() will be busy with, so that what must come through at any time waits behind nothing that takes seconds.
enum class Work : std::uint8_t {
  Quick,
  Long,      // may take seconds, or waits for a request that does: runs, bundles, changes of resources, exports, verifications
  Keystore,  // changes secrets: at once; of sealing keys and peppers only the end waits for a change of resources that runs
};

// What the head of a request decides, before its body is read.
struct Admission {
  std::optional<Answer> refusal;  // the answer: the body is not wanted
  std::size_t body_bytes_max = kBodyBytesMax;
};

class Router {
 public:
  explicit Router(Services& services);
  // With other routes than those of the product: for tests.
  Router(Services& services, std::vector<Route> routes);
  ~Router();
  // Never throws: what a handler throws becomes 500.5.
  Answer handle(const Request& request);
  // For a request whose body is large, or whose work is long: whether its sender is known and may do what he asks. handle()
  // judges everything anew when the body is there, so that whoever was disabled meanwhile does nothing. Never throws; blocks.
  Admission admit(const Request& head);
  // Any thread; does not block.
  Work work_of(const Request& head) const;
  // Whether the sender of such credentials was found a short while ago, so that he need not wait among strangers. Any thread;
  // does not block.
  bool knows(const Request& head) const { return known_.has(head); }
  // For anybody, signed in or not: ends the key whose token the body holds. 204 whatever it was, so that nothing can be probed.
  Answer revoke_by_possession(const Request& request);
  // Refused attempts are recorded behind the answer: returns when those until now are in the stream, or after kRecordsWait.
  void await_records();
  static constexpr std::chrono::seconds kRecordsWait{5};
  // A block of published calls or of management keys begins: auth.throttled, as a refused attempt. Any thread; does not block.
  void record_block(const auth::BlockBegun& block);
  std::span<const Route> routes() const { return routes_; }

 private:
  struct Match;
  Answer answer(const Request& request);
  Context context_of(const Request& request, const Match& match);
  std::optional<Answer> settled_by_head(Context& context, const Match& match);
  Answer answer_known(Context& context, const Match& match);
  Answer run(Context& context, const Route& route);
  Match find(const Request& request) const;
  void note_refusal(const Context& context, const Route& route, const domain::Refusal& refusal);

  Services& services_;
  const std::vector<Route> routes_;
  const base::WallMs started_ms_;
  std::unique_ptr<DenialLog> denials_;
  KnownCallers known_;
};

// Patterns whose writes are long work.
std::span<const std::string_view> long_writes();

// All routes of the product. Their handlers need a Router; what they say of themselves needs nothing.
std::vector<Route> product_routes();

// One function per file of handlers; product_routes() calls all of them.
void add_session_routes(std::vector<Route>& routes);   // /setup /session /me /password-policy /sessions
void add_identity_routes(std::vector<Route>& routes);  // /users /user-groups /roles /privileges and their links
Answer revoke_presented_key(Services& services, const Request& request);  // api_key_routes.cpp
void add_application_routes(std::vector<Route>& routes);                  // /applications
void add_api_key_routes(std::vector<Route>& routes);                      // /api-keys, /users/{id}/api-keys, /me/api-keys
void add_access_routes(std::vector<Route>& routes);                       // /access/*, /public-endpoints, /explain
void add_resource_routes(std::vector<Route>& routes);                     // /func-apis /api-authentications /env-variables
void add_apply_routes(std::vector<Route>& routes);                        // /resources/apply /diff /export
void add_script_routes(std::vector<Route>& routes);                       // /script-sets /scripts (drafts, versions) /functions
void add_operation_routes(std::vector<Route>& routes);                    // /tasks /server /settings /nodes
void add_audit_routes(std::vector<Route>& routes);                        // /audit* /call-records
void add_secret_routes(std::vector<Route>& routes);                       // /keystore* /secret-keys*
void add_throttle_routes(std::vector<Route>& routes);                     // /throttle
void add_trial_routes(std::vector<Route>& routes);                        // /api-authentications/{id}/test

}  // namespace funcgate::admin
