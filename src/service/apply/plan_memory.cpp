#include "service/apply/plan_memory.h"

#include <utility>

namespace funcgate::service {

using base::Result;

void PlanMemory::begin_round() {
  for (auto& [password, made] : account_hashes_) made.given = 0;
  for (auto& [password, made] : user_hashes_) made.given = 0;
}

template <class Hash, class Make>
Result<Hash> PlanMemory::next(Made<Hash>& made, const Make& make) {
  if (made.given == made.hashes.size()) {
    TRY(Hash fresh, make());
    made.hashes.push_back(std::move(fresh));
  }
  return made.hashes[made.given++];
}

Result<std::string> PlanMemory::hash_password(std::string_view password) {
  return next(account_hashes_[keyed_.hash({password})], [&] { return parts_.codec.hash_password(password); });
}

Result<PasswordHashing::Hashed> PlanMemory::hash(std::string_view password) {
  return next(user_hashes_[keyed_.hash({password})], [&] { return parts_.hashing->hash(password); });
}

Result<bool> PlanMemory::verify_password(std::string_view password, std::string_view phc) {
  const std::string question = keyed_.hash({"account", password, phc});
  if (const auto known = comparisons_.find(question); known != comparisons_.end()) return known->second;
  TRY(const bool equal, parts_.codec.verify_password(password, phc));
  comparisons_.emplace(question, equal);
  return equal;
}

Result<bool> PlanMemory::verify(std::string_view password, std::string_view phc, std::string_view pepper_kid,
                                const domain::Address& address) {
  const std::string question = keyed_.hash({"user", password, phc, pepper_kid});
  if (const auto known = comparisons_.find(question); known != comparisons_.end()) return known->second;
  TRY(const bool equal, parts_.hashing->verify(password, phc, pepper_kid, address));
  comparisons_.emplace(question, equal);
  return equal;
}

Result<domain::GenerationPtr> PlanMemory::stage(const std::vector<domain::ScriptSet>& sets,
                                                const std::vector<domain::Script>& scripts,
                                                std::vector<domain::StageProblem>& problems) {
  std::vector<std::string> versions;
  for (const domain::ScriptSet& set : sets) versions.push_back(std::to_string(set.version));
  for (const domain::Script& script : scripts) versions.push_back(std::to_string(script.publish_version));
  std::vector<std::string_view> parts;
  auto version = versions.begin();
  for (const domain::ScriptSet& set : sets)
    parts.insert(parts.end(), {"set", set.id, set.title, set.note, set.requirements, *version++});
  for (const domain::Script& script : scripts)
    parts.insert(parts.end(),
                 {"script", script.id, script.set_id, script.title, script.source, script.source_sha256, *version++});
  std::string wanted{crypto::as_view(keyed_.digest(std::span<const std::string_view>(parts)))};
  if (generation_ != nullptr && wanted == staged_) return generation_;
  TRY(domain::GenerationPtr fresh, parts_.host.stage(sets, scripts, problems));
  staged_ = std::move(wanted);
  generation_ = fresh;
  return fresh;
}

}  // namespace funcgate::service
