// Masking secrets in texts that are stored: what user code printed or raised may hold them.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/call.h"
#include "service/catalog.h"

namespace funcgate::service {

// Shorter values are no secrets, and masking them would tear texts apart.
inline constexpr std::size_t kMaskedBytesMin = 4;

// Replaces every occurrence of a secret by *****, longest first; also in the form it has inside JSON texts.
void mask_secrets(std::string& text, std::vector<std::string_view> secrets);
// The credential values that `call` carries: Authorization (whole and behind the scheme) and the configured headers.
void add_credentials(std::vector<std::string_view>& secrets, const domain::Call& call, const StripRules& rules);

}  // namespace funcgate::service
