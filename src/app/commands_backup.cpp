// `funcgate backup FILE`: everything of an instance that cannot be made again, in one file, also while the server runs.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "app/backup_text.h"
#include "app/commands.h"
#include "app/data_directory.h"
#include "app/long_work.h"
#include "app/rename_new.h"
#include "app/work_folder.h"
#include "backup/pack.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/seal.h"
#include "keystore/private_file.h"
#include "store/stored_database.h"

namespace funcgate::app {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr int kUsage = 2;
constexpr std::size_t kKeystoreBytesMax = 16 << 20;

// device and inode: tells whether a file was replaced.
using FileIdentity = std::pair<dev_t, ino_t>;
FileIdentity identity_of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? FileIdentity{info.st_dev, info.st_ino} : FileIdentity{};
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

class BackupRun {
 public:
  BackupRun(const CommonOptions& common, const BackupOptions& options, const Config& config)
      : data_(without_slash(common.data_dir)), options_(options), config_(config) {}

  Result<backup::Manifest> run() {
    TRY(work_, WorkFolder::open(options_.file + ".partial"));
    const FileIdentity before = identity_of(data_ + "/funcgate.db");
    // Twice: a task that ends after the first round would take its files with it, one that comes after it has none there yet.
    TRY(const auto known, store::unfinished_tasks(data_ + "/funcgate.db"));
    TRY_DONE(copy_task_files(known));
    // The configuration first: the journal may know more than it, never less.
    TRY_DONE(copy_database(std::string(backup::kConfigurationName), store::sqlite_migrations()));
    TRY_DONE(complete_tasks());
    TRY_DONE(copy_database(std::string(backup::kJournalName), store::sqlite_journal_migrations()));
    TRY_DONE(copy_folder("resources"));
    TRY_DONE(copy_secrets());
    TRY_DONE(describe());
    if (before != identity_of(data_ + "/funcgate.db"))
      return Error{Code::Unavailable, "the data directory was replaced while it was copied: repeat the backup", {}};
    TRY_DONE(check_whole(data_));
    TRY_DONE(write());
    return manifest_;
  }

 private:
  backup::Step step() {
    return [this](std::string_view, std::uint64_t bytes) { return progress_.advance(bytes); };
  }

  std::string staged(const std::string& name) const { return *work_ / name; }

  void keep(backup::Member member) {
    const std::string name = member.name;
    paths_[name] = staged(name);
    members_[name] = std::move(member);
  }

  Status copy_database(const std::string& name, std::span<const store::Migration> migrations) {
    const std::string from = data_ + "/" + name, to = staged(name);
    // Before anything long: a database of a newer release is none of ours.
    TRY(const store::SchemaState schema, store::schema_state(from, migrations));
    manifest_.schemas[name] = schema.version;
    if (schema.version == 0) return Error{Code::FailedPrecondition, from + " is no database of Funcgate", {}};
    base::FileDescriptor file(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return Error{Code::Unavailable, fmt::format("cannot create {}: {}", to, base::errno_text(errno)), {}};
    file.reset();
    std::error_code error;
    const std::uint64_t total = fs::file_size(from, error);
    progress_.begin("copying " + name, error ? 0 : total);
    TRY_DONE(store::copy_database(from, to, [&] {
      const std::uint64_t size = fs::file_size(to, error);
      return progress_.reach(error ? 0 : size);
    }));
    // A backup that cannot be restored is worse than none: nobody looks for another.
    progress_.begin("checking " + name, 0);
    TRY_DONE(store::check_integrity(to, [this] { return progress_.go_on(); }));
    progress_.begin("measuring " + name, fs::file_size(to, error));
    TRY(backup::Member member, backup::measure(name, to, step()));
    keep(std::move(member));
    return base::kDone;
  }

  // Every plain file below DATA/`top`, which may be absent. If something goes while it is read, all is looked at again: a folder
  // that was given another name must not be missed under both.
  Status copy_folder(const std::string& top) {
    constexpr int kRounds = 5;
    for (int round = 0; round < kRounds; ++round) {
      TRY(const bool is_whole, copy_what_is_there(top));
      if (is_whole) return base::kDone;
    }
    return Error{
        Code::Unavailable,
        fmt::format("files or folders below {}/{} come and go all the time: repeat the backup when they rest", data_, top),
        {}};
  }

  // False: an entry went before it could be read.
  Result<bool> copy_what_is_there(const std::string& top) {
    bool is_whole = true;
    std::vector<std::string> folders{top};
    while (!folders.empty()) {
      const std::string folder = std::move(folders.back());
      folders.pop_back();
      std::error_code error;
      fs::directory_iterator entry(data_ + "/" + folder, error);
      for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        const std::string name = folder + "/" + entry->path().filename().string();
        std::error_code unknown;
        if (entry->symlink_status(unknown).type() == fs::file_type::directory) {
          folders.push_back(name);
        } else {
          TRY(const bool is_there, copy_file(name));
          is_whole = is_whole && is_there;
        }
      }
      const bool has_gone = error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
      if (error && !has_gone)
        return Error{Code::Unavailable, fmt::format("cannot read {}/{}: {}", data_, folder, error.message()), {}};
      is_whole = is_whole && (!has_gone || folder == top);
    }
    return is_whole;
  }

