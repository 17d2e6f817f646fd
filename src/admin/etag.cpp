#include "admin/etag.h"

#include <fmt/format.h>

#include "base/text.h"

namespace funcgate::admin {
namespace {

// Whether the list of a header names `etag`. `weak_counts`: W/"3" is as good as "3" (RFC 9110, 13.1.2, not 13.1.1).
bool names(std::string_view header, std::string_view etag, bool weak_counts) {
  for (std::string_view entry : base::split(header, ',')) {
    entry = base::trim(entry);
    if (entry == "*" || entry == etag) return true;
    if (weak_counts && entry.starts_with("W/") && entry.substr(2) == etag) return true;
  }
  return false;
}

}  // namespace

std::string make_etag(std::int64_t version) { return fmt::format("\"{}\"", version); }

std::optional<Answer> check_if_match(const Context& context, std::int64_t current_version) {
  if (context.request.if_match.empty()) return if_match_missing();
  if (!names(context.request.if_match, make_etag(current_version), false)) return stale(current_version);
  return std::nullopt;
}

std::optional<Answer> check_if_match_text(const Context& context, std::string_view current_etag) {
  if (context.request.if_match.empty()) return if_match_missing();
  if (names(context.request.if_match, current_etag, false)) return std::nullopt;
  return refused(domain::Fault::PreconditionFailed, domain::Reason::ArgumentsInvalid,
                 "The object was changed meanwhile; read it again",
                 base::to_json(base::json::object{{"etag", base::json::string_view(current_etag.data(), current_etag.size())}}));
}

bool not_modified(const Context& context, std::int64_t version) { return not_modified(context, make_etag(version)); }

bool not_modified(const Context& context, std::string_view etag) {
  return !context.request.if_none_match.empty() && names(context.request.if_none_match, etag, true);
}

}  // namespace funcgate::admin
