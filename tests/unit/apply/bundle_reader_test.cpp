#include "service/apply/bundle_reader.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "service/apply/validate.h"
#include "support/fake_clock.h"
#include "support/temporary_folder.h"

namespace funcgate::service {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::optional<std::string> environment(const std::string& name) {
  return name == "MIA_PASSWORD" ? std::optional<std::string>("long pass:word") : std::nullopt;
}
std::vector<std::string> texts(const std::vector<Problem>& problems) {
  std::vector<std::string> out;
  for (const Problem& problem : problems) out.push_back(problem.text());
  return out;
}

class BundleReaderTest : public ::testing::Test {
 protected:
  Bundle read() {
    problems_.clear();
    return read_bundle(folder_.path(), environment, problems_);
  }
  test::TemporaryFolder folder_;
  std::vector<Problem> problems_;
};

TEST_F(BundleReaderTest, ReadsEveryDocumentBelowTheFolder) {
  folder_.write("b.yaml",
                "kind: EnvVariable\nmetadata: {name: B}\nspec: {value: x}\n---\nkind: EnvVariable\nmetadata: {name: C}\nspec: "
                "{value: x}\n");
  folder_.write("a/x.yml", "{apiVersion: funcgate/v1, kind: EnvVariable, metadata: {name: A}, spec: {value: x}}");
  folder_.write(".git/z.yaml", "not: [valid");
  folder_.write("notes.txt", "not: [valid");
  const Bundle bundle = read();
  EXPECT_THAT(texts(problems_), IsEmpty());
  ASSERT_THAT(bundle.documents, SizeIs(3));
  EXPECT_EQ(bundle.documents[0].file, "a/x.yml");
  EXPECT_EQ(bundle.documents[1].name, "B");
  EXPECT_EQ(bundle.documents[2].line_of("value"), 7);
  EXPECT_EQ(bundle.documents[2].line_of("id"), 6);
  EXPECT_EQ(bundle.documents[2].line_of("nothing"), 4) << "the closest member around it: the document";
}

TEST_F(BundleReaderTest, InlinesScriptsAndKnowsTheirFiles) {
  folder_.write("sales/set.yaml",
                "kind: ScriptSet\nmetadata: {name: sales}\nspec:\n  scripts:\n    prices: {file: prices.py}\n    tools: {file: "
                "../shared/tools.py, title: T}\n");
  folder_.write("sales/prices.py", "x = 1\n");
  folder_.write("shared/tools.py", "y = 2\n");
  const Bundle bundle = read();
  EXPECT_THAT(texts(problems_), IsEmpty());
  EXPECT_EQ(base::to_json(bundle.documents.at(0).spec),
            R"({"scripts":{"prices":{"source":"x = 1\n"},"tools":{"title":"T","source":"y = 2\n"}}})");
  EXPECT_EQ(bundle.documents[0].files.at("scripts.prices"), "sales/prices.py");
}

TEST_F(BundleReaderTest, NeverReadsScriptsOutsideOfTheFolder) {
  test::TemporaryFolder outside;
  outside.write("secret.py", "secret");
  std::filesystem::create_symlink(outside / "secret.py", folder_ / "link.py");
  folder_.write("set.yaml", "kind: ScriptSet\nmetadata: {name: sales}\nspec:\n  scripts:\n    a: {file: ../" +
                                std::filesystem::path(outside.path()).filename().string() +
                                "/secret.py}\n    b: {file: " + (outside / "secret.py") +
                                "}\n    c: {file: link.py}\n    d: {file: missing.py}\n    e: {file: .}\n");
  const Bundle bundle = read();
  EXPECT_EQ(base::to_json(bundle.documents.at(0).spec).find("secret\""), std::string::npos);
  ASSERT_THAT(problems_, SizeIs(5));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(problems_[static_cast<std::size_t>(i)].text(), HasSubstr("is outside of the folder"));
    EXPECT_EQ(problems_[static_cast<std::size_t>(i)].line, 5 + i);
  }
  EXPECT_THAT(problems_[3].text(), HasSubstr("set.yaml:8: scripts.d.file: cannot read \"missing.py\""));
}

TEST_F(BundleReaderTest, TakesSecretsOutOfTheSpec) {
  folder_.write("mia.pw", "file-password-1\n");
  folder_.write("staff.yaml", R"(
kind: ApiAuthentication
metadata: {name: staff}
spec:
  type: httpBasic
  users:
    - {username: mia, passwordFrom: {env: MIA_PASSWORD}}
    - {username: jo, passwordFrom: {file: mia.pw}}
    - {username: kim, password: inline-password-2}
    - {username: pat, passwordFrom: {keystore: pat}}
)");
  const Bundle bundle = read();
  EXPECT_THAT(texts(problems_), IsEmpty());
  const BundleDocument& staff = bundle.documents.at(0);
  EXPECT_EQ(staff.secrets.at("users[0].password").reveal(), "long pass:word");
  EXPECT_EQ(staff.secrets.at("users[1].password").reveal(), "file-password-1");
  EXPECT_EQ(staff.secrets.at("users[2].password").reveal(), "inline-password-2");
  EXPECT_FALSE(staff.secrets.contains("users[3].password"));
  EXPECT_EQ(base::to_json(staff.spec).find("inline-password"), std::string::npos);
  const auto travelled = bundle_from_json(to_json(bundle).reveal());
  ASSERT_TRUE(travelled.ok());
  EXPECT_EQ(travelled->documents[0].secrets.at("users[1].password").reveal(), "file-password-1");
  EXPECT_EQ(travelled->documents[0].spec, staff.spec);
  EXPECT_EQ(travelled->documents[0].line_of("users[2].username"), 9);
  EXPECT_EQ(travelled->documents[0].file, "staff.yaml");
}

