// One worker: loads its scripts, then runs one call after the other until the server closes the connection.
//
// Thread-safety: none; runs on the main thread and holds the GIL except while it waits.
#pragma once

#include <string>

#include "wire/worker_memory.h"
#include "worker/call.h"
#include "worker/call_variables.h"
#include "worker/reply_builder.h"

namespace funcgate::worker {

struct WorkerLimits {
  std::uint64_t calls_max = 10000;
  std::uint64_t memory_bytes = 536870912;
};

class WorkerLoop {
 public:
  // `memory_file`: /proc/self/statm, opened before the sandbox closed; may be empty.
  WorkerLoop(base::FileDescriptor socket, wire::WorkerMemory memory, WorkerLimits limits, base::FileDescriptor memory_file);

  // Executes the scripts of the artifact (JSON) and reports. False: they are not usable, LoadFailed was sent.
  bool load(std::string_view artifact);
  // Until the server closes. 0: in good order; 1: it does not speak the protocol.
  int run();

 private:
  bool report(bool ready, PyObject* content);
  bool fail_load(std::string_view problem);
  bool execute(const wire::Frame& frame);
  void perform(Call& call, wire::Reply& reply);
  void enter(Call& call, RawArguments& raw, wire::Reply& reply);
  void finish_call(Call& call);
  // False: the server has gone.
  bool send_reply();
  std::uint64_t resident_bytes() const;
  bool should_retire();

  Channel channel_;
  wire::WorkerMemory memory_;
  WorkerLimits limits_;
  base::FileDescriptor memory_file_;
  Runtime runtime_;
  FunctionTable functions_;
  CallVariables variables_;
  ReplyBuilder builder_;
  CallOptions options_;
  PyRef run_async_;
  std::string out_, arguments_json_;
  std::uint64_t calls_ = 0;
  bool retired_ = false;
};

// Sends LoadFailed with one problem that belongs to no script.
void send_load_failed(int socket, std::string_view problem);

}  // namespace funcgate::worker
