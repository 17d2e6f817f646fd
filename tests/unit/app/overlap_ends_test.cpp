#include "app/overlap_ends.h"

#include <gtest/gtest.h>

#include "support/temporary_folder.h"

namespace funcgate::app {
namespace {

TEST(OverlapEndsTest, AreReadAsTheyWereWritten) {
  const test::TemporaryFolder folder;
  for (const OverlapEnds& ends :
       {OverlapEnds{}, OverlapEnds{{{"a", 1}, {"b", 4'102'444'800'000}}, false}, OverlapEnds{{{"a", 0}}, true}}) {
    folder.write("ends", to_json(ends));
    const auto read = read_overlap_ends(folder / "ends");
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(*read, ends) << to_json(ends);
  }
}

TEST(OverlapEndsTest, AnythingElseIsDamagedAndNotEmpty) {
  const test::TemporaryFolder folder;
  for (const char* text : {"", "{", "[]", "null", R"({"a":"soon"})", R"({"a":1,"b":1.5})", R"({"*":null})"}) {
    folder.write("ends", text);
    const auto read = read_overlap_ends(folder / "ends");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().code, base::Code::DataLoss) << text;
  }
  EXPECT_EQ(read_overlap_ends(folder / "none").error().code, base::Code::NotFound);
}

TEST(OverlapEndsTest, OfTwoListsEachSecretGetsTheEarlierEnd) {
  const OverlapEnds one{{{"both", 10}, {"same", 5}, {"one", 1}}, false}, other{{{"both", 7}, {"same", 5}, {"other", 2}}, false};
  const OverlapEnds expected{{{"both", 7}, {"same", 5}, {"one", 1}, {"other", 2}}, false};
  EXPECT_EQ(merged(one, other), expected);
  EXPECT_EQ(merged(other, one), expected);
  EXPECT_EQ(merged(one, {}), one);
}

TEST(OverlapEndsTest, WhatOneListLostTheOtherTellsAndTheRestIsOver) {
  const OverlapEnds lost{{{"a", 3}}, true}, whole{{{"a", 9}, {"b", 4}}, false};
  const OverlapEnds expected{{{"a", 3}, {"b", 4}}, true};
  EXPECT_EQ(merged(lost, whole), expected);
  EXPECT_EQ(merged(whole, lost), expected);
}

}  // namespace
}  // namespace funcgate::app
