#include "domain/identity.h"

#include <gtest/gtest.h>

#include <set>

#include "support/fake_random.h"

namespace funcgate::domain {
namespace {

TEST(Identity, MakesIdsOfPrefixAndSixteenCharacters) {
  EXPECT_EQ(make_id(IdPrefix::User, std::string(10, '\0')), "usr-aaaaaaaaaaaaaaaa");
  EXPECT_EQ(make_id(IdPrefix::ApiKey, std::string(10, '\xff')), "key-7777777777777777");
  // RFC 4648, 10: BASE32("foobar") = MZXW6YTBOI; and the bits go on.
  EXPECT_EQ(make_id(IdPrefix::Role, "foobarfoob").substr(0, 13), "rol-mzxw6ytbo");
  test::FakeRandom random;
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = make_id(IdPrefix::UserGroup, random.bytes(10));
    EXPECT_TRUE(is_id(IdPrefix::UserGroup, id)) << id;
    EXPECT_FALSE(is_id(IdPrefix::Role, id)) << id;
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000U);
}

TEST(Identity, TellsIdsFromOtherTexts) {
  EXPECT_TRUE(is_id(IdPrefix::User, kSystemUserId));
  EXPECT_FALSE(is_id(IdPrefix::ApiKey, kSystemUserId));
  for (const char* text : {"", "usr-", "usr-aaaaaaaaaaaaaaa", "usr-aaaaaaaaaaaaaaaaa", "usr-aaaaaaaaaaaaaaa1",
                           "usr-AAAAAAAAAAAAAAAA", "USR-aaaaaaaaaaaaaaaa", "usr_aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_FALSE(is_id(IdPrefix::User, text)) << text;
  }
}

}  // namespace
}  // namespace funcgate::domain
