#include "worker/print_log.h"

#include <fmt/format.h>

#include "base/text.h"

namespace funcgate::worker {
namespace {

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

// Bytes of the first `count` characters of `text`.
std::size_t bytes_of(std::string_view text, std::size_t count) {
  if (text.size() <= count) return text.size();
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (begins_character(text[at]) && count-- == 0) break;
  }
  return at;
}

}  // namespace

void PrintLog::write(std::string_view text, base::SteadyNs now) {
  if (text.empty()) return;
  if (!used_) {
    used_ = true;
    line_.clear();
    head_.clear();
    tail_.clear();
    line_characters_ = head_characters_ = tail_characters_ = dropped_characters_ = 0;
  }
  for (;;) {
    const auto stop = text.find('\n');
    add_to_line(text.substr(0, stop));
    if (stop == std::string_view::npos) return;
    end_line(now);
    text.remove_prefix(stop + 1);
    if (text.empty()) return;
  }
}

void PrintLog::add_to_line(std::string_view text) {
  if (line_characters_ >= kLineCharactersMax) return;
  const std::string_view kept = text.substr(0, bytes_of(text, kLineCharactersMax - line_characters_));
  line_ += kept;
  line_characters_ += base::utf8_length(kept);
  if (kept.size() < text.size()) line_ += "…";
}

void PrintLog::end_line(base::SteadyNs now) {
  add(fmt::format("[{} ms, +{} ms] {}\n", (now - start_ns_) / base::kNsPerMs, (now - last_ns_) / base::kNsPerMs, line_));
  last_ns_ = now;
  line_.clear();
  line_characters_ = 0;
}

void PrintLog::add(std::string_view text) {
  if (head_characters_ < kHeadCharacters) {
    const std::size_t bytes = bytes_of(text, kHeadCharacters - head_characters_);
    head_ += text.substr(0, bytes);
    head_characters_ += base::utf8_length(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  if (text.empty()) return;
  tail_ += text;
  tail_characters_ += base::utf8_length(text);
  // Trimmed only now and then, so that a line costs its own length and not that of the tail.
  if (tail_characters_ > 2 * kTailCharacters) {
    const std::size_t surplus = tail_characters_ - kTailCharacters;
    tail_.erase(0, bytes_of(tail_, surplus));
    tail_characters_ = kTailCharacters;
    dropped_characters_ += surplus;
  }
}

std::string_view PrintLog::finish(base::SteadyNs now) {
  if (!used_) return {};
  if (line_characters_ > 0) end_line(now);
  if (tail_characters_ > kTailCharacters) {
    const std::size_t surplus = tail_characters_ - kTailCharacters;
    tail_.erase(0, bytes_of(tail_, surplus));
    tail_characters_ = kTailCharacters;
    dropped_characters_ += surplus;
  }
  if (dropped_characters_ > 0) head_ += fmt::format("\n… {} characters left out …\n", dropped_characters_);
  head_ += tail_;
  tail_.clear();
  tail_characters_ = 0;
  return head_;
}

}  // namespace funcgate::worker
