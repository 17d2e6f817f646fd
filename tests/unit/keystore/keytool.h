// The JDK's keytool, started for a test and waited for with a deadline.
#pragma once

#include <string>
#include <vector>

namespace funcgate::keystore {

struct KeytoolRun {
  int status = -1;     // exit status; -1: not started, killed, or too late
  std::string output;  // both streams
};

// `input` is what keytool reads as if typed. Fails the test, naming the package, if there is no keytool.
KeytoolRun keytool(const std::vector<std::string>& arguments, const std::string& input = {});

}  // namespace funcgate::keystore
