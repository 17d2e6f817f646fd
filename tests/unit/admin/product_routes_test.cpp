// The table of the product's routes: what each entry says of itself.
#include <algorithm>
#include <map>
#include <set>

#include "admin/router.h"
#include "admin_fixture.h"

namespace funcgate::test {
namespace {

using admin::Access;
using admin::Route;
using domain::Method;

class ProductRoutes : public AdminWorld {};

TEST_F(ProductRoutes, EachHasAnEntryThatSaysWhoMayUseIt) {
  std::set<std::pair<Method, std::string_view>> known;
  for (const Route& route : router->routes()) {
    SCOPED_TRACE(std::string(domain::method_name(route.method)) + " " + std::string(route.pattern));
    EXPECT_TRUE(known.insert({route.method, route.pattern}).second) << "two entries";
    EXPECT_TRUE(route.pattern.starts_with('/') && !route.pattern.ends_with('/'));
    EXPECT_TRUE(route.handler);
    const bool names_some = !route.access.privileges.empty();
    switch (route.access.kind) {
      case Access::Kind::Open: EXPECT_TRUE(route.pattern == "/setup" || route.pattern == "/session"); break;
      case Access::Kind::SignedIn: EXPECT_FALSE(names_some); break;
      case Access::Kind::Needs:
      case Access::Kind::Scoped: EXPECT_TRUE(names_some); break;
    }
  }
}

TEST_F(ProductRoutes, OnlyBundlesMayBeLarge) {
  admin::Request head = request(Method::Post, "/resources/apply");
  head.local = true;
  EXPECT_EQ(router->admit(head).body_bytes_max, admin::kApplyBodyBytesMax);
  head.path = "/resources/diff";
  EXPECT_EQ(router->admit(head).body_bytes_max, admin::kApplyBodyBytesMax);
  head.path = "/users";
  EXPECT_EQ(router->admit(head).body_bytes_max, admin::kBodyBytesMax);
}

// What must come through at any time never waits behind what takes seconds.
TEST_F(ProductRoutes, WhatTakesSecondsIsToldFromWhatMustNotWait) {
  for (const std::string_view pattern : admin::long_writes()) {
    const auto routes = router->routes();
    EXPECT_TRUE(std::any_of(routes.begin(), routes.end(),
                            [&](const Route& route) { return route.pattern == pattern && route.method != Method::Get; }))
        << pattern << " is no route";
  }
  const auto is_long = [&](Method method, const char* path, const char* accept = "application/json", const char* from = "admin") {
    admin::Request head = request(method, path);
    head.accept = accept;
    head.query = {{"stream", from}};
    return router->work_of(head) == admin::Work::Long;
  };
  EXPECT_TRUE(is_long(Method::Post, "/resources/apply"));
  EXPECT_TRUE(is_long(Method::Post, "/scripts/shop__prices/draft/run"));
  EXPECT_TRUE(is_long(Method::Patch, "/func-apis/basket"));
  EXPECT_TRUE(is_long(Method::Post, "/audit/verify"));
  EXPECT_TRUE(is_long(Method::Get, "/resources/export"));
  EXPECT_TRUE(is_long(Method::Get, "/audit", "text/csv"));
  EXPECT_TRUE(is_long(Method::Head, "/audit", "application/x-ndjson"));
  EXPECT_FALSE(is_long(Method::Get, "/audit"));
  EXPECT_TRUE(is_long(Method::Get, "/audit", "application/json", "calls")) << "the journal is looked through";
  EXPECT_FALSE(is_long(Method::Get, "/func-apis/basket"));
  EXPECT_FALSE(is_long(Method::Put, "/scripts/shop__prices/draft"));
  EXPECT_FALSE(is_long(Method::Post, "/api-keys/key-1/revoke"));
  EXPECT_FALSE(is_long(Method::Patch, "/users/usr-1"));
  EXPECT_FALSE(is_long(Method::Delete, "/session"));
  EXPECT_FALSE(is_long(Method::Post, "/tasks/task-1/cancel"));
  EXPECT_FALSE(is_long(Method::Post, "/nowhere"));
  // A leaked secret is replaced while others apply.
  for (const char* path : {"/keystore/rotate", "/keystore/reload"})
    EXPECT_EQ(router->work_of(request(Method::Post, path)), admin::Work::Keystore) << path;
  EXPECT_EQ(router->work_of(request(Method::Get, "/keystore")), admin::Work::Quick);
}

// Whatever somebody tried, the trail names what he tried and nothing else.
TEST_F(ProductRoutes, EachWriteNamesTheEventOfItsRefusal) {
  const std::set<std::string_view> known{"setup.done",
                                         "login.failed",
                                         "logout",
                                         "session.ended",
                                         "password.changed",
                                         "password.reset",
                                         "user.created",
                                         "user.changed",
                                         "user.deleted",
                                         "group.created",
                                         "group.changed",
                                         "group.deleted",
                                         "role.created",
                                         "role.changed",
                                         "role.deleted",
                                         "membership.added",
                                         "membership.removed",
                                         "policy.changed",
                                         "key.created",
                                         "key.changed",
                                         "key.revoked",
                                         "key.reissued",
                                         "api.published",
                                         "api.unpublished",
                                         "apiauth.created",
                                         "apiauth.changed",
                                         "apiauth.deleted",
                                         "secret.created",
                                         "secret.changed",
                                         "secret.value_set",
                                         "secret.deleted",
                                         "script.created",
                                         "script.changed",
                                         "script.deleted",
                                         "script.published",
                                         "script.draft_saved",
                                         "script.draft_removed",
                                         "script.draft_run",
                                         "application.created",
                                         "application.changed",
                                         "application.deleted",
                                         "process.cancelled",
                                         "resources.applied",
                                         "audit.checkpoint",
                                         "keystore.reloaded",
                                         "keystore.rotated",
                                         "envvariable.created",
                                         "envvariable.changed",
                                         "envvariable.deleted",
                                         "privilege.audit_changed",
                                         "auth.throttle_cleared"};
  const std::set<std::string_view> reading{"/resources/diff", "/audit/verify", "/api-keys/inspect",
                                           "/api-authentications/{id}/test"};
  std::map<std::pair<std::string_view, std::string_view>, std::string_view> events;
  for (const Route& route : router->routes()) {
    SCOPED_TRACE(std::string(domain::method_name(route.method)) + " " + std::string(route.pattern));
    events[{domain::method_name(route.method), route.pattern}] = route.rules.event;
    if (route.method == Method::Get || reading.contains(route.pattern)) {
      EXPECT_TRUE(route.rules.event == "privilege.used" || route.rules.event == "resources.exported");
    } else {
      EXPECT_TRUE(known.contains(route.rules.event)) << route.rules.event;
    }
  }
  const auto event = [&](const char* method, const char* pattern) { return events.at({method, pattern}); };
  EXPECT_EQ(event("DELETE", "/users/{id}/user-groups/{groupId}"), "membership.removed");
  EXPECT_EQ(event("POST", "/users/{id}/unlock"), "user.changed");
  EXPECT_EQ(event("POST", "/api-keys/{id}/revoke"), "key.revoked");
  EXPECT_EQ(event("POST", "/api-keys/{id}/reissue"), "key.reissued");
  EXPECT_EQ(event("DELETE", "/me/api-keys/{id}"), "key.revoked");
  EXPECT_EQ(event("DELETE", "/secret-keys/{id}/secret"), "secret.changed");
  EXPECT_EQ(event("POST", "/scripts/{id}/publish"), "script.published");
  EXPECT_EQ(event("PUT", "/scripts/{id}/draft"), "script.draft_saved");
  EXPECT_EQ(event("DELETE", "/scripts/{id}/draft"), "script.draft_removed");
  EXPECT_EQ(event("POST", "/scripts/{id}/draft/run"), "script.draft_run");
  EXPECT_EQ(event("PUT", "/users/{id}/password"), "password.reset");
  EXPECT_EQ(event("DELETE", "/func-apis/{id}"), "api.unpublished");
}

}  // namespace
}  // namespace funcgate::test
