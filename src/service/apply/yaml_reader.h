// YAML to JSON values with the line of every member. Only what a resource document needs: anchors, aliases and foreign tags are
// refused (a few bytes of them can stand for gigabytes), repeated members too (two readers could disagree about them).
//
// Plain scalars follow the core schema for null, true, false and decimal numbers; everything else is a text.
// Thread-safety: pure functions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace funcgate::service {

struct YamlDocument {
  base::json::value value;
  std::map<std::string, std::int64_t, std::less<>> lines;  // path (a.b[2].c) → line, 1 = first; "" = the document
};

struct YamlProblem {
  std::int64_t line = 0;
  std::string path, message;
};

// Every document of `text`, empty ones left out. What cannot be read is a problem; the documents before it are returned.
std::vector<YamlDocument> read_yaml(std::string_view text, std::vector<YamlProblem>& problems);

}  // namespace funcgate::service
