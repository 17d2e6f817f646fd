#include "auth/scheme_factory.h"

#include "unit/auth/auth_fixture.h"

namespace funcgate::test {
namespace {

using domain::Reason;

struct SchemeFactory : AuthFixture {
  Reason broken_reason(const domain::ApiAuthentication& authentication) {
    Reason broken = Reason::None;
    EXPECT_EQ(factory.make(authentication, broken), nullptr);
    return broken;
  }
};

// authentication must-hold 3
TEST_F(SchemeFactory, WhatCannotBeReadDenies) {
  EXPECT_EQ(broken_reason(configuration("x", domain::BrokenConfig{.problem = "?"})), Reason::AuthConfigBroken);
  EXPECT_EQ(broken_reason(configuration("x", domain::BrokenConfig{.problem = "?", .unknown_type = true})),
            Reason::AuthTypeUnknown);
}

// authentication must-hold 3, 51
TEST_F(SchemeFactory, SealedSecretOpensOnlyAtItsPlace) {
  auto original = stock();
  EXPECT_TRUE(scheme(original));
  auto renamed = original, moved = original, other_realm = original, swapped = original, shortened = original, damaged = original,
       none = original;
  auto users = [](domain::ApiAuthentication& a) -> auto& { return std::get<domain::DigestConfig>(a.config).users; };
  users(renamed)[0].username = "eve";
  moved.id = "stock2";
  other_realm.realm = "elsewhere";
  std::swap(users(swapped)[0].sealed_ha1[0], users(swapped)[0].sealed_ha1[1]);
  users(shortened)[0].sealed_ha1.pop_back();
  users(damaged)[0].sealed_ha1[0].back() ^= 1;
  std::get<domain::DigestConfig>(none.config).algorithms.clear();
  for (auto& user : users(none)) user.sealed_ha1.clear();
  for (const auto* config : {&renamed, &moved, &other_realm, &swapped, &shortened, &damaged, &none}) {
    EXPECT_EQ(broken_reason(*config), Reason::AuthSecretUnreadable);
  }
  FakeRandom other_random(3);
  const auth::SchemeFactory other_keys({the_keys().pepper, base::SecretString("another sealing key"), the_keys().process},
                                       other_random);
  Reason broken = Reason::None;
  EXPECT_EQ(other_keys.make(original, broken), nullptr);
  EXPECT_EQ(broken, Reason::AuthSecretUnreadable);
}

TEST_F(SchemeFactory, WithoutPepperNobodyLogsIn) {
  const auth::SchemeFactory no_pepper({base::SecretString(), the_keys().sealing, the_keys().process}, random);
  Reason broken = Reason::None;
  EXPECT_EQ(no_pepper.make(staff(), broken), nullptr);
  EXPECT_EQ(broken, Reason::AuthSecretUnreadable);
}

TEST_F(SchemeFactory, RealmIsTheIdUnlessSaid) {
  EXPECT_EQ(scheme(shop())->realm, "shop");
  EXPECT_EQ(scheme(stock())->realm, "stock-realm");
  EXPECT_EQ(scheme(configuration("api-key", domain::ApiKeyConfig{}))->realm, "funcgate");
  EXPECT_EQ(scheme(configuration("keys", domain::ApiKeyConfig{}))->realm, "keys");
}

}  // namespace
}  // namespace funcgate::test
