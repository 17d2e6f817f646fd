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
  std::ignore = apply_forwarding(*call, trusting({"10.0.0.0/8", "2001:db8::/32"}));
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
  std::ignore = apply_forwarding(*call, trusting({"10.0.0.0/8"}));
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
    std::ignore = apply_forwarding(*call, trusting({"10.0.0.0/8"}));
    EXPECT_EQ(call->tls, heard);
    EXPECT_EQ(call->host, heard ? "outside.example.net" : "fn.example.net");
  }
}

TEST(Forwarding, WhatIsRepeatedOrEmptyIsNotHeard) {
  auto call = test::a_call();
  call.from("10.0.0.1").header("X-Forwarded-Proto", "https").header("X-Forwarded-Proto", "https");
  call.header("X-Forwarded-Host", "a").header("X-Forwarded-Host", "b");
  std::ignore = apply_forwarding(*call, trusting({"10.0.0.0/8"}));
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
  std::ignore = apply_forwarding(*call, trusting({"10.0.0.0/8"}));
  EXPECT_FALSE(call->tls);
}

// --- Forwarded (RFC 7239)

using Headers = std::vector<std::pair<const char*, const char*>>;

test::CallBuilder a_call_with(const char* peer, const Headers& headers) {
  auto call = test::a_call();
  call.from(peer);
  for (const auto& [name, value] : headers) call.header(name, value);
  return call;
}

struct ForwardedRow {
  const char* what;
  std::vector<const char*> forwarded;
  const char* addresses;  // as addresses_json()
  bool sure;
  bool tls = false;
  const char* host = "fn.example.net";
};

class Forwarded : public testing::TestWithParam<ForwardedRow> {};

