#include "app/management.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <future>
#include <tuple>

#include "admin/idempotency.h"
#include "app/audit_verification.h"
#include "app/secret_codec.h"
#include "audit/call_trail.h"
#include "audit/checkpoint_syslog.h"
#include "audit/retention.h"
#include "audit/trail_retention.h"
#include "base/files.h"
#include "base/log.h"
#include "crypto/hmac.h"
#include "service/admin/identity_events.h"
#include "service/admin/keystore_events.h"
#include "service/admin/resealing.h"
#include "store/configuration_repository.h"

namespace funcgate::app {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::SecretString;
using base::Status;
using keystore::Purpose;

// Reading and changing of single objects: milliseconds.
constexpr std::size_t kThreads = 4, kQueueMax = 256;
// Whole bundles, trial runs, exports, verifications: up to minutes, and only for those who may.
constexpr std::size_t kLongWorkThreads = 4, kLongWorkQueueMax = 64;
// A change of the keystore that waits for an apply has a stand-in (wait_aside()).
constexpr std::size_t kKeystoreThreads = 2, kKeystoreQueueMax = 64;
constexpr std::size_t kStrangerThreads = 2, kStrangerQueueMax = 256;
constexpr std::size_t kSignInThreads = 2, kSignInQueueMax = 64;
// How long one who asks for a checkpoint waits for it, and how many may wait.
constexpr std::chrono::seconds kCheckpointWait{10};
constexpr std::size_t kCheckpointQueueMax = 16;
constexpr base::WallMs kHousekeepingMs = 30'000, kHourMs = 3'600'000;
constexpr std::size_t kAuditKeyBytesMin = 32;
constexpr std::string_view kStarted = "server.started", kStopped = "server.stopped";

// Keys that must be the same after a restart come from the keystore; without it they last as long as the process.
SecretString derived(const keystore::Keystore& keystore, base::Random& random, std::string_view purpose) {
  const auto secret = keystore.content()->usable(Purpose::Sealing);
  return secret.ok() ? crypto::derive_key(*secret, purpose, 32) : SecretString(random.bytes(32));
}

auto throttle_cleaner(auth::Throttle& throttle) {
  return [&throttle](const std::optional<domain::Address>& address) {
    return address ? throttle.clear(*address) : throttle.clear();
  };
}

service::SessionSettings session_settings(const Config& config) {
  service::SessionSettings settings;
  settings.idle_ms = config.session_idle_minutes * 60'000;
  settings.absolute_ms = config.session_hours * 3'600'000;
  settings.failures_per_network_per_hour = config.sign_in_failures_per_hour;
  return settings;
}

}  // namespace

Management::Management(Parts parts)
    : parts_(std::move(parts)),
      trail_(std::string(kNodeName)),
      changes_(parts_.database, parts_.clock, trail_),
      identity_store_(parts_.database),
      drafts_(parts_.database, parts_.clock, trail_),
      identity_({changes_, identity_store_, parts_.directory, parts_.clock}),
      keystore_(parts_.keystore, {parts_.overlaps, parts_.config.key_overlap_hours * kHourMs}, parts_.clock, keystore_effects()),
      keystore_control_(parts_.keystore, keystore_, identity_, [this] { return sealed_counts(); }),
      hashing_(parts_.keystore, parts_.config.password_hash.cost(), parts_.hash_places),
      keys_(parts_.signing_keys, parts_.directory, parts_.throttle, parts_.clock),
      explanations_(parts_.clock),
      sessions_(std::make_unique<service::Sessions>(identity_, identity_store_, hashing_, parts_.clock, parts_.random,
                                                    derived(parts_.keystore, parts_.random, "funcgate csrf v1"),
                                                    session_settings(parts_.config))) {}

Management::~Management() { parts_.throttle.tell_blocks({}); }

