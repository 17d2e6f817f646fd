// Canonical JSON (RFC 8785): one value has exactly one text, so that it can be hashed and signed.
//
// Members are sorted by the UTF-16 code units of their names, numbers are written as ECMAScript does (shortest digits of a
// double), strings escape only what must be escaped, and there is no white space. Whole numbers beyond 2^53 lose digits, as the
// RFC demands of every implementation: whoever needs them exactly writes them as text. Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace funcgate::base {

// Bytes that are not UTF-8 become U+FFFD. Numbers must be finite (CHECKed: JSON text cannot hold others).
std::string canonical_json(const json::value& value);
// The text of one number (RFC 8785, 3.2.2.3).
std::string canonical_number(double number);

}  // namespace funcgate::base
