// Connection: one client from accept to close, as one coroutine: head, answer, next. It is the body source of its requests.
//
// Not thread-safe: lives on one io thread, owned by its coroutine.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/async.h"
#include "base/timer_wheel.h"
#include "domain/call.h"
#include "domain/ports/caller_presence.h"
#include "http/chunk_decoder.h"
#include "http/edge.h"
#include "http/request_parser.h"
#include "http/transport.h"
#include "service/body_source.h"

namespace funcgate::http {

class Connection final : public service::BodySource, private domain::CallerPresence, private InputRoom {
 public:
  Connection(Edge& edge, std::unique_ptr<Transport> transport, domain::Address peer, Entrance entrance);
  ~Connection() override;

  // Runs until the connection has ended; keeps itself alive.
  static base::Async<void> run(std::unique_ptr<Connection> connection);
  // Graceful stop: an idle connection ends now, a busy one after its answer.
  void stop();

  base::Async<service::BodyResult> read(std::size_t bytes_max, bool prefix_is_enough) override;
  base::Async<service::MultipartResult> read_multipart(service::Multipart& out, const std::string& folder, bool accept_files,
                                                       std::int64_t text_bytes_max, std::int64_t upload_bytes_max) override;
  service::BodyResult inflate(std::size_t bytes_max) override;

 private:
  base::Async<void> serve_all();
  // Of the next request: there, perhaps refused already (head_refusal_); not all of it yet; never to come.
  enum class Head { Here, Incomplete, Closed };
  Head begin_head();
  Head look_for_head();
  void expect_head();
  std::span<char> input_room() override;
  void input_room_unused() override;
  Head arrived(const IoResult& got);
  base::Async<void> serve_one();
  // Where the request goes, if it calls a published API.
  std::optional<service::ApiRoute> api_route() const;
  base::Async<service::Answer> other_answer();
  // True: all that is in out_ is written. False: await flush().
  bool flush_at_once();
  // Writes what is in out_; false: the peer cannot be told anything any more.
  base::Async<bool> flush();
  // Begins to write what is in out_ while the next call of this connection runs.
  void start_early_write();
  // Memory that is not needed until there is a request again. Credentials stood in it: what is kept for others is wiped, and what
  // is freed is wiped anyway (app/wipe_freed_memory.cpp).
  void give_input_back();
  void give_back(std::string& text);
  base::Async<void> write_early();
  bool writes_early() const { return early_ && !early_->completed(); }
  base::Async<void> say_goodbye();
  base::Async<void> linger();
  bool gone() override;
  base::Async<bool> send_file(service::Answer& answer);
  void prepare_call();
  void finish_request();
  service::Answer refused(domain::Refusal refusal) const;
  void arm(std::int64_t ms);
  // Body bytes from the buffer or the socket, valid until the next call; false: end, error or time-out (see body_state_).
  base::Async<bool> next_body_block(std::string_view& block, std::size_t bytes_max);
  // Gives the memory of next_body_block() back; its last view ends.
  void drop_blocks();
  base::Async<void> send_continue();
  service::BodyResult body_problem() const;

  Edge& edge_;
  std::unique_ptr<Transport> transport_;
  const domain::Address peer_;
  const Entrance entrance_;
  std::list<Connection*>::iterator place_;
  base::Timer timer_;
  bool timed_out_ = false, waiting_for_request_ = false, closing_ = false;

  // input: bytes [begin, end) are not consumed yet
  std::string in_;
  std::size_t in_begin_ = 0, in_end_ = 0;
  std::size_t in_used_ = 0;  // no byte behind it was written since all were wiped
  // output: flush() writes out_; or write_early() writes sending_ while out_ grows, and flush() waits for it
  std::string out_, sending_;
  std::optional<base::OneShot<bool>> early_;
  base::Timer gather_timer_;
  bool broken_ = false;  // a write has failed

  // the request
  domain::Call call_;
  ParsedHead head_;
  HeadSearch head_search_;
  bool head_begun_ = false;  // some of it has come: it has a deadline of its own
  std::optional<domain::Refusal> head_refusal_;
  std::string trace_id_, body_, inflated_, overflow_;
  std::string block_, decoded_;  // of next_body_block()
  std::int64_t body_left_ = 0;   // of Content-Length
  ChunkDecoder chunks_;
  enum class BodyState { None, Reading, Complete, Malformed, TimedOut, Gone } body_state_ = BodyState::None;
  bool continue_sent_ = false, probed_ = false;
  base::SteadyNs body_deadline_ns_ = 0;
};

}  // namespace funcgate::http