KeystoreAccess::Effects Management::keystore_effects() {
  KeystoreAccess::Effects effects;
  effects.publish_signing_keys = parts_.signing_keys_changed;
  effects.record = [this](std::string event, std::string_view alias, std::string summary, const domain::Actor& actor) {
    service::record_keystore_event(identity_, std::move(event), alias, std::move(summary), actor);
  };
  effects.publish_all = [this] { wait_aside(parts_.keystore_changed); };
  // Values of secret keys are sealed while identities are changed.
  effects.while_nothing_changes = [this](const std::function<Status()>& work) {
    Status done = Error{base::Code::Internal, "Internal error", "it did not run"};
    wait_aside([&] {
      done = parts_.while_no_resource_changes([&]() -> Status {
        TRY(const domain::DirectoryPtr same,
            identity_.change([&](const domain::Directory&, domain::ChangeSet&) { return work(); }));
        std::ignore = same;
        return base::kDone;
      });
    });
    return done;
  };
  return effects;
}

// For what waits until somebody's apply has ended: the next change of the keystore does not wait for this thread.
void Management::wait_aside(const std::function<void()>& wait) {
  if (keystore_pool_) {
    keystore_pool_->while_waiting(wait);
  } else {
    wait();
  }
}

Status Management::check_application(const std::string& name) const {
  if (name.empty() || parts_.directory.current()->application_by_name(name) != nullptr) return base::kDone;
  return Error{Code::NotFound, fmt::format("There is no application \"{}\"", base::printable(name)), {}};
}

// A trial waits for a hash or a function: meanwhile an export does not wait for this thread.
admin::Services::TryAuthentication Management::waiting_aside(admin::Services::TryAuthentication run) {
  return [this, run = std::move(run)](service::Trial trial) {
    Result<service::TrialVerdict> verdict = Error{base::Code::Internal, "Internal error", "it did not run"};
    long_work_pool_->while_waiting([&] { verdict = run(std::move(trial)); });
    return verdict;
  };
}

Status Management::start() { return identity_.start(); }

// From the rows themselves: also while no server runs.
Result<service::SealedCounts> Management::sealed_counts() {
  KeystoreSecretVault vault(parts_.keystore, parts_.random);
  service::SealedCounts counts;
  TRY_DONE(service::count_sealed(identity_store_, counts));
  TRY(const domain::Configuration configuration,
      store::ConfigurationRepository(parts_.database, parts_.clock, parts_.random).load());
  service::count_sealed(configuration, vault, counts);
  return counts;
}

std::string Management::key_id_of(const SecretString& token) const {
  const auto verified = parts_.signing_keys.current()->verify(token.reveal(), parts_.clock.wall_ms());
  return verified.reason == domain::Reason::None ? verified.key.id : std::string();
}

Result<std::string> Management::write_checkpoint(audit::Journal& journal, const domain::Actor& actor) {
  if (!audit_key_) {
    return Error{Code::Unavailable,
                 fmt::format("The keystore has no usable secret \"{}\". Create it with: funcgate keystore set {} --generate",
                             audit::kAuditKeyAlias, audit::kAuditKeyAlias),
                 {}};
  }
  const auto head = journal.head();
  std::vector<audit::StreamHead> calls;
  if (head.sequence > 0) calls.push_back({std::string(audit::kCallsStream), std::string(kNodeName), head.sequence, head.hash});
  TRY(std::string line,
      audit::take_checkpoint({identity_store_, changes_, parts_.clock, *audit_key_, parts_.instance_id}, calls, actor));
  // Who relies on a place must hear that the checkpoint is not there; the other one gets it all the same.
  const std::string &file = parts_.config.audit_checkpoint_file, &socket = parts_.config.audit_checkpoint_syslog;
  // The socket first: it answers within seconds, whereas a file on a mount whose server has gone may hold this thread for ever.
  const Status sent = socket.empty() ? Status(base::kDone) : audit::send_checkpoint(socket, line, parts_.clock.wall_ms());
  const Status written = file.empty() ? Status(base::kDone) : audit::append_checkpoint(file, line);
  if (written.ok() && sent.ok()) return line;
  std::string problem = written.ok() ? sent.error().message : written.error().message;
  if (!written.ok() && !sent.ok()) problem += "; " + sent.error().message;
  return Error{Code::Unavailable, std::move(problem), {}};
}

