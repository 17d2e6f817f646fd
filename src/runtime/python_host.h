// PythonHost: all pools of worker processes; stages generations; PythonRunner: one io thread's way to them.
//
// Thread-safety: stage() on management threads, one at a time; runners on their own thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/io_thread.h"
#include "base/metrics.h"
#include "domain/ports/function_host.h"
#include "domain/ports/function_runner.h"
#include "domain/ports/script_services.h"
#include "runtime/pool.h"
#include "runtime/zygote_client.h"

namespace funcgate::runtime {

class PythonHost;

class RuntimeGeneration final : public domain::Generation {
 public:
  explicit RuntimeGeneration(PythonHost& host) : host_(host) {}
  ~RuntimeGeneration() override;
  base::FileDescriptor artifact;

 private:
  PythonHost& host_;
};

struct HostSettings {
  std::vector<std::pair<std::uint16_t, PoolSettings>> pools;  // by queue number; 1 must be there
  PoolSettings authentication;
  std::string call_folder;      // absolute: per-call folders are made below; workers may write here
  std::string resource_folder;  // absolute: workers may read here
  std::string version;
};

class PythonHost final : public domain::FunctionHost {
 public:
  PythonHost(HostSettings settings, ZygoteClient& zygote, const std::vector<base::IoThread*>& threads,
             const std::vector<domain::ScriptServices*>& services, base::Metrics& metrics);
  ~PythonHost() override;

  base::Result<domain::GenerationPtr> stage(const std::vector<domain::ScriptSet>& sets,
                                            const std::vector<domain::Script>& scripts,
                                            std::vector<domain::StageProblem>& problems) override;
  domain::FunctionRunner& runner(std::size_t thread) { return *runners_[thread]; }
  Pool& pool_of(const domain::Invocation& invocation);

  void retired(std::uint64_t number);
  void cancel(const std::string& task_id);

 private:
  void use_default_pools(RuntimeGeneration& generation) const;
  base::Result<StartedWorker> start_worker(const PoolSettings& pool, const RuntimeGeneration& generation);

  const HostSettings settings_;
  ZygoteClient& zygote_;
  std::map<std::uint16_t, std::unique_ptr<Pool>> pools_;
  std::unique_ptr<Pool> authentication_;
  std::vector<std::unique_ptr<domain::FunctionRunner>> runners_;
  base::BlockingPool spawner_;  // ends before what its jobs use
  std::mutex stage_mutex_;
  std::uint64_t next_number_ = 1;  // guarded by stage_mutex_
};

}  // namespace funcgate::runtime
