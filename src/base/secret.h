// SecretString: bytes that are wiped when they go and cannot be printed. Equality of secrets is decided here and nowhere else.
//
// Thread-safety: a plain value.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace funcgate::base {

// True if both are equal. Time depends on the lengths only. The one comparison of secrets in the product.
bool constant_time_equal(std::string_view a, std::string_view b);

// Overwrites `text` in a way the compiler must keep, then empties it.
void wipe(std::string& text);
// Overwrites what calls that have returned left on the stack of this thread, 128 KiB deep: libraries copy what they are given.
void wipe_stack();

class SecretString {
 public:
  SecretString() = default;
  explicit SecretString(std::string value) : value_(std::move(value)) {}
  SecretString(const SecretString&) = default;
  SecretString& operator=(const SecretString& other) {
    if (this != &other) {
      wipe(value_);
      value_ = other.value_;
    }
    return *this;
  }
  SecretString(SecretString&& other) noexcept : value_(other.value_) { wipe(other.value_); }
  SecretString& operator=(SecretString&& other) noexcept {
    if (this != &other) {
      wipe(value_);
      value_ = other.value_;
      wipe(other.value_);
    }
    return *this;
  }
  ~SecretString() { wipe(value_); }

  // The clear bytes. Valid while this object lives unchanged; never to be logged, stored or copied without need.
  std::string_view reveal() const { return value_; }
  std::size_t size() const { return value_.size(); }
  bool empty() const { return value_.empty(); }
  friend bool operator==(const SecretString& a, const SecretString& b) { return constant_time_equal(a.value_, b.value_); }

 private:
  std::string value_;
};

// A secret has no text form: fmt, streams and string concatenation do not compile.
template <class Stream>
Stream& operator<<(Stream&, const SecretString&) = delete;

}  // namespace funcgate::base