bool Management::begin_checkpoint(audit::Journal& journal, const domain::Actor& actor, CheckpointTold told) {
  return checkpoint_pool_->submit([this, &journal, actor, told = std::move(told)] {
    try {
      told(write_checkpoint(journal, actor));
    } catch (const std::exception& problem) {
      told(Error{Code::Internal, "The checkpoint could not be made", problem.what()});
    }
  });
}

Result<std::string> Management::checkpoint(audit::Journal& journal, const domain::Actor& actor) {
  const auto made = std::make_shared<std::promise<Result<std::string>>>();
  auto line = made->get_future();
  const bool begun = begin_checkpoint(journal, actor, [made](const Result<std::string>& result) { made->set_value(result); });
  if (begun && line.wait_for(kCheckpointWait) == std::future_status::ready) return line.get();
  return Error{Code::Unavailable,
               "The checkpoint file or the syslog socket does not answer. Look at what audit.checkpoint_file lies on, and at "
               "audit.checkpoint_syslog",
               {}};
}

service::AuditTools Management::audit_tools(ApiParts& parts) {
  service::AuditTools tools;
  tools.calls = [&store = parts.journal_store](const domain::CallTrailQuery& query) -> Result<service::AuditPage> {
    TRY(audit::CallPage found, audit::find_calls(store, query, kNodeName));
    return service::AuditPage{std::move(found.records), std::move(found.places), found.next, found.looked_through};
  };
  tools.checkpoint = [this, &journal = parts.journal](const domain::Actor& actor) { return checkpoint(journal, actor); };
  tools.verify = [this, &store = parts.journal_store](const std::string& stream, std::int64_t from,
                                                      const std::string& checkpoint_json) -> Result<service::AuditVerdict> {
    audit::VerifyOptions options;
    options.from_sequence = from;
    if (!checkpoint_json.empty()) {
      if (!audit_key_) return Error{Code::Unavailable, "The keystore has no key for checkpoints", {}};
      TRY(const audit::Checkpoint checkpoint, audit::read_checkpoint(checkpoint_json, audit_key_->public_key()));
      if (auto anchor = checkpoint.anchor(stream)) options.checkpoints.push_back(*std::move(anchor));
    }
    return verify_stream(identity_store_, store, stream, std::move(options));
  };
  return tools;
}

Status Management::open_audit_key() {
  if (!parts_.keystore.get(audit::kAuditKeyAlias)) TRY_DONE(parts_.keystore.generate(audit::kAuditKeyAlias));
  const auto secret = parts_.keystore.get(audit::kAuditKeyAlias);
  if (!secret || secret->size() < kAuditKeyBytesMin) return base::kDone;
  TRY(crypto::SigningKey key, audit::checkpoint_key(*secret));
  audit_key_ = std::make_unique<crypto::SigningKey>(std::move(key));
  return base::kDone;
}

