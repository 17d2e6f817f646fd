// Masking of secret values in texts that are kept: logs, errors of processes, traffic, explanations, audit.
//
// A value of at least 6 characters is found as it is, in Base64 (both alphabets, also inside a longer encoded text),
// percent-encoded, or escaped for JSON; "[secret:NAME]" stands in its place. Thread-safety: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/admin/secret_keys.h"

namespace funcgate::service {

inline constexpr std::size_t kMaskedSecretBytesMin = 6;

// For texts of one request; made once for all of its texts. Holds the values: to be dropped with the request.
class SecretMasking {
 public:
  explicit SecretMasking(std::span<const UsableSecret> secrets);
  ~SecretMasking();
  SecretMasking(SecretMasking&&) = default;
  SecretMasking(const SecretMasking&) = delete;
  SecretMasking& operator=(const SecretMasking&) = delete;

  // The text with every form of every value replaced, the longest form first.
  std::string masked(std::string_view text) const;

 private:
  struct Form {
    std::string text, replacement;
  };
  void add(std::string form, const std::string& replacement);

  std::vector<Form> forms_;  // longest first
};

}  // namespace funcgate::service
