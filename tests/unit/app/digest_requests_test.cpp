#include "app/bench/digest_requests.h"

#include <gtest/gtest.h>

#include <memory>

#include "auth/authorization_header.h"
#include "base/text.h"
#include "support/counting_allocator.h"
#include "support/fake_random.h"

namespace funcgate::app::bench {
namespace {

using http::Verdict;

constexpr const char* kChallenge =
    R"(Digest realm="stock", qop="auth, auth-int", algorithm=SHA-256, nonce="n-1", opaque="o-1", charset=UTF-8, userhash=true)";

// The request as another party computes it, straight after RFC 7616, 3.4.
std::string hash(std::string_view algorithm, std::string_view text) {
  if (algorithm.starts_with("MD5")) return crypto::md5_hex(text);
  return algorithm.starts_with("SHA-512-256") ? crypto::sha512_256_hex(text) : crypto::sha256_hex(text);
}

class DigestBench : public testing::Test {
 protected:
  DigestBench() {
    request_.method = "POST";
    request_.target = "/api/v1/func-api/total/s?x=1";
    request_.head = "POST /api/v1/func-api/total/s?x=1 HTTP/1.1\r\nHost: h\r\n";
    request_.body = R"({"a":2})";
    bare_ = request_.whole();
  }
  // Reads the Authorization of `text`, which must be the request with that one field more.
  auth::DigestParameters& read(std::string_view text) {
    const std::string_view field = "Authorization: Digest ";
    const std::size_t begin = text.find(field), end = text.find("\r\n", begin);
    EXPECT_EQ(std::string(text.substr(0, begin)), request_.head);
    EXPECT_EQ(std::string(text.substr(end)), "\r\n\r\n" + request_.body);
    header_ = text.substr(begin + field.size(), end - begin - field.size());
    parameters_ = std::make_unique<auth::DigestParameters>();
    EXPECT_TRUE(auth::parse_digest_parameters(header_, *parameters_)) << header_;
    return *parameters_;
  }
  std::string expected_response(const auth::DigestParameters& p) const {
    const std::string_view algorithm = *p.algorithm;
    std::string ha1 =
        hash(algorithm, account_.name + ":" + std::string(*p.realm) + ":" + std::string(account_.password.reveal()));
    if (algorithm.ends_with("-sess")) ha1 = hash(algorithm, ha1 + ":" + std::string(*p.nonce) + ":" + std::string(*p.cnonce));
    std::string a2 = request_.method + ":" + request_.target;
    if (p.qop == "auth-int") a2 += ":" + hash(algorithm, request_.body);
    return hash(algorithm, ha1 + ":" + std::string(*p.nonce) + ":" + std::string(*p.nc) + ":" + std::string(*p.cnonce) + ":" +
                               std::string(*p.qop) + ":" + hash(algorithm, a2));
  }
  // A source that has been given the challenges.
  DigestRequests prepared(std::initializer_list<const char*> challenges) {
    DigestRequests out(request_, bare_, account_, random_);
    EXPECT_EQ(out.preparation(), bare_);
    for (const char* challenge : challenges) out.on_field("WWW-Authenticate", challenge);
    EXPECT_EQ(out.prepared(401), Verdict::Ready);
    return out;
  }

