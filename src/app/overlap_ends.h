// When the overlaps of retired signing secrets end, as key-overlaps.json says it: {"<kid>": milliseconds since 1970}. A member
// "*" says that of other secrets nothing is known any more: whatever was retired without standing here is over.
//
// Thread-safety: plain values and pure functions.
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace funcgate::app {

struct OverlapEnds {
  std::map<std::string, base::WallMs> until_ms;  // by kid
  bool others_over = false;

  bool operator==(const OverlapEnds&) const = default;
};

// NotFound; DataLoss: it is no such object. Else what base::read_file() says.
base::Result<OverlapEnds> read_overlap_ends(const std::string& path);
std::string to_json(const OverlapEnds& ends);

// What two lists say together; neither may let a secret verify for longer than the other: of two ends the earlier. An end
// that one of them lost is taken from the other, since nobody moves the end of a retired secret.
OverlapEnds merged(const OverlapEnds& one, const OverlapEnds& other);

}  // namespace funcgate::app
