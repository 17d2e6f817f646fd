// FakeRandom: bytes that a test can foresee and that do not repeat: SplitMix64 from a seed.
#pragma once

#include <cstdint>
#include <mutex>

#include "base/random.h"

namespace funcgate::test {

class FakeRandom final : public base::Random {
 public:
  explicit FakeRandom(std::uint64_t seed = 1) : state_(seed) {}
  void fill(void* out, std::size_t size) override {
    const std::lock_guard lock(mutex_);
    auto* bytes = static_cast<unsigned char*>(out);
    for (std::size_t i = 0; i < size; ++i) {
      if (i % 8 == 0) next();
      bytes[i] = static_cast<unsigned char>(value_ >> (8 * (i % 8)));
    }
  }

 private:
  void next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    value_ = state_;
    value_ = (value_ ^ (value_ >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value_ = (value_ ^ (value_ >> 27)) * 0x94d049bb133111ebULL;
    value_ ^= value_ >> 31;
  }
  std::mutex mutex_;
  std::uint64_t state_, value_ = 0;
};

}  // namespace funcgate::test
