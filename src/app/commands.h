// The commands of the funcgate program. Each returns the exit code: 0 done, 1 failed or different, 2 usage, 3 not found,
// 4 denied, 5 conflict, 6 unreachable, 7 invalid document, 78 cannot start.
#pragma once

#include <string>
#include <vector>

#include "app/cli/connection.h"
#include "app/config.h"
#include "base/json.h"
#include "base/result.h"
#include "keystore/keystore_password.h"

namespace funcgate::app {

struct CommonOptions {
  std::string program;  // argv[0]: funcgate-worker stands beside it
  std::string data_dir = "data";
  std::string config_path;
  std::string output = "table";  // or json, yaml
  keystore::PasswordSources password_sources;
  cli::Connection connection;  // of apply, diff, export and audit verify to another machine
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
struct ExportOptions {
  std::string folder;
  std::vector<std::string> kinds;  // as in documents; empty: all
  std::string application;         // only this one and what is inside of it; empty: all
};
int export_resources(const CommonOptions& common, const ExportOptions& options);
int check_config(const CommonOptions& common, bool print);
// commands_identity.cpp
int init(const CommonOptions& common, const std::string& login, const std::string& password_file);
int setup_token(const CommonOptions& common);
int recover_administrator(const CommonOptions& common, const std::string& login);

// What is printed is for people, and not for a program that asked for JSON or YAML.
inline bool is_for_people(const CommonOptions& common) { return common.output == "table"; }
// Prints `document` to a program: JSON in one line, or YAML.
void print_document(const CommonOptions& common, const base::json::value& document);
// The report of apply and diff as the server (or this process) made it; the exit code.
int print_report(const CommonOptions& common, const base::json::object& result, bool difference_counts);

// commands_keystore.cpp: each works on the running server, or on the stopped data directory.
struct KeystoreSetOptions {
  std::string alias, from_file;  // no file: standard input
  bool generate = false;
};
int keystore_create(const CommonOptions& common);
int keystore_list(const CommonOptions& common);
int keystore_check(const CommonOptions& common);
int keystore_set(const CommonOptions& common, const KeystoreSetOptions& options);
int keystore_delete(const CommonOptions& common, const std::string& alias);
int keystore_rotate(const CommonOptions& common, const std::string& alias, const std::string& overlap);
int keystore_passwd(const CommonOptions& common, const std::string& from_file);
int keystore_reload(const CommonOptions& common);

// commands_audit.cpp: 0 intact, 1 damaged, 2 cannot read.
struct AuditVerifyOptions {
  std::int64_t from = 1;
  std::string checkpoint, stream, file;
};
int audit_verify(const CommonOptions& common, const AuditVerifyOptions& options);

// commands_backup.cpp, commands_restore.cpp, commands_migrate.cpp
struct BackupOptions {
  std::string file;
  bool force = false, with_keystore = false;
};
int backup(const CommonOptions& common, const BackupOptions& options);
struct RestoreOptions {
  std::string file;
  bool force = false;
};
int restore(const CommonOptions& common, const RestoreOptions& options);
int migrate(const CommonOptions& common, bool dry_run);

// Prints the message to standard error; the exit code that goes with it.
int fail(const base::Error& error);
// The same for work on files alone: there is no server that could be unreachable, a full disk is 1.
int fail_on_files(const base::Error& error);

}  // namespace funcgate::app
