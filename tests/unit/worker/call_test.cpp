#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/worker/worker_process.h"

namespace funcgate::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using wire::Outcome;

std::string member(const WorkerReply& reply, const char* name) {
  const auto problem = reply.problem_json();
  return std::string(problem.at(name).as_string());
}

TEST(WorkerExceptions, AreDescribedForTheServer) {
  WorkerProcess worker("def deep():\n    raise ValueError('no badge')\n@DFF.API('x')\ndef f():\n    deep()\n");
  const auto reply = worker.call_f();
  EXPECT_EQ(reply.outcome, Outcome::Raised);
  EXPECT_EQ(member(reply, "exceptionType"), "UserScriptException");
  EXPECT_EQ(member(reply, "exception"), "In User Script: ValueError('no badge')");
  EXPECT_EQ(member(reply, "exceptionFrom"), "userScript");
  EXPECT_EQ(member(reply, "originExceptionType"), "ValueError");
  EXPECT_EQ(member(reply, "originException"), "ValueError('no badge')");
  EXPECT_EQ(member(reply, "traceback"),
            "Traceback (most recent call last):\n  File \"t__m\", line 5, in f\n    deep()\n"
            "  File \"t__m\", line 2, in deep\n    raise ValueError('no badge')\nValueError: no badge\n");
}

TEST(WorkerExceptions, OfEveryKindEndTheCallAndNotTheWorker) {
  WorkerProcess worker(
      "import sys\n"
      "class Hostile(Exception):\n    def __repr__(self): raise SystemExit(9)\n    __str__ = __repr__\n"
      "class Lying(Exception):\n    def __repr__(self): return '\\ud800' + 'x' * 5000\n"
      "class Odd(BaseException): pass\n"
      "def recurse(): recurse()\n"
      "@DFF.API('x')\ndef f(kind):\n"
      "    if kind == 'exit': sys.exit(1)\n"
      "    if kind == 'interrupt': raise KeyboardInterrupt\n"
      "    if kind == 'hostile': raise Hostile\n"
      "    if kind == 'lying': raise Lying\n"
      "    if kind == 'odd': raise Odd\n"
      "    if kind == 'recursion': recurse()\n"
      "    if kind == 'generator': raise GeneratorExit\n"
      "    return 'alive'\n");
  const std::pair<const char*, const char*> cases[] = {
      {"exit", "SystemExit"}, {"interrupt", "KeyboardInterrupt"}, {"hostile", "Hostile"},        {"lying", "Lying"},
      {"odd", "Odd"},         {"recursion", "RecursionError"},    {"generator", "GeneratorExit"}};
  for (const auto& [kind, type] : cases) {
    const auto reply = worker.call_f(std::string(R"({"kind":")") + kind + "\"}");
    EXPECT_EQ(reply.outcome, Outcome::Raised) << kind;
    EXPECT_EQ(member(reply, "originExceptionType"), type) << kind;
    EXPECT_LE(member(reply, "exception").size(), 1100u) << kind;
    EXPECT_EQ(worker.call_f(R"({"kind":""})").body, "alive") << kind;
  }
}

TEST(WorkerExceptions, OfTheCallerNeverEnterTheFunction) {
  WorkerProcess worker("n = 0\n@DFF.API('x')\ndef f(a: int = 0):\n    global n\n    n += 1\n    return n\n");
  EXPECT_EQ(worker.call_f(R"({"a":"x"})").outcome, Outcome::BadArguments);
  EXPECT_EQ(worker.call_f().body, "1");
}

TEST(WorkerAsync, RunsToCompletionAndCancelsWhatIsLeft) {
  WorkerProcess worker(
      "import asyncio\ncancelled = []\n"
      "async def left():\n    try:\n        await asyncio.sleep(1000)\n    except asyncio.CancelledError:\n        "
      "cancelled.append(1)\n        raise\n"
      "@DFF.API('x')\nasync def f(fail=False):\n    asyncio.create_task(left())\n    await asyncio.sleep(0)\n"
      "    if fail: raise ValueError('late')\n    return [len(cancelled), _DFF_FUNC_NAME]\n");
  EXPECT_EQ(worker.call_f().body, R"([0,"f"])");
  EXPECT_EQ(worker.call_f().body, R"([1,"f"])");
  EXPECT_EQ(member(worker.call_f(R"({"fail":true})"), "originExceptionType"), "ValueError");
  EXPECT_EQ(worker.call_f().body, R"([3,"f"])");
}

