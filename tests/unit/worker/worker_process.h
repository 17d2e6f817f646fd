// The real funcgate-worker on a socket pair: a zygote, and a worker with the scripts of the test.
//
// Every wait ends after kPatienceS seconds with a failed expectation. Thread-safety: one thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "wire/worker_memory.h"
#include "wire/messages.h"

namespace funcgate::test {

// A Reply that owns its texts.
struct WorkerReply {
  bool received = false;
  wire::Outcome outcome = wire::Outcome::Missing;
  std::uint16_t flags = 0, status = 0;
  wire::BodyKind body_kind = wire::BodyKind::Inline;
  std::string content_type, body, problem, print_log, caller_name, caller_attributes, options;
  std::map<std::string, std::string> headers;
  std::int64_t run_ns = 0;

  base::json::value problem_json() const;
  base::json::value body_json() const;
  bool has(wire::ReplyFlag flag) const { return (flags & flag) != 0; }
};

class Zygote {
 public:
  Zygote();
  ~Zygote();
  Zygote(const Zygote&) = delete;
  Zygote& operator=(const Zygote&) = delete;

  int socket() const { return socket_.get(); }
  pid_t pid() const { return pid_; }
  // Closes the socket and waits for the process; its exit status, or -1.
  int close_and_wait();
  // One for all tests of this executable that do not need their own.
  static Zygote& shared();

 private:
  base::FileDescriptor socket_;
  pid_t pid_ = -1;
};

struct WorkerSetup {
  std::map<std::string, std::string> scripts;  // id → source
  std::string request_extra;                   // further members of the fork request, with a leading comma
  std::string resources;
  std::uint64_t memory_bytes = 536870912;
  std::uint64_t calls_max = 10000;
  std::vector<std::string> folders;
};

class WorkerProcess {
 public:
  explicit WorkerProcess(WorkerSetup setup, Zygote& zygote = Zygote::shared());
  // One script `t__m`.
  explicit WorkerProcess(const std::string& source) : WorkerProcess(WorkerSetup{{{"t__m", source}}, {}, {}}) {}

  bool ready() const { return ready_; }
  // Of Ready or LoadFailed.
  const base::json::value& report() const { return report_; }
  // All problems of LoadFailed as "script:line:function: problem".
  std::vector<std::string> problems(const char* member = "errors") const;
  pid_t pid() const { return pid_; }

  // An Invoke of t__m.<name> as a JSON POST in the standard form.
  static wire::Invoke invoke(std::string_view function_id);
  // Offers, sends and waits for the reply; Ask frames are answered by `answer`.
  WorkerReply call(const wire::Invoke& invoke);
  // Function `t__m.f` with body {"kwargs":…}.
  WorkerReply call_f(const std::string& kwargs = "{}");
  // The lower steps.
  std::uint64_t offer_and_send(const wire::Invoke& invoke, std::uint16_t slot = 0);
  void send_bytes(std::string_view bytes);
  WorkerReply wait_reply(std::uint64_t call);
  // True if the worker closes its end (it has ended).
  bool wait_closed();
  void close_socket() { socket_.reset(); }
  wire::ClaimBoard& board() { return memory_->board; }
  wire::ReplyRing& replies() { return memory_->replies; }

  std::function<wire::Answer(const wire::Ask&)> answer;

 private:
  bool read_more();

  base::FileDescriptor socket_, pidfd_;
  std::unique_ptr<wire::WorkerMemory> memory_;
  std::string buffer_;
  base::json::value report_;
  bool ready_ = false;
  pid_t pid_ = -1;
  std::uint64_t next_call_ = 1;
};

}  // namespace funcgate::test
