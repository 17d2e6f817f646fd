#include "service/run_answer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "support/temporary_folder.h"

namespace funcgate::service {
namespace {

constexpr std::string_view kProblem =
    R"json({"exceptionType":"UserScriptException","exception":"In User Script: ValueError('no \"badge\"')",)json"
    R"json("exceptionFrom":"userScript","originExceptionType":"ValueError","originException":"ValueError('no \"badge\"')",)json"
    R"json("traceback":"line 3\nline 4"})json";

domain::RunResult run_of() {
  domain::RunResult run;
  run.start_time_ms = 1'772'442'900'103;
  run.end_time_ms = 1'772'442'901'009;
  return run;
}

std::string detail_with(domain::ErrorDetail with) {
  return failure_detail(run_of(), kProblem, "task-8ZrVt0Qm", 1'772'442'900'000, with);
}

TEST(FailureDetail, TypeTellsNothingThatTheAuthorWrote) {
  EXPECT_EQ(
      detail_with(domain::ErrorDetail::Type),
      R"json({"name":"Func.Runner","id":"task-8ZrVt0Qm","triggerTime":1772442900.000,"startTime":1772442900.103,)json"
      R"json("endTime":1772442901.009,"status":"failure","exceptionType":"UserScriptException","exceptionFrom":"userScript",)json"
      R"json("originExceptionType":"ValueError"})json");
}

TEST(FailureDetail, MessageAddsTheTexts) {
  EXPECT_EQ(detail_with(domain::ErrorDetail::Message),
            R"json({"name":"Func.Runner","id":"task-8ZrVt0Qm","triggerTime":1772442900.000,"startTime":1772442900.103,)json"
            R"json("endTime":1772442901.009,"status":"failure","exceptionType":"UserScriptException",)json"
            R"json("exception":"In User Script: ValueError('no \"badge\"')","exceptionFrom":"userScript",)json"
            R"json("originExceptionType":"ValueError","originException":"ValueError('no \"badge\"')"})json");
}

TEST(FailureDetail, TracebackAddsTheTraceback) {
  EXPECT_EQ(detail_with(domain::ErrorDetail::Traceback),
            R"json({"name":"Func.Runner","id":"task-8ZrVt0Qm","triggerTime":1772442900.000,"startTime":1772442900.103,)json"
            R"json("endTime":1772442901.009,"status":"failure","exceptionType":"UserScriptException",)json"
            R"json("exception":"In User Script: ValueError('no \"badge\"')","exceptionFrom":"userScript",)json"
            R"json("originExceptionType":"ValueError","originException":"ValueError('no \"badge\"')",)json"
            R"json("traceback":"line 3\nline 4"})json");
}

TEST(FailureDetail, IsValidWhateverAWorkerSent) {
  for (const std::string_view problem :
       {"", "{", "[]", R"json({"exceptionType":5})json", R"json({"exceptionType":"a","exceptionType":"b"})json"}) {
    EXPECT_EQ(failure_detail(run_of(), problem, "t", 1000, domain::ErrorDetail::Type),
              R"json({"name":"Func.Runner","id":"t","triggerTime":1.000,"startTime":1772442900.103,"endTime":1772442901.009,)json"
              R"json("status":"failure","exceptionType":"","exceptionFrom":"","originExceptionType":""})json")
        << problem;
  }
}

struct AnswerTest : testing::Test {
  Answer answer(const domain::FunctionInfo* function = nullptr) {
    Answer answer;
    fill_answer(answer, {run, endpoint, task_id, call, 5000, folder, settings, function});
    return answer;
  }

