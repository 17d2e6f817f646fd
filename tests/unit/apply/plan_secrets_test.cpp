#include "domain/api_auth_json.h"
#include "resource_fixture.h"

namespace funcgate::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PlanSecretsTest : public ResourceTest {
 protected:
  static std::string shop(const std::string& fields) {
    return "kind: ApiAuthentication\nmetadata: {name: shop}\nspec:\n  type: fixedField\n  fields:\n" + fields;
  }
  static std::string users(const std::string& type, const std::string& list, const std::string& more = "") {
    return "kind: ApiAuthentication\nmetadata: {name: staff}\nspec:\n  type: " + type + "\n" + more + "  users:\n" + list;
  }
  const domain::FixedFieldEntry& field(std::size_t index) {
    return std::get<domain::FixedFieldConfig>(live_->api_authentications.at("shop").value.config).fields.at(index);
  }
  const domain::BasicUser& basic(std::size_t index) {
    return std::get<domain::BasicConfig>(live_->api_authentications.at("staff").value.config).users.at(index);
  }
  const domain::DigestUser& digest(std::size_t index) {
    return std::get<domain::DigestConfig>(live_->api_authentications.at("staff").value.config).users.at(index);
  }
};

constexpr const char* kNorth = "    - {label: north, location: header, name: X-Shop-Token, value: w9-Kq3vT-w9-Kq3vT}\n";

TEST_F(PlanSecretsTest, AFieldIsStoredAsHashOnly) {
  apply(shop(kNorth));
  EXPECT_EQ(field(0).value_hash, *codec_.field_hash("shop", field(0).field, "w9-Kq3vT-w9-Kq3vT"));
  EXPECT_EQ(domain::to_stored_json(live_->api_authentications.at("shop").value).find("w9-Kq3"), std::string::npos);
}

TEST_F(PlanSecretsTest, ANewFieldValueIsAChangeAndTheSameIsNot) {
  apply(shop(kNorth));
  const std::int64_t set_at = field(0).value_set_at;
  EXPECT_THAT(applied(shop(kNorth)), ElementsAre("ApiAuthentication shop: unchanged"));
  const ApplyResult result =
      apply(shop("    - {label: north, location: header, name: X-Shop-Token, value: another-value-5678}\n"));
  EXPECT_THAT(report(result), ElementsAre("ApiAuthentication shop: changed (fields[north].value)"));
  EXPECT_EQ(result.objects[0].fields[0].after, "\"********\"");
  EXPECT_GT(field(0).value_set_at, set_at);
}

TEST_F(PlanSecretsTest, KeepAndSilenceKeepAValue) {
  apply(shop(kNorth));
  const std::string hash = field(0).value_hash;
  for (const char* how : {", valueFrom: {keep: true}", ""}) {
    EXPECT_THAT(applied(shop(std::string("    - {label: north, location: header, name: X-Shop-Token") + how + "}\n")),
                ElementsAre("ApiAuthentication shop: unchanged"));
  }
  EXPECT_EQ(field(0).value_hash, hash);
}

TEST_F(PlanSecretsTest, ANewRenamedOrMovedFieldNeedsItsValue) {
  EXPECT_THAT(applied(shop("    - {label: north, location: header, name: X-Shop-Token}\n")),
              ElementsAre(HasSubstr("fields[0].value: a new entry needs a value")));
  apply(shop(kNorth));
  EXPECT_THAT(applied(shop("    - {label: south, location: header, name: X-Shop-Token}\n")),
              ElementsAre(HasSubstr("a new entry needs a value")));
  for (const char* moved : {"name: X-Other, location: header", "name: x-shop-token, location: query"}) {
    EXPECT_THAT(applied(shop(std::string("    - {label: north, ") + moved + ", valueFrom: {keep: true}}\n")),
                ElementsAre(HasSubstr("fields[0].value: a changed name or location needs the value again")));
  }
}

TEST_F(PlanSecretsTest, KeepOnAnEmptyInstanceAdmitsNobodyAndSaysSo) {
  const ApplyResult result = apply(shop("    - {label: north, location: header, name: X-Shop-Token, valueFrom: {keep: true}}\n"));
  EXPECT_THAT(report(result), ElementsAre("ApiAuthentication shop: created"));
  EXPECT_THAT(warnings(result), ElementsAre(HasSubstr("fields[0].value: is not set: the entry admits nobody until it is")));
  EXPECT_EQ(field(0).value_hash, "");
}

