// PasswordRenewal: where the path of a call tells that a password was right but its stored hash is older than it should be.
#pragma once

#include <string_view>

#include "base/secret.h"

namespace funcgate::domain {

class PasswordRenewal {
 public:
  virtual ~PasswordRenewal() = default;
  // `password` of `username` in the configuration `config_id` was verified against `old_hash`. Any thread; never waits and never
  // fails: what there is no room for is dropped, and asked for again at a later success.
  virtual void wanted(std::string_view config_id, std::string_view username, base::SecretString password,
                      std::string_view old_hash) noexcept = 0;
};

}  // namespace funcgate::domain