Status Management::open_api(ApiParts parts) {
  TRY_DONE(open_audit_key());
  const auto issue = [this](const domain::ApiKey& key) -> Result<service::IssuedToken> {
    const auth::SigningKeysPtr keys = parts_.signing_keys.current();
    TRY(SecretString token, keys->issue(key));
    return service::IssuedToken{std::move(token), keys->current_kid()};
  };
  const auto identify = [this](const SecretString& token) { return key_id_of(token); };
  api_keys_ = std::make_unique<service::ApiKeys>(identity_, identity_store_, parts_.clock, parts_.random, issue, identify);
  audit_ = std::make_unique<service::AuditService>(identity_store_, audit_tools(parts));
  key_usage_ = &parts.key_usage;
  auth::KeyUsageTable& key_uses = parts.key_usage.management();
  journal_ = &parts.journal;
  journal_store_ = &parts.journal_store;
  const auto verify_key = [this, &key_uses](const SecretString& authorization, const domain::Address& address) {
    return keys_.verify(authorization, address, key_uses);
  };
  const auto verify_token = [this](const SecretString& token) {
    return parts_.signing_keys.current()->verify(token.reveal(), parts_.clock.wall_ms());
  };
  scripts_ = std::make_unique<service::Scripts>(service::Scripts::Parts{parts.resources, identity_, drafts_, parts.script_history,
                                                                        parts.function_host, parts_.clock,
                                                                        std::move(parts.run_candidate)});
  secret_keys_ = std::make_unique<service::SecretKeys>(
      service::SecretKeys::Parts{identity_, identity_store_, parts.vault, keystore_, parts_.clock, parts_.random, identify});
  services_.reset(new admin::Services{.clock = parts_.clock,
                                      .random = parts_.random,
                                      .settings = parts_.config.server,
                                      .catalog = parts.catalog,
                                      .identity = identity_,
                                      .sessions = *sessions_,
                                      .api_keys = *api_keys_,
                                      .resources = parts.resources,
                                      .audit = *audit_,
                                      .explanations = explanations_,
                                      .keystore = keystore_,
                                      .identity_store = identity_store_,
                                      .scripts = *scripts_,
                                      .journal = parts.journal_store,
                                      .task_store = parts.task_store,
                                      .secret_keys = *secret_keys_,
                                      .verify_key = verify_key,
                                      .verify_token = verify_token,
                                      .cancel_task = std::move(parts.cancel_task),
                                      .clear_throttle = throttle_cleaner(parts_.throttle),
                                      .try_authentication = waiting_aside(std::move(parts.try_authentication)),
                                      .settings_document = settings_document(parts_.config),
                                      .instance_id = parts_.instance_id,
                                      .node_name = std::string(kNodeName),
                                      .started_ms = parts_.clock.wall_ms(),
                                      .request_key = derived(parts_.keystore, parts_.random, "funcgate request v1"),
                                      .setup_done = [this] { remove_setup_file(); }});
  router_ = std::make_unique<admin::Router>(*services_);
  parts_.throttle.tell_blocks([this](const auth::BlockBegun& block) { router_->record_block(block); });
  pool_ = std::make_unique<base::BlockingPool>("admin", kThreads, kQueueMax);
  sign_in_pool_ = std::make_unique<base::BlockingPool>("sign-in", kSignInThreads, kSignInQueueMax, base::Priority::Patient);
  checkpoint_pool_ = std::make_unique<base::BlockingPool>("checkpoint", 1, kCheckpointQueueMax);
  long_work_pool_ = std::make_unique<base::BlockingPool>("admin-long", kLongWorkThreads, kLongWorkQueueMax);
  keystore_pool_ = std::make_unique<base::BlockingPool>("keystore", kKeystoreThreads, kKeystoreQueueMax);
  strangers_pool_ =
      std::make_unique<base::BlockingPool>("strangers", kStrangerThreads, kStrangerQueueMax, base::Priority::Patient);
  const http::AdminEdge::Pools pools{*pool_, *long_work_pool_, *keystore_pool_, *sign_in_pool_, *strangers_pool_};
  edge_ = std::make_unique<http::AdminEdge>(*router_, pools, parts_.config.server);
  return base::kDone;
}

Result<std::string> Management::renew_setup_token() {
  TRY(const SecretString token, sessions_->make_setup_token());
  TRY_DONE(base::write_file_durably(setup_file(), token.reveal(), 0600));
  return setup_file();
}

