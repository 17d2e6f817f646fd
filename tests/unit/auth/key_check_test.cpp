#include "auth/key_check.h"

#include <gtest/gtest.h>

#include <functional>

#include "unit/auth/key_world.h"

namespace funcgate::test {
namespace {

using auth::PresentedKey;
using auth::VerifiedKey;
using domain::Reason;
using State = PresentedKey::State;

// authentication must-hold 28, 64
TEST(PresentedKey, IsABareWordOrBearer) {
  struct Row {
    std::string header;
    State state;
    std::string token;
  };
  const Row rows[] = {
      {"", State::Absent, ""},
      {"abc.def.ghi", State::Present, "abc.def.ghi"},
      {"Bearer abc.def.ghi", State::Present, "abc.def.ghi"},
      {"bEaReR   abc.def.ghi", State::Present, "abc.def.ghi"},
      {"Bearer", State::Malformed, ""},
      {"Bearer ", State::Malformed, ""},
      {"Bearer a b", State::Malformed, "a b"},
      {"Bearer \"abc\"", State::Malformed, "\"abc\""},
      {"Bearer abc,def", State::Malformed, "abc,def"},
      {"Bearer \xc3\xa4", State::Malformed, "\xc3\xa4"},
      {std::string(4096, 'a'), State::Present, std::string(4096, 'a')},
      {std::string(4097, 'a'), State::Malformed, std::string(4097, 'a')},
      {"Basic", State::Absent, ""},
      {"Basic bWlhOmE=", State::Absent, ""},
      {"Digest username=\"mia\"", State::Absent, ""},
      {"XBearer abc", State::Absent, ""},
      {"Negotiate abc", State::Absent, ""},
  };
  for (const Row& row : rows) {
    const PresentedKey read = auth::presented_key(row.header);
    EXPECT_EQ(read.state, row.state) << row.header.substr(0, 40);
    EXPECT_EQ(read.token, row.token) << row.header.substr(0, 40);
  }
}

// RFC 6750, 2.1: b64token. Wherever in the text a character stands.
TEST(PresentedKey, HasTheCharactersOfRfc6750) {
  const std::string_view marks = "-._~+/=";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool is_good =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || marks.find(c) != std::string_view::npos;
    for (const std::size_t place : {0U, 1U, 15U, 16U, 33U, 39U}) {
      std::string token(40, 'a');
      token[place] = c;
      // A blank in front is one more between scheme and token.
      const bool expected = is_good || (c == ' ' && place == 0);
      ASSERT_EQ(auth::presented_key("Bearer " + token).state, expected ? State::Present : State::Malformed)
          << byte << " at " << place;
    }
  }
}

struct Case {
  KeyWorld world;
  VerifiedKey verified;
  domain::KeyScope scope = domain::KeyScope::Api;
  std::string application, api_id = "basket", address = "203.0.113.7";
  base::WallMs now_ms = kStartMs;

