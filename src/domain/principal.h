// Principal: as whom an accepted call runs. Only authentication can make one: the constructor needs a passkey.
//
// Immutable and shared: those of fixed entries and accounts are made when their configuration is published.
#pragma once

#include <array>
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
  std::string type;     // anonymous fixedField httpBasic httpDigest func apiKey
  std::string auth_id;  // configuration; empty = anonymous
  std::string name;     // label, user name, login, "system"; empty = None (an authentication function that set none)
  std::string run_as = "system";
  std::string user_id, key_id, key_name;   // empty = None
  std::string attributes = "{}";           // JSON object
  std::vector<std::string> groups, roles;  // names, sorted: of the owner of a key, at the moment of the call
};

class Principal {
 public:
  Principal(PrincipalKey, PrincipalFields fields);

  const PrincipalFields& fields() const { return fields_; }
  // JSON of _DFF_CALLER, made once.
  std::string_view caller_json() const { return caller_json_; }
  // A digest of caller_json(), in its place wherever only equality counts. All zero: none was made, because few calls have it.
  using Mark = std::array<unsigned char, 16>;
  const Mark& mark() const { return mark_; }
  void set_mark(PrincipalKey, const Mark& mark) { mark_ = mark; }
  // The same principal: type, configuration and name or key.
  bool same_caller(const PrincipalFields& other) const;

 private:
  PrincipalFields fields_;
  std::string caller_json_;
  Mark mark_{};
};

using PrincipalPtr = std::shared_ptr<const Principal>;

}  // namespace funcgate::domain
