// Worker: the server's end of one worker process: its socket, its claim board, the calls in its pipe.
//
// Not thread-safe: lives on one io thread. Whatever the process sends is hostile until checked; nonsense gets it killed.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>

#include "base/async.h"
#include "base/io_thread.h"
#include "domain/invocation.h"
#include "runtime/call_frames.h"
#include "runtime/zygote_client.h"
#include "wire/messages.h"
#include "wire/worker_memory.h"

namespace funcgate::runtime {

// One run() that has not ended. Lives in that coroutine's frame on thread `home`; the bench that serves it may be another
// thread's, and nobody else touches it meanwhile.
struct PendingCall {
  const domain::Invocation* invocation = nullptr;
  base::IoThread* home = nullptr;
  domain::RunResult* result = nullptr;  // filled in by the bench
  base::OneShot<bool> done;             // completed on `home`
  base::SteadyNs queued_ns = 0, sent_ns = 0;
  std::uint64_t number = 0;   // on its worker
  std::uint64_t ends_at = 0;  // of all bytes for that worker: behind its frame
  std::int64_t expected_ns = 0;
  bool waiting = false;     // counted in the pool's queue
  bool cancelled = false;   // its worker was killed on purpose
  bool has_share = false;   // holds a share of its share_key, which its worker takes over
  bool watched = false;     // presence_timer has been begun
  base::Timer queue_timer;  // armed on the bench's thread while it waits
  // Between the two threads: has no worker yet (written by the bench); its caller has gone (written on `home`).
  std::atomic<bool> queued{false}, abandoned{false};
  base::Timer presence_timer;  // of `home`
};

// What fork and load produced; handed to an io thread.
struct StartedWorker {
  ForkedWorker process;
  base::FileDescriptor socket;
  wire::WorkerMemory memory;
  std::string report;  // payload of Ready
};

class Worker;

// What a worker tells its owner. All on the worker's thread.
class WorkerOwner {
 public:
  virtual ~WorkerOwner() = default;
  virtual void replied(Worker& worker, PendingCall& call, domain::FunctionReply reply) = 0;
  // The process has gone. `begun`: the call it was executing (more than one only if user code wrote to the claim board);
  // `timed_out`: because its run time was over. `unclaimed`: those it never began.
  virtual void gone(Worker& worker, std::deque<PendingCall*> begun, bool timed_out, std::deque<PendingCall*> unclaimed) = 0;
  virtual void asked(Worker& worker, PendingCall& call, const wire::Ask& ask) = 0;
};

class Worker final : public std::enable_shared_from_this<Worker>, private base::MemoryPeer, private base::EventHandler {
 public:
  static constexpr std::size_t kPipeMax = 16;

  Worker(WorkerOwner& owner, base::IoThread& io, StartedWorker started, std::size_t slot);
  ~Worker() override;

  void start();
  // Puts the call into the pipe; written at the end of the turn.
  void send(PendingCall& call);
  // Takes back every unclaimed call, in order; `keep_first`: but the first.
  std::deque<PendingCall*> recall(bool keep_first);
  // The call of a task in the pipe, or nullptr.
  PendingCall* find(std::string_view task_id);
  // True if the call had not begun and now never will.
  bool take_back(PendingCall& call);
  void answer(std::uint64_t call, const wire::Answer& answer);
  // Handles the replies in shared memory whose turn it is, at once and not only at the end of the turn. False: there were none.
  bool take_replies();
  // Kills the process; the owner hears of it by gone().
  void fail();
  // Kills the process and forgets the owner: no callback any more. Its calls must have ended.
  void discard();

  std::size_t in_flight() const { return calls_.size(); }
  PendingCall* front() { return calls_.empty() ? nullptr : calls_.front(); }
  base::SteadyNs front_since_ns() const { return front_since_ns_; }
  std::int64_t expected_ns() const { return expected_ns_; }
  std::size_t slot() const { return slot_; }
  int pid() const { return process_.pid; }

  // Kept by the owner.
  bool retiring = false;  // a replacement was asked for
  bool closed = false;    // takes no further call
  std::int64_t served = 0;
  std::string share;  // the key of all calls in flight, for which this worker counts; empty: they have none

 private:
  bool take() override { return !calls_.empty() && take_replies(); }
  bool before_sleep() override;
  void after_sleep() override;
  void on_events(std::uint32_t events) override;
  void break_off();
  void read();
  void received(std::size_t bytes);
  bool expects(const wire::FrameHead& head);
  bool handle(const wire::Frame& frame);
  void flush() override;
  bool has_output() const override { return !out_.empty() && !dead_ && !write_waits_; }
  void sent(std::size_t bytes);
  void next_front();

  WorkerOwner* owner_;
  base::IoThread& io_;
  ForkedWorker process_;
  base::FileDescriptor socket_;
  wire::WorkerMemory memory_;
  const std::size_t slot_;
  std::deque<PendingCall*> calls_;
  std::uint64_t next_number_ = 1, wakes_ = 0;
  std::size_t out_sent_ = 0;      // of out_: has left
  std::uint64_t left_bytes_ = 0;  // has left since the beginning
  std::size_t answer_end_ = 0;    // in out_: behind the answer to a question; 0: there is none in it
  base::SteadyNs front_since_ns_ = 0;
  std::int64_t expected_ns_ = 0;
  bool taking_ = false, broken_ = false, asking_ = false, timed_out_ = false, dead_ = false, write_waits_ = false,
       output_watched_ = false;
  base::Timer run_timer_;
  std::string in_, out_;
  std::size_t in_used_ = 0;
  std::string replies_;  // copied from shared memory; [replies_at_, end) waits for what is still in the socket
  std::size_t replies_at_ = 0;
  InvokeScratch scratch_;
};

}  // namespace funcgate::runtime