TEST(WorkerPrint, IsCapturedWithTimes) {
  WorkerProcess worker(
      "import sys\n@DFF.API('x')\ndef f():\n    print('a', 1)\n    DFF.LOG('b\\nc', end='')\n    print('e', file=sys.stderr)\n   "
      " return 1\n");
  EXPECT_THAT(worker.call_f().print_log,
              ::testing::MatchesRegex("\\[[0-9]+ ms, \\+[0-9]+ ms\\] a 1\n\\[[0-9]+ ms, \\+[0-9]+ ms\\] b\n"
                                      "\\[[0-9]+ ms, \\+[0-9]+ ms\\] ce\n"));
  WorkerProcess silent("@DFF.API('x')\ndef f(): return 1\n");
  EXPECT_THAT(silent.call_f().print_log, IsEmpty());
}

TEST(WorkerPrint, IsKeptOfTheCallThatRaised) {
  WorkerProcess worker("@DFF.API('x')\ndef f(n):\n    print('call', n)\n    1 / n\n");
  EXPECT_THAT(worker.call_f(R"({"n":0})").print_log, HasSubstr("call 0"));
  EXPECT_THAT(worker.call_f(R"({"n":1})").print_log, Not(HasSubstr("call 0")));
}

TEST(WorkerPrint, IsBounded) {
  WorkerProcess worker(
      "@DFF.API('x')\ndef f(lines, width):\n    for i in range(lines):\n        print(f'<{i}>', '\\u00e4' * width)\n");
  const auto wide = worker.call_f(R"({"lines":1,"width":5000})").print_log;
  EXPECT_GT(wide.size(), 5900u);
  EXPECT_LT(wide.size(), 6200u);
  const auto many = worker.call_f(R"({"lines":20000,"width":10})").print_log;
  EXPECT_THAT(many, HasSubstr("] <0> "));
  EXPECT_THAT(many, HasSubstr("] <19999> "));
  EXPECT_THAT(many, HasSubstr("characters left out"));
  EXPECT_THAT(many, Not(HasSubstr("<9999>")));
  EXPECT_LT(many.size(), 2 * 50200u);
}

TEST(WorkerVariables, HaveTheValuesOfTheCall) {
  const std::string source =
      "import __other\nlevel = [_DFF_TRACE_ID, _DFF_HTTP_REQUEST, _DFF_CALLER, _DFF_FUNC_CALL_KWARGS, _DFF_START_TIME]\n"
      "@DFF.API('Title')\ndef f(a: int = 1):\n"
      "    return {'level': level, 'other': __other.ids(), 'task': _DFF_TASK_ID, 'root': _DFF_ROOT_TASK_ID, 'set': "
      "[_DFF_SCRIPT_SET_ID, "
      "_DFF_SCRIPT_SET_NAME, _DFF_SCRIPT_SET_TITLE], 'script': [_DFF_SCRIPT_ID, _DFF_SCRIPT_NAME, _DFF_SCRIPT_TITLE, "
      "_DFF_SCRIPT_VERSION], "
      "'func': [_DFF_FUNC_ID, _DFF_FUNC_NAME, _DFF_FUNC_TITLE], 'chain': _DFF_FUNC_CHAIN, 'kwargs': _DFF_FUNC_CALL_KWARGS, "
      "'origin': [_DFF_ORIGIN, _DFF_ORIGIN_ID], 'trigger': [_DFF_TRIGGER_TIME, _DFF_TRIGGER_TIME_MS], 'queue': _DFF_QUEUE, "
      "'eta': _DFF_ETA, 'delay': _DFF_DELAY, 'debug': _DFF_DEBUG, 'cron': [_DFF_CRON_EXPR, _DFF_CRONTAB], "
      "'image': _DFF_IMAGE_INFO['name'], 'started': _DFF_START_TIME_MS // 1000 == int(_DFF_START_TIME), 'late': "
      "eval('_DFF_TRACE_ID')}\n";
  WorkerProcess worker(WorkerSetup{{{"t__m", source}, {"t__other", "def ids(): return [_DFF_TRACE_ID, __name__]\n"}}, {}, {}});
  ASSERT_TRUE(worker.ready()) << base::to_json(worker.report());
  wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
  invoke.body = R"({"kwargs":{"a":5}})";
  invoke.task_id = "task-1";
  invoke.root_task_id = "ROOT";
  invoke.function_chain = R"(["t__x.y","t__m.f"])";
  invoke.queue = 3;
  invoke.delay = "5";
  EXPECT_EQ(
      worker.call(invoke).body,
      R"({"level":["",{},{},{},null],"other":["TRACE-1","t__other"],"task":"task-1","root":"ROOT","set":["t","t","Set t"],)"
      R"("script":["t__m","m","Title of t__m",3],"func":["t__m.f","f","Title"],"chain":["t__x.y","t__m.f"],"kwargs":{"a":5},)"
      R"("origin":["funcAPI","basket"],"trigger":[1772442900.101,1772442900101],"queue":3,"eta":null,"delay":5,"debug":false,)"
      R"("cron":[null,null],"image":"funcgate","started":true,"late":"TRACE-1"})");
  invoke.mode = wire::InvokeMode::Draft;
  EXPECT_THAT(worker.call(invoke).body, HasSubstr(R"("debug":true)"));
}

