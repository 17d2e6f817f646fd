#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/worker/worker_process.h"

namespace funcgate::test {
namespace {

using ::testing::HasSubstr;
using wire::ArgumentForm;
using wire::Outcome;

struct FormCase {
  const char* rule;
  ArgumentForm form;
  const char* content_type;
  const char* query;
  std::string_view body;
  const char* answer;  // JSON of the arguments, or the begin of "400 message"
};

// Shows arguments with their types kept.
constexpr const char* kEcho = "@DFF.API('echo')\ndef f(**arguments):\n    return arguments\n";

std::string outcome_of(const WorkerReply& reply) {
  if (reply.outcome == Outcome::Value) return reply.body;
  if (reply.outcome == Outcome::BadArguments) return "400 " + std::string(reply.problem_json().at("message").as_string());
  return reply.problem;
}

TEST(WorkerArguments, ComeFromWhereTheFormSays) {
  WorkerProcess worker(kEcho);
  ASSERT_TRUE(worker.ready()) << base::to_json(worker.report());
  const char* json = "application/json";
  const char* form = "application/x-www-form-urlencoded";
  const FormCase cases[] = {
      {"standard POST keeps types", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":1,"b":[true,null,1.5,"x"]}})",
       R"({"a":1,"b":[true,null,1.5,"x"]})"},
      {"the query never supplies arguments on POST", ArgumentForm::PostStandard, json, "a=1&kwargs=%7B%7D", R"({"kwargs":{}})",
       "{}"},
      {"an empty body means no arguments", ArgumentForm::PostStandard, "", "", "", "{}"},
      {"an empty object means no arguments", ArgumentForm::PostStandard, json, "", "{}", "{}"},
      {"no other members", ArgumentForm::PostStandard, json, "", R"({"kwargs":{},"a":1})", "400 Only kwargs and options"},
      {"kwargs is an object", ArgumentForm::PostStandard, json, "", R"({"kwargs":[1]})", "400 kwargs must be a JSON object"},
      {"options is an object", ArgumentForm::PostStandard, json, "", R"({"options":null})", "400 options must be a JSON object"},
      {"the body is an object", ArgumentForm::PostStandard, json, "", "[1]", "400 The body must be a JSON object"},
      {"the media type counts, not the look", ArgumentForm::PostStandard, "text/plain", "", R"({"kwargs":{}})",
       "400 The body of the standard form must be JSON"},
      {"a +json type is JSON", ArgumentForm::PostStandard, "application/vnd.x+json; charset=utf-8", "", R"({"kwargs":{"a":1}})",
       R"({"a":1})"},
      {"broken JSON", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":1})", "400 The body is not valid JSON"},
      {"something after the JSON", ArgumentForm::PostStandard, json, "", R"({"kwargs":{}} x)", "400 The body is not valid JSON"},
      {"repeated member names", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":1,"a":2}})",
       "400 The body is not valid JSON: repeated"},
      {"names repeated by an escape", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":1,"\u0061":2}})",
       "400 The body is not valid JSON: repeated"},
      {"NaN is not JSON", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":NaN}})", "400 The body is not valid JSON"},
      {"numbers are finite", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":1e999}})",
       "400 The body is not valid JSON: a number that is not finite"},
      {"tiny numbers are zero", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":1e-999}})", R"({"a":0.0})"},
      {"invalid UTF-8", ArgumentForm::PostStandard, json, "", "{\"kwargs\":{\"a\":\"\xff\"}}",
       "400 The body is not valid JSON: invalid UTF-8"},
      {"lone surrogates", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":"\ud800"}})",
       "400 The body is not valid JSON: a lone surrogate"},
      {"surrogate pairs", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":"\ud83d\ude00\n\u00e4"}})",
       "{\"a\":\"\xf0\x9f\x98\x80\\n\xc3\xa4\"}"},
      {"control characters inside a text", ArgumentForm::PostStandard, json, "", "{\"kwargs\":{\"a\":\"\n\"}}",
       "400 The body is not valid JSON: a control"},
      {"leading zeros", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":01}})",
       "400 The body is not valid JSON: a number with a leading zero"},
      {"integers of any size", ArgumentForm::PostStandard, json, "",
       R"({"kwargs":{"a":-123456789012345678901234567890,"b":9223372036854775807}})",
       R"({"a":-123456789012345678901234567890,"b":9223372036854775807})"},
      {"simplified POST takes the members", ArgumentForm::PostSimplified, json, "x=1", R"({"a":1,"kwargs":{"b":2}})",
       R"({"a":1,"kwargs":{"b":2}})"},
      {"simplified JSON is an object", ArgumentForm::PostSimplified, json, "", "[1]", "400 The body must be a JSON object"},
      {"a form is text, repeated names are lists", ArgumentForm::PostSimplified, form, "",
       "sku=A7&qty=2&n=gift&n=fragile+x%21&n=", R"({"sku":"A7","qty":"2","n":["gift","fragile x!",""]})"},
      {"brackets and dots have no meaning", ArgumentForm::PostSimplified, form, "", "a[0]=1&a.b=2", R"({"a[0]":"1","a.b":"2"})"},
      {"a broken escape in a form", ArgumentForm::PostSimplified, form, "", "a=%zz", "400 The form is not well encoded"},
      {"text is one argument", ArgumentForm::PostSimplified, "text/csv", "", "a,b\n", R"({"text":"a,b\n"})"},
      {"text that is not UTF-8", ArgumentForm::PostSimplified, "text/plain", "", "\xff", "400 The body is not UTF-8 text"},
      {"other types are base64", ArgumentForm::PostSimplified, "image/png", "", "\x01\x02", R"({"base64":"AQI="})"},
      {"no type is base64", ArgumentForm::PostSimplified, "", "", "{}", R"({"base64":"e30="})"},
      {"no type and no body", ArgumentForm::PostSimplified, "", "", "", "{}"},
      {"standard GET", ArgumentForm::GetStandard, "", "kwargs=%7B%22sku%22%3A%22A7%22%7D&options=%7B%7D", "", R"({"sku":"A7"})"},
      {"standard GET without anything", ArgumentForm::GetStandard, "", "", "", "{}"},
      {"standard GET, another name", ArgumentForm::GetStandard, "", "kwargs=%7B%7D&a=1", "", "400 Only kwargs and options"},
      {"standard GET, a repeated name", ArgumentForm::GetStandard, "", "kwargs=%7B%7D&kwargs=%7B%7D", "",
       "400 kwargs is given twice"},
      {"standard GET, not an object", ArgumentForm::GetStandard, "", "kwargs=1", "", "400 kwargs must be a JSON object"},
      {"simplified GET", ArgumentForm::GetSimplified, "", "sku=A7&qty=2&qty=3", "", R"({"sku":"A7","qty":["2","3"]})"},
      {"the form of tasks", ArgumentForm::Kwargs, "", "a=1", R"({"a":1})", R"({"a":1})"},
      {"files is reserved, JSON", ArgumentForm::PostSimplified, json, "", R"({"files":[{"filePath":"/etc/passwd"}]})",
       "400 Invalid arguments"},
      {"files is reserved, query", ArgumentForm::GetSimplified, "", "files=x", "", "400 Invalid arguments"},
  };
  for (const auto& [rule, form_of_case, type, query, body, answer] : cases) {
    wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
    invoke.form = form_of_case;
    invoke.content_type = type;
    invoke.query = query;
    invoke.body = body;
    const std::string outcome = outcome_of(worker.call(invoke));
    if (std::string_view(answer).starts_with("400")) {
      EXPECT_THAT(outcome, ::testing::StartsWith(answer)) << rule;
    } else {
      EXPECT_EQ(outcome, answer) << rule;
    }
  }
}

TEST(WorkerArguments, NestUpTo64Levels) {
  WorkerProcess worker(kEcho);
  for (const int levels : {62, 63}) {
    // Two levels are the body and kwargs.
    const std::string body = R"({"kwargs":{"a":)" + std::string(levels, '[') + std::string(levels, ']') + "}}";
    wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
    invoke.body = body;
    EXPECT_EQ(worker.call(invoke).outcome, levels == 62 ? Outcome::Value : Outcome::BadArguments) << levels;
  }
}

TEST(WorkerArguments, MultipartPartsAreTextAndFilesComeFromTheServer) {
  WorkerProcess worker(
      "@DFF.API('x')\ndef f(a: int, b, files): return [a, b, files, _DFF_HTTP_REQUEST['body'], _DFF_HTTP_REQUEST['rawBody']]\n");
  wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
  invoke.form = ArgumentForm::PostSimplified;
  invoke.content_type = "multipart/form-data; boundary=x";
  invoke.parts = {{"a", "7"}, {"b", "x"}, {"b", "y"}};
  invoke.files = R"([{"filePath":"/run/calls/1/f","size":3}])";
  EXPECT_EQ(worker.call(invoke).body, R"([7,["x","y"],[{"filePath":"/run/calls/1/f","size":3}],{"a":"7","b":["x","y"]},null])");
  invoke.parts.push_back({"files", "mine"});
  EXPECT_EQ(worker.call(invoke).outcome, Outcome::BadArguments);
}

struct ValueCase {
  const char* annotation;
  const char* json;
  const char* answer;  // repr of the argument, or "!code expected found"
};

std::string argument_outcome(const WorkerReply& reply) {
  if (reply.outcome == Outcome::Value) return reply.body;
  if (reply.outcome != Outcome::BadArguments) return "outcome " + reply.problem;
  const auto problem = reply.problem_json();
  const auto& error = problem.at("detail").at("errors").as_array().at(0);
  auto text = [&](const char* name) {
    return error.at(name).is_string() ? std::string(error.at(name).as_string()) : std::string("null");
  };
  return "!" + text("code") + " " + text("expected") + " " + text("found") + " " + text("path");
}

constexpr const char* kTypes =
    "import datetime, decimal, enum, uuid, dataclasses, typing\n"
    "from typing import *\n"
    "from datetime import date, datetime\nfrom uuid import UUID\nfrom decimal import Decimal\n"
    "class Color(enum.Enum):\n    RED = 'red'\n    BLUE = 'blue'\n"
    "class Level(enum.IntEnum):\n    LOW = 1\n    HIGH = 2\n"
    "@dataclasses.dataclass\nclass Point:\n    x: int\n    y: int = 0\n"
    "class Options(TypedDict, total=False):\n    a: Required[int]\n    b: str\n";

TEST(WorkerArguments, JsonMustFitTheAnnotationWithoutConversion) {
  const ValueCase cases[] = {
      {"", "[1]", "[1]"},
      {"Any", "null", "None"},
      {"str", "\"x\"", "'x'"},
      {"str", "1", "!type string integer kwargs.a"},
      {"int", "5", "5"},
      {"int", "2.0", "!type integer number kwargs.a"},
      {"int", "true", "!type integer boolean kwargs.a"},
      {"int", "\"5\"", "!type integer string kwargs.a"},
      {"int", "null", "!type integer null kwargs.a"},
      {"float", "5", "5.0"},
      {"float", "1.5", "1.5"},
      {"float", "true", "!type number boolean kwargs.a"},
      {"bool", "true", "True"},
      {"bool", "1", "!type boolean integer kwargs.a"},
      {"list[int]", "[1,2]", "[1, 2]"},
      {"list[int]", "[1,\"x\"]", "!type integer string kwargs.a[1]"},
      {"list[int]", "{}", "!type array object kwargs.a"},
      {"tuple[int, str]", "[1,\"x\"]", "(1, 'x')"},
      {"tuple[int, str]", "[1]", "!value array array kwargs.a"},
      {"tuple[int, ...]", "[1,2]", "(1, 2)"},
      {"set[int]", "[1,1]", "{1}"},
      {"dict[str, int]", "{\"k\":1}", "{'k': 1}"},
      {"dict[str, int]", "{\"k\":\"v\"}", "!type integer string kwargs.a.k"},
      {"Point", "{\"x\":1}", "Point(x=1, y=0)"},
      {"Point", "{\"x\":1,\"z\":2}", "!unknown null integer kwargs.a.z"},
      {"Point", "{}", "!missing integer null kwargs.a.x"},
      {"list[Point]", "[{\"x\":\"s\"}]", "!type integer string kwargs.a[0].x"},
      {"Options", "{\"a\":1}", "{'a': 1}"},
      {"Options", "{\"b\":\"x\"}", "!missing integer null kwargs.a.a"},
      {"Options", "{\"a\":1,\"c\":1}", "!unknown null integer kwargs.a.c"},
      {"Optional[int]", "null", "None"},
      {"int | None", "3", "3"},
      {"int | None", "\"x\"", "!type integer string kwargs.a"},
      {"Literal['a', 1]", "1", "1"},
      {"Literal['a', 1]", "true", "!value any boolean kwargs.a"},
      {"Literal['a', 'b']", "\"c\"", "!value string string kwargs.a"},
      {"Color", "\"red\"", "<Color.RED: 'red'>"},
      {"Color", "\"RED\"", "!value string string kwargs.a"},
      {"Level", "2", "<Level.HIGH: 2>"},
      {"date", "\"2026-03-02\"", "datetime.date(2026, 3, 2)"},
      {"date", "\"2026-02-30\"", "!value string string kwargs.a"},
      {"datetime", "\"2026-03-02T09:15:00Z\"", "datetime.datetime(2026, 3, 2, 9, 15, tzinfo=datetime.timezone.utc)"},
      {"UUID", "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"", "UUID('6ba7b810-9dad-11d1-80b4-00c04fd430c8')"},
      {"UUID", "\"x\"", "!value string string kwargs.a"},
      {"Decimal", "\"1.10\"", "Decimal('1.10')"},
      {"Decimal", "1.1", "!type string number kwargs.a"},
      {"Decimal", "\"NaN\"", "!value string string kwargs.a"},
      {"bytes", "\"AQI=\"", "b'\\x01\\x02'"},
      {"bytes", "\"%\"", "!value string string kwargs.a"},
      {"int | str", "[]", "[]"},
  };
  for (const auto& [annotation, json, answer] : cases) {
    const std::string hint = *annotation == '\0' ? "" : std::string(": ") + annotation;
    WorkerProcess worker(std::string(kTypes) + "@DFF.API('x')\ndef f(a" + hint + "): return repr(a)\n");
    ASSERT_TRUE(worker.ready()) << annotation << base::to_json(worker.report());
    EXPECT_EQ(argument_outcome(worker.call_f(std::string(R"({"a":)") + json + "}")), answer) << annotation << " from " << json;
  }
}

TEST(WorkerArguments, JsonOfARequestIsNoDeeperThanTheServerSays) {
  struct DepthCase {
    const char* rule;
    ArgumentForm form;
    const char* content_type;
    const char* query;
    const char* body;
    bool fits;
  };
  const char* json = "application/json";
  const char* form = "application/x-www-form-urlencoded";
  const DepthCase cases[] = {
      {"the levels of the whole body count", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":[]}})", true},
      {"one more", ArgumentForm::PostStandard, json, "", R"({"kwargs":{"a":[[]]}})", false},
      {"options too", ArgumentForm::PostStandard, json, "", R"({"options":{"unbox":[[]]}})", false},
      {"simplified", ArgumentForm::PostSimplified, json, "", R"({"a":[[]]})", true},
      {"simplified, one more", ArgumentForm::PostSimplified, json, "", R"({"a":[[[]]]})", false},
      {"query", ArgumentForm::GetStandard, "", "kwargs=%7B%22a%22%3A%5B%5B%5D%5D%7D", "", true},
      {"query, one more", ArgumentForm::GetStandard, "", "kwargs=%7B%22a%22%3A%5B%5B%5B%5D%5D%5D%7D", "", false},
      {"a list inside of a text", ArgumentForm::GetSimplified, "", "a=%5B%5B%5B%5D%5D%5D", "", true},
      {"the same, one more", ArgumentForm::GetSimplified, "", "a=%5B%5B%5B%5B%5D%5D%5D%5D", "", false},
      {"in a form", ArgumentForm::PostSimplified, form, "", "a=%5B%5B%5B%5B%5D%5D%5D%5D", false},
      {"what the server kept is its own", ArgumentForm::Kwargs, "", "", R"({"a":[[[[]]]]})", true},
  };
  WorkerProcess worker("@DFF.API('x')\ndef f(a: list = None):\n    return DFF.CTX.get('none') or 'entered'\n");
  ASSERT_TRUE(worker.ready()) << base::to_json(worker.report());
  for (const DepthCase& row : cases) {
    wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
    invoke.json_depth_max = 3;
    invoke.form = row.form;
    invoke.content_type = row.content_type;
    invoke.query = row.query;
    invoke.body = row.body;
    const auto reply = worker.call(invoke);
    EXPECT_EQ(reply.outcome, row.fits ? Outcome::Value : Outcome::BadArguments) << row.rule << reply.body << reply.problem;
  }
}

TEST(WorkerArguments, TextIsConvertedToTheAnnotation) {
  const ValueCase cases[] = {
      {"", "a=1", "'1'"},
      {"", "a=1&a=2", "['1', '2']"},
      {"str", "a=", "''"},
      {"str | None", "a=", "''"},
      {"int", "a=-12", "-12"},
      {"int", "a=1.0", "!type integer string kwargs.a"},
      {"int", "a=%2B1", "!type integer string kwargs.a"},
      {"int", "a=1234567890123456789", "!type integer string kwargs.a"},
      {"int", "a=1&a=2", "!type integer array kwargs.a"},
      {"int | None", "a=", "None"},
      {"float", "a=1e3", "1000.0"},
      {"float", "a=nan", "!type number string kwargs.a"},
      {"float", "a=1e999", "!type number string kwargs.a"},
      {"bool", "a=TRUE", "True"},
      {"bool", "a=0", "False"},
      {"bool", "a=yes", "!type boolean string kwargs.a"},
      {"list[int]", "a=1&a=2", "[1, 2]"},
      {"list[int]", "a=3", "[3]"},
      {"list[int]", "a=%5B1,2%5D", "[1, 2]"},
      {"list[int]", "a=1&a=x", "!type integer string kwargs.a[1]"},
      {"set[str]", "a=x&a=x", "{'x'}"},
      {"dict[str, int]", "a=%7B%22k%22:1%7D", "{'k': 1}"},
      {"dict[str, int]", "a=k", "!type object string kwargs.a"},
      {"Point", "a=%7B%22x%22:1%7D", "Point(x=1, y=0)"},
      {"Literal['a', 1, True]", "a=1", "1"},
      {"Literal['1', 1]", "a=1", "'1'"},
      {"Level", "a=2", "<Level.HIGH: 2>"},
      {"Level", "a=LOW", "<Level.LOW: 1>"},
      {"Color", "a=green", "!value string string kwargs.a"},
      {"date", "a=2026-03-02", "datetime.date(2026, 3, 2)"},
      {"Decimal", "a=2.50", "Decimal('2.50')"},
      {"bytes", "a=AQI%3D", "b'\\x01\\x02'"},
  };
  for (const auto& [annotation, query, answer] : cases) {
    const std::string hint = *annotation == '\0' ? "" : std::string(": ") + annotation;
    WorkerProcess worker(std::string(kTypes) + "@DFF.API('x')\ndef f(a" + hint + "): return repr(a)\n");
    ASSERT_TRUE(worker.ready()) << annotation << base::to_json(worker.report());
    wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
    invoke.form = ArgumentForm::GetSimplified;
    invoke.query = query;
    EXPECT_EQ(argument_outcome(worker.call(invoke)), answer) << annotation << " from " << query;
  }
}

TEST(WorkerArguments, ProblemIsTheDocumentedOne) {
  WorkerProcess worker("@DFF.API('x')\ndef f(sku: str, qty: int = 1): return 1\n");
  EXPECT_EQ(
      worker.call_f(R"({"sku":"A7","qty":"two"})").problem,
      R"({"message":"Invalid arguments","detail":{"errors":[{"path":"kwargs.qty","code":"type","message":"must be an integer",)"
      R"("expected":"integer","found":"string"}]}})");
  EXPECT_EQ(
      worker.call_f(R"({"qty":1,"more":"x"})").problem,
      R"({"message":"Invalid arguments","detail":{"errors":[)"
      R"({"path":"kwargs.sku","code":"missing","message":"is required","expected":"string","found":null},)"
      R"({"path":"kwargs.more","code":"unknown","message":"is not a parameter of the function","expected":null,"found":"string"}]}})");
  std::string many = "{\"sku\":\"x\"";
  for (int i = 0; i < 50; ++i) many += ",\"n" + std::to_string(i) + "\":1";
  EXPECT_EQ(worker.call_f(many + "}").problem_json().at("detail").at("errors").as_array().size(), 20u);
}

TEST(WorkerArguments, SignaturesOfEveryKindAreCalledRight) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"a, b=2, c=3", R"({"a":1,"c":9})", "(1, 2, 9)"},
      {"a=1, *, b, c=5", R"({"b":2})", "(1, 2, 5)"},
      {"a=1, b=2, c=3", "{}", "(1, 2, 3)"},
      {"a=1, /, b=2, c=3", R"({"c":4})", "(1, 2, 4)"},
      {"a, *rest, b=2, c=3", R"({"a":1})", "(1, 2, 3)"},
  };
  for (const auto& [signature, kwargs, answer] : cases) {
    WorkerProcess worker(std::string("@DFF.API('x')\ndef f(") + signature + "): return repr((a, b, c))\n");
    EXPECT_EQ(worker.call_f(kwargs).body, answer) << signature;
  }
  WorkerProcess positional("@DFF.API('x')\ndef f(a=1, /, **more): return 1\n");
  EXPECT_EQ(argument_outcome(positional.call_f(R"({"a":5})")), "!unknown null integer kwargs.a");
}

