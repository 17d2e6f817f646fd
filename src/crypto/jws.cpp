#include "crypto/jws.h"

#include <strings.h>

#include <algorithm>
#include <cstring>

#include "base/encoding.h"
#include "base/json.h"
#include "base/text.h"

namespace funcgate::crypto {
namespace {

// A key of ours has three members in its header and six claims. More than these are nobody's honest token, and a bound on them
// bounds the search for repeated names.
constexpr std::size_t kMembersMax = 32;
constexpr unsigned kDepthMax = 6;
// 9999-12-31T23:59:59Z: a later time is a mistake, and leaves room for sums in milliseconds.
constexpr std::int64_t kTimeMaxS = 253402300799;

struct Value {
  enum class Kind : std::uint8_t { Text, Number, Texts, Other } kind = Kind::Other;
  std::string_view text;  // Text: decoded; Number: as written
  std::array<std::string_view, kJwsAudiencesMax> texts;
  std::size_t count = 0;  // Texts; may exceed the array: then only so many are kept
};

// Reads one JSON object (RFC 8259) of a buffer that it may write to. A text is decoded in place: it never grows, so what is
// overwritten has been read.
class ObjectReader {
 public:
  explicit ObjectReader(std::span<char> text) : text_(text.data()), size_(text.size()) {}

  // Calls on_member(name, value) for each member. False: it is not exactly one object, or breaks a rule.
  template <class OnMember>
  bool read(OnMember&& on_member) {
    if (!base::is_valid_utf8({text_, size_})) return false;
    blanks();
    if (!object(1, on_member)) return false;
    blanks();
    return at_ == size_;
  }

