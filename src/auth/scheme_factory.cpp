#include "auth/scheme_factory.h"

#include "auth/api_key.h"
#include "auth/basic.h"
#include "auth/digest.h"
#include "auth/fixed_field.h"
#include "auth/func.h"
#include "base/log.h"
#include "crypto/password_hash.h"

namespace funcgate::auth {
namespace {

using domain::Reason;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

SchemePtr deny(Reason& broken, Reason why) {
  broken = why;
  return nullptr;
}

// Sealing secrets other than the current one, each for what is derived from it.
std::vector<base::SecretString> nonce_keys(const SchemeKeys& keys) {
  std::vector<base::SecretString> out;
  for (const auto* list : {&keys.retired_sealing, &keys.former_sealing}) {
    for (const base::SecretString& secret : *list) out.push_back(crypto::derive_key(secret, "funcgate digest nonce v1", 32));
  }
  return out;
}

}  // namespace

SchemeFactory::SchemeFactory(const SchemeKeys& keys, base::Random& random, const SchemeSettings& settings)
    : pepper_(keys.pepper),
      pepper_hash_(keys.pepper),
      process_hash_(keys.process),
      passwords_hash_(keys.passwords.empty() ? keys.process : keys.passwords),
      nonces_(crypto::derive_key(keys.sealing, "funcgate digest nonce v1", 32), nonce_keys(keys)),
      random_(random),
      settings_(settings),
      signing_(keys.signing ? keys.signing
                            : std::make_shared<const LiveSigningKeys>(SigningKeys::none("there is no API key signing secret"))) {
  for (const base::SecretString& pepper : keys.retired_peppers) retired_peppers_.emplace_back(pepper);
  sealing_.emplace_back(keys.sealing, random);
  for (const base::SecretString& secret : keys.retired_sealing) sealing_.emplace_back(secret, random);
  opaque_keys_.push_back(crypto::derive_key(keys.sealing, "funcgate digest opaque v1", 32));
  for (const auto* list : {&keys.retired_sealing, &keys.former_sealing}) {
    for (const base::SecretString& secret : *list)
      opaque_keys_.push_back(crypto::derive_key(secret, "funcgate digest opaque v1", 32));
  }
  if (auto phc = crypto::dummy_phc(pepper_, settings_.password_cost)) dummy_phc_ = std::move(*phc);
}

SchemePtr SchemeFactory::make(const domain::ApiAuthentication& authentication, Reason& broken) const {
  return std::visit(
      Overloaded{
          [&](const domain::FixedFieldConfig& config) -> SchemePtr {
            return std::make_shared<const FixedFieldScheme>(authentication, config, pepper_hash_, retired_peppers_);
          },
          [&](const domain::BasicConfig& config) -> SchemePtr {
            // Without the dummy hash, unknown names would be told apart by time.
            if (dummy_phc_.empty()) return deny(broken, Reason::AuthSecretUnreadable);
            return std::make_shared<const BasicScheme>(authentication, config, passwords_hash_, dummy_phc_,
                                                       settings_.password_cost);
          },
          [&](const domain::DigestConfig& config) -> SchemePtr {
            const DigestSecrets secrets{sealing_, nonces_, opaque_keys_};
            auto scheme = DigestScheme::make(authentication, config, secrets, random_);
            if (scheme) return std::move(*scheme);
            base::log::error("auth.secret_unreadable", {{"config", authentication.id}, {"problem", scheme.error().message}});
            return deny(broken, Reason::AuthSecretUnreadable);
          },
          [&](const domain::FuncConfig& config) -> SchemePtr {
            return std::make_shared<const FuncScheme>(authentication, config, process_hash_,
                                                      settings_.auth_function_timeout_ms);
          },
          [&](const domain::ApiKeyConfig& config) -> SchemePtr {
            return std::make_shared<const ApiKeyScheme>(authentication, config, signing_, process_hash_);
          },
          [&](const domain::BrokenConfig& config) -> SchemePtr {
            return deny(broken, config.unknown_type ? Reason::AuthTypeUnknown : Reason::AuthConfigBroken);
          },
      },
      authentication.config);
}

}  // namespace funcgate::auth
