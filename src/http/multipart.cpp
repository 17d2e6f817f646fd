#include "http/multipart.h"

#include <algorithm>

#include "base/text.h"

namespace funcgate::http {
namespace {

constexpr std::size_t kBlanksMax = 256;  // behind a delimiter

// name="value" parameters of a header value; quoted strings with \" and \\ as browsers and curl write them. `refused` is set if
// the parameter is repeated or has an escape.
std::optional<std::string> parameter(std::string_view value, std::string_view wanted, bool* refused = nullptr) {
  std::optional<std::string> found;
  std::size_t at = value.find(';');
  while (at != std::string_view::npos && at < value.size()) {
    ++at;
    while (at < value.size() && (value[at] == ' ' || value[at] == '\t')) ++at;
    const std::size_t equals = value.find('=', at);
    if (equals == std::string_view::npos) break;
    const std::string_view name = base::trim(value.substr(at, equals - at));
    std::string text;
    bool escaped = false;
    at = equals + 1;
    if (at < value.size() && value[at] == '"') {
      for (++at; at < value.size() && value[at] != '"'; ++at) {
        if (value[at] == '\\' && at + 1 < value.size() && (value[at + 1] == '"' || value[at + 1] == '\\')) {
          ++at;
          escaped = true;
        }
        text.push_back(value[at]);
      }
      at = value.find(';', at);
    } else {
      const std::size_t end = std::min(value.find(';', at), value.size());
      text = base::trim(value.substr(at, end - at));
      at = end;
    }
    if (!base::equals_ignore_case(name, wanted)) continue;
    if ((found || escaped) && refused != nullptr) *refused = true;
    found = std::move(text);
  }
  return found;
}

}  // namespace

std::optional<std::string> MultipartParser::boundary_of(std::string_view content_type) {
  bool repeated = false;
  auto boundary = parameter(content_type, "boundary", &repeated);
  if (!boundary || repeated || boundary->empty() || boundary->size() > 70 || base::has_control(*boundary) ||
      boundary->back() == ' ') {
    return std::nullopt;
  }
  return boundary;
}

MultipartParser::State MultipartParser::feed(std::string_view bytes) {
  if (state_ != State::More) return state_;
  buffer_.append(bytes);
  state_ = run();
  return state_;
}

MultipartParser::State MultipartParser::run() {
  while (true) {
    switch (step_) {
      case Step::Preamble: {
        const std::size_t at = buffer_.find(delimiter_);
        // Limits are judged by what the bytes are, not by how they arrive: here and below.
        if (at == std::string::npos) return buffer_.size() > kHeadBytesMax + delimiter_.size() ? State::Broken : State::More;
        if (at > kHeadBytesMax) return State::Broken;
        buffer_.erase(0, at + delimiter_.size());
        step_ = Step::AfterDelimiter;
        break;
      }
      case Step::AfterDelimiter: {
        // "--" ends the body; else blanks and CR LF begin a part.
        if (buffer_.size() < 2) return State::More;
        if (buffer_.starts_with("--")) {
          step_ = Step::Epilogue;
          return State::Done;
        }
        const std::size_t text = std::min(buffer_.find_first_not_of(" \t"), buffer_.size());
        if (text > kBlanksMax) return State::Broken;
        if (text + 2 > buffer_.size()) return State::More;
        if (buffer_.compare(text, 2, "\r\n") != 0) return State::Broken;
        buffer_.erase(0, text);
        step_ = Step::Head;
        break;
      }
      case Step::Head:
        if (const State state = read_head(); state != State::Done) return state;
        break;
      case Step::Body:
        if (const State state = read_body(); state != State::Done) return state;
        break;
      case Step::Epilogue: return State::Done;
    }
  }
}

MultipartParser::State MultipartParser::read_head() {
  // buffer_ begins with the CR LF behind the delimiter.
  const std::size_t end = buffer_.find("\r\n\r\n");
  if (end == std::string::npos) return buffer_.size() > kHeadBytesMax + 3 ? State::Broken : State::More;
  if (end > kHeadBytesMax) return State::Broken;
  PartHead head;
  bool disposition = false, repeated = false;
  std::string_view lines = std::string_view(buffer_).substr(0, end);
  while (!lines.empty()) {
    lines.remove_prefix(2);
    const std::size_t next = std::min(lines.find("\r\n"), lines.size());
    const std::string_view line = lines.substr(0, next);
    lines.remove_prefix(next);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !base::is_token(line.substr(0, colon))) return State::Broken;
    const std::string_view name = line.substr(0, colon), value = base::trim(line.substr(colon + 1));
    if (base::equals_ignore_case(name, "content-disposition")) {
      const auto part_name = parameter(value, "name", &repeated);
      // An escape in the name could be read in two ways, and RFC 7578, 4.2 forbids filename*: authentication and function must
      // see the same field.
      if (parameter(value, "filename*")) return State::Broken;
      if (disposition || repeated || !part_name || !base::starts_with_ignore_case(value, "form-data")) return State::Broken;
      if (!base::is_valid_utf8(*part_name)) return State::Broken;
      disposition = true;
      head.name = *part_name;
      head.file_name = parameter(value, "filename");
    } else if (base::equals_ignore_case(name, "content-type")) {
      head.content_type = value;
    } else if (base::equals_ignore_case(name, "content-transfer-encoding")) {
      head.encoding = value;
    }
  }
  if (!disposition) return State::Broken;
  // A delimiter right here has no line end of its own and is data, as authentication reads it (auth/multipart_prefix).
  buffer_.erase(0, end + 4);
  step_ = Step::Body;
  return sink_.begin_part(head) ? State::Done : State::Stopped;
}

MultipartParser::State MultipartParser::read_body() {
  const std::size_t at = buffer_.find(delimiter_);
  // Without a delimiter in sight its beginning may still be at the end of the buffer.
  const std::size_t safe = at != std::string::npos              ? at
                           : buffer_.size() > delimiter_.size() ? buffer_.size() - delimiter_.size()
                                                                : 0;
  if (safe > 0 && !sink_.part_data(std::string_view(buffer_).substr(0, safe))) return State::Stopped;
  buffer_.erase(0, safe);
  if (at == std::string::npos) return State::More;
  if (!sink_.end_part()) return State::Stopped;
  buffer_.erase(0, delimiter_.size());
  step_ = Step::AfterDelimiter;
  return State::Done;
}

}  // namespace funcgate::http
