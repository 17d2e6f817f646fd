// Findings as "path: message" texts, so that a table can say what it expects.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "base/json.h"

namespace funcgate::domain {

inline std::vector<std::string> texts_of(const std::vector<base::Finding>& findings) {
  std::vector<std::string> texts;
  for (const base::Finding& finding : findings) texts.push_back(finding.path + ": " + finding.message);
  return texts;
}

inline base::json::value parsed(std::string_view text) {
  auto value = base::parse_json(text);
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? std::move(*value) : base::json::value();
}

// `base` with the members of `members` set.
inline base::json::value with(std::string_view base_text, std::string_view members) {
  base::json::value value = parsed(base_text);
  const base::json::value changes = parsed(members);
  for (const auto& [name, member] : changes.get_object()) value.get_object()[name] = member;
  return value;
}

}  // namespace funcgate::domain
