#include "auth/scheme_factory.h"

#include "auth/basic.h"
#include "auth/builtin.h"
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

}  // namespace

SchemeFactory::SchemeFactory(const SchemeKeys& keys, base::Random& random)
    : pepper_(keys.pepper),
      pepper_hash_(keys.pepper),
      process_hash_(keys.process),
      sealing_(keys.sealing, random),
      nonces_(crypto::derive_key(keys.sealing, "funcgate digest nonce v1", 32)),
      opaque_key_(crypto::derive_key(keys.sealing, "funcgate digest opaque v1", 32)),
      random_(random) {
  if (auto phc = crypto::dummy_phc(pepper_)) dummy_phc_ = std::move(*phc);
}

SchemePtr SchemeFactory::make(const domain::ApiAuthentication& authentication, Reason& broken) const {
  // Accounts other than `system` are not known to this release: running as somebody else cannot be granted.
  if (!authentication.run_as.empty() && authentication.run_as != "system") return deny(broken, Reason::AuthRunAsDisabled);
  return std::visit(
      Overloaded{
          [&](const domain::FixedFieldConfig& config) -> SchemePtr {
            return std::make_shared<const FixedFieldScheme>(authentication, config, pepper_hash_);
          },
          [&](const domain::BasicConfig& config) -> SchemePtr {
            // Without the dummy hash, unknown names would be told apart by time.
            if (dummy_phc_.empty()) return deny(broken, Reason::AuthSecretUnreadable);
            return std::make_shared<const BasicScheme>(authentication, config, process_hash_, dummy_phc_);
          },
          [&](const domain::DigestConfig& config) -> SchemePtr {
            const DigestSecrets secrets{sealing_, nonces_, opaque_key_};
            auto scheme = DigestScheme::make(authentication, config, secrets, random_);
            if (scheme) return std::move(*scheme);
            base::log::error("auth.secret_unreadable", {{"config", authentication.id}, {"problem", scheme.error().message}});
            return deny(broken, Reason::AuthSecretUnreadable);
          },
          [&](const domain::FuncConfig& config) -> SchemePtr {
            return std::make_shared<const FuncScheme>(authentication, config, process_hash_);
          },
          [&](const domain::ApiKeyConfig&) -> SchemePtr { return std::make_shared<const ApiKeyScheme>(authentication); },
          [&](const domain::BrokenConfig& config) -> SchemePtr {
            return deny(broken, config.unknown_type ? Reason::AuthTypeUnknown : Reason::AuthConfigBroken);
          },
      },
      authentication.config);
}

}  // namespace funcgate::auth
