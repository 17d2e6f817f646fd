#include "admin/privilege_uses.h"

#include "admin_fixture.h"

namespace funcgate::admin {
namespace {

using domain::Method;

struct PrivilegeUsesTest : test::AdminWorld {
  PrivilegeUsesTest() {
    root = add_user("root", {std::string(service::kAdministratorsGroupId)});
    domain::AuditedPrivileges set;
    set.add(domain::Privilege::UseApiKey);
    const auto done = identity.change([&](const domain::Directory&, domain::ChangeSet& changes) -> base::Status {
      changes.identity.push_back({.kind = domain::IdentityKind::PrivilegeAudit, .id = "default", .value = set});
      return base::kDone;
    });
    EXPECT_TRUE(done.ok());
  }
  std::string root;
};

TEST_F(PrivilegeUsesTest, ACallWithAKeyUsesThePrivilegeToHaveOne) {
  Request made = request(Method::Get, "/users");
  made.authorization_count = 1;
  made.authorization = base::SecretString("good.key-1." + root);
  EXPECT_THAT(router->handle(made), test::Answers(200));
  const domain::AuditEvent event = recorded().back();
  EXPECT_EQ(event.event, "privilege.used");
  EXPECT_EQ(event.reason, "Use API Key");
  EXPECT_EQ(event.actor.key_id, "key-1");
  identities.fail_next_commit();
  EXPECT_THAT(router->handle(made), test::IsRefused(domain::Fault::LimitReached)) << "what cannot be recorded does not happen";
}

TEST_F(PrivilegeUsesTest, WhoHasASessionUsesNoKey) {
  const Browser mine = browser("root");
  const std::size_t before = recorded().size();
  EXPECT_THAT(router->handle(with(request(Method::Get, "/users"), mine)), test::Answers(200));
  EXPECT_EQ(recorded().size(), before);
}

}  // namespace
}  // namespace funcgate::admin
