#include "crypto/stream_random.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <thread>

namespace funcgate::crypto {
namespace {

TEST(StreamRandom, GivesNothingTwice) {
  StreamRandom random;
  std::set<std::string> seen;
  // Pieces of all sizes, of some hundred pools.
  for (std::size_t i = 0; i < 20'000; ++i) ASSERT_TRUE(seen.insert(random.bytes(16 + i % 48)).second) << i;
}

TEST(StreamRandom, OfAnotherThreadIsAnother) {
  StreamRandom random;
  std::array<std::string, 2> given;
  for (std::string& one : given) {
    std::thread other([&] { one = random.bytes(32); });
    other.join();
  }
  EXPECT_NE(given[0], given[1]);
  EXPECT_NE(random.bytes(32), given[1]);
}

TEST(StreamRandom, EveryBitIsAsOftenSetAsNot) {
  StreamRandom random;
  constexpr int kPieces = 20'000;
  std::array<int, std::size_t{24} * 8> set{};
  for (int i = 0; i < kPieces; ++i) {
    const std::string piece = random.bytes(24);
    for (std::size_t bit = 0; bit < set.size(); ++bit) set[bit] += (static_cast<unsigned char>(piece[bit / 8]) >> (bit % 8)) & 1;
  }
  // Ten times the standard deviation.
  for (std::size_t bit = 0; bit < set.size(); ++bit) EXPECT_NEAR(set[bit], kPieces / 2, 710) << bit;
}

TEST(StreamRandom, LargePiecesAreWhole) {
  StreamRandom random;
  for (const std::size_t size : {1023u, 1024u, 1025u, 4096u, 10'000u}) {
    const std::string piece = random.bytes(size);
    ASSERT_EQ(piece.size(), size);
    EXPECT_EQ(piece.find(std::string(8, '\0')), std::string::npos) << size;
  }
}

}  // namespace
}  // namespace funcgate::crypto
