#include "http/client/response_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <optional>

namespace funcgate::http {
namespace {

namespace beast = boost::beast;

constexpr int kInterimAnswersMax = 16;
// More than any head or line of a chunk that the parser accepts.
constexpr std::size_t kPendingBytesMax = 2 * ResponseReader::kHeadBytesMax;

class AnswerParser final : public beast::http::basic_parser<false> {
 public:
  AnswerParser(FieldObserver* observer, bool of_head) : observer_(observer) {
    header_limit(static_cast<std::uint32_t>(ResponseReader::kHeadBytesMax));
    body_limit(boost::none);
    eager(true);
    if (of_head) skip(true);
  }
  int status = 0;
  bool is_interim() const { return status / 100 == 1 && status != 101; }

 private:
  using string_view = beast::string_view;
  using error_code = beast::error_code;

  void on_request_impl(beast::http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override { status = code; }
  void on_field_impl(beast::http::field, string_view name, string_view value, error_code&) override {
    if (observer_ != nullptr && !is_interim()) observer_->on_field({name.data(), name.size()}, {value.data(), value.size()});
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override { return body.size(); }
  void on_finish_impl(error_code&) override {}

  FieldObserver* observer_;
};

}  // namespace

struct ResponseReader::Parsing {
  std::optional<AnswerParser> parser;
};

ResponseReader::ResponseReader(FieldObserver* observer) : observer_(observer), parsing_(std::make_unique<Parsing>()) {}
ResponseReader::~ResponseReader() = default;
ResponseReader::ResponseReader(ResponseReader&&) noexcept = default;
ResponseReader& ResponseReader::operator=(ResponseReader&&) noexcept = default;

void ResponseReader::begin(bool of_head) {
  of_head_ = of_head;
  has_begun_ = false;
  interim_answers_ = 0;
  pending_.clear();
  parsing_->parser.emplace(observer_, of_head);
}

ResponseReader::State ResponseReader::parse(std::string_view bytes, std::size_t& used) {
  used = 0;
  while (used < bytes.size()) {
    AnswerParser& parser = *parsing_->parser;
    beast::error_code error;
    used += parser.put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), error);
    if (error && error != beast::http::error::need_more) return State::Malformed;
    if (!parser.is_done()) return State::More;
    if (!parser.is_interim()) return State::Done;
    if (++interim_answers_ > kInterimAnswersMax) return State::Malformed;
    parsing_->parser.emplace(observer_, of_head_);
  }
  return State::More;
}

ResponseReader::State ResponseReader::feed(std::string_view bytes, std::size_t& used) {
  has_begun_ = has_begun_ || !bytes.empty();
  if (pending_.empty()) {
    const State state = parse(bytes, used);
    if (state != State::More) return state;
    // The parser takes a head, or the line of a chunk, only as a whole.
    pending_.assign(bytes.substr(used));
    used = bytes.size();
    return pending_.size() > kPendingBytesMax ? State::Malformed : State::More;
  }
  const std::size_t before = pending_.size();
  pending_.append(bytes);
  std::size_t read = 0;
  const State state = parse(pending_, read);
  if (state == State::Done) {
    used = read - before;
    pending_.clear();
    return state;
  }
  used = bytes.size();
  pending_.erase(0, read);
  return state == State::Malformed || pending_.size() > kPendingBytesMax ? State::Malformed : State::More;
}

ResponseReader::State ResponseReader::end_of_stream() {
  AnswerParser& parser = *parsing_->parser;
  if (!parser.got_some() || !parser.is_header_done()) return State::Malformed;
  beast::error_code error;
  parser.put_eof(error);
  return error ? State::Malformed : State::Done;
}

bool ResponseReader::has_begun() const { return has_begun_; }
int ResponseReader::status() const { return parsing_->parser->status; }
bool ResponseReader::keeps_connection() const { return parsing_->parser->keep_alive() && !parsing_->parser->need_eof(); }

}  // namespace funcgate::http
