// Scheduling: which of our threads let others go first when the processors are busy.
//
// Who waits for an answer waits for io threads and workers: they keep the system's default. What works behind them says here how
// far it steps aside. Needs no privilege; what a kernel does not know or refuses is left out, and the work is done all the same.
#pragma once

namespace funcgate::base {

enum class Priority {
  Normal,
  // Takes its full share, but whoever wakes up goes first: for work that must keep up with the calls and that nobody waits for.
  Patient,
  // Besides gets only a tenth of the time of a busy thread: for work that strangers can ask for, like hashing passwords.
  Background,
};

// Of the calling thread, from now on.
void step_aside(Priority priority);

}  // namespace funcgate::base
