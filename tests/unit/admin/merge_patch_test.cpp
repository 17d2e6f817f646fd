#include "admin/merge_patch.h"

#include <gtest/gtest.h>

namespace funcgate::admin {
namespace {

struct Case {
  const char *rule, *target, *patch, *expected;
};

TEST(MergePatch, FollowsRfc7396) {
  const Case cases[] = {
      {"a member is replaced", R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {"a member is added", R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {"null removes", R"({"a":"b"})", R"({"a":null})", R"({})"},
      {"null removes only its member", R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {"a list is replaced whole", R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {"a text becomes a list", R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {"objects are merged, null inside removes", R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {"elements of lists are not merged", R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {"a list is no object", R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {"an object becomes a list", R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {"null as patch is null", R"({"a":"foo"})", R"(null)", R"(null)"},
      {"a text as patch is that text", R"({"a":"foo"})", R"("bar")", R"("bar")"},
      {"null that is already there stays", R"({"e":null})", R"({"a":1})", R"({"a":1,"e":null})"},
      {"what is no object becomes one", R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {"null removes nothing from nothing", R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.rule);
    const auto target = base::parse_json(one.target), patch = base::parse_json(one.patch),
               expected = base::parse_json(one.expected);
    ASSERT_TRUE(target.ok() && patch.ok() && expected.ok());
    EXPECT_EQ(merge_patch(*target, *patch), *expected) << base::to_json(merge_patch(*target, *patch));
  }
}

}  // namespace
}  // namespace funcgate::admin
