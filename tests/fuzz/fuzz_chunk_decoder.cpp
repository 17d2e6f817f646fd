// http/chunk_decoder: however the bytes arrive, the body, the end and the verdict are the same.
#include <string>

#include "fuzz_input.h"
#include "http/chunk_decoder.h"

using namespace funcgate::http;
using namespace funcgate::fuzz;

namespace {

struct Decoded {
  ChunkDecoder::State state = ChunkDecoder::State::More;
  std::string body;
  std::size_t used = 0;
};

void feed(ChunkDecoder& decoder, std::string_view piece, Decoded& out) {
  std::size_t used = 0;
  out.state = decoder.decode(piece, used, [&](std::string_view bytes) {
    PROMISE(!bytes.empty() && lies_within(bytes, piece));
    out.body += bytes;
  });
  PROMISE(used <= piece.size());
  PROMISE(used == piece.size() || out.state != ChunkDecoder::State::More);
  out.used += used;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text = text_of(data + 1, size - 1);
  Decoded whole, pieces;
  ChunkDecoder first, second;
  feed(first, text, whole);
  for (Pieces cut(text, data[0]); !cut.done() && pieces.state == ChunkDecoder::State::More;) feed(second, cut.next(), pieces);
  PROMISE(whole.state == pieces.state && whole.body == pieces.body && whole.used == pieces.used);
  PROMISE(whole.body.size() <= whole.used);
  const std::size_t before = whole.body.size();
  feed(first, "1\r\nx\r\n", whole);
  if (pieces.state != ChunkDecoder::State::More) PROMISE(whole.state == pieces.state && whole.body.size() == before);
  return 0;
}