  Case() {
    verified.id = world.key.id;
    verified.user_id = world.key.user_id;
    verified.scopes = 3;
    verified.issued_at_s = kStartMs / 1000;
    world.key.scopes = 3;
  }
  Reason judge() {
    const domain::DirectoryPtr directory = world.finish();
    const domain::Address peer = *domain::Address::parse(address);
    return auth::judge_key(verified, {scope, application, api_id, peer}, *directory, now_ms).reason;
  }
};

// authentication section 5, from the claims on; must-hold 65
TEST(KeyJudgement, FollowsTheTable) {
  struct Row {
    const char* why;
    Reason reason;
    std::function<void(Case&)> change;
  };
  const Row rows[] = {
      {"as it shall be", Reason::None, [](Case&) {}},
      {"management too", Reason::None, [](Case& c) { c.scope = domain::KeyScope::Management; }},
      {"overlap of its secret is over", Reason::KeyKid, [](Case& c) { c.verified.secret_until_ms = c.now_ms; }},
      {"made for another audience", Reason::KeyAudience, [](Case& c) { c.verified.scopes = 2; }},
      {"made for APIs, used for management", Reason::KeyAudience,
       [](Case& c) {
         c.verified.scopes = 1;
         c.scope = domain::KeyScope::Management;
       }},
      {"row for another audience", Reason::KeyAudience, [](Case& c) { c.world.key.scopes = 2; }},
      {"issued a minute ahead", Reason::None, [](Case& c) { c.verified.issued_at_s += 60; }},
      {"issued later than that", Reason::KeyClaims, [](Case& c) { c.verified.issued_at_s += 61; }},
      {"expires now", Reason::KeyExpired, [](Case& c) { c.now_ms = 1000 * *(c.verified.expires_at_s = kStartMs / 1000 + 5); }},
      {"expires in a moment", Reason::None,
       [](Case& c) { c.now_ms = 1000 * *(c.verified.expires_at_s = kStartMs / 1000 + 5) - 1; }},
      {"unknown", Reason::KeyUnknown, [](Case& c) { c.verified.id = "key-bbbbbbbbbbbbbbbb"; }},
      {"without a name", Reason::KeyUnknown, [](Case& c) { c.verified.id.clear(); }},
      {"of another user", Reason::KeyUnknown, [](Case& c) { c.verified.user_id = c.world.other.id; }},
      {"of a login instead of an id", Reason::KeyUnknown, [](Case& c) { c.verified.user_id = "mia"; }},
      {"revoked", Reason::KeyRevoked, [](Case& c) { c.world.key.revoked_at_ms = 1; }},
      {"revoked and expired", Reason::KeyRevoked, [](Case& c) { c.world.key.expires_at_ms = c.world.key.revoked_at_ms = 1; }},
      {"its row expires now", Reason::KeyExpired, [](Case& c) { c.world.key.expires_at_ms = kStartMs; }},
      {"its row expires in a moment", Reason::None, [](Case& c) { c.world.key.expires_at_ms = kStartMs + 1; }},
      {"owner disabled", Reason::KeyOwner, [](Case& c) { c.world.mia.enabled = false; }},
      {"owner deleted", Reason::KeyOwner, [](Case& c) { c.world.mia.id = "usr-cccccccccccccccc"; }},
      {"owner without groups", Reason::KeyPrivilege, [](Case& c) { c.world.mia.groups.clear(); }},
      {"group without roles", Reason::KeyPrivilege, [](Case& c) { c.world.group.roles.clear(); }},
      {"role with every other privilege", Reason::KeyPrivilege,
       [](Case& c) {
         c.world.role.privileges = domain::PrivilegeSet::from_bits((std::uint64_t{1} << domain::kPrivilegeCount) - 1);
         c.world.role.privileges.remove(domain::Privilege::UseApiKey);
       }},
      {"only inside an application", Reason::KeyPrivilege, [](Case& c) { c.world.role.application = "app-1"; }},
      {"inside the application of the flow", Reason::None, [](Case& c) { c.application = c.world.role.application = "app-1"; }},
      {"inside another application", Reason::KeyPrivilege,
       [](Case& c) {
         c.world.role.application = "app-1";
         c.application = "app-2";
       }},
      {"everywhere, so also for a flow", Reason::None, [](Case& c) { c.application = "app-1"; }},
      {"for this API among others", Reason::None, [](Case& c) { c.world.key.apis = {"zoo", "basket", "a"}; }},
      {"for other APIs", Reason::KeyRestricted, [](Case& c) { c.world.key.apis = {"basket2", "baske", "Basket"}; }},
      {"for other APIs, but none is called", Reason::None,
       [](Case& c) {
         c.world.key.apis = {"other"};
         c.scope = domain::KeyScope::Management;
         c.api_id.clear();
       }},
      {"from this network", Reason::None, [](Case& c) { c.world.key.addresses = {"10.0.0.0/8", "203.0.113.0/24"}; }},
      {"from another network", Reason::KeyRestricted, [](Case& c) { c.world.key.addresses = {"203.0.112.0/24"}; }},
      {"from networks nobody can read", Reason::KeyRestricted, [](Case& c) { c.world.key.addresses = {"203.0.113.0/240"}; }},
      {"from an IPv6 network", Reason::None,
       [](Case& c) {
         c.world.key.addresses = {"2001:db8::/32"};
         c.address = "2001:db8::7";
       }},
  };
  for (const Row& row : rows) {
    Case judged;
    row.change(judged);
    EXPECT_EQ(judged.judge(), row.reason) << row.why;
  }
}

}  // namespace
}  // namespace funcgate::test
