#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "unit/worker/worker_process.h"

namespace funcgate::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using wire::Outcome;

constexpr const char* kJson = "application/json";
constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kBytes = "application/octet-stream";

constexpr const char* kTypes =
    "import dataclasses, datetime, decimal, enum, uuid, collections\n"
    "class Color(enum.Enum):\n    RED = 'red'\n    TWO = 2\n"
    "@dataclasses.dataclass\nclass Point:\n    x: int\n    y: list\n"
    "Pair = collections.namedtuple('Pair', 'a b')\n"
    "loop = []\nloop.append(loop)\n"
    "@DFF.API('x')\ndef f(): return ";

struct ResultCase {
  const char* expression;
  const char* type;
  std::string_view body;
};

TEST(WorkerResults, BecomeTheDocumentedBodies) {
  const ResultCase cases[] = {
      {"{'a': [1, (2, None)], 'b': {'c': True}}", kJson, R"({"a":[1,[2,null]],"b":{"c":true}})"},
      {"[]", kJson, "[]"},
      {"False", kJson, "false"},
      {"0", kJson, "0"},
      {"None", kJson, "null"},
      {"''", kText, ""},
      {"'h\\u00e4\\n'", kText, "h\xc3\xa4\n"},
      {"b'\\x00\\xff'", kBytes, std::string_view("\0\xff", 2)},
      {"{5}", kJson, "[5]"},
      {"Point(1, [2])", kJson, R"({"x":1,"y":[2]})"},
      {"Pair(1, 2)", kJson, "[1,2]"},
      {"[0.1, 1.0, 1e16, 1e-5, -0.0, 123456789.125, 5e-324, 1.7976931348623157e308, 100000.0]", kJson,
       "[0.1,1.0,1e+16,1e-05,-0.0,123456789.125,5e-324,1.7976931348623157e+308,100000.0]"},
      {"10 ** 30", kJson, "1000000000000000000000000000000"},
      {"-2 ** 63", kJson, "-9223372036854775808"},
      {"[datetime.datetime(2026, 3, 2, 9, 15), datetime.date(2026, 3, 2), uuid.UUID(int=1), decimal.Decimal('1.10'), Color.RED, "
       "Color.TWO]",
       kJson, R"(["2026-03-02T09:15:00","2026-03-02","00000000-0000-0000-0000-000000000001","1.10","red","2"])"},
      {"{1: 'a', 1.5: 'b', True: 'c', None: 'd', Color.RED: 'e'}", kJson, R"({"1":"c","1.5":"b","null":"d","red":"e"})"},
      {"'\\x00\\x1f\"\\\\/\\x7f\\u2028' and ['\\x00\\x1f\"\\\\/\\x7f\\u2028']", kJson,
       "[\"\\u0000\\u001f\\\"\\\\/\x7f\xe2\x80\xa8\"]"},
      {"[_DFF_CALLER, dict(_DFF_CALLER)]", kJson, "[{},{}]"},
  };
  for (const auto& [expression, type, body] : cases) {
    WorkerProcess worker(std::string(kTypes) + expression + "\n");
    const auto reply = worker.call_f();
    EXPECT_EQ(reply.outcome, Outcome::Value) << expression << reply.problem << base::to_json(worker.report());
    EXPECT_EQ(reply.body, body) << expression;
    EXPECT_EQ(reply.content_type, type) << expression;
    EXPECT_EQ(reply.status, 200) << expression;
    EXPECT_TRUE(reply.has(wire::kCacheable)) << expression;
    EXPECT_FALSE(reply.has(wire::kCustom)) << expression;
  }
}

// Values on every border of what is written, or read, sixteen bytes or a piece at a time; and their JSON, made one character
// after the other.
constexpr const char* kBorders = R"py(
import random, struct
random.seed(7)
PLAIN, SPECIAL = 'abcXYZ 019', ['"', '\\', '\n', '\r', '\t', '\b', '\0', '\x1f', '\x7f', '/', '\x80', 'ä', 'ÿ', 'Ā', 'ж', '߿', 'ࠀ', '字', '\uffff', '😀', '\U0010ffff']
def made(length, mark, at):
    return ''.join(mark if i == at else PLAIN[i % len(PLAIN)] for i in range(length))
