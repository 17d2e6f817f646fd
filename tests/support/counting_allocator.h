// Counts what operator new hands out on this thread, so that a test can say how often a path allocates.
// Link counting_allocator.cpp into the test that uses it.
#pragma once

#include <cstddef>

namespace funcgate::test {

// False in sanitizer builds, which bring their own operator new: skip what counts.
bool can_count_allocations();
std::size_t allocations_of_this_thread();

// Allocations since it was made.
class AllocationCount {
 public:
  AllocationCount() : before_(allocations_of_this_thread()) {}
  std::size_t value() const { return allocations_of_this_thread() - before_; }

 private:
  std::size_t before_;
};

}  // namespace funcgate::test
