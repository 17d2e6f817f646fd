// What a Scheme needs around it, with time, randomness, hashes and functions in the test's hands.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "auth/chain.h"
#include "auth/credential_cache.h"
#include "auth/digest.h"
#include "auth/digest_nonce.h"
#include "auth/fixed_field.h"
#include "auth/hash_gate.h"
#include "auth/key_usage.h"
#include "auth/scheme_factory.h"
#include "auth/throttle.h"
#include "auth/verdict_cache.h"
#include "auth/verified_keys.h"
#include "base/encoding.h"
#include "base/io_thread.h"
#include "support/call_builder.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "support/run_async.h"
#include "support/stub_runner.h"

namespace funcgate::test {

// A verifier that costs nothing: the stored text is "plain:" and the password.
inline bool plain_verifier(std::string_view password, std::string_view phc) { return phc == "plain:" + std::string(password); }

class AuthFixture : public ::testing::Test {
 protected:
  FakeClock clock;
  FakeRandom random;
  base::IoThread io{0, clock};
  auth::CredentialCache credentials{100};
  auth::VerdictCache verdicts{100};
  std::unique_ptr<auth::HashGate> gate = std::make_unique<auth::HashGate>(auth::HashGateSettings{}, plain_verifier);
  auth::NonceCounters nonces{10'000, clock.wall_ms()};
  auth::VerifiedKeys keys{100};
  auth::KeyUsage key_usage{1, 64};
  domain::DirectoryPtr directory;  // of the next call; null: not known
  StubRunner functions;
  domain::GenerationPtr generation = a_generation({a_function("shop__auth.check_badge")});
  auth::AuthThread thread{.clock = clock,
                          .random = random,
                          .io = &io,
                          .credentials = credentials,
                          .verdicts = verdicts,
                          .hashes = *gate,
                          .nonces = nonces,
                          .functions = &functions,
                          .keys = &keys,
                          .key_usage = &key_usage.table(0)};
  auth::Throttle throttle{auth::ThrottleSettings{}, clock};
  const auth::SchemeFactory& factory = the_factory();
  crypto::KeyedHash pepper_hash{the_keys().pepper};
  crypto::SealingKey sealing{the_keys().sealing, random};

  // A secret that signs, and one that verifies for another hour.
  static auth::SigningKeysPtr the_signing_keys() {
    return std::make_shared<const auth::SigningKeys>(
        "i1", base::SecretString("signing-signing-signing-signing1"),
        std::vector<auth::RetiredSecret>{{base::SecretString("retired-retired-retired-retired1"), kStartMs + 3'600'000}});
  }
  static auth::LiveSigningKeysPtr live(auth::SigningKeysPtr keys) {
    return std::make_shared<const auth::LiveSigningKeys>(std::move(keys));
  }
  static const auth::SchemeKeys& the_keys() {
    static const auth::SchemeKeys keys{base::SecretString("pepper-pepper-pepper-pepper-0001"),
                                       base::SecretString("sealing-sealing-sealing-sealing1"),
                                       base::SecretString("process-process-process-process1"), live(the_signing_keys())};
    return keys;
  }
  // Immutable and slow to make (the hash for unknown users): one for all tests.
  static const auth::SchemeFactory& the_factory() {
    static FakeRandom random_of_factory(7);
    static const auth::SchemeFactory made(the_keys(), random_of_factory);
    return made;
  }

  auth::AuthCall auth_call(CallBuilder& call) {
    const std::string_view* authorization = call->header("authorization");
    return {.call = *call,
            .authorization = authorization != nullptr ? *authorization : std::string_view(),
            .api_id = "basket",
            .generation = generation,
            .deadline_ns = clock.steady_ns() + 10'000 * base::kNsPerMs,
            .directory = directory};
  }
  auth::SchemePtr scheme(const domain::ApiAuthentication& authentication) {
    domain::Reason broken = domain::Reason::None;
    auth::SchemePtr made = factory.make(authentication, broken);
    EXPECT_TRUE(made) << domain::reason_token(broken);
    return made;
  }
  // Both stages, to the end.
  auth::Outcome ask(const auth::Scheme& scheme, CallBuilder& call) {
    const auth::AuthCall asked = auth_call(call);
    auth::Outcome outcome = scheme.try_now(asked, thread);
    if (outcome.verdict != auth::Verdict::Undecided) return outcome;
    Started<auth::Outcome> started(scheme.authenticate(asked, thread));
    drive(started);
    return std::move(*started);
  }
  auth::Outcome ask(const auth::Scheme& scheme, CallBuilder&& call) { return ask(scheme, call); }
  auth::ChainResult ask(const auth::Chain& chain, CallBuilder& call) {
    const auth::AuthCall asked = auth_call(call);
    auth::ChainResult result = auth::try_chain(chain, asked, thread, throttle, true);
    if (result.state != auth::ChainResult::State::Undecided) return result;
    Started<auth::ChainResult> started(auth::finish_chain(chain, asked, thread, throttle, std::move(result)));
    drive(started);
    return std::move(*started);
  }
  auth::ChainResult ask(const auth::Chain& chain, CallBuilder&& call) { return ask(chain, call); }

  // Lets the io thread's work happen here until `started` has ended; real threads may have to finish a hash first.
  template <class T>
  void drive(Started<T>& started) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!started.done() && std::chrono::steady_clock::now() < give_up) {
      io.run_turn(20);
      io.timers().advance(clock.steady_ns());
    }
    ASSERT_TRUE(started.done());
  }

