// The grammar of a request head (RFC 9112, 2 to 5; RFC 9110, 5): which bytes may stand where. What they mean is decided
// elsewhere.
//
// Reads a head once, line by line, and gives views of it. Nothing is repaired and nothing is skipped: a byte that the grammar
// does not have in its place is a mistake. Where the RFCs let a server choose, the strict side is taken: no bare CR or LF
// (9112, 2.2), no folded lines (5.2), one SP between the parts of the request line (3), nothing in front of it. Bytes from 0x80
// on are taken as they are in values (obs-text) and in targets, where clients write them although RFC 3986 has none.
//
// Memory: only the bytes of the head are read and written. It ends with CR LF CR LF, which ends_well() tells and which must be so
// before anything is taken: no part of a line contains a CR, so that each search ends there at the latest.
// Functions that return `const char*` tell what is wrong, or nullptr. Not thread-safe: one object reads one head.
#pragma once

#include <string_view>

#include "base/byte_scan.h"
#include "base/text.h"
#include "domain/call.h"

namespace funcgate::http {

// request-line = method SP request-target SP HTTP-version
struct RequestLine {
  std::string_view method, target;
  std::string_view path, query;  // of the target, at its first '?'; an absolute target's path is the whole before it
  bool has_fragment = false;     // then path and query mean nothing
  bool http_1_0 = false;         // else HTTP/1.1
};

class HeadGrammar {
 public:
  HeadGrammar(char* head, std::size_t head_bytes)
      : head_(head), at_(head), end_(head + head_bytes), controls_(head, head, head + head_bytes, {}) {}

  bool ends_well() const { return std::string_view(head_, static_cast<std::size_t>(end_ - head_)).ends_with("\r\n\r\n"); }

  // First, and once. Bytes are lost to the optimiser as soon as they are written through a char*, unless they are in registers:
  // hence what reads lines is inlined into the one loop that asks for them.
  [[gnu::always_inline]] const char* take_request_line(RequestLine& line) {
    const char* const method = at_;
    at_ = skip_token(at_);
    if (*at_ != ' ' || at_ == method) return "The request line must begin with a method and a blank";
    line.method = since(method);
    const char* const target = ++at_;
    find_end_of_target(line);
    if (*at_ != ' ' || at_ == target) return mistake_in_target();
    line.target = since(target);
    ++at_;
    constexpr std::string_view kVersion = "HTTP/1.", kEnd = "\r\n";
    const std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
    const char minor = rest.size() > 10 ? rest[7] : '\0';
    if (!rest.starts_with(kVersion) || (minor != '1' && minor != '0') || rest.substr(8, 2) != kEnd) return kNoVersion;
    line.http_1_0 = minor == '0';
    at_ += kVersion.size() + 1 + kEnd.size();
    return nullptr;
  }

  bool has_field() const { return end_ - at_ > 2; }

  // field-line = field-name ":" OWS field-value OWS CRLF. Makes the name lower case where it stands.
  [[gnu::always_inline]] const char* take_field(domain::Header& field) {
    const char* const name = at_;
    at_ = base::skip_plain_word(at_, end_);
    if (*at_ != ':') [[unlikely]]
      at_ = skip_token(at_);
    if (*at_ != ':' || at_ == name) return mistake_in_name(name);
    field.name = since(name);
    do ++at_;
    while (is_blank(*at_));
    const char* const value = at_;
    if (const char* mistake = take_line_end()) return mistake;
    const char* last = at_ - 2;
    while (last != value && is_blank(last[-1])) --last;
    field.value = {value, static_cast<std::size_t>(last - value)};
    char* const writable = head_ + (name - head_);
    base::lower_in_place(writable, writable + field.name.size(), end_);
    return nullptr;
  }

 private:
  struct IsControl {
    auto operator()(auto word) const { return base::has_below(word, 0x20) | base::has_byte(word, 0x7f); }
  };
  static constexpr const char* kNoVersion = "The request line must end with HTTP/1.1 or HTTP/1.0";

  static bool is_blank(char c) { return c == ' ' || c == '\t'; }
  // Out of line, because the loops around it are lean without it: nearly all names are plain words.
  [[gnu::noinline]] static const char* skip_token(const char* from) {
    while (base::is_token_character(*from)) ++from;
    return from;
  }
  std::string_view since(const char* begin) const { return {begin, static_cast<std::size_t>(at_ - begin)}; }
  template <class Test>
  [[gnu::always_inline]] void find(Test test) {
    at_ = base::find_byte(at_, end_, test);
  }

  [[gnu::always_inline]] void find_end_of_target(RequestLine& line) {
    const auto ends = [](auto word) { return base::has_below(word, 0x21) | base::has_byte(word, 0x7f); };
    const char* const target = at_;
    find([ends](auto word) { return ends(word) | base::has_byte(word, '?') | base::has_byte(word, '#'); });
    line.path = since(target);
    if (*at_ == '?') {
      const char* const query = ++at_;
      find([ends](auto word) { return ends(word) | base::has_byte(word, '#'); });
      line.query = since(query);
    }
    if (*at_ == '#') {
      line.has_fragment = true;
      find(ends);
    }
  }

  // From anywhere in a line. The LF of the line before is still among the controls.
  [[gnu::always_inline]] const char* take_line_end() {
    const char* control;
    do control = controls_.next();
    while (control < at_ || *control == '\t');
    at_ = control;
    if (at_[0] != '\r' || at_[1] != '\n') return mistake_in_value();
    at_ += 2;
    return nullptr;
  }

  const char* mistake_in_target() const {
    if (*at_ == ' ') return "The request line must have one blank between its parts";
    return *at_ == '\r' ? kNoVersion : "The target has a control character";
  }
  static const char* mistake_in_name(const char* name) {
    return is_blank(*name) ? "A header is folded over several lines" : "A header must begin with its name and a colon";
  }
  const char* mistake_in_value() const {
    return *at_ == '\r' || *at_ == '\n' ? "A line must end with CR LF" : "A header has a control character";
  }

  char* const head_;
  const char* at_;  // of what was not taken yet
  const char* end_;
  base::FoundBytes<IsControl> controls_;
};

}  // namespace funcgate::http
