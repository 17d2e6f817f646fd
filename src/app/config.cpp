#include "app/config.h"

#include <fmt/format.h>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <functional>

#include "audit/checkpoint_syslog.h"
#include "base/field_limit.h"
#include "base/files.h"
#include "base/text.h"

namespace funcgate::app {
namespace {

// One key: how it is read and what it means. The table is the whole configuration; documentation is printed from it.
struct Key {
  std::string section, name, meaning, default_text;
  std::function<std::string(const toml::node&)> read;  // what is wrong, or empty
};

std::string read_integer(const toml::node& node, std::int64_t min, std::int64_t max, std::int64_t& target) {
  const auto* value = node.as_integer();
  if (value == nullptr) return "must be an integer";
  if (value->get() < min || value->get() > max) return fmt::format("must be between {} and {}", min, max);
  target = value->get();
  return {};
}

Key integer(std::string section, std::string name, std::int64_t& target, std::int64_t min, std::int64_t max,
            std::string meaning) {
  return {std::move(section), std::move(name), std::move(meaning), std::to_string(target),
          [&target, min, max](const toml::node& node) { return read_integer(node, min, max, target); }};
}

Key text(std::string section, std::string name, std::string& target, std::string meaning, std::vector<std::string> choices = {}) {
  return {std::move(section), std::move(name), std::move(meaning), "\"" + target + "\"",
          [&target, choices = std::move(choices)](const toml::node& node) -> std::string {
            const auto* value = node.as_string();
            if (value == nullptr) return "must be a text";
            if (!choices.empty() && std::find(choices.begin(), choices.end(), value->get()) == choices.end()) {
              return "must be one of " + base::join(choices, ", ");
            }
            target = value->get();
            return {};
          }};
}

// `problem_of` says what is wrong with a value; empty: nothing.
Key checked_text(std::string section, std::string name, std::string& target, std::string meaning,
                 std::string (*problem_of)(std::string_view)) {
  return {std::move(section), std::move(name), std::move(meaning), "\"" + target + "\"",
          [&target, problem_of](const toml::node& node) -> std::string {
            const auto* value = node.as_string();
            if (value == nullptr) return "must be a text";
            target = value->get();
            return problem_of(target);
          }};
}

Key boolean(std::string section, std::string name, bool& target, std::string meaning) {
  return {std::move(section), std::move(name), std::move(meaning), target ? "true" : "false",
          [&target](const toml::node& node) -> std::string {
            const auto* value = node.as_boolean();
            if (value == nullptr) return "must be true or false";
            target = value->get();
            return {};
          }};
}

Key networks(std::string section, std::string name, std::vector<domain::Network>& target, std::string meaning) {
  return {std::move(section), std::move(name), std::move(meaning), "[]", [&target](const toml::node& node) -> std::string {
            const auto* list = node.as_array();
            if (list == nullptr) return "must be a list of networks such as \"10.0.0.0/8\"";
            for (const auto& entry : *list) {
              const auto* written = entry.as_string();
              const auto network = written == nullptr ? std::nullopt : domain::Network::parse(written->get());
              if (!network) return "has an entry that is not a network such as \"10.0.0.0/8\"";
              target.push_back(*network);
            }
            return {};
          }};
}

Key alias(std::string name, keystore::Purpose purpose, std::string& target, std::string meaning) {
  return {"keystore.aliases", std::move(name), std::move(meaning), "\"" + target + "\"",
          [purpose, &target](const toml::node& node) -> std::string {
            const auto* value = node.as_string();
            if (value == nullptr) return "must be a text";
            target = value->get();
            return keystore::alias_problem(purpose, target);
          }};
}

Key log_level(base::log::Level& target) {
  return {"log", "level", "debug, info, warning or error", "\"info\"", [&target](const toml::node& node) -> std::string {
            static constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
            const auto* value = node.as_string();
            for (std::size_t i = 0; value != nullptr && i < std::size(kNames); ++i) {
              if (value->get() == kNames[i]) {
                target = static_cast<base::log::Level>(i);
                return {};
              }
            }
            return "must be debug, info, warning or error";
          }};
}

void add_limits(std::vector<Key>& keys, domain::Limits& limits) {
  constexpr std::int64_t kMs = 86'400'000, kBytes = 1LL << 40;
  auto add = [&](const char* name, std::int64_t& target, std::int64_t min, std::int64_t max, const char* meaning) {
    keys.push_back(integer("limits", name, target, min, max, meaning));
  };
  add("request_line_bytes", limits.request_line_bytes, 64, 1 << 20, "longest request line; beyond it 414");
  add("header_bytes", limits.header_bytes, 256, 1 << 20, "all headers together; beyond it 431");
  add("header_count", limits.header_count, 1, 1000, "number of headers; beyond it 431");
  add("authorization_bytes", limits.authorization_bytes, 256, 1 << 20, "Authorization header; beyond it 431");
  add("header_read_ms", limits.header_read_ms, 10, kMs, "time for a request head from its first byte; then 408");
  add("idle_ms", limits.idle_ms, 10, kMs, "an idle connection is closed after this time");
  add("body_read_ms", limits.body_read_ms, 10, kMs, "time for a body; then 408");
  add("upload_read_ms", limits.upload_read_ms, 10, kMs, "time for a multipart body; then 408");
  add("write_ms", limits.write_ms, 10, kMs, "time for writing one block of an answer; then the connection is closed");
  add("connections", limits.connections, 1, 1'000'000, "open connections; further ones are closed at once");
  add("pre_auth_body_bytes", limits.pre_auth_body_bytes, 0, 64 << 20,
      "body that authentication may read before anybody is accepted");
  add("body_bytes", limits.body_bytes, 0, 500 << 20, "body of a call, after decoding; beyond it 413");
  add("upload_bytes", limits.upload_bytes, 0, kBytes, "all files of one call; beyond it 413");
  add("upload_files", limits.upload_files, 0, 1000, "files of one call; beyond it 413");
  add("form_fields", limits.form_fields, 1, base::kFieldsMax,
      "text parts of one multipart body, fields of one form; beyond it 413");
  add("upload_quota_bytes", limits.upload_quota_bytes, 0, kBytes, "files of all unfinished calls together; beyond it 503");
  add("json_depth", limits.json_depth, 1, 64, "nesting of JSON in requests; beyond it 400");
  add("query_fields", limits.query_fields, 1, base::kFieldsMax, "fields of one query; beyond it 400");
  add("pool_queue_length", limits.pool_queue_length, 0, 1'000'000, "calls that wait for a worker of one pool; beyond it 503");
  add("pool_workers", limits.pool_workers, 0, 1000, "workers of the default pool; 0 = number of cores");
  add("worker_memory_bytes", limits.worker_memory_bytes, 64 << 20, kBytes, "memory of one worker");
  add("worker_calls_before_recycle", limits.worker_calls_before_recycle, 1, 1'000'000'000,
      "a worker is replaced after so many calls");
  add("worker_load_ms", limits.worker_load_ms, 100, kMs, "time for loading all scripts");
  add("function_timeout_ms", limits.function_timeout_ms, 1000, 3'600'000, "run time of a sync call that says nothing else");
  add("async_function_timeout_ms", limits.async_function_timeout_ms, 1000, 3'600'000, "the same of an async call");
  add("auth_function_timeout_ms", limits.auth_function_timeout_ms, 50, 10'000, "the same of an authentication function");
  add("auth_pool_queue_length", limits.auth_pool_queue_length, 0, 1'000'000,
      "calls that wait for the pool of authentication functions");
  add("result_bytes", limits.result_bytes, 1, 500 << 20, "result of a function; beyond it 500");
  add("large_result_bytes", limits.large_result_bytes, 1, 4LL << 30, "file or DFF.RESP_LARGE_DATA; beyond it 500");
  add("result_cache_bytes", limits.result_cache_bytes, 0, kBytes, "all cached results together");
  add("result_cache_entry_bytes", limits.result_cache_entry_bytes, 0, 64 << 20, "one cached result; larger ones are not kept");
  add("tasks_waiting", limits.tasks_waiting, 0, 1'000'000, "waiting tasks of one API, or function of DFF.FUNC; beyond it 503");
  add("task_polls_per_second", limits.task_polls_per_second, 1, 1000, "polls of one task; beyond it 429");
  add("hash_concurrency", limits.hash_concurrency, 0, 256, "password hashes at a time; 0 = half the cores");
  add("hash_queue", limits.hash_queue, 0, 10'000, "password hashes that wait; beyond it 503");
  add("hash_queue_per_address", limits.hash_queue_per_address, 1, 10'000, "the same of one client address");
  add("hash_wait_ms", limits.hash_wait_ms, 10, 60'000, "longest wait for a password hash; then 503");
  add("basic_cache_entries", limits.basic_cache_entries, 0, 10'000'000, "remembered credentials of one io thread");
  add("digest_nonces_kept", limits.digest_nonces_kept, 100, 10'000'000, "nonces whose counts are remembered");
  add("journal_ring_records", limits.journal_ring_records, 16, 1 << 20, "calls of one io thread that may wait for their record");
  add("journal_block_records", limits.journal_block_records, 1, 1 << 20, "records of one block of the journal");
  add("journal_flush_ms", limits.journal_flush_ms, 1, 10'000, "longest time a record waits until its block is begun");
  add("shutdown_ms", limits.shutdown_ms, 0, 3'600'000, "calls in flight may take so long at a stop");
}

void add_keystore(std::vector<Key>& keys, Config& config) {
  using keystore::Purpose;
  keys.push_back(text("keystore", "path", config.keystore_path, "PKCS#12 file; empty = DATA/keystore.p12"));
  keys.push_back(text("keystore", "password_file", config.keystore_password_file, "its password; see docs/operating.md"));
  keystore::Aliases& aliases = config.keystore_aliases;
  keys.push_back(alias("password_pepper", Purpose::PasswordPepper, aliases.pepper, "entry with the pepper of passwords"));
  keys.push_back(alias("api_key_signing", Purpose::ApiKeySigning, aliases.api_key, "entry with the secret that signs API keys"));
  keys.push_back(alias("sealing", Purpose::Sealing, aliases.sealing, "entry with the key that seals stored secrets"));
}

std::vector<Key> keys_of(Config& config) {
  std::vector<Key> keys;
  keys.push_back(text("server", "listen", config.listen, "HOST:PORT; --listen wins"));
  keys.push_back(integer("server", "threads", config.threads, 0, 256, "io threads; 0 = half of the cores, rounded up"));
  keys.push_back(
      text("server", "public_url", config.server.public_url, "base of the URLs in error bodies; empty = scheme and Host"));
  keys.push_back(networks("server", "trusted_proxies", config.server.trusted_proxies,
                          "whose Forwarded and X-Forwarded-* headers are believed"));
  keys.push_back(
      text("server", "tls_certificate", config.tls_certificate, "PEM file; with tls_key HTTPS is served instead of HTTP"));
  keys.push_back(text("server", "tls_key", config.tls_key, "PEM file"));
  keys.push_back(log_level(config.log_level));
  keys.push_back(text("log", "path", config.log_path, "file, or - for standard error"));
  keys.push_back(text("log", "access", config.access_log, "off, - for standard output, or a file: one line per answer"));
  add_keystore(keys, config);
  keys.push_back(
      text("workers", "sandbox", config.worker_sandbox, "full, or reduced on a kernel without Landlock", {"full", "reduced"}));
  keys.push_back(
      networks("metrics", "allow", config.server.metrics_networks, "who may read /metrics; [] = this machine, directly"));
  keys.push_back(boolean("compat", "dataflux", config.server.compat_dataflux, "statuses and reasons of DataFlux Func"));
  keys.push_back(
      text("openapi", "access", config.server.openapi_access, "who may read /openapi.json", {"public", "signed-in", "off"}));
  keys.push_back(integer("auth.password_hash", "memory_kib", config.password_hash.memory_kib,
                         crypto::kPasswordCostLeast.memory_kib, crypto::kPasswordCostMost.memory_kib,
                         "memory of one Argon2id password hash"));
  keys.push_back(integer("auth.password_hash", "iterations", config.password_hash.iterations, crypto::kPasswordCostLeast.passes,
                         crypto::kPasswordCostMost.passes, "passes over that memory"));
  keys.push_back(text("admin", "listen", config.admin_listen,
                      "HOST:PORT for the management API alone; empty = together with the published APIs"));
  keys.push_back(boolean("console", "allow_plain_http", config.server.console_plain_http,
                         "people may sign in over plain HTTP from other machines too; never on an open network"));
  keys.push_back(integer("identity", "session_idle_minutes", config.session_idle_minutes, 1, 1440,
                         "a session ends after so long without a request"));
  keys.push_back(
      integer("identity", "session_hours", config.session_hours, 1, 720, "a session ends after so long at the latest"));
  keys.push_back(integer("identity", "sign_in_failures_per_hour", config.sign_in_failures_per_hour, 5, 100'000,
                         "failed sign-ins of one client network; beyond it 429"));
  keys.push_back(integer("keys", "rotation_overlap_hours", config.key_overlap_hours, 0, 87'600,
                         "how long API keys stay good after the secret that signed them was retired"));
  keys.push_back(text("audit", "calls", config.audit_calls,
                      "batched, or before_reply: the answer to a call waits until its record is on disk",
                      {"batched", "before_reply"}));
  keys.push_back(text("audit", "checkpoint_file", config.audit_checkpoint_file,
                      "every signed checkpoint is appended to this file, best on another machine; empty = none"));
  keys.push_back(checked_text("audit", "checkpoint_syslog", config.audit_checkpoint_syslog,
                              "every signed checkpoint is sent to this socket of syslog, such as \"/dev/log\"; empty = none",
                              audit::syslog_path_problem));
  auth::ThrottleSettings& throttle = config.throttle;
  auto guard = [&](const char* name, std::int64_t& target, const char* meaning) {
    keys.push_back(integer("auth.throttle", name, target, 1, 1'000'000, meaning));
  };
  guard("address_failures", throttle.address_failures, "wrong credentials of one address that begin a block");
  guard("address_window_s", throttle.address_window_s, "… within this time");
  guard("account_failures", throttle.account_failures, "wrong credentials in a row for one account from one address");
  guard("block_s", throttle.block_s, "first block; doubles per repeat");
  guard("block_max_s", throttle.block_max_s, "longest block");
  guard("forget_s", throttle.forget_s, "quiet time after which repeats are forgotten");
  guard("everywhere_failures", throttle.everywhere_failures, "wrong credentials for one account from anywhere");
  guard("everywhere_window_s", throttle.everywhere_window_s, "… within this time");
  guard("known_address_s", throttle.known_address_s, "how long an address stays known after a success");
  keys.push_back(networks("auth.throttle", "exempt", throttle.exempt, "networks that are never blocked"));
  add_limits(keys, config.server.limits);
  return keys;
}

void read_pool(Config& config, std::string_view name, const toml::table& table,
               const std::function<void(const toml::node&, std::string, std::string)>& wrong) {
  const auto number = base::parse_digits(name);
  if (!number || *number < 1 || *number > 15) {
    wrong(table, "pools." + std::string(name), "a pool has a number from 1 to 15");
    return;
  }
  PoolConfig pool;
  std::vector<Key> keys;
  keys.push_back(integer("", "workers", pool.workers, 0, 1000, ""));
  keys.push_back(integer("", "queue_length", pool.queue_length, 0, 1'000'000, ""));
  keys.push_back(integer("", "memory_bytes", pool.memory_bytes, 64 << 20, 1LL << 40, ""));
  keys.push_back(boolean("", "network", pool.network, ""));
  for (const auto& [key, node] : table) {
    const auto known = std::find_if(keys.begin(), keys.end(), [&](const Key& candidate) { return candidate.name == key.str(); });
    const std::string path = fmt::format("pools.{}.{}", name, key.str());
    if (known == keys.end()) {
      wrong(node, path, "unknown key; a pool has workers, queue_length, memory_bytes, network");
    } else if (auto problem = known->read(node); !problem.empty()) {
      wrong(node, path, problem);
    }
  }
  config.pools[static_cast<std::uint16_t>(*number)] = pool;
}

std::vector<domain::Network> this_machine() { return {*domain::Network::parse("127.0.0.0/8"), *domain::Network::parse("::1")}; }

}  // namespace

base::Result<Config> load_config(const std::string& path) {
  Config config;
  if (path.empty()) {
    config.server.metrics_networks = this_machine();
    return config;
  }
  constexpr std::size_t kConfigBytesMax = 1 << 20;
  TRY(const std::string content, base::read_file(path, kConfigBytesMax));
  const toml::parse_result parsed = toml::parse(content, path);
  if (!parsed) {
    return base::Error{base::Code::InvalidArgument,
                       fmt::format("{}:{}: {}", path, parsed.error().source().begin.line, parsed.error().description()),
                       {}};
  }
  std::vector<std::string> problems;
  const auto wrong = [&](const toml::node& node, std::string key, std::string message) {
    problems.push_back(fmt::format("{}:{}: {}: {}", path, node.source().begin.line, key, message));
  };
  std::vector<Key> keys = keys_of(config);
  const std::function<void(const toml::table&, const std::string&)> read = [&](const toml::table& table,
                                                                               const std::string& section) {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const std::string full = section.empty() ? name : section + "." + name;
      if (node.is_table()) {
        if (section == "pools") {
          read_pool(config, name, *node.as_table(), wrong);
        } else {
          read(*node.as_table(), full);
        }
        continue;
      }
      const auto known = std::find_if(keys.begin(), keys.end(),
                                      [&](const Key& candidate) { return candidate.section + "." + candidate.name == full; });
      if (known == keys.end()) {
        std::vector<std::string> names;
        for (const Key& candidate : keys) names.push_back(candidate.section + "." + candidate.name);
        const std::string_view suggestion = base::nearest(full, {names.begin(), names.end()});
        wrong(node, full, suggestion.empty() ? "unknown key" : fmt::format("unknown key; did you mean {}?", suggestion));
      } else if (auto problem = known->read(node); !problem.empty()) {
        wrong(node, full, problem);
      }
    }
  };
  read(parsed.table(), "");
  config.server.record_before_reply = config.audit_calls == "before_reply";
  if (config.server.metrics_networks.empty()) config.server.metrics_networks = this_machine();
  if (config.tls_certificate.empty() != config.tls_key.empty())
    problems.push_back(path + ": server.tls_certificate and server.tls_key belong together");
  if (const std::string* twice = keystore::repeated_alias(config.keystore_aliases))
    problems.push_back(fmt::format("{}: keystore.aliases: must differ; \"{}\" is there twice", path, base::printable(*twice)));
  if (!problems.empty()) return base::Error{base::Code::InvalidArgument, base::join(problems, "\n"), {}};
  return config;
}

base::json::object settings_document(const Config& config) {
  Config copy = config;
  base::json::object out;
  for (const Key& key : keys_of(copy)) {
    if (key.default_text == "[]") continue;
    auto value = base::parse_json(key.default_text);
    base::json::value& section = out[key.section];
    if (!section.is_object()) section = base::json::object();
    section.get_object()[key.name] = value.ok() ? std::move(*value) : base::json::value(key.default_text);
  }
  return out;
}

std::string describe_config() {
  Config config;
  std::string out, section;
  for (const Key& key : keys_of(config)) {
    if (key.section != section) out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", key.section);
    section = key.section;
    out += fmt::format("{:<52} # {}\n", fmt::format("{} = {}", key.name, key.default_text), key.meaning);
  }
  out += "\n[pools.5]  # workers for functions with queue=5; the same keys for every number from 1 to 15\n";
  out += fmt::format("{:<52} # {}\n{:<52} # {}\n{:<52} # {}\n{:<52} # {}\n", "workers = 0", "0 = number of cores",
                     "queue_length = 1000", "calls that wait", "memory_bytes = 536870912", "of one worker", "network = true",
                     "functions may open connections");
  return out;
}

}  // namespace funcgate::app
