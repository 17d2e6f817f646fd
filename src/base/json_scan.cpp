#include "base/json_scan.h"

#include <unordered_set>

#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::base {
namespace {

using Paths = std::vector<std::vector<std::string>>;

class Scanner {
 public:
  Scanner(std::string_view text, unsigned depth_max, const Paths* paths)
      : text_(text), depth_max_(depth_max), paths_(paths), members_(paths == nullptr ? 0 : paths->size()) {}

  bool document() {
    if (!is_valid_utf8(text_)) return fail("the text is not UTF-8");
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < members_.size(); ++i) all.push_back(i);
    blanks();
    if (!value(1, 0, all)) return false;
    blanks();
    return at_ == text_.size() || fail("unexpected text after the value");
  }

  JsonProblem problem() const { return {problem_at_, problem_}; }
  std::vector<JsonMember> take_members() { return std::move(members_); }

 private:
  bool fail(const char* what) {
    if (problem_.empty()) {
      problem_ = what;
      problem_at_ = at_;
    }
    return false;
  }
  bool eat(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
  }

  // `candidates`: indexes of paths whose first `level` names led here.
  bool value(unsigned depth, std::size_t level, const std::vector<std::size_t>& candidates) {
    if (at_ >= text_.size()) return fail("the text ends where a value is expected");
    switch (text_[at_]) {
      case '{': return depth <= depth_max_ ? object(depth, level, candidates) : fail("nested too deeply");
      case '[': return depth <= depth_max_ ? array(depth) : fail("nested too deeply");
      case '"': return string(nullptr);
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return fail("unknown word");
    at_ += expected.size();
    return true;
  }

  bool digits() {
    const std::size_t first = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > first;
  }

  bool number() {
    eat('-');
    const std::size_t first = at_;
    if (!digits()) return fail("a value is expected");
    if (text_[first] == '0' && at_ > first + 1) return fail("a number cannot start with 0");
    if (eat('.') && !digits()) return fail("digits are expected after the point");
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (!eat('+')) eat('-');
      if (!digits()) return fail("digits are expected in the exponent");
    }
    return true;
  }

