// Checkpoints to syslog: each is one datagram to the socket of the syslog daemon of this machine, which sends it on to where
// nobody of this machine can change it.
//
// The form is RFC 5424: facility 13 (log audit), severity 5 (notice), app name "funcgate", message id "audit.checkpoint", no
// structured data, and the checkpoint's line as message. Only local sockets: a datagram over the network is lost without anybody
// hearing of it, and who relies on checkpoints must hear. Thread-safety: any thread; blocks for kSyslogWaitMs at most.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace funcgate::audit {

inline constexpr int kSyslogWaitMs = 5000;

// What is wrong with `path` as the path of a socket, for the configuration; empty: nothing.
std::string syslog_path_problem(std::string_view path);

// The datagram.
std::string syslog_message(std::string_view line, base::WallMs time_ms);

// Unavailable: nobody listens there, it does not take the datagram in time, or the checkpoint does not fit one.
base::Status send_checkpoint(const std::string& path, std::string_view line, base::WallMs time_ms);

}  // namespace funcgate::audit