wire::Invoke request_of(std::string_view body) {
  wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
  invoke.query = "q=1&q=2&token=s%20t";
  invoke.host = "fn.example.net:8080";
  invoke.hostname = "fn.example.net";
  invoke.protocol = "https";
  invoke.ip = "192.0.2.1";
  invoke.ips = R"(["192.0.2.1","10.0.0.1"])";
  invoke.headers = {
      {"x-badge", "b-1"}, {"x_badge", "b-2"}, {"accept", "a"}, {"accept", "b"}, {"x-requested-with", "XMLHttpRequest"}};
  invoke.body = body;
  invoke.caller = R"({"type":"apiKey","name":"ann","roles":["r"]})";
  return invoke;
}

TEST(WorkerRequest, WithoutProxiesTheChainIsTheClientAlone) {
  WorkerProcess worker("@DFF.API('x')\ndef f(**k):\n    return [_DFF_HTTP_REQUEST['ip'], _DFF_HTTP_REQUEST['ips']]\n");
  wire::Invoke invoke = request_of("{}");
  invoke.ips = {};
  EXPECT_EQ(worker.call(invoke).body, R"(["192.0.2.1",["192.0.2.1"]])");
}

TEST(WorkerRequest, TheBodyAsItIsShownIsNoDeeperThanTheServerSays) {
  WorkerProcess worker("@DFF.API('x')\ndef f():\n    return [_DFF_HTTP_REQUEST['body']]\n");
  wire::Invoke invoke = request_of("[[[]]]");
  invoke.content_type = "application/json";
  invoke.form = wire::ArgumentForm::None;
  EXPECT_EQ(worker.call(invoke).body, "[[[[]]]]");
  invoke.json_depth_max = 2;
  EXPECT_EQ(worker.call(invoke).body, "[null]");
}

