#include "service/admin/sealed_texts.h"

#include "base/log.h"

namespace funcgate::service {
namespace {

using domain::ApiAuthentication;
using domain::DigestConfig;
using domain::EnvVariable;

// One list of what is sealed with what, for readers and writers.
template <class Variable, class Visit>
void visit_variable(Variable& variable, Visit&& visit) {
  if (variable.type == domain::EnvType::Password && !variable.value.empty())
    visit(true, variable.id, variable.value, std::vector<std::string_view>{"env", variable.id});
}

template <class Authentication, class Config, class Visit>
void visit_digest(Authentication& authentication, Config& config, Visit&& visit) {
  for (auto& user : config.users) {
    for (std::size_t i = 0; i < user.sealed_ha1.size() && i < config.algorithms.size(); ++i) {
      if (user.sealed_ha1[i].empty()) continue;
      visit(false, authentication.id, user.sealed_ha1[i],
            std::vector<std::string_view>{authentication.id, user.username, domain::algorithm_name(config.algorithms[i]),
                                          authentication.realm});
    }
  }
}

// The ports take lists that are known when they are written.
template <class Call>
auto with_parts(const std::vector<std::string_view>& parts, Call&& call) {
  return parts.size() == 2 ? call({parts[0], parts[1]}) : call({parts[0], parts[1], parts[2], parts[3]});
}

}  // namespace

void each_sealed_text(domain::Configuration& configuration, const std::function<void(SealedText&)>& visit) {
  const auto pass_on = [&](bool is_variable, const std::string& id, std::string& text, std::vector<std::string_view> bound_to) {
    SealedText sealed{is_variable, id, text, std::move(bound_to)};
    visit(sealed);
  };
  for (auto& [id, stored] : configuration.env_variables) visit_variable(stored.value, pass_on);
  for (auto& [id, stored] : configuration.api_authentications) {
    if (auto* config = std::get_if<DigestConfig>(&stored.value.config)) visit_digest(stored.value, *config, pass_on);
  }
}

bool ToldUnopenable::add(const std::string& kid, const std::string& id) {
  if (kid != kid_) ids_.clear();
  kid_ = kid;
  return ids_.size() < kIdsMax && ids_.insert(id).second;
}

bool seal_anew(domain::SecretVault& vault, SealedText& text, ToldUnopenable& told) {
  const std::string current = vault.sealing_kid();
  if (current.empty() || vault.kid_of(text.text) == current) return false;
  using Parts = std::initializer_list<std::string_view>;
  const auto plain = with_parts(text.bound_to, [&](Parts parts) { return vault.open(text.text, parts); });
  if (!plain.ok()) {
    if (told.add(current, (text.is_variable ? "variable " : "authentication ") + text.id))
      base::log::error("secret.not_resealed", {{"object", text.id}, {"problem", plain.error().message}});
    return false;
  }
  auto sealed = with_parts(text.bound_to, [&](Parts parts) { return vault.seal(plain->reveal(), parts); });
  if (!sealed.ok()) return false;
  text.text = std::move(*sealed);
  return true;
}

void count_sealed(const domain::Configuration& configuration, domain::SecretVault& vault, SealedCounts& counts) {
  const auto count = [&](bool, const std::string&, const std::string& text, const std::vector<std::string_view>&) {
    ++counts[vault.kid_of(text)];
  };
  for (const auto& [id, stored] : configuration.env_variables) visit_variable(stored.value, count);
  for (const auto& [id, stored] : configuration.api_authentications) {
    if (const auto* config = std::get_if<DigestConfig>(&stored.value.config)) visit_digest(stored.value, *config, count);
  }
}

}  // namespace funcgate::service
