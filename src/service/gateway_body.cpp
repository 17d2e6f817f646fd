// The body side of Gateway: reading it once the caller is accepted, taking credentials out, and the two options that decide
// something before the worker sees them.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/json_scan.h"
#include "base/text.h"
#include "service/gateway.h"

namespace funcgate::service {
namespace {

using domain::Fault;
using domain::Reason;
using domain::Refusal;

Refusal refuse(Fault fault, Reason reason, std::string message) {
  return Refusal{.fault = fault, .reason = reason, .message = std::move(message)};
}

Refusal bad_request(std::string message) { return refuse(Fault::BadRequest, Reason::ArgumentsInvalid, std::move(message)); }

std::optional<std::int64_t> positive_seconds(const base::JsonMember& member, std::string_view text) {
  if (!member.found) return std::nullopt;
  const auto seconds = base::parse_digits(text.substr(member.value_begin, member.value_end - member.value_begin));
  // No option may be longer than a day; larger numbers are the worker's to refuse and must not overflow here.
  constexpr std::int64_t kSecondsMax = 86'400;
  return seconds && *seconds >= 1 ? std::optional(std::min(*seconds, kSecondsMax)) : std::nullopt;
}

// A text with fewer bytes than that cannot have so many fields: most are not even counted.
bool has_more_fields(std::string_view text, std::int64_t fields_max) {
  const auto most = static_cast<std::size_t>(fields_max);
  return text.size() >= most && !base::split_query(text, most);
}

}  // namespace

base::Async<Gateway::Refused> Gateway::read_body(Passage& passage) {
  domain::Call& call = passage.call;
  if (!domain::takes_body(call.method)) co_return bad_request("A body is not allowed with this method");
  if (domain::media_type_is(call.content_type(), "multipart/form-data")) {
    if (passage.form == domain::ArgumentForm::PostSimplified) co_return co_await read_multipart(passage);
    co_return refuse(Fault::MediaType, Reason::BodyMediaType, "The standard form takes application/json");
  }
  const auto limit = static_cast<std::size_t>(passage.endpoint->body_bytes_max);
  BodyResult result = BodyResult::Complete;
  if (!call.body_complete) result = co_await passage.body_source.read(limit, false);
  const auto* encoding = call.header("content-encoding");
  if (result == BodyResult::Complete && encoding != nullptr && !base::equals_ignore_case(*encoding, "identity")) {
    if (!base::equals_ignore_case(*encoding, "gzip") || call.header_count("content-encoding") > 1) {
      co_return refuse(Fault::MediaType, Reason::BodyMediaType, "Content-Encoding must be identity or gzip");
    }
    result = passage.body_source.inflate(limit);
  }
  switch (result) {
    case BodyResult::Complete: co_return std::nullopt;
    case BodyResult::Prefix:
    case BodyResult::TooLarge:
      co_return refuse(Fault::BodyTooLarge, Reason::BodyTooLarge, fmt::format("The body is larger than {} bytes", limit));
    case BodyResult::TimedOut: co_return refuse(Fault::Timeout, Reason::BodySlow, "The body came too slowly");
    case BodyResult::Malformed: co_return refuse(Fault::BadRequest, Reason::HttpMalformed, "The body is malformed");
    case BodyResult::Gone: co_return refuse(Fault::BadRequest, Reason::CallerGone, "The caller has gone");
  }
  co_return std::nullopt;
}

base::Async<Gateway::Refused> Gateway::read_multipart(Passage& passage) {
  const Endpoint& endpoint = *passage.endpoint;
  passage.has_folder = true;
  const MultipartResult result = co_await passage.body_source.read_multipart(
      passage.multipart, folder_of(passage), endpoint.api.accept_files, endpoint.body_bytes_max, endpoint.upload_bytes_max);
  for (const UploadedFile& file : passage.multipart.files) passage.upload_bytes += file.bytes;
  switch (result) {
    case MultipartResult::Complete: break;
    case MultipartResult::TooLarge: co_return refuse(Fault::BodyTooLarge, Reason::BodyTooLarge, "The upload is too large");
    case MultipartResult::TooManyFields:
      co_return refuse(Fault::BodyTooLarge, Reason::BodyTooLarge, "Too many files or form fields");
    case MultipartResult::FilesNotAccepted:
      co_return refuse(Fault::MediaType, Reason::BodyMediaType, "This API does not accept files");
    case MultipartResult::TimedOut: co_return refuse(Fault::Timeout, Reason::BodySlow, "The body came too slowly");
    case MultipartResult::Malformed:
      co_return refuse(Fault::BadRequest, Reason::HttpMalformed, "The multipart body is malformed");
    case MultipartResult::Gone: co_return refuse(Fault::BadRequest, Reason::CallerGone, "The caller has gone");
    case MultipartResult::DiskQuota: {
      Refusal full = refuse(Fault::LimitReached, Reason::UploadQuota, "The space for uploads is used up");
      full.retry_after_s = 1;
      co_return full;
    }
  }
  const auto& names = endpoint.strip.body_names;
  std::erase_if(passage.multipart.parts,
                [&](const domain::FormPart& part) { return std::find(names.begin(), names.end(), part.name) != names.end(); });
  base::json::array files;
  for (const UploadedFile& file : passage.multipart.files) {
    files.push_back(base::json::object{{"filePath", file.path},
                                       {"originalname", file.original_name},
                                       {"encoding", file.encoding},
                                       {"mimetype", file.media_type},
                                       {"size", file.bytes}});
  }
  if (!files.empty()) passage.files_json = base::to_json(files);
  co_return std::nullopt;
}

Gateway::Refused Gateway::check_body(Passage& passage) {
  // Behind this line nothing can leak a credential: neither function nor record, cache key nor task sees the original.
  const bool multipart = passage.call.has_body && domain::media_type_is(passage.call.content_type(), "multipart/form-data");
  const std::string_view body = passage.call.body;
  if (multipart) passage.call.body = {};
  const domain::Limits& limits = shared_.settings.limits;
  passage.storage.headers.swap(spare_headers_);
  passage.visible = strip(passage.call, passage.endpoint->strip, passage.storage, static_cast<unsigned>(limits.json_depth));
  passage.call.body = body;
  if (!passage.visible) return bad_request(fmt::format("The body is not valid JSON with at most {} levels", limits.json_depth));
  if (has_more_fields(passage.visible->query, limits.query_fields))
    return bad_request(fmt::format("The query has more than {} fields", limits.query_fields));
  if (domain::media_type_is(passage.visible->content_type, "application/x-www-form-urlencoded") &&
      has_more_fields(passage.visible->body, limits.form_fields)) {
    return refuse(Fault::BodyTooLarge, Reason::BodyTooLarge, fmt::format("The form has more than {} fields", limits.form_fields));
  }
  if (multipart) passage.visible->raw_body_intact = false;
  return std::nullopt;
}

void Gateway::read_shortened_times(Passage& passage) const {
  passage.timeout_ms = passage.endpoint->timeout_ms;
  passage.expires_ms = passage.endpoint->expires_ms;
  // The worker judges `options`; only these two decide something before it sees them. The word must stand somewhere.
  static const std::vector<std::vector<std::string>> kBodyPaths{{"options", "timeout"}, {"options", "expires"}};
  static const std::vector<std::vector<std::string>> kQueryPaths{{"timeout"}, {"expires"}};
  std::string options;
  const auto* paths = &kBodyPaths;
  if (passage.form == domain::ArgumentForm::PostStandard && passage.visible->body.find("\"options\"") != std::string_view::npos) {
    options = passage.visible->body;
  } else if (passage.form == domain::ArgumentForm::GetStandard &&
             passage.visible->query.find("options=") != std::string_view::npos) {
    paths = &kQueryPaths;
    const auto fields = base::split_query(passage.visible->query, static_cast<std::size_t>(shared_.settings.limits.query_fields));
    if (fields) {
      for (const base::QueryField& field : *fields) {
        if (field.raw_name == "options") options = base::decode_form(field.raw_value).value_or("");
      }
    }
  }
  if (options.empty()) return;
  const auto members = base::find_members(options, *paths, static_cast<unsigned>(shared_.settings.limits.json_depth));
  if (!members) return;
  if (const auto seconds = positive_seconds((*members)[0], options))
    passage.timeout_ms = std::min(passage.timeout_ms, *seconds * 1000);
  if (const auto seconds = positive_seconds((*members)[1], options))
    passage.expires_ms = std::min(passage.expires_ms, *seconds * 1000);
}

}  // namespace funcgate::service
