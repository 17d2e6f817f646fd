// From an Invocation to the bytes of an Invoke frame, and from a Reply frame to a FunctionReply.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/invocation.h"
#include "wire/messages.h"

namespace funcgate::runtime {

// Keeps its capacity between calls.
struct InvokeScratch {
  wire::Invoke invoke;
  std::string chain;
};

// Appends the frame to `out`.
void append_invoke(std::string& out, InvokeScratch& scratch, std::uint64_t call, std::uint16_t slot,
                   const domain::Invocation& invocation);
// nullopt: the worker sent nonsense and is not to be trusted any further. Copies `payload`.
std::optional<domain::FunctionReply> read_reply(std::string_view payload);

}  // namespace funcgate::runtime