Status Management::offer_setup(const std::string& url) {
  if (!sessions_->setup_pending()) {
    remove_setup_file();
    return base::kDone;
  }
  TRY(const std::string path, renew_setup_token());
  base::log::warning("setup.pending", {{"tokenFile", path}, {"validMinutes", 60}});
  if (::isatty(STDOUT_FILENO) == 1) {
    fmt::print("{}", setup_instructions(url, path));
    std::fflush(stdout);
  }
  return base::kDone;
}

void Management::remove_setup_file() {
  if (::unlink(setup_file().c_str()) != 0 && errno != ENOENT)
    base::log::warning("setup.file_not_removed", {{"path", setup_file()}, {"problem", base::errno_text(errno)}});
}

std::string setup_instructions(std::string_view url, std::string_view token_file) {
  // The token goes from the file to curl through a pipe: an argument could be read by everybody on this machine.
  return fmt::format(
      "The set-up token stands in {0}; it is good for 60 minutes. Make the first administrator with it:\n"
      "  printf '{{\"token\":\"%s\",\"login\":\"%s\",\"password\":\"%s\"}}' \"$(cat {0})\" LOGIN PASSWORD |\n"
      "    curl -s -H 'Content-Type: application/json' --data-binary @- {1}/admin/api/v1/setup\n",
      token_file, url);
}

void Management::record_server(std::string name, std::string summary) {
  auto event = service::object_event(std::move(name), domain::Actor(), "Server", kNodeName, kNodeName, 0, std::move(summary));
  if (const auto status = identity_.record({event}); !status.ok())
    base::log::error("audit.not_written", {{"event", event.event}, {"problem", status.error().message}});
}

Result<bool> Management::last_run_ended() {
  const auto newest = [&](std::string_view event) -> Result<std::int64_t> {
    domain::AuditQuery query;
    query.event = event;
    query.limit = 1;
    TRY(const auto found, identity_store_.audit(query));
    return found.empty() ? 0 : found.front().sequence;
  };
  TRY(const std::int64_t started, newest(kStarted));
  TRY(const std::int64_t stopped, newest(kStopped));
  return started <= stopped;
}

void Management::record_start(std::string_view version) {
  std::string_view before;
  if (const Result<bool> ended = last_run_ended(); !ended.ok()) {
    const Error& problem = ended.error();
    base::log::error("audit.not_read", {{"what", kStarted}, {"problem", problem.message}, {"detail", problem.detail}});
    before = "; how the run before ended could not be read";
  } else if (!*ended) {
    before = "; the run before was cut off: it has no server.stopped";
  }
  record_server(std::string(kStarted), fmt::format("Version {} serves{}", version, before));
}

// Behind what was refused and used until now.
void Management::record_stop() {
  write_key_uses();
  if (router_) router_->await_records();
  record_server(std::string(kStopped), "Stopped in order");
}

namespace {

// Also when the clock was set back meanwhile: nobody waits until it is where it was.
bool is_due(base::WallMs now_ms, base::WallMs last_ms, std::int64_t every_ms) {
  return now_ms < last_ms || now_ms - last_ms >= every_ms;
}

template <class Outcome>
void note(std::string_view what, const Outcome& outcome) {
  if (!outcome.ok()) base::log::warning("management.housekeeping", {{"what", what}, {"problem", outcome.error().message}});
}

domain::AuditEvent first_use_event(const auth::KeyUse& use, const domain::Directory& directory) {
  domain::AuditEvent event = service::key_event("key.first_use", use, directory);
  const bool is_call = use.plane == auth::KeyPlane::Calls;
  event.summary = is_call ? fmt::format("First use in this hour, for \"{}\"", use.api)
                          : std::string("First use in this hour, for the management API");
  return event;
}

// The trail itself says where it is not complete.
domain::AuditEvent lost_uses_event(std::uint64_t count) {
  domain::AuditEvent event;
  event.event = "key.first_use";
  event.object_kind = "ApiKey";
  event.summary = fmt::format("{} uses of keys found no room to be noted: first uses in this hour may be missing", count);
  return event;
}

}  // namespace