TEST(WorkerRequest, ShowsTheRequest) {
  WorkerProcess worker("@DFF.API('x')\ndef f(e):\n    r = _DFF_HTTP_REQUEST\n    h = r['headers']\n    return eval(e)\n");
  const std::pair<const char*, const char*> cases[] = {
      {"[r['method'], r['url'], r['originalUrl']]",
       R"(["POST","/api/v1/func-api/basket","/api/v1/func-api/basket?q=1&q=2&token=s%20t"])"},
      {"[r['host'], r['hostname'], r['protocol'], r['ip'], r['ips'], r['xhr']]",
       R"(["fn.example.net:8080","fn.example.net","https","192.0.2.1",["192.0.2.1","10.0.0.1"],true])"},
      {"[h['X-Badge'], h['x-badge'], h['x_badge'], h['ACCEPT'], h.get('nope'), h.get('nope', 5), 'x-Badge' in h, 'y' in h]",
       R"(["b-1","b-1","b-2","a, b",null,5,true,false])"},
      {"[sorted(h), len(h), dict(h)['accept']]", R"([["accept","x-badge","x-requested-with","x_badge"],4,"a, b"])"},
      {"r['query']", R"({"q":["1","2"],"token":"s t"})"},
      {"[list(r), r.get('body') == r['body'], len(r)]",
       R"([["method","url","originalUrl","host","hostname","protocol","headers","query","body","rawBody","ip","ips","xhr"],true,13])"},
      {"r['body']['kwargs']['e'][:4]", "r['b"},
      {"type(r['rawBody']).__name__ + str(len(r['rawBody']))", "bytes71"},
      {"[_DFF_CALLER['name'], _DFF_CALLER.get('roles'), sorted(_DFF_CALLER)]", R"(["ann",["r"],["name","roles","type"]])"},
      {"h == {'x-badge': 'b-1', 'x_badge': 'b-2', 'accept': 'a, b', 'x-requested-with': 'XMLHttpRequest'}", "true"},
  };
  for (const auto& [expression, answer] : cases) {
    const std::string body = std::string("{\"kwargs\":{\"e\":\"") + expression + "\"}}";
    const auto reply = worker.call(request_of(body));
    EXPECT_EQ(reply.body, answer) << expression << reply.problem;
  }
  for (const char* expression : {"r['nope']", "h['nope']", "_DFF_CALLER['nope']", "r[5]"}) {
    const std::string body = std::string("{\"kwargs\":{\"e\":\"") + expression + "\"}}";
    EXPECT_EQ(member(worker.call(request_of(body)), "originExceptionType"), "KeyError") << expression;
  }
}

TEST(WorkerRequest, CannotBeChanged) {
  for (const char* statement : {"_DFF_CALLER['name'] = 'root'", "_DFF_HTTP_REQUEST['method'] = 'X'", "del _DFF_CALLER['name']",
                                "_DFF_HTTP_REQUEST['headers']['x'] = 'y'", "_DFF_CALLER.update(name='root')",
                                "_DFF_CALLER.name = 1", "type(_DFF_CALLER)()", "_DFF_CALLER.__init__({})"}) {
    WorkerProcess worker(std::string("@DFF.API('x')\ndef f():\n    ") + statement + "\n    return 'changed'\n");
    const auto reply = worker.call(request_of("{}"));
    if (std::string_view(statement).find("__init__") != std::string_view::npos) continue;
    EXPECT_EQ(reply.outcome, Outcome::Raised) << statement;
  }
}

TEST(WorkerRequest, IsEmptyWithoutHttp) {
  WorkerProcess worker("@DFF.API('x')\ndef f(): return [_DFF_HTTP_REQUEST, len(_DFF_HTTP_REQUEST), _DFF_HTTP_REQUEST == {}]\n");
  wire::Invoke invoke = request_of("{}");
  invoke.form = wire::ArgumentForm::Kwargs;
  invoke.flags = wire::kUnbox;
  EXPECT_EQ(worker.call(invoke).body, "[{},0,true]");
}

TEST(WorkerRequest, StaysWhatItWasForWhoKeepsIt) {
  WorkerProcess worker(
      "kept = []\n@DFF.API('x')\ndef f():\n"
      "    kept.append((_DFF_HTTP_REQUEST, _DFF_HTTP_REQUEST['headers'], _DFF_CALLER))\n"
      "    return [[r['query']['n'], r['headers']['x-n'], h['X-N'], c['name'], len(r)] for r, h, c in kept]\n");
  std::string last;
  for (const char* n : {"1", "2", "3"}) {
    const std::string query = std::string("n=") + n, caller = std::string(R"({"name":"c)") + n + "\"}";
    wire::Invoke invoke = request_of("{}");
    invoke.query = query;
    invoke.caller = caller;
    invoke.headers = {{"x-n", n}};
    const auto reply = worker.call(invoke);
    EXPECT_EQ(reply.outcome, Outcome::Value) << reply.problem;
    last = reply.body;
  }
  EXPECT_EQ(last, R"([["1","1","1","c1",13],["2","2","2","c2",13],["3","3","3","c3",13]])");
}

