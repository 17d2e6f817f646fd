// One connection of a LoadThread: opened, prepared, asked again and again, and opened anew when it ends.
#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>

#include "http/client/load_thread.h"

namespace funcgate::http {
namespace {

using base::Code;
using base::kNsPerMs;
using base::SteadyNs;
using Io = ClientStream::Io;

constexpr SteadyNs kFirstPauseNs = 10 * kNsPerMs, kLongestPauseNs = 500 * kNsPerMs;
// So that one endless answer does not keep the others from theirs.
constexpr int kReadsInARow = 16;

}  // namespace

bool LoadThread::is_free(const Slot& slot) const {
  return slot.prepared && !slot.busy && !slot.preparing && slot.step == (plan_.keep_alive ? Step::Open : Step::Closed);
}

bool LoadThread::is_expected(int status) const {
  return plan_.expected_status == 0 ? status / 100 == 2 : status == plan_.expected_status;
}

void LoadThread::note_problem(const std::string& why) {
  newest_problem_ = why;
  if (result_.first_problem.empty()) result_.first_problem = why;
}

void LoadThread::list_free(Index index) {
  if (slots_[index].is_listed_free) return;
  slots_[index].is_listed_free = true;
  free_[(free_first_ + free_count_++) % free_.size()] = index;
}

// The list may hold connections that have ended since.
std::optional<LoadThread::Index> LoadThread::take_free() {
  while (free_count_ > 0) {
    const Index index = free_[free_first_];
    free_first_ = (free_first_ + 1) % free_.size();
    --free_count_;
    slots_[index].is_listed_free = false;
    if (is_free(slots_[index])) return index;
  }
  return std::nullopt;
}

void LoadThread::close(Slot& slot) {
  if (slot.step == Step::Open) --open_;
  if (slot.step == Step::Connecting) --connecting_;
  slot.stream.close();
  slot.step = Step::Closed;
  slot.unsent = {};
  slot.awaiting = slot.broken_for_sending = false;
}

// ---- opening ----

void LoadThread::want_connection(Index index, SteadyNs now_ns) {
  if (connecting_ < kConnectingMax && waiting_.empty()) return connect(index, now_ns);
  slots_[index].step = Step::Waiting;
  waiting_.push_back(index);
}

void LoadThread::connect(Index index, SteadyNs now_ns) {
  Slot& slot = slots_[index];
  slot.step = Step::Connecting;
  ++connecting_;
  // A request that waits for the connection has its own deadline.
  if (!slot.busy) slot.deadline_ns = now_ns + plan_.timeout_ns;
  const Io state = slot.stream.open(plan_.endpoint, plan_.tls);
  if (state == Io::Failed || state == Io::End) return connect_failed(index, slot.stream.problem(), now_ns);
  epoll_event event{};
  // Edge-triggered: set once for the life of the connection.
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u32 = index;
  if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, slot.stream.descriptor(), &event) != 0)
    return connect_failed(index, "the system watches no further descriptor", now_ns);
  if (state == Io::Done) connected(index, now_ns);
}

void LoadThread::connected(Index index, SteadyNs now_ns) {
  Slot& slot = slots_[index];
  slot.step = Step::Open;
  --connecting_;
  ++open_;
  ++result_.connections_opened;
  last_alive_ns_ = now_ns;
  connect_failed_since_alive_ = false;
  if (!slot.prepared) {
    slot.preparing = true;
    slot.deadline_ns = now_ns + plan_.timeout_ns;
    ++result_.preparations;
    send(index, slot.source->preparation());
  } else if (slot.busy) {
    send(index, slot.source->next());
  } else if (plan_.keep_alive) {
    became_free(index, now_ns);
  } else {
    // The request that wanted it has run out of time.
    close(slot);
    became_free(index, now_ns);
  }
}

