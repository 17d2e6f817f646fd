"""Authentication functions (authentication §6, statements 54 to 61)."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.database import begun
from support.gate import PASS, Gate
from support.resources import PROBE, Resources
from support.server import wait_until
from support.wire import query, request_bytes

DOOR = '''
import sys, time, os, asyncio

class Truthy:
    def __bool__(self):
        return True

class TrueText(str):
    pass

class Equal:
    def __eq__(self, other):
        return True
    def __hash__(self):
        return 1

async def a_coroutine():
    return True

def a_generator():
    yield True

VALUES = {
    'true': lambda: True, 'false': lambda: False, 'one': lambda: 1, 'zero': lambda: 0, 'float': lambda: 1.0, 'text-true': lambda: 'True',
    'text-false': lambda: 'false', 'empty-text': lambda: '', 'empty-object': lambda: {}, 'ok-object': lambda: {'ok': True},
    'list': lambda: [], 'list-true': lambda: [True], 'none': lambda: None, 'nan': lambda: float('nan'), 'infinite': lambda: float('inf'),
    'truthy': Truthy, 'equal': Equal, 'true-text': lambda: TrueText('True'), 'coroutine': a_coroutine, 'generator': a_generator,
    'bytes': lambda: b'True', 'class': lambda: Truthy, 'function': lambda: a_generator, 'not-implemented': lambda: NotImplemented,
    'large': lambda: 'x' * 20000, 'set': lambda: {True}, 'tuple': lambda: (True,), 'cyclic': lambda: cyclic(), 'hint': lambda: {'hint': 'badge too short'},
    'text': lambda: 'Unknown badge', 'response': lambda: DFF.RESP('x'), 'redirect': lambda: DFF.REDIRECT('/'),
}

def cyclic():
    value = []
    value.append(value)
    return value

@DFF.API('Verdict by header')
def verdict():
    return VALUES[_DFF_HTTP_REQUEST['headers']['x-case']]()

@DFF.API('Raise by header')
def raising():
    case = _DFF_HTTP_REQUEST['headers']['x-case']
    if case == 'value':
        raise ValueError('no badge')
    if case == 'long':
        raise ValueError('y' * 5000)
    if case == 'key':
        return {}['missing']
    if case == 'exit':
        sys.exit(0)
    if case == 'interrupt':
        raise KeyboardInterrupt()
    if case == 'base':
        raise BaseException('base')
    if case == 'recursion':
        def deeper():
            return deeper()
        return deeper()
    raise RuntimeError(case)

@DFF.API('Slow')
def slow():
    time.sleep(float(_DFF_HTTP_REQUEST['headers'].get('x-seconds', '0')))
    return True

@DFF.API('Busy')
def busy():
    until = time.monotonic() + float(_DFF_HTTP_REQUEST['headers'].get('x-seconds', '0'))
    while time.monotonic() < until:
        pass
    return True

@DFF.API('Crash')
def crash():
    if _DFF_HTTP_REQUEST['headers'].get('x-crash') == 'yes':
        os._exit(0)
    return True

@DFF.API('Named')
def named():
    headers = _DFF_HTTP_REQUEST['headers']
    DFF.SET_CALLER(headers.get('x-name', 'nobody'), {'shop': 'north'})
    return headers.get('x-badge') == 'good-badge'

@DFF.API('What it sees')
def sees():
    request = _DFF_HTTP_REQUEST
    return {'authorization': request['headers'].get('authorization'), 'body': request['body'], 'raw': None if request['rawBody'] is None else len(request['rawBody']),
            'caller': dict(_DFF_CALLER), 'method': request['method'], 'origin': [_DFF_ORIGIN, _DFF_ORIGIN_ID], 'query': dict(request['query'])}

@DFF.API('Reads what it did not declare')
def greedy():
    return _DFF_HTTP_REQUEST['headers']['x-other'] == 'let-me-in-please'

@DFF.API('Counts itself')
def counting():
    value = (DFF.STORE.get('checks') or 0) + 1
    DFF.STORE.set('checks', value)
    print('token is', _DFF_HTTP_REQUEST['headers'].get('x-badge'))
    return _DFF_HTTP_REQUEST['headers'].get('x-badge') == 'good-badge'

@DFF.API('How often')
def checks():
    return DFF.STORE.get('checks') or 0
'''
UNCHECKED = ("verdict", "raising", "slow", "busy", "crash", "named", "sees")


def resources() -> Resources:
    made = Resources().scripts("shop", door=DOOR, probe=PROBE)
    for name in UNCHECKED:
        made.func_auth(name, f"shop__door.{name}")
        made.api(name, "shop__probe.see", name)
    made.func_auth("values", "shop__door.raising", exposeDetail="values").api("values", "shop__probe.see", "values")
    made.func_auth("values-verdict", "shop__door.verdict", exposeDetail="values").api("values-verdict", "shop__probe.see", "values-verdict")
    made.func_auth("hidden", "shop__door.verdict", exposeDetail="none").api("hidden", "shop__probe.see", "hidden")
    made.func_auth("declared", "shop__door.named", credentialFields=[{"location": "header", "name": "X-Badge"}, {"location": "query", "name": "badge"}])
    made.api("declared", "shop__probe.see", "declared")
    made.func_auth("cached", "shop__door.counting", cacheTtl=60, credentialFields=[{"location": "header", "name": "X-Badge"}])
    made.api("cached", "shop__probe.see", "cached").api("cached2", "shop__probe.see", "cached").api("checks", "shop__door.checks")
    made.func_auth("greedy", "shop__door.greedy", cacheTtl=60, credentialFields=[{"location": "header", "name": "X-Badge"}])
    made.api("greedy", "shop__probe.see", "greedy")
    made.func_auth("no-body", "shop__door.sees", bodyLimitBytes=0).api("no-body", "shop__probe.see", "no-body")
    made.func_auth("impatient", "shop__door.slow", timeoutMs=300).api("impatient", "shop__probe.see", "impatient")
    made.basic("users", {"mia": "a password of mia"})
    made.api("either", "shop__probe.see", "verdict", "users")
    made.api("rest", "shop__probe.rest")
    return made


def call(client, api: str, case: str | None = None, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(f"/api/v1/func-api/{api}/s?sku=A7", {**({"X-Case": case} if case else {}), **names})


@pytest.mark.parametrize("case", ["one", "float", "text-true", "empty-object", "ok-object", "list", "list-true", "nan", "infinite", "truthy", "equal",
                                  "true-text", "coroutine", "generator", "bytes", "class", "function", "not-implemented", "large", "set", "tuple",
                                  "cyclic", "none", "zero", "text-false", "empty-text", "false", "response", "redirect"])
def test_only_true_passes(client, case):
    """authentication 54: no truthiness; everything but the object True is a refusal."""
    answer = call(client, "verdict", case).refused("401.99")
    assert answer.json["message"] == "Func Auth failed"
    assert answer.all("WWW-Authenticate") == ['Func realm="verdict"']


def test_true_passes(client):
    """authentication 54."""
    caller = call(client, "verdict", "true").expect(200).json["caller"]
    assert caller["type"] == "func" and caller["authId"] == "verdict" and caller["name"] is None and caller["attributes"] == {}


@pytest.mark.parametrize("case, detail", [
    ("false", "false"), ("text", '"Unknown badge"'), ("hint", '{"hint":"badge too short"}'), ("none", "null"), ("one", "1"), ("zero", "0"),
    ("ok-object", '{"ok":true}'), ("list", "[]"), ("list-true", "[true]"), ("text-true", '"True"'), ("empty-text", '""'),
    ("nan", "null"), ("truthy", "null"), ("coroutine", "null"), ("generator", "null"), ("large", "null"), ("cyclic", "null"),
])
def test_bodies_of_returned_values(client, case, detail):
    """authentication 55, §6.2: `detail` is the value if JSON has it, else null; byte for byte, between message and status."""
    answer = call(client, "verdict", case).refused("401.99")
    assert f'"message":"Func Auth failed","detail":{detail},"status":401,"reqDump":' in answer.text, answer.text


TASK = re.compile(r'"detail":\{"name":"Func\.Runner","id":"task-[0-9A-Za-z]+","triggerTime":\d+\.\d+,"startTime":\d+\.\d+,"endTime":\d+\.\d+,'
                  r'"status":"failure","exceptionType":"UserScriptException","exception":"In User Script: ([^"]*)","exceptionFrom":"userScript",'
                  r'"originExceptionType":"([A-Za-z]+)","originException":"([^"]*)"\},"status":401,')


@pytest.mark.parametrize("case, kind, text", [
    ("value", "ValueError", "ValueError('no badge')"), ("key", "KeyError", "KeyError('missing')"), ("exit", "SystemExit", "SystemExit(0)"),
    ("interrupt", "KeyboardInterrupt", "KeyboardInterrupt()"), ("base", "BaseException", "BaseException('base')"), ("else", "RuntimeError", "RuntimeError('else')"),
])
def test_raising_refuses(client, case, kind, text):
    """authentication 55, §6.2: the task object, byte for byte."""
    answer = call(client, "raising", case).refused("401.99")
    found = TASK.search(answer.text)
    assert found and found.groups() == (text, kind, text), answer.text


def test_recursion_is_a_refusal(client):
    """authentication 4: whatever is thrown inside a check denies."""
    assert call(client, "raising", "recursion").refused("401.99").json["detail"]["originExceptionType"] == "RecursionError"


@pytest.mark.parametrize("case", ["value", "key", "exit", "recursion", "long"])
def test_no_traceback_reaches_a_caller(client, case):
    """authentication 60: no traceback, path or source line; representations are cut at 1000 characters."""
    answer = call(client, "raising", case).refused("401.99")
    for mark in ("Traceback", "File ", ".py", "line ", "shop__door"):
        assert mark not in answer.text
    assert len(answer.json["detail"]["originException"]) <= 1000


def test_expose_detail(client):
    """§6.2: `values` shows no exceptions, `none` shows nothing."""
    assert "detail" not in call(client, "values", "value").refused("401.99").json
    assert call(client, "values-verdict", "hint").refused("401.99").json["detail"] == {"hint": "badge too short"}
    for case in ("false", "text", "hint"):
        assert "detail" not in call(client, "hidden", case).refused("401.99").json


@pytest.mark.parametrize("api, headers", [("impatient", {"X_Seconds": "50"}), ("slow", {"X_Seconds": "50"}), ("busy", {"X_Seconds": "50"}), ("crash", {"X_Crash": "yes"})])
def test_undecided_denies(client, api, headers):
    """authentication 56: late or crashed is 503.99 without detail, with Retry-After: 5, and soon afterwards the pool decides again."""
    started = time.monotonic()
    answer = call(client, api, **headers).refused("503.99")
    assert time.monotonic() - started < 30, "the deadline of 2 s was not kept"
    assert answer.header("Retry-After") == "5" and "detail" not in answer.json
    assert answer.json["message"] == "Authentication is not available" and answer.json["reason"] == "EAPIAuthUnavailable"
    wait_until(lambda: call(client, api).status == 200, "the pool decides again")


def test_set_caller(client):
    """§6.1: the name and attributes given by DFF.SET_CALLER count only when True is returned."""
    caller = call(client, "named", X_Name="badge-1234", X_Badge="good-badge").expect(200).json["caller"]
    assert caller["name"] == "badge-1234" and caller["attributes"] == {"shop": "north"} and caller["runAs"] == "system"
    call(client, "named", X_Name="badge-1234", X_Badge="bad").refused("401.99")


def test_it_sees_the_credentials_and_no_caller(client):
    """§6.1, function-apis §12: the request with credentials; `_DFF_CALLER` is {}."""
    answer = client.post("/api/v1/func-api/sees/s?a=1", {"Authorization": "Custom abc"}, json={"sku": "A7"}).refused("401.99")
    detail = answer.json["detail"]
    assert detail == {"authorization": "Custom abc", "body": {"sku": "A7"}, "raw": 13, "caller": {}, "method": "POST", "origin": ["apiAuth", "sees"],
                      "query": {"a": "1"}}


def test_body_limit(client):
    """§6.1: body and rawBody only up to bodyLimitBytes, never of multipart."""
    assert client.post("/api/v1/func-api/no-body/s", json={"sku": "A7"}).refused("401.99").json["detail"]["body"] is None
    large = client.post("/api/v1/func-api/sees/s", json={"filler": "x" * 70_000}).refused("401.99").json["detail"]
    assert large["body"] is None and large["raw"] is None
    parts = client.post("/api/v1/func-api/sees/s", parts=[("sku", "A7")]).refused("401.99").json["detail"]
    assert parts["body"] is None and parts["raw"] is None


def test_declared_fields(client):
    """§6.3, §9: all declared fields missing = absent, Python is not asked; after acceptance they are removed."""
    absent = call(client, "declared").refused("401.99")
    assert "detail" not in absent.json
    seen = client.get("/api/v1/func-api/declared/s?sku=A7&badge=in-the-query", {"X-Badge": "good-badge"}).expect(200)
    assert "in-the-query" not in seen.text and "good-badge" not in seen.text
    assert seen.json["kwargs"] == {"sku": "A7"}


def test_undeclared_credentials_are_removed_too(client):
    """§9: Authorization never reaches the function."""
    assert "authorization" not in call(client, "verdict", "true", Authorization="Custom abc").expect(200).json["request"]["headers"]


def test_verdict_cache(client):
    """authentication 58: a cached verdict holds for its field value and API; other values and APIs ask again.

    On one connection: a connection belongs to one thread of the server for life, and each thread remembers for itself.
    """
    checks = lambda: client.get("/api/v1/func-api/checks/s").expect(200).json
    with client.connect() as connection:
        def ask(api: str, *headers):
            connection.send(request_bytes("GET", f"/api/v1/func-api/{api}/s", headers))
            return connection.read()
        before = checks()
        for _ in range(5):
            ask("cached", ("X-Badge", "good-badge")).expect(200)
        assert checks() == before + 1
        ask("cached2", ("X-Badge", "good-badge")).expect(200)
        assert checks() == before + 2
        for _ in range(2):
            ask("cached", ("X-Badge", "bad-badge")).refused("401.99")
        assert checks() == before + 4  # negativeCacheTtl is 0
        ask("cached").refused("401.99")
        assert checks() == before + 4  # absent: not asked


def test_verdict_cache_ends_with_a_change(server, client):
    """authentication 58: another version of the configuration does not use old verdicts."""
    checks = lambda: client.get("/api/v1/func-api/checks/s").expect(200).json
    for _ in range(4):
        call(client, "cached", X_Badge="good-badge").expect(200)
    before = checks()
    server.apply(Resources().func_auth("cached", "shop__door.counting", cacheTtl=61, credentialFields=[{"location": "header", "name": "X-Badge"}]))
    call(client, "cached", X_Badge="good-badge").expect(200)
    assert checks() == before + 1


def test_undeclared_parts_are_unreadable(client):
    """authentication 58: while caching is on, the function can read only what is in the key."""
    answer = client.get("/api/v1/func-api/greedy/s", {"X-Badge": "good-badge", "X-Other": "let-me-in-please"}).refused("401.99")
    assert answer.json["detail"]["originExceptionType"] == "KeyError"


def test_func_entries_are_asked_last(client):
    """§1: `func` entries come last, also when listed first: a caller accepted by Basic never reaches Python."""
    import base64
    basic = "Basic " + base64.b64encode(b"mia:a password of mia").decode()
    caller = call(client, "either", "false", Authorization=basic).expect(200).json["caller"]
    assert caller["type"] == "httpBasic"
    assert call(client, "either", "true").expect(200).json["caller"]["type"] == "func"


def test_broken_entry_beside_a_healthy_one(make_server):
    """authentication 5: only the healthy entry's credential is accepted; any other gets 503.99."""
    world = Resources().scripts("shop", door=DOOR, probe=PROBE)
    world.func_auth("late", "shop__door.slow", timeoutMs=200).fixed_field("token", {"location": "header", "name": "X-Token", "value": "a-healthy-token"})
    world.api("see", "shop__probe.see", "late", "token")
    client = make_server(world).client
    call(client, "see", X_Token="a-healthy-token", X_Seconds="5").expect(200)
    call(client, "see", X_Token="a-wrong-token-1", X_Seconds="5").refused("503.99")
    call(client, "see", X_Seconds="5").refused("503.99")