TEST(WorkerArguments, ValidationOffChecksNamesOnly) {
  WorkerProcess worker("@DFF.API('x')\ndef f(a: int, b: int = 1): return repr((a, b))\n");
  wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
  invoke.flags = wire::kUnbox;
  invoke.body = R"({"kwargs":{"a":"x"}})";
  EXPECT_EQ(worker.call(invoke).body, "('x', 1)");
  invoke.body = R"({"kwargs":{"a":"x","z":1}})";
  EXPECT_EQ(worker.call(invoke).outcome, Outcome::BadArguments);
  invoke.body = "{}";
  EXPECT_EQ(worker.call(invoke).outcome, Outcome::BadArguments);
}

TEST(WorkerArguments, AConstantAlwaysWins) {
  WorkerProcess worker(
      "import datetime\n@DFF.API('x')\ndef f(a: int, b: str = 'd', c: datetime.date = None): return repr((a, b, c))\n");
  wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
  invoke.fixed_kwargs = R"({"a":7,"b":"INPUT_BY_CALLER","c":"2026-03-02"})";
  invoke.body = R"({"kwargs":{"b":"mine"}})";
  EXPECT_EQ(worker.call(invoke).body, "(7, 'mine', datetime.date(2026, 3, 2))");
  invoke.body = "{}";
  EXPECT_EQ(worker.call(invoke).body, "(7, 'd', datetime.date(2026, 3, 2))");
  invoke.body = R"({"kwargs":{"a":7}})";
  const auto refused = worker.call(invoke);
  EXPECT_EQ(refused.outcome, Outcome::BadArguments);
  EXPECT_EQ(refused.problem, R"({"message":"Argument is fixed by this API","detail":{"kwargsField":"a","funcId":"t__m.f"}})");
}