TEST(WorkerRequest, RestrictedReadingNamesCacheVary) {
  WorkerProcess worker("@DFF.API('x')\ndef f(e, other):\n    r, c = _DFF_HTTP_REQUEST, _DFF_CALLER\n    return eval(e)\n");
  struct RestrictedCase {
    const char* readable;
    const char* expression;
    const char* answer;  // nullptr: KeyError that names cache_vary
  };
  const RestrictedCase cases[] = {
      {R"(["caller"])", "c['name']", "ann"},
      {R"(["caller"])", "r['method']", nullptr},
      {R"(["caller"])", "r.get('headers')", nullptr},
      {R"(["caller"])", "'headers' in r", nullptr},
      {R"(["caller"])", "[list(r), len(r), _DFF_TRACE_ID]", R"([[],0,""])"},
      {"[]", "c['name']", nullptr},
      {"[]", "c.get('name', 'x')", nullptr},
      {"[]", "[dict(c), len(c)]", "[{},0]"},
      {"", "c['name']", nullptr},
      {"broken", "r['method']", nullptr},
      {R"(["method","url"])", "[r['method'], r['url']]", R"(["POST","/api/v1/func-api/basket"])"},
      {R"(["method","url"])", "r['originalUrl']", nullptr},
      {R"(["url","query"])", "r['originalUrl'][-10:]", "oken=s%20t"},
      {R"(["query"])", "r['query']['token']", "s t"},
      {R"(["query:token"])", "[r['query']['token'], list(r['query'])]", R"(["s t",["token"]])"},
      {R"(["query:token"])", "r['query']['q']", nullptr},
      {R"(["header:X-Badge"])", "[r['headers']['x-badge'], list(r['headers'])]", R"(["b-1",["x-badge"]])"},
      {R"(["header:x-badge"])", "r['headers']['accept']", nullptr},
      {R"(["header:x-badge"])", "r['headers'].get('Accept', 'none')", nullptr},
      {R"(["header:missing"])", "r['headers'].get('missing', 'none')", "none"},
      {R"(["header:x-badge"])", "r['xhr']", nullptr},
      {R"(["body"])", "r['body']['other']['a']", "1"},
      {R"(["body"])", "len(r['rawBody']) > 5", "true"},
      {R"(["body:other.a"])", "r['body']['other']['a']", "1"},
      {R"(["body:other.a"])", "r['body']['kwargs']", nullptr},
      {R"(["body:other.a"])", "r['body']['other']['b']", nullptr},
      {R"(["body:other.a"])", "r['rawBody']", nullptr},
      {R"(["ip"])", "r['ip']", "192.0.2.1"},
      {R"(["ip"])", "r['ips']", nullptr},
  };
  for (const auto& [readable, expression, answer] : cases) {
    const std::string body = std::string("{\"e\":\"") + expression + "\",\"other\":{\"a\":1,\"b\":2}}";
    wire::Invoke invoke = request_of(body);
    invoke.form = wire::ArgumentForm::PostSimplified;
    invoke.flags |= wire::kRestricted;
    invoke.readable = readable;
    const auto reply = worker.call(invoke);
    if (answer != nullptr) {
      EXPECT_EQ(reply.body, answer) << readable << expression << reply.problem;
    } else {
      EXPECT_EQ(member(reply, "originExceptionType"), "KeyError") << readable << expression << reply.body;
      EXPECT_THAT(member(reply, "originException"), HasSubstr("cache_vary")) << readable << expression;
    }
  }
}

