#include "auth/authorization_header.h"

#include <algorithm>
#include <iterator>

#include "base/encoding.h"
#include "base/text.h"

namespace funcgate::auth {
namespace {

constexpr std::size_t kDigestBytesMax = 8192;

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Reads name=value pairs from left to right; every byte is looked at once.
class ParameterReader {
 public:
  // `scratch` has room for all of `text`.
  ParameterReader(std::string_view text, char* scratch, std::size_t& scratch_used)
      : at_(text.data()), end_(text.data() + text.size()), scratch_(scratch), scratch_used_(scratch_used) {}

  // False at the end of the list or when it is malformed; failed() tells which.
  bool next(std::string_view& name, std::string_view& value) {
    const char* at = at_;
    while (at != end_ && (is_blank(*at) || *at == ',')) ++at;
    if (at == end_) return false;
    const char* const begin = at;
    while (at != end_ && base::is_token_character(*at)) ++at;
    name = {begin, at};
    at = after_blanks(at);
    if (name.empty() || at == end_ || *at != '=') return fail();
    at = after_blanks(at + 1);
    at = at != end_ && *at == '"' ? quoted_value(at + 1, value) : bare_value(at, value);
    if (at == nullptr) return fail();
    at_ = after_blanks(at);
    return at_ == end_ || *at_ == ',' || fail();
  }
  bool failed() const { return failed_; }

 private:
  bool fail() {
    failed_ = true;
    return false;
  }
  const char* after_blanks(const char* at) const {
    while (at != end_ && is_blank(*at)) ++at;
    return at;
  }

  // Each returns what follows the value that begins at `at`; null: it is malformed.

  // Lenient where clients are: a bare uri has slashes and equal signs. A comma or a blank ends it.
  const char* bare_value(const char* at, std::string_view& value) const {
    const char* const begin = at;
    for (; at != end_ && *at != ',' && !is_blank(*at); ++at) {
      if (*at == '"' || *at == '\\' || is_control(*at)) return nullptr;
    }
    value = {begin, at};
    return value.empty() ? nullptr : at;
  }

  const char* quoted_value(const char* begin, std::string_view& value) {
    const char* const at = begin + base::plain_quoted_length({begin, end_});
    if (at == end_ || *at != '"') return escaped_value(begin, value);
    value = {begin, at};
    return at + 1;
  }

  const char* escaped_value(const char* at, std::string_view& value) {
    const std::size_t start = scratch_used_;
    for (; at != end_ && *at != '"'; ++at) {
      if (*at == '\\' && ++at == end_) return nullptr;
      if (is_control(*at) && *at != '\t') return nullptr;
      scratch_[scratch_used_++] = *at;  // fits: all values together are shorter than the header
    }
    if (at == end_) return nullptr;
    value = {scratch_ + start, scratch_used_ - start};
    return at + 1;
  }