  bool unicode_escape(std::uint32_t& unit) {
    unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int digit = at_ < text_.size() ? hex_value(text_[at_]) : -1;
      if (digit < 0) return fail("\\u needs four hex digits");
      unit = unit * 16 + static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  static void append_code_point(std::string& out, std::uint32_t code) {
    if (code < 0x80) {
      out.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
      out.push_back(static_cast<char>(0xc0 | (code >> 6)));
      out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
      out.push_back(static_cast<char>(0xe0 | (code >> 12)));
      out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3f)));
      out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
    } else {
      out.push_back(static_cast<char>(0xf0 | (code >> 18)));
      out.push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3f)));
      out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3f)));
      out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
    }
  }

  bool escape(std::string* out) {
    static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    const std::size_t which = at_ < text_.size() ? kFrom.find(text_[at_]) : std::string_view::npos;
    if (which != std::string_view::npos) {
      ++at_;
      if (out != nullptr) out->push_back(kTo[which]);
      return true;
    }
    if (!eat('u')) return fail("unknown escape");
    std::uint32_t code = 0, low = 0;
    if (!unicode_escape(code)) return false;
    if (code >= 0xdc00 && code <= 0xdfff) return fail("lone surrogate");
    if (code >= 0xd800 && code <= 0xdbff) {
      if (!eat('\\') || !eat('u') || !unicode_escape(low) || low < 0xdc00 || low > 0xdfff) return fail("lone surrogate");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (out != nullptr) append_code_point(*out, code);
    return true;
  }

  bool string(std::string* out) {
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) return fail("a control character in a string must be escaped");
      ++at_;
      if (c == '\\') {
        if (!escape(out)) return false;
      } else if (out != nullptr) {
        out->push_back(c);
      }
    }
    return fail("a string does not end");
  }

  bool array(unsigned depth) {
    static const std::vector<std::size_t> kNone;
    ++at_;
    blanks();
    if (eat(']')) return true;
    while (true) {
      blanks();
      if (!value(depth + 1, 0, kNone)) return false;
      blanks();
      if (eat(']')) return true;
      if (!eat(',')) return fail("',' or ']' is expected");
    }
  }

  // Names seen in one object. Few are compared one by one, many by hash: an attacker chooses how many there are.
  class Names {
   public:
    bool add(std::string name) {
      if (few_.size() < 16) {
        for (const std::string& other : few_) {
          if (other == name) return false;
        }
        few_.push_back(std::move(name));
        return true;
      }
      if (many_.empty()) many_.insert(few_.begin(), few_.end());
      return many_.insert(std::move(name)).second;
    }

   private:
    std::vector<std::string> few_;
    std::unordered_set<std::string> many_;
  };

  bool object(unsigned depth, std::size_t level, const std::vector<std::size_t>& candidates) {
    ++at_;
    blanks();
    if (eat('}')) return true;
    Names names;
    while (true) {
      blanks();
      const std::size_t member_begin = at_;
      if (at_ >= text_.size() || text_[at_] != '"') return fail("a member name is expected");
      std::string name;
      if (!string(&name)) return false;
      std::vector<std::size_t> deeper, exact;
      for (std::size_t index : candidates) {
        const auto& path = (*paths_)[index];
        if (path[level] == name) (path.size() == level + 1 ? exact : deeper).push_back(index);
      }
      if (!names.add(std::move(name))) return fail("a member name is repeated");
      blanks();
      if (!eat(':')) return fail("':' is expected");
      blanks();
      const std::size_t value_begin = at_;
      const bool is_string = at_ < text_.size() && text_[at_] == '"';
      std::string decoded;
      if (is_string ? !string(exact.empty() ? nullptr : &decoded) : !value(depth + 1, level + 1, deeper)) return false;
      for (std::size_t index : exact) {
        JsonMember& member = members_[index];
        member = {true, member_begin, at_, value_begin, at_, std::nullopt};
        if (is_string) member.string_value = decoded;
      }
      blanks();
      if (eat('}')) return true;
      if (!eat(',')) return fail("',' or '}' is expected");
    }
  }

  std::string_view text_;
  unsigned depth_max_;
  const Paths* paths_;
  std::vector<JsonMember> members_;
  std::size_t at_ = 0;
  std::string problem_;
  std::size_t problem_at_ = 0;
};

}  // namespace

std::optional<JsonProblem> validate_json(std::string_view text, unsigned depth_max) {
  Scanner scanner(text, depth_max, nullptr);
  if (scanner.document()) return std::nullopt;
  return scanner.problem();
}

std::vector<std::string> parse_member_path(std::string_view path) {
  std::vector<std::string> names(1);
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 1 < path.size() && (path[i + 1] == '.' || path[i + 1] == '\\')) {
      names.back().push_back(path[++i]);
    } else if (path[i] == '.') {
      names.emplace_back();
    } else {
      names.back().push_back(path[i]);
    }
  }
  return names;
}

std::optional<std::vector<JsonMember>> find_members(std::string_view text, const Paths& paths, unsigned depth_max) {
  Scanner scanner(text, depth_max, &paths);
  if (!scanner.document()) return std::nullopt;
  return scanner.take_members();
}

std::optional<std::string> remove_members(std::string_view text, const Paths& paths, bool& removed, unsigned depth_max) {
  // One member at a time: after each cut the offsets of the others are found anew. Rare and short, so clarity wins.
  std::string out(text);
  removed = false;
  while (true) {
    const auto members = find_members(out, paths, depth_max);
    if (!members) return std::nullopt;
    const JsonMember* next = nullptr;
    for (const JsonMember& member : *members) {
      if (member.found) next = &member;
    }
    if (next == nullptr) return out;
    std::size_t begin = next->member_begin, end = next->member_end;
    const std::size_t after = out.find_first_not_of(" \t\r\n", end);
    if (after != std::string::npos && out[after] == ',') {
      end = after + 1;
    } else {
      const std::size_t before = out.find_last_not_of(" \t\r\n", begin - 1);
      if (before != std::string::npos && out[before] == ',') begin = before;
    }
    out.erase(begin, end - begin);
    removed = true;
  }
}

}  // namespace funcgate::base
