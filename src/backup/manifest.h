// The first member of a backup: what it is, what it holds, and what is needed to use it. And which members there may be.
//
// The archive is: manifest.json, the members in the order of the manifest, manifest.json.sha256 (as sha256sum writes it). So a
// reader knows what comes before it comes, and an archive that was cut off has no end.
//
// Thread-safety: plain values and pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace funcgate::backup {

inline constexpr std::string_view kManifestName = "manifest.json";
inline constexpr std::string_view kManifestHashName = "manifest.json.sha256";
inline constexpr std::string_view kConfigurationName = "funcgate.db";
inline constexpr std::string_view kJournalName = "journal.db";
inline constexpr std::string_view kKeystoreName = "keystore.p12";
inline constexpr std::string_view kOverlapsName = "key-overlaps.json";
inline constexpr std::string_view kResourcePrefix = "resources/";
inline constexpr std::string_view kCallPrefix = "run/calls/";
inline constexpr std::size_t kManifestBytesMax = 64 << 20;
inline constexpr std::size_t kMembersMax = 200'000;

// True for the files above and for paths below the two prefixes: relative, UTF-8, without empty parts, ".", "..", backslashes
// and control characters, at most 1000 bytes. Every other name is refused, in packing and in unpacking.
bool is_member_name(std::string_view name);

struct Member {
  std::string name;
  std::int64_t bytes = 0;
  std::string sha256;  // 64 hex digits
};

using KeyCounts = std::map<std::string, std::int64_t>;  // by kid

struct Manifest {
  std::string product_version;
  base::WallMs created_ms = 0;
  std::map<std::string, int> schemas;  // by name of the database
  std::vector<Member> members;
  std::vector<std::string> left_out;  // sentences for the operator
  // Which secrets of the keystore what is stored needs.
  KeyCounts sealing, peppers, signing;
  std::int64_t unfinished_tasks = 0;

  const Member* find(std::string_view name) const;
  std::int64_t bytes() const;  // of all members
};

std::string to_text(const Manifest& manifest);
// InvalidArgument: no manifest, or one that contradicts the rules above; FailedPrecondition: a format of a newer release.
base::Result<Manifest> read_manifest(std::string_view text);

}  // namespace funcgate::backup
