// Scheduling: which of our threads let others go first when the processors are busy.
//
// Who waits for an answer waits for io threads and workers: they keep the system's default. What works behind them says here how
// far it steps aside. Needs no privilege; what a kernel does not know or refuses is left out, and the work is done all the same.
#pragma once

namespace funcgate::base {

enum class Priority {
  Normal,
  // Takes its full share, but whoever wakes up goes first: for what comes in bursts and may wait for a moment.
  Patient,
  // Besides gets only a tenth of the time of a busy thread: for work that takes much time, that strangers can ask for and that
  // holds nothing others wait for, like hashing passwords. A mutex in its hands would be held ten times as long.
  Background,
};

// Of the calling thread, from now on.
void step_aside(Priority priority);
// For a Patient thread, between pieces of its work: whoever else wants this processor goes first, and stays ahead for some
// milliseconds of its time (since Linux 6.18; before, once). Without it somebody who was interrupted and has worked more than
// this thread of late waits until this one sleeps, or for the next tick. If nobody wants the processor, nothing happens.
void let_others_go_first();

}  // namespace funcgate::base