TEST(WorkerAuth, OnlyTheObjectTrueIsTrue) {
  struct VerdictCase {
    const char* expression;
    wire::ReplyFlag verdict;
    const char* body;
  };
  const VerdictCase cases[] = {
      {"True", wire::kAuthTrue, ""},
      {"False", wire::kAuthFalse, ""},
      {"'Unknown badge'", wire::kAuthValue, "\"Unknown badge\""},
      {"''", wire::kAuthValue, "\"\""},
      {"{'hint': 'short'}", wire::kAuthValue, R"({"hint":"short"})"},
      {"[1, 2]", wire::kAuthValue, "[1,2]"},
      {"None", wire::kAuthValue, "null"},
      {"0", wire::kAuthValue, "0"},
      {"7", wire::kAuthValue, "7"},
      {"1", wire::kAuthOther, "1"},
      {"1.0", wire::kAuthOther, "1.0"},
      {"float('nan')", wire::kAuthOther, "null"},
      {"object()", wire::kAuthOther, "null"},
      {"(x for x in ())", wire::kAuthOther, "null"},
      {"b'True'", wire::kAuthOther, "null"},
      {"coroutine()", wire::kAuthOther, "null"},
      {"'x' * 17000", wire::kAuthOther, "null"},
      {"DFF.RESP('x')", wire::kAuthOther, "null"},
      {"Truthy()", wire::kAuthOther, "null"},
  };
  for (const auto& [expression, verdict, body] : cases) {
    WorkerProcess worker(std::string("async def coroutine(): return True\nclass Truthy:\n    def __bool__(self): return True\n"
                                     "    def __eq__(self, other): return True\n"
                                     "@DFF.API('x')\ndef f():\n    DFF.SET_CALLER('badge-1', {'level': 2})\n    return ") +
                         expression + "\n");
    wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
    invoke.mode = wire::InvokeMode::Auth;
    invoke.form = wire::ArgumentForm::None;
    const auto reply = worker.call(invoke);
    EXPECT_EQ(reply.outcome, Outcome::Value) << expression << reply.problem;
    EXPECT_EQ(reply.flags & (wire::kAuthTrue | wire::kAuthFalse | wire::kAuthValue | wire::kAuthOther), verdict) << expression;
    EXPECT_EQ(reply.body, body) << expression;
    EXPECT_EQ(reply.caller_name, verdict == wire::kAuthTrue ? "badge-1" : "") << expression;
    EXPECT_EQ(reply.caller_attributes, verdict == wire::kAuthTrue ? R"({"level":2})" : "") << expression;
  }
}

TEST(WorkerAuth, RaisedIsNoVerdictAndMembersAreLimited) {
  for (const auto& [code, type] : {std::pair{"raise ValueError('no badge')", "ValueError"},
                                   {"DFF.FUNC('t__m.f')", "DFFNotSupported"},
                                   {"DFF.SET_CALLER('x' * 257)", "ValueError"},
                                   {"DFF.SET_CALLER('x', {'a': 'b' * 5000})", "ValueError"},
                                   {"DFF.SET_CALLER('')", "ValueError"},
                                   {"import sys; sys.exit(True)", "SystemExit"}}) {
    WorkerProcess worker(std::string("@DFF.API('x')\ndef f():\n    ") + code + "\n    return True\n");
    wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
    invoke.mode = wire::InvokeMode::Auth;
    invoke.form = wire::ArgumentForm::None;
    const auto reply = worker.call(invoke);
    EXPECT_EQ(reply.outcome, Outcome::Raised) << code;
    EXPECT_EQ(reply.flags & wire::kAuthTrue, 0) << code;
    EXPECT_EQ(member(reply, "originExceptionType"), type) << code;
  }
  WorkerProcess outside("@DFF.API('x')\ndef f(): DFF.SET_CALLER('x')\n");
  EXPECT_EQ(member(outside.call_f(), "originExceptionType"), "DFFNotSupported");
  WorkerProcess coroutine("@DFF.API('x')\nasync def f(): return True\n");
  wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
  invoke.mode = wire::InvokeMode::Auth;
  EXPECT_TRUE(coroutine.call(invoke).has(wire::kAuthOther));
}

TEST(WorkerAuth, RestrictedReadingNamesCredentialFields) {
  WorkerProcess worker("@DFF.API('x')\ndef f(): return _DFF_HTTP_REQUEST['headers']['accept'] == 'x'\n");
  wire::Invoke invoke = request_of("");
  invoke.mode = wire::InvokeMode::Auth;
  invoke.form = wire::ArgumentForm::None;
  invoke.flags |= wire::kRestricted;
  invoke.readable = R"(["header:x-badge"])";
  EXPECT_THAT(member(worker.call(invoke), "originException"), HasSubstr("credentialFields"));
}

