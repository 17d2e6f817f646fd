// JsonOutput: what a JsonWriter makes, by way of a buffer that stays in the processor's cache. Who writes looks for room once per
// text or number instead of once per byte.
//
// Thread-safety: none.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace funcgate::worker {

class JsonOutput {
 public:
  JsonOutput() = default;
  JsonOutput(const JsonOutput&) = delete;
  JsonOutput& operator=(const JsonOutput&) = delete;

  static constexpr std::size_t kRoomBytesMax = 8 << 10;

  // What follows goes to the end of `text`, until end(); not while another text has not ended.
  void begin(std::string& text) { text_ = &text; }
  void end() {
    flush();
    text_ = nullptr;
  }
  // Instead of end(), for who could not finish: what is still here is dropped.
  void abandon() noexcept {
    at_ = bytes_.data();
    text_ = nullptr;
  }
  // Where `bytes` bytes, at most kRoomBytesMax, can be written; wrote() tells how far they were used.
  char* room(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes) flush();
    return at_;
  }
  void wrote(char* end) { at_ = end; }
  void put(char c) {
    *room(1) = c;
    ++at_;
  }
  // At most kRoomBytesMax bytes.
  void put(std::string_view text) { at_ += text.copy(room(text.size()), text.size()); }
  void put_large(std::string_view text) {
    flush();
    text_->append(text);
  }
  // Of the whole text.
  std::size_t size() const { return text_->size() + static_cast<std::size_t>(at_ - bytes_.data()); }

 private:
  void flush() {
    text_->append(bytes_.data(), at_);
    at_ = bytes_.data();
  }

  std::string* text_ = nullptr;
  std::array<char, 2 * kRoomBytesMax> bytes_;
  char* at_ = bytes_.data();
  char* const end_ = bytes_.data() + bytes_.size();
};

}  // namespace funcgate::worker
