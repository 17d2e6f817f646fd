#include "service/admin/password_renewer.h"

#include <array>
#include <atomic>
#include <mutex>
#include <thread>

#include "resource_fixture.h"

namespace funcgate::service {
namespace {

constexpr const char* kStaff = R"(
kind: ApiAuthentication
metadata: {name: staff}
spec:
  title: Staff
  type: httpBasic
  users: [{username: mia, password: long pass-word}, {username: joe, password: another pass-word}]
)";

class PasswordRenewerTest : public ResourceTest {
 protected:
  void SetUp() override { apply(kStaff); }

  const domain::Stored<domain::ApiAuthentication>& staff() const { return live_->api_authentications.find("staff")->second; }
  std::string hash_of(const std::string& name) const {
    for (const auto& user : std::get<domain::BasicConfig>(staff().value.config).users) {
      if (user.username == name) return user.password_hash;
    }
    return {};
  }
  // Everything that was wished for is done on return.
  void wish(const std::vector<std::array<std::string, 3>>& wishes) {
    base::BlockingPool management("management", 1, 10);
    PasswordRenewer renewer(*service_, codec_, management);
    for (const auto& [name, password, hash] : wishes) renewer.wanted("staff", name, base::SecretString(password), hash);
    settle(management);
  }
  // Each round lets every job end that was queued before it; more rounds than a full list of wishes needs.
  static void settle(base::BlockingPool& pool) {
    for (int round = 0; round < 20; ++round) {
      std::atomic<bool> passed{false};
      while (!pool.submit([&] { passed = true; })) std::this_thread::yield();
      while (!passed) std::this_thread::yield();
    }
  }
};

TEST_F(PasswordRenewerTest, ReplacesTheHashAndNothingElse) {
  const std::string old = hash_of("mia"), other = hash_of("joe");
  const auto before = staff();
  const auto sequence = live_->sequence;
  wish({{"mia", "long pass-word", old}});
  EXPECT_NE(hash_of("mia"), old);
  EXPECT_TRUE(*codec_.verify_password("long pass-word", hash_of("mia")));
  EXPECT_EQ(hash_of("joe"), other);
  EXPECT_EQ(staff().meta.version, before.meta.version);
  EXPECT_EQ(staff().value.version, before.value.version);
  EXPECT_EQ(staff().meta.updated_at_ms, before.meta.updated_at_ms);
  EXPECT_GT(live_->sequence, sequence) << "other nodes learn of it";
  const std::string renewed = hash_of("mia");
  restart();
  EXPECT_EQ(hash_of("mia"), renewed);
  EXPECT_EQ(report(apply(kStaff)), std::vector<std::string>{"ApiAuthentication staff: unchanged"});
}

TEST_F(PasswordRenewerTest, AnEditThatCameInBetweenStays) {
  const std::string old = hash_of("mia");
  std::string edited = kStaff;
  edited.replace(edited.find("long pass-word"), 14, "quite different");
  apply(edited);
  const std::string current = hash_of("mia");
  const auto version = staff().meta.version;
  wish({{"mia", "long pass-word", old}});
  EXPECT_EQ(hash_of("mia"), current);
  EXPECT_EQ(staff().meta.version, version);
  EXPECT_EQ(*service_->renew_passwords({{"staff", "mia", old, "a hash"}}), 0u);
  EXPECT_EQ(*service_->renew_passwords({{"nobody", "mia", old, "a hash"}}), 0u);
  EXPECT_EQ(hash_of("mia"), current);
}

TEST_F(PasswordRenewerTest, WhatSeveralAskForIsHashedOnce) {
  const std::string old = hash_of("mia");
  const int hashed = codec_.passwords_hashed;
  wish({{"mia", "long pass-word", old}, {"mia", "long pass-word", old}, {"joe", "another pass-word", hash_of("joe")}});
  EXPECT_EQ(codec_.passwords_hashed, hashed + 2);
  wish({{"mia", "long pass-word", old}});
  EXPECT_EQ(codec_.passwords_hashed, hashed + 2);
}

TEST_F(PasswordRenewerTest, AFailureLeavesTheOldHashInPlace) {
  const std::string old = hash_of("mia");
  store_->fail_before = true;
  wish({{"mia", "long pass-word", old}});
  store_->fail_before = false;
  EXPECT_EQ(hash_of("mia"), old);
  codec_.broken = "the keystore has no pepper";
  wish({{"mia", "long pass-word", old}});
  codec_.broken.clear();
  EXPECT_EQ(hash_of("mia"), old);
  wish({{"mia", "long pass-word", old}});
  EXPECT_NE(hash_of("mia"), old);
}

TEST_F(PasswordRenewerTest, KeepsABoundedNumberOfWishesAndNeverWaits) {
  base::BlockingPool management("management", 1, 10);
  PasswordRenewer renewer(*service_, codec_, management);
  std::mutex held;
  held.lock();
  ASSERT_TRUE(management.submit([&] { std::lock_guard wait(held); }));
  const int hashed = codec_.passwords_hashed;
  for (std::size_t i = 0; i < 3 * PasswordRenewer::kWishesMax; ++i) {
    renewer.wanted("staff", "stranger " + std::to_string(i), base::SecretString("x"), "no hash");
  }
  renewer.wanted("staff", "mia", base::SecretString("long pass-word"), hash_of("mia"));
  held.unlock();
  settle(management);
  EXPECT_EQ(codec_.passwords_hashed, hashed) << "there was no room for the one that would have counted";
  renewer.wanted("staff", "mia", base::SecretString("long pass-word"), hash_of("mia"));
  settle(management);
  EXPECT_EQ(codec_.passwords_hashed, hashed + 1) << "asked for again at a later success";
}

TEST_F(PasswordRenewerTest, DropsEverythingWhenManagementIsBusy) {
  base::BlockingPool management("management", 1, 1);
  PasswordRenewer renewer(*service_, codec_, management);
  std::mutex held;
  held.lock();
  std::atomic<bool> runs{false};
  ASSERT_TRUE(management.submit([&] {
    runs = true;
    std::lock_guard wait(held);
  }));
  while (!runs) std::this_thread::yield();
  ASSERT_TRUE(management.submit([] {}));
  const std::string old = hash_of("mia");
  renewer.wanted("staff", "mia", base::SecretString("long pass-word"), old);
  held.unlock();
  settle(management);
  EXPECT_EQ(hash_of("mia"), old);
  renewer.wanted("staff", "mia", base::SecretString("long pass-word"), old);
  settle(management);
  EXPECT_NE(hash_of("mia"), old);
}

}  // namespace
}  // namespace funcgate::service
