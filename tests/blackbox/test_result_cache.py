"""The result cache (function-apis §8, statement 59)."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.resources import PROBE, Resources

CACHED = '''
import time

def counted(name):
    value = (DFF.STORE.get(name) or 0) + 1
    DFF.STORE.set(name, value)
    return value

@DFF.API('Per caller', cache_result=60)
def per_caller(a: int = 0, b: str = ''):
    return {'run': counted('per_caller'), 'caller': _DFF_CALLER['name'], 'a': a, 'b': b}

@DFF.API('Shared', cache_result=60, cache_vary=[])
def shared(a: int = 0):
    return {'run': counted('shared'), 'caller': dict(_DFF_CALLER), 'a': a}

@DFF.API('By header', cache_result=60, cache_vary=['header:X-Lang'])
def by_header():
    return {'run': counted('by_header'), 'lang': _DFF_HTTP_REQUEST['headers'].get('x-lang')}

@DFF.API('By query', cache_result=60, cache_vary=['query'])
def by_query(**kwargs):
    return counted('by_query')

@DFF.API('Undeclared', cache_result=60)
def undeclared():
    return _DFF_HTTP_REQUEST['ip']

@DFF.API('Fails', cache_result=60, cache_vary=[])
def fails():
    if counted('fails') < 3:
        raise ValueError('not yet')
    return 'now'

@DFF.API('Refuses', cache_result=60, cache_vary=[])
def refuses():
    return DFF.RESP(counted('refuses'), status_code=404, content_type='json')

@DFF.API('Slow', cache_result=60, cache_vary=[])
def slow():
    time.sleep(0.5)
    return counted('slow')

@DFF.API('Brief', cache_result=1, cache_vary=[])
def brief():
    return counted('brief')
'''
USERS = {"mia": "a password of mia", "tom": "a password of tom"}
NAMES = ("per_caller", "shared", "by_header", "by_query", "undeclared", "fails", "refuses", "slow", "brief")


def world(version: str = "") -> Resources:
    made = Resources().scripts("cache", main=CACHED + version, probe=PROBE).basic("staff", USERS)
    for name in NAMES:
        made.api(name, f"cache__main.{name}", "staff")
    return made.api("shared2", "cache__main.shared", "staff").api("jsonDumps", "cache__main.per_caller", "staff", returnType="jsonDumps")


def resources() -> Resources:
    return world()


def get(client, api: str, tail: str = "", user: str = "mia", headers=()):
    basic = "Basic " + base64.b64encode(f"{user}:{USERS[user]}".encode()).decode()
    return client.get(f"/api/v1/al/{api}/s{tail}", [("Authorization", basic), *headers]).expect(200)


def is_hit(answer) -> bool:
    return answer.header("X-Dff-Cache") == "Cached"


def test_hit(client):
    """§8: the second equal call is a hit: same bytes, no run, X-Dff-Cache: Cached."""
    first, second = get(client, "per_caller", "?a=1"), get(client, "per_caller", "?a=1")
    assert not is_hit(first) and is_hit(second) and first.body == second.body
    assert second.header("Content-Type") == first.header("Content-Type") and second.header("Cache-Control") == "private, no-store"


def test_arguments_are_part_of_the_key(client):
    """§8: other arguments, other types: another entry; their order plays no part."""
    get(client, "per_caller", "?a=2&b=x")
    assert not is_hit(get(client, "per_caller", "?a=3&b=x"))
    assert not is_hit(get(client, "per_caller", "?a=2"))
    assert is_hit(get(client, "per_caller", "?b=x&a=2"))


def test_caller_is_part_of_the_key(client):
    """authentication 59: never an answer for another caller."""
    assert get(client, "per_caller", "?a=10", "mia").json["caller"] == "mia"
    other = get(client, "per_caller", "?a=10", "tom")
    assert not is_hit(other) and other.json["caller"] == "tom"


def test_never_before_authentication(client):
    """authentication 59: a cached answer is only for those who may have it."""
    get(client, "shared", "?a=5")
    client.get("/api/v1/al/shared/s?a=5").refused("401.99")


def test_shared_between_callers_when_declared(client):
    """§8: without `caller` in cache_vary the function sees no caller, and callers share."""
    first = get(client, "shared", "?a=6", "mia")
    assert first.json["caller"] == {}
    second = get(client, "shared", "?a=6", "tom")
    assert is_hit(second) and second.body == first.body


def test_api_is_part_of_the_key(client):
    """§8: API id."""
    get(client, "shared", "?a=7")
    assert not is_hit(get(client, "shared2", "?a=7"))


def test_header_and_query(client):
    """§8: declared parts of the request."""
    first = get(client, "by_header", headers=[("X-Lang", "de")])
    assert first.json["lang"] == "de" and is_hit(get(client, "by_header", headers=[("X-Lang", "de")]))
    assert not is_hit(get(client, "by_header", headers=[("X-Lang", "fr")]))
    assert not is_hit(get(client, "by_header"))
    get(client, "by_query", "?x=1")
    assert is_hit(get(client, "by_query", "?x=1")) and not is_hit(get(client, "by_query", "?x=2"))


def test_undeclared_parts_are_unreadable(client):
    """§8: touching another key raises KeyError."""
    basic = "Basic " + base64.b64encode(f"mia:{USERS['mia']}".encode()).decode()
    answer = client.get("/api/v1/al/undeclared/s", {"Authorization": basic}).refused("500.1")
    assert answer.json["detail"]["originExceptionType"] == "KeyError"


def test_failures_are_not_stored(client):
    """§8: failures and answers of 400 and above are never stored."""
    basic = "Basic " + base64.b64encode(f"mia:{USERS['mia']}".encode()).decode()
    call = lambda api: client.get(f"/api/v1/al/{api}/s", {"Authorization": basic})
    assert [call("fails").status for _ in range(3)] == [500, 500, 200]
    assert is_hit(call("fails"))
    assert [call("refuses").expect(404).json for _ in range(3)] == [1, 2, 3]


def test_equal_misses_run_once(client):
    """§8: single-flight."""
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: get(client, "slow"), range(12)))
    assert {answer.json for answer in answers} == {1}


def test_entries_end(client):
    """§8: after cache_result seconds the function runs again."""
    from support.server import wait_until
    first = get(client, "brief").json
    wait_until(lambda: get(client, "brief").json > first, "the entry ends", pause_s=0.2)


def test_publish_makes_old_entries_unreachable(make_server):
    """§8: a publish, or any change of the API, at once."""
    server = make_server(world())
    first = get(server.client, "shared", "?a=1").json["run"]
    assert is_hit(get(server.client, "shared", "?a=1"))
    server.apply(world("\n# another version\n"))
    answer = get(server.client, "shared", "?a=1")
    assert not is_hit(answer) and answer.json["run"] == first + 1
    server.apply(Resources().api("shared", "cache__main.shared", "staff", note="changed"))
    assert not is_hit(get(server.client, "shared", "?a=1"))


@pytest.mark.parametrize("decorator", ["cache_vary=['caller']", "cache_result=-1", "cache_result=90000", "cache_result=True", "cache_result=5, cache_vary='caller'", "cache_result=5, cache_vary=['nonsense']"])
def test_wrong_options_refuse_the_publish(server, decorator):
    """function-apis §2, §8: option, value and range are named; nothing is published."""
    done = server.try_apply(Resources().scripts("wrong", main=f"@DFF.API('x', {decorator})\ndef f():\n    return 1\n"))
    assert done.returncode != 0 and "cache_" in done.stdout + done.stderr
