// One SOCK_SEQPACKET message with descriptors, sent or received whole. Blocking sockets; the caller sets time-outs on them.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace funcgate::wire {

inline constexpr std::size_t kPacketBytesMax = 64 << 10;
inline constexpr std::size_t kPacketDescriptorsMax = 8;

struct Packet {
  std::string bytes;
  std::vector<base::FileDescriptor> descriptors;
};

base::Status send_packet(int socket, std::string_view bytes, const std::vector<int>& descriptors);
// NotFound when the peer has closed; Unavailable on a time-out or error. Descriptors arrive with close-on-exec.
base::Result<Packet> receive_packet(int socket);

}  // namespace funcgate::wire
