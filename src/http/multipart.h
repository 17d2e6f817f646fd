// MultipartParser: multipart/form-data (RFC 7578), strict and incremental: part heads are kept, part bodies are handed on as they
// come.
//
// Not thread-safe. Bounded: a part head has at most kHeadBytesMax, the number of parts is the sink's business.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace funcgate::http {

struct PartHead {
  std::string name;
  std::optional<std::string> file_name;  // as sent; its presence makes the part a file
  std::string content_type = "text/plain";
  std::string encoding = "7bit";
};

class PartSink {
 public:
  virtual ~PartSink() = default;
  // False: stop; the parser ends as Stopped.
  virtual bool begin_part(const PartHead& head) = 0;
  virtual bool part_data(std::string_view bytes) = 0;
  virtual bool end_part() = 0;
};

class MultipartParser {
 public:
  static constexpr std::size_t kHeadBytesMax = 8192;
  enum class State { More, Done, Broken, Stopped };

  // The boundary of a Content-Type value; nullopt if it has none that is allowed (RFC 2046: 1 to 70 characters).
  static std::optional<std::string> boundary_of(std::string_view content_type);

  MultipartParser(std::string boundary, PartSink& sink) : delimiter_("\r\n--" + std::move(boundary)), sink_(sink) {}
  // Takes the next bytes of the body. After Done further bytes (the epilogue) are ignored.
  State feed(std::string_view bytes);

 private:
  enum class Step { Preamble, AfterDelimiter, Head, Body, Epilogue };
  State run();
  State read_head();
  State read_body();

  const std::string delimiter_;
  PartSink& sink_;
  Step step_ = Step::Preamble;
  std::string buffer_ = "\r\n";  // so that a delimiter at the very beginning looks like every other
  State state_ = State::More;
};

}  // namespace funcgate::http
