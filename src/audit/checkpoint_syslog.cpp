#include "audit/checkpoint_syslog.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "base/text.h"

namespace funcgate::audit {
namespace {

using base::Code;
using base::Error;

constexpr int kPriority = 13 * 8 + 5;
constexpr std::size_t kHostBytesMax = 255;
constexpr std::size_t kPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;

// What cannot stand there is told as "-", as everything unknown.
std::string host_name() {
  std::array<char, kHostBytesMax + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "-";
  std::string text(name.data());
  for (const char character : text) {
    if (character <= ' ' || character > '~') return "-";
  }
  return text;
}

Error not_sent(const std::string& path, int problem, std::size_t bytes) {
  std::string why = base::errno_text(problem);
  if (problem == EMSGSIZE) why = fmt::format("its {} bytes do not fit a datagram of that socket", bytes);
  if (problem == EAGAIN || problem == EWOULDBLOCK)
    why = fmt::format("the daemon did not take it within {} s", kSyslogWaitMs / 1000);
  return Error{
      Code::Unavailable, fmt::format("cannot send the checkpoint to the syslog socket {}: {}", base::printable(path), why), {}};
}

}  // namespace

std::string syslog_path_problem(std::string_view path) {
  if (path.empty()) return {};
  if (!path.starts_with('/')) return "must be the absolute path of a socket, such as \"/dev/log\"";
  if (path.size() > kPathBytesMax) return fmt::format("must have at most {} bytes: no socket has a longer path", kPathBytesMax);
  return {};
}

std::string syslog_message(std::string_view line, base::WallMs time_ms) {
  return fmt::format("<{}>1 {} {} funcgate {} audit.checkpoint - {}", kPriority, base::format_rfc3339(time_ms), host_name(),
                     ::getpid(), line);
}

base::Status send_checkpoint(const std::string& path, std::string_view line, base::WallMs time_ms) {
  const std::string message = syslog_message(line, time_ms);
  if (!syslog_path_problem(path).empty()) return not_sent(path, ENAMETOOLONG, message.size());
  const base::FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval wait{kSyslogWaitMs / 1000, 0};
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0)
    return not_sent(path, errno, message.size());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ssize_t sent = 0;
  do {
    sent = ::sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
                    sizeof address);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return not_sent(path, errno, message.size());
  return base::kDone;
}

}  // namespace funcgate::audit
