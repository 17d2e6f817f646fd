// Counts what operator new hands out on this thread, so that a test can say how often a path allocates.
// Link counting_allocator.cpp into the test that uses it.
#pragma once

#include <cstddef>

namespace funcgate::test {

// False in sanitizer builds, which bring their own operator new: skip what counts.
bool can_count_allocations();
std::size_t allocations_of_this_thread();
// Sum of what was asked for, whatever was given back since.
std::size_t allocated_bytes_of_this_thread();

// Allocations since it was made.
class AllocationCount {
 public:
  AllocationCount() : before_(allocations_of_this_thread()) {}
  std::size_t value() const { return allocations_of_this_thread() - before_; }

 private:
  std::size_t before_;
};

// Lets the n-th allocation of this thread from now on fail once, as if memory had run out; n = 1 is the next one.
class AllocationFault {
 public:
  explicit AllocationFault(std::size_t n);
  ~AllocationFault();
  AllocationFault(const AllocationFault&) = delete;
  AllocationFault& operator=(const AllocationFault&) = delete;
  // Whether it has failed.
  bool happened() const;
};

}  // namespace funcgate::test
