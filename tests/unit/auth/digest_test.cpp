#include "auth/digest.h"

#include <map>

#include "unit/auth/auth_fixture.h"

namespace funcgate::test {
namespace {

using auth::Verdict;
using domain::DigestAlgorithm;
using domain::Fault;
using domain::Reason;

constexpr std::string_view kTarget = "/api/v1/func-api/basket/s?sku=A7";

std::string hash(DigestAlgorithm algorithm, const std::string& text) {
  return std::string(crypto::Hasher(auth::hash_algorithm(algorithm)).update(text).finish_hex().view());
}

// A client written after RFC 7616, 3.4, with a handle on everything.
struct Client {
  std::string name = "mia", password = "Circle of Life", realm = "stock-realm", nonce, opaque, method = "GET";
  std::string uri{kTarget}, cnonce = "f2/wE4q74E6z", qop = "auth", nc = "00000001", body;
  DigestAlgorithm algorithm = DigestAlgorithm::Sha256;
  std::map<std::string, std::string> changed;  // parameter → text in its place; empty: left out
  std::string extra;

  std::string response() const {
    const std::string ha1 = hash(algorithm, name + ":" + realm + ":" + password);
    std::string a2 = method + ":" + uri;
    if (qop == "auth-int") a2 += ":" + hash(algorithm, body);
    return hash(algorithm, ha1 + ":" + nonce + ":" + nc + ":" + cnonce + ":" + qop + ":" + hash(algorithm, a2));
  }
  std::string header() const {
    std::vector<std::pair<std::string, std::string>> parameters{{"username", "\"" + name + "\""},
                                                                {"realm", "\"" + realm + "\""},
                                                                {"nonce", "\"" + nonce + "\""},
                                                                {"uri", "\"" + uri + "\""},
                                                                {"algorithm", std::string(domain::algorithm_name(algorithm))},
                                                                {"qop", qop},
                                                                {"nc", nc},
                                                                {"cnonce", "\"" + cnonce + "\""},
                                                                {"opaque", "\"" + opaque + "\""},
                                                                {"response", "\"" + response() + "\""}};
    std::string out = "Digest ";
    for (auto& [parameter, text] : parameters) {
      if (const auto other = changed.find(parameter); other != changed.end()) text = other->second;
      if (!text.empty()) out += (out.size() > 7 ? ", " : "") + parameter + "=" + text;
    }
    return out + extra;
  }
};

struct Digest : AuthFixture {
  auth::SchemePtr made = scheme(stock());
  const std::string opaque = parameter(made->challenges(thread, false)[0], "opaque");

