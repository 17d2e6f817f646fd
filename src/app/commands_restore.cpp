// `funcgate restore FILE`: makes a data directory from a backup. Everything is checked beside the directory; only then does it
// change, as a whole.
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "app/backup_text.h"
#include "app/commands.h"
#include "app/data_directory.h"
#include "app/long_work.h"
#include "app/overlap_ends.h"
#include "app/replaced_directory.h"
#include "app/work_folder.h"
#include "backup/unpack.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/stored_database.h"

namespace funcgate::app {
namespace {

namespace fs = std::filesystem;
namespace json = base::json;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

struct Database {
  std::string name;
  std::span<const store::Migration> migrations;
};
std::vector<Database> databases() {
  return {{std::string(backup::kConfigurationName), store::sqlite_migrations()},
          {std::string(backup::kJournalName), store::sqlite_journal_migrations()}};
}

// "20261122T104500Z"
std::string time_in_a_name(base::WallMs now_ms) {
  std::string text = base::format_rfc3339(now_ms).substr(0, std::string_view("2026-11-22T10:45:00").size());
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text + "Z";
}

// What a backup has only if it was made with the keystore, or in an older state than the directory. The first three belong
// together.
constexpr std::array<std::string_view, 4> kKeystoreFiles = {"keystore.p12", "keystore.p12.bak", "keystore-password",
                                                            backup::kOverlapsName};

// The lock of a directory. `passing`: its file goes with this object, so that an empty directory is empty again after a refusal.
class PlaceLock {
 public:
  PlaceLock(std::string path, bool passing, base::FileDescriptor lock)
      : path_(std::move(path)), passing_(passing), lock_(std::move(lock)) {}
  ~PlaceLock() {
    if (passing_) remove_lock(path_, lock_);
  }
  PlaceLock(const PlaceLock&) = delete;
  PlaceLock& operator=(const PlaceLock&) = delete;

 private:
  const std::string path_;
  const bool passing_;
  const base::FileDescriptor lock_;
};

// What came of it.
struct Restored {
  backup::Manifest manifest;
  std::string path, aside;  // aside: empty if nothing was there
  bool keystore_kept = false, has_keystore = false, ends_lost = false;
};

class RestoreRun {
 public:
  RestoreRun(const CommonOptions& common, const RestoreOptions& options) : common_(common), options_(options) {}

  Result<Restored> run() {
    const std::string time = time_in_a_name(base::SystemClock().wall_ms());
    TRY(ReplacedDirectory place, ReplacedDirectory::look(common_.data_dir, time));
    TRY_DONE(check_place(place));
    std::optional<PlaceLock> lock;
    // An empty one, too: a server could begin to live in it while the backup is read.
    if (place.exists()) {
      const bool passing = place.is_empty() && !fs::exists(place.path() + "/lock");
      TRY(base::FileDescriptor descriptor, lock_place(place));
      lock.emplace(place.path(), passing, std::move(descriptor));
      TRY(place, ReplacedDirectory::look(common_.data_dir, time));
      if (!place.is_empty() && !options_.force) return not_empty(place);
    }
    TRY(const auto work, WorkFolder::open(place.work_path()));
    const std::string content = *work / "content";
    TRY_DONE(base::make_folder(content, 0700));
    progress_.begin("reading " + options_.file, file_bytes());
    TRY(manifest_, backup::unpack(
                       options_.file, content, [](const backup::Manifest& manifest) { return check_schemas(manifest); },
                       [this](std::string_view, std::uint64_t bytes) { return progress_.advance(bytes); }));
    TRY_DONE(check_databases(content));
    TRY_DONE(store::move_task_folders(content + "/" + std::string(backup::kConfigurationName), place.path() + "/run/calls"));
    TRY_DONE(keep_keystore(place, content));
    if (progress_.interrupted()) return Error{Code::Cancelled, "interrupted; nothing was changed", {}};
    TRY_DONE(place.put(content, kKeystoreFiles));
    return Restored{std::move(manifest_),
                    place.path(),
                    place.is_empty() ? std::string() : place.aside_path(),
                    keystore_kept_,
                    fs::exists(place.path() + "/keystore.p12"),
                    ends_lost_};
  }

