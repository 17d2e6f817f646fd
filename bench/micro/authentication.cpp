// Stage 1 of every kind of authentication, as a call that is accepted goes through it: a chain with one entry, the check, and
// what it must not be faster than.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "auth/authorization_header.h"
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
#include "base/check.h"
#include "base/encoding.h"
#include "base/io_thread.h"
#include "support/call_builder.h"
#include "support/stub_runner.h"

namespace funcgate::micro {
namespace {

constexpr std::string_view kTarget = "/api/v1/func-api/basket/s", kToken = "w9-Kq3vT-north-and-more";
constexpr std::string_view kUser = "mia", kPassword = "Circle of Life", kRealm = "stock";
constexpr std::size_t kDigestCalls = 4096;

base::Async<void> keep(base::Async<auth::ChainResult> work, std::optional<auth::ChainResult>& result) {
  auth::ChainResult ended = co_await work;
  result.emplace(std::move(ended));
}

// What one io thread of a server has for authentication. Secrets are of this process and open nothing.
struct World {
  base::SystemClock clock;
  base::SystemRandom random;
  base::IoThread io{0, clock};
  auth::CredentialCache credentials{1000};
  auth::VerdictCache verdicts{1000};
  // The hash itself takes tens of milliseconds and is not what is measured: stage 1 finds what was verified before.
  auth::HashGate gate{{},
                      [](std::string_view password, std::string_view phc) { return phc == "plain:" + std::string(password); }};
  const base::WallMs life_start = clock.wall_ms() - 1000;
  std::optional<auth::NonceCounters> nonces{std::in_place, 10'000, life_start};
  auth::VerifiedKeys keys{1000};
  auth::KeyUsage key_usage{1, 1024};
  auth::ToldSuccesses successes;
  test::StubRunner functions;
  auth::SigningKeysPtr signing =
      std::make_shared<const auth::SigningKeys>("i1", base::SecretString(random.bytes(32)), std::vector<auth::RetiredSecret>{});
  auth::SchemeKeys secrets{base::SecretString(random.bytes(32)), base::SecretString(random.bytes(32)),
                           base::SecretString(random.bytes(32)), std::make_shared<const auth::LiveSigningKeys>(signing)};
  auth::SchemeFactory factory{secrets, random};
  auth::Throttle throttle{{}, clock};
  auth::AuthThread thread{.clock = clock,
                          .random = random,
                          .io = &io,
                          .credentials = credentials,
                          .verdicts = verdicts,
                          .hashes = gate,
                          .nonces = *nonces,
                          .functions = &functions,
                          .keys = &keys,
                          .key_usage = &key_usage.table(0),
                          .successes = &successes};
  domain::DirectoryPtr directory;

  template <class Config>
  auth::SchemePtr scheme(std::string id, Config config) {
    domain::ApiAuthentication authentication;
    authentication.id = std::move(id);
    authentication.config = std::move(config);
    domain::Reason broken = domain::Reason::None;
    auth::SchemePtr made = factory.make(authentication, broken);
    CHECK(made != nullptr);
    return made;
  }
  // `generation`: for authentication functions alone.
  auth::AuthCall asked(test::CallBuilder& call, domain::GenerationPtr generation = nullptr) {
    call->arrival_ms = clock.wall_ms();
    const std::string_view* authorization = call->header("authorization");
    return {.call = *call,
            .authorization = authorization != nullptr ? *authorization : std::string_view(),
            .api_id = "basket",
            .generation = std::move(generation),
            .deadline_ns = clock.steady_ns() + 10'000 * base::kNsPerMs,
            .directory = directory};
  }
  auth::ChainResult try_now(const auth::Chain& chain, const auth::AuthCall& call) {
    return auth::try_chain(chain, call, thread, throttle, true);
  }
  // Both stages, so that what is verified is remembered.
  void accept_once(const auth::Chain& chain, const auth::AuthCall& first) {
    auth::ChainResult result = try_now(chain, first);
    if (result.state == auth::ChainResult::State::Undecided) {
      std::optional<auth::ChainResult> ended;
      base::spawn(keep(auth::finish_chain(chain, first, thread, throttle, std::move(result)), ended));
      while (!ended) {
        io.run_turn(20);
        io.timers().advance(clock.steady_ns());
        CHECK(clock.steady_ns() < first.deadline_ns);
      }
      result = std::move(*ended);
    }
    CHECK(result.state == auth::ChainResult::State::Accepted);
  }
};

World& world() {
  static World made;
  return made;
}

auth::Chain chain_of(const auth::SchemePtr& scheme) {
  return auth::compile_chain({{.config_id = scheme->id, .scheme = scheme}}, false, false);
}

void accept(benchmark::State& state, const auth::Chain& chain, test::CallBuilder call,
            domain::GenerationPtr generation = nullptr) {
  const auth::AuthCall asked = world().asked(call, std::move(generation));
  world().accept_once(chain, asked);
  for (auto _ : state) {
    auth::ChainResult result = world().try_now(chain, asked);
    CHECK(result.state == auth::ChainResult::State::Accepted);
    benchmark::DoNotOptimize(result);
  }
}

// What every call pays before a credential is looked at.
void anonymous(benchmark::State& state) {
  test::CallBuilder call;
  call.get(kTarget);
  accept(state, auth::compile_chain({}, true, false), std::move(call));
}

void fixed_field(benchmark::State& state) {
  const crypto::KeyedHash pepper(world().secrets.pepper);
  domain::FixedFieldEntry entry;
  entry.label = "north";
  entry.field = {domain::FieldLocation::Header, "x-shop-token"};
  entry.value_hash = auth::fixed_field_hash(pepper, "shop", entry.field, kToken);
  test::CallBuilder call;
  call.get(kTarget).header("X-Shop-Token", kToken);
  accept(state, chain_of(world().scheme("shop", domain::FixedFieldConfig{{entry}})), std::move(call));
}

void basic(benchmark::State& state) {
  domain::BasicConfig config;
  config.users.push_back({.username = std::string(kUser), .password_hash = "plain:" + std::string(kPassword)});
  test::CallBuilder call;
  call.get(kTarget).authorization("Basic " + base::base64_encode(std::string(kUser) + ":" + std::string(kPassword)));
  accept(state, chain_of(world().scheme("staff", std::move(config))), std::move(call));
}

// A key of a user who may use keys, in the directory of the world.
std::string a_token() {
  domain::Role role;
  role.id = "rol-aaaaaaaaaaaaaaaa";
  role.name = "Key users";
  role.privileges = {domain::Privilege::UseApiKey};
  domain::UserGroup group;
  group.id = "grp-aaaaaaaaaaaaaaaa";
  group.name = role.name;
  group.roles = {role.id};
  domain::User user;
  user.id = "usr-aaaaaaaaaaaaaaaa";
  user.login = std::string(kUser);
  user.groups = {group.id};
  domain::ApiKey key;
  key.id = "key-aaaaaaaaaaaaaaaa";
  key.user_id = user.id;
  key.name = "Call API";
  key.meta.created_at_ms = world().clock.wall_ms() - 60'000;
  domain::Directory::Builder builder;
  builder.add(group);
  builder.add(role);
  builder.add(user);
  builder.add(key);
  world().directory = builder.finish();
  return std::string(world().signing->issue(key)->reveal());
}

void key(benchmark::State& state) {
  test::CallBuilder call;
  call.get(kTarget).authorization("Bearer " + a_token());
  accept(state, chain_of(world().scheme("keys", domain::ApiKeyConfig{})), std::move(call));
}

// What a key costs that is not remembered: its form, its signature and its claims.
void verify_key(benchmark::State& state) {
  const std::string token = a_token();
  for (auto _ : state) {
    auth::KeyVerification verification = world().signing->verify(token, world().clock.wall_ms());
    CHECK(verification.reason == domain::Reason::None);
    benchmark::DoNotOptimize(verification);
  }
}

// A function that says yes once, and whose answer is remembered for longer than is measured.
void func(benchmark::State& state) {
  domain::FuncConfig config;
  config.function_id = "shop__auth.check_badge";
  config.credential_fields = {{domain::FieldLocation::Header, "X-Badge"}};
  config.cache_ttl_s = 86'400;
  world().functions.answer = [](const domain::Invocation&) {
    return test::reply_result(domain::ReplyOutcome::Value, domain::AuthAnswer::True, "true");
  };
  const domain::GenerationPtr generation = test::a_generation({test::a_function(config.function_id)});
  test::CallBuilder call;
  call.get(kTarget).header("X-Badge", kToken);
  accept(state, chain_of(world().scheme("badge", std::move(config))), std::move(call), generation);
}

// Calls of one client with one nonce, the counts one after the other.
struct DigestCalls {
  auth::Chain chain;
  std::vector<test::CallBuilder> calls;

