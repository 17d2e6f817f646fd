// Secret keys as JSON of the management API and as documents: names, owners and switches; values never.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "domain/api_auth_document.h"
#include "domain/identity.h"

namespace funcgate::domain {

inline constexpr std::size_t kSecretValueBytesMax = 8192;
// What stands for a value wherever a value would stand: always as long, whatever the value.
inline constexpr std::string_view kMaskedSecret = "********";

// ^[A-Za-z_][A-Za-z0-9_]{0,63}$
bool is_secret_key_name(std::string_view name);
// SecretKey::key: lower case, of name, owner and 8 random characters; made once and kept when the secret is renamed.
std::string make_secret_key_key(std::string_view name, std::string_view owner_id, std::string_view eight_random_characters);

// Where the value comes from when it is used.
enum class SecretSourceKind : std::uint8_t { None, Sealed, Keystore };
std::string_view secret_source_name(SecretSourceKind source);  // NONE, SEALED, KEYSTORE

// Public form.
base::json::object secret_key_json(const SecretKey& secret, SecretSourceKind source);

// Body of a new one: owner, name, enabled. Only these are set in what is returned.
SecretKey read_secret_key(const base::json::value& body, std::vector<base::Finding>& findings);
// Body that says how `current` shall be: name and enabled; a member left out gets its default. The owner never changes; members
// that only report are ignored, so that what was read can be sent back.
SecretKey read_secret_key_change(const base::json::value& body, const SecretKey& current, std::vector<base::Finding>& findings);

// kind: SecretKey. metadata.name and metadata.application are of the caller's document.
struct SecretKeyDocument {
  SecretKey value;             // owner names, name, enabled
  SecretReference value_from;  // None: the document says nothing
};
SecretKeyDocument read_secret_key_document(const std::string& name, const std::string& application, const base::json::value& spec,
                                           std::vector<base::Finding>& findings);
// A value that exists is exported as {keep: true}.
base::json::object secret_key_spec(const SecretKey& secret);

}  // namespace funcgate::domain
