// Resealing: after a rotation of the sealing key, seals anew what still lies under a retired one, a portion at a time, while the
// server serves. What is done and what is left stands in the rows themselves: it may be killed and begun again at any point.
//
// Thread-safety: step() on one thread at a time; blocks.
#pragma once

#include <cstddef>
#include <string>

#include "domain/ports/identity_store.h"
#include "domain/ports/secret_codec.h"
#include "service/admin/identity_service.h"
#include "service/admin/resource_service.h"
#include "service/admin/sealed_texts.h"

namespace funcgate::service {

// Secret keys that are sealed under another key than the current one: at most `count_max` are sealed anew; how many were. Those
// that do not open are left alone and logged, unless `told` knows them.
base::Result<std::size_t> reseal_secret_keys(IdentityService& identity, domain::IdentityStore& store, domain::SecretVault& vault,
                                             std::size_t count_max, ToldUnopenable& told);
// How many secret keys are sealed under which kid.
base::Status count_sealed(domain::IdentityStore& store, SealedCounts& counts);

class Resealing {
 public:
  static constexpr std::size_t kPortion = 100;

  Resealing(ResourceService& resources, IdentityService& identity, domain::IdentityStore& store, domain::SecretVault& vault)
      : resources_(resources), identity_(identity), store_(store), vault_(vault) {}

  // One portion. How many texts were sealed anew; 0: nothing is left that could be.
  base::Result<std::size_t> step();
  base::Result<SealedCounts> counts() const;

 private:
  ResourceService& resources_;
  IdentityService& identity_;
  domain::IdentityStore& store_;
  domain::SecretVault& vault_;
  ToldUnopenable told_;  // step() only
};

}  // namespace funcgate::service
