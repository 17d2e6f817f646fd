// LoadThread: some connections of a load on one event loop (epoll), from their opening to the last answer.
//
// First all connections are opened and their sources prepared, then the counted part begins. In steady state nothing is
// allocated: a request is a view of its source's bytes, answers are read into one buffer of the thread. Not thread-safe but for
// progress().
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "http/client/client_stream.h"
#include "http/client/load_plan.h"
#include "http/client/response_reader.h"

namespace funcgate::http {

// The part of a plan that one thread does.
struct LoadShare {
  std::size_t connections = 1;
  std::optional<double> rate_per_second;
  std::optional<std::uint64_t> requests;
};

class LoadThread {
 public:
  // `plan` and `stop` outlive this object. Makes its sources.
  LoadThread(const LoadPlan& plan, const LoadShare& share, std::atomic<bool>& stop);
  ~LoadThread();

  // Until the last counted request has ended. Once `stop` is set no further ones are sent; it is set if this thread breaks off.
  void run();
  const LoadResult& result() const { return result_; }
  // Any thread.
  LoadProgress progress() const;

 private:
  enum class Step : std::uint8_t {
    Closed,      // nothing is wanted of it
    Waiting,     // for its turn to connect, or for the next attempt
    Connecting,  // connection and handshake
    Open,
  };
  enum class Phase : std::uint8_t { Opening, Loading, Ending, Over };

  struct Slot {
    explicit Slot(std::unique_ptr<RequestSource> made) : source(std::move(made)), reader(source->observer()) {}
    std::unique_ptr<RequestSource> source;
    ResponseReader reader;
    ClientStream stream;
    std::string_view unsent;
    base::SteadyNs due_ns = 0;       // of the counted request
    base::SteadyNs deadline_ns = 0;  // of whatever it waits for
    base::SteadyNs retry_ns = 0;
    std::uint32_t failures = 0;  // in a row
    Step step = Step::Closed;
    bool prepared = false, preparing = false;
    bool busy = false;      // with a counted request
    bool awaiting = false;  // an answer
    bool broken_for_sending = false;
    bool is_listed_free = false, is_listed_again = false, was_ready = false;
  };
  using Index = std::uint32_t;
  // More attempts at a time overrun the backlog of a listening socket, and what is dropped there comes again a second later.
  static constexpr std::size_t kConnectingMax = 256;

  // Loop
  void wait(base::SteadyNs now_ns);
  int wait_for_events(std::span<epoll_event> events, base::SteadyNs at_most_ns);
  void tick(base::SteadyNs now_ns);
  void look_at_deadlines(base::SteadyNs now_ns);
  void connect_waiting(base::SteadyNs now_ns);
  void send_due(base::SteadyNs now_ns);
  void open_all(base::SteadyNs now_ns);
  void end_opening(base::SteadyNs now_ns);
  void begin_loading(base::SteadyNs now_ns);
  void change_phase(base::SteadyNs now_ns);
  bool has_requests_left() const;
  bool is_open_loop() const { return share_.rate_per_second.has_value(); }
  bool time_is_up(base::SteadyNs now_ns) const { return plan_.duration_ns > 0 && now_ns >= ends_ns_; }
  void count_due_but_not_sent(base::SteadyNs now_ns);
  void break_off(base::Code code, std::string message);
  base::SteadyNs due_at(std::uint64_t number) const;

  // One connection
  void handle(Index index, bool peer_has_ended);
  void want_connection(Index index, base::SteadyNs now_ns);
  void connect(Index index, base::SteadyNs now_ns);
  void connected(Index index, base::SteadyNs now_ns);
  void connect_failed(Index index, const std::string& why, base::SteadyNs now_ns);
  void begin_request(Index index, base::SteadyNs due_ns, base::SteadyNs now_ns);
  void send(Index index, std::string_view request);
  void write_unsent(Index index);
  void read_answers(Index index, bool peer_has_ended);
  void answered(Index index, bool reusable, base::SteadyNs now_ns);
  void preparation_answered(Index index, base::SteadyNs now_ns);
  void connection_ended(Index index, std::uint64_t LoadResult::* counter, const std::string& why, base::SteadyNs now_ns);
  void end_request(Slot& slot);
  void go_on(Index index, base::SteadyNs now_ns);
  void became_free(Index index, base::SteadyNs now_ns);
  void try_later(Index index, base::SteadyNs now_ns);
  void close(Slot& slot);
  bool is_free(const Slot& slot) const;
  bool is_expected(int status) const;
  void note_problem(const std::string& why);
  void look_again(Index index);
  void list_free(Index index);
  std::optional<Index> take_free();

  // constant after construction
  const LoadPlan& plan_;
  const LoadShare share_;
  const base::SystemClock clock_;
  base::FileDescriptor poll_;
  std::vector<char> buffer_;
  std::atomic<bool>& stop_;
  // own thread only
  std::vector<Slot> slots_;
  std::vector<Index> waiting_, retrying_, again_;
  std::vector<Index> free_;  // a ring: first come, first used, so that no connection lies idle until the server ends it
  std::size_t free_first_ = 0, free_count_ = 0;
  Phase phase_ = Phase::Opening;
  std::size_t ready_ = 0, busy_ = 0, connecting_ = 0, open_ = 0;
  std::uint64_t begun_ = 0;
  base::SteadyNs opening_until_ns_ = 0, ends_ns_ = 0, next_tick_ns_ = 0, next_look_ns_ = 0, last_alive_ns_ = 0;
  bool connect_failed_since_alive_ = false;
  bool waits_in_ns_ = true;  // until the kernel says that it cannot
  std::string newest_problem_;
  LoadResult result_;
  // any thread
  std::atomic<base::SteadyNs> began_ns_{0};
  std::atomic<std::uint64_t> requests_{0}, failed_{0};
};

}  // namespace funcgate::http