  // False: it has gone.
  Result<bool> copy_file(const std::string& name) {
    if (!backup::is_member_name(name)) {
      left_out(name, "its name cannot be stored");
      return true;
    }
    if (members_.contains(name)) return true;
    TRY_DONE(base::make_folder(fs::path(staged(name)).parent_path().string(), 0700));
    auto copied = backup::copy_and_measure(name, data_ + "/" + name, staged(name), step());
    if (copied.ok()) {
      keep(std::move(*copied));
    } else if (copied.error().code == Code::FailedPrecondition) {
      left_out(name, "it is no regular file; put the file itself there");
    } else if (copied.error().code != Code::NotFound) {
      return std::move(copied).error();
    }
    return copied.ok() || copied.error().code != Code::NotFound;
  }

  void left_out(const std::string& name, std::string_view why) {
    std::string sentence = fmt::format("{} was left out: {}", base::printable(name), why);
    if (std::ranges::find(manifest_.left_out, sentence) == manifest_.left_out.end())
      manifest_.left_out.push_back(std::move(sentence));
  }

  Status copy_task_files(const std::vector<store::UnfinishedTask>& tasks) {
    progress_.begin("copying files of tasks", 0);
    for (const store::UnfinishedTask& task : tasks) {
      if (!task.folder.empty() && backup::is_member_name(call_folder(task) + "/x")) TRY_DONE(copy_folder(call_folder(task)));
    }
    return base::kDone;
  }

  static std::string call_folder(const store::UnfinishedTask& task) { return std::string(backup::kCallPrefix) + task.id; }

  // The files of exactly those tasks that the copied database calls unfinished.
  Status complete_tasks() {
    TRY(const auto tasks, store::unfinished_tasks(staged(std::string(backup::kConfigurationName))));
    manifest_.unfinished_tasks = static_cast<std::int64_t>(tasks.size());
    TRY_DONE(copy_task_files(tasks));
    std::map<std::string, bool> has_files;
    for (const store::UnfinishedTask& task : tasks) {
      if (!task.folder.empty()) has_files[task.id] = false;
    }
    std::erase_if(members_, [&](const auto& entry) {
      if (!entry.first.starts_with(backup::kCallPrefix)) return false;
      const std::string_view rest = std::string_view(entry.first).substr(backup::kCallPrefix.size());
      const auto task = has_files.find(std::string(rest.substr(0, rest.find('/'))));
      if (task == has_files.end()) return true;
      task->second = true;
      return false;
    });
    for (const auto& [id, found] : has_files) {
      if (!found) left_out(std::string(backup::kCallPrefix) + id, "the task ended while the backup was made");
    }
    return base::kDone;
  }

  // The times at which retired signing secrets end are no secret; without them a revoked one would serve on. A rotation writes
  // the time first and then the keystore. Read the other way round, every secret that the copy calls retired has its time in the
  // copy.
  Status copy_secrets() {
    if (options_.with_keystore) TRY_DONE(copy_keystore());
    TRY_DONE(copy_file(std::string(backup::kOverlapsName)));
    return base::kDone;
  }

  Status copy_keystore() {
    const std::string path = config_.keystore_path.empty() ? data_ + "/keystore.p12" : config_.keystore_path;
    TRY(std::string content, keystore::read_private_file(path, "keystore", kKeystoreBytesMax));
    const std::string name(backup::kKeystoreName);
    TRY_DONE(base::write_file_durably(staged(name), content, 0600));
    TRY(backup::Member member, backup::measure(name, staged(name), {}));
    keep(std::move(member));
    return base::kDone;
  }

  Status describe() {
    TRY(const store::KeyUse use, store::key_use(staged(std::string(backup::kConfigurationName)), [](std::string_view text) {
          return crypto::sealed_kid(text).value_or(std::string());
        }));
    manifest_.sealing = use.sealing;
    manifest_.peppers = use.peppers;
    manifest_.signing = use.signing;
    manifest_.product_version = FUNCGATE_VERSION;
    manifest_.created_ms = base::SystemClock().wall_ms();
    for (auto& [name, member] : members_) manifest_.members.push_back(std::move(member));
    return base::kDone;
  }