TEST(WorkerArguments, OptionsAreAWhitelist) {
  WorkerProcess worker("@DFF.API('x')\ndef f(): return 'x'\n");
  struct OptionCase {
    const char* options;
    const char* refused;  // option, or nullptr
    const char* accepted;
    bool asynchronous;
  };
  const OptionCase cases[] = {
      {R"({"timeout":5,"expires":6})", nullptr, R"({"timeout":5,"expires":6})", false},
      {R"({"unbox":false})", nullptr, R"({"unbox":false})", false},
      {R"({"returnType":"jsonDumps"})", nullptr, R"({"returnType":"jsonDumps"})", false},
      {R"({"apiTimeout":"x","execMode":1,"saveResult":null})", nullptr, "", false},
      {R"({"timeout":99999})", nullptr, R"({"timeout":3600})", false},
      {R"({"timeout":0})", "timeout", "", false},
      {R"({"timeout":true})", "timeout", "", false},
      {R"({"timeout":1.5})", "timeout", "", false},
      {R"({"unbox":1})", "unbox", "", false},
      {R"({"returnType":"ALL"})", "returnType", "", false},
      {R"({"funcId":"x"})", "funcId", "", false},
      {R"({"queue":1})", "queue", "", false},
      {R"({"originId":1})", "originId", "", false},
      {R"({"ignoreResult":true})", "ignoreResult", "", false},
      {R"({"delay":5})", "delay", "", false},
      {R"({"delay":5})", nullptr, R"({"delay":5})", true},
      {R"({"delay":604801})", "delay", "", true},
      {R"({"eta":"2020-01-01T00:00:00Z"})", nullptr, R"({"eta":"2020-01-01T00:00:00Z"})", true},
      {R"({"eta":"2920-01-01T00:00:00Z"})", "eta", "", true},
      {R"({"eta":"tomorrow"})", "eta", "", true},
      {R"({"delay":5,"eta":"2020-01-01T00:00:00Z"})", "eta", "", true},
  };
  for (const auto& [options, refused, accepted, asynchronous] : cases) {
    wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
    if (asynchronous) invoke.flags |= wire::kAsyncApi;
    const std::string body = std::string(R"({"options":)") + options + "}";
    invoke.body = body;
    const auto reply = worker.call(invoke);
    if (refused != nullptr) {
      EXPECT_EQ(reply.outcome, Outcome::BadArguments) << options;
      EXPECT_THAT(reply.problem, HasSubstr(std::string(R"("detail":{"option":")") + refused + "\"}")) << options;
    } else {
      EXPECT_EQ(reply.outcome, Outcome::Value) << options << reply.problem;
      EXPECT_EQ(reply.options, accepted) << options;
    }
  }
}

