// The groups of commands that work on the data directory: `keystore …`, `audit verify`, `backup`, `restore`
// and `migrate`, bound to CLI11.
//
// Thread-safety: one thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "app/commands.h"

namespace funcgate::app {

class LocalCommands {
 public:
  // `common` takes what --data and the like say, and outlives this object.
  explicit LocalCommands(CommonOptions& common) : common_(common) {}

  void add_to(CLI::App& app);
  // The exit code of the command that was given; nullopt: another one was.
  std::optional<int> run();

 private:
  void add_keystore(CLI::App& app);
  void add_audit(CLI::App& app);
  void add_backups(CLI::App& app);
  CLI::App& add(CLI::App& parent, std::string word, std::string help, std::function<int()> work);
  void add_output(CLI::App& command);

  CommonOptions& common_;
  std::vector<std::pair<CLI::App*, std::function<int()>>> commands_;
  KeystoreSetOptions set_;
  AuditVerifyOptions verify_;
  BackupOptions backup_;
  RestoreOptions restore_;
  bool dry_run_ = false;
  std::string alias_, overlap_, from_file_;
};

}  // namespace funcgate::app