  static std::string parameter(const std::string& challenge, const std::string& name) {
    const std::size_t begin = challenge.find(name + "=\"") + name.size() + 2;
    return challenge.substr(begin, challenge.find('"', begin) - begin);
  }
  Client client() {
    Client out;
    out.nonce = parameter(made->challenges(thread, false)[0], "nonce");
    out.opaque = opaque;
    return out;
  }
  auth::Outcome send(const Client& c) { return send_header(c.header()); }
  auth::Outcome send_header(const std::string& header) {
    return ask(*made, std::move(a_call().get(kTarget).authorization(header)));
  }
  void expect(const Client& c, Reason reason, Fault fault, bool stale, bool counts, const std::string& why) {
    const auto outcome = send(c);
    EXPECT_EQ(outcome.verdict, Verdict::Rejected) << why;
    EXPECT_EQ(outcome.reason, reason) << why << ": " << domain::reason_token(outcome.reason);
    EXPECT_EQ(outcome.fault, fault) << why;
    EXPECT_EQ(outcome.stale, stale) << why;
    EXPECT_EQ(outcome.counts, counts) << why;
  }
};

// ---- published vectors ----

// RFC 7616, 3.9.1
TEST(DigestVectors, OfTheStandardForMd5AndSha256) {
  for (const auto& [algorithm, expected] :
       {std::pair{crypto::HashAlgorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"},
        std::pair{crypto::HashAlgorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"}}) {
    const std::string ha1 = auth::digest_ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
    EXPECT_EQ(auth::digest_response(algorithm, {.ha1 = ha1,
                                                .nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                                                .nc = "00000001",
                                                .cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                                                .qop = "auth",
                                                .method = "GET",
                                                .uri = "/dir/index.html"})
                  .view(),
              expected);
  }
}

// What request and answer share is hashed once: lengths around every block, and parts too long for that.
TEST(DigestVectors, SharedBeginningChangesNoHash) {
  for (const auto algorithm : {crypto::HashAlgorithm::Md5, crypto::HashAlgorithm::Sha256, crypto::HashAlgorithm::Sha512_256}) {
    const auto hash = [algorithm](const std::string& text) {
      return std::string(crypto::Hasher(algorithm).update(text).finish_hex().view());
    };
    const std::string ha1 = hash("mia:stock:Circle of Life"), nonce(43, 'n'), body = hash("a body");
    for (std::size_t length = 1; length <= 600; ++length) {
      const std::string cnonce(length, 'c'), uri = "/" + std::string(600 - length, 'u');
      const auth::DigestResponseParts parts{
          .ha1 = ha1, .nonce = nonce, .nc = "00000001", .cnonce = cnonce, .qop = "auth", .uri = uri};
      const auth::ResponseHash shared(algorithm, parts);
      const std::string front = ha1 + ":" + nonce + ":00000001:" + cnonce + ":auth:";
      ASSERT_EQ(shared.of("GET", {}).view(), hash(front + hash("GET:" + uri))) << length;
      ASSERT_EQ(shared.of("", {}).view(), hash(front + hash(":" + uri))) << length;
      ASSERT_EQ(shared.of("POST", body).view(), hash(front + hash("POST:" + uri + ":" + body))) << length;
      const auth::PreparedHa1 prepared(algorithm, base::SecretString(ha1));
      auth::DigestResponseParts after = parts;
      after.after_ha1 = prepared.after();
      ASSERT_EQ(auth::ResponseHash(algorithm, after).of("GET", {}).view(), hash(front + hash("GET:" + uri))) << length;
    }
  }
}

// RFC 7616, 3.9.2, with the values of erratum 4897: the printed ones belong to a truncated SHA-512.
TEST(DigestVectors, OfTheStandardForSha512_256AndUserhash) {
  constexpr auto kAlgorithm = crypto::HashAlgorithm::Sha512_256;
  const std::string name = "J\xc3\xa4s\xc3\xb8n Doe";
  EXPECT_EQ(auth::digest_userhash(kAlgorithm, name, "api@example.org"),
            "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b");
  const std::string ha1 = auth::digest_ha1(kAlgorithm, name, "api@example.org", "Secret, or not?");
  EXPECT_EQ(auth::digest_response(kAlgorithm, {.ha1 = ha1,
                                               .nonce = "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
                                               .nc = "00000001",
                                               .cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
                                               .qop = "auth",
                                               .method = "GET",
                                               .uri = "/doe.json"})
                .view(),
            "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
}

// ---- challenge ----

TEST_F(Digest, ChallengesOncePerAlgorithmStrongestFirst) {
  const auto lines = made->challenges(thread, false);
  ASSERT_EQ(lines.size(), 2u);
  const std::string nonce = parameter(lines[0], "nonce");
  const auto expected = [&](const char* algorithm) {
    return "Digest realm=\"stock-realm\", qop=\"auth, auth-int\", algorithm=" + std::string(algorithm) + ", nonce=\"" + nonce +
           "\", opaque=\"" + opaque + "\", charset=UTF-8, userhash=true";
  };
  EXPECT_EQ(lines[0], expected("SHA-256"));
  EXPECT_EQ(lines[1], expected("MD5"));
  EXPECT_EQ(opaque.size(), 22u);
  EXPECT_EQ(made->challenges(thread, true)[1].substr(lines[1].size()), ", stale=true");
}

// ---- success ----

TEST_F(Digest, AcceptsEveryOfferedAlgorithmAndQop) {
  for (const auto algorithm : {DigestAlgorithm::Sha256, DigestAlgorithm::Md5}) {
    for (const char* qop : {"auth", "auth-int"}) {
      Client c = client();
      c.algorithm = algorithm;
      c.qop = qop;
      const auto outcome = send(c);
      EXPECT_EQ(outcome.verdict, Verdict::Accepted) << qop << " " << domain::reason_token(outcome.reason);
      EXPECT_EQ(outcome.principal->fields().name, "mia");
    }
  }
}

TEST_F(Digest, ReadsWhatClientsSend) {
  Client without_algorithm = client();
  without_algorithm.algorithm = DigestAlgorithm::Md5;
  without_algorithm.changed["algorithm"] = "";
  EXPECT_EQ(send(without_algorithm).verdict, Verdict::Accepted) << "no algorithm is MD5";

  Client quoted = client();
  quoted.changed = {{"algorithm", "\"SHA-256\""}, {"qop", "\"auth\""}, {"nc", "\"00000001\""}, {"opaque", ""}};
  EXPECT_EQ(send(quoted).verdict, Verdict::Accepted) << "everything quoted, opaque left out";

  Client upper = client();
  upper.changed["response"] = "\"" + base::to_upper(upper.response()) + "\"";
  EXPECT_EQ(send(upper).verdict, Verdict::Accepted) << "hex in upper case";

  Client absolute = client();
  absolute.uri = "http://FN.example.net" + std::string(kTarget);
  EXPECT_EQ(send(absolute).verdict, Verdict::Accepted) << "absolute uri with the same host";

  Client hashed = client();
  hashed.changed["username"] = "\"" + hash(DigestAlgorithm::Sha256, "mia:stock-realm") + "\"";
  hashed.extra = ", userhash=true";
  EXPECT_EQ(send(hashed).verdict, Verdict::Accepted) << "userhash";
  EXPECT_EQ(send(hashed).reason, Reason::DigestNcReplayed);

  Client extended = client();
  extended.name = "j\xc3\xb6rg";
  extended.changed["username"] = "";
  extended.extra = ", username*=UTF-8''j%C3%B6rg, userhash=false, stranger=1";
  EXPECT_EQ(send(extended).verdict, Verdict::Accepted) << "username*";

  Client utf8 = client();
  utf8.name = "j\xc3\xb6rg";
  EXPECT_EQ(send(utf8).verdict, Verdict::Accepted) << "raw UTF-8";

  Client latin1 = client();
  latin1.name = "j\xc3\xb6rg";
  latin1.changed["username"] = "\"j\xf6rg\"";
  EXPECT_EQ(send(latin1).verdict, Verdict::Accepted) << "raw ISO-8859-1; HA1 uses the stored name";
}

// ---- section 4.5, row by row ----

// authentication must-hold 46
TEST_F(Digest, MalformedHeaderIsABadRequestThatCounts) {
  const auto malformed = [&](const Client& c, const std::string& why) {
    expect(c, Reason::DigestMalformed, Fault::BadRequest, false, true, why);
  };
  for (const char* parameter : {"username", "realm", "nonce", "uri", "response", "nc", "cnonce"}) {
    Client c = client();
    c.changed[parameter] = "";
    malformed(c, std::string("without ") + parameter);
  }
  for (const auto& [name, text] : {std::pair{"nc", "1"},
                                   {"nc", "00000000"},
                                   {"nc", "0000000g"},
                                   {"nc", "\"\""},
                                   {"nc", "000000001"},
                                   {"response", "zz"},
                                   {"response", "\"\""},
                                   {"response", "8ca523f5e9506fed4657c9700eebdbec"},
                                   {"cnonce", "\"\""}}) {
    Client c = client();
    c.changed[name] = text;
    malformed(c, std::string(name) + "=" + text);
  }
  Client long_cnonce = client();
  long_cnonce.cnonce = std::string(257, 'c');
  malformed(long_cnonce, "cnonce too long");
  for (const char* extra : {", realm=\"stock-realm\"", ", algorithm=MD5", ", userhash=true, username*=UTF-8''mia",
                            ", username*=UTF-8''mia", ", userhash=perhaps", ", x", ", x=\"", ", =1"}) {
    Client c = client();
    c.extra = extra;
    malformed(c, extra);
  }
  for (const char* header : {"Digest", "Digest ", "Digest x", "Digest ,,,,"}) {
    const auto outcome = send_header(header);
    EXPECT_EQ(outcome.reason, Reason::DigestMalformed) << header;
  }
}

// authentication must-hold 44
TEST_F(Digest, UriThatIsNotTheTargetIsABadRequestThatCounts) {
  for (const char* uri : {"/api/v1/func-api/basket/s", "/api/v1/func-api/basket/s?sku=A8", "/api/v1/func-api/basket/s?sku=a7",
                          "*", "http://other.example.net/api/v1/func-api/basket/s?sku=A7", "http://fn.example.net", "/"}) {
    Client c = client();
    c.uri = uri;
    expect(c, Reason::DigestUriMismatch, Fault::BadRequest, false, true, uri);
  }
  // The method is part of the response.
  const auto outcome = ask(*made, std::move(a_call().post(kTarget).authorization(client().header())));
  EXPECT_EQ(outcome.reason, Reason::DigestResponse);
}

// authentication must-hold 45
TEST_F(Digest, ForeignRealmDoesNotCount) {
  Client c = client();
  c.realm = "other";
  expect(c, Reason::DigestRealm, Fault::Unauthenticated, false, false, "another realm");
}

// authentication must-hold 40, 41
TEST_F(Digest, UnknownNonceDoesNotCountAndIsNotStale) {
  auto other = stock();
  other.id = "stock2";
  for (auto& user : std::get<domain::DigestConfig>(other.config).users) user.sealed_ha1.clear();
  auto other_scheme = scheme(other);
  Client foreign = client();
  foreign.nonce = parameter(other_scheme->challenges(thread, false)[0], "nonce");
  expect(foreign, Reason::DigestNonceUnknown, Fault::Unauthenticated, false, false,
         "of another configuration with the same realm");
  Client made_up = client();
  made_up.nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
  expect(made_up, Reason::DigestNonceUnknown, Fault::Unauthenticated, false, false, "self-made");
}

// authentication must-hold 46, 47
TEST_F(Digest, WhatIsNotOfferedDoesNotCount) {
  const auto refused = [&](const Client& c, Reason reason, const std::string& why) {
    expect(c, reason, Fault::Unauthenticated, false, false, why);
  };
  Client no_qop = client();
  no_qop.changed = {{"qop", ""}, {"nc", ""}, {"cnonce", ""}};
  refused(no_qop, Reason::DigestQop, "without qop");
  for (const char* qop : {"auth-conf", "\"\"", "\"auth, auth-int\""}) {
    Client c = client();
    c.changed["qop"] = qop;
    refused(c, Reason::DigestQop, qop);
  }
  for (const char* algorithm : {"SHA-512-256", "MD5-sess", "SHA-256-sess", "SHA-1", "\"\""}) {
    Client c = client();
    c.changed["algorithm"] = algorithm;
    refused(c, Reason::DigestAlgorithm, algorithm);
  }
  Client opaque_differs = client();
  opaque_differs.opaque = "x";
  refused(opaque_differs, Reason::DigestOpaque, "opaque");

  domain::DigestConfig config;
  config.algorithms = {DigestAlgorithm::Sha256};
  config.auth_int = false;
  config.users.push_back(digest_user("stock", "mia", "Circle of Life", "stock-realm", config.algorithms));
  auto strict = configuration("stock", config);
  strict.realm = "stock-realm";
  made = scheme(strict);
  Client md5 = client();
  md5.algorithm = DigestAlgorithm::Md5;
  refused(md5, Reason::DigestAlgorithm, "MD5 not offered");
  md5.changed["algorithm"] = "";
  refused(md5, Reason::DigestAlgorithm, "MD5 by leaving algorithm out");
  Client auth_int = client();
  auth_int.qop = "auth-int";
  refused(auth_int, Reason::DigestQop, "auth-int not offered");
}

TEST_F(Digest, WrongCredentialsCountAlsoWithAnOldNonce) {
  const auto refused = [&](const Client& c, Reason reason, const std::string& why) {
    expect(c, reason, Fault::Unauthenticated, false, true, why);
  };
  Client wrong = client(), unknown = client(), disabled = client();
  wrong.password = "wrong";
  unknown.name = "nobody";
  disabled.name = "gone";
  refused(wrong, Reason::DigestResponse, "wrong password");
  refused(unknown, Reason::DigestUserUnknown, "unknown user");
  refused(disabled, Reason::DigestUserDisabled, "disabled user");
  const auto outcome = send(unknown);
  EXPECT_EQ(outcome.account, "nobody");
  EXPECT_EQ(outcome.message, send(wrong).message) << "nobody can tell which it was";
  clock.advance_ms(400'000);
  refused(wrong, Reason::DigestResponse, "wrong password, old nonce");
  refused(unknown, Reason::DigestUserUnknown, "unknown user, old nonce");
}

// authentication must-hold 41, 71
TEST_F(Digest, OldAndFutureNoncesAreStaleWhenTheResponseIsRight) {
  const auto stale = [&](const Client& c, const std::string& why) {
    expect(c, Reason::DigestNonceStale, Fault::Unauthenticated, true, false, why);
  };
  Client c = client();
  clock.advance_ms(300'000);
  EXPECT_EQ(send(c).verdict, Verdict::Accepted) << "at the end of its life";
  clock.advance_ms(1);
  stale(c, "too old");
  Client future = client();
  clock.set_wall_ms(clock.wall_ms() - 5001);
  stale(future, "from the future");
  clock.set_wall_ms(clock.wall_ms() + 1);
  EXPECT_EQ(send(future).verdict, Verdict::Accepted) << "five seconds ahead are tolerated";
}

// authentication must-hold 50
TEST_F(Digest, NonceFromBeforeARestartIsStale) {
  Client c = client();
  clock.advance_ms(1000);
  auth::NonceCounters after_restart(100, clock.wall_ms());
  auth::AuthThread restarted{.clock = clock,
                             .random = random,
                             .io = &io,
                             .credentials = credentials,
                             .verdicts = verdicts,
                             .hashes = *gate,
                             .nonces = after_restart};
  auto call = std::move(a_call().get(kTarget).authorization(c.header()));
  const auto outcome = made->try_now(auth_call(call), restarted);
  EXPECT_EQ(outcome.reason, Reason::DigestNonceStale);
  EXPECT_TRUE(outcome.stale);
}

// authentication must-hold 42, 43
TEST_F(Digest, ReplayIsRefusedAndDoesNotCount) {
  Client c = client();
  for (const char* nc : {"00000005", "00000003", "00000004"}) {
    c.nc = nc;
    EXPECT_EQ(send(c).verdict, Verdict::Accepted) << nc;
    expect(c, Reason::DigestNcReplayed, Fault::Unauthenticated, true, false, nc);
  }
  c.nc = "00000406";  // 1030 = 5 + 1025
  expect(c, Reason::DigestNcJump, Fault::Unauthenticated, true, false, "a jump");
  Client wrong = c;
  wrong.nc = "00000006";
  wrong.password = "wrong";
  EXPECT_EQ(send(wrong).reason, Reason::DigestResponse);
  c.nc = "00000006";
  EXPECT_EQ(send(c).verdict, Verdict::Accepted) << "a huge nc and a wrong response moved nothing";
}

// ---- auth-int ----

// authentication must-hold 49
TEST_F(Digest, AuthIntCoversEveryByteOfTheBody) {
  Client c = client();
  c.qop = "auth-int";
  c.method = "POST";
  c.body = R"({"kwargs":{}})";
  const auto send_body = [&](std::string_view body) {
    return ask(*made, std::move(a_call().post(kTarget).json(body).authorization(c.header())));
  };
  EXPECT_EQ(send_body(R"({"kwargs":{} })").reason, Reason::DigestResponse);
  EXPECT_EQ(send_body("").reason, Reason::DigestResponse);
  EXPECT_EQ(send_body(c.body).verdict, Verdict::Accepted);
}

TEST_F(Digest, AuthIntAsksForTheBodyOnlyWhenNonceUriAndUserAreRight) {
  Client c = client();
  c.qop = "auth-int";
  c.method = "POST";
  const auto needs = [&](const Client& who) {
    auto call = std::move(a_call().post(kTarget).authorization(who.header()).body_to_come("application/json", 100));
    return made->needs(auth_call(call), thread);
  };
  EXPECT_EQ(needs(c), auth::Needs::HeadAndBody);
  Client unknown = c, foreign = c, elsewhere = c, plain = c;
  unknown.name = "nobody";
  foreign.nonce = "x";
  elsewhere.uri = "/";
  plain.qop = "auth";
  for (const Client& other : {unknown, foreign, elsewhere, plain}) EXPECT_EQ(needs(other), auth::Needs::Head) << other.header();

  auto too_large = std::move(a_call().post(kTarget).authorization(c.header()).body_to_come("application/json", 100));
  too_large.arrives("only the beginning", false);
  const auto outcome = ask(*made, too_large);
  EXPECT_EQ(outcome.fault, Fault::BodyTooLarge);
  EXPECT_EQ(outcome.reason, Reason::AuthBodyTooLarge);
  auto unknown_unread = std::move(a_call().post(kTarget).authorization(unknown.header()).body_to_come("application/json", 100));
  EXPECT_EQ(ask(*made, unknown_unread).reason, Reason::DigestUserUnknown) << "refused without its body";
}

// ---- Authentication-Info ----

// What was found out for one request is used for the next ones, and for those alone that say the same.
TEST_F(Digest, RemembersANonceForItsOwnSchemeAndEveryByteOfIt) {
  Client c = client();
  ASSERT_EQ(send(c).verdict, Verdict::Accepted);
  auto next_count = [uses = 1]() mutable {
    std::string text = std::to_string(++uses);
    return std::string(8 - text.size(), '0') + text;
  };
  c.nc = next_count();
  ASSERT_EQ(send(c).verdict, Verdict::Accepted);
  const std::string right = c.nonce;
  for (std::size_t i = 0; i < right.size(); ++i) {
    c.nonce[i] = right[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(send(c).reason, Reason::DigestNonceUnknown) << i;
    c.nonce = right;
  }
  auto other = stock();
  other.id = "other";
  for (auto& user : std::get<domain::DigestConfig>(other.config).users) user.sealed_ha1.clear();
  const auto other_scheme = scheme(other);
  EXPECT_EQ(ask(*other_scheme, std::move(a_call().get(kTarget).authorization(c.header()))).reason, Reason::DigestNonceUnknown);
  c.nc = next_count();
  EXPECT_EQ(send(c).verdict, Verdict::Accepted);
  EXPECT_EQ(send(c).reason, Reason::DigestNcReplayed) << "a nonce that is known is counted like any other";
}

TEST_F(Digest, RemembersTargetsWithEveryByteOfThem) {
  Client c = client();
  int uses = 0;
  // Twice, and more than there are places.
  for (int i = 0; i < 400; ++i) {
    c.method = i % 2 == 0 ? "GET" : "POST";
    c.uri = "/api/v1/func-api/basket/s?number=" + std::to_string(i / 2 % 100) + std::string(i / 2 % 50 == 7 ? 200 : 0, 'x');
    std::string count = std::to_string(++uses);
    c.nc = std::string(8 - count.size(), '0') + count;
    auto call = std::move(a_call().get(c.uri).authorization(c.header()));
    call->method_text = c.method;
    const auto outcome = ask(*made, call);
    ASSERT_EQ(outcome.verdict, Verdict::Accepted) << i;
    Client server = c;
    server.method = "";
    EXPECT_EQ(made->authentication_info(outcome, std::nullopt, thread),
              "rspauth=\"" + server.response() + "\", qop=auth, nc=" + c.nc + ", cnonce=\"f2/wE4q74E6z\"");
    // The method of the request before.
    call->method_text = i % 2 == 0 ? "PUT" : "GET";
    EXPECT_EQ(ask(*made, call).reason, Reason::DigestResponse) << i;
  }
}

TEST_F(Digest, AnswersWithItsOwnProof) {
  Client c = client();
  c.cnonce = "a\\\"b";
  c.changed["cnonce"] = R"("a\\\"b")";
  const auto outcome = send(c);
  ASSERT_EQ(outcome.verdict, Verdict::Accepted);
  EXPECT_FALSE(made->needs_answer_body(outcome));
  Client server = c;
  server.method = "";
  const std::string expected = "rspauth=\"" + server.response() + R"(", qop=auth, nc=00000001, cnonce="a\\\"b")";
  EXPECT_EQ(made->authentication_info(outcome, std::nullopt, thread), expected);
  clock.advance_ms(150'001);
  io.run_turn(0);  // the time is that of a turn
  const std::string later = *made->authentication_info(outcome, std::nullopt, thread);
  ASSERT_EQ(later.substr(0, expected.size()), expected);
  Client next = c;
  next.nonce = parameter(later, "nextnonce");
  EXPECT_EQ(send(next).verdict, Verdict::Accepted) << "the next nonce is good";
}

TEST_F(Digest, AuthIntProofCoversTheAnswer) {
  Client c = client();
  c.qop = "auth-int";
  const auto outcome = send(c);
  ASSERT_EQ(outcome.verdict, Verdict::Accepted);
  EXPECT_TRUE(made->needs_answer_body(outcome));
  Client server = c;
  server.method = "";
  server.body = "answer";
  EXPECT_EQ(made->authentication_info(outcome, "answer", thread),
            "rspauth=\"" + server.response() + "\", qop=auth-int, nc=00000001, cnonce=\"f2/wE4q74E6z\"");
  EXPECT_EQ(made->authentication_info(outcome, std::nullopt, thread), "qop=auth-int, nc=00000001, cnonce=\"f2/wE4q74E6z\"")
      << "too large to buffer";
  EXPECT_FALSE(made->authentication_info(auth::Outcome::accepted(outcome.principal), std::nullopt, thread));
}

}  // namespace
}  // namespace funcgate::test
