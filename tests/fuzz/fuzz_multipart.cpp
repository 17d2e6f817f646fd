// http/multipart: however a body arrives, its parts are the same. And auth/multipart_prefix, which looks for credentials in
// the same bytes, never understands a part otherwise than the parser whose parts the function gets.
#include <string>
#include <vector>

#include "auth/multipart_prefix.h"
#include "fuzz_input.h"
#include "http/multipart.h"

using namespace funcgate::http;
using namespace funcgate::fuzz;
namespace auth = funcgate::auth;

namespace {

struct Part {
  std::string name, file_name, content_type, encoding, data;
  bool is_file = false, ended = false;
  bool operator==(const Part&) const = default;
};

class Recorder final : public PartSink {
 public:
  std::vector<Part> parts;

  bool begin_part(const PartHead& head) override {
    PROMISE(parts.empty() || parts.back().ended);
    parts.push_back(
        {head.name, head.file_name.value_or(""), head.content_type, head.encoding, {}, head.file_name.has_value(), false});
    return true;
  }
  bool part_data(std::string_view bytes) override {
    PROMISE(!parts.empty() && !parts.back().ended && !bytes.empty());
    parts.back().data += bytes;
    return true;
  }
  bool end_part() override {
    PROMISE(!parts.empty() && !parts.back().ended);
    return parts.back().ended = true;
  }
};

void check_prefix(std::string_view body, const Recorder& whole, MultipartParser::State state) {
  const auth::MultipartPrefix prefix = auth::read_multipart_prefix(body, "B", 1000);
  // What one of the two refuses, nobody acts upon; an escape in a head is where the two differ on purpose.
  if (!prefix.is_well_formed || state == MultipartParser::State::Broken || body.find('\\') != std::string_view::npos) return;
  PROMISE(prefix.parts.size() <= whole.parts.size());
  for (std::size_t i = 0; i < prefix.parts.size(); ++i) {
    PROMISE(whole.parts[i].ended && !whole.parts[i].is_file);
    PROMISE(prefix.parts[i].name == whole.parts[i].name && prefix.parts[i].value == whole.parts[i].data);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body = text_of(data + 1, size - 1);
  Recorder whole, pieces;
  MultipartParser first("B", whole), second("B", pieces);
  const auto state = first.feed(body);
  auto cut_state = MultipartParser::State::More;
  for (Pieces cut(body, data[0]); !cut.done() && cut_state == MultipartParser::State::More;) cut_state = second.feed(cut.next());
  PROMISE(state == cut_state);
  // Data of a part that has not ended may still be held back, by less than a delimiter.
  PROMISE(whole.parts.size() == pieces.parts.size());
  for (std::size_t i = 0; i < whole.parts.size(); ++i) {
    if (whole.parts[i].ended) PROMISE(whole.parts[i] == pieces.parts[i]);
  }
  check_prefix(body, whole, state);

  if (const auto boundary = MultipartParser::boundary_of(body)) PROMISE(!boundary->empty() && boundary->size() <= 70);
  if (const auto boundary = auth::multipart_boundary(body)) {
    // Where the strict reader sees a boundary, the other one sees the same.
    if (body.find('\\') == std::string_view::npos) PROMISE(MultipartParser::boundary_of(body) == std::string(*boundary));
  }
  return 0;
}
