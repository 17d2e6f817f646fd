// Reading an ApiAuthentication: every rule of its members that needs no other object, for documents and for the stored form.
//
// A document never holds a secret when it arrives here: inline values were taken out by whoever received it, and references
// (`valueFrom`, `passwordFrom`) are reported, not resolved. Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "domain/api_auth.h"

namespace funcgate::domain {

enum class SecretOrigin : std::uint8_t { None, Env, File, Keystore, Keep };

// valueFrom: {env: NAME} | {file: PATH} | {keystore: ALIAS} | {keep: true}
struct SecretReference {
  SecretOrigin origin = SecretOrigin::None;
  std::string name;  // variable, path or alias
};
SecretReference read_secret_reference(const base::json::value& reference, const std::string& path,
                                      std::vector<base::Finding>& findings);

struct ApiAuthenticationDraft {
  ApiAuthentication value;               // a Document leaves hashes and sealed texts empty
  std::vector<SecretReference> secrets;  // Document: one per field or user, in their order
};

enum class ApiAuthenticationForm : std::uint8_t { Document, Stored };

// Findings make the draft unusable; warnings do not. A type this release does not know is a finding and a BrokenConfig.
ApiAuthenticationDraft read_api_authentication(const std::string& id, const base::json::value& spec, ApiAuthenticationForm form,
                                               base::WallMs now_ms, std::vector<base::Finding>& findings,
                                               std::vector<base::Finding>& warnings);

// The rules of fields[].value and users[].password; `path` is the path of the secret. Messages never repeat it.
void check_field_value(std::string_view value, FieldLocation location, const std::string& path,
                       std::vector<base::Finding>& findings, std::vector<base::Finding>& warnings);
void check_password(std::string_view username, std::string_view password, const std::string& path,
                    std::vector<base::Finding>& findings, std::vector<base::Finding>& warnings);

// fixedField httpBasic httpDigest func apiKey; empty: broken.
std::string_view api_authentication_type(const ApiAuthentication& authentication);

}  // namespace funcgate::domain
