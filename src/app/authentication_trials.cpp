#include "app/authentication_trials.h"

#include <chrono>
#include <future>
#include <memory>

namespace funcgate::app {
namespace {

constexpr std::int64_t kGraceMs = 5000;  // for a worker that must be killed

// Lives as long as the trial.
struct Waiting {
  service::Trial trial;
  std::promise<service::TrialVerdict> verdict;
};

base::Async<void> tell(std::shared_ptr<Waiting> waiting, const auth::AuthThread& thread,
                       const service::ServerSettings& settings) {
  try {
    waiting->verdict.set_value(co_await service::try_sample(waiting->trial, thread, settings));
  } catch (...) {
    waiting->verdict.set_exception(std::current_exception());
  }
}

}  // namespace

base::Result<service::TrialVerdict> run_trial(base::IoThread& io, const auth::AuthThread& thread,
                                              const service::ServerSettings& settings, service::Trial trial) {
  auto waiting = std::make_shared<Waiting>();
  waiting->trial = std::move(trial);
  auto verdict = waiting->verdict.get_future();
  io.post([waiting, &thread, &settings] { base::spawn(tell(waiting, thread, settings)); });
  if (verdict.wait_for(std::chrono::milliseconds(service::kTrialMs + kGraceMs)) != std::future_status::ready)
    return base::Error{base::Code::DeadlineExceeded, "The test did not end in time", {}};
  return verdict.get();
}

}  // namespace funcgate::app
