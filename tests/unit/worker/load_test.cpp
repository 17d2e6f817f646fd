#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/worker/worker_process.h"

namespace funcgate::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct LoadErrorCase {
  const char* rule;
  const char* source;
  const char* where;
  const char* problem;
};

TEST(WorkerLoad, RunsAFunctionOfAScript) {
  WorkerProcess worker("@DFF.API('Add')\ndef f(a: int, b: int = 1):\n    return {'sum': a + b}\n");
  ASSERT_TRUE(worker.ready()) << base::to_json(worker.report());
  const auto reply = worker.call_f(R"({"a":2,"b":40})");
  EXPECT_EQ(reply.outcome, wire::Outcome::Value) << reply.problem;
  EXPECT_EQ(reply.body, R"({"sum":42})");
  EXPECT_EQ(reply.content_type, "application/json");
}

// Modules that take megabytes are shared by the workers whose scripts name them, and in nobody's memory before.
TEST(WorkerLoad, BringsLargeModulesAlongForScriptsThatNameThem) {
  Zygote zygote;
  const std::string source =
      "import sys\nFOUND = [name in sys.modules for name in ('hash' + 'lib', 'encodings.id' + 'na')]\n"
      "@DFF.API('x')\ndef f():\n    return FOUND\n";
  const auto found = [&](const std::string& comment) {
    WorkerSetup setup;
    setup.scripts = {{"t__m", source + comment}};
    WorkerProcess worker(setup, zygote);
    EXPECT_TRUE(worker.ready()) << base::to_json(worker.report());
    return worker.call_f("{}").body;
  };
  EXPECT_EQ(found(""), "[false,false]");
  // Wherever in the text it stands.
  EXPECT_EQ(found("# " + std::string(200'000, 'x') + "\n# hashlib\n"), "[true,false]");
  EXPECT_EQ(found("# socket"), "[true,true]") << "and it stays";
}

// uuid5() imports hashlib, which the script does not name.
TEST(WorkerLoad, ImportsDuringACallWhatNobodyNamed) {
  Zygote zygote;
  WorkerProcess worker(
      {{{"t__m", "import uuid\n@DFF.API('x')\ndef f():\n    return str(uuid.uuid5(uuid.NAMESPACE_DNS, 'a.example'))\n"}}, {}, {}},
      zygote);
  ASSERT_TRUE(worker.ready()) << base::to_json(worker.report());
  const auto reply = worker.call_f("{}");
  EXPECT_EQ(reply.outcome, wire::Outcome::Value) << reply.problem;
  EXPECT_EQ(reply.body.size(), 36U) << reply.body;
}

TEST(WorkerLoad, RefusesWhatCannotBePublished) {
  const LoadErrorCase cases[] = {
      {"a syntax error names its line", "x = 1\ndef f(:\n", "t__m:2:", "SyntaxError"},
      {"an exception names its line", "x = 1\ny = 1 / 0\n", "t__m:2:", "ZeroDivisionError"},
      {"SystemExit at module level is an error", "import sys\nsys.exit(3)\n", "t__m:2:", "SystemExit"},
      {"an unknown option", "@DFF.API('x', timeuot=5)\ndef f(): pass\n", "t__m:1:f", "unknown option timeuot=5"},
      {"a bool is not an int", "@DFF.API('x', timeout=True)\ndef f(): pass\n", "t__m:1:f",
       "timeout=True: must be an int from 1 to 3600"},
      {"a str is not an int", "@DFF.API('x', timeout='30')\ndef f(): pass\n", "t__m:1:f",
       "timeout='30': must be an int from 1 to 3600"},
      {"timeout has a range", "@DFF.API('x', timeout=3601)\ndef f(): pass\n", "t__m:1:f", "from 1 to 3600"},
      {"expires has a range", "@DFF.API('x', expires=0)\ndef f(): pass\n", "t__m:1:f", "from 1 to 86400"},
      {"queue has a range", "@DFF.API('x', queue=16)\ndef f(): pass\n", "t__m:1:f", "from 1 to 15"},
      {"both names of timeout must agree", "@DFF.API('x', timeout=5, api_timeout=6)\ndef f(): pass\n", "t__m:1:f", "differ"},
      {"cache_vary needs cache_result", "@DFF.API('x', cache_vary=['url'])\ndef f(): pass\n", "t__m:1:f", "needs cache_result"},
      {"cache_vary has a vocabulary", "@DFF.API('x', cache_result=1, cache_vary=['cookie'])\ndef f(): pass\n", "t__m:1:f",
       "header:<name>"},
      {"isolation has two values", "@DFF.API('x', isolation='thread')\ndef f(): pass\n", "t__m:1:f", "'worker' or 'call'"},
      {"tags are bounded", "@DFF.API('x', tags=['a'] * 21)\ndef f(): pass\n", "t__m:1:f", "at most 20"},
      {"the title is a text", "@DFF.API(5)\ndef f(): pass\n", "t__m:1:f", "title=5"},
      {"parentheses are needed", "@DFF.API\ndef f(): pass\n", "t__m:1:", "parentheses"},
      {"two functions of one name", "@DFF.API('a')\ndef f(): pass\n@DFF.API('b')\ndef f(): pass\n", "t__m:3:f",
       "two functions are named f"},
      {"only module level", "def g():\n  @DFF.API('a')\n  def f(): pass\ng()\n", "t__m:2:f", "at module level"},
      {"only functions", "@DFF.API('a')\nclass f: pass\n", "t__m", "only a function"},
      {"an outer decorator would be skipped", "def guard(g): return lambda *a: g(*a)\n@guard\n@DFF.API('a')\ndef f(): pass\n",
       "t__m:2:f", "outermost"},
      {"positional-only without default", "@DFF.API('a')\ndef f(a, /): pass\n", "t__m:1:f", "positional-only"},
      {"an unknown script of the set", "import __nope\n", "t__m:1:", "No published script is named t__nope"},
  };
  for (const auto& [rule, source, where, problem] : cases) {
    WorkerProcess worker(source);
    EXPECT_FALSE(worker.ready()) << rule;
    EXPECT_THAT(worker.problems(), Contains(AllOf(HasSubstr(where), HasSubstr(problem)))) << rule << "\n"
                                                                                          << base::to_json(worker.report());
    EXPECT_TRUE(worker.wait_closed()) << rule;
  }
}

TEST(WorkerLoad, ReportsAllErrorsAtOnce) {
  WorkerProcess worker(WorkerSetup{
      {{"t__a", "1/0\n"}, {"t__b", "import __a\n"}, {"t__c", "@DFF.API('x', queue=0, tags=5)\ndef f(): pass\n"}}, {}, {}});
  EXPECT_FALSE(worker.ready());
  EXPECT_THAT(worker.problems(),
              ElementsAre(HasSubstr("t__a:1:: ZeroDivisionError"), HasSubstr("t__b:1:: imports a script with errors: t__a"),
                          HasSubstr("queue=0"), HasSubstr("tags=5")));
}

TEST(WorkerLoad, WarnsWithoutRefusing) {
  const std::pair<const char*, const char*> cases[] = {
      {"@DFF.API('x', fixed_crontab='* * * * *')\ndef f(): pass\n", "fixed_crontab has no effect"},
      {"@DFF.API('x', api_timeout=5)\ndef f(): pass\n", "api_timeout is the old name"},
      {"def f(): return DFF.SQL('x')\n", "DFF.SQL is not provided"},
      {"def f(): return DFF.NOPE\n", "DFF.NOPE is unknown"},
      {"x = _DFF_TRACE_ID\n", "module-level code reads _DFF_TRACE_ID"},
      {"class C:\n  x = _DFF_CALLER\n", "module-level code reads _DFF_CALLER"},
      {"@DFF.API('x')\ndef f(a: int | str): pass\n", "annotation of a has no schema"},
      {"@DFF.API('x')\ndef f(a: 'Nowhere'): pass\n", "annotations cannot be evaluated"},
      {"@DFF.API('x')\ndef f(a) -> complex: pass\n", "return annotation has no schema"},
  };
  for (const auto& [source, warning] : cases) {
    WorkerProcess worker(source);
    EXPECT_TRUE(worker.ready()) << source << base::to_json(worker.report());
    EXPECT_THAT(worker.problems("warnings"), Contains(HasSubstr(warning))) << source;
  }
  WorkerProcess clean("@DFF.API('x')\ndef f(): return _DFF_TRACE_ID, DFF.CTX\n");
  EXPECT_THAT(clean.problems("warnings"), IsEmpty());
}

TEST(WorkerLoad, DescribesFunctionsAndTheirSchema) {
  WorkerProcess worker(
      "@DFF.API('Price of a basket', timeout=5, tags=['shop', 'a', 'shop'])\n"
      "def quote(sku: str, qty: int = 1, express: bool = False, notes: list[str] | None = None) -> dict:\n"
      "    '''Total price in cents.'''\n"
      "@DFF.API()\n"
      "async def later(**more): pass\n");
  ASSERT_TRUE(worker.ready()) << base::to_json(worker.report());
  const auto& functions = worker.report().as_object().at("functions").as_array();
  ASSERT_EQ(functions.size(), 2u);
  EXPECT_EQ(
      base::to_json(functions[0]),
      R"({"id":"t__m.quote","name":"quote","title":"Price of a basket","description":"Total price in cents.","category":"general",)"
      R"("tags":["a","shop"],"timeout":5,"expires":null,"cacheResult":0,"cacheVary":["caller"],"queue":null,"isolation":"worker",)"
      R"("isHidden":false,"isAsync":false,"line":1,"parameters":[{"name":"sku","required":true},{"name":"qty","required":false},)"
      R"({"name":"express","required":false},{"name":"notes","required":false}],"extraArguments":false,)"
      R"("schema":{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"sku":{"type":"string"},)"
      R"("qty":{"type":"integer","default":1},"express":{"type":"boolean","default":false},)"
      R"("notes":{"type":["array","null"],"items":{"type":"string"},"default":null}},"required":["sku"],"additionalProperties":false},)"
      R"("resultSchema":{"type":"object"}})");
  EXPECT_EQ(functions[1].at("title").as_string(), "later");
  EXPECT_TRUE(functions[1].at("isAsync").as_bool());
  EXPECT_TRUE(functions[1].at("extraArguments").as_bool());
}

TEST(WorkerLoad, ImportsInsideTheSetByShortName) {
  WorkerProcess worker(
      WorkerSetup{{{"t__m",
                    "import __prices\nfrom __prices import cents\nimport other__tools\n"
                    "@DFF.API('x')\ndef f(): return [__prices.cents(1), cents(2), other__tools.name()]\n"},
                   {"t__prices", "import json\ndef cents(n): return n * 100\n"},
                   {"other__prices", "def cents(n): return -1\n"},
                   {"other__tools", "import __prices\ndef name(): return [__name__, __prices.cents(0), _DFF_FUNC_ID]\n"}},
                  {},
                  {}});
  ASSERT_TRUE(worker.ready()) << base::to_json(worker.report());
  EXPECT_EQ(worker.call_f().body, R"([100,200,["other__tools",-1,"t__m.f"]])");
}

TEST(WorkerLoad, ExecutesAModuleOncePerWorker) {
  WorkerProcess worker("n = 0\n@DFF.API('x')\ndef f():\n    global n\n    n += 1\n    return n\n");
  EXPECT_EQ(worker.call_f().body, "1");
  EXPECT_EQ(worker.call_f().body, "2");
}

TEST(WorkerLoad, RefusesAFunctionDecoratedDuringACall) {
  WorkerProcess worker("@DFF.API('x')\ndef f():\n    @DFF.API('late')\n    def late(): pass\n    return 1\n");
  EXPECT_EQ(worker.call_f().outcome, wire::Outcome::Raised);
}

}  // namespace
}  // namespace funcgate::test
