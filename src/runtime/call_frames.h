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
// Whether the times that a process tells can be true: it began to run the call (start 0: it never did) between `sent_ms` and
// `now_ms`, and ran it for at most `since_sent_ns`. What cannot be is replaced by the nearest time that can: these times end up
// in records that nobody can change.
bool are_times_possible(const domain::FunctionReply& reply, base::WallMs sent_ms, base::WallMs now_ms,
                        std::int64_t since_sent_ns);
void make_times_possible(domain::FunctionReply& reply, base::WallMs sent_ms, base::WallMs now_ms, std::int64_t since_sent_ns);

// nullopt: the worker sent nonsense and is not to be trusted any further. Copies `payload`.
std::optional<domain::FunctionReply> read_reply(std::string_view payload);

}  // namespace funcgate::runtime
