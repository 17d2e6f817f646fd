#include "admin/idempotency.h"

#include <algorithm>

#include "admin/services.h"
#include "base/encoding.h"
#include "base/log.h"
#include "crypto/keyed_hash.h"

namespace funcgate::admin {
namespace {

namespace json = base::json;
using base::text_of;
using domain::Fault;
using domain::Reason;

constexpr std::size_t kKeyBytesMax = 64;
constexpr int kFailedStatus = 500, kUnfinishedStatus = 503;  // of the refusals that are kept

std::string principal_of(const Caller& caller) {
  switch (caller.kind) {
    case Caller::Kind::Session: return "user:" + caller.user_id;
    case Caller::Kind::Key: return "key:" + caller.key_id;
    case Caller::Kind::Local: return "local";
    case Caller::Kind::Nobody: break;
  }
  return "";
}

bool is_key(std::string_view text) {
  return !text.empty() && text.size() <= kKeyBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// Under a key: bodies hold passwords, and a plain hash in the database would let them be guessed.
std::string fingerprint(const Context& context) {
  const Request& request = context.request;
  std::vector<std::string_view> parts{domain::method_name(request.method), request.path, request.body};
  for (const auto& [name, value] : request.query) {
    parts.push_back(name);
    parts.push_back(value);
  }
  return base::hex_encode(crypto::as_view(crypto::KeyedHash(context.services.request_key).digest(parts)));
}

// What failed in the middle or was not waited for to its end may have been done: it must not be done again. 0: it was not.
int status_if_perhaps_done(const Answer& answer) {
  if (!answer.refusal) return 0;
  if (answer.refusal->fault == Fault::System) return kFailedStatus;
  return answer.refusal->reason == Reason::FunctionTimeout ? kUnfinishedStatus : 0;
}

std::string keep(const Answer& answer) {
  json::object kept;
  if (answer.refusal) {
    kept["message"] = answer.refusal->message;
    kept["detail"] = answer.refusal->detail;
    return base::to_json(kept);
  }
  if (answer.data) kept["data"] = *answer.data;
  if (!answer.etag.empty()) kept["etag"] = answer.etag;
  if (!answer.location.empty()) kept["location"] = answer.location;
  json::array warnings;
  for (const std::string& warning : answer.warnings) warnings.emplace_back(warning);
  kept["warnings"] = std::move(warnings);
  return base::to_json(kept);
}

}  // namespace

Idempotency::Idempotency(const Context& context, base::WallMs started_ms) : context_(context), started_ms_(started_ms) {
  record_.principal = principal_of(context.caller);
  record_.key = context.request.idempotency_key;
  record_.request_sha256 = fingerprint(context);
  record_.created_at_ms = context.services.clock.wall_ms();
}

std::optional<Answer> Idempotency::begin() {
  if (!is_key(record_.key)) return invalid("Idempotency-Key", "value", "must have 1 to 64 visible ASCII characters");
  const auto first = context_.services.identity_store.begin_idempotent(record_, record_.created_at_ms - kIdempotencyKeptMs);
  if (!first.ok()) return from_error(first.error());
  if (!*first) return std::nullopt;
  return replay(**first);
}

Answer Idempotency::replay(const domain::IdempotencyRecord& first) const {
  if (!base::constant_time_equal(first.request_sha256, record_.request_sha256))
    return invalid("Idempotency-Key", "value", "was used for another request; take another key for each request");
  if (first.status == 0 && first.created_at_ms < started_ms_)
    return conflict(
        "The server was stopped during the first request with this Idempotency-Key: see what exists, then use another key");
  if (first.status == 0) {
    Answer running = conflict("The first request with this Idempotency-Key is still running");
    running.refusal->retry_after_s = 1;
    return running;
  }
  if (first.had_token) {
    return refused(Fault::IdempotentReplay, Reason::ArgumentsInvalid,
                   "This request was answered before, with a token that is shown once; nothing was made now",
                   base::to_json(json::object{{"id", first.object_id}}));
  }
  Answer answer;
  answer.status = first.status;
  const auto kept = base::parse_json(first.body);
  if (!kept.ok() || !kept->is_object()) return refused(Fault::System, Reason::Internal, "The first answer cannot be read");
  const json::object& object = kept->get_object();
  if (first.status == kFailedStatus || first.status == kUnfinishedStatus) {
    answer = refused(first.status == kFailedStatus ? Fault::System : Fault::LimitReached, Reason::Internal,
                     text_of(object, "message"), text_of(object, "detail"));
  }
  if (const json::value* data = object.if_contains("data")) answer.data = *data;
  answer.etag = text_of(object, "etag");
  answer.location = text_of(object, "location");
  if (const json::value* warnings = object.if_contains("warnings"); warnings != nullptr && warnings->is_array()) {
    for (const json::value& warning : warnings->get_array()) {
      if (warning.is_string()) answer.warnings.emplace_back(std::string(warning.get_string()));
    }
  }
  answer.headers.emplace_back("Idempotency-Replayed", "true");
  return answer;
}

void Idempotency::finish(const Answer& answer) {
  domain::IdentityStore& store = context_.services.identity_store;
  const int failed_status = status_if_perhaps_done(answer);
  const bool keeps = failed_status != 0 || (!answer.refusal && answer.raw_body.empty() && answer.status < 300);
  if (!keeps) {
    if (auto status = store.forget_idempotent(record_.principal, record_.key); !status.ok())
      base::log::warning("idempotency.not_forgotten", {{"problem", status.error().message}});
    return;
  }
  record_.status = failed_status != 0 ? failed_status : answer.status;
  record_.had_token = answer.shows_secret;
  record_.object_id = answer.object_id;
  if (!answer.shows_secret) record_.body = keep(answer);
  if (auto status = store.finish_idempotent(record_); !status.ok())
    base::log::warning("idempotency.not_kept", {{"problem", status.error().message}});
}

}  // namespace funcgate::admin
