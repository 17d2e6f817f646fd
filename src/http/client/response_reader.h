// ResponseReader: where an HTTP/1.1 answer ends (RFC 9112), read from bytes as they arrive: Content-Length, chunked, and bodies
// that end with the connection. Content is counted nowhere and kept nowhere; interim answers (1xx) are passed over.
//
// Beast's parser does the grammar. Allocates only if a head or the line of a chunk comes in pieces. Not thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace funcgate::http {

// Sees the header fields of final answers. The views are valid during the call only.
class FieldObserver {
 public:
  virtual ~FieldObserver() = default;
  virtual void on_field(std::string_view name, std::string_view value) = 0;
};

class ResponseReader {
 public:
  enum class State { More, Done, Malformed };
  static constexpr std::size_t kHeadBytesMax = 64 << 10;

  // `observer` may be null and outlives this object.
  explicit ResponseReader(FieldObserver* observer = nullptr);
  ~ResponseReader();
  ResponseReader(ResponseReader&&) noexcept;
  ResponseReader& operator=(ResponseReader&&) noexcept;

  // Before each answer. `of_head`: of a HEAD request, which has no body whatever its fields say.
  void begin(bool of_head);
  // `used` of `bytes` belong to this answer: all of them unless it is Done.
  State feed(std::string_view bytes, std::size_t& used);
  // The connection has ended. Done: that was the end of the body.
  State end_of_stream();
  bool has_begun() const;  // whether bytes of an answer have come

  // After Done.
  int status() const;
  bool keeps_connection() const;

 private:
  struct Parsing;
  State parse(std::string_view bytes, std::size_t& used);

  FieldObserver* observer_;
  std::unique_ptr<Parsing> parsing_;  // a parser, made anew in place for each answer
  std::string pending_;               // the beginning of what cannot be read before its end is there
  bool of_head_ = false, has_begun_ = false;
  int interim_answers_ = 0;
};

}  // namespace funcgate::http
