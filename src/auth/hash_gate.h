// HashGate: the only way to Argon2id. At most `concurrency` hashes run at a time, a bounded room waits, equal credentials in
// flight share one hash.
//
// Thread-safety: any thread may ask; the answer comes back on the asking IoThread. The gate must be destroyed before the
// IoThreads it answers to, and after their last coroutine has ended.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/async.h"
#include "base/blocking_pool.h"
#include "base/clock.h"
#include "base/io_thread.h"
#include "base/secret.h"
#include "crypto/keyed_hash.h"
#include "domain/address.h"

namespace funcgate::auth {

struct HashGateSettings {
  std::size_t concurrency = 1;
  std::size_t waiting_max = 64;             // credentials, not callers: those who share a hash take one place
  std::size_t waiting_per_address_max = 4;  // per client network
  std::int64_t wait_ms = 2000;              // for the hash to begin
};

// Whether a password is right, and whether its hash was made under a pepper that was retired since.
struct PasswordVerdict {
  bool right = false, retired_pepper = false;
  PasswordVerdict(bool is_right, bool is_retired = false) : right(is_right), retired_pepper(is_retired) {}  // NOLINT: from a bool
};
// Whether `password` belongs to the PHC string `phc`. Called on the gate's threads, takes tens of milliseconds; what it throws
// becomes HashAnswer::Fault. It is what decides at which priority the processor's part of the work is done.
using PasswordVerifier = std::function<PasswordVerdict(std::string_view password, std::string_view phc)>;
PasswordVerifier argon2_verifier(base::SecretString pepper);

// RightRetired: right, but the hash shall be made anew under the current pepper. Fault: the hash could not be computed (out of
// memory); nobody knows whether the password is right.
enum class HashAnswer : std::uint8_t { Right, RightRetired, Wrong, Overload, Deadline, Fault };

class HashGate {
 public:
  HashGate(HashGateSettings settings, PasswordVerifier verify);
  // Ends the hashes that run; those that wait are dropped.
  ~HashGate();
  HashGate(const HashGate&) = delete;
  HashGate& operator=(const HashGate&) = delete;

  // `key` identifies the credential together with what it is verified against; only callers with that very key share an
  // answer. Ends by `deadline`. A caller that is destroyed while it waits neither cancels nor delays anybody else.
  base::Async<HashAnswer> verify(crypto::Digest128 key, base::SecretString password, std::string phc, domain::Address address,
                                 base::IoThread& io, base::SteadyNs deadline);

  // For metrics: credentials waiting and running; hashes computed so far.
  std::size_t waiting() const;
  std::size_t running() const;
  std::uint64_t computed() const;

 private:
  struct Waiter;
  struct Flight;
  using FlightPtr = std::shared_ptr<Flight>;
  struct AddressHash {
    std::size_t operator()(const domain::Address& address) const { return address.hash(); }
  };
  bool join(const crypto::Digest128& key, base::SecretString& password, std::string& phc, const domain::Address& address,
            const std::shared_ptr<Waiter>& waiter);
  // True: the hash has not begun, so the waiter is gone from the room. False: it runs, or its answer is on the way.
  bool leave_room(const std::shared_ptr<Waiter>& waiter);
  void forget(const std::shared_ptr<Waiter>& waiter);
  bool has_place(const domain::Address& network) const;
  void wait_in_room(const FlightPtr& flight);
  void start(const FlightPtr& flight);
  HashAnswer compute(const Flight& flight) const;
  static void deliver(const std::shared_ptr<Waiter>& waiter, HashAnswer answer);
  void run(FlightPtr flight);
  FlightPtr take_next();
  void drop_from_room(const FlightPtr& flight);

  // constant after construction
  const HashGateSettings settings_;
  const PasswordVerifier verify_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::unordered_map<crypto::Digest128, FlightPtr, crypto::Digest128Hash> flights_;
  std::deque<FlightPtr> room_;
  std::unordered_map<domain::Address, std::size_t, AddressHash> room_of_address_;
  std::size_t running_ = 0;
  std::uint64_t computed_ = 0;
  bool stopping_ = false;
  // last, so that its threads end first
  std::unique_ptr<base::BlockingPool> pool_;
};

}  // namespace funcgate::auth
