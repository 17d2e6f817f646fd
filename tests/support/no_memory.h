// NoMemory: while it lives, this process gets at most `spare` further bytes of address space from the system.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <stdexcept>

namespace funcgate::test {

class NoMemory {
 public:
  explicit NoMemory(std::size_t spare) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    if (pages == 0 || ::getrlimit(RLIMIT_AS, &before_) != 0) throw std::runtime_error("the size of this process is unknown");
    rlimit now = before_;
    now.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + spare;
    if (::setrlimit(RLIMIT_AS, &now) != 0) throw std::runtime_error("the size of this process cannot be limited");
  }
  ~NoMemory() { ::setrlimit(RLIMIT_AS, &before_); }
  NoMemory(const NoMemory&) = delete;
  NoMemory& operator=(const NoMemory&) = delete;

 private:
  rlimit before_{};
};

}  // namespace funcgate::test
