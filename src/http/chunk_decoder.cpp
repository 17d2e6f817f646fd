#include "http/chunk_decoder.h"

#include "base/encoding.h"

namespace funcgate::http {

void ChunkDecoder::next(char c) {
  auto expect = [&](char wanted, Step then) { step_ = c == wanted ? then : Step::Broken; };
  switch (step_) {
    case Step::Size: {
      const int digit = base::hex_value(c);
      if (digit >= 0) {
        // 15 digits: no sum of sizes can overflow.
        step_ = ++digits_ <= 15 ? Step::Size : Step::Broken;
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
      } else if (digits_ == 0) {
        step_ = Step::Broken;
      } else if (c == ';') {
        step_ = Step::Extension;
      } else {
        expect('\r', Step::SizeLf);
      }
      break;
    }
    case Step::Extension:
      if (c == '\r') {
        step_ = Step::SizeLf;
      } else if (c == '\n' || ++line_bytes_ > kLineBytesMax) {
        step_ = Step::Broken;
      }
      break;
    case Step::SizeLf:
      expect('\n', left_ > 0 ? Step::Data : Step::Trailer);
      line_bytes_ = 0;
      break;
    case Step::DataCr: expect('\r', Step::DataLf); break;
    case Step::DataLf:
      expect('\n', Step::Size);
      digits_ = 0;
      break;
    case Step::Trailer:
      if (c == '\r') {
        step_ = Step::LastLf;
      } else {
        // Each line counts, so that short ones cannot come without end.
        step_ = c == '\n' || ++line_bytes_ > kLineBytesMax ? Step::Broken : Step::TrailerLine;
      }
      break;
    case Step::TrailerLine:
      if (c == '\r') {
        step_ = Step::TrailerLf;
      } else if (c == '\n' || ++line_bytes_ > kLineBytesMax) {
        step_ = Step::Broken;
      }
      break;
    case Step::TrailerLf: expect('\n', Step::Trailer); break;
    case Step::LastLf: expect('\n', Step::Done); break;
    case Step::Data:
    case Step::Done:
    case Step::Broken: break;
  }
}

}  // namespace funcgate::http