TEXTS = [made(length, mark, at) for mark in SPECIAL for length in range(0, 36) for at in {0, length // 2, length - 1, length}]
TEXTS += [made(length, mark, at) for mark in SPECIAL for length in (1023, 1024, 1025, 2048, 2049, 5000) for at in (0, 1022, 1023, 1024, length - 1)]
TEXTS += [mark * length for mark in SPECIAL for length in (1, 2, 3, 15, 16, 17, 33, 1024, 1025)]
TEXTS += [''.join(random.choice(SPECIAL + list(PLAIN)) for _ in range(random.randrange(90))) for _ in range(400)]
FLOATS = [0.0, -0.0, 0.1, 0.5, 1.0, 19.95, 45.9, 1e-4, 9.999e-5, 0.00012, 1e-5, 123456.789012, 123456.7890125, 999999999.999999,
          999999999.9999999, 1e9, 1e9 + 0.5, 1e15, 1e16, 123456789.123456, 0.1 + 0.2, 1 / 3, 2.5e-7, 5e-324, 1.7976931348623157e308]
FLOATS += [round(random.uniform(0, 10 ** random.randrange(-4, 18)), random.randrange(12)) for _ in range(3000)]
FLOATS += [random.randrange(10 ** 15) / 10 ** k for k in range(10) for _ in range(100)]
FLOATS += [x for x in struct.unpack('<3000d', random.randbytes(24000)) if x == x and abs(x) != float('inf')]
FLOATS += [-x for x in FLOATS]
INTS = [s * (b + d) for b in (0, 9, 10, 99, 100, 2 ** 30, 2 ** 31, 2 ** 60, 2 ** 63, 2 ** 64, 10 ** 18, 10 ** 40) for d in (-1, 0, 1) for s in (1, -1)]
NAMES = {text: i for i, text in enumerate(TEXTS)}
ESCAPES = {'"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t'}
def quoted(text):
    return '"' + ''.join(ESCAPES.get(c) or ('\\u%04x' % ord(c) if c < ' ' else c) for c in text) + '"'
def wanted():
    return '[[' + '],['.join(','.join(each) for each in (map(quoted, TEXTS), map(repr, FLOATS), map(repr, INTS))) + '],{' + ','.join(
        quoted(name) + ':' + str(i) for name, i in NAMES.items()) + '}]'
@DFF.API('x')
def f(): return [TEXTS, FLOATS, INTS, NAMES]
@DFF.API('x')
def json(): return wanted()
@DFF.API('x')
def same(data):
    return [data == f(), str(data[1]) == str(FLOATS), list(map(hash, data[0])) == list(map(hash, TEXTS))]
)py";

TEST(WorkerResults, TextsAndNumbersOnEveryBorderAreWrittenAndReadAsTheyAre) {
  WorkerProcess worker(kBorders);
  const std::string json = worker.call(WorkerProcess::invoke("t__m.json")).body;
  ASSERT_THAT(json, HasSubstr("999999999.999999,"));
  EXPECT_TRUE(worker.call_f().body == json);
  wire::Invoke invoke = WorkerProcess::invoke("t__m.same");
  const std::string body = R"({"kwargs":{"data":)" + json + "}}";
  invoke.body = body;
  EXPECT_EQ(worker.call(invoke).body, "[true,true,true]");
}

// Objects whose methods run while they are written: they change what is written, write themselves, let other threads write, run
// the collector.
constexpr const char* kActors = R"py(
import _dff, datetime, enum, gc, json, threading, time, uuid
class Actor(datetime.date):
    def isoformat(self): return self.act()
def actor(act):
    made = Actor(2026, 3, 2)
    made.act = act
    return made
def dropped(outer, made):
    outer[:] = made(actor(lambda: (outer.clear(), gc.collect(), 'gone')[2]))
    return outer
def nested(): return str(len(_dff.to_json(['x' * 30, None, 1.5, [True]] * 2000)))
class Lost:
    def __del__(self): LONG.clear()
LONG = []
class Wrapped(enum.Enum):
    A = uuid.UUID(int=5)
def thread(results, number):
    value = [actor(lambda: (time.sleep(0.0002), str(number))[1]) for _ in range(30)] + [Wrapped.A, 'y' * 20000]
    wanted = json.dumps([str(number)] * 30 + [str(uuid.UUID(int=5)), 'y' * 20000], separators=(',', ':'))
    for _ in range(20): results.append(_dff.to_json(value) == wanted)
@DFF.API('x')
def f(kind):
    if kind == 'list': return dropped([], lambda a: [['a', a, 'b'], {'z': 1}])
    if kind == 'dict': return dropped([], lambda a: [{'k': {'d': (1, a, [2.5]), 'e': 'f'}}, 9])
    if kind == 'key': return {actor(lambda: 'name'): [actor(lambda: 'value')]}
    if kind == 'nested': return ['y' * 9000, actor(nested), {actor(nested): None}, 'z']
    if kind == 'threads':
        results = []
        threads = [threading.Thread(target=thread, args=(results, n)) for n in range(4)]
        for each in threads: each.start()
        for each in threads: each.join()
        return [len(results), all(results), _dff.to_json([1])]
    if kind == 'digits':
        refused = 0
        for n in range(1, 40):
            LONG[:] = [99999 ** 1500]
            gc.disable()
            lost = Lost()
            lost.me = lost
            del lost
            try: raise KeyError
            except KeyError:
                kept = [[] for _ in range(n)]
                gc.set_threshold(1)
                gc.enable()
                refused += _dff.to_json(LONG) is None
                gc.set_threshold(700)
        return refused
    return gc.isenabled()
)py";