TEST_F(PlanSecretsTest, ValuesComeFromTheKeystoreOrTheProblemNamesTheAlias) {
  vault_.aliases["shop-north"] = "a-value-of-the-keystore";
  const std::string from =
      shop("    - {label: north, location: header, name: X-Shop-Token, valueFrom: {keystore: shop-north}}\n");
  EXPECT_THAT(applied(from), ElementsAre("ApiAuthentication shop: created"));
  EXPECT_THAT(applied(from), ElementsAre("ApiAuthentication shop: unchanged"));
  vault_.aliases.clear();
  EXPECT_THAT(applied(from), ElementsAre("all.yaml:6: fields[0].valueFrom: the keystore has no alias \"shop-north\""));
}

TEST_F(PlanSecretsTest, TheServerReadsNoFileOrEnvironmentForASender) {
  Bundle bundle = bundle_of(shop(kNorth));
  bundle.documents[0].secrets.clear();
  for (const char* source : {"env", "file"}) {
    bundle.documents[0].spec["fields"].get_array()[0].get_object()["valueFrom"] = base::json::object{{source, "/etc/hostname"}};
    EXPECT_THAT(report(*service_->apply(bundle, {})), ElementsAre(HasSubstr("resolved by the command line only")));
  }
}

TEST_F(PlanSecretsTest, AMissingPepperIsToldWithItsRemedy) {
  codec_.broken = "password pepper \"pepperKey\" is missing from the keystore";
  EXPECT_THAT(applied(shop(kNorth)), ElementsAre(HasSubstr("fields[0].value: password pepper \"pepperKey\" is missing")));
  EXPECT_TRUE(live_->api_authentications.empty());
}

TEST_F(PlanSecretsTest, ReportsNeverHoldASecret) {
  const std::string short_value = "s3cret!";
  const ApplyResult result =
      apply(shop("    - {label: north, location: header, name: X-Shop-Token, value: " + short_value + "}\n"));
  EXPECT_THAT(report(result), ElementsAre("all.yaml:6: fields[0].value: must have at least 8 bytes"));
  EXPECT_EQ(base::to_json(to_json(result)).find(short_value), std::string::npos);
}

constexpr const char* kMia = "    - {username: mia, password: 'long pass:word'}\n";

TEST_F(PlanSecretsTest, TheSamePasswordIsNotHashedAgain) {
  apply(users("httpBasic", kMia));
  const std::string hash = basic(0).password_hash;
  EXPECT_TRUE(*codec_.verify_password("long pass:word", hash));
  EXPECT_THAT(applied(users("httpBasic", kMia)), ElementsAre("ApiAuthentication staff: unchanged"));
  EXPECT_EQ(codec_.passwords_hashed, 1);
  EXPECT_THAT(applied(users("httpBasic", "    - {username: mia, password: 'another password'}\n")),
              ElementsAre("ApiAuthentication staff: changed (users[mia].password)"));
  EXPECT_NE(basic(0).password_hash, hash);
}

TEST_F(PlanSecretsTest, UsersAreKnownByTheirNames) {
  apply(users("httpBasic", kMia));
  const std::string hash = basic(0).password_hash;
  EXPECT_THAT(applied(users("httpBasic", "    - {username: jo, password: 'jo has a password'}\n    - {username: mia}\n")),
              ElementsAre("ApiAuthentication staff: changed (users, users[jo].password)"));
  EXPECT_EQ(basic(1).password_hash, hash);
  EXPECT_THAT(applied(users("httpBasic", "    - {username: pat}\n")),
              ElementsAre(HasSubstr("users[0].password: a new user needs a password")));
  EXPECT_THAT(applied(users("httpBasic", "    - {username: mia}\n")), ElementsAre("ApiAuthentication staff: changed (users)"));
  EXPECT_EQ(std::get<domain::BasicConfig>(live_->api_authentications.at("staff").value.config).users.size(), 1u)
      << "left out means deleted";
}

TEST_F(PlanSecretsTest, PasswordsAreNormalised) {
  apply(users("httpBasic", "    - {username: mia, password: \"pa\\u0308ssword\"}\n"));
  EXPECT_TRUE(*codec_.verify_password("p\xC3\xA4ssword", basic(0).password_hash));
}

