// Unicode normalisation: one spelling for texts that are compared byte by byte.
//
// Thread-safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace funcgate::base {

// Normalization Form C (UAX #15) of UTF-8 text. nullopt: `text` is not valid UTF-8.
std::optional<std::string> to_nfc(std::string_view text);

}  // namespace funcgate::base