TEST(WorkerResults, ObjectsMayActWhileTheyAreWritten) {
  WorkerProcess worker(kActors);
  const auto body = [&worker](const std::string& kind) { return worker.call_f(R"({"kind":")" + kind + R"("})").body; };
  EXPECT_EQ(body("list"), R"([["a","gone","b"]])");
  EXPECT_EQ(body("dict"), R"([{"k":{"d":[1,"gone",[2.5]],"e":"f"}}])");
  EXPECT_EQ(body("key"), R"({"name":["value"]})");
  EXPECT_EQ(body("nested"), "[\"" + std::string(9000, 'y') + R"(","98001",{"98001":null},"z"])");
  EXPECT_EQ(body("threads"), R"([80,true,"[1]"])");
  EXPECT_EQ(body("digits"), "39");
  // Nor does reading, of what is good or not, leave the collector at rest.
  EXPECT_EQ(body("rest"), "true");
  EXPECT_EQ(worker.call_f(R"({"kind":["x"],"kind":1})").outcome, Outcome::BadArguments);
  EXPECT_EQ(body("rest"), "true");
}

TEST(WorkerResults, WhatHasNoJsonIsInvalid) {
  const std::pair<const char*, const char*> cases[] = {
      {"object()", "object"},           {"float('nan')", "float"},   {"[float('inf')]", "list"},     {"loop", "list"},
      {"{'a': b'x'}", "dict"},          {"{(1, 2): 3}", "dict"},     {"'\\ud800'", "str"},           {"['\\ud800']", "list"},
      {"(x for x in ())", "generator"}, {"'x' * (11 << 20)", "str"}, {"['x' * (11 << 20)]", "list"}, {"1j", "complex"},
  };
  for (const auto& [expression, type] : cases) {
    WorkerProcess worker(std::string(kTypes) + expression + "\n");
    const auto reply = worker.call_f();
    EXPECT_EQ(reply.outcome, Outcome::ResultInvalid) << expression << reply.body.substr(0, 100);
    EXPECT_EQ(reply.problem, std::string("{\"resultType\":\"") + type + "\"}") << expression;
    EXPECT_THAT(reply.body, IsEmpty());
  }
  WorkerProcess blame("@DFF.API('x')\ndef f(): return {'a': [b'x']}\n");
  EXPECT_THAT(blame.call_f().print_log, HasSubstr("there is no JSON for bytes"));
}

TEST(WorkerResults, ReturnTypeAndUnbox) {
  WorkerProcess worker("@DFF.API('x')\ndef f(kind): return {'s': 'text', 'b': b'x', 'n': 1}[kind]\n");
  struct BoxCase {
    const char* body;
    std::uint8_t flags;
    const char* answer;
    const char* options;
  };
  const BoxCase cases[] = {
      {R"({"kwargs":{"kind":"s"},"options":{"returnType":"jsonDumps"}})", wire::kUnbox, "\"text\"",
       R"({"returnType":"jsonDumps"})"},
      {R"({"kwargs":{"kind":"s"}})", wire::kUnbox | wire::kJsonDumps, "\"text\"", ""},
      {R"({"kwargs":{"kind":"s"},"options":{"returnType":"raw"}})", wire::kUnbox | wire::kJsonDumps, "text",
       R"({"returnType":"raw"})"},
      {R"({"kwargs":{"kind":"n"},"options":{"unbox":false}})", wire::kUnbox, R"({"result":1})", R"({"unbox":false})"},
      {R"({"kwargs":{"kind":"n"}})", 0, R"({"result":1})", R"({"unbox":false})"},
      {R"({"kwargs":{"kind":"n"},"options":{"unbox":true}})", 0, "1", R"({"unbox":true})"},
  };
  for (const auto& [body, flags, answer, options] : cases) {
    wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
    invoke.flags = flags | wire::kStrictValidation;
    invoke.body = body;
    const auto reply = worker.call(invoke);
    EXPECT_EQ(reply.body, answer) << body;
    EXPECT_EQ(reply.options, options) << body;
  }
  wire::Invoke bytes = WorkerProcess::invoke("t__m.f");
  bytes.body = R"({"kwargs":{"kind":"b"},"options":{"unbox":false}})";
  EXPECT_EQ(worker.call(bytes).outcome, Outcome::ResultInvalid);
}