TEST_F(BundleReaderTest, SaysWhichSecretIsMissingAndWhere) {
  folder_.write("staff.yaml",
                "kind: ApiAuthentication\nmetadata: {name: staff}\nspec:\n  type: httpBasic\n  users:\n    - username: mia\n     "
                " passwordFrom: {env: NOT_SET}\n"
                "    - username: jo\n      password: one-password\n      passwordFrom: {env: MIA_PASSWORD}\n");
  read();
  EXPECT_THAT(texts(problems_), ElementsAre("staff.yaml:9: users[1].password: give it here or with passwordFrom, not both",
                                            "staff.yaml:7: users[0].passwordFrom: environment variable NOT_SET is not set"));
}

TEST_F(BundleReaderTest, NamesFileAndLineOfBrokenYaml) {
  folder_.write("a.yaml", "kind: [\n");
  folder_.write("b.yaml", "kind: EnvVariable\nkind: EnvVariable\nmetadata: {name: B}\nspec: {value: x}\n");
  read();
  ASSERT_THAT(problems_, SizeIs(2));
  EXPECT_THAT(problems_[0].text(), HasSubstr("a.yaml:"));
  EXPECT_EQ(problems_[1].text(), "b.yaml:2: kind: is written twice");
}

TEST_F(BundleReaderTest, AFolderWithoutDocumentsIsASlip) {
  read();
  EXPECT_THAT(texts(problems_), ElementsAre(HasSubstr("holds no *.yaml")));
  EXPECT_THAT((read_bundle(folder_ / "missing", environment, problems_), texts(problems_)),
              Contains(HasSubstr("cannot be read")));
}

TEST(BundleJson, RefusesWhatIsNoBundle) {
  for (
      const char* text :
      {"", "[]", "{}", R"({"apiVersion":"funcgate/v2","documents":[]})", R"({"apiVersion":"funcgate/v1","documents":[1]})",
       R"({"apiVersion":"funcgate/v1",
            "documents":[{"kind":"FuncApi","name":"x","spec":[],"lines":{},"secrets":{},"files":{}}]})"}) {
    EXPECT_FALSE(bundle_from_json(text).ok()) << text;
  }
}

TEST(ValidateFolder, ReportsEverythingWithItsPlace) {
  test::TemporaryFolder folder;
  folder.write("all.yaml", R"(kind: ApiAuthentication
metadata: {name: shop}
spec:
  type: fixedField
  fields:
    - {label: north, location: header, name: Host, value: w9-Kq3vT-w9-Kq3vT}
---
kind: FuncApi
metadata: {name: "bad id"}
spec:
  funcId: sales__prices.quote
  apiAuthIds: [shop]
  timeout: 9999
---
kind: Table
metadata: {name: Companies}
spec: {}
---
kind: FuncApi
metadata: {name: quote}
spec: {funcId: sales__prices.quote, apiAuthIds: [elsewhere]}
---
kind: FuncApi
metadata: {name: quote}
spec: {funcId: sales__prices.quote, apiAuthIds: [shop]}
)");
  const ApplyResult result = validate_folder(folder.path(), environment, test::kStartMs);
  EXPECT_THAT(
      texts(result.problems),
      ElementsAre(
          "all.yaml:6: fields[0].name: this header cannot carry a credential",
          "all.yaml:9: id: must match ^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$", "all.yaml:13: timeout: must be between 1 and 3600",
          "all.yaml:15: kind: this release knows the kinds ApiAuthentication, Application, EnvVariable, FuncApi, PasswordPolicy, "
                                   "PrivilegeAudit, Role, ScriptSet, SecretKey, User, UserGroup, not \"Table\"",
          "all.yaml:24: id: FuncApi quote is written twice, first at all.yaml:20"));
}

TEST(ValidateFolder, NeedsNeitherServerNorKeystore) {
  test::TemporaryFolder folder;
  folder.write("all.yaml", R"(
{kind: ApiAuthentication, metadata: {name: shop}, spec: {type: fixedField,
  fields: [{label: north, location: header, name: X-Shop-Token, valueFrom: {keystore: shop-north}}]}}
---
{kind: ApiAuthentication, metadata: {name: staff}, spec: {type: httpBasic, users: [{username: mia, passwordFrom: {keep: true}}]}}
---
{kind: FuncApi, metadata: {name: quote}, spec: {funcId: sales__prices.quote, apiAuthIds: [shop]}}
)");
  const ApplyResult result = validate_folder(folder.path(), environment, test::kStartMs);
  EXPECT_THAT(texts(result.problems), IsEmpty());
  EXPECT_THAT(result.objects, SizeIs(3));
}

}  // namespace
}  // namespace funcgate::service
