#include "app/local_commands.h"

#include <limits>

#include "app/cli/remote_commands.h"

namespace funcgate::app {

CLI::App& LocalCommands::add(CLI::App& parent, std::string word, std::string help, std::function<int()> work) {
  CLI::App& command = *parent.add_subcommand(std::move(word), std::move(help));
  command.add_option("--data", common_.data_dir, "Data directory")->capture_default_str();
  command.add_option("--config", common_.config_path, "Configuration file (TOML)")->check(CLI::ExistingFile);
  command.add_option("--keystore-password-file", common_.password_sources.command_line_file, "File with the keystore's password");
  commands_.emplace_back(&command, std::move(work));
  return command;
}

void LocalCommands::add_output(CLI::App& command) {
  command.add_option("-o,--output", common_.output, "What is printed")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
}

void LocalCommands::add_keystore(CLI::App& app) {
  CLI::App& group =
      *app.add_subcommand("keystore", "The server's secrets: live at once if a server runs; values are never printed");
  group.require_subcommand(1);
  group.footer(
      "Examples:\n"
      "  funcgate keystore list --data ./data\n"
      "  funcgate keystore set phixflow-api-key --generate --data ./data\n"
      "  funcgate keystore rotate phixflow-api-key --overlap 30d --data ./data");
  add(group, "create", "Make a keystore with new secrets where there is none", [this] { return keystore_create(common_); });
  add_output(add(group, "list", "Aliases, sizes, kids and states", [this] { return keystore_list(common_); }));
  add_output(add(group, "check", "Whether every secret can be used; exit 1 if not", [this] { return keystore_check(common_); }));
  CLI::App& set = add(group, "set", "Set the value of an alias, from standard input unless told otherwise",
                      [this] { return keystore_set(common_, set_); });
  set.add_option("ALIAS", set_.alias, "New or not; ASCII case does not matter")->required();
  CLI::Option* generate = set.add_flag("--generate", set_.generate, "43 random characters");
  set.add_option("--from-file", set_.from_file, "File with the value; one line end is cut")
      ->check(CLI::ExistingFile)
      ->excludes(generate);
  add(group, "delete", "Remove an alias", [this] { return keystore_delete(common_, alias_); })
      .add_option("ALIAS", alias_, "What to remove")
      ->required();
  CLI::App& rotate = add(group, "rotate", "Put a new secret in place; what was made with the old one goes on working",
                         [this] { return keystore_rotate(common_, alias_, overlap_); });
  rotate.add_option("ALIAS", alias_, "pepperKey, phixflow-api-key or funcgate-sealing-key, or their names in [keystore.aliases]")
      ->required();
  rotate.add_option("--overlap", overlap_, "How long old API keys stay good: 12h, 30d [keys.rotation_overlap_hours]");
  add(group, "passwd", "Protect the keystore with another password, from standard input unless told otherwise",
      [this] { return keystore_passwd(common_, from_file_); })
      .add_option("--from-file", from_file_, "File with the new password")
      ->check(CLI::ExistingFile);
  add(group, "reload", "Let the running server read the file again", [this] { return keystore_reload(common_); });
}

void LocalCommands::add_audit(CLI::App& app) {
  CLI::App& group = *app.add_subcommand("audit", "The record of who did what");
  group.require_subcommand(1);
  CLI::App& verify =
      add(group, "verify",
          "Whether the records are what was written, by the files or by --url: exit 0 intact, 1 damaged, 2 cannot read", {});
  commands_.back().second = [this, &verify] {
    cli::take_url_from_environment(verify, common_.connection);
    return audit_verify(common_, verify_);
  };
  cli::add_connection_options(verify, common_.connection);
  verify.add_option("--from", verify_.from, "First sequence number to look at")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()));
  verify.add_option("--checkpoint", verify_.checkpoint, "File with signed checkpoints, a line each; all must be in the chain")
      ->check(CLI::ExistingFile);
  CLI::Option* stream =
      verify.add_option("--stream", verify_.stream, "admin or calls; both if left out")->check(CLI::IsMember({"admin", "calls"}));
  verify.add_option("--file", verify_.file, "An export of the admin stream (NDJSON) instead of the data directory")
      ->check(CLI::ExistingFile)
      ->excludes(stream);
  add_output(verify);
}

void LocalCommands::add_backups(CLI::App& app) {
  const auto make = [&](std::string word, std::string help, std::function<int()> work) -> CLI::App& {
    CLI::App& command = *app.add_subcommand(std::move(word), std::move(help));
    command.add_option("--data", common_.data_dir, "Data directory")->capture_default_str();
    add_output(command);
    commands_.emplace_back(&command, std::move(work));
    return command;
  };
  CLI::App& saving = make("backup", "Write the databases and files of an instance to one file, also while its server runs",
                          [this] { return backup(common_, backup_); });
  saving.add_option("FILE", backup_.file, "File to write, readable by you alone; it must not exist")->required();
  saving.add_flag("--force", backup_.force, "Replace FILE if it exists; it stays as it was until the new one is whole");
  saving.add_flag("--with-keystore", backup_.with_keystore, "Put the keystore into it, too; never its password");
  saving.add_option("--config", common_.config_path, "Configuration file (TOML), which may name the keystore")
      ->check(CLI::ExistingFile);
  saving.footer(
      "The file is a tar archive whose manifest.json tells what is in it, with checksums. Without the keystore it opens no\n"
      "sealed secret; keep keystore.p12 and its password in two other places. Calls and changes go on meanwhile. Until the end\n"
      "FILE.partial needs as much space again.\n\n"
      "Examples:\n"
      "  funcgate backup /backup/funcgate-$(date +%F).tar --data /var/lib/funcgate\n"
      "  funcgate backup monday.tar --force -o json --data ./data");
  CLI::App& bringing = make("restore", "Make a data directory from a backup, all or nothing; no server may run there",
                            [this] { return restore(common_, restore_); });
  bringing.add_option("FILE", restore_.file, "A file that funcgate backup has written")->required();
  bringing.add_flag("--force", restore_.force,
                    "If the directory is not empty, move its content to DIR.before-restore-TIME and keep its keystore");
  bringing.footer(
      "Checksums and databases are checked first; a damaged file changes nothing. Tasks that were waiting or running when the\n"
      "backup was made run again, and what was revoked since is valid again: look before the server starts.\n\n"
      "Examples:\n"
      "  funcgate restore funcgate-2026-11-22.tar --data ./data            (DIR is empty or does not exist)\n"
      "  funcgate restore funcgate-2026-11-22.tar --data ./data --force    (what is there is moved aside)");
  CLI::App& migrating = make("migrate", "Bring the databases to the schema of this release; serve does it, too, when it starts",
                             [this] { return migrate(common_, dry_run_); });
  migrating.add_flag("--dry-run", dry_run_, "Only tell what is missing; a server may run");
  migrating.footer(
      "There is no way back but a backup.\n\n"
      "Examples:\n"
      "  funcgate migrate --dry-run --data ./data\n"
      "  funcgate backup before-upgrade.tar --data ./data && funcgate migrate --data ./data");
}

void LocalCommands::add_to(CLI::App& app) {
  add_keystore(app);
  add_audit(app);
  add_backups(app);
}

std::optional<int> LocalCommands::run() {
  for (const auto& [command, work] : commands_) {
    if (*command) return work();
  }
  return std::nullopt;
}

}  // namespace funcgate::app