void Management::write_key_uses() {
  if (key_usage_ == nullptr) return;
  const auth::KeyUsageReport report = key_usage_->drain();
  for (const auth::KeyUse& use : report.last_uses)
    note("last use of a key", identity_store_.touch_key(use.key_id, use.time_ms, use.address.text(), use.api));
  std::vector<domain::AuditEvent> events;
  const domain::DirectoryPtr directory = parts_.directory.current();
  for (const auth::KeyUse& use : report.first_uses) events.push_back(first_use_event(use, *directory));
  if (report.dropped > 0) events.push_back(lost_uses_event(report.dropped));
  if (!events.empty()) note("first use of keys", identity_.record(std::move(events)));
  note("use of a privilege", key_privilege_uses_.record(report));
  if (report.dropped > 0) base::log::warning("key.uses_dropped", {{"count", report.dropped}});
}

// On its own thread: whatever the file lies on, the rest of the housekeeping goes on.
void Management::keep_checkpoints(base::WallMs now_ms) {
  if (checkpoint_runs_) {
    if (!checkpoint_hangs_ && now_ms - checkpoint_ms_ >= kHousekeepingMs) {
      checkpoint_hangs_ = true;
      constexpr std::string_view kProblem =
          "the checkpoint file or the syslog socket does not answer; no other is begun until it does";
      note("checkpoint", Status(Error{Code::Unavailable, std::string(kProblem), {}}));
    }
    return;
  }
  if (!is_due(now_ms, checkpoint_ms_, kHourMs)) return;
  checkpoint_ms_ = now_ms;
  checkpoint_hangs_ = false;
  checkpoint_runs_ = true;
  const bool begun = begin_checkpoint(*journal_, domain::Actor(), [this](const Result<std::string>& line) {
    note("checkpoint", line);
    checkpoint_runs_ = false;
  });
  if (begun) return;
  checkpoint_runs_ = false;
  note(
      "checkpoint",
      Status(Error{Code::Unavailable, "the checkpoint file or the syslog socket does not answer, and too many wait for it", {}}));
}

void Management::keep_blocks(base::WallMs now_ms) {
  if (!is_due(now_ms, blocks_anchored_ms_, kHourMs)) return;
  blocks_anchored_ms_ = now_ms;
  const auto allowed = audit::announce_removal({*journal_store_, identity_store_, changes_, kNodeName}, now_ms);
  note("retention of call records", allowed);
  journal_->allow_removal(allowed.ok() ? *allowed : 0);
}

void Management::keep_audit(base::WallMs now_ms) {
  if (journal_ == nullptr) return;
  keep_checkpoints(now_ms);
  keep_blocks(now_ms);
  if (!is_due(now_ms, pruned_ms_, 24 * kHourMs)) return;
  auto removed = audit::prune_trail(identity_store_, changes_, now_ms);
  note("retention of the audit trail", removed);
  // A portion at a time: the rest comes with the next round.
  if (removed.ok() && *removed == 0) pruned_ms_ = now_ms;
}

void Management::housekeep(base::WallMs now_ms) {
  const bool is_time = is_due(now_ms, kept_house_ms_, kHousekeepingMs);
  // Many keys at once: their uses are written before the room for them is full.
  if (!is_time && key_usage_ != nullptr && key_usage_->is_filling()) write_key_uses();
  if (!is_time) return;
  kept_house_ms_ = now_ms;
  write_key_uses();
  note("sessions", identity_store_.prune_sessions(now_ms, now_ms - parts_.config.session_idle_minutes * 60'000 - 120'000));
  note("remembered answers", identity_store_.prune_idempotent(now_ms - admin::kIdempotencyKeptMs));
  keep_audit(now_ms);
}

}  // namespace funcgate::app
