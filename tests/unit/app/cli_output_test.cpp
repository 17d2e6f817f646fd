#include "app/cli/output.h"

#include <gtest/gtest.h>

#include "app/cli/command.h"

namespace funcgate::app::cli {
namespace {

json::value parse(std::string_view text) { return *base::parse_json(text); }

TEST(CliTable, ColumnsAreAsWideAsTheirWidestCellOnATerminal) {
  const json::value rows = parse(R"([{"name":"東京","count":1},{"name":"Ada","count":22}])");
  const Column columns[] = {{"NAME", "name"}, {"COUNT", "count"}};
  EXPECT_EQ(render_table(rows.as_array(), columns), "NAME  COUNT\n東京  1\nAda   22\n");
}

TEST(CliTable, MarksThatCombineTakeNoColumn) {
  const json::value rows = parse("[{\"name\":\"e\u0301\",\"count\":1},{\"name\":\"e\",\"count\":2}]");
  const Column columns[] = {{"N", "name"}, {"C", "count"}};
  EXPECT_EQ(render_table(rows.as_array(), columns), "N  C\ne\u0301  1\ne  2\n");
}

TEST(CliTable, WithoutRowsItSaysSo) {
  const Column columns[] = {{"NAME", "name"}};
  EXPECT_EQ(render_table({}, columns), "(none)\n");
}

TEST(CliCell, FollowsPathsThroughObjectsAndLists) {
  const json::value row = parse(
      R"({"user":{"login":"mia"},"groups":[{"id":"1","name":"A"},{"id":"2","name":"B"}],"first":"M","last":"X","on":true,"none":null,"tags":["a","b"]})");
  const struct {
    const char* why;
    const char* path;
    const char* text;
  } kCases[] = {{"a member of a member", "user.login", "mia"},
                {"a member of each element", "groups[].name", "A, B"},
                {"elements by what they are called", "groups", "A, B"},
                {"several paths", "first last", "M X"},
                {"a truth", "on", "yes"},
                {"null", "none", "-"},
                {"absent", "nothing.at.all", "-"},
                {"a list of texts", "tags", "a, b"},
                {"a list where an object was thought", "tags.name", "-"}};
  for (const auto& one : kCases) EXPECT_EQ(cell_text(row, one.path), one.text) << one.why;
}

TEST(CliCell, ControlCharactersAreMadeVisible) {
  EXPECT_EQ(visible("a\x1b[2J"), "a\\x1b[2J");
  EXPECT_EQ(visible("a\nb\tc"), "a b c");
  EXPECT_EQ(visible("\xc2\x9b"
                    "31m"),
            "\\x9b31m");  // a control of one byte in Latin-1
  EXPECT_EQ(visible("Größe ¡"), "Größe ¡");
}

TEST(CliObject, ShowsMembersByLineAndListsOfObjectsAsTables) {
  const json::value object =
      parse(R"({"login":"mia","owner":{"kind":"action"},"steps":[{"check":"a","ok":true},{"check":"bb","ok":false}]})");
  EXPECT_EQ(render_object(object), "login       mia\nowner.kind  action\n\nsteps\ncheck  ok\na      yes\nbb     no\n");
}

TEST(CliJson, IsIndentedAndTheSameValue) {
  const json::value value = parse(R"({"a":[1,{"b":"x\"y"}],"c":{},"d":[]})");
  EXPECT_EQ(parse(render_json(value)), value);
  EXPECT_EQ(render_json(parse(R"({"a":[1]})")), "{\n  \"a\": [\n    1\n  ]\n}\n");
}

TEST(CliSpan, TakesOneNumberAndOneUnit) {
  EXPECT_EQ(parse_span_ms("45s"), 45'000);
  EXPECT_EQ(parse_span_ms("30m"), 1'800'000);
  EXPECT_EQ(parse_span_ms("24h"), 86'400'000);
  EXPECT_EQ(parse_span_ms("2w"), 1'209'600'000);
  for (const char* wrong : {"", "d", "90", "-1d", "1.5h", "9999999d", "1 d", "1y"}) EXPECT_FALSE(parse_span_ms(wrong)) << wrong;
}

TEST(CliMoment, IsASpanFromNowADateADateTimeOrNever) {
  constexpr base::WallMs kNow = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
  EXPECT_EQ(*parse_moment("--expires", "1d", kNow), "2026-01-02T00:00:00.000Z");
  EXPECT_EQ(*parse_moment("--expires", "2031-01-01", kNow), "2031-01-01T00:00:00.000Z");
  EXPECT_EQ(*parse_moment("--expires", "2031-01-01T02:00:00+02:00", kNow), "2031-01-01T00:00:00.000Z");
  EXPECT_EQ(*parse_moment("--expires", "never", kNow), "");
  for (const char* wrong : {"", "tomorrow", "2031-13-01", "2031-01-01 00:00"})
    EXPECT_FALSE(parse_moment("--expires", wrong, kNow).ok()) << wrong;
}

TEST(CliRefusal, TellsEveryFindingAndTheTraceId) {
  const auto error = refusal_error(400, parse(R"({"ok":false,"error":400.43,"message":"The request is not valid","traceId":"T1",
                                               "detail":{"errors":[{"path":"login","code":"missing","message":"is required"}]}})"));
  EXPECT_EQ(error.message, "The request is not valid\n  login: is required\n  trace id: T1");
  EXPECT_EQ(error.code, base::Code::InvalidArgument);
}

TEST(CliRefusal, CodesFollowTheStatus) {
  const auto code = [](int status, const char* envelope) { return refusal_error(status, parse(envelope)).code; };
  EXPECT_EQ(code(401, "{}"), base::Code::PermissionDenied);
  EXPECT_EQ(code(403, "{}"), base::Code::PermissionDenied);
  EXPECT_EQ(code(404, "{}"), base::Code::NotFound);
  for (const int status : {409, 412, 428}) EXPECT_EQ(code(status, "{}"), base::Code::Conflict);
  EXPECT_EQ(code(502, "null"), base::Code::Unavailable);
  EXPECT_EQ(code(503, R"({"error":503.1})"), base::Code::Unavailable);
  EXPECT_EQ(code(503, R"({"error":503.61})"), base::Code::Internal);  // reached, but something must be mended
}

}  // namespace
}  // namespace funcgate::app::cli