struct ResponseCase {
  const char* expression;
  int status;
  const char* type;
  const char* body;
  std::map<std::string, std::string> headers;
  bool cacheable;
};

TEST(WorkerResults, ResponsesSetStatusTypeAndHeaders) {
  const ResponseCase cases[] = {
      {"DFF.RESP({'a': 1})", 200, kJson, R"({"a":1})", {}, true},
      {"DFF.RESP('x', status_code=404, headers={'X-A': 'b', 'x_a': 5})", 404, kText, "x", {{"X-A", "b"}, {"x_a", "5"}}, false},
      {"DFF.RESP('<p>', content_type='html')", 200, "text/html; charset=utf-8", "<p>", {}, true},
      {"DFF.RESP('[1]', content_type='json')", 200, kJson, "[1]", {}, true},
      {"DFF.RESP(b'x', content_type='image/png')", 200, "image/png", "x", {}, true},
      {"DFF.RESP(b'a,b', content_type='html', download='r\\u00e4.csv')",
       200,
       "text/csv",
       "a,b",
       {{"Content-Disposition", "attachment; filename=\"r_.csv\"; filename*=UTF-8''r%C3%A4.csv"}},
       true},
      {"DFF.RESP('x', status_code=204)", 204, "", "", {}, true},
      {"DFF.REDIRECT('https://example.net/a b')", 302, kBytes, "", {{"Location", "https://example.net/a%20b"}}, false},
      {"DFF.REDIRECT('/login')", 302, kBytes, "", {{"Location", "/login"}}, false},
      {"DFF.RESP_LARGE_DATA({'a': 1})", 200, kJson, R"({"a":1})", {}, false},
  };
  for (const auto& [expression, status, type, body, headers, cacheable] : cases) {
    WorkerProcess worker(std::string("@DFF.API('x')\ndef f(): return ") + expression + "\n");
    const auto reply = worker.call_f();
    EXPECT_EQ(reply.outcome, Outcome::Value) << expression << reply.problem;
    EXPECT_EQ(reply.status, status) << expression;
    EXPECT_EQ(reply.content_type, type) << expression;
    EXPECT_EQ(reply.body, body) << expression;
    EXPECT_EQ(reply.headers, headers) << expression;
    EXPECT_EQ(reply.has(wire::kCacheable), cacheable) << expression;
    EXPECT_TRUE(reply.has(wire::kCustom)) << expression;
  }
  WorkerProcess etag("@DFF.API('x')\ndef f(): return DFF.RESP('x', allow_304=True)\n");
  EXPECT_TRUE(etag.call_f().has(wire::kAllow304));
}

TEST(WorkerResults, ResponsesThatCannotBeSentAreInvalid) {
  for (const char* expression :
       {"DFF.RESP('x', headers={'A': 'b\\r\\nC: d'})", "DFF.RESP('x', headers={'A\\n': 'b'})",
        "DFF.RESP('x', headers={'A': 'b\\0'})", "DFF.RESP('x', content_type='a/b\\r\\nX: y')", "DFF.RESP('x', status_code=101)",
        "DFF.RESP('x', status_code=600)", "DFF.RESP('x', status_code='200')", "DFF.REDIRECT('javascript:alert(1)')",
        "DFF.REDIRECT('//evil.example')", "DFF.REDIRECT('/\\\\evil.example')", "DFF.REDIRECT('/a\\r\\nX: y')",
        "DFF.RESP(object())", "DFF.RESP('x', download='a\\nb')"}) {
    WorkerProcess worker(std::string("@DFF.API('x')\ndef f(): return ") + expression + "\n");
    const auto reply = worker.call_f();
    EXPECT_EQ(reply.outcome, Outcome::ResultInvalid) << expression << reply.problem << reply.body;
    EXPECT_TRUE(reply.headers.empty()) << expression;
  }
  // The attributes are checked again when the answer is made.
  WorkerProcess changed(
      "@DFF.API('x')\ndef f():\n    r = DFF.RESP('x')\n    r.headers.append(('A', 'b\\r\\nC: d'))\n    return r\n");
  EXPECT_EQ(changed.call_f().outcome, Outcome::ResultInvalid);
}

