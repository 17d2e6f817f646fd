// The serving side of Instance: sockets, signals, the orderly end.
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

#include "app/authentication_trials.h"
#include "app/draft_runner.h"
#include "app/freed_memory.h"
#include "app/instance.h"
#include "base/log.h"
#include "crypto/hash_memory.h"

namespace funcgate::app {
namespace {

// Folders of calls that a killed server left; those of tasks that still wait or run again stay.
void remove_stale_folders(const std::string& folder, domain::TaskStore& tasks) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const auto task = tasks.get(entry.path().filename().string());
    if (task.ok() && !task->end_time_ms) continue;
    if (auto status = base::remove_tree(entry.path().string()); !status.ok()) {
      base::log::warning("upload.remove_failed", {{"error", status.error().message}});
    }
  }
}

std::string shown_address(const http::ListenAddress& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", address.host, v6 ? "]" : "", address.port);
}

base::Async<void> cancel_and_tell(service::Tasks& tasks, base::IoThread& io, std::string id,
                                  std::shared_ptr<std::promise<base::Status>> told) {
  base::Status cancelled = co_await tasks.cancel(io, id);
  told->set_value(std::move(cancelled));
}

}  // namespace

// From a thread of management: tasks live on an io thread.
base::Status Instance::cancel_task(const std::string& id) {
  constexpr std::chrono::seconds kWait{10};
  auto told = std::make_shared<std::promise<base::Status>>();
  std::future<base::Status> answer = told->get_future();
  base::IoThread& io = worlds_[0]->io;
  io.post([this, &io, id, told] { base::spawn(cancel_and_tell(*tasks_, io, id, told)); });
  if (answer.wait_for(kWait) != std::future_status::ready)
    return base::Error{base::Code::DeadlineExceeded, "The task could not be stopped in time; look again in a moment", {}};
  return answer.get();
}

base::Status Instance::open_management_api() {
  return plane_->open_api(
      {.resources = *resources_,
       .catalog = catalog_,
       .journal_store = *journal_store_,
       .task_store = *task_store_,
       .vault = *vault_,
       .journal = *journal_,
       .key_usage = *key_usage_,
       .cancel_task = [this](const std::string& id) { return cancel_task(id); },
       .function_host = *host_,
       .script_history = *configuration_,
       .run_candidate =
           [this](const domain::GenerationPtr& candidate, const std::string& function, const std::string& kwargs) {
             return run_candidate(worlds_[0]->io, host_->runner(0), candidate, catalog_.current(), function, kwargs,
                                  random_.uuid_upper());
           },
       .try_authentication =
           [this](service::Trial trial) {
             return run_trial(worlds_[0]->io, worlds_[0]->auth_thread, config_.server, std::move(trial));
           }});
}

void Instance::register_authentication_gauges() {
  using Read = std::function<std::size_t()>;
  const auto gauge = [this](std::string_view name, std::string_view help, const base::Labels& labels, Read read) {
    metrics_.gauge(name, help, labels, [read = std::move(read)] { return static_cast<double>(read()); });
  };
  constexpr std::string_view kHashes = "funcgate_password_hashes", kHashesHelp = "Argon2id hashes of calls by state.";
  gauge(kHashes, kHashesHelp, {{"state", "running"}}, [this] { return hashes_->running(); });
  gauge(kHashes, kHashesHelp, {{"state", "waiting"}}, [this] { return hashes_->waiting(); });
  gauge("funcgate_password_hashes_computed", "Argon2id hashes of calls since the start.", {},
        [this] { return static_cast<std::size_t>(hashes_->computed()); });
  const auto of_all_threads = [this](auto size) {
    return [this, size] {
      std::size_t sum = 0;
      for (const auto& world : worlds_) sum += size(*world);
      return sum;
    };
  };
  constexpr std::string_view kEntries = "funcgate_cache_entries", kEntriesHelp = "What is remembered, by cache.";
  gauge(kEntries, kEntriesHelp, {{"cache", "passwords"}}, of_all_threads([](IoWorld& w) { return w.credentials.size(); }));
  gauge(kEntries, kEntriesHelp, {{"cache", "verdicts"}}, of_all_threads([](IoWorld& w) { return w.verdicts.size(); }));
  gauge(kEntries, kEntriesHelp, {{"cache", "keys"}}, of_all_threads([](IoWorld& w) { return w.keys.size(); }));
  gauge(kEntries, kEntriesHelp, {{"cache", "nonces"}}, [this] { return nonces_.size(); });
  gauge(kEntries, kEntriesHelp, {{"cache", "results"}}, [this] { return results_.size(); });
}

