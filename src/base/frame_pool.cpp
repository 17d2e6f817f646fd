#include "base/frame_pool.h"

#include <array>
#include <cstring>
#include <new>

namespace funcgate::base {
namespace {

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool kKeepsFrames = false;
#else
constexpr bool kKeepsFrames = true;
#endif

constexpr std::size_t kStep = 128, kClasses = 64;  // frames of more than 8 KiB are rare and go to the ordinary allocator

struct Free {
  Free* next;
};

// Without a constructor and a destructor, so that to look at it costs nothing, and it may be asked when the thread ends.
struct Lists {
  std::array<Free*, kClasses> heads;
  std::size_t bytes;
  bool gone;
};
constinit thread_local Lists lists{};

// Gives everything back as the thread ends; made with the first frame that is kept.
struct Keeper {
  bool keeps = true;
  ~Keeper() {
    lists.gone = true;
    for (Free*& head : lists.heads) {
      while (head != nullptr) {
        Free* next = head->next;
        ::operator delete(head);
        head = next;
      }
    }
  }
};
thread_local Keeper keeper;

std::size_t class_of(std::size_t bytes) { return (bytes - 1) / kStep; }
std::size_t size_of_class(std::size_t number) { return (number + 1) * kStep; }

}  // namespace

void* take_frame(std::size_t bytes) {
  const std::size_t number = class_of(bytes);
  if (!kKeepsFrames || number >= kClasses) return ::operator new(bytes);
  if (Free* head = lists.heads[number]; head != nullptr) {
    lists.heads[number] = head->next;
    lists.bytes -= size_of_class(number);
    return head;
  }
  return ::operator new(size_of_class(number));
}

void give_frame(void* frame, std::size_t bytes) noexcept {
  const std::size_t number = class_of(bytes);
  if (!kKeepsFrames || number >= kClasses) {
    ::operator delete(frame, bytes);
    return;
  }
  const std::size_t size = size_of_class(number);
  if (lists.gone || lists.bytes + size > kFrameBytesKept || (lists.bytes == 0 && !keeper.keeps)) {
    ::operator delete(frame, size);
    return;
  }
  explicit_bzero(frame, bytes);
  lists.heads[number] = new (frame) Free{lists.heads[number]};
  lists.bytes += size;
}

}  // namespace funcgate::base
