#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <functional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "app/bench/bench_command.h"
#include "app/cli/command_tree.h"
#include "app/cli/output.h"
#include "app/cli/remote_commands.h"
#include "app/cli/routes_command.h"
#include "app/commands.h"
#include "app/local_commands.h"
#include "service/apply/document_kinds.h"

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
  command.add_option("-o,--output", common.output, "What is printed")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
  if (!changes) return;
  add_data(command, common);
  command.add_flag("--prune", options.prune, "Remove what an earlier apply of this set created and the folder lacks");
  command.add_option("--set", options.set, "Name of the set for --prune")->capture_default_str();
}

// Where arguments are parsed into, and what each command does with them.
struct Program {
  funcgate::app::CommonOptions common;
  funcgate::app::ServeOptions serve;
  funcgate::app::ResourceOptions resources;
  funcgate::app::bench::BenchOptions bench;
  funcgate::app::ExportOptions exporting;
  std::string login, password_file, shell;
  bool print = false;
  std::vector<std::pair<CLI::App*, std::function<int()>>> commands;

  CLI::App& add(CLI::App& app, std::string word, std::string help, std::function<int()> work) {
    CLI::App* command = app.add_subcommand(std::move(word), std::move(help));
    commands.emplace_back(command, std::move(work));
    return *command;
  }
};

void add_server(CLI::App& app, Program& program) {
  using namespace funcgate::app;
  CommonOptions& common = program.common;
  CLI::App& serving = program.add(app, "serve", "Run the server", [&program] { return serve(program.common, program.serve); });
  add_data(serving, common);
  serving.add_option("--listen", program.serve.listen, "HOST:PORT; port 0 takes a free one [127.0.0.1:8089]");
  serving.add_option("--apply", program.serve.apply, "Apply this folder before serving; may be repeated");
  CLI::App& checking = program.add(app, "check-config", "Check a configuration file, or print every key with its default",
                                   [&program] { return check_config(program.common, program.print); });
  checking.add_option("--config", common.config_path, "File to check")->check(CLI::ExistingFile);
  checking.add_flag("--print", program.print, "Print every key, its default and its meaning");
  CLI::App& first = program.add(app, "init", "Make the data directory and its first administrator, without a server",
                                [&program] { return init(program.common, program.login, program.password_file); });
  add_data(first, common);
  first.add_option("--admin-login", program.login, "Login of the administrator")->required();
  first.add_option("--admin-password-file", program.password_file, "File with the password")
      ->required()
      ->check(CLI::ExistingFile);
  add_data(program.add(app, "setup-token", "Make another set-up token, while there is no administrator",
                       [&program] { return setup_token(program.common); }),
           common);
  CLI::App& recovering =
      program.add(app, "recover-admin", "Make somebody an administrator with a one-time password, without a server",
                  [&program] { return recover_administrator(program.common, program.login); });
  add_data(recovering, common);
  recovering.add_option("--login", program.login, "Login, of a user who exists or of a new one")->required();
  program.add(app, "version", "Print the version", [] {
    fmt::print("funcgate {}\n", FUNCGATE_VERSION);
    return 0;
  });
}

// Empty: documents have it.
std::string wrong_kind(const std::string& name) {
  const auto kind = funcgate::service::parse_document_kind(name);
  return kind.ok() ? std::string() : kind.error().message;
}

void add_documents(CLI::App& app, Program& program) {
  using namespace funcgate::app;
  CommonOptions& common = program.common;
  // A server on another machine may do it.
  const auto anywhere = [&](std::string word, std::string help, std::function<int()> work) -> CLI::App& {
    CLI::App* const command = &program.add(app, std::move(word), std::move(help), {});
    program.commands.back().second = [command, &program, work = std::move(work)] {
      cli::take_url_from_environment(*command, program.common.connection);
      return work();
    };
    cli::add_connection_options(*command, program.common.connection);
    return *command;
  };
  CLI::App& applying = anywhere("apply", "Make resources as the documents say; live at once if a server runs",
                                [&program] { return apply(program.common, program.resources); });
  add_resources(applying, common, program.resources, true);
  applying.add_flag("--dry-run", program.resources.dry_run, "Only tell what would change");
  add_resources(anywhere("diff", "Tell what apply would change; exit 1 if anything",
                         [&program] { return diff(program.common, program.resources); }),
                common, program.resources, true);
  add_resources(program.add(app, "validate", "Check documents without a server",
                            [&program] { return validate(program.common, program.resources); }),
                common, program.resources, false);
  CLI::App& exporting = anywhere("export", "Write the resources as documents; secrets are left out",
                                 [&program] { return export_resources(program.common, program.exporting); });
  add_data(exporting, common);
  exporting.add_option("-o,--output", program.exporting.folder, "Folder to write to")->required();
  exporting.add_option("--application", program.exporting.application, "Only this application and what is inside of it");
  exporting.add_option("-k,--kind", program.exporting.kinds, "Only documents of this kind; may be repeated")
      ->allow_extra_args(false)
      ->check(CLI::Validator(wrong_kind, fmt::format("{{{}}}", fmt::join(funcgate::service::document_kind_names(), ","))));
}

