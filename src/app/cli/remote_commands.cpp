#include "app/cli/remote_commands.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <deque>

#include "base/text.h"

namespace funcgate::app::cli {
namespace {

std::string_view long_name(std::string_view name) {
  const std::size_t comma = name.find(',');
  return comma == std::string_view::npos ? name : name.substr(comma + 1);
}

bool is_flag(Form form) { return form == Form::Set || form == Form::Clear || form == Form::LocalSet; }

CLI::App* find_command(CLI::App& app, const std::string& word) {
  const auto found = app.get_subcommands([&](const CLI::App* one) { return one->get_name() == word; });
  return found.empty() ? nullptr : found.front();
}

CLI::App& group_of(CLI::App& app, std::string_view word) {
  for (const Group& group : command_groups()) {
    if (group.word != word) continue;
    CLI::App* made = find_command(app, std::string(word));
    if (made == nullptr) made = app.add_subcommand(std::string(word), std::string(group.help));
    made->require_subcommand(1);
    if (!made->get_footer().starts_with("Examples:")) made->footer("Examples:\n" + std::string(group.examples));
    return *made;
  }
  return app;
}

}  // namespace

// The library keeps references into these: they must not move.
struct RemoteCommands::Bound {
  const Command* command = nullptr;
  CLI::App* app = nullptr;
  Connection connection;
  std::string format = "table";
  std::deque<std::string> positionals;
  std::vector<std::string> rest;  // of the positional that may be repeated
  std::deque<std::pair<std::string, std::vector<std::string>>> options;

  Values values() const {
    Values out;
    out.positionals.assign(positionals.begin(), positionals.end());
    out.positionals.insert(out.positionals.end(), rest.begin(), rest.end());
    for (const auto& [name, texts] : options) {
      if (app->get_option(name)->count() > 0) out.options[name] = texts;
    }
    return out;
  }
};

void add_connection_options(CLI::App& command, Connection& connection) {
  const std::string group = "Connection";
  command.add_option("--url", connection.url, "Server, as https://host:port; without it the one of --data [FUNCGATE_URL]")
      ->group(group);
  command.add_option("--token-file", connection.token_file, "File with a management key [FUNCGATE_TOKEN_FILE, FUNCGATE_TOKEN]")
      ->group(group);
  command.add_option("--ca-file", connection.ca_file, "Certificates (PEM) to trust instead of this machine's")->group(group);
  command.add_option("--timeout", connection.timeout_s, "Seconds to wait for an answer")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str()
      ->group(group);
  command.add_flag("--allow-plain-http", connection.plain_http, "Let the key travel unencrypted to another machine")
      ->group(group);
}

void take_url_from_environment(const CLI::App& command, Connection& connection) {
  const char* const url = std::getenv("FUNCGATE_URL");
  if (connection.url.empty() && url != nullptr && command.get_option("--data")->count() == 0) connection.url = url;
}

RemoteCommands::RemoteCommands() {
  add_user_commands(commands_);
  add_role_commands(commands_);
  add_application_commands(commands_);
  add_key_commands(commands_);
  add_audit_commands(commands_);
  add_server_commands(commands_);
}

RemoteCommands::~RemoteCommands() = default;

void RemoteCommands::add_to(CLI::App& app) {
  for (const Command& command : commands_) add(app, command);
}

void RemoteCommands::add(CLI::App& app, const Command& command) {
  const std::size_t blank = command.words.find(' ');
  const bool grouped = blank != std::string_view::npos;
  CLI::App& parent = grouped ? group_of(app, command.words.substr(0, blank)) : app;
  const std::string word(grouped ? command.words.substr(blank + 1) : command.words);
  CLI::App& leaf = *parent.add_subcommand(word, std::string(command.help));
  Bound& bound = *bound_.emplace_back(std::make_unique<Bound>());
  bound.command = &command;
  bound.app = &leaf;
  for (const Positional& positional : command.positionals) {
    const std::string name(positional.name), help(positional.help);
    if (positional.many) {
      leaf.add_option(name, bound.rest, help)->required();
    } else {
      leaf.add_option(name, bound.positionals.emplace_back(), help)->required();
    }
  }
  for (const Option& option : command.options) {
    auto& [name, texts] = bound.options.emplace_back(std::string(long_name(option.name)), std::vector<std::string>());
    if (is_flag(option.form)) {
      const std::string help(option.help);
      leaf.add_flag(std::string(option.name), help);
      continue;
    }
    // One value each time it is written: without this a list would swallow the words that follow.
    leaf.add_option(std::string(option.name), texts, std::string(option.help))
        ->type_name(std::string(option.value))
        ->type_size(1)
        ->expected(1)
        ->multi_option_policy(option.form == Form::Texts || option.form == Form::Scopes ? CLI::MultiOptionPolicy::TakeAll
                                                                                        : CLI::MultiOptionPolicy::Throw)
        ->required(option.required);
  }
  leaf.add_option("-o,--output", bound.format, "What is printed")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
  leaf.add_option("--data", bound.connection.data_dir, "Data directory of a server on this machine")
      ->capture_default_str()
      ->group("Connection");
  add_connection_options(leaf, bound.connection);
}

std::optional<int> RemoteCommands::run() {
  for (const auto& bound : bound_) {
    if (!bound->app->parsed()) continue;
    Connection connection = bound->connection;
    take_url_from_environment(*bound->app, connection);
    auto client = ApiClient::open(std::move(connection), !bound->command->token_optional);
    if (!client.ok()) return report(client.error());
    const Values values = bound->values();
    Run run{*bound->command, values, *client, parse_format(bound->format)};
    const auto code = execute(run);
    if (!code.ok()) return report(code.error());
    const base::Status written = write_output({});
    return written.ok() ? *code : report(written.error());
  }
  return std::nullopt;
}

}  // namespace funcgate::app::cli