void LoadThread::connect_failed(Index index, const std::string& why, SteadyNs now_ns) {
  Slot& slot = slots_[index];
  ++result_.connect_errors;
  connect_failed_since_alive_ = true;
  note_problem(fmt::format("no connection: {}", why));
  close(slot);
  if (slot.busy) {
    ++result_.failed_to_connect;
    end_request(slot);
  }
  try_later(index, now_ns);
}

// Longer and longer pauses: a server that restarts is not greeted by thousands of attempts.
void LoadThread::try_later(Index index, SteadyNs now_ns) {
  Slot& slot = slots_[index];
  const SteadyNs pause_ns = std::min(kLongestPauseNs, kFirstPauseNs << std::min(slot.failures, 8U));
  ++slot.failures;
  slot.retry_ns = now_ns + pause_ns;
  slot.step = Step::Waiting;
  retrying_.push_back(index);
}

void LoadThread::became_free(Index index, SteadyNs now_ns) {
  Slot& slot = slots_[index];
  if (!slot.was_ready) {
    slot.was_ready = true;
    ++ready_;
  }
  if (phase_ != Phase::Loading) return;
  if (is_open_loop()) {
    list_free(index);
  } else if (has_requests_left() && !time_is_up(now_ns) && !stop_.load(std::memory_order_relaxed)) {
    begin_request(index, now_ns, now_ns);
  }
}

// ---- requests ----

void LoadThread::begin_request(Index index, SteadyNs due_ns, SteadyNs now_ns) {
  Slot& slot = slots_[index];
  slot.busy = true;
  ++busy_;
  ++begun_;
  slot.due_ns = due_ns;
  slot.deadline_ns = now_ns + plan_.timeout_ns;
  if (slot.step == Step::Open) {
    send(index, slot.source->next());
  } else {
    want_connection(index, now_ns);
  }
}

void LoadThread::end_request(Slot& slot) {
  slot.busy = false;
  --busy_;
  ++result_.requests;
  requests_.store(result_.requests, std::memory_order_relaxed);
  failed_.store(result_.failed(), std::memory_order_relaxed);
}

void LoadThread::send(Index index, std::string_view request) {
  Slot& slot = slots_[index];
  slot.unsent = request;
  slot.reader.begin(plan_.of_head);
  slot.awaiting = true;
  write_unsent(index);
}

void LoadThread::write_unsent(Index index) {
  Slot& slot = slots_[index];
  while (!slot.unsent.empty()) {
    std::size_t sent = 0;
    const Io state = slot.stream.write(slot.unsent, sent);
    if (state == Io::Wait) return;
    if (state != Io::Done) {
      // There may be an answer all the same, such as 413; reading tells, and no event announces what is there already.
      slot.broken_for_sending = true;
      slot.unsent = {};
      look_again(index);
      return;
    }
    result_.sent_bytes += sent;
    slot.unsent.remove_prefix(sent);
  }
}

void LoadThread::look_again(Index index) {
  if (slots_[index].is_listed_again) return;
  slots_[index].is_listed_again = true;
  again_.push_back(index);
}

void LoadThread::handle(Index index, bool peer_has_ended) {
  if (phase_ == Phase::Over) return;
  Slot& slot = slots_[index];
  if (slot.step == Step::Connecting) {
    const Io state = slot.stream.advance();
    if (state == Io::Wait) return;
    const SteadyNs now_ns = clock_.steady_ns();
    if (state != Io::Done)
      return connect_failed(index, state == Io::End ? "the server ended the connection" : slot.stream.problem(), now_ns);
    connected(index, now_ns);
    if (!peer_has_ended) return;
  }
  if (slot.step != Step::Open) return;  // an event of a connection that was closed in this turn
  if (!slot.unsent.empty()) write_unsent(index);
  read_answers(index, peer_has_ended);
}

