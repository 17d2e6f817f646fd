#include "app/overlap_ends.h"

#include <algorithm>

#include "base/files.h"
#include "base/json.h"

namespace funcgate::app {
namespace {

constexpr const char* kOthers = "*";  // no kid: those are hexadecimal digits

}  // namespace

base::Result<OverlapEnds> read_overlap_ends(const std::string& path) {
  constexpr std::size_t kBytesMax = 1 << 20;
  TRY(const std::string text, base::read_file(path, kBytesMax));
  const base::Error damaged{base::Code::DataLoss, "it is no JSON object of times", {}};
  const auto document = base::parse_json(text);
  if (!document.ok() || !document->is_object()) return damaged;
  OverlapEnds ends;
  for (const auto& member : document->get_object()) {
    if (!member.value().is_int64()) return damaged;
    ends.until_ms[std::string(member.key())] = member.value().get_int64();
  }
  ends.others_over = ends.until_ms.erase(kOthers) != 0;
  return ends;
}

std::string to_json(const OverlapEnds& ends) {
  base::json::object document;
  for (const auto& [kid, until_ms] : ends.until_ms) document[kid] = until_ms;
  if (ends.others_over) document[kOthers] = 0;
  return base::to_json(document);
}

OverlapEnds merged(const OverlapEnds& one, const OverlapEnds& other) {
  OverlapEnds both = one;
  for (const auto& [kid, until_ms] : other.until_ms) {
    const auto [place, is_new] = both.until_ms.emplace(kid, until_ms);
    if (!is_new) place->second = std::min(place->second, until_ms);
  }
  both.others_over = one.others_over || other.others_over;
  return both;
}

}  // namespace funcgate::app
