// What holds for every authentication type, run over all of them.
#include <functional>

#include "unit/auth/auth_fixture.h"

namespace funcgate::test {
namespace {

using auth::Verdict;

struct TypeUnderTest {
  const char* name;
  std::function<domain::ApiAuthentication(AuthFixture&)> configuration;
  const char* message;
  std::vector<std::string> foreign_headers;  // credentials of other types
  std::vector<std::string> garbage;          // its own kind, but nonsense
  int rank;
};

struct SchemeContract : AuthFixture, ::testing::WithParamInterface<int> {
  // The builders of configurations are the fixture's; made reachable for the table below.
  using AuthFixture::badge;
  using AuthFixture::shop;
  using AuthFixture::staff;
  using AuthFixture::stock;

  TypeUnderTest type() {
    const std::string basic = basic_header("mia:long pass:word"), digest = "Digest username=\"mia\"",
                      bearer = "Bearer eyJ.e30.c2ln";
    switch (GetParam()) {
      case 0:
        return {"fixedField", [this](AuthFixture&) { return shop(); }, "Fixed Field Auth failed", {basic, digest, bearer}, {}, 3};
      case 1:
        return {"httpBasic",
                [this](AuthFixture&) { return staff(); },
                "HTTP Basic Auth failed",
                {digest, bearer, "eyJ.e30.c2ln"},
                {"Basic", "Basic !", "Basic " + std::string(9000, 'A'), "Basic \xff\xff"},
                1};
      case 2:
        return {"httpDigest",
                [this](AuthFixture&) { return stock(); },
                "HTTP Digest Auth failed",
                {basic, bearer, "eyJ.e30.c2ln"},
                {"Digest", "Digest \"", "Digest " + std::string(9000, ','), "Digest \xff=\xff", "Digest a=b"},
                0};
      case 3: {
        auto with_field = [this](AuthFixture&) {
          auto config = badge();
          std::get<domain::FuncConfig>(config.config).credential_fields = {{domain::FieldLocation::Header, "X-Badge"}};
          return config;
        };
        return {"func", with_field, "Func Auth failed", {basic, digest, bearer}, {}, 4};
      }
      default:
        return {"apiKey",
                [](AuthFixture&) { return configuration("api-key", domain::ApiKeyConfig{}); },
                "API Key Auth failed",
                {basic, digest, "Negotiate abc"},
                {"Bearer", "Bearer a b", "\xff\xff", "Bearer " + std::string(5000, 'a')},
                2};
    }
  }
  auth::SchemePtr made() { return scheme(type().configuration(*this)); }
};

TEST_P(SchemeContract, NoCredentialIsAbsent) {
  const auto outcome = ask(*made(), a_call());
  EXPECT_EQ(outcome.verdict, Verdict::Absent);
  EXPECT_FALSE(outcome.counts);
  EXPECT_TRUE(functions.ran.empty());
  EXPECT_EQ(gate->computed(), 0u);
}

TEST_P(SchemeContract, CredentialOfAnotherTypeIsAbsent) {
  auto scheme_made = made();
  for (const std::string& header : type().foreign_headers) {
    EXPECT_EQ(ask(*scheme_made, std::move(a_call().authorization(header))).verdict, Verdict::Absent) << header;
  }
}

TEST_P(SchemeContract, GarbageIsRejectedAndCounts) {
  auto scheme_made = made();
  for (const std::string& header : type().garbage) {
    const auto outcome = ask(*scheme_made, std::move(a_call().authorization(header)));
    EXPECT_EQ(outcome.verdict, Verdict::Rejected) << header.substr(0, 40);
    EXPECT_TRUE(outcome.counts) << header.substr(0, 40);
    EXPECT_EQ(outcome.principal, nullptr);
  }
}

TEST_P(SchemeContract, EveryPrefixAndEveryChangedByteIsAnsweredWithoutAcceptance) {
  auto scheme_made = made();
  const std::string samples[] = {basic_header("nobody:wrong"),
                                 "Digest username=\"mia\", realm=\"stock-realm\", nonce=\"n\", uri=\"/\", response=\"00\", "
                                 "qop=auth, nc=00000001, cnonce=\"c\"",
                                 "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln"};
  for (const std::string& sample : samples) {
    for (std::size_t i = 0; i <= sample.size(); ++i) {
      auto cut = std::move(a_call().authorization(sample.substr(0, i)));
      EXPECT_NE(scheme_made->try_now(auth_call(cut), thread).verdict, Verdict::Accepted);
      if (i == sample.size()) continue;
      for (const char byte : {'"', '\\', ',', '=', ' ', '\x01', '\xff'}) {
        std::string changed = sample;
        changed[i] = byte;
        auto call = std::move(a_call().authorization(changed));
        EXPECT_NE(scheme_made->try_now(auth_call(call), thread).verdict, Verdict::Accepted) << changed;
      }
    }
  }
}

TEST_P(SchemeContract, SaysItsMessageRankAndChallenge) {
  auto scheme_made = made();
  EXPECT_EQ(scheme_made->refusal_message(), type().message);
  EXPECT_EQ(scheme_made->challenge_rank(), type().rank);
  EXPECT_EQ(scheme_made->type, type().name);
  const auto challenges = scheme_made->challenges(thread, false);
  ASSERT_FALSE(challenges.empty());
  for (const std::string& line : challenges) {
    EXPECT_NE(line.find("realm=\""), std::string::npos) << line;
    EXPECT_EQ(line.find_first_of("\r\n"), std::string::npos) << line;
  }
}

// Whoever cannot run as the user of the configuration is not even looked at; a key always runs as its owner.
TEST_P(SchemeContract, RunsAsAnEnabledUserOrNotAtAll) {
  auto config = type().configuration(*this);
  config.run_as = "Operator";
  const auth::SchemePtr made = scheme(config);
  const bool by_owner = made->type == "apiKey";
  EXPECT_EQ(made->run_as, by_owner ? "system" : "operator");
  const auth::Chain chain = auth::compile_chain({{.config_id = config.id, .scheme = made}}, false, false);
  const auto refusal = [&](domain::DirectoryPtr now) {
    directory = std::move(now);
    return ask(chain, a_call()).refusal;
  };
  domain::User user;
  user.id = "usr-operatoraaaaaaaa";
  user.login = "operator";
  domain::Directory::Builder enabled, disabled;
  enabled.add(user);
  user.enabled = false;
  disabled.add(user);
  const domain::DirectoryPtr usable = enabled.finish();
  for (const auto& unusable : {domain::DirectoryPtr(), std::make_shared<const domain::Directory>(), disabled.finish()}) {
    const domain::Refusal refused = refusal(unusable);
    EXPECT_EQ(refused.fault, by_owner ? domain::Fault::Unauthenticated : domain::Fault::AuthUnavailable);
    if (!by_owner) EXPECT_EQ(refused.reason, domain::Reason::AuthRunAsDisabled);
    if (!by_owner) EXPECT_EQ(refused.message, "Authentication is not available");
  }
  EXPECT_EQ(refusal(usable).fault, domain::Fault::Unauthenticated) << "without a credential";
}

INSTANTIATE_TEST_SUITE_P(AllTypes, SchemeContract, ::testing::Range(0, 5));

}  // namespace
}  // namespace funcgate::test
