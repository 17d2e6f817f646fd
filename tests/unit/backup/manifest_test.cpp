#include "backup/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace funcgate::backup {
namespace {

using base::Code;
using ::testing::HasSubstr;
namespace json = base::json;

Manifest a_manifest() {
  const std::string hash(64, 'a');
  return {.product_version = "1.2.3",
          .created_ms = 1'790'000'000'120,
          .schemas = {{"funcgate.db", 2}, {"journal.db", 3}},
          .members = {{"funcgate.db", 10, hash}, {"journal.db", 5'000'000'000, hash}, {"run/calls/TASK-1/ä b.txt", 0, hash}},
          .left_out = {"resources/x was left out"},
          .sealing = {{"0123456789abcdef", 7}},
          .peppers = {},
          .signing = {{"fedcba9876543210", 1}},
          .unfinished_tasks = 4};
}

json::object document() { return base::parse_json(to_text(a_manifest()))->get_object(); }

TEST(MemberName, OnlyWhatABackupIsMadeOf) {
  for (const char* name : {"funcgate.db", "journal.db", "keystore.p12", "key-overlaps.json", "resources/shop/prices.csv",
                           "resources/shop/deep/er/ä ö.csv", "run/calls/TASK-0/file-0", "resources/..x", "resources/.hidden"})
    EXPECT_TRUE(is_member_name(name)) << name;
  const std::string_view bad[] = {"",
                                  "manifest.json",
                                  "lock",
                                  "keystore-password",
                                  "setup-token",
                                  "control.sock",
                                  "funcgate.db-wal",
                                  "/funcgate.db",
                                  "./funcgate.db",
                                  "funcgate.db/",
                                  "resources",
                                  "resources/",
                                  "resources//a",
                                  "resources/a/",
                                  "resources/../keystore-password",
                                  "resources/a/../../x",
                                  "resources/./a",
                                  "run/calls/..",
                                  "run/other/a",
                                  "/resources/a",
                                  "resources/a\\b",
                                  "resources/a\nb",
                                  std::string_view("resources/a\0b", 13),
                                  "resources/\xff",
                                  "RESOURCES/a"};
  for (const std::string_view name : bad) EXPECT_FALSE(is_member_name(name)) << name;
  EXPECT_TRUE(is_member_name("resources/" + std::string(990, 'a')));
  EXPECT_FALSE(is_member_name("resources/" + std::string(991, 'a')));
}

TEST(Manifest, ReadsWhatItWrites) {
  const Manifest written = a_manifest();
  const auto read = read_manifest(to_text(written));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->product_version, written.product_version);
  EXPECT_EQ(read->created_ms, written.created_ms);
  EXPECT_EQ(read->schemas, written.schemas);
  ASSERT_EQ(read->members.size(), 3u);
  EXPECT_EQ(read->members[1].bytes, 5'000'000'000);
  EXPECT_EQ(read->members[2].name, "run/calls/TASK-1/ä b.txt");
  EXPECT_EQ(read->members[2].sha256, std::string(64, 'a'));
  EXPECT_EQ(read->left_out, written.left_out);
  EXPECT_EQ(read->sealing, written.sealing);
  EXPECT_EQ(read->peppers, written.peppers);
  EXPECT_EQ(read->signing, written.signing);
  EXPECT_EQ(read->unfinished_tasks, 4);
  EXPECT_EQ(read->bytes(), 5'000'000'010);
}

TEST(Manifest, EveryDeviationIsRefused) {
  const std::pair<const char*, std::function<void(json::object&)>> cases[] = {
      {"a member of the document more", [](json::object& it) { it["more"] = 1; }},
      {"no format", [](json::object& it) { it.erase("format"); }},
      {"another product", [](json::object& it) { it["product"] = "other"; }},
      {"no time", [](json::object& it) { it["createdAt"] = nullptr; }},
      {"no members", [](json::object& it) { it["members"] = json::array(); }},
      {"members of the wrong type", [](json::object& it) { it["members"] = "all"; }},
      {"no keys", [](json::object& it) { it.erase("keys"); }},
      {"a key without a kid", [](json::object& it) { it["keys"].get_object()["sealing"] = json::object{{"x", 1}}; }},
      {"a count that is no number",
       [](json::object& it) { it["keys"].get_object()["peppers"] = json::object{{"0123456789abcdef", "1"}}; }},
      {"no schema of the journal", [](json::object& it) { it["databases"].get_object().erase("journal.db"); }},
      {"a schema of a third database", [](json::object& it) { it["databases"].get_object()["x.db"] = 1; }},
      {"a negative size", [](json::object& it) { it["members"].get_array()[0].get_object()["bytes"] = -1; }},
      {"a short checksum", [](json::object& it) { it["members"].get_array()[0].get_object()["sha256"] = "ab"; }},
      {"a checksum of other letters",
       [](json::object& it) { it["members"].get_array()[0].get_object()["sha256"] = std::string(64, 'G'); }},
      {"a path that leads out", [](json::object& it) { it["members"].get_array()[2].get_object()["name"] = "resources/../x"; }},
      {"a member twice", [](json::object& it) { it["members"].get_array().push_back(it["members"].get_array()[0]); }},
  };
  for (const auto& [what, spoil] : cases) {
    json::object spoilt = document();
    spoil(spoilt);
    const auto read = read_manifest(base::to_json(spoilt));
    ASSERT_FALSE(read.ok()) << what;
    EXPECT_EQ(read.error().code, Code::InvalidArgument) << what;
  }
  EXPECT_TRUE(read_manifest(base::to_json(document())).ok());
  for (const char* text : {"", "{", "[]", "null"}) EXPECT_FALSE(read_manifest(text).ok()) << text;
}

TEST(Manifest, FormatOfANewerReleaseSaysSo) {
  json::object newer = document();
  newer["format"] = 2;
  newer["somethingNew"] = true;
  const auto read = read_manifest(base::to_json(newer));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Code::FailedPrecondition);
  EXPECT_THAT(read.error().message, HasSubstr("newer"));
}

}  // namespace
}  // namespace funcgate::backup