  const char* at_;
  const char* const end_;
  char* const scratch_;
  std::size_t& scratch_used_;
  bool failed_ = false;
};

template <class Parameters>
struct ParameterRow {
  std::string_view name;
  std::optional<std::string_view> Parameters::* member;
};

// Fills the members of `out` that the rows name; false: malformed, too long, or one of them is there twice.
template <class Parameters, std::size_t Rows>
bool read_parameters(std::string_view text, const ParameterRow<Parameters> (&rows)[Rows], Parameters& out) {
  if (text.size() > kDigestBytesMax) return false;
  ParameterReader reader(text, out.scratch.data(), out.scratch_used);
  std::string_view name, value;
  while (reader.next(name, value)) {
    const char first = base::ascii_lower(name.front());  // tells most of them apart
    const auto* const row = std::find_if(std::begin(rows), std::end(rows), [&](const auto& one) {
      return first == one.name.front() && (name == one.name || base::equals_ignore_case(name, one.name));
    });
    if (row == std::end(rows)) continue;
    auto& target = out.*row->member;
    if (target.has_value()) return false;
    target = value;
  }
  return !reader.failed();
}

}  // namespace

AuthorizationParts split_authorization(std::string_view authorization) {
  const std::size_t end = authorization.find(' ');
  if (end == std::string_view::npos) return {authorization, {}};
  const std::size_t rest = authorization.find_first_not_of(' ', end);
  return {authorization.substr(0, end), rest == std::string_view::npos ? std::string_view() : authorization.substr(rest)};
}

bool is_scheme(std::string_view authorization, std::string_view scheme) {
  return base::equals_ignore_case(split_authorization(authorization).scheme, scheme);
}

bool parse_digest_parameters(std::string_view rest, DigestParameters& out) {
  static constexpr ParameterRow<DigestParameters> kRows[] = {
      {"username", &DigestParameters::username},
      {"username*", &DigestParameters::username_extended},
      {"realm", &DigestParameters::realm},
      {"nonce", &DigestParameters::nonce},
      {"uri", &DigestParameters::uri},
      {"response", &DigestParameters::response},
      {"algorithm", &DigestParameters::algorithm},
      {"cnonce", &DigestParameters::cnonce},
      {"opaque", &DigestParameters::opaque},
      {"qop", &DigestParameters::qop},
      {"nc", &DigestParameters::nc},
      {"userhash", &DigestParameters::userhash},
  };
  return read_parameters(rest, kRows, out);
}

bool parse_digest_offer(std::string_view rest, DigestOffer& out) {
  static constexpr ParameterRow<DigestOffer> kRows[] = {
      {"realm", &DigestOffer::realm},         {"nonce", &DigestOffer::nonce},         {"opaque", &DigestOffer::opaque},
      {"stale", &DigestOffer::stale},         {"algorithm", &DigestOffer::algorithm}, {"qop", &DigestOffer::qop},
      {"nextnonce", &DigestOffer::nextnonce},
  };
  return read_parameters(rest, kRows, out);
}

std::optional<std::string> decode_extended_value(std::string_view value) {
  const std::size_t charset_end = value.find('\'');
  if (charset_end == std::string_view::npos || !base::equals_ignore_case(value.substr(0, charset_end), "UTF-8"))
    return std::nullopt;
  const std::size_t language_end = value.find('\'', charset_end + 1);
  if (language_end == std::string_view::npos) return std::nullopt;
  auto text = base::percent_decode(value.substr(language_end + 1));
  if (!text || !base::is_valid_utf8(*text)) return std::nullopt;
  return text;
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const std::size_t plain = base::plain_quoted_length(text);
    out.append(text.substr(0, plain));
    if (plain == text.size()) break;
    const char c = text[plain];
    if (!is_control(c)) out.append({'\\', c});
    text.remove_prefix(plain + 1);
  }
  out.push_back('"');
}

std::string quoted(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_quoted(out, text);
  return out;
}

std::string basic_challenge(std::string_view realm) { return "Basic realm=" + quoted(realm) + ", charset=\"UTF-8\""; }

std::string plain_challenge(std::string_view scheme, std::string_view realm) {
  return std::string(scheme) + " realm=" + quoted(realm);
}

std::string digest_challenge(const DigestChallenge& challenge) {
  // `realm` first and `auth` before `auth-int`: some clients merge lines, or take the first word of qop.
  std::string out = "Digest realm=" + quoted(challenge.realm);
  out += challenge.auth_int ? ", qop=\"auth, auth-int\"" : ", qop=\"auth\"";
  out += ", algorithm=";
  out += challenge.algorithm;
  out += ", nonce=" + quoted(challenge.nonce) + ", opaque=" + quoted(challenge.opaque) + ", charset=UTF-8";
  if (challenge.userhash) out += ", userhash=true";
  if (challenge.stale) out += ", stale=true";
  return out;
}

}  // namespace funcgate::auth