base::Status Instance::open_listeners(const std::string& listen) {
  TRY(http::ListenAddress address, http::parse_listen_address(listen));
  TRY(access_log_, http::AccessLog::open(config_.access_log));
  if (!config_.tls_certificate.empty()) {
    TRY(tls_, http::TlsIdentity::load(config_.tls_certificate, config_.tls_key));
  }
  edge_metrics_ = std::make_unique<http::EdgeMetrics>(metrics_);
  metrics_.gauge("funcgate_connections_open", "Connections that are open.", {},
                 [this] { return static_cast<double>(open_connections_.load()); });
  register_authentication_gauges();
  const service::GatewayShared shared{config_.server,
                                      catalog_,
                                      throttle_,
                                      rates_,
                                      results_,
                                      *tasks_,
                                      *uploads_,
                                      [this](std::string_view text) { return cache_keys_->digest({text}); },
                                      metrics_,
                                      directory_,
                                      &plane_->explanations()};
  TRY_DONE(open_management_api());
  const RoutesParts parts{config_.server, metrics_, catalog_, *resources_, *management_, *plane_, stopping_};
  for (std::size_t i = 0; i < worlds_.size(); ++i) {
    IoWorld& world = *worlds_[i];
    world.auth_thread.functions = &host_->runner(i);
    world.gateway =
        std::make_unique<service::Gateway>(shared, world.io, world.auth_thread, host_->runner(i), journal_->recorder(i));
    world.routes = std::make_unique<ServerRoutes>(parts, world.io);
    world.edge.reset(new http::Edge{world.io, config_.server, *world.gateway, *world.routes, call_random_, *access_log_,
                                    *edge_metrics_, open_connections_, &plane_->edge(), !config_.admin_listen.empty()});
    TRY(world.listener, http::Listener::open(*world.edge, address, tls_.get()));
    address.port = world.listener->port();  // the first one chose if it was 0
  }
  gateways_ready_ = true;
  std::string admin_shown = shown_address(address);
  if (!config_.admin_listen.empty()) {
    TRY(http::ListenAddress admin_address, http::parse_listen_address(config_.admin_listen));
    TRY(admin_listener_, http::Listener::open(*worlds_[0]->edge, admin_address, tls_.get(), http::Entrance::Management));
    admin_address.port = admin_listener_->port();
    admin_shown = shown_address(admin_address);
    base::log::info("admin.ready", {{"listen", admin_shown}});
  }
  TRY(control_, http::ControlListener::open(*worlds_[0]->edge, options_.data_dir + "/control.sock"));
  for (auto& world : worlds_) world->io.post([listener = world->listener.get()] { listener->start(); });
  worlds_[0]->io.post([this] {
    control_->start();
    if (admin_listener_) admin_listener_->start();
  });
  const std::string scheme = tls_ ? "https" : "http";
  TRY_DONE(plane_->offer_setup(fmt::format("{}://{}", scheme, admin_shown)));
  plane_->record_start(FUNCGATE_VERSION);
  base::log::info("server.ready", {{"listen", shown_address(address)},
                                   {"url", fmt::format("{}://{}", scheme, shown_address(address))},
                                   {"data", options_.data_dir},
                                   {"version", FUNCGATE_VERSION}});
  return base::kDone;
}

namespace {

// Each connection is a descriptor; the soft limit of a shell (1024) is below what limits.connections promises.
void raise_descriptor_limit(std::int64_t connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto wanted = static_cast<rlim_t>(connections + 1000);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < wanted) {
    base::log::warning("server.few_descriptors",
                       {{"limit", static_cast<std::int64_t>(limit.rlim_cur)}, {"wanted", static_cast<std::int64_t>(wanted)}});
  }
}

}  // namespace

base::Status Instance::serve(const std::string& listen) {
  keep_large_blocks();
  raise_descriptor_limit(config_.server.limits.connections);
  TRY_DONE(journal_->start());
  TRY_DONE(tasks_->recover());
  remove_stale_folders(config_.server.call_folder, *task_store_);
  tasks_->attach(worlds_[0]->io, host_->runner(0), journal_->recorder(0));
  TRY_DONE(open_listeners(listen));
  tasks_->start();
  // Of hashes that the start needed; later ones give theirs back by themselves.
  crypto::release_hash_memory(std::chrono::nanoseconds{0});
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  while (true) {
    constexpr timespec kSecond{1, 0};
    const int number = ::sigtimedwait(&signals, nullptr, &kSecond);
    if (number < 0) {
      give_back_after_rest([this] {
        for (auto& world : worlds_) world->io.post(give_back_end_of_heap);
      });
    } else if (number == SIGHUP) {
      reload();
    } else {
      break;
    }
  }
  base::log::info("server.stopping", {{"deadlineMs", config_.server.limits.shutdown_ms}});
  drain();
  plane_->record_stop();
  TRY_DONE(journal_->flush_and_stop());
  base::log::info("server.stopped");
  return base::kDone;
}

void Instance::drain() {
  stopping_ = true;
  hash_places_->hurry();
  tasks_->stop();
  for (auto& world : worlds_) {
    world->io.post([raw = world.get()] {
      raw->listener->stop();
      raw->edge->stopping = true;
      // stop() may end connections at once, which take themselves out of the list.
      const std::vector<http::Connection*> open(raw->edge->connections.begin(), raw->edge->connections.end());
      for (http::Connection* connection : open) http::stop_connection(*connection);
    });
  }
  worlds_[0]->io.post([this] {
    control_->stop();
    if (admin_listener_) admin_listener_->stop();
  });
  const auto deadline = clock_.steady_ns() + config_.server.limits.shutdown_ms * base::kNsPerMs;
  while (open_connections_.load() + static_cast<std::int64_t>(tasks_->running()) > 0 && clock_.steady_ns() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  if (const auto left = open_connections_.load(); left > 0) base::log::warning("server.calls_cut_off", {{"connections", left}});
  for (auto& world : worlds_) world->io.stop();
}

}  // namespace funcgate::app
