// The sealed texts of a configuration: passwords of environment variables and HA1s of Digest users, each with what it is bound
// to.
//
// Thread-safety: not thread-safe; functions work on values that belong to the caller.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "domain/configuration.h"
#include "domain/ports/secret_codec.h"

namespace funcgate::service {

struct SealedText {
  bool is_variable = false;  // else an authentication
  const std::string& id;     // of the object
  std::string& text;
  std::vector<std::string_view> bound_to;
};
// Empty ones are left out.
void each_sealed_text(domain::Configuration& configuration, const std::function<void(SealedText&)>& visit);

// Which objects were logged because what they hold does not open: each is told once per current kid.
class ToldUnopenable {
 public:
  static constexpr std::size_t kIdsMax = 65'536;  // further ones are not told

  // True: it has not been told of this id yet.
  bool add(const std::string& kid, const std::string& id);

 private:
  std::string kid_;
  std::set<std::string, std::less<>> ids_;
};

// Under the current key; false: it is already, or it does not open (which is logged, unless `told` knows it), or nothing can be
// sealed.
bool seal_anew(domain::SecretVault& vault, SealedText& text, ToldUnopenable& told);

// How many texts of the configuration are sealed under which kid; "" for those that are no sealed text.
using SealedCounts = std::map<std::string, std::size_t>;
void count_sealed(const domain::Configuration& configuration, domain::SecretVault& vault, SealedCounts& counts);

}  // namespace funcgate::service