  // ---- configurations ----
  domain::FixedFieldEntry fixed(const std::string& config_id, std::string label, domain::FieldLocation location, std::string name,
                                std::string_view value) {
    domain::FixedFieldEntry entry;
    entry.label = std::move(label);
    entry.field = {location, std::move(name)};
    entry.value_hash = auth::fixed_field_hash(pepper_hash, config_id, entry.field, value);
    return entry;
  }
  domain::ApiAuthentication shop(std::vector<domain::FixedFieldEntry> fields = {}) {
    if (fields.empty()) fields.push_back(fixed("shop", "north", domain::FieldLocation::Header, "x-shop-token", "w9-Kq3vT-north"));
    return configuration("shop", domain::FixedFieldConfig{std::move(fields)});
  }
  domain::ApiAuthentication staff() {
    domain::BasicConfig config;
    config.users.push_back({.username = "mia", .password_hash = "plain:long pass:word"});
    config.users.push_back({.username = "j\xc3\xb6rg",
                            .password_hash = "plain:gr\xc3\xbc\xc3\x9f"
                                             "e, viele"});
    config.users.push_back({.username = "gone", .password_hash = "plain:long pass:word", .disabled = true});
    config.users.push_back({.username = "late", .password_hash = "plain:long pass:word", .not_after_ms = kStartMs + 1000});
    config.users.push_back({.username = "empty"});
    return configuration("staff", std::move(config));
  }
  domain::DigestUser digest_user(const std::string& config_id, std::string name, std::string_view password,
                                 std::string_view realm, const std::vector<domain::DigestAlgorithm>& algorithms) {
    domain::DigestUser user;
    for (const auto algorithm : algorithms) {
      auto sealed = auth::seal_digest_ha1(sealing, config_id, name, algorithm, realm, password);
      EXPECT_TRUE(sealed);
      user.sealed_ha1.push_back(*sealed);
    }
    user.username = std::move(name);
    return user;
  }
  domain::ApiAuthentication stock() {
    domain::DigestConfig config;
    for (const char* name : {"mia", "j\xc3\xb6rg", "gone"}) {
      config.users.push_back(digest_user("stock", name, "Circle of Life", "stock-realm", config.algorithms));
    }
    config.users.back().disabled = true;
    auto out = configuration("stock", std::move(config));
    out.realm = "stock-realm";
    return out;
  }
  domain::ApiAuthentication badge() {
    domain::FuncConfig config;
    config.function_id = "shop__auth.check_badge";
    return configuration("badge", std::move(config));
  }
  template <class Config>
  static domain::ApiAuthentication configuration(std::string id, Config config) {
    domain::ApiAuthentication out;
    out.id = std::move(id);
    out.config = std::move(config);
    return out;
  }
};

inline std::string basic_header(std::string_view name_and_password) { return "Basic " + base::base64_encode(name_and_password); }

}  // namespace funcgate::test