TEST_P(Forwarded, SaysTheSameAsItsForerunners) {
  const auto& row = GetParam();
  auto call = test::a_call();
  call.from("10.0.0.1");
  for (const char* header : row.forwarded) call.header("Forwarded", header);
  const auto settings = trusting({"10.0.0.0/8", "2001:db8::/32"});
  ASSERT_FALSE(apply_forwarding(*call, settings)) << row.what;
  EXPECT_EQ(call->addresses_json(), row.addresses) << row.what;
  EXPECT_EQ(is_client_sure(*call, settings), row.sure) << row.what;
  EXPECT_EQ(call->tls, row.tls) << row.what;
  EXPECT_EQ(call->host, row.host) << row.what;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Forwarded,
    testing::Values(
        ForwardedRow{"one proxy", {"for=198.51.100.1"}, R"(["198.51.100.1","10.0.0.1"])", true},
        ForwardedRow{"all it may say",
                     {"for=198.51.100.1;proto=https;by=10.0.0.1;host=outside.example.net"},
                     R"(["198.51.100.1","10.0.0.1"])",
                     true,
                     true,
                     "outside.example.net"},
        ForwardedRow{"names in any case, blanks between",
                     {"For=198.51.100.1 ; PROTO=HTTPS , for=10.0.0.2;proto=http"},
                     R"(["198.51.100.1","10.0.0.2","10.0.0.1"])",
                     true,
                     true},
        ForwardedRow{"the client's own claim stands further left",
                     {"for=127.0.0.1;proto=https;host=evil.example, for=198.51.100.1;proto=http"},
                     R"(["198.51.100.1","10.0.0.1"])",
                     true},
        ForwardedRow{"several headers are one list",
                     {"for=1.2.3.4", "for=198.51.100.1", "for=10.0.0.2"},
                     R"(["198.51.100.1","10.0.0.2","10.0.0.1"])",
                     true},
        ForwardedRow{"quoted, with a port", {R"(for="198.51.100.1:4711")"}, R"(["198.51.100.1","10.0.0.1"])", true},
        ForwardedRow{"IPv6 in brackets", {R"(for="[2001:470::5]")"}, R"(["2001:470::5","10.0.0.1"])", true},
        ForwardedRow{"IPv6 with a hidden port", {R"(for="[2001:470::5]:_x-1")"}, R"(["2001:470::5","10.0.0.1"])", true},
        ForwardedRow{"IPv6 without brackets", {R"(for="2001:470::5")"}, R"(["2001:470::5","10.0.0.1"])", true},
        ForwardedRow{"extensions, even with escapes and commas in quotes",
                     {R"(secret="a\",b;for=6.6.6.6";for=198.51.100.1)"},
                     R"(["198.51.100.1","10.0.0.1"])",
                     true},
        ForwardedRow{"empty elements", {", for=198.51.100.1, ,"}, R"(["198.51.100.1","10.0.0.1"])", true},
        ForwardedRow{"empty pairs", {";for=198.51.100.1;;"}, R"(["198.51.100.1","10.0.0.1"])", true},
        ForwardedRow{"an unknown client", {"for=unknown;proto=https"}, "", false, true},
        ForwardedRow{"a hidden client", {"for=_gazonk"}, "", false},
        ForwardedRow{"a hidden client behind two proxies", {"for=_hidden, for=10.0.0.2"}, R"(["10.0.0.2","10.0.0.1"])", false},
        ForwardedRow{"a hop that names nobody", {"for=198.51.100.1, proto=https"}, "", false, true},
        ForwardedRow{"an escape in an address", {R"(for="198.51.100.\1")"}, "", false},
        ForwardedRow{"no port", {R"(for="198.51.100.1:")"}, "", false},
        ForwardedRow{"no IPv6 address in brackets", {R"(for="[198.51.100.1]")"}, "", false},
        ForwardedRow{"an open bracket", {R"(for="[2001:470::5")"}, "", false},
        ForwardedRow{"a host that is none", {R"(for=198.51.100.1;host="a/b")"}, R"(["198.51.100.1","10.0.0.1"])", true}));

TEST(Forwarded, OfStrangersIsNotHeard) {
  auto call = a_call_with("203.0.113.7", {{"Forwarded", "for=127.0.0.1;proto=https;host=evil.example"}});
  EXPECT_FALSE(apply_forwarding(*call, trusting({"10.0.0.0/8"})));
  EXPECT_EQ(call->peer.text(), "203.0.113.7");
  EXPECT_FALSE(call->tls);
  EXPECT_EQ(call->host, "fn.example.net");
}

struct RefusedRow {
  const char* what;
  Headers headers;
  bool refused;
};

class Contradictions : public testing::TestWithParam<RefusedRow> {};

TEST_P(Contradictions, OfATrustedProxyAreRefusedAndNotDecided) {
  const auto& row = GetParam();
  const auto settings = trusting({"10.0.0.0/8"});
  auto call = a_call_with("10.0.0.1", row.headers);
  const auto refusal = apply_forwarding(*call, settings);
  EXPECT_EQ(refusal.has_value(), row.refused) << row.what;
  if (!refusal) return;
  EXPECT_EQ(refusal->fault, domain::Fault::BadRequest);
  EXPECT_EQ(call->peer.text(), "10.0.0.1") << "nothing of it was heard";
  EXPECT_FALSE(call->tls);
  EXPECT_FALSE(is_client_sure(*call, settings));
  auto from_stranger = a_call_with("203.0.113.7", row.headers);
  EXPECT_FALSE(apply_forwarding(*from_stranger, settings)) << row.what << ": what is not heard cannot contradict";
}

INSTANTIATE_TEST_SUITE_P(
    Table, Contradictions,
    testing::Values(
        RefusedRow{"the same", {{"X-Forwarded-For", "198.51.100.1"}, {"Forwarded", "for=198.51.100.1"}}, false},
        RefusedRow{"another client", {{"X-Forwarded-For", "198.51.100.1"}, {"Forwarded", "for=198.51.100.2"}}, true},
        RefusedRow{"one knows the client", {{"X-Forwarded-For", "198.51.100.1"}, {"Forwarded", "for=unknown"}}, true},
        RefusedRow{"another scheme",
                   {{"X-Forwarded-For", "198.51.100.1"}, {"X-Forwarded-Proto", "http"}, {"Forwarded", "for=198.51.100.1;proto=https"}},
                   true},
        RefusedRow{"another scheme alone", {{"X-Forwarded-Proto", "https"}, {"Forwarded", "proto=http"}}, true},
        RefusedRow{"another host",
                   {{"X-Forwarded-Host", "one.example"}, {"Forwarded", "for=198.51.100.1;host=two.example"}},
                   true},
        RefusedRow{"all the same",
                   {{"X-Forwarded-For", "198.51.100.1"},
                    {"X-Forwarded-Proto", "http"},
                    {"X-Forwarded-Host", "one.example"},
                    {"Forwarded", "for=198.51.100.1;proto=HTTP;host=ONE.example"}},
                   false},
        RefusedRow{"they add to each other", {{"X-Forwarded-Proto", "https"}, {"Forwarded", "for=198.51.100.1"}}, true},
        RefusedRow{"the client adds a scheme to what the proxy wrote",
                   {{"X-Forwarded-For", "198.51.100.1"}, {"Forwarded", "for=198.51.100.1;proto=https"}},
                   true},
        RefusedRow{"a host",
                   {{"X-Forwarded-For", "198.51.100.1"}, {"Forwarded", "for=198.51.100.1;host=evil.example"}},
                   true},
        RefusedRow{"only a scheme", {{"X-Forwarded-For", "198.51.100.1"}, {"Forwarded", "proto=https"}}, true},
        RefusedRow{"a client to a scheme", {{"X-Forwarded-For", "198.51.100.1"}, {"Forwarded", ""}}, true},
        RefusedRow{"the other way round: a scheme",
                   {{"X-Forwarded-For", "198.51.100.1"}, {"X-Forwarded-Proto", "https"}, {"Forwarded", "for=198.51.100.1"}},
                   true},
        RefusedRow{"a host, the other way round",
                   {{"X-Forwarded-Host", "evil.example"}, {"Forwarded", "for=198.51.100.1;proto=https"}},
                   true},
        RefusedRow{"a blank around =", {{"Forwarded", "for = 198.51.100.1"}}, true},
        RefusedRow{"an open quote", {{"Forwarded", R"(for="198.51.100.1)"}}, true},
        RefusedRow{"an open quote after an escape", {{"Forwarded", R"(for="198.51.100.1\)"}}, true},
        RefusedRow{"no value", {{"Forwarded", "for="}}, true},
        RefusedRow{"no name", {{"Forwarded", "=198.51.100.1"}}, true},
        RefusedRow{"no pair", {{"Forwarded", "198.51.100.1"}}, true},
        RefusedRow{"IPv6 without quotes", {{"Forwarded", "for=[2001:470::5]"}}, true},
        RefusedRow{"said twice", {{"Forwarded", "for=198.51.100.1;for=198.51.100.2"}}, true},
        RefusedRow{"something behind a quote", {{"Forwarded", R"(for="198.51.100.1"x)"}}, true},
        RefusedRow{"one good and one bad header", {{"Forwarded", "for=198.51.100.1"}, {"Forwarded", "?"}}, true}));

// --- who is on this machine

struct MachineRow {
  const char* what;
  const char* peer;
  Headers headers;
  bool on_this_machine;
};

class OnThisMachine : public testing::TestWithParam<MachineRow> {};

TEST_P(OnThisMachine, IsOnlyWhoNoProxySpeaksFor) {
  const auto& row = GetParam();
  for (const bool with_local_proxy : {false, true}) {
    const auto settings = with_local_proxy ? trusting({"10.0.0.0/8", "127.0.0.9"}) : trusting({"10.0.0.0/8"});
    auto call = a_call_with(row.peer, row.headers);
    ASSERT_FALSE(apply_forwarding(*call, settings)) << row.what;
    EXPECT_EQ(is_on_this_machine(*call, settings), row.on_this_machine) << row.what;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, OnThisMachine,
    testing::Values(MachineRow{"a client here", "127.0.0.1", {}, true}, MachineRow{"by IPv6", "::1", {}, true},
                    MachineRow{"a client elsewhere", "203.0.113.7", {}, false},
                    MachineRow{"an undeclared proxy here", "127.0.0.1", {{"X-Forwarded-For", "198.51.100.1"}}, false},
                    MachineRow{"that also lies", "127.0.0.1", {{"X-Forwarded-For", "127.0.0.1"}}, false},
                    MachineRow{"with the standard's header", "127.0.0.1", {{"Forwarded", "for=198.51.100.1"}}, false},
                    MachineRow{"with garbage", "127.0.0.1", {{"X-Forwarded-For", "what ever"}}, false},
                    MachineRow{"with the header of another habit", "::1", {{"X-Real-IP", "198.51.100.1"}}, false},
                    MachineRow{"that tells the scheme only", "127.0.0.1", {{"X-Forwarded-Proto", "https"}}, false},
                    MachineRow{"that tells its name only", "127.0.0.1", {{"Via", "1.1 cache"}}, false},
                    MachineRow{"the machine of a trusted proxy is another one", "10.0.0.1", {{"X-Forwarded-For", "127.0.0.1"}}, false},
                    MachineRow{"its client elsewhere", "10.0.0.1", {{"X-Forwarded-For", "198.51.100.1"}}, false},
                    MachineRow{"an undeclared proxy before it",
                               "10.0.0.1",
                               {{"X-Forwarded-For", "198.51.100.1, 127.0.0.1"}},
                               false}));

TEST(OnThisMachine, ADeclaredProxyThatDoesNotTellItsClientIsNoClient) {
  const auto settings = trusting({"127.0.0.0/8"});
  for (const auto& [headers, sure] : std::vector<std::pair<Headers, bool>>{{{}, true},
                                                                           {{{"X-Forwarded-For", "127.0.0.5"}}, true},
                                                                           {{{"X-Forwarded-For", "unknown"}}, false},
                                                                           {{{"X-Forwarded-For", "unknown, 127.0.0.5"}}, false},
                                                                           {{{"Forwarded", "for=_x"}}, false},
                                                                           {{{"X-Forwarded-Proto", "https"}}, false}}) {
    auto call = a_call_with("127.0.0.1", headers);
    ASSERT_FALSE(apply_forwarding(*call, settings));
    EXPECT_EQ(is_on_this_machine(*call, settings), sure) << (headers.empty() ? "no header" : headers.front().second);
  }
}

TEST(Forwarding, WithoutTrustedProxiesNothingIsHeard) {
  auto call = test::a_call();
  call.from("127.0.0.1").header("X-Forwarded-For", "198.51.100.1").header("X-Forwarded-Proto", "https");
  std::ignore = apply_forwarding(*call, trusting({}));
  EXPECT_EQ(call->peer.text(), "127.0.0.1");
  EXPECT_FALSE(call->tls);
}

}  // namespace
}  // namespace funcgate::http
