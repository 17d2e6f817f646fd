// The body side of Connection: lengths, chunks, 100-continue, multipart, gzip.
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "http/connection.h"
#include "http/upload_sink.h"

namespace funcgate::http {
namespace {
constexpr std::size_t kBlockBytes = 64 << 10;

// A body that goes on grows fourfold, because each step copies it, and never beyond what it may become: a caller gets memory for
// what he has sent, not for what he says he will.
void make_room(std::string& body, std::size_t bytes, std::size_t bytes_max) {
  const std::size_t needed = body.size() + bytes;
  if (needed > body.capacity()) body.reserve(std::max(needed, std::min(needed * 4, bytes_max)));
}
}  // namespace

using service::BodyResult;
using service::MultipartResult;

base::Async<void> Connection::send_continue() {
  if (!head_.expects_continue || continue_sent_) co_return;
  continue_sent_ = true;
  // Withheld until somebody wants the body: a stranger is answered without having sent it.
  out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  co_await flush();
  // flush() used the timer for itself: the body still has its own deadline.
  edge_.io.timers().arm(timer_, body_deadline_ns_);
}

base::Async<bool> Connection::next_body_block(std::string_view& block, std::size_t bytes_max) {
  block = {};
  if (body_state_ != BodyState::Reading) co_return false;
  std::size_t wanted = std::min(bytes_max, kBlockBytes);
  if (!head_.chunked) wanted = static_cast<std::size_t>(std::min<std::int64_t>(body_left_, static_cast<std::int64_t>(wanted)));
  if (in_end_ > in_begin_) {
    block = std::string_view(in_).substr(in_begin_, std::min(wanted, in_end_ - in_begin_));
    in_begin_ += block.size();
  } else {
    co_await send_continue();
    if (block_.size() < wanted) block_.resize(wanted);
    const IoResult got = co_await transport_->read_some(std::span(block_).first(wanted));
    if (got.error) {
      body_state_ = timed_out_ ? BodyState::TimedOut : BodyState::Gone;
      timed_out_ = false;
      co_return false;
    }
    block = std::string_view(block_).substr(0, got.bytes);
  }
  if (!head_.chunked) {
    body_left_ -= static_cast<std::int64_t>(block.size());
    if (body_left_ == 0) body_state_ = BodyState::Complete;
    co_return true;
  }
  base::wipe(decoded_);
  std::size_t used = 0;
  const auto state = chunks_.decode(block, used, [&](std::string_view bytes) { decoded_.append(bytes); });
  if (state == ChunkDecoder::State::Broken) {
    body_state_ = BodyState::Malformed;
    co_return false;
  }
  if (state == ChunkDecoder::State::Done) {
    body_state_ = BodyState::Complete;
    overflow_ = block.substr(used);  // the next request, if the client pipelines
  }
  block = decoded_;
  co_return true;
}

void Connection::drop_blocks() {
  for (std::string* buffer : {&block_, &decoded_}) {
    if (buffer->capacity() > std::string().capacity()) std::string().swap(*buffer);
  }
}

BodyResult Connection::body_problem() const {
  switch (body_state_) {
    case BodyState::TimedOut: return BodyResult::TimedOut;
    case BodyState::Malformed: return BodyResult::Malformed;
    case BodyState::Gone: return BodyResult::Gone;
    case BodyState::None:
    case BodyState::Reading:
    case BodyState::Complete: return BodyResult::Complete;
  }
  return BodyResult::Gone;
}

base::Async<BodyResult> Connection::read(std::size_t bytes_max, bool prefix_is_enough) {
  if (call_.body_complete) co_return BodyResult::Complete;
  if (!prefix_is_enough && call_.content_length > static_cast<std::int64_t>(bytes_max)) co_return BodyResult::TooLarge;
  // The common case: the whole body came with the head and is not copied.
  if (!head_.chunked && body_.empty() && body_left_ <= static_cast<std::int64_t>(in_end_ - in_begin_)) {
    const auto length = static_cast<std::size_t>(body_left_);
    if (length <= bytes_max) {
      call_.body = std::string_view(in_.data() + in_begin_, length);
      in_begin_ += length;
      body_left_ = 0;
      body_state_ = BodyState::Complete;
      call_.body_complete = true;
      co_return BodyResult::Complete;
    }
  }
  if (body_deadline_ns_ == 0) body_deadline_ns_ = edge_.io.turn_steady_ns() + edge_.settings.limits.body_read_ms * base::kNsPerMs;
  edge_.io.timers().arm(timer_, body_deadline_ns_);
  std::string_view block;
  // One byte more than allowed tells a body that is too long from one that ends exactly at the limit.
  const std::size_t read_max = prefix_is_enough ? bytes_max : bytes_max + 1;
  edge_.spare_texts.take(body_);
  while (body_state_ == BodyState::Reading && body_.size() < read_max) {
    if (!co_await next_body_block(block, read_max - body_.size())) break;
    make_room(body_, block.size(), head_.chunked ? read_max : std::min(read_max, static_cast<std::size_t>(call_.content_length)));
    body_ += block;
  }
  timer_.cancel();
  drop_blocks();  // the call may wait and run for long
  call_.body = body_;
  if (body_state_ == BodyState::Complete) {
    call_.body_complete = true;
    co_return body_.size() > bytes_max ? BodyResult::TooLarge : BodyResult::Complete;
  }
  if (body_state_ == BodyState::Reading) co_return prefix_is_enough ? BodyResult::Prefix : BodyResult::TooLarge;
  co_return body_problem();
}

base::Async<MultipartResult> Connection::read_multipart(service::Multipart& out, const std::string& folder, bool accept_files,
                                                        std::int64_t text_bytes_max, std::int64_t upload_bytes_max) {
  const auto boundary = MultipartParser::boundary_of(call_.content_type());
  if (!boundary || call_.header("content-encoding") != nullptr) co_return MultipartResult::Malformed;
  const domain::Limits& limits = edge_.settings.limits;
  if (call_.content_length > text_bytes_max + upload_bytes_max) co_return MultipartResult::TooLarge;
  const UploadLimits upload_limits{accept_files, text_bytes_max, upload_bytes_max, limits.upload_files, limits.form_fields};
  UploadSink sink(out, folder, upload_limits, edge_.gateway.shared().uploads, edge_.random);
  MultipartParser parser(*boundary, sink);
  body_deadline_ns_ = edge_.io.turn_steady_ns() + limits.upload_read_ms * base::kNsPerMs;
  edge_.io.timers().arm(timer_, body_deadline_ns_);
  // What authentication has read already comes first.
  auto state = body_.empty() ? MultipartParser::State::More : parser.feed(body_);
  if (body_.empty() && !call_.body.empty()) state = parser.feed(call_.body);
  std::string_view block;
  while (state == MultipartParser::State::More || state == MultipartParser::State::Done) {
    if (body_state_ != BodyState::Reading || !co_await next_body_block(block, kBlockBytes)) break;
    state = parser.feed(block);
  }
  timer_.cancel();
  drop_blocks();
  if (state == MultipartParser::State::Stopped) co_return sink.problem();
  if (body_state_ == BodyState::TimedOut) co_return MultipartResult::TimedOut;
  if (body_state_ == BodyState::Gone) co_return MultipartResult::Gone;
  co_return state == MultipartParser::State::Done ? MultipartResult::Complete : MultipartResult::Malformed;
}

BodyResult Connection::inflate(std::size_t bytes_max) {
  z_stream stream{};
  constexpr int kGzipOnly = 15 + 16;
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) return BodyResult::Malformed;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(call_.body.data()));
  stream.avail_in = static_cast<uInt>(call_.body.size());
  char block[16384];
  int state = Z_OK;
  BodyResult result = BodyResult::Complete;
  while (state == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(block);
    stream.avail_out = sizeof block;
    state = ::inflate(&stream, Z_NO_FLUSH);
    inflated_.append(block, sizeof block - stream.avail_out);
    if (inflated_.size() > bytes_max) {
      result = BodyResult::TooLarge;
      break;
    }
    if (state == Z_OK && stream.avail_in == 0 && stream.avail_out != 0) break;
  }
  if (result == BodyResult::Complete && (state != Z_STREAM_END || stream.avail_in != 0)) result = BodyResult::Malformed;
  inflateEnd(&stream);
  if (result == BodyResult::Complete) call_.body = inflated_;
  return result;
}

}  // namespace funcgate::http
