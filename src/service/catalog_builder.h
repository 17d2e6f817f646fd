// CatalogBuilder: compiles the configuration and a generation into a catalog. What cannot be compiled denies; nothing is open.
//
// Thread-safety: one thread at a time (the management plane's).
#pragma once

#include <functional>
#include <memory>

#include "base/metrics.h"
#include "service/catalog.h"
#include "service/settings.h"

namespace funcgate::service {

// Makes the scheme of a configuration, or says why not.
using SchemeMaker = std::function<auth::SchemePtr(const domain::ApiAuthentication&, domain::Reason& broken)>;

// The clear value of a password variable.
using Unseal = std::function<base::Result<base::SecretString>(const domain::EnvVariable&)>;

class CatalogBuilder {
 public:
  CatalogBuilder(const ServerSettings& settings, SchemeMaker make_scheme, Unseal unseal, base::Metrics& metrics)
      : settings_(settings), make_scheme_(std::move(make_scheme)), unseal_(std::move(unseal)), metrics_(metrics) {}

  // Schemes and endpoint states of unchanged objects are taken over from `previous` (may be null).
  CatalogPtr build(const domain::Configuration& configuration, domain::GenerationPtr generation, const CatalogPtr& previous);

 private:
  std::shared_ptr<const Endpoint> compile(const domain::FunctionApi& api, std::int64_t created_at_ms, const Catalog& catalog,
                                          const CatalogPtr& previous);
  void compile_chain(Endpoint& endpoint, const Catalog& catalog);
  void compile_limits(Endpoint& endpoint);

  const ServerSettings& settings_;
  const SchemeMaker make_scheme_;
  const Unseal unseal_;
  base::Metrics& metrics_;
  // Of the catalog being built: configurations that cannot be used, and their fields, which are credentials all the same.
  domain::TextMap<domain::Reason> broken_;
  domain::TextMap<std::vector<domain::FieldReference>> broken_fields_;
  // What the schemes of the newest catalog were made from: equal versions alone do not prove that nothing was changed.
  domain::TextMap<domain::ApiAuthentication> made_from_;
};

}  // namespace funcgate::service