TEST(WorkerArguments, ValidateGivesTheCanonicalFormThatACallAcceptsAgain) {
  WorkerProcess worker(
      std::string(kTypes) +
      "@DFF.API('x')\ndef f(d: date, e: Level, p: Point, b: bytes, n: float, m: Decimal, s: set[int], z: Color, k=1):\n"
      "    return repr((d, e, p, b, n, m, s, z, k))\n");
  ASSERT_TRUE(worker.ready()) << base::to_json(worker.report());
  wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
  invoke.form = ArgumentForm::GetSimplified;
  invoke.query = "d=2026-03-02&e=HIGH&p=%7B%22x%22:1%7D&b=AQI%3D&n=2&m=1.10&s=5&z=red";
  const std::string direct = worker.call(invoke).body;
  invoke.mode = wire::InvokeMode::Validate;
  const auto canonical = worker.call(invoke);
  EXPECT_EQ(canonical.body,
            R"({"kwargs":{"b":"AQI=","d":"2026-03-02","e":2,"m":"1.10","n":2.0,"p":{"x":1,"y":0},"s":[5],"z":"red"}})");
  const std::string kwargs = canonical.body.substr(10, canonical.body.size() - 11);
  wire::Invoke again = WorkerProcess::invoke("t__m.f");
  again.form = ArgumentForm::Kwargs;
  again.body = kwargs;
  EXPECT_EQ(worker.call(again).body, direct);
}

}  // namespace
}  // namespace funcgate::test
