#include "store/identity_repository.h"

#include <algorithm>
#include <set>

#include "identity_fixture.h"
#include "store/list_statement.h"

namespace funcgate::store {
namespace {

using base::Code;
using domain::IdempotencyRecord;
using domain::IdentityKind;
using domain::ListQuery;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class IdentityRepositoryTest : public IdentityStoreTest {
 protected:
  std::vector<std::string> logins(const ListQuery& query) {
    const auto page = store_.users(query);
    EXPECT_TRUE(page.ok()) << page.error().message;
    std::vector<std::string> found;
    if (page.ok()) {
      for (const domain::User& user : page->rows) found.push_back(user.login);
    }
    return found;
  }
  std::vector<std::string> keys(const ListQuery& query) {
    const auto page = store_.api_keys(query);
    EXPECT_TRUE(page.ok()) << page.error().message;
    std::vector<std::string> found;
    if (page.ok()) {
      for (const domain::ApiKey& key : page->rows) found.push_back(key.name);
    }
    return found;
  }
};

TEST_F(IdentityRepositoryTest, ListsFilterSortAndSearch) {
  std::vector<domain::IdentityChange> changes{put(a_group("Staff"))};
  const char* surnames[] = {"Zorn", "adler", "Berg", "100% sure", "O'Hara"};
  int number = 0;
  for (const char* login : {"api1", "api2", "ben", "cleo", "dora"}) {
    domain::User user = a_user(login, number % 2 == 0 ? std::vector<std::string>{"grp-Staff"} : std::vector<std::string>{});
    user.surname = surnames[number];
    user.enabled = number != 2;
    user.meta.created_at_ms = 1'700'000'000'000 + number++ * 1000;
    changes.push_back(put(user));
  }
  commit(changes);
  EXPECT_THAT(logins({}), ElementsAre("api1", "api2", "ben", "cleo", "dora"));
  EXPECT_THAT(logins({.sort = {{"login", true}}}), ElementsAre("dora", "cleo", "ben", "api2", "api1"));
  EXPECT_THAT(logins({.sort = {{"surname"}}}), ElementsAre("cleo", "api2", "ben", "dora", "api1")) << "case is ignored";
  EXPECT_THAT(logins({.filters = {{"login", "API*"}}}), ElementsAre("api1", "api2"));
  EXPECT_THAT(logins({.filters = {{"login", "api"}}}), ElementsAre()) << "exact without the asterisk";
  EXPECT_THAT(logins({.filters = {{"surname", "ADLER"}}}), ElementsAre("api2"));
  EXPECT_THAT(logins({.filters = {{"surname", "o'*"}}}), ElementsAre("dora"));
  EXPECT_THAT(logins({.filters = {{"login", "*"}, {"enabled", "false"}}}), ElementsAre("ben"));
  EXPECT_THAT(logins({.filters = {{"group", "grp-Staff"}}, .sort = {{"createdAt", true}}}), ElementsAre("dora", "ben", "api1"));
  EXPECT_THAT(logins({.filters = {{"createdAt", ">=1700000002000"}, {"createdAt", "<2023-11-14T22:13:24Z"}}}),
              ElementsAre("ben", "cleo"));
  EXPECT_THAT(logins({.text = "0% S"}), ElementsAre("cleo")) << "wildcards are meant literally";
  EXPECT_THAT(logins({.text = "x_x"}), ElementsAre());
  EXPECT_THAT(logins({.text = "EXAMPLE.org", .sort = {{"email"}}, .limit = 2}), ElementsAre("api1", "api2"));

  ListQuery counted{.filters = {{"login", "api*"}}, .limit = 1};
  const auto page = store_.users(counted);
  EXPECT_EQ(page->total, 2);
  ASSERT_TRUE(page->next.has_value());
  EXPECT_EQ(page->next->values, std::vector<std::string>{"api1"});
  EXPECT_TRUE(page->rows[0].has_password);
  EXPECT_EQ(page->rows[0].password_hash, "") << "no list needs it";
  counted.count_total = false;
  EXPECT_EQ(store_.users(counted)->total, 0);
}

TEST_F(IdentityRepositoryTest, ListedUsersHaveTheirGroupsButNothingOfTheirPasswords) {
  domain::User silent = a_user("silent");
  silent.password_hash.clear();
  commit(
      {put(a_group("A")), put(a_group("B")), put(a_user("mia", {"grp-A", "grp-B"})), put(a_user("tom", {"grp-B"})), put(silent)});
  const auto page = store_.users({});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->rows.size(), 3U);
  EXPECT_EQ(page->rows[0].groups, (std::vector<std::string>{"grp-A", "grp-B"}));
  EXPECT_TRUE(page->rows[0].has_password);
  EXPECT_TRUE(page->rows[1].groups.empty());
  EXPECT_FALSE(page->rows[1].has_password);
  EXPECT_EQ(page->rows[2].groups, std::vector<std::string>{"grp-B"});
  for (const domain::User& user : page->rows)
    EXPECT_TRUE(user.password_hash.empty() && user.past_password_hashes.empty() && user.pepper_kid.empty()) << user.login;
  // Whoever writes such a row back would take the password away.
  domain::User row = page->rows[0];
  row.meta.version = 2;
  EXPECT_EQ(try_commit({put(row, 1)}).error().code, Code::Internal);
  EXPECT_FALSE(store_.user("usr-mia")->password_hash.empty());
}

TEST_F(IdentityRepositoryTest, StartUpHearsOfGroupsAndRolesFirst) {
  domain::User mia = a_user("mia", {"grp-A"});
  mia.must_change_password = true;
  commit({put(a_role("R")), put(a_group("A", {"rol-R"})), put(mia), put(a_key("main", "usr-mia"))});
  std::vector<std::string> order;
  ASSERT_TRUE(store_
                  .load([&](domain::IdentityRows&& rows) { order.push_back(rows.groups.at(0).id + " " + rows.roles.at(0).id); },
                        [&](domain::User&& user) {
                          order.push_back(user.id);
                          EXPECT_TRUE(user.must_change_password);
                          EXPECT_EQ(user.password_changed_at_ms, mia.password_changed_at_ms);
                        },
                        [&](domain::ApiKey&& key) { order.push_back(key.id); })
                  .ok());
  EXPECT_EQ(order, (std::vector<std::string>{"grp-A rol-R", "usr-mia", "key-main"}));
}

TEST_F(IdentityRepositoryTest, SealedSecretsAreCountedByTheirKey) {
  domain::SecretKey other = a_secret("Other", "Ping"), odd = a_secret("Odd", "Ping"), empty = a_secret("Empty", "Ping");
  other.sealed = "v1.fedcba9876543210.nonce.box";
  odd.sealed = "what is this";
  empty.sealed.clear();
  commit({put(a_secret("A", "Ping")), put(a_secret("B", "Ping")), put(other), put(odd), put(empty)});
  EXPECT_EQ(*store_.sealed_secret_counts(),
            (std::map<std::string, std::size_t>{{"", 1}, {"0123456789abcdef", 2}, {"fedcba9876543210", 1}}));
}

TEST_F(IdentityRepositoryTest, RefusesWhatItDoesNotKnow) {
  struct Case {
    const char* rule;
    ListQuery query;
    const char* message;
  };
  const Case cases[] = {
      {"an unknown filter", {.filters = {{"surnam", "x"}}}, "cannot filter by \"surnam\"; did you mean \"surname\"?"},
      {"an unknown order", {.sort = {{"password"}}}, "cannot sort by \"password\""},
      {"an order by membership", {.sort = {{"group"}}}, "cannot sort by \"group\""},
      {"SQL", {.sort = {{"login; DROP TABLE users"}}}, "cannot sort by"},
      {"a truth that is none", {.filters = {{"enabled", "1"}}}, "enabled cannot be \"1\": expected true or false"},
      {"a time that is none", {.filters = {{"createdAt", "yesterday"}}}, "expected an RFC 3339 time"},
      {"a cursor of another order",
       {.sort = {{"surname"}, {"login"}}, .after = domain::ListPlace{{"x"}, "usr-mia"}},
       "the cursor"},
      {"a foreign cursor", {.sort = {{"createdAt"}}, .after = domain::ListPlace{{"mia"}, "usr-mia"}}, "the cursor"},
  };
  for (const Case& each : cases) {
    const auto page = store_.users(each.query);
    ASSERT_FALSE(page.ok()) << each.rule;
    EXPECT_EQ(page.error().code, Code::InvalidArgument) << each.rule;
    EXPECT_THAT(page.error().message, HasSubstr(each.message)) << each.rule;
  }
}

TEST_F(IdentityRepositoryTest, ACursorWalkGivesEveryRowOnceInEveryOrder) {
  std::vector<domain::IdentityChange> changes;
  for (int i = 0; i < 53; ++i) {
    domain::User user = a_user("user" + std::to_string(i));
    user.surname = std::string(1, static_cast<char>('a' + i % 3));  // many of the same
    user.enabled = i % 2 == 0;
    user.meta.created_at_ms = 1000 + i % 4;
    changes.push_back(put(user));
  }
  commit(changes);
  for (const char* column : {"login", "firstName", "surname", "email", "enabled", "createdAt", "updatedAt", "builtIn"}) {
    for (const bool descending : {false, true}) {
      std::set<std::string> seen;
      std::size_t rows = 0, pages = 0;
      ListQuery query{.sort = {{column, descending}}, .limit = 7};
      do {
        const auto page = store_.users(query);
        ASSERT_TRUE(page.ok()) << page.error().message;
        for (const domain::User& user : page->rows) seen.insert(user.id);
        rows += page->rows.size();
        query.after = page->next;
        ASSERT_LT(++pages, 20u);
      } while (query.after);
      EXPECT_EQ(rows, 53u) << column;
      EXPECT_EQ(seen.size(), 53u) << column;
      EXPECT_EQ(pages, 8u);
    }
  }
}

// Ties in every field, and every mixture of directions: in the order that sorting all rows at once gives, each row once.
TEST_F(IdentityRepositoryTest, ACursorWalkBySeveralFieldsKeepsTheOrderOfAll) {
  struct Row {
    std::string surname;
    std::int64_t created_at_ms;
    bool enabled;
    std::string id;
  };
  std::vector<domain::IdentityChange> changes;
  std::vector<Row> all;
  for (int i = 0; i < 61; ++i) {
    domain::User user = a_user("user" + std::to_string(i));
    user.surname = std::string(1, static_cast<char>('a' + i % 3));
    user.enabled = i % 2 == 0;
    user.meta.created_at_ms = 1000 + i % 5;
    changes.push_back(put(user));
    all.push_back({user.surname, user.meta.created_at_ms, user.enabled, user.id});
  }
  commit(changes);
  for (int directions = 0; directions < 8; ++directions) {
    const bool by_surname = (directions & 1) != 0, by_time = (directions & 2) != 0, by_state = (directions & 4) != 0;
    std::sort(all.begin(), all.end(), [&](const Row& a, const Row& b) {
      if (a.surname != b.surname) return (a.surname < b.surname) != by_surname;
      if (a.created_at_ms != b.created_at_ms) return (a.created_at_ms < b.created_at_ms) != by_time;
      if (a.enabled != b.enabled) return (a.enabled < b.enabled) != by_state;
      return (a.id < b.id) != by_state;
    });
    std::vector<std::string> expected, seen;
    for (const Row& row : all) expected.push_back(row.id);
    ListQuery query{.sort = {{"surname", by_surname}, {"createdAt", by_time}, {"enabled", by_state}}, .limit = 4};
    do {
      const auto page = store_.users(query);
      ASSERT_TRUE(page.ok()) << page.error().message;
      for (const domain::User& user : page->rows) seen.push_back(user.id);
      ASSERT_LE(seen.size(), all.size());
      query.after = page->next;
    } while (query.after);
    EXPECT_EQ(seen, expected) << directions;
  }
}

TEST_F(IdentityRepositoryTest, ListsKeysAndSecrets) {
  domain::ApiKey never = a_key("Never", "usr-mia"), revoked = a_key("revoked", "usr-mia"), old = a_key("old", "usr-tom");
  never.expires_at_ms = 0;
  revoked.revoked_at_ms = 5;
  old.kid = "1111111111111111";
  old.expires_at_ms = 50;
  commit({put(a_user("mia")), put(a_user("tom")), put(never), put(revoked), put(old), put(a_secret("B", "One")),
          put(a_secret("a", "One")), put(a_secret("a", "Two"))});
  EXPECT_THAT(keys({}), ElementsAre("Never", "old", "revoked"));
  EXPECT_THAT(keys({.filters = {{"user", "usr-mia"}}, .sort = {{"expiresAt"}}}), ElementsAre("Never", "revoked"));
  EXPECT_THAT(keys({.filters = {{"kid", "1111111111111111"}}}), ElementsAre("old"));
  EXPECT_THAT(keys({.filters = {{"revoked", "false"}}}), ElementsAre("Never", "old"));
  EXPECT_THAT(keys({.filters = {{"lastUsedAt", "0"}, {"name", "o*"}}}), ElementsAre("old"));
  EXPECT_EQ(*store_.count_active_keys("usr-mia", 100), 1u);
  EXPECT_EQ(*store_.count_active_keys("usr-tom", 49), 1u);
  EXPECT_EQ(*store_.count_active_keys("usr-tom", 50), 0u);

  const auto secrets = store_.secret_keys({.filters = {{"flow", "one"}}});
  ASSERT_TRUE(secrets.ok());
  EXPECT_EQ(secrets->total, 2);
  EXPECT_EQ(secrets->rows[0].name, "a");
  EXPECT_EQ(store_.secret_keys({.filters = {{"application", "shop"}, {"owner", "Shop/Two/call"}}})->rows.size(), 1u);
}

TEST_F(IdentityRepositoryTest, ListsKeysThatWereNotUsedSince) {
  domain::ApiKey used = a_key("used", "usr-mia"), older = a_key("older", "usr-mia"), never = a_key("never", "usr-mia");
  commit({put(a_user("mia")), put(used), put(older), put(never)});
  const std::int64_t born = store_.api_key("key-never")->meta.created_at_ms;
  ASSERT_TRUE(store_.touch_key("key-used", born + 200, "10.0.0.1", "quote").ok());
  ASSERT_TRUE(store_.touch_key("key-older", born + 100, "10.0.0.1", "quote").ok());
  const auto since = [&](std::int64_t time) { return keys({.filters = {{"unusedSince", "<" + std::to_string(time)}}}); };
  EXPECT_THAT(since(born), ElementsAre());
  EXPECT_THAT(since(born + 1), ElementsAre("never"));
  EXPECT_THAT(since(born + 100), ElementsAre("never"));
  EXPECT_THAT(since(born + 101), ElementsAre("never", "older"));
  EXPECT_THAT(since(born + 201), ElementsAre("never", "older", "used"));
}

TEST_F(IdentityRepositoryTest, FindsSecretsToSealAnew) {
  domain::SecretKey fresh = a_secret("Fresh", "One"), empty = a_secret("Empty", "One"), strange = a_secret("Strange", "One");
  fresh.sealed = "v1.ffffffffffffffff.nonce.box";
  empty.sealed.clear();
  strange.sealed = "v9";
  commit({put(a_secret("Old", "One")), put(fresh), put(empty), put(strange)});
  std::set<std::string> found;
  for (const domain::SecretKey& secret : *store_.secrets_not_sealed_by("ffffffffffffffff", 10)) found.insert(secret.name);
  EXPECT_EQ(found, (std::set<std::string>{"Old", "Strange"}));
  EXPECT_EQ(store_.secrets_not_sealed_by("ffffffffffffffff", 1)->size(), 1u);
}

TEST_F(IdentityRepositoryTest, LastUseOnlyGrowsAndNeedsNoVersion) {
  commit({put(a_user("mia")), put(a_key("main", "usr-mia"))});
  ASSERT_TRUE(store_.touch_key("key-main", 100, "10.0.0.1", "quote").ok());
  ASSERT_TRUE(store_.touch_key("key-main", 90, "10.0.0.2", "total").ok());
  EXPECT_EQ(store_.api_key("key-main")->last_used_from, "10.0.0.1");
  EXPECT_EQ(store_.api_key("key-main")->meta.version, 1);
  ASSERT_TRUE(store_.touch_login("usr-mia", 100).ok());
  ASSERT_TRUE(store_.touch_login("usr-mia", 90).ok());
  EXPECT_EQ(store_.user("usr-mia")->last_login_at_ms, 100);
  EXPECT_TRUE(store_.touch_key("key-nobody", 1, "", "").ok());
}

TEST_F(IdentityRepositoryTest, AHashIsRenewedOnlyIfItIsStillTheOne) {
  commit({put(a_user("mia"))});
  ASSERT_TRUE(store_.rehash("usr-mia", "another", "new", "kid").ok());
  EXPECT_EQ(store_.user("usr-mia")->password_hash, "$argon2id$mia");
  ASSERT_TRUE(store_.rehash("usr-mia", "$argon2id$mia", "new", "kid").ok());
  EXPECT_EQ(store_.user("usr-mia")->password_hash, "new");
  EXPECT_EQ(store_.user("usr-mia")->pepper_kid, "kid");
  EXPECT_EQ(store_.user("usr-mia")->meta.version, 1);
}

TEST_F(IdentityRepositoryTest, ARequestIsBegunOnceAndItsAnswerKept) {
  IdempotencyRecord record{"usr-mia", "k1", "hash", 0, "", false, "", 100};
  EXPECT_FALSE(store_.begin_idempotent(record, 0)->has_value());
  const auto running = store_.begin_idempotent(record, 0);
  ASSERT_TRUE(running->has_value());
  EXPECT_EQ((*running)->status, 0);
  record.principal = "usr-tom";
  EXPECT_FALSE(store_.begin_idempotent(record, 0)->has_value()) << "keys of others are others";
  record.principal = "usr-mia";
  record.status = 201;
  record.body = "{}";
  record.object_id = "usr-new";
  ASSERT_TRUE(store_.finish_idempotent(record).ok());
  EXPECT_EQ(store_.finish_idempotent(record).error().code, Code::NotFound) << "finished is finished";
  const auto finished = *store_.begin_idempotent(record, 0);
  EXPECT_EQ(finished->status, 201);
  EXPECT_EQ(finished->body, "{}");
  EXPECT_EQ(finished->object_id, "usr-new");
  ASSERT_TRUE(store_.forget_idempotent("usr-mia", "k1").ok());
  EXPECT_FALSE(store_.begin_idempotent(record, 0)->has_value());
  EXPECT_EQ(*store_.prune_idempotent(100), 0u);
  EXPECT_EQ(*store_.prune_idempotent(101), 2u);
}

TEST_F(IdentityRepositoryTest, AnOutdatedRequestMakesRoomForOneNewOne) {
  IdempotencyRecord record{"usr-mia", "k1", "hash", 0, "", false, "", 100};
  ASSERT_FALSE(store_.begin_idempotent(record, 0)->has_value());
  record.created_at_ms = 5000;
  EXPECT_TRUE(store_.begin_idempotent(record, 99)->has_value()) << "it is not outdated yet";
  EXPECT_FALSE(store_.begin_idempotent(record, 100)->has_value());
  const auto second = store_.begin_idempotent(record, 100);
  ASSERT_TRUE(second->has_value()) << "whoever saw the outdated one, too, does not remove the new one";
  EXPECT_EQ((*second)->created_at_ms, 5000);
}

TEST_F(IdentityRepositoryTest, AnAnswerThatShowedATokenIsNotKept) {
  IdempotencyRecord record{"usr-mia", "k1", "hash", 0, "", false, "", 100};
  ASSERT_TRUE(store_.begin_idempotent(record, 0).ok());
  record.status = 201;
  record.body = "the token";
  record.had_token = true;
  ASSERT_TRUE(store_.finish_idempotent(record).ok());
  EXPECT_EQ((*store_.begin_idempotent(record, 0))->body, "");
  EXPECT_TRUE((*store_.begin_idempotent(record, 0))->had_token);
}

TEST_F(IdentityRepositoryTest, AScopeNarrowsAListAndItsCount) {
  domain::SecretKey other = a_secret("Other", "Ping");
  other.application = "Back office";
  commit({put(a_secret("One", "Ping")), put(a_secret("Two", "Ping")), put(other)});
  const auto names = [&](domain::ListScope scope, std::size_t limit = 50) {
    domain::ListQuery query;
    query.scope = std::move(scope);
    query.limit = limit;
    std::vector<std::string> found;
    std::int64_t total = 0;
    do {
      const auto page = store_.secret_keys(query);
      EXPECT_TRUE(page.ok());
      for (const auto& row : page->rows) found.push_back(row.name);
      total = page->total;
      query.after = page->next;
    } while (query.after);
    EXPECT_EQ(total, static_cast<std::int64_t>(found.size()));
    return found;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({"application", {"sHOP"}}, 1), (Names{"One", "Two"}));
  EXPECT_EQ(names({"application", {"shop", "back office"}}), (Names{"One", "Other", "Two"}));
  EXPECT_EQ(names({"application", {"shop"}, true}), Names{"Other"});
  EXPECT_EQ(names({"application", {"sh*"}}), Names()) << "a star is only itself";
  EXPECT_EQ(names({"application", {}}), Names()) << "of nothing nothing is seen";
  EXPECT_EQ(names({"application", {}, true}).size(), 3U);
  domain::ListQuery unknown;
  unknown.scope = {"nothing", {"x"}};
  EXPECT_EQ(store_.secret_keys(unknown).error().code, base::Code::InvalidArgument);
}

TEST_F(IdentityRepositoryTest, AOneTimePasswordStaysOneUntilTheNextHasTakenItsPlace) {
  domain::User lost = a_user("lost");
  lost.password_changed_at_ms = 1000;
  ASSERT_TRUE(store_.put_one_time_password({lost.id, 1000, 5000}).ok());
  commit({put(lost)});
  // Killed before the user got it; and another time.
  for (const std::int64_t never : {2000, 3000}) ASSERT_TRUE(store_.put_one_time_password({lost.id, never, 6000}).ok());
  EXPECT_FALSE(*store_.use_password(lost.id, 1000, 5000)) << "it has expired as before";
  EXPECT_TRUE(*store_.use_password(lost.id, 1000, 4999));
  EXPECT_FALSE(*store_.use_password(lost.id, 1000, 4999)) << "once";
  EXPECT_TRUE(*store_.use_password(lost.id, 3000, 5000));
  EXPECT_FALSE(*store_.use_password(lost.id, 3000, 5000));
  EXPECT_EQ(count("SELECT COUNT(*) FROM one_time_passwords"), 2) << "that of the user, and the last one";
  EXPECT_TRUE(*store_.use_password(lost.id, 4000, 9000)) << "one that was chosen";
}

TEST_F(IdentityRepositoryTest, TheSetUpTokenIsOneRow) {
  EXPECT_FALSE(store_.setup_token()->has_value());
  ASSERT_TRUE(store_.put_setup_token({"one", 1, 0}).ok());
  ASSERT_TRUE(store_.put_setup_token({"two", 2, 9}).ok());
  EXPECT_EQ((*store_.setup_token())->sha256, "two");
  EXPECT_EQ((*store_.setup_token())->failures, 9);
  EXPECT_TRUE(store_.remove_setup_token().ok());
  EXPECT_TRUE(store_.remove_setup_token().ok());
  EXPECT_FALSE(store_.setup_token()->has_value());
}

}  // namespace
}  // namespace funcgate::store
