// What was acknowledged survives kill -9: a child writes and reports each acknowledged change through a pipe; it is killed while
// it works; what it reported must be there, and nothing half done.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "audit/trail.h"
#include "audit/trail_verify.h"
#include "store/change_repository.h"
#include "store/configuration_repository.h"
#include "store/database.h"
#include "store/identity_repository.h"
#include "store/journal_repository.h"
#include "store/task_repository.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "support/temporary_folder.h"

namespace funcgate::store {
namespace {

using domain::ResourceChange;
using domain::ResourceKind;

ResourceChange put_api(const std::string& id) {
  domain::FunctionApi api;
  api.id = id;
  api.func_id = "sales__prices.quote";
  api.api_auth_ids = {"shop"};
  api.note = std::string(3000, 'n');  // several pages per commit
  return {.kind = ResourceKind::FuncApi, .id = id, .function_api = domain::Stored<domain::FunctionApi>{api, {1, 1, 1, ""}}};
}

// Two objects per commit, so that half a commit would show.
void commit_pairs(const std::string& folder, int report) {
  test::FakeClock clock;
  test::FakeRandom random;
  auto database = Database::open(folder + "/funcgate.db", sqlite_migrations(), clock);
  if (!database.ok()) ::_exit(3);
  ConfigurationRepository repository(**database, clock, random);
  const auto loaded = repository.load();
  if (!loaded.ok()) ::_exit(4);
  std::int64_t sequence = loaded->sequence;
  while (true) {
    const std::string number = std::to_string(sequence / 2);
    const auto committed = repository.commit({put_api("a" + number), put_api("b" + number)}, sequence, "child", "");
    if (!committed.ok()) ::_exit(5);
    sequence = *committed;
    if (::write(report, &sequence, sizeof sequence) != sizeof sequence) ::_exit(6);
  }
}

// A user with a key and a session, an API and two events per commit.
void commit_change_sets(const std::string& folder, int report) {
  test::FakeClock clock;
  const audit::Trail trail("main");
  auto database = Database::open(folder + "/funcgate.db", sqlite_migrations(), clock);
  if (!database.ok()) ::_exit(3);
  ChangeRepository changes(**database, clock, trail);
  IdentityRepository store(**database);
  std::int64_t number = store.audit_head()->sequence / 2;
  test::FakeRandom random;
  std::int64_t sequence = ConfigurationRepository(**database, clock, random).load()->sequence;
  while (true) {
    ++number;
    const std::string name = std::to_string(number);
    domain::User user;
    user.id = "usr-" + name;
    user.login = "login" + name;
    user.description = std::string(2000, 'd');
    domain::ApiKey key;
    key.id = "key-" + name;
    key.user_id = user.id;
    key.name = "main";
    domain::ChangeSet set;
    set.identity = {{domain::IdentityKind::User, user.id, false, 0, user}, {domain::IdentityKind::ApiKey, key.id, false, 0, key}};
    set.resources = {put_api("c" + name)};
    set.expected_sequence = sequence;
    set.sessions_begun = {{"ses-" + name, "hash" + name, user.id, 1, 1, 1, ""}};
    set.events.resize(2);
    set.events[0].event = "user.created";
    set.events[1].event = "key.created";
    const auto committed = changes.commit(set);
    if (!committed.ok()) ::_exit(5);
    sequence = *committed;
    if (::write(report, &number, sizeof number) != sizeof number) ::_exit(6);
  }
}

void append_blocks(const std::string& folder, int report) {
  test::FakeClock clock;
  auto database = Database::open(folder + "/journal.db", sqlite_journal_migrations(), clock);
  if (!database.ok()) ::_exit(3);
  JournalRepository repository(**database);
  std::int64_t sequence = repository.newest()->sequence;
  while (true) {
    ++sequence;
    const domain::JournalBlock block{sequence, 1, 1, 1, "p", "h", std::string(5000, 'r')};
    if (!repository.append(block, {{std::to_string(sequence), "quote", "mia", "T", "{}", 1, 200, 1'000'000}}).ok()) ::_exit(5);
    if (::write(report, &sequence, sizeof sequence) != sizeof sequence) ::_exit(6);
  }
}

// Runs `work` in a child, kills it after it has acknowledged `acknowledged_min` changes and some more; returns the last number.
std::int64_t run_and_kill(void (*work)(const std::string&, int), const std::string& folder, int acknowledged_min,
                          unsigned extra_us) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    work(folder, ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::int64_t last = 0, read_value = 0;
  for (int i = 0; i < acknowledged_min && ::read(ends[0], &read_value, sizeof read_value) == sizeof read_value; ++i)
    last = read_value;
  ::usleep(extra_us);  // kill at another moment of a commit each time
  ::kill(child, SIGKILL);
  while (::read(ends[0], &read_value, sizeof read_value) == sizeof read_value) last = read_value;
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child gave up by itself, exit " << WEXITSTATUS(status);
  return last;
}

TEST(Crash, AnAcknowledgedConfigurationSurvivesAndNoneIsHalf) {
  test::TemporaryFolder folder;
  test::FakeClock clock;
  test::FakeRandom random;
  for (unsigned round = 0; round < 12; ++round) {
    const std::int64_t acknowledged = run_and_kill(commit_pairs, folder.path(), 2 + static_cast<int>(round % 3), round * 737);
    auto database = Database::open(folder / "funcgate.db", sqlite_migrations(), clock);
    ASSERT_TRUE(database.ok()) << database.error().message;
    ConfigurationRepository repository(**database, clock, random);
    const auto loaded = repository.load();
    ASSERT_TRUE(loaded.ok());
    EXPECT_GE(loaded->sequence, acknowledged);
    EXPECT_LE(loaded->sequence, acknowledged + 2) << "at most the one that was not reported yet";
    EXPECT_EQ(loaded->function_apis.size(), static_cast<std::size_t>(loaded->sequence));
    for (std::int64_t number = 0; number < loaded->sequence / 2; ++number) {
      EXPECT_TRUE(loaded->function_apis.contains("a" + std::to_string(number)) &&
                  loaded->function_apis.contains("b" + std::to_string(number)));
    }
  }
}

TEST(Crash, AChangeSetIsThereAsAWholeOrNotAtAll) {
  test::TemporaryFolder folder;
  test::FakeClock clock;
  test::FakeRandom random;
  for (unsigned round = 0; round < 10; ++round) {
    const std::int64_t acknowledged = run_and_kill(commit_change_sets, folder.path(), 2 + static_cast<int>(round % 3), round * 823);
    auto database = Database::open(folder / "funcgate.db", sqlite_migrations(), clock);
    ASSERT_TRUE(database.ok()) << database.error().message;
    IdentityRepository store(**database);
    std::int64_t users = 0, keys = 0;
    ASSERT_TRUE(store.load([](domain::IdentityRows&&) {}, [&](domain::User&&) { ++users; }, [&](domain::ApiKey&&) { ++keys; }).ok());
    EXPECT_GE(users, acknowledged);
    EXPECT_LE(users, acknowledged + 1) << "at most the one that was not reported yet";
    EXPECT_EQ(keys, users);
    EXPECT_EQ(static_cast<std::int64_t>(store.sessions("")->size()), users);
    EXPECT_EQ(store.audit_head()->sequence, 2 * users);
    const auto configuration = ConfigurationRepository(**database, clock, random).load();
    EXPECT_EQ(static_cast<std::int64_t>(configuration->function_apis.size()), users);
    const auto verified = audit::verify_trail(store);
    ASSERT_TRUE(verified.ok());
    EXPECT_EQ(verified->text(), std::to_string(2 * users) + " records, chain intact");
  }
}

TEST(Crash, AnAcknowledgedBlockSurvivesWithItsRecords) {
  test::TemporaryFolder folder;
  test::FakeClock clock;
  for (unsigned round = 0; round < 8; ++round) {
    const std::int64_t acknowledged = run_and_kill(append_blocks, folder.path(), 3, round * 911);
    auto database = Database::open(folder / "journal.db", sqlite_journal_migrations(), clock);
    ASSERT_TRUE(database.ok());
    JournalRepository repository(**database);
    const std::int64_t newest = repository.newest()->sequence;
    EXPECT_GE(newest, acknowledged);
    EXPECT_EQ(static_cast<std::int64_t>(repository.read(1, 100'000)->size()), newest);
    EXPECT_EQ(static_cast<std::int64_t>(repository.query({.api_id = "quote", .count = 1000})->size()),
              std::min<std::int64_t>(newest, 1000));
  }
}

}  // namespace
}  // namespace funcgate::store
