#include "http/response_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/call_builder.h"

namespace funcgate::http {
namespace {

using domain::Fault;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ResponseWriterTest : public testing::Test {
 protected:
  ResponseWriterTest() { settings_.public_url = "https://fn.example.net"; }

  std::string write(const service::Answer& answer, const domain::Call& call, bool keep_alive = true, bool http_1_0 = false) {
    std::string out;
    ResponseWriter writer(io_, settings_);
    writer.write(out, answer, {.call = call, .masked_target = {}, .keep_alive = keep_alive, .http_1_0 = http_1_0});
    return out;
  }
  std::string write(const service::Answer& answer) { return write(answer, *test::a_call()); }

  test::FakeClock clock_;
  base::IoThread io_{0, clock_};
  service::ServerSettings settings_;
};

service::Answer text(std::string body) {
  service::Answer answer;
  answer.content_type = "text/plain; charset=utf-8";
  answer.owned_body = std::move(body);
  return answer;
}

// Head and body of a response; the head with its empty line.
std::pair<std::string, std::string> parts(const std::string& response) {
  const std::size_t end = response.find("\r\n\r\n");
  EXPECT_NE(end, std::string::npos);
  return {response.substr(0, end + 4), response.substr(end + 4)};
}

TEST_F(ResponseWriterTest, APlainAnswerByteForByte) {
  auto call = test::a_call();
  call->client_time = "noon";
  clock_.advance_ms(23);
  EXPECT_EQ(write(text("hello"), *call),
            "HTTP/1.1 200 OK\r\nServer: funcgate\r\nDate: Mon, 02 Mar 2026 09:15:00 GMT\r\nX-Trace-Id: TRACE-1\r\nX-Client-Time: "
            "noon\r\n"
            "X-Request-Time: 2026-03-02T09:15:00.100Z\r\nX-Response-Time: 2026-03-02T09:15:00.123Z\r\nX-Request-Cost: 23\r\n"
            "X-Content-Type-Options: nosniff\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello");
}

TEST_F(ResponseWriterTest, TheTimeFollowsTheClock) {
  std::string out;
  auto call = test::a_call();
  ResponseWriter writer(io_, settings_);
  writer.write(out, text("a"), {.call = *call, .masked_target = {}});
  EXPECT_THAT(out, HasSubstr("Date: Mon, 02 Mar 2026 09:15:00 GMT"));
  out.clear();
  clock_.advance_ms(61'000);
  writer.write(out, text("a"), {.call = *call, .masked_target = {}});
  EXPECT_THAT(out, HasSubstr("Date: Mon, 02 Mar 2026 09:16:01 GMT"));
  EXPECT_THAT(out, HasSubstr("X-Request-Cost: 61000"));
  out.clear();
  clock_.set_wall_ms(test::kStartMs - 5000);
  writer.write(out, text("a"), {.call = *call, .masked_target = {}});
  EXPECT_THAT(out, HasSubstr("X-Request-Cost: 0\r\n")) << "a clock that was set back";
}

TEST_F(ResponseWriterTest, AFunctionCannotSayWhatOnlyTheServerMay) {
  service::Answer answer = text("hello");
  for (std::string_view name :
       {"Content-Length", "transfer-encoding", "CONNECTION", "Date", "Server", "WWW-Authenticate", "Authentication-Info",
        "X-Trace-Id", "x-content-type-options", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"}) {
    answer.headers.push_back({name, "forged"});
  }
  answer.headers.push_back({"X-Own", "kept"});
  answer.headers.push_back({"Location", "/y"});
  const std::string out = write(answer);
  EXPECT_THAT(out, Not(HasSubstr("forged")));
  EXPECT_THAT(out, HasSubstr("\r\nX-Own: kept\r\nLocation: /y\r\n"));
}

TEST_F(ResponseWriterTest, HeadIsGetWithoutTheBody) {
  service::Answer refused, boxed;
  refused.refusal = domain::Refusal{.fault = Fault::NotFound, .reason = domain::Reason::ApiUnknown, .message = "No such API"};
  boxed.envelope = true;
  boxed.owned_body = "[1]";
  for (const service::Answer* answer : {&refused, &boxed}) {
    const auto [get, body] = parts(write(*answer, *test::a_call().method("GET", "/x")));
    const auto [head, nothing] = parts(write(*answer, *test::a_call().method("HEAD", "/x")));
    EXPECT_FALSE(body.empty());
    EXPECT_EQ(nothing, "");
    EXPECT_THAT(get, HasSubstr("Content-Length: " + std::to_string(body.size()) + "\r\n"));
    EXPECT_THAT(head, HasSubstr("Content-Length: "));
  }
  const auto [get, body] = parts(write(text("hello"), *test::a_call().method("GET", "/x")));
  const auto [head, nothing] = parts(write(text("hello"), *test::a_call().method("HEAD", "/x")));
  EXPECT_EQ(get, head);
  EXPECT_EQ(body, "hello");
  EXPECT_EQ(nothing, "");
}

TEST_F(ResponseWriterTest, NoContentAndNotModifiedHaveNoBodyAndNoLength) {
  for (int status : {204, 304}) {
    service::Answer answer = text("left over");
    answer.status = status;
    answer.headers.push_back({"ETag", "\"1\""});
    const std::string out = write(answer);
    EXPECT_THAT(out, EndsWith("\r\n\r\n"));
    EXPECT_THAT(out, Not(HasSubstr("Content-Length")));
    EXPECT_THAT(out, Not(HasSubstr("Content-Type:")));
    EXPECT_THAT(out, HasSubstr("ETag: \"1\""));
  }
}

TEST_F(ResponseWriterTest, AFileIsAnnouncedAndNotWrittenHere) {
  service::Answer answer;
  answer.content_type = "application/pdf";
  answer.file = *base::sealed_memfd("test", "0123456789");
  answer.file_bytes = 10;
  const std::string out = write(answer);
  EXPECT_THAT(out, HasSubstr("Content-Length: 10\r\n"));
  EXPECT_THAT(out, EndsWith("\r\n\r\n"));
}

TEST_F(ResponseWriterTest, WhatWasAuthenticatedIsNotStored) {
  service::Answer answer = text("hello");
  EXPECT_THAT(write(answer), Not(HasSubstr("Cache-Control")));
  answer.authenticated = true;
  EXPECT_THAT(write(answer), HasSubstr("Cache-Control: private, no-store\r\n"));
  answer.headers.push_back({"cache-control", "max-age=5"});
  const std::string own = write(answer);
  EXPECT_THAT(own, HasSubstr("cache-control: max-age=5\r\n"));
  EXPECT_THAT(own, Not(HasSubstr("no-store")));
}

TEST_F(ResponseWriterTest, ActiveContentRunsInASandbox) {
  for (const auto& [type, active] : std::initializer_list<std::pair<const char*, bool>>{{"text/html", true},
                                                                                        {"Text/HTML; charset=utf-8", true},
                                                                                        {"image/svg+xml", true},
                                                                                        {"application/xml", true},
                                                                                        {"text/plain", false},
                                                                                        {"application/json", false}}) {
    service::Answer answer = text("x");
    answer.content_type = type;
    EXPECT_EQ(write(answer).find("Content-Security-Policy: sandbox allow-scripts allow-forms\r\n") != std::string::npos, active)
        << type;
  }
}

TEST_F(ResponseWriterTest, ARefusalCarriesItsHeadersInOrder) {
  service::Answer answer;
  answer.refusal = domain::Refusal{
      .fault = Fault::Unauthenticated, .reason = domain::Reason::DigestAbsent, .message = "Authentication needed"};
  answer.refusal->challenges = {"Digest realm=\"a\"", "Basic realm=\"a\""};
  answer.refusal->retry_after_s = 5;
  answer.refusal->allow = "GET, POST";
  answer.cors_origin = "https://shop.example.net";
  answer.cors_vary = true;
  const auto [head, body] = parts(write(answer, *test::a_call(), false));
  EXPECT_THAT(head, StartsWith("HTTP/1.1 401 Unauthorized\r\n"));
  EXPECT_THAT(head, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(head, HasSubstr("WWW-Authenticate: Digest realm=\"a\"\r\nWWW-Authenticate: Basic realm=\"a\"\r\n"));
  EXPECT_THAT(head, HasSubstr("Retry-After: 5\r\n"));
  EXPECT_THAT(head, HasSubstr("Allow: GET, POST\r\n"));
  EXPECT_THAT(head, HasSubstr("Access-Control-Allow-Origin: https://shop.example.net\r\nVary: Origin\r\n"));
  EXPECT_THAT(head, HasSubstr("Cache-Control: private, no-store\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(body, StartsWith(R"({"ok":false,"error":401.99,)"));
}

TEST_F(ResponseWriterTest, TheMaskedTargetIsShownInErrors) {
  service::Answer answer;
  answer.refusal =
      domain::Refusal{.fault = Fault::Unauthenticated, .reason = domain::Reason::FixedFieldMismatch, .message = "no"};
  auto call = test::a_call();
  call.get("/x?token=canary");
  std::string out;
  ResponseWriter(io_, settings_).write(out, answer, {.call = *call, .masked_target = "/x?token=***"});
  EXPECT_THAT(out, HasSubstr("https://fn.example.net/x?token=***"));
  EXPECT_THAT(out, Not(HasSubstr("canary")));
}

TEST_F(ResponseWriterTest, Http10IsToldWhenTheConnectionStays) {
  EXPECT_THAT(write(text("a"), *test::a_call(), true, true), HasSubstr("Connection: keep-alive\r\n"));
  EXPECT_THAT(write(text("a"), *test::a_call(), false, true), HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(write(text("a"), *test::a_call(), true, false), Not(HasSubstr("Connection:")));
}

}  // namespace
}  // namespace funcgate::http
