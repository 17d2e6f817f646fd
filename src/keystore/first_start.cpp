#include "keystore/first_start.h"

#include <fmt/format.h>

#include <filesystem>

#include "keystore/private_file.h"

namespace funcgate::keystore {

using base::Code;
using base::Error;
using base::Result;

namespace {

Error lost(const std::string& path) {
  const std::string backup = path + ".bak";
  const std::string remedy = exists(backup) ? fmt::format("Restore it: {} holds the previous one.", backup)
                                            : std::string("Restore it from a backup, or correct keystore.path.");
  return Error{
      Code::NotFound, fmt::format("The keystore {} is missing, but this instance has data that needs it. {}", path, remedy), {}};
}

// The password is written before the keystore: a start that is killed in between finds it again and goes on.
Result<FoundPassword> password_of(const StartOptions& options, bool may_generate, base::Random& random, bool* generated) {
  auto found = find_password(options.sources);
  if (found.ok() || found.error().code != Code::NotFound || !may_generate) return found;
  // NotFound also says that a named file is missing: that is a mistake to correct, not a wish for a random password.
  const PasswordSources& sources = options.sources;
  if (!sources.command_line_file.empty() || !sources.environment_file.empty() || !sources.configured_file.empty()) return found;
  *generated = true;
  return generate_password(options.data_dir, random);
}

}  // namespace

Result<StartedKeystore> start_keystore(StartOptions options, const base::Clock& clock, base::Random& random) {
  if (options.path.empty()) options.path = (std::filesystem::path(options.data_dir) / "keystore.p12").string();
  options.sources.data_dir = options.data_dir;
  const bool present = exists(options.path);
  if (!present && (!options.first_start || exists(options.path + ".bak"))) return lost(options.path);

  StartedKeystore started;
  TRY(FoundPassword found, password_of(options, !present, random, &started.password_generated));
  const KeystoreOptions keystore{options.path, options.aliases};
  if (present) {
    TRY(started.keystore, Keystore::open(keystore, found.password, clock, random));
  } else {
    TRY_DONE(check_new_password(found.password, found.source));
    TRY(started.keystore, Keystore::create(keystore, found.password, clock, random));
    started.created = true;
  }
  started.password_beside_keystore = found.beside_keystore;
  if (found.beside_keystore) started.warnings.push_back(beside_keystore_warning(found));
  const auto content = started.keystore->content();
  for (const Purpose purpose : kPurposes) {
    const auto secret = content->usable(purpose);
    if (!secret.ok()) started.warnings.push_back(secret.error().message);
  }
  return started;
}

}  // namespace funcgate::keystore
