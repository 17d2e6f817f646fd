// What an acceptance costs in allocations.
#include "support/counting_allocator.h"
#include "unit/auth/auth_fixture.h"
#include "unit/auth/key_world.h"

namespace funcgate::test {
namespace {

using auth::ChainResult;

struct Allocations : AuthFixture {
  void SetUp() override {
    if (!can_count_allocations()) GTEST_SKIP() << "a sanitizer has its own operator new";
  }
  std::size_t of_accepting(const auth::Chain& chain, CallBuilder& call) {
    const auth::AuthCall asked = auth_call(call);
    const AllocationCount count;
    const ChainResult result = auth::try_chain(chain, asked, thread, throttle, true);
    const std::size_t allocations = count.value();
    EXPECT_EQ(result.state, ChainResult::State::Accepted) << domain::reason_token(result.refusal.reason);
    return allocations;
  }
};

TEST_F(Allocations, CounterSeesAllocations) {
  const AllocationCount count;
  auto text = std::make_unique<std::string>(100, 'x');
  EXPECT_EQ(count.value(), 2u);
}

TEST_F(Allocations, FixedFieldNeedsNone) {
  using domain::FieldLocation;
  const auth::Chain chain = auth::compile_chain(
      {{.config_id = "shop",
        .scheme =
            scheme(shop({fixed("shop", "h", FieldLocation::Header, "X-Shop-Token", "w9-Kq3vT-north-and-more"),
                         fixed("shop", "q", FieldLocation::Query, "shop_token_with_a_long_name", "w9-Kq3vT-north-and-more")}))}},
      false, false);
  auto by_header = std::move(a_call().header("X-Shop-Token", "w9-Kq3vT-north-and-more"));
  auto by_query = std::move(a_call().get("/x?a=b&shop_token_with_a_long_name=w9-Kq3vT%2Dnorth-and-more"));
  EXPECT_EQ(of_accepting(chain, by_header), 0u);
  EXPECT_EQ(of_accepting(chain, by_query), 0u);
}

TEST_F(Allocations, CachedBasicNeedsNone) {
  const auth::Chain chain = auth::compile_chain({{.config_id = "staff", .scheme = scheme(staff())}}, false, false);
  auto call = std::move(a_call().authorization(basic_header("mia:long pass:word")));
  ASSERT_EQ(ask(chain, call).state, ChainResult::State::Accepted);
  EXPECT_EQ(of_accepting(chain, call), 0u);
}

// One text for Authentication-Info; the window of the nonce exists after its first use.
TEST_F(Allocations, DigestNeedsOne) {
  auto stock_scheme = scheme(stock());
  const auth::Chain chain = auth::compile_chain({{.config_id = "stock", .scheme = stock_scheme}}, false, false);
  const auto lines = stock_scheme->challenges(thread, false);
  const auto value_of = [&](const std::string& name) {
    const std::size_t begin = lines[0].find(name + "=\"") + name.size() + 2;
    return lines[0].substr(begin, lines[0].find('"', begin) - begin);
  };
  const std::string nonce = value_of("nonce");
  const std::string ha1 = auth::digest_ha1(crypto::HashAlgorithm::Sha256, "mia", "stock-realm", "Circle of Life");
  const auto call_with = [&](const char* nc) {
    const auto response = auth::digest_response(
        crypto::HashAlgorithm::Sha256,
        {.ha1 = ha1, .nonce = nonce, .nc = nc, .cnonce = "c", .qop = "auth", .method = "GET", .uri = "/api/v1/func-api/basket"});
    return std::move(a_call().authorization(
        "Digest username=\"mia\", realm=\"stock-realm\", uri=\"/api/v1/func-api/basket\", nonce=\"" + nonce +
        "\", algorithm=SHA-256, qop=auth, nc=" + nc + ", cnonce=\"c\", response=\"" + std::string(response.view()) + "\""));
  };
  auto first = call_with("00000001"), second = call_with("00000002");
  ASSERT_EQ(ask(chain, first).state, ChainResult::State::Accepted);
  EXPECT_LE(of_accepting(chain, second), 1u);
}

TEST_F(Allocations, RememberedKeyNeedsNone) {
  KeyWorld world;
  directory = world.finish();
  const std::string token = std::string(the_signing_keys()->issue(world.key)->reveal());
  domain::ApiKeyConfig listed;
  listed.allowed_groups = {"Programs of the whole department"};
  for (const domain::ApiKeyConfig& config : {domain::ApiKeyConfig{}, listed}) {
    const auth::Chain chain =
        auth::compile_chain({{.config_id = "keys", .scheme = scheme(configuration("keys", config))}}, false, false);
    auto bare = std::move(a_call().authorization(token));
    auto bearer = std::move(a_call().authorization("Bearer " + token));
    ASSERT_EQ(ask(chain, bare).state, ChainResult::State::Accepted);
    EXPECT_EQ(of_accepting(chain, bare), 0u);
    EXPECT_EQ(of_accepting(chain, bearer), 0u);
    key_usage.drain();
    EXPECT_EQ(of_accepting(chain, bare), 0u) << "nor the first note after a drain";
  }
}

TEST_F(Allocations, AnonymousNeedsNone) {
  const auth::Chain chain = auth::compile_chain({}, true, false);
  auto call = a_call();
  EXPECT_EQ(of_accepting(chain, call), 0u);
}

}  // namespace
}  // namespace funcgate::test
