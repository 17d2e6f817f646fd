// PasswordRenewer: makes stored password hashes anew that were made with older parameters, once their password was proved.
//
// A bounded list of wishes from the path of calls, worked off on the management plane a few at a time, so that a change by an
// administrator never waits long. Thread-safety: wanted() from any thread. Everything given to the constructor outlives this
// object, and the pool has ended its jobs before it goes.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/secret.h"
#include "domain/ports/password_renewal.h"
#include "domain/ports/secret_codec.h"
#include "service/admin/resource_service.h"

namespace funcgate::service {

class PasswordRenewer final : public domain::PasswordRenewal {
 public:
  static constexpr std::size_t kWishesMax = 64;
  static constexpr std::size_t kWishesPerJob = 8;  // each takes one Argon2id

  PasswordRenewer(ResourceService& resources, domain::SecretCodec& codec, base::BlockingPool& management)
      : resources_(resources), codec_(codec), management_(management) {}

  void wanted(std::string_view config_id, std::string_view username, base::SecretString password,
              std::string_view old_hash) noexcept override;

 private:
  struct Wish {
    std::string config_id, username, old_hash;
    base::SecretString password;
  };
  bool schedule();
  void work();
  std::vector<Wish> take_some();
  void renew(const std::vector<Wish>& wishes);

  // constant after construction
  ResourceService& resources_;
  domain::SecretCodec& codec_;
  base::BlockingPool& management_;
  std::mutex mutex_;
  // guarded by mutex_
  std::vector<Wish> wishes_;
  bool scheduled_ = false;
};

}  // namespace funcgate::service
