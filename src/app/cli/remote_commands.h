// RemoteCommands: the table of command.h as commands of the program's parser, and the one that was chosen.
//
// Thread-safety: one thread.
#pragma once

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <vector>

#include "app/cli/command.h"

namespace funcgate::app::cli {

// --url, --token-file and the like; for commands that work on a data directory by themselves too.
void add_connection_options(CLI::App& command, Connection& connection);

// FUNCGATE_URL counts if neither --url nor --data was given.
void take_url_from_environment(const CLI::App& command, Connection& connection);

class RemoteCommands {
 public:
  RemoteCommands();
  ~RemoteCommands();
  RemoteCommands(const RemoteCommands&) = delete;
  RemoteCommands& operator=(const RemoteCommands&) = delete;

  // Call last: a group that exists already gets more commands. `this` must live until the parse is over.
  void add_to(CLI::App& app);
  // After the parse. nullopt: another command was chosen. Else its exit code.
  std::optional<int> run();

 private:
  struct Bound;  // a command with the places its arguments are parsed into
  void add(CLI::App& app, const Command& command);

  std::vector<Command> commands_;
  std::vector<std::unique_ptr<Bound>> bound_;
};

}  // namespace funcgate::app::cli
