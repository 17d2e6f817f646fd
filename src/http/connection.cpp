#include "http/connection.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "http/admin_edge.h"
#include "http/proxy.h"
#include "http/task_routes.h"
#include "service/fault_text.h"

namespace funcgate::http {
namespace {

// Room for a request; one that needs more gets it for its duration.
constexpr std::size_t kInputBytes = 2048;
constexpr std::size_t kBlockBytes = 64 << 10;
// Answers of pipelined requests are gathered up to here before they are written.
constexpr std::size_t kGatherBytes = 64 << 10;
// ... and no longer than this while the next call runs.
constexpr std::int64_t kGatherMs = 1;

bool may_echo(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool is_trace_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace

Connection::Connection(Edge& edge, std::unique_ptr<Transport> transport, domain::Address peer, Entrance entrance)
    : edge_(edge), transport_(std::move(transport)), peer_(peer), entrance_(entrance) {
  edge_.connections.push_front(this);
  place_ = edge_.connections.begin();
  edge_.open_connections.fetch_add(1, std::memory_order_relaxed);
  edge_.metrics.connections.add();
  timer_.set_callback([this] {
    timed_out_ = true;
    transport_->cancel();
  });
  gather_timer_.set_callback([this] { start_early_write(); });
}

Connection::~Connection() {
  edge_.connections.erase(place_);
  edge_.open_connections.fetch_sub(1, std::memory_order_relaxed);
}

void Connection::arm(std::int64_t ms) { edge_.io.timers().arm(timer_, edge_.io.turn_steady_ns() + ms * base::kNsPerMs); }

void stop_connection(Connection& connection) { connection.stop(); }

void Connection::stop() {
  closing_ = true;
  if (waiting_for_request_) transport_->cancel();
}

base::Async<void> Connection::run(std::unique_ptr<Connection> connection) {
  Connection& self = *connection;
  self.arm(self.edge_.settings.limits.header_read_ms);
  const IoResult shaken = co_await self.transport_->handshake();
  if (shaken.error) co_return;
  try {
    co_await self.serve_all();
  } catch (const std::exception& error) {
    // Nothing below throws on purpose; memory may run out. The connection goes, the server stays.
    base::log::error("connection.exception", {{"what", base::printable(error.what())}});
  }
  self.timer_.cancel();
  self.gather_timer_.cancel();
  self.transport_->cancel();
  if (self.writes_early()) co_await self.early_->wait();
  self.transport_->close();
}

base::Async<void> Connection::serve_all() {
  while (true) {
    Head head = begin_head();
    while (head == Head::Incomplete) {
      if ((!out_.empty() || broken_) && !co_await flush()) break;
      expect_head();
      const IoResult got = co_await transport_->read_some(static_cast<InputRoom&>(*this));
      head = arrived(got);
    }
    if (head != Head::Here) break;
    prepare_call();
    co_await serve_one();
    const bool more_waits = in_end_ > in_begin_ && !closing_;
    if (more_waits && !broken_ && out_.size() < kGatherBytes) continue;
    // All answers of a turn leave one after the other, and only then is read again: a client on the same machine is woken once
    // for many of them, and has sent its next request by the time we look.
    co_await edge_.io.turn_end();
    if ((!flush_at_once() && !co_await flush()) || closing_) break;
    co_await edge_.io.turn_end();
  }
  if (co_await flush()) co_await say_goodbye();
}

base::Async<void> Connection::say_goodbye() {
  arm(edge_.settings.limits.write_ms);
  const IoResult ended = co_await transport_->shutdown_send();
  timer_.cancel();
  if (!ended.error) co_await linger();
}

// Closing with unread input sends a reset, which can overtake the answer: what the peer still sends is dropped for a moment.
base::Async<void> Connection::linger() {
  if (body_state_ == BodyState::Complete || body_state_ == BodyState::Gone) co_return;
  constexpr std::int64_t kLingerMs = 2000;
  constexpr std::size_t kLingerBytesMax = 64 << 10;
  arm(kLingerMs);
  std::size_t dropped = 0;
  while (dropped < kLingerBytesMax) {
    if (in_.size() < kInputBytes) in_.resize(kInputBytes);
    const IoResult got = co_await transport_->discard(in_);
    if (got.error) break;
    dropped += got.bytes;
  }
}

Connection::Head Connection::begin_head() {
  head_search_ = {};
  head_begun_ = false;
  head_refusal_.reset();
  call_ = domain::Call{};
  head_ = ParsedHead{};
  return look_for_head();
}

Connection::Head Connection::look_for_head() {
  // An empty line before the request line is allowed (RFC 9112, 2.2).
  while (in_end_ - in_begin_ >= 2 && head_search_.scanned == 0 && std::memcmp(in_.data() + in_begin_, "\r\n", 2) == 0)
    in_begin_ += 2;
  const std::string_view buffered(in_.data() + in_begin_, in_end_ - in_begin_);
  switch (find_head(buffered, head_search_, edge_.settings.limits, head_refusal_)) {
    case HeadState::Refused: return Head::Here;
    case HeadState::NeedMore: return closing_ || (edge_.stopping && buffered.empty()) ? Head::Closed : Head::Incomplete;
    case HeadState::Complete: break;
  }
  call_.headers.swap(edge_.spare_headers);
  head_refusal_ = parse_head(in_.data() + in_begin_, head_search_.head_bytes, edge_.settings.limits, call_, head_);
  return Head::Here;
}

void Connection::expect_head() {
  waiting_for_request_ = in_end_ == in_begin_;
  if (waiting_for_request_) give_input_back();  // there may have been an empty line behind the last request
  if (waiting_for_request_) {
    arm(edge_.settings.limits.idle_ms);
  } else if (!head_begun_) {
    arm(edge_.settings.limits.header_read_ms);
    head_begun_ = true;
  }
}

std::span<char> Connection::input_room() {
  edge_.spare_inputs.take(in_);
  if (in_begin_ > 0) {
    std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
    in_end_ -= in_begin_;
    in_begin_ = 0;
  }
  if (in_.size() < in_end_ + kInputBytes / 2) in_.resize(std::max(in_.size() * 2, kInputBytes));
  return std::span(in_).subspan(in_end_);
}

void Connection::input_room_unused() {
  if (in_begin_ == in_end_) give_input_back();
}

Connection::Head Connection::arrived(const IoResult& got) {
  const bool idle = std::exchange(waiting_for_request_, false);
  if (got.error && (idle || !timed_out_)) return Head::Closed;
  if (got.error) {
    head_refusal_ = domain::Refusal{.fault = domain::Fault::Timeout,
                                    .reason = domain::Reason::HttpSlow,
                                    .message = "The request head came too slowly",
                                    .close = true};
    return Head::Here;
  }
  in_end_ += got.bytes;
  in_used_ = std::max(in_used_, in_end_);
  return look_for_head();
}

void Connection::prepare_call() {
  timer_.cancel();
  timed_out_ = false;
  edge_.metrics.requests.add();
  call_.arrival_ms = edge_.io.turn_wall_ms();
  call_.arrival_ns = edge_.io.turn_steady_ns();
  call_.peer = peer_;
  call_.tls = transport_->is_tls();
  bool repeated = false;
  const auto* trace = call_.header("x-trace-id", &repeated);
  if (trace != nullptr && !repeated && is_trace_id(*trace)) {
    trace_id_ = *trace;
  } else {
    trace_id_ = "TRACE-";
    edge_.random.append_uuid_upper(trace_id_);
  }
  call_.trace_id = trace_id_;
  const auto* client_time = call_.header("x-client-time", &repeated);
  if (client_time != nullptr && !repeated && may_echo(*client_time)) call_.client_time = *client_time;
  auto contradiction = apply_forwarding(call_, edge_.settings);
  if (!head_refusal_) head_refusal_ = std::move(contradiction);
  body_left_ = std::max<std::int64_t>(call_.content_length, 0);
  chunks_ = ChunkDecoder();
  body_state_ = call_.has_body || head_refusal_ ? BodyState::Reading : BodyState::Complete;
  continue_sent_ = probed_ = false;
  call_.presence = this;
  body_deadline_ns_ = 0;
  body_.clear();
  inflated_.clear();
  in_begin_ += head_search_.head_bytes;
}

service::Answer Connection::refused(domain::Refusal refusal) const {
  service::Answer answer;
  answer.refusal = std::move(refusal);
  return answer;
}

std::optional<service::ApiRoute> Connection::api_route() const {
  if (head_refusal_ || entrance_ != Entrance::Public) return std::nullopt;
  return service::parse_api_route(call_.path);
}

base::Async<service::Answer> Connection::other_answer() {
  if (head_refusal_) {
    edge_.metrics.malformed.add();
    closing_ = closing_ || head_refusal_->close;
    co_return refused(std::move(*head_refusal_));
  }
  if (edge_.admin != nullptr && is_admin_path(call_.path) && !(edge_.admin_elsewhere && entrance_ == Entrance::Public)) {
    co_return co_await edge_.admin->serve(edge_.io, call_, *this, entrance_);
  }
  if (edge_.admin != nullptr && entrance_ == Entrance::Public && call_.path == kRevokePath) {
    co_return co_await edge_.admin->revoke_key(edge_.io, call_, *this);
  }
  if (entrance_ == Entrance::Public) {
    if (call_.path.starts_with(kTaskPrefix)) co_return co_await serve_task(edge_.gateway, call_, *this);
  } else if (entrance_ == Entrance::Control && call_.has_body) {
    constexpr std::size_t kControlBytesMax = 64 << 20;
    if (co_await read(kControlBytesMax, false) != service::BodyResult::Complete) {
      co_return refused(
          {.fault = domain::Fault::BodyTooLarge, .reason = domain::Reason::BodyTooLarge, .message = "The body cannot be read"});
    }
  }
  auto local = co_await edge_.local.serve(call_, entrance_);
  if (local) co_return std::move(*local);
  co_return refused({.fault = domain::Fault::NotFound, .reason = domain::Reason::RouteUnknown, .message = "No such address"});
}

base::Async<void> Connection::serve_one() {
  // Answers that are ready at once leave together; none waits for a slow call behind it.
  if (!out_.empty() && !gather_timer_.armed()) {
    edge_.io.timers().arm(gather_timer_, edge_.io.turn_steady_ns() + kGatherMs * base::kNsPerMs);
  }
  service::Answer answer;
  if (const auto route = api_route()) {
    co_await edge_.gateway.serve(call_, *this, *route, answer);
  } else {
    answer = co_await other_answer();
  }
  // A body that nobody read is still on its way: the next request cannot be found behind it.
  if (body_state_ != BodyState::Complete) closing_ = true;
  if (!head_.keep_alive || edge_.stopping) closing_ = true;
  ResponseContext context{.call = call_, .keep_alive = !closing_, .http_1_0 = head_.http_1_0};
  const bool plain_404 =
      answer.management || (answer.refusal && (answer.refusal->fault == domain::Fault::NotFound || answer.refusal->close));
  if (answer.refusal || edge_.access_log.enabled()) {
    // Of unknown addresses and malformed requests nothing tells which part is a credential: the query goes.
    context.masked_target = plain_404 ? std::string(call_.target.substr(0, call_.target.find('?')))
                                      : edge_.gateway.masked_target(call_, call_.api_id);
    if (context.masked_target.empty()) context.masked_target = "/";
  }
  edge_.spare_texts.take(out_);
  const std::size_t before = out_.size();
  edge_.writer.write(out_, answer, context);
  if (edge_.access_log.enabled()) {
    const bool compat = edge_.settings.compat_dataflux && !answer.management;
    const int status = answer.refusal ? service::fault_identity(answer.refusal->fault, compat).status : answer.status;
    edge_.access_log.write(call_, context.masked_target, status,
                           static_cast<std::int64_t>(out_.size() - before) + answer.file_bytes, edge_.io.clock().wall_ms(),
                           (edge_.io.clock().steady_ns() - call_.arrival_ns) / 1000);
  }
  const bool has_file = answer.file && !answer.refusal && answer.status != 204 && answer.status != 304;
  if (has_file && call_.method != domain::Method::Head && !co_await send_file(answer)) closing_ = broken_ = true;
  finish_request();
}

void Connection::finish_request() {
  call_.headers.clear();
  if (call_.headers.capacity() > edge_.spare_headers.capacity()) call_.headers.swap(edge_.spare_headers);
  if (!overflow_.empty()) {
    in_.resize(std::max(in_.size(), overflow_.size() + in_end_ - in_begin_));
    std::string rest = overflow_ + in_.substr(in_begin_, in_end_ - in_begin_);
    std::memcpy(in_.data(), rest.data(), rest.size());
    in_begin_ = 0;
    in_end_ = rest.size();
    in_used_ = std::max(in_used_, in_end_);
  }
  drop_blocks();
  for (std::string* text : {&body_, &inflated_, &overflow_}) {
    if (!text->empty()) give_back(*text);
  }
  if (in_begin_ == in_end_) {
    give_input_back();
  } else {
    explicit_bzero(in_.data(), in_begin_);  // the next request may take its time
  }
}

void Connection::give_input_back() {
  if (in_.empty()) return;
  explicit_bzero(in_.data(), in_used_);
  in_begin_ = in_end_ = in_used_ = 0;
  edge_.spare_inputs.give(in_);
}

void Connection::give_back(std::string& text) {
  explicit_bzero(text.data(), text.size());
  text.clear();
  edge_.spare_texts.give(text);
}

bool Connection::flush_at_once() {
  // What does not fit at once would have to be moved to the front.
  if (out_.empty() || out_.size() > kGatherBytes || broken_ || writes_early()) return false;
  gather_timer_.cancel();
  Operation writing = transport_->write_all(out_);
  const bool ended = transport_->attempt(writing);
  if (writing.result.error) broken_ = true;
  const std::size_t left = broken_ ? 0 : out_.size() - writing.result.bytes;
  std::memmove(out_.data(), out_.data() + out_.size() - left, left);
  explicit_bzero(out_.data() + left, out_.size() - left);
  out_.resize(left);
  if (left == 0) give_back(out_);
  return ended && !broken_;
}

base::Async<bool> Connection::flush() {
  gather_timer_.cancel();
  if (out_.empty() && !writes_early()) co_return !broken_;
  arm(edge_.settings.limits.write_ms);
  if (writes_early()) co_await early_->wait();
  if (!out_.empty() && !broken_) {
    const IoResult written = co_await transport_->write_all(out_);
    if (written.error) broken_ = true;
  }
  timer_.cancel();
  give_back(out_);
  co_return !broken_;
}

void Connection::start_early_write() {
  if (out_.empty() || broken_ || writes_early()) return;
  early_.emplace();
  base::spawn(write_early());
}

// Has no deadline of its own: the running call has one, and flush() waits for the rest with another.
base::Async<void> Connection::write_early() {
  while (!out_.empty() && !broken_) {
    sending_.swap(out_);
    const IoResult written = co_await transport_->write_all(sending_);
    if (written.error) broken_ = true;
    explicit_bzero(sending_.data(), sending_.size());
    sending_.clear();
  }
  give_back(sending_);
  early_->complete(true);  // whoever waits for it may end this connection
}

bool Connection::gone() {
  const PeerState peer = transport_->peer_state();
  if (peer == PeerState::Gone || broken_) return true;
  // After a close the peer's kernel answers anything with a reset; a client that has only ended its side ignores a 100 that it
  // did not ask for (RFC 9110, 15.2.1), which HTTP/1.0 does not know.
  if (peer == PeerState::SendsNoMore && !probed_ && !head_.http_1_0) {
    probed_ = true;
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    start_early_write();
  }
  return false;
}

base::Async<bool> Connection::send_file(service::Answer& answer) {
  if (!co_await flush()) co_return false;
  std::int64_t left = answer.file_bytes;
  std::string block;
  while (left > 0) {
    arm(edge_.settings.limits.write_ms);
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::int64_t>(left, 1 << 20));
    if (transport_->can_send_file()) {
      const long sent = transport_->send_file(answer.file.get(), wanted);
      if (sent == 0 || (sent < 0 && errno != EAGAIN)) co_return false;  // the file shrank, or the peer has gone
      if (sent > 0) left -= sent;
    } else {
      block.resize(std::min(wanted, kBlockBytes));
      const ssize_t got = ::read(answer.file.get(), block.data(), block.size());
      if (got <= 0) co_return false;
      const IoResult written = co_await transport_->write_all(std::string_view(block).substr(0, static_cast<std::size_t>(got)));
      if (written.error) co_return false;
      left -= got;
    }
    if (left == 0) break;
    const IoResult ready = co_await transport_->wait_writable();
    if (ready.error) co_return false;
  }
  timer_.cancel();
  co_return true;
}

}  // namespace funcgate::http