void add_bench(CLI::App& app, Program& program) {
  using namespace funcgate::app;
  bench::add_options(program.add(app, "bench", "Make a load on a published API and tell how it is answered",
                                 [&program] { return bench::run(program.bench); }),
                     program.bench);
}

// What the program tells of itself.
void add_descriptions(CLI::App& app, Program& program) {
  using namespace funcgate::app;
  CLI::App& completing =
      program.add(app, "completion", "Print a completion script: source <(funcgate completion bash)", [&app, &program] {
        fmt::print("{}", cli::completion_script(app, program.shell));
        return 0;
      });
  completing.add_option("SHELL", program.shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  // For the tests of the documents, not for people: in no help.
  program
      .add(app, "routes", "Print the table of the management API as JSON",
           [] {
             cli::print(cli::Format::Json, cli::describe_routes());
             return 0;
           })
      .group("");
  program
      .add(app, "commands", "Print all commands as JSON",
           [&app] {
             cli::print(cli::Format::Json, cli::describe_commands(app));
             return 0;
           })
      .group("");
}

void add_other_commands(CLI::App& app, Program& program, funcgate::app::LocalCommands& local,
                        funcgate::app::cli::RemoteCommands& remote) {
  add_documents(app, program);
  add_bench(app, program);
  local.add_to(app);
  remote.add_to(app);
  add_descriptions(app, program);
}

int run_command(const Program& program, funcgate::app::LocalCommands& local, funcgate::app::cli::RemoteCommands& remote) {
  if (const auto code = local.run()) return *code;
  if (const auto code = remote.run()) return *code;
  for (const auto& [command, work] : program.commands) {
    if (*command) return work();
  }
  return 0;
}

// Success is told only when what was printed has arrived.
int finished(int code) {
  const funcgate::base::Status written = funcgate::app::cli::write_output({});
  return code != 0 || written.ok() ? code : funcgate::app::fail(written.error());
}

// Whoever closed one of the three would have what is printed written into the first file that is opened: a database, say.
bool hold_standard_streams() {
  for (int file = STDIN_FILENO; file <= STDERR_FILENO; ++file) {
    if (::fcntl(file, F_GETFD) >= 0) continue;
    // The lowest free number is this one. Standard output is not opened for writing: success would be told that nobody hears.
    if (::open("/dev/null", file == STDERR_FILENO ? O_WRONLY : O_RDONLY) != file) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace funcgate::app;
  if (!hold_standard_streams()) return 1;
  Program program;
  program.common.program = argv[0];
  // First of all: the password leaves the environment before anything could inherit it.
  funcgate::keystore::take_from_environment(program.common.password_sources);

  CLI::App app{"Funcgate publishes Python functions as HTTP APIs that only the right callers can reach.", "funcgate"};
  app.require_subcommand(1);
  add_server(app, program);
  LocalCommands local(program.common);
  cli::RemoteCommands remote;
  // A server lives on for months with what is made here: half a megabyte for commands that it is not.
  if (argc < 2 || std::string_view(argv[1]) != "serve") add_other_commands(app, program, local, remote);
  // Last: commands inherit what stands here when they are made.
  app.footer(std::string(kFooter));

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? finished(0) : 2;
  }
  try {
    return finished(run_command(program, local, remote));
  } catch (const std::system_error& failure) {
    // So the library says that standard output takes no more.
    return fail({funcgate::base::Code::ResourceExhausted, std::string("cannot go on: ") + failure.what(), {}});
  }
}
