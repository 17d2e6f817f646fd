#include "keystore/keystore.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "crypto/seal.h"
#include "keystore/private_file.h"

namespace funcgate::keystore {

using base::Code;
using base::Error;
using base::kDone;
using base::Result;
using base::SecretString;
using base::Status;

namespace {

constexpr std::size_t kPasswordCharactersMin = 6;
constexpr std::size_t kPasswordBytesMax = 1024;
constexpr std::string_view kWhat = "keystore";

Status check_options(const KeystoreOptions& options) {
  if (options.path.empty()) return Error{Code::InvalidArgument, "keystore.path must not be empty.", {}};
  for (const Purpose purpose : kPurposes) {
    const std::string& alias = options.aliases.of(purpose);
    if (const std::string problem = alias_problem(purpose, alias); !problem.empty()) {
      return Error{
          Code::InvalidArgument, fmt::format("The alias \"{}\" in [keystore.aliases] {}.", base::printable(alias), problem), {}};
    }
  }
  if (const std::string* twice = repeated_alias(options.aliases)) {
    return Error{Code::InvalidArgument,
                 fmt::format("The aliases in [keystore.aliases] must differ; \"{}\" is there twice.", base::printable(*twice)),
                 {}};
  }
  return kDone;
}

// One secret must not serve two purposes, and nothing unfit may be stored under an alias of ours.
Status check_value(const Aliases& aliases, std::string_view alias, const SecretString& value) {
  for (const Purpose purpose : kPurposes) {
    if (!base::equals_ignore_case(alias, aliases.of(purpose))) continue;
    const PurposeRule& rule = rule_of(purpose);
    const SecretState state = judge(purpose, value);
    if (state == SecretState::Short) {
      return Error{
          Code::InvalidArgument,
          fmt::format("{} \"{}\" needs at least {} bytes; the value has {}.", rule.title, alias, rule.bytes_min, value.size()),
          {}};
    }
    if (state == SecretState::Weak) {
      return Error{Code::InvalidArgument,
                   fmt::format("{} \"{}\": the value is a known or trivial value. Use --generate instead.", rule.title, alias),
                   {}};
    }
  }
  return kDone;
}

// Readable again, with the same secrets? Asked before the old file is touched.
Status check_written(const Pkcs12File& file, const std::string& bytes, const SecretString& password, const std::string& path) {
  TRY(const Pkcs12File again, Pkcs12File::read(bytes, password, path));
  const auto before = file.secrets(), after = again.secrets();
  const bool same = std::equal(before.begin(), before.end(), after.begin(), after.end(), [](const auto& a, const auto& b) {
    return a.alias == b.alias && a.created_ms == b.created_ms && a.value == b.value;
  });
  if (same && file.other_aliases() == again.other_aliases()) return kDone;
  return Error{Code::Internal, fmt::format("The keystore {} was not written: the new content did not read back.", path), {}};
}

}  // namespace

Status check_new_password(const SecretString& password, std::string_view source) {
  const std::string_view text = password.reveal();
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
  if (text.size() >= kPasswordCharactersMin && text.size() <= kPasswordBytesMax && printable) return kDone;
  return Error{Code::InvalidArgument,
               fmt::format("The keystore password from {} must have {} to {} characters, all of them printable ASCII.", source,
                           kPasswordCharactersMin, kPasswordBytesMax),
               {}};
}

Keystore::Keystore(Opened, KeystoreOptions options, SecretString password, const base::Clock& clock, base::Random& random,
                   std::shared_ptr<const KeystoreContent> first)
    : options_(std::move(options)), clock_(clock), random_(random), password_(std::move(password)), content_(std::move(first)) {}

Result<std::unique_ptr<Keystore>> Keystore::open(KeystoreOptions options, SecretString password, const base::Clock& clock,
                                                 base::Random& random) {
  TRY_DONE(check_options(options));
  TRY(const std::string bytes, read_private_file(options.path, kWhat, kKeystoreBytesMax));
  TRY(const Pkcs12File file, Pkcs12File::read(bytes, password, options.path));
  auto content = std::make_shared<const KeystoreContent>(options.path, options.aliases, file);
  return std::make_unique<Keystore>(Opened{}, std::move(options), std::move(password), clock, random, std::move(content));
}

Result<std::unique_ptr<Keystore>> Keystore::create(KeystoreOptions options, SecretString password, const base::Clock& clock,
                                                   base::Random& random) {
  TRY_DONE(check_options(options));
  TRY_DONE(check_new_password(password, "its source"));
  TRY(const FileLock lock, FileLock::take(options.path));
  if (exists(options.path)) {
    return Error{Code::Conflict, fmt::format("There is a keystore {} already. It was left as it is.", options.path), {}};
  }
  Pkcs12File file(password);
  for (const Purpose purpose : kPurposes) {
    TRY_DONE(file.put(options.aliases.of(purpose), generate_secret(random), clock.wall_ms()));
  }
  TRY(const std::string bytes, file.write());
  TRY_DONE(check_written(file, bytes, password, options.path));
  TRY_DONE(base::write_file_durably(options.path, bytes, 0600));
  return open(std::move(options), std::move(password), clock, random);
}

Result<Pkcs12File> Keystore::read_file(const SecretString& password, std::string* bytes) const {
  TRY(*bytes, read_private_file(options_.path, kWhat, kKeystoreBytesMax));
  return Pkcs12File::read(*bytes, password, options_.path);
}

Status Keystore::reload() {
  const std::lock_guard lock(writer_);
  std::string bytes;
  TRY(const Pkcs12File file, read_file(password_, &bytes));
  content_.publish(std::make_shared<const KeystoreContent>(options_.path, options_.aliases, file));
  return kDone;
}

Status Keystore::reload(SecretString password) {
  const std::lock_guard lock(writer_);
  std::string bytes;
  TRY(const Pkcs12File file, read_file(password, &bytes));
  password_ = std::move(password);
  content_.publish(std::make_shared<const KeystoreContent>(options_.path, options_.aliases, file));
  return kDone;
}

Status Keystore::save(const Pkcs12File& file, const std::string& previous, const SecretString& password) {
  TRY(const std::string bytes, file.write());
  TRY_DONE(check_written(file, bytes, password, options_.path));
  TRY_DONE(replace_private_file(options_.path, previous, bytes));
  content_.publish(std::make_shared<const KeystoreContent>(options_.path, options_.aliases, file));
  return kDone;
}

template <class Change>
Status Keystore::change_file(Change&& change) {
  const std::lock_guard in_process(writer_);
  TRY(const FileLock across_processes, FileLock::take(options_.path));
  std::string previous;
  TRY(Pkcs12File file, read_file(password_, &previous));
  TRY_DONE(change(file));
  return save(file, previous, password_);
}

Status Keystore::set(std::string_view alias, const SecretString& value) {
  TRY_DONE(check_value(options_.aliases, alias, value));
  return change_file([&](Pkcs12File& file) { return file.put(alias, value, clock_.wall_ms()); });
}

Status Keystore::generate(std::string_view alias) { return set(alias, generate_secret(random_)); }

Status Keystore::remove(std::string_view alias) {
  return change_file([&](Pkcs12File& file) { return file.remove(alias); });
}

Result<Rotation> Keystore::rotate(std::string_view alias, const RotateOptions& options) {
  const auto purpose = std::find_if(kPurposes.begin(), kPurposes.end(),
                                    [&](Purpose one) { return base::equals_ignore_case(alias, options_.aliases.of(one)); });
  if (purpose == kPurposes.end()) {
    return Error{Code::FailedPrecondition,
                 fmt::format("The alias \"{}\" cannot be rotated; only \"{}\", \"{}\" and \"{}\" can.", base::printable(alias),
                             options_.aliases.pepper, options_.aliases.api_key, options_.aliases.sealing),
                 {}};
  }
  const SecretString fresh = generate_secret(random_);
  Rotation rotation;
  TRY_DONE(change_file([&](Pkcs12File& file) -> Status {
    // The file's value counts, not the published one: somebody may have changed it since.
    TRY(const SecretString retired, KeystoreContent(options_.path, options_.aliases, file).usable(*purpose));
    rotation = {previous_alias(alias, retired), crypto::key_id(retired), crypto::key_id(fresh)};
    if (options.before) TRY_DONE(options.before(rotation));
    if (options.keep_previous) {
      TRY_DONE(file.put(rotation.previous_alias, retired, clock_.wall_ms()));
    } else {
      // It is there only if the same value was retired before and has come back.
      const Status removed = file.remove(rotation.previous_alias);
      if (!removed.ok() && removed.error().code != Code::NotFound) return removed;
    }
    return file.put(alias, fresh, clock_.wall_ms());
  }));
  return rotation;
}

Status Keystore::change_password(SecretString password) {
  TRY_DONE(check_new_password(password, "the new source"));
  const std::lock_guard in_process(writer_);
  TRY(const FileLock across_processes, FileLock::take(options_.path));
  std::string previous;
  TRY(Pkcs12File file, read_file(password_, &previous));
  TRY_DONE(file.change_password(password));
  TRY_DONE(save(file, previous, password));
  password_ = std::move(password);
  return kDone;
}

}  // namespace funcgate::keystore