TEST(WorkerResults, HeadersOfTheServerAreIgnoredWithAWarning) {
  WorkerProcess worker(
      "@DFF.API('x')\ndef f(): return DFF.RESP('x', headers={'content-length': '5', 'Server': 'x', 'WWW-Authenticate': 'Basic', "
      "'X-Trace-Id': 'x', 'Set-Cookie': 'a=b', 'Date': 'x', 'Transfer-Encoding': 'chunked', 'Connection': 'close'})\n");
  const auto reply = worker.call_f();
  EXPECT_EQ(reply.headers, (std::map<std::string, std::string>{{"Set-Cookie", "a=b"}}));
  EXPECT_THAT(reply.print_log, HasSubstr("cannot set the header content-length"));
}

class WorkerFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/funcgate-worker-test-XXXXXX";
    root_ = ::mkdtemp(name);
    std::filesystem::create_directories(root_ + "/calls/1");
    std::filesystem::create_directories(root_ + "/resources/t");
    std::ofstream(root_ + "/resources/t/data.txt") << "resource";
    std::ofstream(root_ + "/secret.txt") << "secret";
    std::filesystem::create_symlink(root_ + "/secret.txt", root_ + "/resources/t/link.txt");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  WorkerReply run(const std::string& code) {
    WorkerSetup setup;
    setup.scripts = {{"t__m", "@DFF.API('x')\ndef f(folder=None):\n" + code}};
    setup.folders = {root_ + "/calls"};
    setup.resources = root_ + "/resources";
    setup.request_extra = ",\"readOnly\":[\"" + setup.resources + "\"]";
    WorkerProcess worker(std::move(setup));
    EXPECT_TRUE(worker.ready()) << base::to_json(worker.report());
    wire::Invoke invoke = WorkerProcess::invoke("t__m.f");
    const std::string folder = root_ + "/calls/1", body = R"({"kwargs":{"folder":")" + folder + "\"}}";
    invoke.folder = folder;
    invoke.body = body;
    invoke.result_bytes_max = 2 << 20;
    return worker.call(invoke);
  }
  std::string root_;
};

TEST_F(WorkerFiles, LargeDataGoesThroughTheCallsFolder) {
  const auto reply = run("    return DFF.RESP_LARGE_DATA('x' * (3 << 20))\n");
  ASSERT_EQ(reply.outcome, Outcome::Value) << reply.problem;
  EXPECT_EQ(reply.body_kind, wire::BodyKind::CallFile);
  EXPECT_TRUE(reply.has(wire::kAutoDelete));
  EXPECT_EQ(reply.content_type, kText);
  EXPECT_THAT(reply.body, Not(HasSubstr("/")));
  EXPECT_EQ(std::filesystem::file_size(root_ + "/calls/1/" + reply.body), 3u << 20);
  EXPECT_EQ(run("    return DFF.RESP_LARGE_DATA('x' * (65 << 20))\n").outcome, Outcome::ResultInvalid);
}

TEST_F(WorkerFiles, FilesAnswerFromTheTwoFoldersOnly) {
  const auto own =
      run("    open(folder + '/out.csv', 'w').write('a,b')\n    return DFF.RESP_FILE(folder + '/out.csv', auto_delete=True)\n");
  EXPECT_EQ(own.body_kind, wire::BodyKind::CallFile) << own.problem;
  EXPECT_EQ(own.body, "out.csv");
  EXPECT_TRUE(own.has(wire::kAutoDelete));
  EXPECT_EQ(own.content_type, "text/csv; charset=utf-8");
  EXPECT_EQ(own.headers.at("Content-Disposition"), "attachment; filename=\"out.csv\"");
  const auto resource = run("    return DFF.RESP_FILE(DFF.RSRC('data.txt'), download=False, auto_delete=True)\n");
  EXPECT_EQ(resource.body_kind, wire::BodyKind::ResourceFile) << resource.problem;
  EXPECT_EQ(resource.body, "data.txt");
  EXPECT_FALSE(resource.has(wire::kAutoDelete));
  EXPECT_TRUE(resource.headers.empty());
  for (const char* path : {"'/etc/passwd'", "folder + '/../../secret.txt'", "DFF.RSRC('') + '/link.txt'",
                           "DFF.RSRC('../../secret.txt')", "folder + '/none'", "folder"}) {
    EXPECT_EQ(run(std::string("    return DFF.RESP_FILE(") + path + ")\n").outcome, Outcome::Raised) << path;
  }
  EXPECT_EQ(run("    return open(DFF.RSRC('data.txt')).read()\n").body, "resource");
  EXPECT_EQ(run("    open(DFF.RSRC('') + '/new', 'w')\n").outcome, Outcome::Raised);
}

}  // namespace
}  // namespace funcgate::test