 private:
  Status check_place(const ReplacedDirectory& place) const {
    if (!place.exists()) return base::kDone;
    TRY_DONE(check_own(place.path()));
    if (place.is_empty() || options_.force) return base::kDone;
    // That a server runs there is worth more than that something lies there.
    if (fs::exists(place.path() + "/lock")) TRY_DONE(lock_place(place));
    return not_empty(place);
  }

  static Error not_empty(const ReplacedDirectory& place) {
    return Error{Code::Conflict,
                 fmt::format("{} is not empty. With --force its content is moved to {}, and its keystore stays if the backup has "
                             "none; or restore into another directory",
                             place.path(), place.aside_path()),
                 {}};
  }

  static Result<base::FileDescriptor> lock_place(const ReplacedDirectory& place) {
    auto lock = lock_data_directory_for_restore(place.path());
    if (!lock.ok() && lock.error().code == Code::Conflict)
      return Error{Code::Conflict, lock.error().message + ": stop it first, or restore into another directory", {}};
    return lock;
  }

  // As the archive says; the databases themselves are asked later.
  static Status check_schemas(const backup::Manifest& manifest) {
    for (const Database& database : databases()) {
      const auto schema = manifest.schemas.find(database.name);
      if (schema == manifest.schemas.end() || schema->second <= static_cast<int>(database.migrations.size())) continue;
      return Error{
          Code::FailedPrecondition,
          fmt::format("the backup was made by a newer release ({}): its {} has schema version {}, this release ({}) knows "
                      "versions up to {}. Restore it with that release, or a newer one",
                      manifest.product_version, database.name, schema->second, FUNCGATE_VERSION, database.migrations.size()),
          {}};
    }
    return base::kDone;
  }

  Status check_databases(const std::string& content) {
    for (const Database& database : databases()) {
      const std::string path = content + "/" + database.name;
      progress_.begin("checking " + database.name, 0);
      TRY_DONE(in_backup(store::check_integrity(path, [this] { return progress_.go_on(); }), database.name));
      const auto schema = store::schema_state(path, database.migrations);
      if (!schema.ok()) return in_backup(schema.error(), database.name);
      if (schema->version != manifest_.schemas[database.name])
        return Error{Code::InvalidArgument,
                     fmt::format("{} cannot be restored: its {} is not what its manifest says. Nothing was changed",
                                 options_.file, database.name),
                     {}};
    }
    return base::kDone;
  }

  // The path of the work folder would tell nobody anything.
  Status in_backup(Status status, const std::string& name) const {
    if (status.ok() || status.error().code == Code::Cancelled) return status;
    const Code code = status.error().code == Code::DataLoss ? Code::InvalidArgument : status.error().code;
    return Error{
        code, fmt::format("{} cannot be restored: its {}: {}. Nothing was changed", options_.file, name, status.error().message),
        status.error().detail};
  }

  // Secrets are not in the backup, those of the directory are the ones it was made with, or newer. The keystore itself may lie
  // elsewhere (keystore.path): its password and its times stand here all the same.
  Status keep_keystore(const ReplacedDirectory& place, const std::string& content) {
    constexpr std::size_t kBytesMax = 16 << 20;
    if (manifest_.find(backup::kKeystoreName) != nullptr) return base::kDone;
    for (const std::string_view file : kKeystoreFiles) {
      const std::string name(file);
      if (!place.has(name) || name == backup::kOverlapsName) continue;
      TRY(std::string bytes, base::read_file(place.path() + "/" + name, kBytesMax));
      const Status written = base::write_file_durably(content + "/" + name, bytes, 0600);
      base::wipe(bytes);
      TRY_DONE(written);
    }
    keystore_kept_ = place.has("keystore.p12");
    return merge_ends(place, content);
  }

