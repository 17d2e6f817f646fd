// TaskRepository: the durable queue of asynchronous runs in SQL. A status changes in one conditional statement inside a write
// transaction, so that of two who want to claim, end or cancel the same task exactly one succeeds.
//
// Thread-safety: any thread; blocks. The database must outlive it.
#pragma once

#include "base/clock.h"
#include "domain/ports/task_store.h"
#include "store/database.h"

namespace funcgate::store {

class TaskRepository final : public domain::TaskStore {
 public:
  TaskRepository(Database& database, const base::Clock& clock) : database_(database), clock_(clock) {}

  base::Status insert(const domain::Task& task) override;
  base::Result<domain::Task> get(const std::string& id) override;
  base::Result<std::vector<domain::Task>> claim(std::int64_t now_ms, std::size_t count,
                                               const std::string& unreadable) override;
  base::Status put_back(const std::string& id, std::int64_t earliest_ms) override;
  base::Status finish(const domain::Task& task) override;
  base::Result<bool> cancel_waiting(const std::string& id, std::int64_t now_ms) override;
  base::Result<std::size_t> recover(std::int64_t now_ms, const std::string& failure) override;
  // At most 1000 tasks in one call.
  base::Result<std::vector<std::string>> prune(std::int64_t now_ms) override;
  // Pages of at most 1000 tasks.
  base::Result<domain::ListPage<domain::Task>> list(const domain::ListQuery& query) override;
  base::Result<std::size_t> count_waiting(const domain::Task& task) override;

 private:
  Database& database_;
  const base::Clock& clock_;
};

}  // namespace funcgate::store
