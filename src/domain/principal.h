// Principal: as whom an accepted call runs. Only authentication can make one: the constructor needs a passkey.
//
// Immutable and shared: those of fixed entries and accounts are made when their configuration is published.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace funcgate::auth {
class PrincipalIssuer;
}

namespace funcgate::domain {

class PrincipalKey {
  friend class funcgate::auth::PrincipalIssuer;
  PrincipalKey() = default;
};

struct PrincipalFields {
  std::string type;        // anonymous fixedField httpBasic httpDigest func apiKey
  std::string auth_id;     // configuration; empty = anonymous
  std::string name;        // label, user name, login, "system"; empty = None (an authentication function that set none)
  std::string run_as = "system";
  std::string user_id, key_id, key_name;  // empty = None
  std::string attributes = "{}";          // JSON object
  std::vector<std::string> groups, roles;  // names, sorted: of the owner of a key, at the moment of the call
};

class Principal {
 public:
  Principal(PrincipalKey, PrincipalFields fields);

  const PrincipalFields& fields() const { return fields_; }
  // JSON of _DFF_CALLER, made once.
  std::string_view caller_json() const { return caller_json_; }
  // The same principal: type, configuration and name or key.
  bool same_caller(const PrincipalFields& other) const;

 private:
  PrincipalFields fields_;
  std::string caller_json_;
};

using PrincipalPtr = std::shared_ptr<const Principal>;

}  // namespace funcgate::domain
