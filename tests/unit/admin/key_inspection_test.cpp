#include "admin/key_inspection.h"

#include "admin_fixture.h"
#include "base/encoding.h"

namespace funcgate::test {
namespace {

using domain::Reason;

std::string part(const char* json) { return base::base64url_encode(json); }

// The form of a key; the signature is judged by a verifier, which tests play themselves.
const std::string kToken =
    part(R"({"alg":"HS256","typ":"JWT","kid":"0011223344556677"})") + "." +
    part(R"({"iss":"urn:funcgate:x","sub":"usr-1","jti":"key-1","iat":1700000000,"aud":["funcgate-api"]})") + ".c2lnbmF0dXJl";

auth::KeyVerification judged(Reason reason) {
  auth::KeyVerification out{reason, {}};
  if (reason == Reason::None) {
    out.key.id = "key-1";
    out.key.user_id = "usr-1";
  }
  return out;
}

domain::ApiKey a_row() {
  domain::ApiKey key;
  key.id = "key-1";
  key.user_id = "usr-1";
  key.kid = "0011223344556677";
  return key;
}

TEST(KeyInspection, TellsWhatTheTokenSaysAndNothingOfItsSignature) {
  const auto report = admin::read_token(base::SecretString(kToken), judged(Reason::None));
  EXPECT_EQ(base::to_json(report.claims),
            R"({"algorithm":"HS256","kid":"0011223344556677","issuer":"urn:funcgate:x","id":"key-1","userId":"usr-1",)"
            R"("audience":["funcgate-api"],"issuedAt":"2023-11-14T22:13:20.000Z","expiresAt":null,"signature":true})");
  EXPECT_EQ(base::to_json(report.claims).find("c2lnbmF0dXJl"), std::string::npos);
}

TEST(KeyInspection, AnythingMayBeInspected) {
  for (const char* text : {"x", "..", "a.b.c", "e30.e30.", "W10.W10.W10", "\"\xff\".x.y"}) {
    const auto report = admin::read_token(base::SecretString(text), judged(Reason::KeyMalformed));
    EXPECT_TRUE(report.claims.at("id").is_null()) << text;
    EXPECT_TRUE(report.claims.at("signature").is_null()) << text;
    EXPECT_EQ(admin::verdict_of(report, nullptr, "", 0), "MALFORMED") << text;
  }
}

TEST(KeyInspection, TheVerdictIsTheFirstThingThatIsWrong) {
  const domain::ApiKey row = a_row();
  domain::ApiKey of_another = a_row(), of_another_secret = a_row();
  of_another.user_id = "usr-2";
  of_another_secret.kid = "8899aabbccddeeff";
  struct Case {
    Reason reason;
    const domain::ApiKey* key;
    const char* status;
    const char* verdict;
  };
  const Case cases[] = {
      {Reason::None, &row, "ACTIVE", "ACTIVE"},
      {Reason::None, &row, "REVOKED", "REVOKED"},
      {Reason::None, &row, "OWNER_DISABLED", "OWNER_DISABLED"},
      {Reason::None, nullptr, "", "UNKNOWN"},
      {Reason::None, &of_another, "ACTIVE", "MISMATCH"},
      {Reason::None, &of_another_secret, "ACTIVE", "MISMATCH"},
      {Reason::KeySignature, &row, "ACTIVE", "BAD_SIGNATURE"},
      {Reason::KeyAlg, &row, "ACTIVE", "BAD_ALGORITHM"},
      {Reason::KeyClaims, &row, "ACTIVE", "BAD_CLAIMS"},
      {Reason::KeyNoSecret, &row, "ACTIVE", "NO_SECRET"},
      {Reason::KeyKid, &row, "SECRET_RETIRED", "SECRET_RETIRED"},
      {Reason::KeyKid, nullptr, "", "UNKNOWN_SECRET"},
      {Reason::KeyKid, &of_another_secret, "ACTIVE", "UNKNOWN_SECRET"},
  };
  for (const Case& each : cases) {
    const auto report = admin::read_token(base::SecretString(kToken), judged(each.reason));
    EXPECT_EQ(admin::verdict_of(report, each.key, each.status, 0), each.verdict);
  }
  auto report = admin::read_token(base::SecretString(kToken), judged(Reason::None));
  report.verification.key.expires_at_s = 50;
  EXPECT_EQ(admin::verdict_of(report, &row, "ACTIVE", 49'999), "ACTIVE");
  EXPECT_EQ(admin::verdict_of(report, &row, "ACTIVE", 50'000), "EXPIRED") << "whatever the row says";
}

class InspectRoute : public AdminWorld {};

TEST_F(InspectRoute, JudgesAsAVerifierDoesAndShowsNothingOfTheToken) {
  add_administrator();
  verify_token = [](const base::SecretString& token) {
    return judged(token == base::SecretString(kToken) ? Reason::KeySignature : Reason::KeyMalformed);
  };
  const Browser mine = browser("root");
  const auto inspect = [&](const std::string& body) {
    return router->handle(with(request(domain::Method::Post, "/api-keys/inspect", body), mine));
  };
  const std::size_t before = identities.events().size();
  const admin::Answer answer = inspect("{\"token\":\"" + kToken + "\"}");
  ASSERT_THAT(answer, Answers(200));
  EXPECT_EQ(answer.data->at("verdict").as_string(), "BAD_SIGNATURE");
  EXPECT_EQ(answer.data->at("signature"), base::json::value(false));
  EXPECT_TRUE(answer.data->at("status").is_null()) << "there is no such key";
  EXPECT_EQ(base::to_json(*answer.data).find("c2lnbmF0dXJl"), std::string::npos);
  EXPECT_EQ(identities.events().size(), before) << "nothing is recorded";
  EXPECT_EQ(inspect(R"({"token":"x"})").data->at("verdict").as_string(), "MALFORMED");
  EXPECT_THAT(inspect("{}"), IsRefused(domain::Fault::BadRequest));
  EXPECT_THAT(inspect(R"({"token":"x","kid":"y"})"), IsRefused(domain::Fault::BadRequest));
  add_user("olga", {std::string(service::kOperatorsGroupId)});
  EXPECT_THAT(router->handle(with(request(domain::Method::Post, "/api-keys/inspect", R"({"token":"x"})"), browser("olga"))),
              IsRefused(domain::Fault::UserPrivilege));
}

}  // namespace
}  // namespace funcgate::test
