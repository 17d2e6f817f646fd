// ZygoteClient: starts the zygote before anything worth stealing exists, and asks it for workers.
//
// Thread-safety: fork() from any thread; one request at a time. Blocking, at most kAnswerSeconds.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "base/result.h"

namespace funcgate::runtime {

struct ForkedWorker {
  int pid = 0;
  base::FileDescriptor pidfd;
};

class ZygoteClient {
 public:
  static constexpr int kAnswerSeconds = 30;

  // Executes `binary` (funcgate-worker). To be called first in the process: no thread, no secret, no socket exists yet.
  static base::Result<ZygoteClient> start(const std::string& binary);

  ZygoteClient(ZygoteClient&& other) noexcept : pid_(std::exchange(other.pid_, 0)), socket_(std::move(other.socket_)) {}
  // Closes the socket, upon which the zygote ends; waits for it.
  ~ZygoteClient();

  base::Result<ForkedWorker> fork(const base::json::object& request, int worker_socket, int artifact, int memory);
  int pid() const { return pid_; }

 private:
  ZygoteClient(int pid, base::FileDescriptor socket) : pid_(pid), socket_(std::move(socket)) {}

  std::mutex mutex_;
  int pid_ = 0;
  base::FileDescriptor socket_;  // guarded by mutex_
};

// Sends SIGKILL through the pidfd: never to a process that reused the number.
void kill_worker(const base::FileDescriptor& pidfd);

}  // namespace funcgate::runtime