  // The directory may be newer than the backup, or hold nothing but the fresh list of an instance that has just been made:
  // neither list alone may decide, since a secret that one of them ended would serve again. Where one of them cannot be read,
  // secrets that the other does not name serve no more.
  Status merge_ends(const ReplacedDirectory& place, const std::string& content) {
    const std::string name(backup::kOverlapsName);
    if (!place.has(name)) return base::kDone;
    OverlapEnds ends;
    for (const std::string& folder : {content, place.path()}) {
      const auto read = read_overlap_ends(folder + "/" + name);
      if (read.ok()) {
        ends = merged(ends, *read);
      } else if (read.error().code != Code::NotFound) {
        ends.others_over = true;
      }
    }
    ends_lost_ = ends.others_over;
    return base::write_file_durably(content + "/" + name, to_json(ends), 0600);
  }

  std::uint64_t file_bytes() const {
    std::error_code error;
    const std::uint64_t size = fs::file_size(options_.file, error);
    return error ? 0 : size;
  }

  const CommonOptions& common_;
  const RestoreOptions& options_;
  LongWork progress_;
  backup::Manifest manifest_;
  bool keystore_kept_ = false, ends_lost_ = false;
};

void print_keystore(const Restored& restored) {
  const std::vector<std::string> needed = key_lines(restored.manifest);
  if (restored.keystore_kept) {
    fmt::print("The keystore of the directory stays in place.");
  } else if (restored.has_keystore) {
    fmt::print("The keystore came with the backup; its password did not: give it to the server as before.");
  } else {
    fmt::print(
        "The backup has no keystore, and no server starts without it: put the instance's keystore.p12 into {} (mode 0600), "
        "or name it with keystore.path, and give its password as before.",
        restored.path);
  }
  fmt::print("{}\n", needed.empty() ? "" : " It must hold:");
  for (const std::string& line : needed) fmt::print("  {}\n", line);
  fmt::print("Then: funcgate keystore check --data {}\n", restored.path);
}

void print_restored(const CommonOptions& common, const RestoreOptions& options, const Restored& restored) {
  const backup::Manifest& manifest = restored.manifest;
  if (restored.ends_lost)
    fmt::print(stderr,
               "warning: a {} cannot be read: of signing secrets that were retired, those that the other one does not name are "
               "good no more\n",
               backup::kOverlapsName);
  if (!is_for_people(common)) {
    json::object document = backup_document(manifest, options.file);
    document["data"] = restored.path;
    document["movedAside"] = restored.aside.empty() ? json::value() : json::value(restored.aside);
    document["keystoreKept"] = restored.keystore_kept;
    document["keystoreNeeded"] = !restored.has_keystore;
    return print_document(common, document);
  }
  fmt::print("{} holds the backup of {}, made by funcgate {}: {}\n", restored.path, base::format_rfc3339(manifest.created_ms),
             manifest.product_version, content_text(manifest));
  for (const std::string& sentence : manifest.left_out) fmt::print(stderr, "warning: {} (when the backup was made)\n", sentence);
  if (!restored.aside.empty()) fmt::print("What was there before is in {}\n", restored.aside);
  if (manifest.unfinished_tasks > 0)
    fmt::print("{} tasks were waiting or running: they run when the server starts\n", manifest.unfinished_tasks);
  print_keystore(restored);
}

}  // namespace

int restore(const CommonOptions& common, const RestoreOptions& options) {
  base::log::configure(base::log::Level::Error, "-");
  // Its end wipes the line of progress, before anything else is printed.
  const auto restored = [&] { return RestoreRun(common, options).run(); }();
  if (!restored.ok()) return fail_on_files(restored.error());
  print_restored(common, options, *restored);
  return 0;
}

}  // namespace funcgate::app
