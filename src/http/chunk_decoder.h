// ChunkDecoder: the chunked coding of RFC 9112, 7.1, strict and incremental. Extensions are skipped, trailers are dropped.
//
// Not thread-safe. A broken chunk is final.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace funcgate::http {

class ChunkDecoder {
 public:
  enum class State { More, Done, Broken };
  // Consumes bytes of `input` and appends body bytes through `sink(std::string_view)`. Sets `used`. Stops after the last chunk.
  template <class Sink>
  State decode(std::string_view input, std::size_t& used, Sink&& sink) {
    used = 0;
    while (used < input.size() && step_ != Step::Done && step_ != Step::Broken) {
      if (step_ == Step::Data) {
        const std::size_t take = left_ < input.size() - used ? static_cast<std::size_t>(left_) : input.size() - used;
        sink(input.substr(used, take));
        used += take;
        left_ -= take;
        if (left_ == 0) step_ = Step::DataCr;
      } else {
        next(input[used++]);
      }
    }
    return step_ == Step::Done ? State::Done : step_ == Step::Broken ? State::Broken : State::More;
  }

 private:
  enum class Step { Size, Extension, SizeLf, Data, DataCr, DataLf, Trailer, TrailerLine, TrailerLf, LastLf, Done, Broken };
  void next(char c);

  static constexpr std::size_t kLineBytesMax = 4096;  // of one extension, and of all trailers together
  Step step_ = Step::Size;
  std::uint64_t left_ = 0;
  std::size_t digits_ = 0, line_bytes_ = 0;
};

}  // namespace funcgate::http
