#include "http/proxy.h"

#include <gtest/gtest.h>

#include "support/call_builder.h"

namespace funcgate::http {
namespace {

service::ServerSettings trusting(std::initializer_list<const char*> networks) {
  service::ServerSettings settings;
  for (const char* network : networks) settings.trusted_proxies.push_back(*domain::Network::parse(network));
  return settings;
}

struct ChainRow {
  const char* what;
  const char* peer;
  std::vector<const char*> forwarded_for;
  const char* client;
};

class Chain : public testing::TestWithParam<ChainRow> {};

TEST_P(Chain, EndsAtTheFirstAddressThatIsNotTrusted) {
  const auto& [what, peer, forwarded_for, client] = GetParam();
  auto call = test::a_call();
  call.from(peer);
  for (const char* header : forwarded_for) call.header("X-Forwarded-For", header);
  apply_forwarding(*call, trusting({"10.0.0.0/8", "2001:db8::/32"}));
  EXPECT_EQ(call->peer.text(), client) << what;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Chain,
    testing::Values(
        ChainRow{"nobody's word is heard but a proxy's", "203.0.113.7", {"198.51.100.1"}, "203.0.113.7"},
        ChainRow{"one proxy", "10.0.0.1", {"198.51.100.1"}, "198.51.100.1"},
        ChainRow{"what the client claimed itself stands further left", "10.0.0.1", {"1.2.3.4, 198.51.100.1"}, "198.51.100.1"},
        ChainRow{"two proxies", "10.0.0.1", {"1.2.3.4, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
        ChainRow{"an untrusted hop ends the chain", "10.0.0.1", {"198.51.100.1, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
        ChainRow{"several headers are one list", "10.0.0.1", {"1.2.3.4", "198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
        ChainRow{"all trusted: the farthest", "10.0.0.1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
        ChainRow{"no header", "10.0.0.1", {}, "10.0.0.1"},
        ChainRow{"garbage: the last address that is sure", "10.0.0.1", {"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2"},
        ChainRow{"only garbage", "10.0.0.1", {"what ever"}, "10.0.0.1"}, ChainRow{"empty", "10.0.0.1", {""}, "10.0.0.1"},
        ChainRow{"IPv6", "2001:db8::1", {"2001:470::5"}, "2001:470::5"},
        ChainRow{"an IPv4 proxy that is written as IPv6", "::ffff:10.0.0.1", {"198.51.100.1"}, "198.51.100.1"}));

struct AddressesRow {
  const char* what;
  const char* peer;
  std::vector<const char*> forwarded_for;
  const char* addresses;
};

class Addresses : public testing::TestWithParam<AddressesRow> {};

TEST_P(Addresses, AreTheClientAndTheProxiesThatAreTrusted) {
  const auto& [what, peer, forwarded_for, addresses] = GetParam();
  auto call = test::a_call();
  call.from(peer);
  call->proxies.push_back(*domain::Address::parse("192.0.2.99"));  // of the request before on this connection
  for (const char* header : forwarded_for) call.header("X-Forwarded-For", header);
  apply_forwarding(*call, trusting({"10.0.0.0/8"}));
  EXPECT_EQ(call->addresses_json(), addresses) << what;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Addresses,
    testing::Values(AddressesRow{"nobody's word is heard but a proxy's", "203.0.113.7", {"198.51.100.1"}, ""},
                    AddressesRow{"no header", "10.0.0.1", {}, ""},
                    AddressesRow{"one proxy", "10.0.0.1", {"198.51.100.1"}, R"(["198.51.100.1","10.0.0.1"])"},
                    AddressesRow{"two proxies",
                                 "10.0.0.1",
                                 {"1.2.3.4, 198.51.100.1, 10.0.0.2"},
                                 R"(["198.51.100.1","10.0.0.2","10.0.0.1"])"},
                    AddressesRow{"garbage ends what is sure",
                                 "10.0.0.1",
                                 {"198.51.100.1, unknown, 10.0.0.2"},
                                 R"(["10.0.0.2","10.0.0.1"])"}));

TEST(Forwarding, SchemeAndHostComeFromATrustedProxyOnly) {
  for (const auto& [peer, heard] : {std::pair{"10.0.0.1", true}, std::pair{"203.0.113.7", false}}) {
    auto call = test::a_call();
    call.from(peer).header("X-Forwarded-Proto", "HTTPS").header("X-Forwarded-Host", "outside.example.net");
    apply_forwarding(*call, trusting({"10.0.0.0/8"}));
    EXPECT_EQ(call->tls, heard);
    EXPECT_EQ(call->host, heard ? "outside.example.net" : "fn.example.net");
  }
}

TEST(Forwarding, WhatIsRepeatedOrEmptyIsNotHeard) {
  auto call = test::a_call();
  call.from("10.0.0.1").header("X-Forwarded-Proto", "https").header("X-Forwarded-Proto", "https");
  call.header("X-Forwarded-Host", "a").header("X-Forwarded-Host", "b");
  apply_forwarding(*call, trusting({"10.0.0.0/8"}));
  EXPECT_FALSE(call->tls);
  EXPECT_EQ(call->host, "fn.example.net");
  auto empty = test::a_call();
  empty.from("10.0.0.1").header("X-Forwarded-Host", "");
  apply_forwarding(*empty, trusting({"10.0.0.0/8"}));
  EXPECT_EQ(empty->host, "fn.example.net");
}

TEST(Forwarding, AProxyMaySayThatItsCallerUsedPlainHttp) {
  auto call = test::a_call();
  call.from("10.0.0.1").over_tls().header("X-Forwarded-Proto", "http");
  apply_forwarding(*call, trusting({"10.0.0.0/8"}));
  EXPECT_FALSE(call->tls);
}

TEST(Forwarding, WithoutTrustedProxiesNothingIsHeard) {
  auto call = test::a_call();
  call.from("127.0.0.1").header("X-Forwarded-For", "198.51.100.1").header("X-Forwarded-Proto", "https");
  apply_forwarding(*call, trusting({}));
  EXPECT_EQ(call->peer.text(), "127.0.0.1");
  EXPECT_FALSE(call->tls);
}

}  // namespace
}  // namespace funcgate::http