def test_flooding_an_api_pool_leaves_authentication_alone(client):
    """authentication 57: no API call runs in the pool of authentication functions."""
    with ThreadPoolExecutor(12) as pool:
        flood = [pool.submit(client.get, "/api/v1/func-api/rest/s?seconds=1") for _ in range(12)]
        answer = call(client, "verdict", "false")  # decided without the API pool: refusals need no API worker
        assert answer.error == "401.99"
        for future in flood:
            assert future.result().status == 200


def test_slow_configuration_leaves_the_others_half(client):
    """authentication 57: one configuration uses at most half of the pool, so others still decide within their deadline."""
    with ThreadPoolExecutor(16) as pool:
        flood = [pool.submit(call, client, "slow", X_Seconds="1.8") for _ in range(12)]
        for _ in range(5):
            call(client, "verdict", "false").refused("401.99")
        for future in flood:
            assert future.result().status in (200, 503)


def test_slow_configuration_with_processes_of_its_own_leaves_the_others_half(make_server):
    """authentication 57: the bound holds for isolation="call" too; calls over it wait for their turn, as in the pool."""
    door = DOOR.replace("@DFF.API('Verdict by header')", "@DFF.API('Verdict by header', isolation='call')") + PASS + """
@DFF.API('Waits at the gate', isolation='call')
def held():
    headers = _DFF_HTTP_REQUEST['headers']
    DFF.STORE.set('begun ' + headers['x-number'], True)
    pass_gate(headers['x-gate'])
    return True
"""
    made = Resources().scripts("shop", door=door, probe=PROBE)
    for name in ("verdict", "held"):
        made.func_auth(name, f"shop__door.{name}", timeoutMs=10_000).api(name, "shop__probe.see", name)
    server = make_server(made)
    numbers = [f"n{number}" for number in range(6)]

    def checks_that_began() -> int:
        return sum(begun(server.data, number) for number in numbers)

    with ThreadPoolExecutor(6) as pool:
        with Gate(server) as gate:
            flood = [pool.submit(call, server.client, "held", X_Number=number, X_Gate=str(gate.path)) for number in numbers]
            wait_until(checks_that_began, "the flood has begun")
            for _ in range(3):
                call(server.client, "verdict", "false").refused("401.99")
            # The pool has two workers: one configuration may use one of them, here one process.
            assert checks_that_began() == 1 and not any(future.done() for future in flood)
        assert [future.result().status for future in flood] == [200] * 6
    assert checks_that_began() == 6


