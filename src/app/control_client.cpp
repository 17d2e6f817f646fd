#include "app/control_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "base/text.h"

namespace funcgate::app {

std::string_view ControlReply::header(std::string_view name) const {
  for (std::string_view line : base::split(head, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !base::equals_ignore_case(line.substr(0, colon), name)) continue;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return base::trim(line.substr(colon + 1));
  }
  return {};
}

base::Result<ControlReply> control_request(const std::string& data_dir, std::string_view method, std::string_view path,
                                           std::string_view body, int timeout_s, std::string_view more_headers) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string socket_path = data_dir + "/control.sock";
  if (socket_path.size() >= sizeof address.sun_path) {
    return base::Error{
        base::Code::InvalidArgument, "the path of the data directory is too long for a Unix socket: " + data_dir, {}};
  }
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  base::FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{timeout_s, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return base::Error{base::Code::NotFound, "no server runs on " + data_dir, {}};
    return base::Error{
        base::Code::Unavailable, fmt::format("cannot reach the server at {}: {}", socket_path, base::errno_text(errno)), {}};
  }
  const bool typed = base::to_lower(more_headers).find("content-type:") != std::string::npos;
  TRY_DONE(base::write_all(
      socket.get(), fmt::format("{} {} HTTP/1.1\r\nHost: control\r\nConnection: close\r\n{}Content-Length: {}\r\n{}\r\n", method,
                                path, typed ? "" : "Content-Type: application/json\r\n", body.size(), more_headers)));
  TRY_DONE(base::write_all(socket.get(), body));
  std::string answer;
  char block[65536];
  while (true) {
    const ssize_t got = ::recv(socket.get(), block, sizeof block, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::Error{base::Code::DeadlineExceeded, "the server did not answer: " + base::errno_text(errno), {}};
    if (got == 0) break;
    answer.append(block, static_cast<std::size_t>(got));
  }
  const std::size_t end = answer.find("\r\n\r\n");
  const auto status = answer.size() > 12 ? base::parse_digits(std::string_view(answer).substr(9, 3)) : std::nullopt;
  if (end == std::string::npos || !status)
    return base::Error{base::Code::Unavailable, "the server closed the connection without an answer", {}};
  return ControlReply{static_cast<int>(*status), answer.substr(end + 4), answer.substr(0, end)};
}

}  // namespace funcgate::app
