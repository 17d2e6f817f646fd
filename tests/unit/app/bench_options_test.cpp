#include "app/bench/bench_options.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "support/temporary_folder.h"

namespace funcgate::app::bench {
namespace {

constexpr const char* kUrl = "http://127.0.0.1:8089/api/v1/func-api/total/s";

class Bench : public testing::Test {
 protected:
  std::string file(const std::string& name, std::string_view content) {
    folder_.write(name, std::string(content));
    return folder_ / name;
  }
  static BenchOptions options() {
    BenchOptions out;
    out.url = kUrl;
    return out;
  }
  test::TemporaryFolder folder_;
};

TEST_F(Bench, ARequestWithoutOptionsIsAGet) {
  const auto plan = make_plan(options());
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->request.whole(),
            "GET /api/v1/func-api/total/s HTTP/1.1\r\nHost: 127.0.0.1:8089\r\nUser-Agent: funcgate-bench/" FUNCGATE_VERSION
            "\r\nAccept: */*\r\n\r\n");
  EXPECT_EQ(plan->credential, "none");
}

TEST_F(Bench, ABodyMakesItAPostOfJson) {
  BenchOptions given = options();
  given.body = R"({"a":2})";
  given.headers = {"X-Trace: abc", "accept:application/json"};
  given.keep_alive = false;
  const auto plan = make_plan(given);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->request.whole(),
            "POST /api/v1/func-api/total/s HTTP/1.1\r\nHost: 127.0.0.1:8089\r\nUser-Agent: funcgate-bench/" FUNCGATE_VERSION
            "\r\nContent-Type: application/json\r\nContent-Length: 7\r\nConnection: close\r\nX-Trace: abc\r\naccept: "
            "application/json\r\n\r\n{\"a\":2}");
}

TEST_F(Bench, ABodyMayStandInAFile) {
  BenchOptions given = options();
  given.body = "@" + file("body", "a=1&b=2");
  given.method = "put";
  given.content_type = "application/x-www-form-urlencoded";
  const auto plan = make_plan(given);
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE(plan->request.head.starts_with("PUT "));
  EXPECT_NE(plan->request.head.find("Content-Type: application/x-www-form-urlencoded\r\n"), std::string::npos);
  EXPECT_EQ(plan->request.body, "a=1&b=2");
  given.body = "@" + folder_.path() + "/none";
  EXPECT_EQ(make_plan(given).error().code, base::Code::NotFound);
}

TEST_F(Bench, CredentialsGoWhereTheServerLooksForThem) {
  const std::string pair = file("pair", "mia:a pass:word\n"), value = file("value", "a+b c\r\n"),
                    key = file("key", "aaa.bbb.ccc\n"), bearer = file("bearer", "Bearer aaa.bbb.ccc\n");
  const struct {
    const char* why;
    std::function<void(BenchOptions&)> set;
    std::string expected;  // in the head
  } kCases[] = {
      {"a key", [&](BenchOptions& o) { o.key_file = key; }, "\r\nAuthorization: Bearer aaa.bbb.ccc\r\n"},
      {"a key with its scheme", [&](BenchOptions& o) { o.key_file = bearer; }, "\r\nAuthorization: Bearer aaa.bbb.ccc\r\n"},
      {"Basic", [&](BenchOptions& o) { o.basic_file = pair; }, "\r\nAuthorization: Basic bWlhOmEgcGFzczp3b3Jk\r\n"},
      {"a field of the header", [&](BenchOptions& o) { o.fixed_field = "header:X-Token", o.value_file = value; },
       "\r\nX-Token: a+b c\r\n"},
      {"a field of the query", [&](BenchOptions& o) { o.fixed_field = "query:my token", o.value_file = value; },
       "/s?my%20token=a%2Bb%20c HTTP/1.1\r\n"},
      {"a further field of the query", [&](BenchOptions& o) { o.url += "?a=1", o.fixed_field = "query:t", o.value_file = value; },
       "/s?a=1&t=a%2Bb%20c HTTP/1.1\r\n"}};
  for (const auto& one : kCases) {
    BenchOptions given = options();
    one.set(given);
    const auto plan = make_plan(given);
    ASSERT_TRUE(plan.ok()) << one.why << ": " << plan.error().message;
    EXPECT_NE(plan->request.head.find(one.expected), std::string::npos) << one.why << ":\n" << plan->request.head;
    EXPECT_FALSE(plan->digest) << one.why;
  }
  BenchOptions given = options();
  given.digest_file = pair;
  const auto plan = make_plan(given);
  ASSERT_TRUE(plan.ok());
  ASSERT_TRUE(plan->digest);
  EXPECT_EQ(plan->digest->name, "mia");
  EXPECT_EQ(plan->digest->password.reveal(), "a pass:word");
  EXPECT_EQ(plan->request.head.find("Authorization"), std::string::npos);
}

