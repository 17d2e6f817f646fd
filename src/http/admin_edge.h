// AdminEdge: the management API at the HTTP edge: from a Call to an admin::Request that outlives the connection, to a thread of
// a bounded pool, and from the admin::Answer back to bytes.
//
// Who is not known yet is judged in a pool of strangers, with a few places for each client network, and comes to the threads of
// the known only when somebody was found behind his credentials; so a crowd that presents nothing, or rubbish, keeps no
// administrator out. Who sends more than a little is judged by the head of his request, before the body is read; on the way in
// (/setup and /session) nobody may send more. Sign-ins wait in a pool of their own with a few places for each client network, so
// that guessing delays nobody who is signed in; what takes seconds has a pool of its own, so that revoking a key, disabling a
// user and signing out never wait for it; and so have changes of the keystore, whose end waits for it.
//
// Thread-safety: one for all io threads; serve() runs on the connection's thread.
#pragma once

#include <mutex>
#include <string_view>
#include <unordered_map>

#include "admin/router.h"
#include "base/async.h"
#include "base/blocking_pool.h"
#include "base/io_thread.h"
#include "domain/call.h"
#include "http/caller_watch.h"
#include "http/edge.h"
#include "service/answer.h"
#include "service/body_source.h"
#include "service/settings.h"

namespace funcgate::http {

// Beside the published APIs, so that a program that finds a leaked key need not know the management address.
inline constexpr std::string_view kRevokePath = "/api/v1/keys/revoke";

// /admin and everything below.
bool is_admin_path(std::string_view path);

class AdminEdge {
 public:
  struct Pools {
    base::BlockingPool& management;
    base::BlockingPool& long_work;
    base::BlockingPool& keystore;
    base::BlockingPool& sign_in;
    base::BlockingPool& strangers;
  };
  AdminEdge(admin::Router& router, Pools pools, const service::ServerSettings& settings)
      : router_(router), pools_(pools), settings_(settings) {}

  base::Async<service::Answer> serve(base::IoThread& io, domain::Call& call, service::BodySource& body, Entrance entrance);
  // The refusal of a caller whom the management API does not know: for what else only signed-in people and programs may read.
  base::Async<std::optional<service::Answer>> refuse_stranger(base::IoThread& io, const domain::Call& call);
  // POST kRevokePath {"token"}: whoever holds a key may end it, without signing in. 204 whatever the token was.
  base::Async<service::Answer> revoke_key(base::IoThread& io, domain::Call& call, service::BodySource& body);

  static constexpr std::size_t kSignInsPerNetworkMax = 8;
  static constexpr std::size_t kStrangersPerNetworkMax = 32;
  // What is read of a body before anybody has looked at who sends it.
  static constexpr std::size_t kStrangerBodyBytesMax = 16 << 10;

 private:
  class Place;
  struct AddressHash {
    std::size_t operator()(const domain::Address& address) const { return address.hash(); }
  };
  using Places = std::unordered_map<domain::Address, std::size_t, AddressHash>;  // running and waiting, by network
  base::Async<std::optional<service::Answer>> read_body(domain::Call& call, service::BodySource& body, admin::Request& request,
                                                        std::size_t bytes_max);
  base::Async<admin::Admission> admit(base::IoThread& io, const admin::Request& request, base::BlockingPool& pool);
  base::Async<admin::Admission> admit_stranger(base::IoThread& io, const admin::Request& request);
  base::Async<admin::Answer> ask_as_stranger(base::IoThread& io, admin::Request& request);
  // `caller`, if not null: nothing is done if he has left before a thread is free.
  base::Async<admin::Answer> ask(base::IoThread& io, admin::Request& request, base::BlockingPool& pool,
                                 const CallerWatch* caller = nullptr);
  base::BlockingPool& pool_of(admin::Work work) const;
  base::Async<service::Answer> let_in(base::IoThread& io, domain::Call& call, service::BodySource& body, admin::Request& request);

  admin::Router& router_;
  const Pools pools_;
  const service::ServerSettings& settings_;
  std::mutex mutex_;
  // guarded by mutex_
  Places sign_ins_, strangers_;
};

}  // namespace funcgate::http