void LoadThread::read_answers(Index index, bool peer_has_ended) {
  Slot& slot = slots_[index];
  for (int reads = 0; slot.step == Step::Open; ++reads) {
    if (reads == kReadsInARow) return look_again(index);
    std::size_t got = 0;
    const Io state = slot.stream.read(buffer_.data(), buffer_.size(), got);
    if (state == Io::Wait) return;
    const SteadyNs now_ns = clock_.steady_ns();
    if (state != Io::Done) {
      const bool whole = state == Io::End && slot.awaiting && slot.reader.has_begun() &&
                         slot.reader.end_of_stream() == ResponseReader::State::Done;
      if (whole) return answered(index, false, now_ns);
      return connection_ended(index, &LoadResult::lost,
                              state == Io::End ? "the server ended the connection" : slot.stream.problem(), now_ns);
    }
    result_.received_bytes += got;
    std::size_t used = 0;
    const auto answer = slot.awaiting ? slot.reader.feed({buffer_.data(), got}, used) : ResponseReader::State::Malformed;
    if (answer == ResponseReader::State::Malformed)
      return connection_ended(index, &LoadResult::malformed, "what came is no HTTP/1.1 answer", now_ns);
    if (answer == ResponseReader::State::Done) {
      const bool reusable =
          plan_.keep_alive && slot.reader.keeps_connection() && used == got && slot.unsent.empty() && !slot.broken_for_sending;
      answered(index, reusable, now_ns);
    }
    // Less than there was room for: the socket is empty, and its next bytes are an event. TLS may hold some back.
    if (got < buffer_.size() && !peer_has_ended && !slot.stream.is_encrypted()) return;
  }
}

void LoadThread::answered(Index index, bool reusable, SteadyNs now_ns) {
  Slot& slot = slots_[index];
  slot.awaiting = false;
  last_alive_ns_ = now_ns;
  if (!reusable) close(slot);
  if (slot.preparing) return preparation_answered(index, now_ns);
  const int status = slot.reader.status();
  if (slot.source->judge(status) == Verdict::Repeat) {
    ++result_.repeated;
    if (slot.step == Step::Open) return send(index, slot.source->next());
    return want_connection(index, now_ns);
  }
  slot.failures = 0;
  ++result_.statuses[static_cast<std::size_t>(status) % LoadResult::kStatuses];
  result_.latency.record(now_ns - slot.due_ns);
  if (is_expected(status)) ++result_.succeeded;
  end_request(slot);
  go_on(index, now_ns);
}

void LoadThread::preparation_answered(Index index, SteadyNs now_ns) {
  Slot& slot = slots_[index];
  slot.preparing = false;
  switch (slot.source->prepared(slot.reader.status())) {
    case Verdict::Ready:
      slot.prepared = true;
      slot.failures = 0;
      // Without keep-alive each request has a connection of its own.
      if (!plan_.keep_alive) close(slot);
      return go_on(index, now_ns);
    case Verdict::Never: return break_off(Code::Unauthenticated, slot.source->problem());
    case Verdict::Counts:
    case Verdict::Repeat:
    case Verdict::Later: break;
  }
  note_problem(slot.source->problem());
  close(slot);
  try_later(index, now_ns);
}

// `counter`: what a request that was waiting for its answer counts as.
void LoadThread::connection_ended(Index index, std::uint64_t LoadResult::* counter, const std::string& why, SteadyNs now_ns) {
  Slot& slot = slots_[index];
  const bool is_missed = slot.awaiting;
  close(slot);
  if (slot.preparing) {
    slot.preparing = false;
    note_problem(why);
    return try_later(index, now_ns);
  }
  if (slot.busy && is_missed) {
    note_problem(why);
    ++(result_.*counter);
    end_request(slot);
  }
  go_on(index, now_ns);
}

// After a request, or after the end of a connection that had none.
void LoadThread::go_on(Index index, SteadyNs now_ns) {
  Slot& slot = slots_[index];
  if (is_free(slot)) return became_free(index, now_ns);
  if (phase_ == Phase::Opening || (phase_ == Phase::Loading && has_requests_left())) want_connection(index, now_ns);
}

}  // namespace funcgate::http