TEST_F(Bench, WhatCannotBeMeantIsAUsageError) {
  const std::string pair = file("pair", "mia:word"), no_colon = file("no-colon", "mia"), lines = file("lines", "mia:a\nb"),
                    value = file("value", "v");
  const struct {
    const char* why;
    std::function<void(BenchOptions&)> set;
  } kCases[] = {
      {"no connections", [](BenchOptions& o) { o.connections = 0; }},
      {"more connections than are allowed", [](BenchOptions& o) { o.connections = 10'001; }},
      {"no threads", [](BenchOptions& o) { o.threads = 0; }},
      {"more threads than connections", [](BenchOptions& o) { o.threads = 17; }},
      {"no time", [](BenchOptions& o) { o.duration_s = 0; }},
      {"more than an hour", [](BenchOptions& o) { o.duration_s = 3601; }},
      {"a duration that is no number", [](BenchOptions& o) { o.duration_s = std::numeric_limits<double>::quiet_NaN(); }},
      {"no time limit", [](BenchOptions& o) { o.timeout_s = 0; }},
      {"no requests", [](BenchOptions& o) { o.requests = 0; }},
      {"a rate of nothing", [](BenchOptions& o) { o.rate_per_second = 0; }},
      {"a rate below nothing", [](BenchOptions& o) { o.rate_per_second = -5; }},
      {"a rate without bound", [](BenchOptions& o) { o.rate_per_second = std::numeric_limits<double>::infinity(); }},
      {"a status that does not exist", [](BenchOptions& o) { o.expected_status = 700; }},
      {"an interim status", [](BenchOptions& o) { o.expected_status = 100; }},
      {"no address", [](BenchOptions& o) { o.url = ""; }},
      {"another scheme", [](BenchOptions& o) { o.url = "ftp://127.0.0.1/"; }},
      {"credentials in the address", [](BenchOptions& o) { o.url = "http://mia:word@127.0.0.1/"; }},
      {"certificates without TLS", [](BenchOptions& o) { o.ca_file = "ca.pem"; }},
      {"a method that is none", [](BenchOptions& o) { o.method = "GE T"; }},
      {"a tunnel", [](BenchOptions& o) { o.method = "connect"; }},
      {"a header without colon", [](BenchOptions& o) { o.headers = {"X-Token"}; }},
      {"a header whose name is none", [](BenchOptions& o) { o.headers = {"X Token: a"}; }},
      {"a header that would be two", [](BenchOptions& o) { o.headers = {"X-Token: a\r\nY: b"}; }},
      {"a header of the framing", [](BenchOptions& o) { o.headers = {"content-length: 5"}; }},
      {"a secret as an argument", [](BenchOptions& o) { o.headers = {"Authorization: Basic YTpi"}; }},
      {"a type that would be two headers", [](BenchOptions& o) { o.content_type = "a/b\r\nX: y"; }},
      {"two credentials", [&](BenchOptions& o) { o.basic_file = o.digest_file = pair; }},
      {"a field without value", [](BenchOptions& o) { o.fixed_field = "header:X"; }},
      {"a value without field", [&](BenchOptions& o) { o.value_file = value; }},
      {"a field of no place", [&](BenchOptions& o) { o.fixed_field = "body:x", o.value_file = value; }},
      {"a field without name", [&](BenchOptions& o) { o.fixed_field = "query:", o.value_file = value; }},
      {"a field of a header that is none", [&](BenchOptions& o) { o.fixed_field = "header:a b", o.value_file = value; }},
      {"an account without colon", [&](BenchOptions& o) { o.basic_file = no_colon; }},
      {"an account of two lines", [&](BenchOptions& o) { o.digest_file = lines; }}};
  for (const auto& one : kCases) {
    BenchOptions given = options();
    one.set(given);
    const auto plan = make_plan(given);
    ASSERT_FALSE(plan.ok()) << one.why;
    EXPECT_EQ(plan.error().code, base::Code::FailedPrecondition) << one.why << ": " << plan.error().message;
  }
}

TEST_F(Bench, AMessageNeverRepeatsASecret) {
  BenchOptions given = options();
  given.basic_file = file("lines", "mia:secret-word\nsecond");
  EXPECT_EQ(make_plan(given).error().message.find("secret-word"), std::string::npos);
  given = options();
  given.headers = {"Authorization: Basic secret-word"};
  EXPECT_EQ(make_plan(given).error().message.find("secret-word"), std::string::npos);
}

TEST_F(Bench, AnotherMachineIsLoadedOnlyIfThatIsSaid) {
  const boost::asio::ip::tcp::endpoint here(boost::asio::ip::make_address("127.0.0.1"), 8089),
      there(boost::asio::ip::make_address("192.0.2.1"), 8089);
  BenchOptions given = options();
  auto plan = make_plan(given);
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE(check_remote(given, *plan, here).ok());
  EXPECT_EQ(check_remote(given, *plan, there).error().code, base::Code::FailedPrecondition);
  given.allow_remote = true;
  EXPECT_TRUE(check_remote(given, *plan, there).ok());
}

TEST_F(Bench, CredentialsTravelUnencryptedToAnotherMachineOnlyIfThatIsSaid) {
  const boost::asio::ip::tcp::endpoint there(boost::asio::ip::make_address("192.0.2.1"), 8089);
  BenchOptions given = options();
  given.allow_remote = true;
  given.basic_file = file("pair", "mia:word");
  auto plan = make_plan(given);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(check_remote(given, *plan, there).error().code, base::Code::FailedPrecondition);
  given.allow_plain_http = true;
  EXPECT_TRUE(check_remote(given, *plan, there).ok());
  given.allow_plain_http = false;
  given.url = "https://gate.example/";
  plan = make_plan(given);
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE(check_remote(given, *plan, there).ok());
}

}  // namespace
}  // namespace funcgate::app::bench
