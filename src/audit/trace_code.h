// Trace ids made here are TRACE- and an upper-case UUID: 42 characters that say 16 bytes.
//
// Thread-safety: pure functions.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace funcgate::audit {

using ShortTraceId = std::array<unsigned char, 16>;

// nullopt: another form (a caller's own id), or lower case; lengthen_trace_id() gives back exactly what was shortened.
std::optional<ShortTraceId> shorten_trace_id(std::string_view trace_id);
std::string lengthen_trace_id(const ShortTraceId& bytes);

}  // namespace funcgate::audit
