// FakePasswordHashing: the hash of a password is "fake$" and the password; pepper-2 is the current pepper.
//
// Thread-safety: one thread at a time.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "service/admin/sessions.h"

namespace funcgate::test {

class FakePasswordHashing final : public service::PasswordHashing {
 public:
  int checks = 0, hashes = 0;
  bool overloaded = false;
  int checks_before_overload = -1;       // how many passwords are compared before none is any more; -1: all
  std::function<void()> while_checking;  // what happens while a password is compared; once

  base::Result<bool> verify(std::string_view password, std::string_view phc, std::string_view pepper_kid,
                            const domain::Address&) override {
    ++checks;
    if (while_checking) std::exchange(while_checking, nullptr)();
    const bool is_too_much = checks_before_overload == 0;
    if (checks_before_overload > 0) --checks_before_overload;
    if (overloaded || is_too_much) return base::Error{base::Code::Unavailable, "too many", {}};
    const bool known_pepper = pepper_kid.empty() || pepper_kid == "pepper-1" || pepper_kid == "pepper-2";
    return !phc.empty() && known_pepper && phc == "fake$" + std::string(password);
  }
  base::Result<Hashed> hash(std::string_view password) override {
    if (overloaded) return base::Error{base::Code::Unavailable, "too many", {}};
    ++hashes;
    return Hashed{"fake$" + std::string(password), "pepper-2"};
  }
  bool is_outdated(std::string_view, std::string_view pepper_kid) override { return pepper_kid != "pepper-2"; }
};

}  // namespace funcgate::test