TEST(WorkerMembers, AskTheServer) {
  WorkerProcess worker(WorkerSetup{{{"t__m", "import __lib\n@DFF.API('x')\ndef f(e): return eval(e)\n"},
                                    {"t__lib", "def put(): return DFF.CACHE.set('k', [1])\n"}},
                                   {},
                                   {}});
  std::string asked;
  worker.answer = [&asked](const wire::Ask& question) {
    asked = std::to_string(static_cast<int>(question.kind)) + " " + std::string(question.function_id) + " " +
            std::string(question.request);
    if (question.kind == wire::AskKind::Env) {
      return question.request == R"({"id":"URL"})" ? wire::Answer{true, R"({"found":true,"value":{"a":1}})"}
                                                   : wire::Answer{true, R"({"found":false,"value":null})"};
    }
    if (question.kind == wire::AskKind::Func) return wire::Answer{true, R"({"id":"task-9"})"};
    if (question.request.find("refuse") != std::string_view::npos) return wire::Answer{false, "quota exceeded"};
    return wire::Answer{true, "42"};
  };
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"DFF.ENV('URL')", R"({"a":1})", R"(1 t__m.f {"id":"URL"})"},
      {"DFF.ENV('NOPE', 7)", "7", R"(1 t__m.f {"id":"NOPE"})"},
      {"DFF.CACHE.get('k')", "42", R"(2 t__m.f {"op":"get","scope":"t__m","key":"k"})"},
      {"DFF.CACHE.set('k', {'a': 1}, expire=5, scope='s')", "42",
       R"(2 t__m.f {"op":"set","scope":"s","key":"k","value":{"a":1},"expire":5})"},
      {"DFF.CACHE.incr('k')", "42", R"(2 t__m.f {"op":"incr","scope":"t__m","key":"k","step":1})"},
      {"DFF.CACHE.lrange('k', 0, -1)", "42", R"(2 t__m.f {"op":"lrange","scope":"t__m","key":"k","start":0,"stop":-1})"},
      {"__lib.put()", "42", R"(2 t__m.f {"op":"set","scope":"t__lib","key":"k","value":[1],"expire":null})"},
      {"DFF.STORE.get('k')", "42", R"(3 t__m.f {"op":"get","scope":"t__m","key":"k"})"},
      {"DFF.STORE.keys('p')", "42", R"(3 t__m.f {"op":"keys","scope":"t__m","key":"p"})"},
      {"DFF.FUNC('t__m.g', {'a': 1})", "task-9", R"(4 t__m.f {"funcId":"t__m.g","kwargs":{"a":1},"queue":null})"},
      {"[DFF.CTX.setdefault('n', 1), DFF.CTX]", R"([1,{"n":1}])", ""},
      {"0 < DFF.DEADLINE() <= 30", "true", ""},
  };
  for (const auto& [expression, answer, question] : cases) {
    asked.clear();
    const auto reply = worker.call_f("{\"e\":" + base::json_string(expression) + "}");
    EXPECT_EQ(reply.body, answer) << expression << reply.problem;
    EXPECT_EQ(asked, question) << expression;
  }
  for (const auto& [expression, type] : {std::pair{"DFF.CACHE.get('refuse')", "RuntimeError"},
                                         {"DFF.CACHE.get('x' * 257)", "ValueError"},
                                         {"DFF.CACHE.set('k', object())", "TypeError"},
                                         {"DFF.STORE.set('k', 'x' * (1 << 20))", "ValueError"},
                                         {"DFF.CACHE.set('k', 1, expire=0)", "ValueError"},
                                         {"DFF.FUNC('x', queue=99)", "ValueError"},
                                         {"DFF.SQL('x')", "DFFNotSupported"},
                                         {"DFF.NOPE", "AttributeError"},
                                         {"DFF.RSRC('x')", "DFFNotSupported"}}) {
    EXPECT_EQ(member(worker.call_f("{\"e\":" + base::json_string(expression) + "}"), "originExceptionType"), type) << expression;
  }
}

TEST(WorkerMembers, ContextBelongsToOneCall) {
  WorkerProcess worker("@DFF.API('x')\ndef f():\n    DFF.CTX['n'] = DFF.CTX.get('n', 0) + 1\n    return DFF.CTX\n");
  EXPECT_EQ(worker.call_f().body, R"({"n":1})");
  EXPECT_EQ(worker.call_f().body, R"({"n":1})");
}

TEST(WorkerMembers, AreRefusedOutsideOfACall) {
  WorkerProcess worker(
      "try:\n    DFF.ENV('X')\nexcept RuntimeError as error:\n    text = str(error)\n@DFF.API('x')\ndef f(): return text\n");
  EXPECT_EQ(worker.call_f().body, "this is possible only during a call");
}

}  // namespace
}  // namespace funcgate::test
