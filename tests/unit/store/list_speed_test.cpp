// Lists of very many users and keys stay fast: every order and every filter that a page offers walks an index, from wherever the
// page before ended, and start-up reads in the order in which the rows lie.
#include "identity_fixture.h"
#include "store/audit_rows.h"
#include "store/key_rows.h"
#include "store/list_statement.h"
#include "store/resource_rows.h"
#include "store/role_rows.h"
#include "store/session_rows.h"
#include "store/user_rows.h"

namespace funcgate::store {
namespace {

using domain::ListQuery;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kRows = 20'000;  // more than a group that counts as large

class ListSpeedTest : public IdentityStoreTest {
 protected:
  void fill() {
    const std::string numbers =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(kRows) + ") ";
    ASSERT_EQ(run_sql("INSERT INTO user_groups VALUES ('grp-all', 'All', 'all', '', 0, 1, 1, '', 1, '', '')"), "");
    ASSERT_EQ(
        run_sql(numbers + "INSERT INTO users SELECT 'usr-' || (1000000 + i), 'login' || i, 'First' || (i % 100), 'Surname' || "
                          "(i % 1000), 'u' || i || '@example.org', '', i % 50 > 0, 0, 0, 0, 0, 1, i, 'a', i, 'a', '' FROM n"),
        "");
    ASSERT_EQ(run_sql("INSERT INTO memberships SELECT id, 'grp-all' FROM users"), "");
    ASSERT_EQ(
        run_sql("INSERT INTO api_keys SELECT 'key-' || id, id, 'main', 'main', 1, '', '', created_at_ms, 0, '', '', '', 'kid', "
                "created_at_ms, '', '', 1, created_at_ms, '', 1, '', '' FROM users"),
        "");
  }
  std::string plan(const std::string& sql, const ListStatement* list = nullptr) {
    std::string text;
    std::ignore = database_->read("explain", [&](soci::session& session) -> base::Status {
      int id = 0, parent = 0, unused = 0;
      std::string detail;
      soci::statement statement(session);
      statement.exchange(soci::into(id));
      statement.exchange(soci::into(parent));
      statement.exchange(soci::into(unused));
      statement.exchange(soci::into(detail));
      if (list != nullptr) list->bind_page(statement);
      statement.alloc();
      statement.prepare("EXPLAIN QUERY PLAN " + sql);
      statement.define_and_bind();
      statement.execute();
      while (statement.fetch()) text += detail + "; ";
      return base::kDone;
    });
    return text;
  }
  std::string plan(const ListTable& table, const ListQuery& query) {
    const auto list = ListStatement::make(table, query);
    EXPECT_TRUE(list.ok());
    return plan(list->page_sql(), &*list);
  }
};

void expect_indexed(const std::string& plan, const std::string& what) {
  EXPECT_THAT(plan, Not(HasSubstr("TEMP B-TREE"))) << what;
  EXPECT_THAT(plan, AnyOf(HasSubstr("USING INDEX"), HasSubstr("USING PRIMARY KEY"))) << what;
}

TEST_F(ListSpeedTest, EveryOrderWalksAnIndexFromTheCursorOn) {
  struct Case {
    ListTable table;
    std::vector<const char*> columns;
  };
  const Case cases[] = {{user_list(false), {"login", "firstName", "surname", "email", "enabled", "createdAt", "updatedAt"}},
                        {api_key_list(), {"name", "user", "createdAt", "expiresAt", "lastUsedAt", "kid"}}};
  for (const Case& each : cases) {
    for (const char* column : each.columns) {
      for (const bool descending : {false, true}) {
        ListQuery query{.sort = {{column, descending}}};
        expect_indexed(plan(each.table, query), column);
        query.after = {{"1"}, "usr-1"};
        const std::string further = plan(each.table, query);
        expect_indexed(further, column);
        EXPECT_THAT(further, HasSubstr("SEARCH")) << column << ": it begins at the cursor";
      }
    }
  }
}

TEST_F(ListSpeedTest, EveryFilterSearchesAnIndex) {
  for (const auto& [column, value] : std::vector<std::pair<std::string, std::string>>{
           {"login", "login7*"}, {"login", "login7"}, {"surname", "surname12*"}, {"email", "u77@*"}, {"createdAt", "77"}}) {
    const std::string found = plan(user_list(false), {.filters = {{column, value}}, .sort = {{column}}});
    EXPECT_THAT(found, HasSubstr("SEARCH users USING INDEX")) << column;
    EXPECT_THAT(found, Not(HasSubstr("TEMP B-TREE"))) << column;
  }
  // The rows of one name come together; putting them in order of their ids is a small matter.
  EXPECT_THAT(plan(user_list(false), {.filters = {{"firstName", "x"}}}), HasSubstr("SEARCH users USING INDEX users_first_name"));
  for (const auto& [column, value] :
       std::vector<std::pair<std::string, std::string>>{{"user", "usr-7"}, {"kid", "k"}, {"name", "ma*"}, {"expiresAt", "<9"}}) {
    EXPECT_THAT(plan(api_key_list(), {.filters = {{column, value}}, .sort = {{column}}}),
                HasSubstr("SEARCH api_keys USING INDEX"))
        << column;
  }
}

// The statements of the program themselves: a copy would stay fast for ever.
TEST_F(ListSpeedTest, WhatIsLookedUpIsIndexed) {
  domain::AuditQuery of_call, of_users;
  of_call.trace_id = "TRACE-1";
  of_users.event = "user.";
  for (const std::string& sql :
       {std::string(statements::kOtherUserOfLogin), std::string(statements::kMembersCounted), statements::memberships_of_users(3),
        std::string(statements::kOtherGroupOfName), std::string(statements::kOtherRoleOfName),
        std::string(statements::kOtherKeyOfName), std::string(statements::kOtherSecretOfName),
        std::string(statements::kConfigurationSequence), statements::session_by("id"), statements::session_by("token_sha256"),
        statements::sessions_of_user(), statements::audit_query(of_call), statements::audit_query(of_users)}) {
    EXPECT_THAT(plan(sql), HasSubstr("SEARCH")) << sql;
  }
  expect_indexed(plan(statements::kSealedSecrets), "groups as the index does");
}

TEST_F(ListSpeedTest, StartUpReadsInTheOrderOfTheRows) {
  for (const char* sql : {statements::kEveryUser, statements::kEveryMembership}) {
    const std::string found = plan(sql);
    EXPECT_THAT(found, HasSubstr("SCAN")) << sql;
    EXPECT_THAT(found, Not(HasSubstr("TEMP B-TREE"))) << sql << ": it does not sort";
  }
}

TEST_F(ListSpeedTest, ManyAreListedAndLoaded) {
  fill();
  const Loaded loaded = load();
  EXPECT_EQ(loaded.users.size(), static_cast<std::size_t>(kRows));
  EXPECT_EQ(loaded.keys.size(), static_cast<std::size_t>(kRows));
  EXPECT_EQ(loaded.users.at("usr-1000001").login, "login1");
  EXPECT_EQ(loaded.users.at("usr-1000001").groups, std::vector<std::string>{"grp-all"});

  ListQuery query{.filters = {{"group", "grp-all"}, {"login", "login999*"}}};
  const auto members = store_.users(query);
  ASSERT_TRUE(members.ok());
  EXPECT_EQ(members->total, 11) << "999 and 9990 to 9999";
  query = {.sort = {{"surname"}}, .after = domain::ListPlace{{"surname500"}, "usr-100500"}, .limit = 200};
  const auto page = store_.users(query);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->rows.size(), 200u);
  EXPECT_EQ(page->total, kRows);
  EXPECT_THAT(plan(user_list(true), {.filters = {{"group", "grp-all"}}}), HasSubstr("USING INDEX users_login"));
}

}  // namespace
}  // namespace funcgate::store