def test_function_with_parameters_is_refused(server):
    """§10: an authentication function takes no parameters and is not async."""
    takes = Resources().scripts("bad", door='''
        @DFF.API('Takes')
        def takes(badge):
            return True
        @DFF.API('Waits')
        async def waits():
            return True
    ''')
    for function, message in (("takes", "takes no parameters"), ("waits", "must not be async"), ("missing", "function not found")):
        world = Resources()
        world.documents, world.files = list(takes.documents), dict(takes.files)
        done = server.try_apply(world.func_auth("bad", f"bad__door.{function}"))
        assert done.returncode != 0 and message in done.stdout + done.stderr, done.stdout + done.stderr


def test_printed_token_is_not_logged(server, client):
    """authentication 61, 73: a token printed by an authentication function is in no log."""
    call(client, "cached", X_Badge="printed-badge-secret").refused("401.99")
    assert "printed-badge-secret" not in server.log()


def test_busy_fast_configurations_take_turns_with_the_others(make_server):
    """authentication 57: fast calls of one configuration wait in one worker's pipe, but not for ever before those of another.
    The pool has two workers: each of two busy configurations keeps one of them."""
    made = Resources().scripts("shop", door=DOOR, probe=PROBE)
    for name in ("verdict", "second", "other"):
        made.func_auth(name, "shop__door.verdict", timeoutMs=8000).api(name, "shop__probe.see", name)
    server = make_server(made)
    stop = threading.Event()
    answers: list[int] = []

    def keep_asking(api: str) -> None:
        with server.client.connect() as connection:
            while not stop.is_set():
                connection.send(request_bytes("GET", f"/api/v1/func-api/{api}/s", {"X-Case": "true"}))
                answers.append(connection.read("GET").status)

    threads = [threading.Thread(target=keep_asking, args=(api,)) for api in ("verdict", "second") * 8]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(answers) > 500, "the function is known as fast")
        for _ in range(20):
            call(server.client, "other", "true").expect(200)
            call(server.client, "other", "false").refused("401.99")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {200}
