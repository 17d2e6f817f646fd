#include "service/run_answer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/text.h"
#include "service/redaction.h"

namespace funcgate::service {
namespace {

using domain::Fault;
using domain::Reason;
using domain::Refusal;
namespace json = base::json;

constexpr unsigned kWorkerDepthMax = 512;  // levels of what a worker sends: more than any request or result may have

Refusal refusal(Fault fault, Reason reason, std::string message, std::string detail = {}, std::int64_t retry_after_s = 0) {
  return Refusal{.fault = fault,
                 .reason = reason,
                 .message = std::move(message),
                 .detail = std::move(detail),
                 .retry_after_s = retry_after_s};
}

// Opens what a worker named below `folder`. The kernel resolves it without links and without leaving the folder: the path
// comes from a process that runs user code.
base::FileDescriptor open_below(const std::string& folder, std::string_view relative, std::int64_t& bytes) {
  base::FileDescriptor root(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return {};
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const std::string path(relative);
  base::FileDescriptor file(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  bytes = info.st_size;
  return file;
}

bool option_is(std::string_view options, std::string_view name, std::string_view value) {
  return !options.empty() && member_json(options, name) == value;
}

// Weak comparison is enough for GET (RFC 9110, 13.1.2).
bool etag_matches(const domain::Call& call, std::string_view etag) {
  const auto* value = call.header("if-none-match");
  if (value == nullptr) return false;
  for (std::string_view candidate : base::split(*value, ',')) {
    candidate = base::trim(candidate);
    if (candidate.starts_with("W/")) candidate.remove_prefix(2);
    if (candidate == "*" || candidate == etag) return true;
  }
  return false;
}

std::string text_etag(std::string_view text) {
  return fmt::format("\"{:016x}-{:x}\"", std::hash<std::string_view>()(text), text.size());
}

// A file of the call is another one each time: its bytes tell, if there are few enough to read here. Else what the kernel knows
// of the file: the time of its last change is none that a program could set.
std::string file_etag(const Answer& answer) {
  constexpr std::int64_t kHashedBytesMax = 1 << 20;
  if (answer.reply.body_kind == domain::ReplyBody::CallFile && answer.file_bytes <= kHashedBytesMax) {
    std::string bytes(static_cast<std::size_t>(answer.file_bytes), '\0');
    // At offsets: the place from which the file will be sent stays where it is.
    if (::pread(answer.file.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) return text_etag(bytes);
  }
  struct stat info{};
  if (::fstat(answer.file.get(), &info) != 0) return {};
  return text_etag(
      fmt::format("{} {} {}.{} {}", info.st_dev, info.st_ino, info.st_ctim.tv_sec, info.st_ctim.tv_nsec, info.st_size));
}

void add_etag(Answer& answer, const domain::Call& call) {
  const std::string etag = answer.file ? file_etag(answer) : text_etag(answer.body);
  if (etag.empty()) return;
  answer.own_headers.emplace_back("ETag", etag);
  if (etag_matches(call, etag)) {
    answer.status = 304;
    answer.body = {};
    answer.file.reset();
    answer.file_bytes = 0;
  }
}

// A text is a page there and None is nothing; what a page may do is the response writer's to say, as for every page.
void as_dataflux_has_it(Answer& answer) {
  if (domain::media_type_is(answer.media(), "text/plain")) answer.content_type = "text/html; charset=utf-8";
  if (answer.reply.none) {
    answer.body = {};
    answer.content_type = {};
  }
}

void fill_value(Answer& answer, const RunContext& context) {
  const bool unbox = context.endpoint.api.unbox;
  answer.reply = std::move(context.run.reply);
  domain::FunctionReply& reply = answer.reply;
  answer.status = reply.status;
  answer.content_type = reply.content_type;
  answer.headers = reply.headers;
  answer.body = reply.body;
  if (reply.body_kind != domain::ReplyBody::Inline) {
    const std::string& folder = reply.body_kind == domain::ReplyBody::CallFile
                                    ? context.folder
                                    : context.settings.resource_folder + "/" +
                                          (context.function == nullptr ? std::string("-") : context.function->set_id);
    answer.file = open_below(folder, reply.body, answer.file_bytes);
    answer.body = {};
    if (!answer.file) {
      answer.refusal = refusal(Fault::FunctionFailed, Reason::FunctionRaised, "The file of the answer cannot be read");
    } else if (answer.file_bytes > context.settings.limits.large_result_bytes) {
      answer.refusal = refusal(Fault::ResultInvalid, Reason::FunctionResultInvalid, "The result is too large",
                               fmt::format("{{\"id\":\"{}\",\"resultType\":\"file\"}}", context.task_id));
    } else if (reply.allow_304 && reply.status == 200) {
      add_etag(answer, context.call);
    }
    return;
  }
  const bool boxed = reply.options.empty()
                         ? !unbox
                         : option_is(reply.options, "unbox", "false") || (!unbox && !option_is(reply.options, "unbox", "true"));
  if (boxed && !reply.custom) answer.envelope = true;
  if (context.settings.compat_dataflux && !answer.envelope && !reply.custom) as_dataflux_has_it(answer);
  if (reply.allow_304 && !answer.envelope && reply.status == 200) add_etag(answer, context.call);
}

void refuse(Answer& answer, const RunContext& context, Refusal why) {
  answer.refusal = std::move(why);
  answer.reply = std::move(context.run.reply);  // its prints belong to the record
}

void fill_replied(Answer& answer, const RunContext& context) {
  const domain::FunctionReply& reply = context.run.reply;
  switch (reply.outcome) {
    case domain::ReplyOutcome::Value: return fill_value(answer, context);
    case domain::ReplyOutcome::Raised:
      return refuse(answer, context,
                    refusal(Fault::FunctionFailed, Reason::FunctionRaised, "The function failed",
                            failure_detail(context.run, reply.problem, context.task_id, context.call.arrival_ms,
                                           context.endpoint.error_detail)));
    case domain::ReplyOutcome::BadArguments: {
      std::string message = text_member(reply.problem, "message");
      if (message.empty()) message = "Invalid arguments";
      return refuse(
          answer, context,
          refusal(Fault::BadRequest, Reason::ArgumentsInvalid, std::move(message), member_json(reply.problem, "detail")));
    }
    case domain::ReplyOutcome::ResultInvalid:
      return refuse(answer, context,
                    refusal(Fault::ResultInvalid, Reason::FunctionResultInvalid, "The result of the function cannot be sent",
                            fmt::format("{{\"id\":{},\"resultType\":{}}}", base::json_string(context.task_id),
                                        base::json_string(text_member(reply.problem, "resultType")))));
    case domain::ReplyOutcome::Missing:
      return refuse(answer, context,
                    refusal(Fault::FunctionUnavailable, Reason::FunctionMissing, "The function of this API is not available"));
  }
  return refuse(answer, context, refusal(Fault::System, Reason::Internal, "Internal error"));
}

// Masked first, cut then: no mask finds half a secret. What lies so far behind the end that no secret reaches it is not looked
// at.
std::string masked_beginning(std::string_view text, const std::vector<std::string_view>& secrets) {
  constexpr std::size_t kDetailBytesMax = 64 << 10;
  std::size_t longest = 0;
  // Inside JSON a byte may be written as \u0000.
  for (const std::string_view secret : secrets) longest = std::max(longest, 6 * secret.size());
  std::string out(text.substr(0, kDetailBytesMax + longest));
  mask_secrets(out, secrets);
  // The beginning of a secret whose end was left behind stands here, if at all.
  if (text.size() > kDetailBytesMax + longest) out.resize(out.size() - std::min(out.size(), longest));
  return std::string(base::truncate_utf8(out, kDetailBytesMax));
}

}  // namespace

std::string member_json(std::string_view object, std::string_view name) {
  const auto members = base::find_members(object, {{std::string(name)}}, kWorkerDepthMax);
  if (!members || !(*members)[0].found) return {};
  return std::string(object.substr((*members)[0].value_begin, (*members)[0].value_end - (*members)[0].value_begin));
}

std::string text_member(std::string_view object, std::string_view name) {
  const auto members = base::find_members(object, {{std::string(name)}}, kWorkerDepthMax);
  if (!members || !(*members)[0].string_value) return {};
  return *(*members)[0].string_value;
}

std::string failure_detail(const domain::RunResult& run, std::string_view problem, std::string_view task_id,
                           std::int64_t trigger_time_ms, domain::ErrorDetail with) {
  auto seconds = [](std::int64_t ms) { return fmt::format("{}.{:03}", ms / 1000, ms % 1000); };
  std::string out = fmt::format(
      R"({{"name":"Func.Runner","id":{},"triggerTime":{},"startTime":{},"endTime":{},"status":"failure","exceptionType":{})",
      base::json_string(task_id), seconds(trigger_time_ms), seconds(run.start_time_ms), seconds(run.end_time_ms),
      base::json_string(text_member(problem, "exceptionType")));
  const bool texts = with != domain::ErrorDetail::Type;
  auto add = [&](std::string_view name) {
    out += fmt::format(",\"{}\":{}", name, base::json_string(text_member(problem, name)));
  };
  if (texts) add("exception");
  add("exceptionFrom");
  add("originExceptionType");
  if (texts) add("originException");
  if (with == domain::ErrorDetail::Traceback) add("traceback");
  out.push_back('}');
  return out;
}

void fill_answer(Answer& answer, const RunContext& context) {
  switch (context.run.status) {
    case domain::RunStatus::Replied: return fill_replied(answer, context);
    case domain::RunStatus::TimedOut:
      return refuse(
          answer, context,
          refusal(Fault::FunctionTimeout, Reason::FunctionTimeout, "The function took too long",
                  fmt::format("{{\"id\":{},\"timeout\":{}}}", base::json_string(context.task_id), context.timeout_ms / 1000)));
    case domain::RunStatus::WorkerLost:
      return refuse(answer, context,
                    refusal(Fault::WorkerLost, Reason::WorkerLost, "The worker process was lost during this call"));
    case domain::RunStatus::QueueFull:
      return refuse(answer, context, refusal(Fault::LimitReached, Reason::CapacityQueue, "The server is at its limit", {}, 1));
    case domain::RunStatus::QueueExpired:
      return refuse(answer, context, refusal(Fault::Expired, Reason::QueueExpired, "No worker became free in time", {}, 1));
    case domain::RunStatus::Cancelled:
      return refuse(answer, context, refusal(Fault::Conflict, Reason::TaskFinished, "The task was cancelled"));
    case domain::RunStatus::CallerGone:
      return refuse(answer, context, refusal(Fault::BadRequest, Reason::CallerGone, "The caller has gone"));
    case domain::RunStatus::Stopping:
      return refuse(answer, context, refusal(Fault::LimitReached, Reason::ServerStopping, "The server is stopping", {}, 1));
  }
  return refuse(answer, context, refusal(Fault::System, Reason::Internal, "Internal error"));
}

void fill_record_texts(domain::CallRecord& record, const Answer& answer, const Endpoint* endpoint, const domain::Call& call,
                       const std::vector<base::SecretString>& passwords) {
  const domain::FunctionReply& reply = answer.reply;
  const bool detail = endpoint != nullptr && endpoint->api.record_detail;
  if (reply.print_log.empty() && reply.problem.empty() && !detail) return;
  auto texts = std::make_unique<domain::CallRecordTexts>();
  texts->print_log = reply.print_log;
  if (reply.outcome == domain::ReplyOutcome::Raised) {
    texts->exception_type = text_member(reply.problem, "originExceptionType");
    texts->exception_text = text_member(reply.problem, "originException");
    texts->traceback = text_member(reply.problem, "traceback");
  }
  std::vector<std::string_view> secrets;
  for (const base::SecretString& password : passwords) secrets.push_back(password.reveal());
  if (endpoint != nullptr) add_credentials(secrets, call, endpoint->strip);
  for (std::string* text : {&texts->print_log, &texts->exception_text, &texts->traceback}) mask_secrets(*text, secrets);
  if (detail) {
    texts->kwargs = masked_beginning(reply.kwargs, secrets);
    texts->result = masked_beginning(answer.body_bytes(), secrets);
  }
  record.texts = std::move(texts);
}

}  // namespace funcgate::service