  Status write() {
    const std::string made = *work_ / "archive.tar";
    const base::FileDescriptor file(::open(made.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return Error{Code::Unavailable, fmt::format("cannot create {}: {}", made, base::errno_text(errno)), {}};
    progress_.begin("writing " + options_.file, static_cast<std::uint64_t>(manifest_.bytes()));
    TRY_DONE(backup::pack(file.get(), manifest_, paths_, step()));
    if (::fsync(file.get()) != 0)
      return Error{Code::Unavailable, fmt::format("cannot write {}: {}", made, base::errno_text(errno)), {}};
    // Without --force what came there meanwhile is left alone, too.
    int number = 0;
    if (!options_.force) {
      number = rename_new(made, options_.file);
    } else if (::rename(made.c_str(), options_.file.c_str()) != 0) {
      number = errno;
    }
    if (number != 0)
      return Error{number == EEXIST ? Code::Conflict : Code::Unavailable,
                   fmt::format("cannot rename {} to {}: {}", made, options_.file, base::errno_text(number)),
                   {}};
    const std::string parent = fs::path(options_.file).parent_path().string();
    const base::FileDescriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::fsync(folder.get()) != 0)
      return Error{
          Code::Unavailable, fmt::format("cannot sync the folder of {}: {}", options_.file, base::errno_text(errno)), {}};
    return base::kDone;
  }

  const std::string data_;
  const BackupOptions& options_;
  const Config& config_;
  LongWork progress_;
  std::unique_ptr<WorkFolder> work_;
  backup::Manifest manifest_;
  std::map<std::string, backup::Member> members_;
  std::map<std::string, std::string> paths_;
};

// Empty if the backup may be written there; otherwise the problem, and whether it is one of the command line.
struct PlaceProblem {
  std::string text;
  int exit_code = 0;
};
PlaceProblem check_place(const std::string& data, const BackupOptions& options) {
  std::error_code error;
  const fs::path file = fs::weakly_canonical(fs::absolute(options.file, error), error);
  if (options.file == "-" || file.filename().empty() || fs::is_directory(file, error))
    return {options.file + " is not the name of a file. A backup is a file, for example funcgate.tar", kUsage};
  const fs::path folder = fs::weakly_canonical(data, error);
  const fs::path relative = file.lexically_relative(folder);
  if (!relative.empty() && *relative.begin() != "..")
    return {fmt::format("{} is in the data directory: what damages the one would damage the other. Choose another place",
                        options.file),
            kUsage};
  if (!options.force && fs::exists(fs::symlink_status(file, error)))
    return {options.file + " exists. Choose another name, or replace it with --force", 5};
  if (!fs::is_directory(file.parent_path(), error))
    return {fmt::format("there is no folder {}. Make it first, readable by you alone: mkdir -m 700 {}",
                        file.parent_path().string(), file.parent_path().string()),
            3};
  return {};
}

void print_result(const CommonOptions& common, const BackupOptions& options, const backup::Manifest& manifest) {
  if (!is_for_people(common)) return print_document(common, backup_document(manifest, options.file));
  for (const std::string& sentence : manifest.left_out) fmt::print(stderr, "warning: {}\n", sentence);
  fmt::print("{}: {}, {}\n", options.file, content_text(manifest), byte_text(static_cast<std::uint64_t>(manifest.bytes())));
  if (manifest.unfinished_tasks > 0)
    fmt::print("{} tasks are waiting or running: they run when it is restored\n", manifest.unfinished_tasks);
  if (manifest.find(backup::kKeystoreName) != nullptr) {
    fmt::print(
        "The keystore is in it: whoever has this file and the keystore's password has every secret. The password is not "
        "in it: keep it elsewhere\n");
    return;
  }
  fmt::print("The keystore is not in it: keep keystore.p12 and its password elsewhere, they are needed with it\n");
  for (const std::string& line : key_lines(manifest)) fmt::print("  {}\n", line);
}

}  // namespace

int backup(const CommonOptions& common, const BackupOptions& options) {
  base::log::configure(base::log::Level::Error, "-");
  const auto config = load_config(common.config_path);
  if (!config.ok()) return fail_on_files(config.error());
  // First: between two states the database may be missing.
  for (const Status& there : {check_whole(common.data_dir), check_has_database(common.data_dir)}) {
    if (!there.ok()) return fail_on_files(there.error());
  }
  if (const PlaceProblem problem = check_place(common.data_dir, options); problem.exit_code != 0) {
    fmt::print(stderr, "funcgate: {}\n", problem.text);
    return problem.exit_code;
  }
  // Its end wipes the line of progress, before anything else is printed.
  const auto made = [&] { return BackupRun(common, options, *config).run(); }();
  if (!made.ok()) return fail_on_files(made.error());
  print_result(common, options, *made);
  return 0;
}

}  // namespace funcgate::app
