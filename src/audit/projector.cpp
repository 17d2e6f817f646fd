#include "audit/projector.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace funcgate::audit {
namespace {

constexpr std::size_t kTextMax = 64 << 10;

std::size_t text_bytes(const domain::CallRecord& record) {
  if (record.texts == nullptr) return 0;
  const domain::CallRecordTexts& texts = *record.texts;
  return texts.print_log.size() + texts.exception_type.size() + texts.exception_text.size() + texts.traceback.size() +
         texts.kwargs.size() + texts.result.size();
}

// Appends members; the first one opens the object.
class DocumentWriter {
 public:
  DocumentWriter& text(std::string_view name, std::string_view value) {
    member(name);
    if (value.empty()) {
      out_ += "null";
    } else {
      base::append_json_string(out_, base::truncate_utf8(value, kTextMax));
    }
    return *this;
  }
  DocumentWriter& number(std::string_view name, std::int64_t value) {
    member(name);
    fmt::format_to(std::back_inserter(out_), "{}", value);
    return *this;
  }
  DocumentWriter& time(std::string_view name, std::int64_t value) { return value == 0 ? text(name, {}) : number(name, value); }
  DocumentWriter& milliseconds(std::string_view name, std::int64_t us) {
    member(name);
    fmt::format_to(std::back_inserter(out_), "{}.{:03}", us / 1000, us % 1000);
    return *this;
  }
  DocumentWriter& boolean(std::string_view name, bool value) {
    member(name);
    out_ += value ? "true" : "false";
    return *this;
  }
  DocumentWriter& json(std::string_view name, std::string_view value) {
    member(name);
    out_ += value;
    return *this;
  }
  std::string finish() {
    out_.push_back('}');
    return std::move(out_);
  }

 private:
  void member(std::string_view name) {
    out_.push_back(out_.empty() ? '{' : ',');
    out_.push_back('"');
    out_ += name;  // names are literals without anything to escape
    out_ += "\":";
  }
  std::string out_;
};

std::string caller_document(const domain::CallRecord& record) {
  DocumentWriter writer;
  if (record.caller == nullptr) {
    writer.text("type", {}).text("authId", record.auth_id).text("name", {}).text("keyId", {}).text("runAs", {});
    return writer.finish();
  }
  const domain::PrincipalFields& fields = record.caller->fields();
  writer.text("type", fields.type).text("authId", fields.auth_id).text("name", fields.name);
  writer.text("keyId", fields.key_id).text("runAs", fields.run_as);
  return writer.finish();
}

domain::StoredCallRecord stored(Projector::Place place, const domain::CallRecord& record) {
  domain::StoredCallRecord out;
  out.id = fmt::format("CALL-{}-{}", place.sequence, place.position);
  out.document = call_document(out.id, record);
  out.api_id = *record.api_id;
  if (record.caller != nullptr) out.caller = record.caller->fields().name;
  out.trace_id = record.trace_id;
  out.trigger_time_ms = record.trigger_time_ms;
  out.status = record.status;
  out.kept_max = record.records_kept_max;
  out.reason = domain::reason_token(record.reason);
  out.address = record.address.text();
  return out;
}

}  // namespace

std::string call_document(const std::string& id, const domain::CallRecord& record) {
  const domain::CallRecordTexts no_texts;
  const domain::CallRecordTexts& texts = record.texts == nullptr ? no_texts : *record.texts;
  const auto shared = [](const auto& text) { return text == nullptr ? std::string_view() : std::string_view(*text); };
  DocumentWriter writer;
  writer.text("id", id).text("traceId", record.trace_id).text("taskId", record.task_id);
  writer.text("apiId", shared(record.api_id)).number("apiVersion", record.api_version);
  writer.text("funcId", shared(record.func_id)).number("publishVersion", record.publish_version);
  writer.json("caller", caller_document(record));
  writer.text("address", record.address.text()).text("method", domain::method_name(record.method));
  writer.number("status", record.status).text("error", record.error).text("reason", domain::reason_token(record.reason));
  writer.boolean("cached", record.cached).number("count", record.count);
  writer.time("triggerTimeMs", record.trigger_time_ms).time("startTimeMs", record.start_time_ms);
  writer.time("endTimeMs", record.end_time_ms);
  writer.milliseconds("queueMs", std::max<std::int64_t>(record.queue_us, 0));
  writer.milliseconds("runMs", std::max<std::int64_t>(record.run_us, 0));
  writer.text("printLog", texts.print_log).text("exceptionType", texts.exception_type);
  writer.text("exceptionText", texts.exception_text).text("traceback", texts.traceback);
  if (!texts.kwargs.empty()) writer.text("kwargs", texts.kwargs);
  if (!texts.result.empty()) writer.text("result", texts.result);
  return writer.finish();
}

Projector::Api& Projector::api_of(const std::shared_ptr<const std::string>& id) {
  if (last_api_ == nullptr || last_id_ != id) {
    last_api_ = &apis_[*id];
    last_id_ = id;
  }
  return *last_api_;
}

void Projector::keep_at_most(Api& api, std::int64_t kept_max) {
  std::rotate(api.newest.begin(), api.newest.begin() + static_cast<std::ptrdiff_t>(api.first), api.newest.end());
  api.first = 0;
  api.kept_max = kept_max;
  const auto size = static_cast<std::int64_t>(api.newest.size());
  if (size > kept_max) api.newest.erase(api.newest.begin(), api.newest.begin() + (size - kept_max));
}

void Projector::add(Place place, domain::CallRecord&& record) {
  if (record.api_id == nullptr || record.api_id->empty()) return;
  Api& api = api_of(record.api_id);
  const std::int64_t kept_max = std::max<std::int64_t>(record.records_kept_max, 0);
  if (kept_max != api.kept_max) keep_at_most(api, kept_max);
  if (kept_max == 0) return;
  // What is overwritten stays counted: the sum only decides when to write, and a larger one writes earlier.
  text_bytes_ += text_bytes(record);
  Waiting waiting{place, std::move(record)};
  if (api.newest.size() < static_cast<std::size_t>(kept_max)) {
    api.newest.push_back(std::move(waiting));
    ++waiting_;
  } else {
    api.newest[api.first] = std::move(waiting);
    api.first = (api.first + 1) % api.newest.size();
  }
}

bool Projector::due(base::SteadyNs now) const {
  return !empty() && (now >= due_at() || waiting_ >= kWaitingMax || text_bytes_ >= kTextBytesMax);
}

std::vector<domain::StoredCallRecord> Projector::take(base::SteadyNs now) {
  std::vector<domain::StoredCallRecord> out;
  out.reserve(waiting_);
  for (auto& [api_id, api] : apis_) {
    keep_at_most(api, api.kept_max);
    for (Waiting& waiting : api.newest) {
      out.push_back(stored(waiting.place, waiting.record));
      out.back().kept_max = api.kept_max;
    }
    if (api.newest.empty()) {
      domain::StoredCallRecord none;
      none.api_id = api_id;
      none.kept_max = 0;
      out.push_back(std::move(none));
    }
  }
  apis_.clear();
  last_api_ = nullptr;
  last_id_ = nullptr;
  waiting_ = text_bytes_ = 0;
  taken_at_ = now;
  return out;
}

}  // namespace funcgate::audit
