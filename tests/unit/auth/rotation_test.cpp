// What was made with a retired secret goes on working while the secret is kept, and no longer.
#include "unit/auth/auth_fixture.h"

namespace funcgate::test {
namespace {

using auth::Verdict;
using base::SecretString;
using domain::FieldLocation;

struct SecretRotation : AuthFixture {
  // The keys after pepper and sealing key were rotated.
  static auth::SchemeKeys rotated(bool keeps_the_old) {
    auth::SchemeKeys keys{SecretString("pepper-pepper-pepper-pepper-0002"), SecretString("sealing-sealing-sealing-sealing2"),
                          the_keys().process, live(the_signing_keys())};
    if (keeps_the_old) {
      keys.retired_peppers = {the_keys().pepper};
      keys.retired_sealing = {the_keys().sealing};
    }
    return keys;
  }
  auth::SchemePtr made(const auth::SchemeKeys& keys, const domain::ApiAuthentication& authentication) {
    domain::Reason broken = domain::Reason::None;
    return auth::SchemeFactory(keys, random).make(authentication, broken);
  }
};

TEST_F(SecretRotation, FixedFieldsHashedUnderARetiredPepperAreRight) {
  const domain::ApiAuthentication shop_of_then = shop();
  const auto verdict = [&](bool keeps_the_old, std::string_view value) {
    return ask(*made(rotated(keeps_the_old), shop_of_then), std::move(a_call().header("X-Shop-Token", value))).verdict;
  };
  EXPECT_EQ(verdict(true, "w9-Kq3vT-north"), Verdict::Accepted);
  EXPECT_EQ(verdict(true, "w9-Kq3vT-south"), Verdict::Rejected);
  EXPECT_EQ(verdict(false, "w9-Kq3vT-north"), Verdict::Rejected);
}

TEST_F(SecretRotation, EntriesOfBothPeppersStandSideBySide) {
  domain::ApiAuthentication both = shop();
  const crypto::KeyedHash fresh(SecretString("pepper-pepper-pepper-pepper-0002"));
  domain::FixedFieldEntry entry{.label = "south", .field = {FieldLocation::Header, "x-shop-token"}};
  entry.value_hash = auth::fixed_field_hash(fresh, "shop", entry.field, "w9-Kq3vT-south");
  std::get<domain::FixedFieldConfig>(both.config).fields.push_back(entry);
  const auto scheme = made(rotated(true), both);
  EXPECT_EQ(ask(*scheme, std::move(a_call().header("X-Shop-Token", "w9-Kq3vT-north"))).principal->fields().name, "north");
  EXPECT_EQ(ask(*scheme, std::move(a_call().header("X-Shop-Token", "w9-Kq3vT-south"))).principal->fields().name, "south");
}

TEST_F(SecretRotation, DigestSecretsSealedUnderARetiredKeyOpen) {
  EXPECT_TRUE(made(rotated(true), stock()));
  EXPECT_FALSE(made(rotated(false), stock()));
}

TEST_F(SecretRotation, NoncesAndOpaquesOfBeforeAreKnownAndNotIssued) {
  const auto parameter = [](const std::string& challenge, const std::string& name) {
    const std::size_t begin = challenge.find(name + "=\"") + name.size() + 2;
    return challenge.substr(begin, challenge.find('"', begin) - begin);
  };
  const SecretString old_key = crypto::derive_key(the_keys().sealing, "funcgate digest nonce v1", 32);
  const SecretString new_key = crypto::derive_key(rotated(true).sealing, "funcgate digest nonce v1", 32);
  const auth::NonceSigner before(old_key), after(new_key, {old_key}), without(new_key);
  const std::string nonce = before.issue("stock", "stock-realm", clock.wall_ms(), random);
  EXPECT_TRUE(after.verify(nonce, "stock", "stock-realm"));
  EXPECT_FALSE(without.verify(nonce, "stock", "stock-realm"));
  EXPECT_FALSE(before.verify(after.issue("stock", "stock-realm", clock.wall_ms(), random), "stock", "stock-realm"));
  const auto then = made(the_keys(), stock()), now = made(rotated(true), stock());
  EXPECT_NE(parameter(then->challenges(thread, false)[0], "opaque"), parameter(now->challenges(thread, false)[0], "opaque"));
}

TEST_F(SecretRotation, APasswordUnderARetiredPepperAsksForANewHash) {
  struct Renewal final : domain::PasswordRenewal {
    std::vector<std::string> wanted_for;
    void wanted(std::string_view, std::string_view username, SecretString, std::string_view) noexcept override {
      wanted_for.emplace_back(username);
    }
  } renewal;
  const auto verifier = [](std::string_view password, std::string_view phc) -> auth::PasswordVerdict {
    return {plain_verifier(password, phc), password == "long pass:word"};
  };
  auth::HashGate other_gate(auth::HashGateSettings{}, verifier);
  auth::AuthThread asking{.clock = clock,
                          .random = random,
                          .io = &io,
                          .credentials = credentials,
                          .verdicts = verdicts,
                          .hashes = other_gate,
                          .nonces = nonces,
                          .functions = &functions,
                          .renewal = &renewal,
                          .keys = &keys,
                          .key_usage = &key_usage.table(0)};
  // The scheme with accounts that are not outdated by their cost.
  domain::ApiAuthentication people = staff();
  const auto basic = scheme(people);
  for (const char* credential : {"mia:long pass:word", "mia:a wrong one"}) {
    CallBuilder call = std::move(a_call().authorization(basic_header(credential)));
    Started<auth::Outcome> started(basic->authenticate(auth_call(call), asking));
    drive(started);
    EXPECT_EQ(started->verdict == Verdict::Accepted, std::string_view(credential).ends_with("pass:word"));
  }
  EXPECT_EQ(renewal.wanted_for, std::vector<std::string>{"mia"});
}

}  // namespace
}  // namespace funcgate::test
