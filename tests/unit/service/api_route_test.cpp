#include <gtest/gtest.h>

#include "service/gateway.h"

namespace funcgate::service {
namespace {

struct Row {
  const char* path;
  bool simplified;
};

TEST(ApiRoute, AllWordsAndBothSpellingsOfAFormMeanTheSameApi) {
  for (const std::string word : {"func-api", "al", "sync", "async"}) {
    for (const Row& tail : {Row{"", false}, Row{"/normal", false}, Row{"/s", true}, Row{"/simplified", true}}) {
      const std::string path = "/api/v1/" + word + "/basket" + tail.path;
      const auto route = parse_api_route(path);
      ASSERT_TRUE(route.has_value()) << path;
      EXPECT_EQ(route->api_id, "basket") << path;
      EXPECT_EQ(route->simplified, tail.simplified) << path;
      EXPECT_EQ(route->path.text(route->api_id), path) << "the record of a call says how it was spelt";
    }
  }
}

TEST(ApiRoute, IdsAreTakenAsTheyStand) {
  const std::string longest(60, 'a');
  for (const std::string& id :
       {std::string("A"), std::string("Basket_2-x"), std::string("0"), std::string("s"), std::string("normal"), longest}) {
    const std::string path = "/api/v1/al/" + id;
    const auto route = parse_api_route(path);
    ASSERT_TRUE(route.has_value()) << id;
    EXPECT_EQ(route->api_id, id);
  }
}

TEST(ApiRoute, EveryOtherSpellingIsNoApi) {
  const std::string too_long = "/api/v1/al/" + std::string(61, 'a');
  const std::string with_nul("/api/v1/al/bas\0ket", 18);
  for (const std::string& path :
       {std::string(), std::string("/"), std::string("/api/v1/al"), std::string("/api/v1/al/"), std::string("/api/v1/"),
        std::string("api/v1/al/basket"), std::string("/api/v2/al/basket"), std::string("/x/api/v1/al/basket"),
        // other case
        std::string("/API/v1/al/basket"), std::string("/api/V1/al/basket"), std::string("/api/v1/AL/basket"),
        std::string("/api/v1/Func-Api/basket"), std::string("/api/v1/al/basket/S"), std::string("/api/v1/al/basket/Simplified"),
        // trailing and double slashes
        std::string("/api/v1/al/basket/"), std::string("/api/v1/al/basket/s/"), std::string("//api/v1/al/basket"),
        std::string("/api//v1/al/basket"), std::string("/api/v1//al/basket"), std::string("/api/v1/al//basket"),
        std::string("/api/v1/al/basket//s"), std::string("/api/v1/al//s"),
        // dot segments
        std::string("/api/v1/al/./basket"), std::string("/api/v1/al/../al/basket"), std::string("/api/v1/al/basket/."),
        std::string("/api/v1/al/basket/.."), std::string("/api/v1/al/.."), std::string("/api/v1/al/."),
        // encoded, parameters, backslash
        std::string("/api/v1/al/bas%6bet"), std::string("/api/v1/al/basket%2fs"), std::string("/api/v1/%61l/basket"),
        std::string("/api/v1/al/basket%00"), std::string("/api/v1/al/basket;v=1"), std::string("/api/v1/al;/basket"),
        std::string("/api/v1/al/basket/s;x"), std::string("/api/v1/al\\basket"), std::string("/api/v1/al/basket\\s"),
        std::string("\\api/v1/al/basket"), with_nul,
        // tails and other words
        std::string("/api/v1/al/basket/s/extra"), std::string("/api/v1/al/basket/normal/s"), std::string("/api/v1/al/basket/x"),
        std::string("/api/v1/al/basket/standard"), std::string("/api/v1/bat/basket"), std::string("/api/v1/func_api/basket"),
        std::string("/api/v1/func-api-x/basket"), std::string("/api/v1/a/basket"),
        // no id
        std::string("/api/v1/al/-basket"), std::string("/api/v1/al/_basket"), std::string("/api/v1/al/bas.ket"),
        std::string("/api/v1/al/bas ket"), std::string("/api/v1/al/basket?x"), std::string("/api/v1/al/b\xc3\xa4sket"),
        too_long}) {
    EXPECT_FALSE(parse_api_route(path).has_value()) << testing::PrintToString(path);
  }
}

}  // namespace
}  // namespace funcgate::service
