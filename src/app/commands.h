// The commands of the funcgate program. Each returns the exit code: 0 done, 1 failed or different, 2 usage, 3 not found,
// 4 denied, 5 conflict, 6 unreachable, 7 invalid document, 78 cannot start.
#pragma once

#include <string>
#include <vector>

#include "app/config.h"
#include "keystore/keystore_password.h"

namespace funcgate::app {

struct CommonOptions {
  std::string program;   // argv[0]: funcgate-worker stands beside it
  std::string data_dir = "data";
  std::string config_path;
  std::string output = "table";  // or json
  keystore::PasswordSources password_sources;
};

struct ServeOptions {
  std::string listen;
  std::vector<std::string> apply;
};
int serve(const CommonOptions& common, const ServeOptions& options);

struct ResourceOptions {
  std::string folder, set = "default";
  bool prune = false, dry_run = false;
};
int apply(const CommonOptions& common, const ResourceOptions& options);
int diff(const CommonOptions& common, const ResourceOptions& options);
int validate(const CommonOptions& common, const ResourceOptions& options);
int export_resources(const CommonOptions& common, const std::string& folder);
int check_config(const CommonOptions& common, bool print);

}  // namespace funcgate::app
