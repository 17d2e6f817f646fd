#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/command_tree.h"
#include "app/cli/output.h"
#include "app/cli/remote_commands.h"
#include "app/cli/routes_command.h"
#include "app/commands.h"
#include "app/local_commands.h"

namespace {

constexpr std::string_view kFooter = R"(First steps:
  funcgate serve --data ./data --listen 127.0.0.1:8089 --apply examples/hello
  curl -s http://127.0.0.1:8089/api/v1/func-api/hello/s?name=World
  funcgate apply -f my-resources --data ./data      (while the server runs; live when it returns)
  funcgate user list --data ./data                  (as the owner of the data directory)
  funcgate user list --url https://gate.example --token-file key

Exit codes: 0 done, 1 failed or different, 2 usage, 3 not found, 4 denied, 5 conflict, 6 unreachable,
            7 invalid document, 78 the server cannot start.)";

void add_data(CLI::App& command, funcgate::app::CommonOptions& common) {
  command.add_option("--data", common.data_dir, "Data directory: keystore, database, journal")->capture_default_str();
  command.add_option("--config", common.config_path, "Configuration file (TOML); see check-config --print")
      ->check(CLI::ExistingFile);
  command.add_option("--keystore-password-file", common.password_sources.command_line_file, "File with the keystore's password");
}

void add_resources(CLI::App& command, funcgate::app::CommonOptions& common, funcgate::app::ResourceOptions& options,
                   bool changes) {
  command.add_option("-f,--file", options.folder, "Folder (or one file) of resource documents")->required();
  command.add_option("-o,--output", common.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  if (!changes) return;
  add_data(command, common);
  command.add_flag("--prune", options.prune, "Remove what an earlier apply of this set created and the folder lacks");
  command.add_option("--set", options.set, "Name of the set for --prune")->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  using namespace funcgate::app;
  CommonOptions common;
  common.program = argv[0];
  // First of all: the password leaves the environment before anything could inherit it.
  funcgate::keystore::take_from_environment(common.password_sources);

  CLI::App app{"Funcgate publishes Python functions as HTTP APIs that only the right callers can reach.", "funcgate"};
  app.footer(std::string(kFooter));
  app.require_subcommand(1);
  ServeOptions serve_options;
  ResourceOptions resources;
  std::string export_folder;
  bool print = false;

  auto* serve_command = app.add_subcommand("serve", "Run the server");
  add_data(*serve_command, common);
  serve_command->add_option("--listen", serve_options.listen, "HOST:PORT; port 0 takes a free one [127.0.0.1:8089]");
  serve_command->add_option("--apply", serve_options.apply, "Apply this folder before serving; may be repeated");
  auto* apply_command = app.add_subcommand("apply", "Make resources as the documents say; live at once if a server runs");
  add_resources(*apply_command, common, resources, true);
  apply_command->add_flag("--dry-run", resources.dry_run, "Only tell what would change");
  auto* diff_command = app.add_subcommand("diff", "Tell what apply would change; exit 1 if anything");
  add_resources(*diff_command, common, resources, true);
  auto* validate_command = app.add_subcommand("validate", "Check documents without a server");
  add_resources(*validate_command, common, resources, false);
  auto* export_command = app.add_subcommand("export", "Write the resources as documents; secrets are left out");
  add_data(*export_command, common);
  export_command->add_option("-o,--output", export_folder, "Folder to write to")->required();
  auto* check_command = app.add_subcommand("check-config", "Check a configuration file, or print every key with its default");
  check_command->add_option("--config", common.config_path, "File to check")->check(CLI::ExistingFile);
  check_command->add_flag("--print", print, "Print every key, its default and its meaning");
  std::string login, password_file;
  auto* init_command = app.add_subcommand("init", "Make the data directory and its first administrator, without a server");
  add_data(*init_command, common);
  init_command->add_option("--admin-login", login, "Login of the administrator")->required();
  init_command->add_option("--admin-password-file", password_file, "File with the password")
      ->required()
      ->check(CLI::ExistingFile);
  auto* setup_command = app.add_subcommand("setup-token", "Make another set-up token, while there is no administrator");
  add_data(*setup_command, common);
  auto* recover_command =
      app.add_subcommand("recover-admin", "Make somebody an administrator with a one-time password, without a server");
  add_data(*recover_command, common);
  recover_command->add_option("--login", login, "Login, of a user who exists or of a new one")->required();
  auto* version_command = app.add_subcommand("version", "Print the version");
  for (CLI::App* command : {apply_command, diff_command, export_command}) cli::add_connection_options(*command, common.connection);
  LocalCommands local(common);
  local.add_to(app);
  cli::RemoteCommands remote;
  remote.add_to(app);
  std::string shell;
  auto* completion_command = app.add_subcommand("completion", "Print a completion script: source <(funcgate completion bash)");
  completion_command->add_option("SHELL", shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  // For the tests of the documents, not for people: in no help.
  auto* routes_command = app.add_subcommand("routes", "Print the table of the management API as JSON")->group("");
  auto* tree_command = app.add_subcommand("commands", "Print all commands as JSON")->group("");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  }
  for (CLI::App* command : {apply_command, diff_command, export_command}) {
    if (*command) cli::take_url_from_environment(*command, common.connection);
  }
  if (const auto code = local.run()) return *code;
  if (const auto code = remote.run()) return *code;
  if (*completion_command) fmt::print("{}", cli::completion_script(app, shell));
  if (*routes_command) cli::print(cli::Format::Json, cli::describe_routes());
  if (*tree_command) cli::print(cli::Format::Json, cli::describe_commands(app));
  if (*serve_command) return serve(common, serve_options);
  if (*apply_command) return apply(common, resources);
  if (*diff_command) return diff(common, resources);
  if (*validate_command) return validate(common, resources);
  if (*export_command) return export_resources(common, export_folder);
  if (*check_command) return check_config(common, print);
  if (*init_command) return init(common, login, password_file);
  if (*setup_command) return setup_token(common);
  if (*recover_command) return recover_administrator(common, login);
  if (*version_command) fmt::print("funcgate {}\n", FUNCGATE_VERSION);
  return 0;
}
