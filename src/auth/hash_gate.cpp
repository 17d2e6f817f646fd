#include "auth/hash_gate.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/timer_wheel.h"
#include "crypto/password_hash.h"

namespace funcgate::auth {

// One caller. Shared with the threads of the gate; `answer` is touched on the caller's io thread only.
struct HashGate::Waiter {
  base::IoThread& io;
  FlightPtr flight;                             // set by join(), constant afterwards
  base::OneShot<HashAnswer>* answer = nullptr;  // null: the caller has gone
};

// One credential that waits for its hash, or whose hash runs. `started` and `waiters` are guarded by the gate's mutex.
struct HashGate::Flight {
  crypto::Digest128 key;
  base::SecretString password;
  std::string phc;
  domain::Address network;
  bool started = false;
  std::vector<std::shared_ptr<Waiter>> waiters;
};

PasswordVerifier argon2_verifier(base::SecretString pepper) {
  return [pepper = std::move(pepper)](std::string_view password, std::string_view phc) {
    return crypto::verify_password(pepper, password, phc);
  };
}

HashGate::HashGate(HashGateSettings settings, PasswordVerifier verify)
    : settings_(settings),
      verify_(std::move(verify)),
      // At the priority of those who ask: io threads need the lock that these threads take between two hashes.
      pool_(std::make_unique<base::BlockingPool>("hash-gate", settings.concurrency, settings.concurrency)) {
  CHECK(settings_.concurrency > 0);
}

HashGate::~HashGate() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    room_.clear();
  }
  pool_.reset();
}

bool HashGate::join(const crypto::Digest128& key, base::SecretString& password, std::string& phc, const domain::Address& address,
                    const std::shared_ptr<Waiter>& waiter) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  if (const auto found = flights_.find(key); found != flights_.end()) {
    waiter->flight = found->second;
    found->second->waiters.push_back(waiter);
    return true;
  }
  auto flight = std::make_shared<Flight>();
  flight->key = key;
  flight->network = address.network();
  const bool starts = running_ < settings_.concurrency;
  if (!starts && !has_place(flight->network)) return false;
  flight->password = std::move(password);
  flight->phc = std::move(phc);
  flight->waiters.push_back(waiter);
  // Memory may run out in each of these steps: the gate then is as it was before.
  struct Undo {
    HashGate* gate;
    const crypto::Digest128& key;
    ~Undo() {
      if (gate != nullptr) gate->flights_.erase(key);
    }
  };
  flights_.emplace(key, flight);
  Undo undo{this, key};
  if (starts) {
    start(flight);
  } else {
    wait_in_room(flight);
  }
  undo.gate = nullptr;
  waiter->flight = flight;
  return true;
}

// Called with the mutex held.
bool HashGate::has_place(const domain::Address& network) const {
  if (room_.size() >= settings_.waiting_max) return false;
  const auto of_address = room_of_address_.find(network);
  return of_address == room_of_address_.end() || of_address->second < settings_.waiting_per_address_max;
}

// Called with the mutex held.
void HashGate::wait_in_room(const FlightPtr& flight) {
  std::size_t& of_address = room_of_address_[flight->network];
  room_.push_back(flight);
  ++of_address;
}

// Called with the mutex held. The pool's queue has a place for each hash that may run, so that this cannot be refused.
void HashGate::start(const FlightPtr& flight) {
  const bool submitted = pool_->submit([this, flight] { run(flight); });
  CHECK(submitted);
  flight->started = true;
  ++running_;
}

HashAnswer HashGate::compute(const Flight& flight) const {
  try {
    const PasswordVerdict verdict = verify_(flight.password.reveal(), flight.phc);
    if (!verdict.right) return HashAnswer::Wrong;
    return verdict.retired_pepper ? HashAnswer::RightRetired : HashAnswer::Right;
  } catch (...) {
    return HashAnswer::Fault;
  }
}

void HashGate::deliver(const std::shared_ptr<Waiter>& waiter, HashAnswer answer) {
  try {
    waiter->io.post([waiter, answer] {
      if (waiter->answer != nullptr) waiter->answer->complete(answer);
    });
  } catch (...) {
    // Out of memory: the waiter hears from its own deadline.
  }
}

void HashGate::run(FlightPtr flight) {
  while (flight) {
    const HashAnswer answer = compute(*flight);
    flight->password = {};  // only this thread reads it, and whoever still holds the flight has no use for it
    std::vector<std::shared_ptr<Waiter>> waiters;
    FlightPtr next;
    {
      const std::lock_guard lock(mutex_);
      ++computed_;
      flights_.erase(flight->key);
      waiters.swap(flight->waiters);
      next = take_next();
      if (!next) --running_;
    }
    for (const auto& waiter : waiters) deliver(waiter, answer);
    flight = std::move(next);
  }
}

// Called with the mutex held.
HashGate::FlightPtr HashGate::take_next() {
  if (stopping_ || room_.empty()) return nullptr;
  FlightPtr next = room_.front();
  drop_from_room(next);
  next->started = true;
  return next;
}

// Called with the mutex held.
void HashGate::drop_from_room(const FlightPtr& flight) {
  const auto place = std::find(room_.begin(), room_.end(), flight);
  if (place == room_.end()) return;
  room_.erase(place);
  const auto count = room_of_address_.find(flight->network);
  if (count != room_of_address_.end() && --count->second == 0) room_of_address_.erase(count);
}

bool HashGate::leave_room(const std::shared_ptr<Waiter>& waiter) {
  const std::lock_guard lock(mutex_);
  Flight& flight = *waiter->flight;
  if (flight.started) return false;
  std::erase(flight.waiters, waiter);
  if (flight.waiters.empty()) {
    drop_from_room(waiter->flight);
    flights_.erase(flight.key);
  }
  return true;
}

void HashGate::forget(const std::shared_ptr<Waiter>& waiter) {
  waiter->answer = nullptr;
  if (waiter->flight) leave_room(waiter);
}

base::Async<HashAnswer> HashGate::verify(crypto::Digest128 key, base::SecretString password, std::string phc,
                                         domain::Address address, base::IoThread& io, base::SteadyNs deadline) {
  base::OneShot<HashAnswer> answer;
  const auto waiter = std::make_shared<Waiter>(io);
  waiter->answer = &answer;
  // Also when this frame is destroyed while it waits: nobody may write into it afterwards.
  struct Leave {
    HashGate& gate;
    const std::shared_ptr<Waiter>& waiter;
    ~Leave() { gate.forget(waiter); }
  } leave{*this, waiter};
  if (!join(key, password, phc, address, waiter)) co_return HashAnswer::Overload;

  const base::SteadyNs room_deadline = std::min(deadline, io.clock().steady_ns() + settings_.wait_ms * base::kNsPerMs);
  base::Timer at_deadline([&answer] { answer.complete(HashAnswer::Deadline); });
  base::Timer at_room_deadline([&, this] {
    if (leave_room(waiter)) answer.complete(HashAnswer::Overload);
  });
  io.timers().arm(at_deadline, deadline);
  io.timers().arm(at_room_deadline, room_deadline);
  const HashAnswer result = co_await answer.wait();
  co_return result;
}

std::size_t HashGate::waiting() const {
  const std::lock_guard lock(mutex_);
  return room_.size();
}
std::size_t HashGate::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}
std::uint64_t HashGate::computed() const {
  const std::lock_guard lock(mutex_);
  return computed_;
}

}  // namespace funcgate::auth
