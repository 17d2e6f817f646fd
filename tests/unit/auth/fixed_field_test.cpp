#include "auth/fixed_field.h"

#include "unit/auth/auth_fixture.h"

namespace funcgate::test {
namespace {

using auth::Needs;
using auth::Verdict;
using domain::FieldLocation;
using domain::Reason;

constexpr std::string_view kValue = "w9-Kq3vT-north";
constexpr std::string_view kTarget = "/api/v1/func-api/basket/s";

struct FixedField : AuthFixture {
  // The same value under a name at each place.
  auth::SchemePtr everywhere() {
    return scheme(shop({fixed("shop", "header", FieldLocation::Header, "X-Shop-Token", kValue),
                        fixed("shop", "query", FieldLocation::Query, "shop_token", kValue),
                        fixed("shop", "body", FieldLocation::Body, "shop_token", kValue),
                        fixed("shop", "nested", FieldLocation::Body, "auth.token", kValue),
                        fixed("shop", "dotted", FieldLocation::Body, "auth\\.token", kValue)}));
  }
  void expect(CallBuilder call, Verdict verdict, Reason reason, std::string_view name, const std::string& why) {
    const auto outcome = ask(*everywhere(), call);
    EXPECT_EQ(outcome.verdict, verdict) << why << ": " << domain::reason_token(outcome.reason);
    EXPECT_EQ(outcome.reason, reason) << why;
    EXPECT_EQ(outcome.principal ? outcome.principal->fields().name : "", name) << why;
  }
  void accepts(CallBuilder call, std::string_view name, const std::string& why) {
    expect(std::move(call), Verdict::Accepted, Reason::None, name, why);
  }
  void rejects(CallBuilder call, Reason reason, const std::string& why) {
    expect(std::move(call), Verdict::Rejected, reason, "", why);
  }
  static CallBuilder with(std::string_view target) { return std::move(a_call().post(target)); }
  static CallBuilder with_json(std::string_view text) { return std::move(a_call().post(kTarget).json(text)); }
  static CallBuilder with_form(std::string_view text) { return std::move(a_call().post(kTarget).form(text)); }
};

// authentication must-hold 18
TEST_F(FixedField, IsFoundInHeaderQueryAndBody) {
  for (const char* word : {"func-api", "sync", "async", "al"}) {
    for (const char* form : {"", "/s"}) {
      const std::string target = std::string("/api/v1/") + word + "/basket" + form;
      accepts(std::move(a_call().get(target).header("X-Shop-Token", kValue)), "header", target);
      accepts(std::move(a_call().get(target + "?sku=A7&shop_token=" + std::string(kValue))), "query", target);
      accepts(std::move(a_call().post(target).json(R"({"shop_token":"w9-Kq3vT-north","kwargs":{"sku":"A7"}})")), "body", target);
      accepts(std::move(a_call().post(target).form("sku=A7&shop_token=w9-Kq3vT-north")), "body", target);
    }
  }
  accepts(with_json(R"({"auth":{"token":"w9-Kq3vT-north"}})"), "nested", "a dot is a path");
  accepts(with_json(R"({"auth.token":"w9-Kq3vT-north"})"), "dotted", "an escaped dot is a dot");
  accepts(with_json(R"({"shop_token":"w9\u002dKq3vT-north"})"), "body", "escapes in JSON are decoded");
}

TEST_F(FixedField, ComparesExactBytes) {
  accepts(std::move(a_call().header("x-SHOP-token", "  w9-Kq3vT-north ")), "header", "name in any case, blanks around the value");
  accepts(with("/x?shop%5Ftoken=w9%2DKq3vT%2Dnorth"), "query", "decoded name and value");
  rejects(std::move(a_call().header("X-Shop-Token", "W9-Kq3vT-north")), Reason::FixedFieldMismatch, "another case");
  rejects(std::move(a_call().header("X-Shop-Token", "")), Reason::FixedFieldMismatch, "empty");
  rejects(with("/x?shop_token=w9-Kq3vT-north%00"), Reason::FixedFieldMismatch, "a NUL behind it");
  rejects(with("/x?shop_token=w9-Kq3vT-nort%"), Reason::FixedFieldMismatch, "a broken escape");
  rejects(with("/x?shop_token"), Reason::FixedFieldMismatch, "a name alone");
  rejects(with("/x?shop_token=" + std::string(5000, 'a')), Reason::FixedFieldMismatch, "very long");
  expect(std::move(a_call().header("X_Shop_Token", kValue)), Verdict::Absent, Reason::FixedFieldAbsent, "",
         "- and _ are different");
  expect(with("/x?Shop_token=w9-Kq3vT-north"), Verdict::Absent, Reason::FixedFieldAbsent, "", "query names have case");
  expect(with_json(R"({"kwargs":{"shop_token":"w9-Kq3vT-north"}})"), Verdict::Absent, Reason::FixedFieldAbsent, "",
         "another place in the body");
  expect(with_json(R"([{"shop_token":"w9-Kq3vT-north"}])"), Verdict::Absent, Reason::FixedFieldAbsent, "",
         "a list has no members");
  expect(std::move(a_call().post("/x").body("text/plain", "shop_token=w9-Kq3vT-north")), Verdict::Absent,
         Reason::FixedFieldAbsent, "", "the form of a body comes from its type only");
}

// authentication must-hold 21
TEST_F(FixedField, NeverMatchesWhenItOccursTwice) {
  rejects(std::move(a_call().header("X-Shop-Token", kValue).header("x-shop-token", kValue)), Reason::FixedFieldRepeated,
          "header");
  rejects(with("/x?shop_token=w9-Kq3vT-north&shop_token=w9-Kq3vT-north"), Reason::FixedFieldRepeated, "query");
  rejects(with("/x?shop_token=w9-Kq3vT-north&shop%5ftoken=w9-Kq3vT-north"), Reason::FixedFieldRepeated,
          "query, spelled differently");
  rejects(with_form("shop_token=w9-Kq3vT-north&shop_token="), Reason::FixedFieldRepeated, "urlencoded");
  CallBuilder twice = with_json(R"({"shop_token":"w9-Kq3vT-north","shop_token":"w9-Kq3vT-north"})");
  const auto outcome = ask(*everywhere(), twice);
  EXPECT_EQ(outcome.verdict, Verdict::Rejected);
  EXPECT_EQ(outcome.fault, domain::Fault::BadRequest) << "repeated JSON members";
  EXPECT_FALSE(outcome.counts) << "nobody showed a credential";
}

// authentication must-hold 22
TEST_F(FixedField, IsNeverEqualToWhatIsNoText) {
  for (const char* value : {"7", "true", "null", "\"\"", "[\"w9-Kq3vT-north\"]", "{}"}) {
    rejects(with_json("{\"shop_token\":" + std::string(value) + "}"), Reason::FixedFieldMismatch, value);
  }
  auto number = scheme(shop({fixed("shop", "n", FieldLocation::Body, "n", "7")}));
  EXPECT_EQ(ask(*number, with_json(R"({"n":7})")).verdict, Verdict::Rejected);
  EXPECT_EQ(ask(*number, with_json(R"({"n":"7"})")).verdict, Verdict::Accepted);
}

// authentication must-hold 23
TEST_F(FixedField, CountsInMultipartOnlyBeforeTheFirstFile) {
  const std::string field = "--B\r\nContent-Disposition: form-data; name=\"shop_token\"\r\n\r\nw9-Kq3vT-north\r\n";
  const std::string file =
      "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n" + std::string(10, 'x') + "\r\n";
  const auto multipart = [&](const std::string& body) {
    return std::move(a_call().post(kTarget).body("multipart/form-data; boundary=B", body));
  };
  accepts(multipart(field + file + "--B--\r\n"), "body", "before the file");
  expect(multipart(file + field + "--B--\r\n"), Verdict::Absent, Reason::FixedFieldAbsent, "", "behind the file");
  rejects(multipart(field + field + "--B--\r\n"), Reason::FixedFieldRepeated, "twice");
  const std::string padding =
      "--B\r\nContent-Disposition: form-data; name=\"pad\"\r\n\r\n" + std::string(auth::kBodyStartBytes, 'p') + "\r\n";
  expect(multipart(padding + field + "--B--\r\n"), Verdict::Absent, Reason::FixedFieldAbsent, "", "beyond 64 KiB");
  CallBuilder unread = std::move(a_call().post(kTarget).body_to_come("multipart/form-data; boundary=B", 10'000'000'000));
  EXPECT_EQ(everywhere()->needs(auth_call(unread), thread), Needs::HeadAndBodyStart) << "never the file";
  unread.arrives(field + file, false);
  EXPECT_EQ(ask(*everywhere(), unread).verdict, Verdict::Accepted) << "the rest of the body is not needed";
}

TEST_F(FixedField, AsksForTheBodyOnlyIfTheHeadDoesNotDecide) {
  auto made = everywhere();
  CallBuilder by_header = std::move(a_call().post(kTarget).header("X-Shop-Token", kValue).body_to_come("application/json", 100));
  EXPECT_EQ(made->needs(auth_call(by_header), thread), Needs::Head);
  CallBuilder by_body = std::move(a_call().post(kTarget).body_to_come("application/json", 100));
  EXPECT_EQ(made->needs(auth_call(by_body), thread), Needs::HeadAndBody);
  CallBuilder other_body = std::move(a_call().post(kTarget).body_to_come("application/octet-stream", 100));
  EXPECT_EQ(made->needs(auth_call(other_body), thread), Needs::Head);
  by_body.arrives(R"({"shop_token":"w9-)", false);
  const auto outcome = ask(*made, by_body);
  EXPECT_EQ(outcome.fault, domain::Fault::BodyTooLarge);
  EXPECT_EQ(outcome.reason, Reason::AuthBodyTooLarge);
  EXPECT_FALSE(outcome.counts);
}

TEST_F(FixedField, RotatesWithTwoEntriesOfOneName) {
  auto old_entry = fixed("shop", "old", FieldLocation::Header, "x-shop-token", "old-secret");
  old_entry.not_after_ms = kStartMs + 1000;
  auto off = fixed("shop", "off", FieldLocation::Header, "x-shop-token", "off-secret");
  off.disabled = true;
  auto made = scheme(shop({old_entry, off, fixed("shop", "new", FieldLocation::Header, "x-shop-token", "new-secret")}));
  const auto ask_with = [&](std::string_view value) { return ask(*made, std::move(a_call().header("X-Shop-Token", value))); };
  EXPECT_EQ(ask_with("old-secret").verdict, Verdict::Accepted);
  EXPECT_EQ(ask_with("new-secret").verdict, Verdict::Accepted);
  EXPECT_EQ(ask_with("off-secret").reason, Reason::FixedFieldExpired);
  clock.advance_ms(1001);
  EXPECT_EQ(ask_with("old-secret").reason, Reason::FixedFieldExpired);
  EXPECT_EQ(ask_with("new-secret").verdict, Verdict::Accepted);
}

TEST_F(FixedField, HashIsBoundToConfigurationPlaceAndName) {
  const auto hash = [&](std::string_view id, FieldLocation location, const char* name) {
    return auth::fixed_field_hash(pepper_hash, id, {location, name}, kValue);
  };
  const std::string original = hash("shop", FieldLocation::Header, "x-a");
  EXPECT_EQ(original, hash("shop", FieldLocation::Header, "X-A")) << "header names have no case";
  EXPECT_NE(original, hash("shop2", FieldLocation::Header, "x-a"));
  EXPECT_NE(original, hash("shop", FieldLocation::Query, "x-a"));
  EXPECT_NE(original, hash("shop", FieldLocation::Header, "x-b"));
}

// authentication must-hold 34, for fields
TEST_F(FixedField, EntryWithoutValueAdmitsNobody) {
  auto empty = fixed("shop", "empty", FieldLocation::Header, "x-shop-token", "");
  empty.value_hash.clear();
  auto broken = empty;
  broken.value_hash = "zz";
  auto made = scheme(shop({empty, broken}));
  for (const char* value : {"", "zz", "x"})
    EXPECT_EQ(ask(*made, std::move(a_call().header("X-Shop-Token", value))).verdict, Verdict::Rejected);
}

// authentication must-hold 19
TEST_F(FixedField, NamesEveryFieldToBeRemoved) { EXPECT_EQ(everywhere()->credential_fields().size(), 5u); }

}  // namespace
}  // namespace funcgate::test