  RequestText request_;
  Account account_{"mi\"a", base::SecretString("a pass:word")};
  test::FakeRandom random_;
  std::string bare_, header_;
  std::unique_ptr<auth::DigestParameters> parameters_;
};

TEST_F(DigestBench, AnswersEveryKindOfChallenge) {
  const struct {
    const char* challenge;
    std::string_view algorithm, qop;
  } kCases[] = {
      {R"(Digest realm="r", qop="auth", algorithm=SHA-256, nonce="n")", "SHA-256", "auth"},
      {R"(digest realm="r,s", qop="auth,auth-int", algorithm=sha-512-256, nonce="n=")", "SHA-512-256", "auth"},
      {R"(Digest realm="r", qop="auth", algorithm=MD5, nonce="n")", "MD5", "auth"},
      {R"(Digest realm="r", qop=auth, nonce="n")", "MD5", "auth"},
      {R"(Digest realm="r", qop="auth-int", algorithm=SHA-256, nonce="n")", "SHA-256", "auth-int"},
      {R"(Digest realm="r", qop="auth", algorithm=SHA-256-sess, nonce="n")", "SHA-256-sess", "auth"},
      {R"(Digest realm="r", qop="auth", algorithm="MD5-sess", nonce="n")", "MD5-sess", "auth"},
      {R"(Digest realm="", qop="auth-int", algorithm=SHA-512-256-sess, nonce="n", opaque="")", "SHA-512-256-sess", "auth-int"}};
  for (const auto& one : kCases) {
    DigestRequests source = prepared({one.challenge});
    for (const char* count : {"00000001", "00000002", "00000003"}) {
      const auth::DigestParameters& p = read(source.next());
      EXPECT_EQ(p.username, account_.name) << one.challenge;
      EXPECT_EQ(p.uri, request_.target) << one.challenge;
      EXPECT_EQ(p.algorithm, one.algorithm) << one.challenge;
      EXPECT_EQ(p.qop, one.qop) << one.challenge;
      EXPECT_EQ(p.nc, count) << one.challenge;
      ASSERT_TRUE(p.response) << one.challenge;
      EXPECT_EQ(*p.response, expected_response(p)) << one.challenge;
      EXPECT_EQ(source.judge(200), Verdict::Counts);
    }
  }
}

TEST_F(DigestBench, TakesTheFirstChallengeItCanAnswer) {
  DigestRequests source = prepared({"Basic realm=\"x\"", R"(Digest realm="a", qop="auth", algorithm=SHA-1024, nonce="n0")",
                                    kChallenge, R"(Digest realm="stock", qop="auth", algorithm=MD5, nonce="n-1")"});
  const auth::DigestParameters& p = read(source.next());
  EXPECT_EQ(p.algorithm, "SHA-256");
  EXPECT_EQ(p.opaque, "o-1");
}

TEST_F(DigestBench, ANonceThatIsStaleIsReplacedOnceAndTheRequestRepeated) {
  DigestRequests source = prepared({kChallenge});
  source.next();
  source.next();
  source.on_field("www-authenticate", R"(Digest realm="stock", qop="auth", algorithm=SHA-256, nonce="n-2", stale=true)");
  EXPECT_EQ(source.judge(401), Verdict::Repeat);
  const auth::DigestParameters& p = read(source.next());
  EXPECT_EQ(p.nonce, "n-2");
  EXPECT_EQ(p.nc, "00000001");
  EXPECT_EQ(*p.response, expected_response(p));
  // A server that calls every nonce stale is not asked for ever.
  source.on_field("www-authenticate", R"(Digest realm="stock", qop="auth", algorithm=SHA-256, nonce="n-3", stale=true)");
  EXPECT_EQ(source.judge(401), Verdict::Counts);
}

TEST_F(DigestBench, ARefusalThatIsNotStaleCounts) {
  DigestRequests source = prepared({kChallenge});
  for (int i = 0; i < 3; ++i) {
    source.next();
    source.on_field("WWW-Authenticate", kChallenge);
    EXPECT_EQ(source.judge(401), Verdict::Counts);
  }
  source.next();
  source.on_field("WWW-Authenticate", R"(Digest realm="stale=true", qop="auth", algorithm=SHA-256, nonce="n")");
  EXPECT_EQ(source.judge(401), Verdict::Counts);
}

TEST_F(DigestBench, TheNextNonceIsUsedAtOnce) {
  DigestRequests source = prepared({kChallenge});
  source.next();
  source.on_field("Authentication-Info", R"(rspauth="00", qop=auth, nc=00000001, cnonce="c", nextnonce="n-9")");
  EXPECT_EQ(source.judge(200), Verdict::Counts);
  const auth::DigestParameters& p = read(source.next());
  EXPECT_EQ(p.nonce, "n-9");
  EXPECT_EQ(p.nc, "00000001");
  EXPECT_EQ(*p.response, expected_response(p));
  // It belonged to one answer only.
  EXPECT_EQ(source.judge(200), Verdict::Counts);
  EXPECT_EQ(read(source.next()).nc, "00000002");
}

TEST_F(DigestBench, WithoutAChallengeItSaysWhy) {
  const struct {
    int status;
    const char* challenge;
    Verdict verdict;
    const char* problem;
  } kCases[] = {{200, nullptr, Verdict::Never, "without credentials"},
                {401, nullptr, Verdict::Never, "nothing"},
                {401, "Basic realm=\"x\"", Verdict::Never, "it offers: Basic"},
                {401, "Digest realm=\"x\"", Verdict::Never, "it offers: Digest"},
                {401, R"(Digest realm="x", nonce="n")", Verdict::Never, "it offers: Digest"},
                {404, nullptr, Verdict::Never, "404"},
                {429, nullptr, Verdict::Later, "429"},
                {503, nullptr, Verdict::Later, "503"}};
  for (const auto& one : kCases) {
    DigestRequests source(request_, bare_, account_, random_);
    source.preparation();
    if (one.challenge != nullptr) source.on_field("WWW-Authenticate", one.challenge);
    EXPECT_EQ(source.prepared(one.status), one.verdict) << one.status;
    EXPECT_NE(source.problem().find(one.problem), std::string::npos) << source.problem();
  }
}

TEST_F(DigestBench, ARequestCostsNoAllocation) {
  if (!test::can_count_allocations()) GTEST_SKIP() << "this build counts no allocations";
  DigestRequests source = prepared({kChallenge});
  const test::AllocationCount allocations;
  for (int i = 0; i < 100; ++i) {
    source.next();
    source.on_field("Authentication-Info", R"(rspauth="00", qop=auth, nc=00000001, cnonce="c")");
    source.judge(200);
  }
  EXPECT_EQ(allocations.value(), 0U);
}

}  // namespace
}  // namespace funcgate::app::bench
