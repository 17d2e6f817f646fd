// ApiPath: how the path of a published API was spelt, in one byte: with the id of the API it is the path again, byte for byte, so
// that a record of a call needs no copy of it. What is no such path has none; it is never longer than kBytesMax.
//
// Thread-safety: a plain value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace funcgate::domain {

class ApiPath {
 public:
  static constexpr std::string_view kPrefix = "/api/v1/";
  static constexpr std::array<std::string_view, 4> kWords{"func-api", "al", "sync", "async"};
  static constexpr std::array<std::string_view, 3> kForms{"normal", "s", "simplified"};
  static constexpr std::size_t kIdBytesMax = 60;  // as base::is_object_id()
  static constexpr std::size_t kBytesMax = kPrefix.size() + 8 + 1 + kIdBytesMax + 1 + 10;
  static constexpr std::uint8_t kCodesEnd = (4U << 2 | 3U) + 1;

  ApiPath() = default;  // none
  // Places in kWords and kForms; `form` kForms.size(): the path ends with the id.
  constexpr ApiPath(std::size_t word, std::size_t form) : code_(static_cast<std::uint8_t>((word + 1) << 2 | form)) {}
  // What code() gave; none for any other number.
  static constexpr ApiPath of_code(std::uint8_t code) {
    ApiPath path;
    if (code >= 4 && code < kCodesEnd) path.code_ = code;
    return path;
  }

  bool none() const { return code_ == 0; }
  std::uint8_t code() const { return code_; }
  bool operator==(const ApiPath&) const = default;
  // Empty: none.
  std::string text(std::string_view id) const {
    if (none()) return {};
    std::string out(kPrefix);
    out.append(kWords[static_cast<std::size_t>(code_ >> 2) - 1]).append("/").append(id.substr(0, kIdBytesMax));
    const std::size_t form = code_ & 3U;
    if (form < kForms.size()) out.append("/").append(kForms[form]);
    return out;
  }

 private:
  std::uint8_t code_ = 0;  // word + 1, then two bits of the form
};

}  // namespace funcgate::domain
