#include "base/frame_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace funcgate::base {
namespace {

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kKept = false;
#else
constexpr bool kKept = true;
#endif

TEST(FramePool, AFrameIsUsedAgainAndHoldsNothingOfItsPast) {
  if (!kKept) GTEST_SKIP() << "nothing is kept under sanitizers";
  constexpr std::size_t kBytes = 1000;
  void* first = take_frame(kBytes);
  std::memset(first, 'S', kBytes);
  give_frame(first, kBytes);
  void* second = take_frame(kBytes - 10);  // of the same size class
  ASSERT_EQ(second, first);
  const auto* bytes = static_cast<const char*>(second);
  EXPECT_EQ(std::count(bytes, bytes + kBytes, 'S'), 0);
  give_frame(second, kBytes - 10);
}

TEST(FramePool, FramesOfEverySizeAreAlignedAndApart) {
  std::vector<std::pair<char*, std::size_t>> frames;
  for (std::size_t bytes : {1UL, 16UL, 127UL, 128UL, 129UL, 4096UL, 8191UL, 8192UL, 8193UL, 100'000UL}) {
    for (int repeat = 0; repeat < 3; ++repeat) {
      auto* frame = static_cast<char*>(take_frame(bytes));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(frame) % alignof(std::max_align_t), 0u) << bytes;
      std::memset(frame, static_cast<int>(frames.size()), bytes);
      frames.emplace_back(frame, bytes);
    }
  }
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto [frame, bytes] = frames[i];
    EXPECT_EQ(std::count(frame, frame + bytes, static_cast<char>(i)), static_cast<std::ptrdiff_t>(bytes)) << bytes;
    give_frame(frame, bytes);
  }
}

TEST(FramePool, AFrameMayBeGivenBackByAnotherThreadAlsoAsThatEnds) {
  std::vector<void*> frames(100);
  for (void*& frame : frames) frame = take_frame(2000);
  std::thread([&] {
    struct AtTheEnd {
      void* frame = nullptr;
      ~AtTheEnd() { give_frame(frame, 2000); }
    };
    thread_local AtTheEnd last;  // destroyed after what the pool keeps for this thread, or before: either must work
    last.frame = frames.back();
    for (std::size_t i = 0; i + 1 < frames.size(); ++i) give_frame(frames[i], 2000);
  }).join();
}

TEST(FramePool, KeepsNoMoreThanItsLimit) {
  std::vector<void*> frames(3 * kFrameBytesKept / 8192);
  for (void*& frame : frames) frame = take_frame(8192);
  for (void* frame : frames) give_frame(frame, 8192);  // memory checkers see the rest freed
  for (void*& frame : frames) frame = take_frame(8192);
  for (void* frame : frames) give_frame(frame, 8192);
}

}  // namespace
}  // namespace funcgate::base