  domain::RunResult run = run_of();
  Endpoint endpoint;
  std::string task_id = "task-1", folder = "/nonexistent";
  domain::Call call;
  ServerSettings settings;
};

// function-apis, sections 16 and 20: what [compat] dataflux changes about results.
TEST_F(AnswerTest, CompatModeSendsTextsAsPagesAndNoneAsNothing) {
  const struct {
    const char* what;
    const char* content_type;
    const char* body;
    bool none, custom;
    const char* options;
    const char* compat_type;
    const char* compat_body;
  } rows[] = {
      {"a text", "text/plain; charset=utf-8", "hello", false, false, "", "text/html; charset=utf-8", "hello"},
      {"None", "application/json", "null", true, false, "", "", ""},
      {"a value that only looks like None", "application/json", "null", false, false, "", "application/json", "null"},
      {"other values", "application/json", "{}", false, false, "", "application/json", "{}"},
      {"bytes", "application/octet-stream", "b", false, false, "", "application/octet-stream", "b"},
      {"what DFF.RESP says stays", "text/plain; charset=utf-8", "hello", false, true, "", "text/plain; charset=utf-8", "hello"},
      {"an envelope stays", "application/json", R"({"result":null})", false, false, R"({"unbox":false})", "application/json",
       R"({"result":null})"},
  };
  for (const bool compat : {false, true}) {
    settings.compat_dataflux = compat;
    for (const auto& row : rows) {
      run = run_of();
      run.reply.content_type = row.content_type;
      run.reply.body = row.body;
      run.reply.none = row.none;
      run.reply.custom = row.custom;
      run.reply.options = row.options;
      const Answer result = answer();
      EXPECT_EQ(result.content_type, compat ? row.compat_type : row.content_type) << row.what;
      EXPECT_EQ(result.body_bytes(), compat ? row.compat_body : row.body) << row.what;
      EXPECT_EQ(result.status, 200) << row.what;
    }
  }
}

TEST_F(AnswerTest, EachWayToEndWithoutAReplyHasItsOwnFault) {
  const struct {
    domain::RunStatus status;
    domain::Fault fault;
    std::int64_t retry_after_s;
  } rows[] = {{domain::RunStatus::TimedOut, domain::Fault::FunctionTimeout, 0},
              {domain::RunStatus::WorkerLost, domain::Fault::WorkerLost, 0},
              {domain::RunStatus::QueueFull, domain::Fault::LimitReached, 1},
              {domain::RunStatus::QueueExpired, domain::Fault::Expired, 1},
              {domain::RunStatus::CallerGone, domain::Fault::BadRequest, 0},
              {domain::RunStatus::Stopping, domain::Fault::LimitReached, 1}};
  for (const auto& row : rows) {
    run = run_of();
    run.status = row.status;
    const Answer result = answer();
    ASSERT_TRUE(result.refusal.has_value());
    EXPECT_EQ(result.refusal->fault, row.fault);
    EXPECT_EQ(result.refusal->retry_after_s, row.retry_after_s);
  }
}

TEST_F(AnswerTest, ATimeoutTellsTaskAndTime) {
  run.status = domain::RunStatus::TimedOut;
  EXPECT_EQ(answer().refusal->detail, R"({"id":"task-1","timeout":5})");
}

TEST_F(AnswerTest, AValueIsTheAnswerAsItCame) {
  run.reply.status = 201;
  run.reply.content_type = "text/plain; charset=utf-8";
  run.reply.body = "hello";
  const Answer result = answer();
  EXPECT_FALSE(result.refusal.has_value());
  EXPECT_EQ(result.status, 201);
  EXPECT_EQ(result.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(result.body_bytes(), "hello");
  EXPECT_FALSE(result.envelope);
}

TEST_F(AnswerTest, TheCallersUnboxWinsOverTheApis) {
  const struct {
    bool unbox;
    std::string_view options;
    bool custom, envelope;
  } rows[] = {{true, "", false, false},
              {false, "", false, true},
              {true, R"({"unbox":false})", false, true},
              {false, R"({"unbox":true})", false, false},
              {false, R"({"timeout":3})", false, true},
              {false, "", true, false}};
  for (const auto& row : rows) {
    run = run_of();
    run.reply.body = "1";
    run.reply.options = row.options;
    run.reply.custom = row.custom;
    endpoint.api.unbox = row.unbox;
    EXPECT_EQ(answer().envelope, row.envelope) << row.unbox << row.options << row.custom;
  }
}

TEST_F(AnswerTest, BadArgumentsAreTheCallersFault) {
  run.reply.outcome = domain::ReplyOutcome::BadArguments;
  run.reply.problem = R"({"message":"Argument is fixed by this API","detail":{"kwargsField":"qty"}})";
  const Answer result = answer();
  ASSERT_TRUE(result.refusal.has_value());
  EXPECT_EQ(result.refusal->fault, domain::Fault::BadRequest);
  EXPECT_EQ(result.refusal->message, "Argument is fixed by this API");
  EXPECT_EQ(result.refusal->detail, R"({"kwargsField":"qty"})");
}

TEST_F(AnswerTest, AFileThatAWorkerNamesOutsideOfItsFolderIsNotOpened) {
  folder = FUNCGATE_SOURCE_DIR "/src";
  for (const std::string path : {"../CMakeLists.txt", "/etc/passwd", "service/../../CMakeLists.txt", "service", "missing", ""}) {
    run = run_of();
    run.reply.body_kind = domain::ReplyBody::CallFile;
    run.reply.body = path;
    const Answer result = answer();
    ASSERT_TRUE(result.refusal.has_value()) << path;
    EXPECT_EQ(result.refusal->fault, domain::Fault::FunctionFailed) << path;
  }
  settings.limits.large_result_bytes = 1 << 20;
  run = run_of();
  run.reply.body_kind = domain::ReplyBody::CallFile;
  run.reply.body = "service/openapi.cpp";
  const Answer inside = answer();
  EXPECT_FALSE(inside.refusal.has_value());
  EXPECT_GT(inside.file_bytes, 0);
}

TEST_F(AnswerTest, AnUnchangedAnswerIs304WhenTheFunctionAllowsIt) {
  run.reply.body = "same";
  run.reply.allow_304 = true;
  const Answer first = answer();
  ASSERT_EQ(first.own_headers.size(), 1u);
  const std::string etag = first.own_headers[0].second;
  const struct {
    std::string sent;
    int status;
  } rows[] = {{etag, 304}, {"W/" + etag, 304}, {"\"x\", " + etag, 304}, {"*", 304}, {"\"x\"", 200}, {etag.substr(1), 200}};
  for (const auto& row : rows) {
    run = run_of();
    run.reply.body = "same";
    run.reply.allow_304 = true;
    call.headers = {{"if-none-match", row.sent}};
    const Answer next = answer();
    EXPECT_EQ(next.status, row.status) << row.sent;
    EXPECT_EQ(next.body_bytes(), row.status == 304 ? "" : "same") << row.sent;
  }
}

// A file of the resources or of the call; `change` happens between the first answer and the second, which knows the first's tag.
struct FileTag : AnswerTest {
  FileTag() {
    settings.resource_folder = place.path();
    folder = place / "call";
    place.write("set/a.bin", "first");
    place.write("call/a.bin", "first");
  }
  Answer send(domain::ReplyBody kind) {
    run = run_of();
    run.reply.body_kind = kind;
    run.reply.body = "a.bin";
    run.reply.allow_304 = true;
    domain::FunctionInfo function;
    function.set_id = "set";
    return AnswerTest::answer(&function);
  }
  std::string tag(const Answer& answer) { return answer.own_headers.empty() ? "" : answer.own_headers[0].second; }

  test::TemporaryFolder place;
};

TEST_F(FileTag, AnUnchangedFileIs304) {
  for (const auto kind : {domain::ReplyBody::ResourceFile, domain::ReplyBody::CallFile}) {
    call.headers.clear();
    const Answer first = send(kind);
    EXPECT_EQ(first.status, 200);
    EXPECT_TRUE(first.file);
    const std::string known = tag(first);
    ASSERT_NE(known, "");
    call.headers = {{"if-none-match", known}};
    const Answer second = send(kind);
    EXPECT_EQ(second.status, 304);
    EXPECT_FALSE(second.file);
    EXPECT_EQ(second.file_bytes, 0);
    EXPECT_EQ(tag(second), known);
  }
}

TEST_F(FileTag, AnotherContentOfTheSameLengthIsSent) {
  for (const char* name : {"set/a.bin", "call/a.bin"}) {
    const auto kind = name[0] == 's' ? domain::ReplyBody::ResourceFile : domain::ReplyBody::CallFile;
    call.headers.clear();
    const std::string known = tag(send(kind));
    // Replaced as apply does it: the new file is complete before it has the name.
    place.write("new", "other");
    std::filesystem::rename(place / "new", place / name);
    call.headers = {{"if-none-match", known}};
    const Answer second = send(kind);
    EXPECT_EQ(second.status, 200) << name;
    EXPECT_EQ(second.file_bytes, 5) << name;
    EXPECT_NE(tag(second), known) << name;
  }
}

TEST_F(FileTag, AFileThatACallMakesAnewIsKnownByItsContent) {
  const std::string known = tag(send(domain::ReplyBody::CallFile));
  place.write("new", "first");
  std::filesystem::rename(place / "new", place / "call/a.bin");
  call.headers = {{"if-none-match", known}};
  EXPECT_EQ(send(domain::ReplyBody::CallFile).status, 304);
}

struct RecordTextsTest : testing::Test {
  domain::CallRecordTexts texts() {
    domain::CallRecord record;
    fill_record_texts(record, answer, &endpoint, call, passwords);
    return *record.texts;
  }
  RecordTextsTest() { endpoint.api.record_detail = true; }

  static constexpr std::size_t kKept = 64 << 10;
  Answer answer;
  Endpoint endpoint;
  domain::Call call;
  std::vector<base::SecretString> passwords;
};

// Nothing of a secret stays, wherever the end of what is kept lies in it.
TEST_F(RecordTextsTest, MasksBeforeItCuts) {
  const std::string secret = "canary-0123456789-canary";
  passwords.emplace_back(secret);
  for (const std::size_t begin : {kKept - secret.size(), kKept - 20, kKept - 5, kKept - 1, kKept}) {
    // Many before it move it towards the front when they are masked.
    std::string text(begin, 'x');
    for (std::size_t at = 0; at + secret.size() < 2000; at += 2 * secret.size()) text.replace(at, secret.size(), secret);
    text += secret + std::string(200'000, 'y');
    answer.owned_body = text;
    answer.reply.kwargs = answer.owned_body;
    const domain::CallRecordTexts kept = texts();
    for (const std::string* one : {&kept.result, &kept.kwargs}) {
      EXPECT_EQ(one->find("canary"), std::string::npos) << begin;
      EXPECT_LE(one->size(), kKept);
      EXPECT_GT(one->size(), kKept - 2000) << "what is kept is about as long as it may be";
    }
  }
}

TEST_F(RecordTextsTest, MasksAnAuthorizationThatTheFunctionWasShown) {
  endpoint.strip = {.headers = {"authorization", "proxy-authorization"}, .authorization_passes_until_ms = 1000};
  call.headers = {{"authorization", "Bearer canary-token"}, {"proxy-authorization", "Basic canary-proxy"}};
  answer.owned_body = R"({"seen":["Bearer canary-token","canary-token","canary-proxy"]})";
  EXPECT_EQ(texts().result, R"({"seen":["*****","*****","*****"]})");
}

}  // namespace
}  // namespace funcgate::service