  DigestCalls() {
    domain::DigestConfig config;
    config.algorithms = {domain::DigestAlgorithm::Sha256};
    config.nonce_ttl_s = 86'400;
    const crypto::SealingKey sealing(world().secrets.sealing, world().random);
    domain::DigestUser user;
    user.username = kUser;
    user.sealed_ha1 = {*auth::seal_digest_ha1(sealing, std::string(kRealm), kUser, config.algorithms[0], kRealm, kPassword)};
    config.users.push_back(std::move(user));
    const auth::SchemePtr scheme = world().scheme(std::string(kRealm), std::move(config));
    chain = chain_of(scheme);
    const std::string challenge = scheme->challenges(world().thread, false).at(0);
    auth::DigestOffer offer;
    CHECK(auth::parse_digest_offer(std::string_view(challenge).substr(7), offer) && offer.nonce);
    const std::string nonce(*offer.nonce), ha1 = auth::digest_ha1(crypto::HashAlgorithm::Sha256, kUser, kRealm, kPassword);
    for (std::size_t count = 1; count <= kDigestCalls; ++count) {
      char nc[9];
      std::snprintf(nc, sizeof nc, "%08zx", count);
      const auto response = auth::digest_response(crypto::HashAlgorithm::Sha256, {.ha1 = ha1,
                                                                                  .nonce = nonce,
                                                                                  .nc = nc,
                                                                                  .cnonce = "0a4f113b",
                                                                                  .qop = "auth",
                                                                                  .method = "GET",
                                                                                  .uri = kTarget,
                                                                                  .body_hash = {}});
      calls.emplace_back().get(kTarget).authorization("Digest username=\"mia\", realm=\"stock\", uri=\"" + std::string(kTarget) +
                                                      "\", nonce=\"" + nonce + "\", algorithm=SHA-256, qop=auth, nc=" + nc +
                                                      ", cnonce=\"0a4f113b\", response=\"" + std::string(response.view()) + "\"");
    }
  }
};

DigestCalls& digest_calls() {
  static DigestCalls made;
  return made;
}

void digest(benchmark::State& state) {
  DigestCalls& made = digest_calls();
  std::size_t next = 0;
  world().nonces.emplace(10'000, world().life_start);
  for (auto _ : state) {
    if (next == made.calls.size()) {
      state.PauseTiming();
      next = 0;
      world().nonces.emplace(10'000, world().life_start);  // forgets which counts were used
      state.ResumeTiming();
    }
    auth::ChainResult result = world().try_now(made.chain, world().asked(made.calls[next++]));
    CHECK(result.state == auth::ChainResult::State::Accepted);
    benchmark::DoNotOptimize(result);
  }
}

// The hashes of RFC 7616 alone, which no server can leave out.
void digest_hashes(benchmark::State& state) {
  const std::string ha1 = auth::digest_ha1(crypto::HashAlgorithm::Sha256, kUser, kRealm, kPassword), nonce(54, 'n');
  for (auto _ : state) {
    const auto response = auth::digest_response(crypto::HashAlgorithm::Sha256, {.ha1 = ha1,
                                                                                .nonce = nonce,
                                                                                .nc = "00000001",
                                                                                .cnonce = "0a4f113b",
                                                                                .qop = "auth",
                                                                                .method = "GET",
                                                                                .uri = kTarget,
                                                                                .body_hash = {}});
    benchmark::DoNotOptimize(response);
  }
}

// ---- the header alone

const std::string kBasicHeader = "Basic " + base::base64_encode("mia:Circle of Life");

void read_basic(benchmark::State& state) {
  std::array<char, 512> out;
  for (auto _ : state) {
    const auth::AuthorizationParts parts = auth::split_authorization(kBasicHeader);
    const auto size = base::base64_decode_to(parts.rest, out.data(), out.size());
    CHECK(size == 18u);
    benchmark::DoNotOptimize(out);
  }
}
void decode_by_openssl(benchmark::State& state) {
  std::array<unsigned char, 512> out;
  const std::string_view text = std::string_view(kBasicHeader).substr(6);
  for (auto _ : state) {
    const int size =
        EVP_DecodeBlock(out.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    CHECK(size == 18);
    benchmark::DoNotOptimize(out);
  }
}
void read_digest(benchmark::State& state) {
  const std::string header = std::string(*digest_calls().calls[0]->header("authorization"));
  for (auto _ : state) {
    auth::DigestParameters parameters;
    CHECK(auth::parse_digest_parameters(auth::split_authorization(header).rest, parameters) && parameters.response);
    benchmark::DoNotOptimize(parameters.response);
  }
}

BENCHMARK(read_basic)->Name("authorization/basic");
BENCHMARK(decode_by_openssl)->Name("authorization/basic|OpenSSL");
BENCHMARK(read_digest)->Name("authorization/digest");
BENCHMARK(anonymous)->Name("check/anonymous");
BENCHMARK(fixed_field)->Name("check/fixed");
BENCHMARK(basic)->Name("check/basic");
BENCHMARK(key)->Name("check/key");
BENCHMARK(verify_key)->Name("check/key|signature");
BENCHMARK(func)->Name("check/func");
BENCHMARK(digest)->Name("check/digest");
BENCHMARK(digest_hashes)->Name("check/digest|hashes");

}  // namespace
}  // namespace funcgate::micro
