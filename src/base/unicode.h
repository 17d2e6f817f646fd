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
// Full case folding (Unicode, 3.13, D144): texts that differ in case only become equal. Bytes that are not UTF-8 become U+FFFD.
std::string fold_case(std::string_view text);
// Columns that UTF-8 text takes on a terminal: 2 for wide characters (UAX #11), 0 for marks that combine with what is before them
// and for controls. A broken byte counts 1.
std::size_t display_columns(std::string_view text);

}  // namespace funcgate::base