TEST_F(PlanSecretsTest, DigestSealsTheHa1OfEachAlgorithmInItsPlace) {
  apply(users("httpDigest", kMia));
  const auto ha1 = vault_.open(digest(0).sealed_ha1.at(0), {"staff", "mia", "SHA-256", "staff"});
  ASSERT_TRUE(ha1.ok());
  EXPECT_EQ(ha1->reveal(), crypto::sha256_hex("mia:staff:long pass:word"));
  EXPECT_EQ(vault_.open(digest(0).sealed_ha1.at(1), {"staff", "mia", "MD5", "staff"})->reveal(),
            crypto::md5_hex("mia:staff:long pass:word"));
  EXPECT_FALSE(vault_.open(digest(0).sealed_ha1.at(1), {"staff", "mia", "SHA-256", "staff"}).ok());
  EXPECT_FALSE(vault_.open(digest(0).sealed_ha1.at(0), {"other", "mia", "SHA-256", "staff"}).ok());
}

TEST_F(PlanSecretsTest, TheSameDigestPasswordIsUnchanged) {
  apply(users("httpDigest", kMia));
  const auto sealed = digest(0).sealed_ha1;
  EXPECT_THAT(applied(users("httpDigest", kMia)), ElementsAre("ApiAuthentication staff: unchanged"));
  EXPECT_THAT(applied(users("httpDigest", "    - {username: mia, passwordFrom: {keep: true}}\n")),
              ElementsAre("ApiAuthentication staff: unchanged"));
  EXPECT_EQ(digest(0).sealed_ha1, sealed);
  EXPECT_THAT(applied(users("httpDigest", "    - {username: mia, password: another password}\n")),
              ElementsAre("ApiAuthentication staff: changed (users[mia].password)"));
}

TEST_F(PlanSecretsTest, ANewRealmOrAlgorithmNeedsThePasswords) {
  const std::string keep = "    - {username: mia}\n    - {username: jo}\n";
  apply(users("httpDigest", std::string(kMia) + "    - {username: jo, password: 'jo has a password'}\n"));
  EXPECT_THAT(applied(users("httpDigest", keep, "  realm: other\n")),
              ElementsAre(HasSubstr("realm: a new realm needs new passwords for: mia, jo")));
  EXPECT_THAT(applied(users("httpDigest", keep, "  algorithms: [SHA-512-256, SHA-256]\n")),
              ElementsAre(HasSubstr("algorithms: users without this algorithm: mia, jo")));
  EXPECT_THAT(applied(users("httpDigest", keep, "  algorithms: [SHA-256]\n")),
              ElementsAre("ApiAuthentication staff: changed (algorithms)"));
  EXPECT_EQ(digest(0).sealed_ha1.size(), 1u);
  EXPECT_TRUE(vault_.open(digest(0).sealed_ha1.at(0), {"staff", "mia", "SHA-256", "staff"}).ok());
}

TEST_F(PlanSecretsTest, ATypeNeverChanges) {
  apply(users("httpDigest", kMia));
  EXPECT_THAT(applied(users("httpBasic", kMia)), ElementsAre(HasSubstr("type: the type of a configuration cannot be changed")));
}

TEST_F(PlanSecretsTest, PasswordsOfVariablesAreSealedAndComparedByOpening) {
  const std::string token =
      "{kind: EnvVariable, metadata: {name: TOKEN}, spec: {type: password, scriptSets: ['*'], value: secret-token}}\n";
  apply(token);
  const std::string sealed = live_->env_variables.at("TOKEN").value.value;
  EXPECT_EQ(vault_.open(sealed, {"env", "TOKEN"})->reveal(), "secret-token");
  EXPECT_THAT(applied(token), ElementsAre("EnvVariable TOKEN: unchanged"));
  EXPECT_THAT(
      applied(
          "{kind: EnvVariable, metadata: {name: TOKEN}, spec: {type: password, scriptSets: ['*'], valueFrom: {keep: true}}}\n"),
      ElementsAre("EnvVariable TOKEN: unchanged"));
  EXPECT_EQ(live_->env_variables.at("TOKEN").value.value, sealed);
  EXPECT_THAT(
      applied("{kind: EnvVariable, metadata: {name: TOKEN}, spec: {type: password, scriptSets: ['*'], value: other-token}}\n"),
      ElementsAre("EnvVariable TOKEN: changed (value)"));
  EXPECT_THAT(applied("{kind: EnvVariable, metadata: {name: NEW}, spec: {type: password}}\n"),
              ElementsAre(HasSubstr("a new password needs a value")));
}

}  // namespace
}  // namespace funcgate::service
