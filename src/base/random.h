// Random: unpredictable bytes, injected so that a test can foresee them.
//
// Thread-safety: every method may be called from any thread.
#pragma once

#include <cstddef>
#include <string>

namespace funcgate::base {

class Random {
 public:
  virtual ~Random() = default;
  // Fills `size` bytes at `out`. Aborts if the kernel gives none: nothing may run on guessable randomness.
  virtual void fill(void* out, std::size_t size) = 0;

  std::string bytes(std::size_t size);
  // `length` characters of A-Z a-z 0-9, each about 5.95 bits.
  std::string alphanumeric(std::size_t length);
  void append_alphanumeric(std::string& out, std::size_t length);
  // The same into room that is there already.
  void write_alphanumeric(char* to, std::size_t length);
  // 8-4-4-4-12 upper-case hex, version 4 (RFC 9562, 5.4).
  std::string uuid_upper();
  void append_uuid_upper(std::string& out);
};

// getrandom(2), buffered per thread.
class SystemRandom final : public Random {
 public:
  void fill(void* out, std::size_t size) override;
};

}  // namespace funcgate::base
