// What the files of this program share.
//
// A benchmark is called STEP, or STEP|OTHER if it is what STEP is compared with; bench/micro.py knows them all. Each CHECKs that
// what it measures is right, so that no figure is made of a refusal. Thread-safety: everything on the main thread.
#pragma once

namespace funcgate::micro {

// Starts Python and registers the benchmarks that need it. False: Python does not start; says why on standard error.
bool register_json();

}  // namespace funcgate::micro