 private:
  bool eat(char c) {
    if (at_ == size_ || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void blanks() {
    while (at_ < size_ && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
  }

  template <class OnMember>
  bool object(unsigned depth, OnMember&& on_member) {
    if (depth > kDepthMax || !eat('{')) return false;
    blanks();
    if (eat('}')) return true;
    std::array<std::string_view, kMembersMax> names;
    for (std::size_t count = 0; count < kMembersMax; ++count) {
      blanks();
      std::string_view name;
      if (!text(name)) return false;
      const auto end = names.begin() + static_cast<std::ptrdiff_t>(count);
      if (std::find(names.begin(), end, name) != end) return false;
      *end = name;
      blanks();
      if (!eat(':')) return false;
      Value member;
      if (!value(depth, member)) return false;
      on_member(name, member);
      blanks();
      if (eat('}')) return true;
      if (!eat(',')) return false;
    }
    return false;
  }

  bool list(unsigned depth, Value& out) {
    if (depth > kDepthMax || !eat('[')) return false;
    out.kind = Value::Kind::Texts;
    blanks();
    if (eat(']')) return true;
    while (true) {
      Value element;
      if (!value(depth, element)) return false;
      if (element.kind != Value::Kind::Text) out.kind = Value::Kind::Other;
      if (out.count < out.texts.size()) out.texts[out.count] = element.text;
      ++out.count;
      blanks();
      if (eat(']')) return true;
      if (!eat(',')) return false;
    }
  }

  bool value(unsigned depth, Value& out) {
    blanks();
    if (at_ == size_) return false;
    switch (text_[at_]) {
      case '{': return object(depth + 1, [](std::string_view, const Value&) {});
      case '[': return list(depth + 1, out);
      case '"': out.kind = Value::Kind::Text; return text(out.text);
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: out.kind = Value::Kind::Number; return number(out.text);
    }
  }

  bool word(std::string_view expected) {
    if (std::string_view(text_ + at_, size_ - at_).substr(0, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  bool digits() {
    const std::size_t first = at_;
    while (at_ < size_ && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > first;
  }

  bool number(std::string_view& out) {
    const std::size_t begin = at_;
    eat('-');
    const std::size_t first = at_;
    if (!digits() || (text_[first] == '0' && at_ > first + 1)) return false;
    if (eat('.') && !digits()) return false;
    if (eat('e') || eat('E')) {
      if (!eat('+')) eat('-');
      if (!digits()) return false;
    }
    out = {text_ + begin, at_ - begin};
    return true;
  }

  bool text(std::string_view& out) {
    if (!eat('"')) return false;
    char* const begin = text_ + at_;
    char* end = begin;
    while (at_ < size_) {
      const char c = text_[at_++];
      if (c == '"') {
        out = {begin, static_cast<std::size_t>(end - begin)};
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        *end++ = c;
      } else if (!escape(end)) {
        return false;
      }
    }
    return false;
  }

  bool escape(char*& end) {
    static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    if (at_ == size_) return false;
    const std::size_t which = kFrom.find(text_[at_]);
    if (which != std::string_view::npos) {
      ++at_;
      *end++ = kTo[which];
      return true;
    }
    std::uint32_t code = 0, low = 0;
    if (!unit(code) || (code >= 0xdc00 && code <= 0xdfff)) return false;
    if (code >= 0xd800 && code <= 0xdbff) {
      if (!eat('\\') || !unit(low) || low < 0xdc00 || low > 0xdfff) return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    append(end, code);
    return true;
  }

  // The "uXXXX" of an escape.
  bool unit(std::uint32_t& out) {
    if (!eat('u')) return false;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int digit = at_ < size_ ? base::hex_value(text_[at_]) : -1;
      if (digit < 0) return false;
      out = out * 16 + static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  static void append(char*& end, std::uint32_t code) {
    const auto put = [&end](std::uint32_t byte) { *end++ = static_cast<char>(byte); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
      put(0xc0 | (code >> 6));
    } else {
      if (code < 0x10000) {
        put(0xe0 | (code >> 12));
      } else {
        put(0xf0 | (code >> 18));
        put(0x80 | ((code >> 12) & 0x3f));
      }
      put(0x80 | ((code >> 6) & 0x3f));
    }
    put(0x80 | (code & 0x3f));
  }

  char* const text_;
  const std::size_t size_;
  std::size_t at_ = 0;
};

struct Header {
  bool hs256 = false, allowed = true;
  std::string_view key_id;

  void take(std::string_view name, const Value& value) {
    const bool is_text = value.kind == Value::Kind::Text;
    if (name == "alg") {
      hs256 = is_text && value.text == "HS256";
    } else if (name == "typ") {
      allowed = allowed && is_text && value.text == "JWT";
    } else if (name == "kid") {
      if (is_text) key_id = value.text;
    } else if (name == "crit" || name == "jwk" || name == "jku" || name == "x5u" || name == "x5c") {
      allowed = false;
    }
  }
};

// Whole seconds in plain digits.
std::optional<std::int64_t> time_of(const Value& value) {
  if (value.kind != Value::Kind::Number) return std::nullopt;
  const auto seconds = base::parse_digits(value.text);
  return seconds && *seconds <= kTimeMaxS ? seconds : std::nullopt;
}

struct ClaimsReader {
  JwsClaims& claims;
  bool issued = false;

  void text(const Value& value, std::string_view& target) {
    claims.readable = claims.readable && value.kind == Value::Kind::Text;
    target = value.text;
  }
  void audience(const Value& value) {
    if (value.kind == Value::Kind::Text) return claims.add_audience(value.text);
    claims.readable = claims.readable && value.kind == Value::Kind::Texts && value.count <= value.texts.size();
    for (std::size_t i = 0; i < std::min(value.count, value.texts.size()); ++i) claims.add_audience(value.texts[i]);
  }
  void take(std::string_view name, const Value& value) {
    if (name == "iss") return text(value, claims.issuer);
    if (name == "sub") return text(value, claims.subject);
    if (name == "jti") return text(value, claims.id);
    if (name == "aud") return audience(value);
    const bool is_issued = name == "iat";
    if (!is_issued && name != "exp") return;
    const auto seconds = time_of(value);
    claims.readable = claims.readable && seconds.has_value();
    issued = issued || is_issued;
    if (is_issued) {
      claims.issued_at_s = seconds.value_or(0);
    } else {
      claims.expires_at_s = seconds;
    }
  }
};

}  // namespace

bool JwsClaims::has_audience(std::string_view audience) const {
  const auto end = audiences.begin() + static_cast<std::ptrdiff_t>(audience_count);
  return std::find(audiences.begin(), end, audience) != end;
}

CompactJws::CompactJws(std::string_view token) : token_(token), problem_(read()) {}

CompactJws::~CompactJws() { explicit_bzero(decoded_.data(), decoded_size_); }

JwsProblem CompactJws::read() {
  if (token_.size() > kJwsBytesMax) return JwsProblem::Malformed;
  const std::size_t first = token_.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token_.find('.', first + 1);
  // A third dot is not of the alphabet and fails below.
  if (second == std::string_view::npos) return JwsProblem::Malformed;
  signed_part_ = token_.substr(0, second);
  const std::array parts{token_.substr(0, first), token_.substr(first + 1, second - first - 1), token_.substr(second + 1)};
  std::array<std::span<char>, 3> decoded;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    char* const begin = decoded_.data() + decoded_size_;
    const auto size = base::base64url_decode_to(parts[i], begin, decoded_.size() - decoded_size_);
    if (!size) {
      decoded_size_ = decoded_.size();  // a failure may have written some of it
      return JwsProblem::Malformed;
    }
    decoded[i] = {begin, *size};
    decoded_size_ += *size;
  }
  signature_ = {decoded[2].data(), decoded[2].size()};
  Header header;
  ClaimsReader claims{claims_};
  const auto take_header = [&](std::string_view name, const Value& value) { header.take(name, value); };
  const auto take_claim = [&](std::string_view name, const Value& value) { claims.take(name, value); };
  if (!ObjectReader(decoded[0]).read(take_header) || !ObjectReader(decoded[1]).read(take_claim)) return JwsProblem::Malformed;
  claims_.readable = claims_.readable && claims.issued;
  if (!header.hs256 || !header.allowed) return JwsProblem::Algorithm;
  key_id_ = header.key_id;
  return JwsProblem::None;
}

const JwsClaims* CompactJws::verify(const HmacKey& key) const {
  if (problem_ != JwsProblem::None) return nullptr;
  return key.verify(signed_part_, signature_) ? &claims_ : nullptr;
}

base::Result<base::SecretString> sign_jws(const HmacKey& key, std::string_view kid, const JwsClaims& claims) {
  std::string header = R"({"alg":"HS256","typ":"JWT","kid":)";
  base::append_json_string(header, kid);
  header += '}';
  std::string body = "{\"iss\":";
  base::append_json_string(body, claims.issuer);
  body += ",\"sub\":";
  base::append_json_string(body, claims.subject);
  body += ",\"jti\":";
  base::append_json_string(body, claims.id);
  body += ",\"iat\":" + std::to_string(claims.issued_at_s);
  if (claims.expires_at_s) body += ",\"exp\":" + std::to_string(*claims.expires_at_s);
  body += ",\"aud\":[";
  for (std::size_t i = 0; i < claims.audience_count; ++i) {
    if (i > 0) body += ',';
    base::append_json_string(body, claims.audiences[i]);
  }
  body += "]}";
  const std::string signed_part = base::base64url_encode(header) + "." + base::base64url_encode(body);
  constexpr std::size_t kSignatureCharacters = 43;
  const std::size_t size = signed_part.size() + 1 + kSignatureCharacters;
  if (size > kJwsBytesMax) return base::Error{base::Code::InvalidArgument, "The claims are too long for a key.", {}};
  Digest256 digest = key.sign(signed_part);
  std::string signature = base::base64url_encode(as_view(digest));
  explicit_bzero(digest.data(), digest.size());
  std::string token;
  token.reserve(size);  // never moved: no copy is left behind
  token.append(signed_part).append(".").append(signature);
  base::wipe(signature);
  return base::SecretString(std::move(token));
}

}  // namespace funcgate::crypto
