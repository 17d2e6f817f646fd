// ServerSettings: the part of the configuration file that services and the HTTP edge read. Constant after start.
#pragma once

#include <string>
#include <vector>

#include "domain/address.h"
#include "domain/limits.h"

namespace funcgate::service {

// For a record to reach the disk, where answers wait for it.
inline constexpr std::int64_t kRecordWaitMs = 10'000;

struct ServerSettings {
  domain::Limits limits;
  std::string public_url;                     // "https://fn.example.net"; empty: scheme + Host
  std::vector<domain::Network> trusted_proxies;
  std::vector<domain::Network> metrics_networks;  // who may read /metrics; the control socket always may
  bool compat_dataflux = false;
  bool record_before_reply = false;           // an answer waits until the record of its call is on disk
  bool console_plain_http = false;            // sessions over plain HTTP from other machines too
  std::string openapi_access = "public";      // public, signed-in, off
  std::string call_folder;                    // absolute: run/calls
  std::string resource_folder;                // absolute
  std::string version;
};

}  // namespace funcgate::service
