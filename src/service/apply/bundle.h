// Bundle: resource documents that were read from files, self-contained: script sources are inlined, secrets of files and of the
// environment resolved. It travels from the command line to the running server as JSON.
//
// Secrets never stand in `spec`: they are kept beside it as SecretString, so that nothing printed or compared holds one.
// Thread-safety: plain values.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"

namespace funcgate::service {

inline constexpr std::size_t kBundleBytesMax = 64 << 20;
inline constexpr std::size_t kBundleFileBytesMax = 8 << 20;
inline constexpr std::size_t kBundleDocumentsMax = 10'000;
inline constexpr std::string_view kApiVersion = "funcgate/v1";

struct BundleDocument {
  std::string file;  // as shown to the author; empty: not from a file
  // Names of applications, user groups and roles as they are stored, whatever spelling the author chose: everything that asks
  // which object is meant compares them.
  std::string kind, name;
  std::string application;  // metadata.application, likewise; empty = none
  base::json::object spec;
  // Path of a member → line, 1 = first; members of the spec without "spec.": "fields[0].name", "id" for metadata.name.
  std::map<std::string, std::int64_t, std::less<>> lines;
  // "fields[0].value", "users[3].password", "value" → clear text.
  std::map<std::string, base::SecretString, std::less<>> secrets;
  // "scripts.prices" → the file its source was read from.
  std::map<std::string, std::string, std::less<>> files;
  // Found when it was received; the document is unusable if there is any.
  std::vector<base::Finding> findings;

  // Line of `path` or of the closest member around it; 0: unknown.
  std::int64_t line_of(std::string_view path) const;
};

struct Bundle {
  std::vector<BundleDocument> documents;
};

// Splits a whole document {apiVersion, kind, metadata: {name, application?}, spec}; what is wrong with that frame goes to
// findings.
BundleDocument document_from_json(const base::json::value& document);

// Moves `value` and `password` members that were written into the spec to `secrets`. Called by everybody who makes a document.
void take_inline_secrets(BundleDocument& document);

// Holds the secrets in clear: for the socket to the own server only.
base::SecretString to_json(const Bundle& bundle);
base::Result<Bundle> bundle_from_json(std::string_view text);

}  // namespace funcgate::service
