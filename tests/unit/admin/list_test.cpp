#include "admin/list.h"

#include <set>

#include "admin/etag.h"
#include "admin_fixture.h"

namespace funcgate::test {
namespace {

using admin::Answer;
using domain::Fault;

class List : public AdminWorld {
 protected:
  Answer list(std::vector<std::pair<std::string, std::string>> query, std::vector<base::json::object> rows) {
    admin::Request made = request(domain::Method::Get, "/things");
    made.query = std::move(query);
    admin::Context context{made, *services, {}, identity.directory(), {}, {}, {}};
    const admin::ListFields fields{{"name", "enabled", "tags"}, {"name", "rank", "createdAt"}, "name"};
    return admin::list_in_memory(context, fields, std::move(rows));
  }
  static std::vector<base::json::object> rows() {
    std::vector<base::json::object> out;
    const char* names[] = {"delta", "Alpha", "charlie", "bravo", "alpha two"};
    for (int i = 0; i < 5; ++i) {
      out.push_back({{"id", "id-" + std::to_string(i)},
                     {"name", names[i]},
                     {"rank", i % 2},
                     {"enabled", i != 3},
                     {"tags", base::json::array{"t" + std::to_string(i)}}});
    }
    return out;
  }
  static std::vector<std::string> names(const Answer& answer) {
    std::vector<std::string> out;
    for (const auto& row : answer.data->as_array()) out.emplace_back(row.at("name").as_string());
    return out;
  }
};

TEST_F(List, SortsByTheDefaultWithoutCase) {
  EXPECT_THAT(names(list({}, rows())), ::testing::ElementsAre("Alpha", "alpha two", "bravo", "charlie", "delta"));
}

TEST_F(List, SortsBySeveralFieldsAndBackwards) {
  EXPECT_THAT(names(list({{"sort", "-rank,name"}}, rows())),
              ::testing::ElementsAre("Alpha", "bravo", "alpha two", "charlie", "delta"));
}

TEST_F(List, FiltersExactlyByPrefixByElementAndByText) {
  EXPECT_THAT(names(list({{"name", "alpha"}}, rows())), ::testing::ElementsAre("Alpha"));
  EXPECT_THAT(names(list({{"name", "alpha*"}}, rows())), ::testing::ElementsAre("Alpha", "alpha two"));
  EXPECT_THAT(names(list({{"tags", "t2"}}, rows())), ::testing::ElementsAre("charlie"));
  EXPECT_THAT(names(list({{"enabled", "false"}}, rows())), ::testing::ElementsAre("bravo"));
  EXPECT_THAT(names(list({{"q", "HA"}}, rows())), ::testing::ElementsAre("Alpha", "alpha two", "charlie"));
}

TEST_F(List, AWalkWithCursorsSeesEveryRowOnceThoughRowsComeAndGo) {
  std::vector<base::json::object> present = rows();
  std::vector<std::string> seen;
  std::string cursor;
  for (int page = 0; page < 10; ++page) {
    std::vector<std::pair<std::string, std::string>> query{{"limit", "2"}};
    if (!cursor.empty()) query.emplace_back("cursor", cursor);
    const Answer answer = list(query, present);
    ASSERT_THAT(answer, Answers(200));
    for (const std::string& name : names(answer)) seen.push_back(name);
    cursor = answer.page->next_cursor;
    if (cursor.empty()) break;
    present.push_back({{"id", "id-new"}, {"name", "aaa before the cursor"}, {"rank", 0}});
  }
  EXPECT_THAT(seen, ::testing::ElementsAre("Alpha", "alpha two", "bravo", "charlie", "delta"));
}

// Ties in both fields, each mixture of directions: the pages together are the whole list in its order.
TEST_F(List, AWalkBySeveralFieldsKeepsTheOrderOfAll) {
  std::vector<base::json::object> many;
  for (int i = 0; i < 41; ++i) {
    many.push_back({{"id", "id-" + std::to_string(100 + i)},
                    {"name", std::string(1, static_cast<char>('a' + i % 3))},
                    {"rank", i % 4},
                    {"createdAt", nullptr}});
  }
  const auto ids = [](const Answer& answer) {
    std::vector<std::string> out;
    for (const auto& row : answer.data->as_array()) out.emplace_back(row.at("id").as_string());
    return out;
  };
  for (const char* order : {"name,rank", "-name,rank", "name,-rank", "-name,-rank", "rank,-createdAt,name"}) {
    const std::vector<std::string> whole = ids(list({{"sort", order}, {"limit", "200"}}, many));
    ASSERT_EQ(whole.size(), 41U);
    std::vector<std::string> walked;
    std::string cursor;
    do {
      std::vector<std::pair<std::string, std::string>> query{{"sort", order}, {"limit", "3"}};
      if (!cursor.empty()) query.emplace_back("cursor", cursor);
      const Answer answer = list(query, many);
      ASSERT_THAT(answer, Answers(200));
      for (std::string& id : ids(answer)) walked.push_back(std::move(id));
      cursor = answer.page->next_cursor;
    } while (!cursor.empty() && walked.size() <= 41);
    EXPECT_EQ(walked, whole) << order;
  }
}

TEST_F(List, TellsTheTotalAndThePageSize) {
  const Answer answer = list({{"limit", "2"}}, rows());
  EXPECT_EQ(answer.page->total, 5);
  EXPECT_EQ(answer.page->page_size, 2U);
  EXPECT_FALSE(answer.page->next_cursor.empty());
  EXPECT_TRUE(list({{"limit", "5"}}, rows()).page->next_cursor.empty());
}

TEST_F(List, RefusesWhatItDoesNotKnowAndNamesAllOfIt) {
  const Answer answer = list({{"nmae", "x"}, {"limit", "0"}, {"sort", "secret"}}, rows());
  ASSERT_THAT(answer, IsRefused(Fault::BadRequest));
  for (const char* part : {"nmae", "did you mean name", "limit", "sort"})
    EXPECT_THAT(answer.refusal->detail, ::testing::HasSubstr(part));
  EXPECT_THAT(list({{"limit", "201"}}, rows()), IsRefused(Fault::BadRequest));
  EXPECT_THAT(list({{"name", "a"}, {"name", "b"}}, rows()), IsRefused(Fault::BadRequest));
  EXPECT_THAT(list({{"sort", "name,name"}}, rows()), IsRefused(Fault::BadRequest));
}

TEST_F(List, RefusesACursorOfAnotherList) {
  const std::string cursor = list({{"limit", "2"}}, rows()).page->next_cursor;
  EXPECT_THAT(list({{"limit", "2"}, {"cursor", cursor}}, rows()), Answers(200));
  EXPECT_THAT(list({{"sort", "-name"}, {"cursor", cursor}}, rows()), IsRefused(Fault::BadRequest)) << "another order";
  EXPECT_THAT(list({{"name", "a*"}, {"cursor", cursor}}, rows()), IsRefused(Fault::BadRequest)) << "another filter";
  EXPECT_THAT(list({{"cursor", cursor + "A"}}, rows()), IsRefused(Fault::BadRequest)) << "a changed one";
  EXPECT_THAT(list({{"cursor", "W10"}}, rows()), IsRefused(Fault::BadRequest)) << "an invented one";
}

TEST_F(List, ReadsAQueryForTheStore) {
  admin::Request made = request(domain::Method::Get, "/users");
  made.query = {{"sort", "-name,createdAt"}, {"limit", "7"}, {"name", "a*"}, {"q", "x"}};
  admin::Context context{made, *services, {}, identity.directory(), {}, {}, {}};
  const admin::ListFields fields{{"name"}, {"name", "createdAt"}, "name"};
  Answer problem;
  auto query = admin::read_list_query(context, fields, problem);
  ASSERT_TRUE(query);
  EXPECT_THAT(query->sort, ::testing::ElementsAre(domain::SortKey{"name", true}, domain::SortKey{"createdAt", false}));
  EXPECT_EQ(query->limit, 7U);
  EXPECT_EQ(query->text, "x");
  made.query.emplace_back("cursor", admin::make_cursor(*query, {{"abel", "17"}, "usr-1"}));
  const auto next = admin::read_list_query(context, fields, problem);
  ASSERT_TRUE(next && next->after);
  EXPECT_EQ(*next->after, (domain::ListPlace{{"abel", "17"}, "usr-1"}));
  made.query.front().second = "-name,-createdAt";
  EXPECT_FALSE(admin::read_list_query(context, fields, problem)) << "a cursor of another order";
}

TEST_F(List, ETagsAreComparedAsTheRfcSays) {
  admin::Request made = request(domain::Method::Put, "/x");
  admin::Context context{made, *services, {}, identity.directory(), {}, {}, {}};
  const auto check = [&](std::string header) {
    made.if_match = std::move(header);
    return admin::check_if_match(context, 3);
  };
  EXPECT_FALSE(check("\"3\""));
  EXPECT_FALSE(check("*"));
  EXPECT_FALSE(check("\"1\", \"3\""));
  EXPECT_THAT(*check(""), IsRefused(Fault::PreconditionRequired));
  const auto stale = check("\"2\"");
  EXPECT_THAT(*stale, IsRefused(Fault::PreconditionFailed));
  EXPECT_EQ(stale->refusal->detail, R"({"version":3})");
  EXPECT_THAT(*check("W/\"3\""), IsRefused(Fault::PreconditionFailed)) << "weak tags never match a write";
  made.if_none_match = "W/\"3\"";
  EXPECT_TRUE(admin::not_modified(context, 3));
  EXPECT_FALSE(admin::not_modified(context, 4));
}

}  // namespace
}  // namespace funcgate::test
