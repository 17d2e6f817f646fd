#include "http/client/target_url.h"

#include <gtest/gtest.h>

namespace funcgate::http {
namespace {

TEST(TargetUrl, IsTakenApart) {
  const struct {
    std::string_view url;
    bool encrypted;
    std::string_view host;
    int port;
    std::string_view authority, target;
  } kCases[] = {{"http://127.0.0.1:8089/api/v1/func-api/hello/s?name=A%20B", false, "127.0.0.1", 8089, "127.0.0.1:8089",
                 "/api/v1/func-api/hello/s?name=A%20B"},
                {"http://localhost", false, "localhost", 80, "localhost", "/"},
                {"HTTPS://Gate.Example:443/x", true, "gate.example", 443, "gate.example", "/x"},
                {"https://gate.example", true, "gate.example", 443, "gate.example", "/"},
                {"http://gate.example?a=b", false, "gate.example", 80, "gate.example", "/?a=b"},
                {"http://[::1]:8089/", false, "::1", 8089, "[::1]:8089", "/"},
                {"http://[2001:db8::1]", false, "2001:db8::1", 80, "[2001:db8::1]", "/"}};
  for (const auto& one : kCases) {
    const auto url = parse_target_url(one.url);
    ASSERT_TRUE(url.ok()) << one.url;
    EXPECT_EQ(url->encrypted, one.encrypted) << one.url;
    EXPECT_EQ(url->host, one.host) << one.url;
    EXPECT_EQ(url->port, one.port) << one.url;
    EXPECT_EQ(url->authority, one.authority) << one.url;
    EXPECT_EQ(url->target, one.target) << one.url;
  }
}

TEST(TargetUrl, RefusesWhatIsNoAddressOfAnApi) {
  for (const std::string_view url :
       {"", "hello", "ftp://host/", "http:/host", "http://", "http:///path", "http://host:0/", "http://host:65536/",
        "http://host:x/", "http://host:/", "http://host/a b", "http://host/\r\nX: y", "http://host/ü", "http://host/#part",
        "http://ho st/", "http://[::1/", "http://[::1]x/", "http://[nonsense]/", "http://host\\evil/"}) {
    const auto parsed = parse_target_url(url);
    ASSERT_FALSE(parsed.ok()) << url;
    EXPECT_EQ(parsed.error().code, base::Code::InvalidArgument) << url;
  }
}

TEST(TargetUrl, CredentialsInTheAddressAreRefusedAndNotRepeated) {
  const auto parsed = parse_target_url("http://mia:secret-word@host/");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().message.find("secret-word"), std::string::npos);
  EXPECT_NE(parsed.error().message.find("credentials"), std::string::npos);
}

TEST(Loopback, IsThisMachineAndNothingElse) {
  const struct {
    const char* address;
    bool loopback;
  } kCases[] = {{"127.0.0.1", true},         {"127.8.9.1", true},  {"::1", true},
                {"::ffff:127.0.0.1", true},  {"0.0.0.0", false},   {"::", false},
                {"128.0.0.1", false},        {"192.0.2.1", false}, {"2001:db8::1", false},
                {"::ffff:192.0.2.1", false}, {"10.0.0.1", false},  {"169.254.1.1", false}};
  for (const auto& one : kCases) EXPECT_EQ(is_loopback(boost::asio::ip::make_address(one.address)), one.loopback) << one.address;
}

TEST(Resolve, AnAddressIsItself) {
  const auto url = parse_target_url("http://127.0.0.1:8089/");
  ASSERT_TRUE(url.ok());
  const auto found = resolve(*url);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(endpoint_text(found->front()), "127.0.0.1:8089");
}

}  // namespace
}  // namespace funcgate::http
