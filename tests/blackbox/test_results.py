"""What a returned value becomes on the wire (function-apis §7, §9)."""

import time

import pytest

from support.resources import PROBE, Resources

RETURNS = '''
import time
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

@dataclass
class Point:
    x: int
    y: int

class Color(Enum):
    RED = 'red'

def cyclic():
    value = {}
    value['self'] = value
    return value

class Opaque:
    pass

VALUES = {
    'dict': lambda: {'a': 1, 'b': [True, None, 1.5]}, 'list': lambda: [1, 2], 'tuple': lambda: (1, 2), 'set': lambda: {7}, 'dataclass': lambda: Point(1, 2),
    'true': lambda: True, 'false': lambda: False, 'zero': lambda: 0, 'int': lambda: 5, 'float': lambda: 1.5, 'none': lambda: None,
    'str': lambda: 'grüße', 'empty': lambda: '', 'bytes': lambda: b'\\x00\\xff', 'datetime': lambda: [datetime(2026, 3, 2, tzinfo=timezone.utc)],
    'date': lambda: [date(2026, 3, 2)], 'uuid': lambda: [UUID('12345678-1234-5678-1234-567812345678')], 'decimal': lambda: [Decimal('1.10')], 'enum': lambda: [Color.RED],
    'nan': lambda: float('nan'), 'nested-nan': lambda: {'a': [float('inf')]}, 'cyclic': cyclic, 'opaque': Opaque, 'nested-opaque': lambda: {'a': Opaque()},
    'surrogate': lambda: '\\ud800', 'generator': lambda: (n for n in range(3)), 'unicode': lambda: {'ü': '\\u2028"\\\\\\n'},
    'nested-bytes': lambda: {'a': b'x'}, 'int-keys': lambda: {1: 'a'}, 'big': lambda: 2 ** 80,
}

@DFF.API('Return')
def give(case: str): return VALUES[case]()

@DFF.API('Large')
def large(count: int): return 'x' * count

RESPONSES = {
    'plain': lambda: DFF.RESP({'a': 1}), 'created': lambda: DFF.RESP({'a': 1}, status_code=201), 'teapot': lambda: DFF.RESP('short and stout', status_code=418),
    'json': lambda: DFF.RESP('text', content_type='json'), 'text': lambda: DFF.RESP('text', content_type='text'), 'html': lambda: DFF.RESP('<p>', content_type='html'),
    'csv': lambda: DFF.RESP('a;b', content_type='text/csv'), 'headers': lambda: DFF.RESP('x', headers={'X-Mine': 'yes', 'Set-Cookie': 'a=b'}),
    'download': lambda: DFF.RESP('x', download='r.csv', content_type='text/csv'), 'download-true': lambda: DFF.RESP('x', download=True),
    'quoted-name': lambda: DFF.RESP('x', download='a"b\\u00fc.csv'), 'injected': lambda: DFF.RESP('x', headers={'X-Mine': 'a\\r\\nX-Other: b'}),
    'injected-name': lambda: DFF.RESP('x', headers={'X-A\\r\\nX-B': 'b'}), 'injected-nul': lambda: DFF.RESP('x', headers={'X-Mine': 'a\\x00b'}),
    'injected-download': lambda: DFF.RESP('x', download='a\\r\\nX-Other: b'), 'injected-type': lambda: DFF.RESP('x', content_type='text/plain\\r\\nX-Other: b'),
    'forbidden': lambda: DFF.RESP('x', headers={'Content-Length': '999', 'Transfer-Encoding': 'chunked', 'Connection': 'close', 'WWW-Authenticate': 'Basic realm="x"',
                                                'Authentication-Info': 'x', 'Date': 'now', 'Server': 'mine', 'X-Trace-Id': 'mine'}),
    'status-99': lambda: DFF.RESP('x', status_code=99), 'status-100': lambda: DFF.RESP('x', status_code=100), 'status-600': lambda: DFF.RESP('x', status_code=600),
    'no-content': lambda: DFF.RESP('', status_code=204), 'not-modified': lambda: DFF.RESP('same', allow_304=True),
    'redirect': lambda: DFF.REDIRECT('/api/v1/al/give/s?case=int'), 'redirect-far': lambda: DFF.REDIRECT('https://example.net/x'),
    'redirect-script': lambda: DFF.REDIRECT('javascript:alert(1)'), 'redirect-injected': lambda: DFF.REDIRECT('/x\\r\\nX-Other: b'),
    'large': lambda: DFF.RESP_LARGE_DATA('y' * 12_000_000), 'large-json': lambda: DFF.RESP_LARGE_DATA({'a': 'y' * 12_000_000}),
    'file-outside': lambda: DFF.RESP_FILE('/etc/passwd'), 'file-dots': lambda: DFF.RESP_FILE('../../../../../../etc/passwd'), 'file-proc': lambda: DFF.RESP_FILE('/proc/self/environ'),
}

@DFF.API('Respond')
def respond(case: str): return RESPONSES[case]()

@DFF.API('Send back')
def back(files):
    return DFF.RESP_FILE(files[0]['filePath'], download=False, headers={'X-Mine': 'yes'})

@DFF.API('Send back what is new')
def back_if_new(files): return DFF.RESP_FILE(files[0]['filePath'], allow_304=True)

@DFF.API('A link out of the folder')
def link(files):
    import os
    path = os.path.join(os.path.dirname(files[0]['filePath']), 'link')
    os.symlink('/etc/passwd', path)
    return DFF.RESP_FILE(path)

@DFF.API('Late', timeout=1)
def late(): time.sleep(30)

@DFF.API('Busy', timeout=1)
def busy():
    while True: pass

@DFF.API('Never caught', timeout=1)
def stubborn():
    while True:
        try:
            time.sleep(30)
        except BaseException:
            pass

@DFF.API('Coroutine')
async def coroutine(name: str = 'World'):
    import asyncio
    await asyncio.sleep(0.01)
    return f'Hello, {name}!'

@DFF.API('Remaining', timeout=20)
def remaining(): return DFF.DEADLINE()

@DFF.API('Variables')
def variables():
    return {'image': _DFF_IMAGE_INFO['name'], 'func': _DFF_FUNC_ID, 'name': _DFF_FUNC_NAME, 'script': _DFF_SCRIPT_ID, 'set': _DFF_SCRIPT_SET_ID, 'debug': _DFF_DEBUG,
            'cron': _DFF_CRON_EXPR, 'version': _DFF_SCRIPT_VERSION, 'chain': list(_DFF_FUNC_CHAIN), 'kwargs': dict(_DFF_FUNC_CALL_KWARGS), 'queue': _DFF_QUEUE}

@DFF.API('Forge the caller')
def forge():
    try:
        _DFF_CALLER['name'] = 'root'
    except Exception as problem:
        return type(problem).__name__
    return 'changed'
'''


def resources() -> Resources:
    made = Resources().scripts("results", main=RETURNS, probe=PROBE)
    for name in ("give", "respond", "large", "late", "busy", "stubborn", "coroutine", "remaining", "variables", "forge"):
        made.api(name, f"results__main.{name}")
    made.api("dumps", "results__main.give", returnType="jsonDumps").api("boxed", "results__main.give", unbox=False)
    made.api("back", "results__main.back", acceptFiles=True).api("link", "results__main.link", acceptFiles=True)
    made.api("back-if-new", "results__main.back_if_new", acceptFiles=True)
    made.api("hello", "results__probe.hello")
    return made


def give(client, case: str, api: str = "give"):
    return client.get(f"/api/v1/al/{api}/s?case={case}")


@pytest.mark.parametrize("case, body", [
    ("dict", b'{"a":1,"b":[true,null,1.5]}'), ("list", b"[1,2]"), ("tuple", b"[1,2]"), ("set", b"[7]"), ("dataclass", b'{"x":1,"y":2}'), ("true", b"true"),
    ("false", b"false"), ("zero", b"0"), ("int", b"5"), ("float", b"1.5"), ("none", b"null"), ("uuid", b'["12345678-1234-5678-1234-567812345678"]'),
    ("decimal", b'["1.10"]'), ("date", b'["2026-03-02"]'), ("enum", b'["red"]'), ("big", b"1208925819614629174706176"),
])
def test_json_values(client, case, body):
    """§7: falsy values arrive as themselves."""
    answer = give(client, case).expect(200)
    assert answer.body == body and answer.header("Content-Type").split(";")[0] == "application/json"


def test_unicode_in_json(client):
    """§7: any text survives the way there."""
    assert give(client, "unicode").expect(200).json == {"ü": '\u2028"\\\n'}
    assert give(client, "datetime").expect(200).json[0].startswith("2026-03-02T00:00:00")


def test_text_and_bytes(client):
    """§7: str is text/plain, bytes are octets; the empty text is an empty body."""
    text = give(client, "str").expect(200)
    assert text.text == "grüße" and text.header("Content-Type") == "text/plain; charset=utf-8"
    assert give(client, "empty").expect(200).body == b""
    data = give(client, "bytes").expect(200)
    assert data.body == b"\x00\xff" and data.header("Content-Type") == "application/octet-stream"


def test_json_dumps(client):
    """§7: `returnType: jsonDumps` quotes a text."""
    answer = give(client, "str", "dumps").expect(200)
    assert answer.json == "grüße" and answer.header("Content-Type").split(";")[0] == "application/json"
    assert give(client, "empty", "dumps").body == b'""'


@pytest.mark.parametrize("case, value", [("dict", {"a": 1, "b": [True, None, 1.5]}), ("none", None), ("false", False), ("str", "grüße")])
def test_boxed(client, case, value):
    """§7: `unbox: false`."""
    answer = give(client, case, "boxed").expect(200).json
    assert answer["ok"] is True and answer["error"] == 200 and answer["data"]["result"] == value and "result" in answer["data"]


@pytest.mark.parametrize("case", ["nan", "nested-nan", "cyclic", "opaque", "nested-opaque", "generator", "surrogate"])
def test_invalid_results(client, case):
    """§7: 500.11 with id and resultType."""
    answer = give(client, case).refused("500.11")
    assert answer.json["reason"] == "EFuncResultInvalid" and set(answer.json["detail"]) == {"id", "resultType"}
    # No address of an object: neither in the message nor in the type's name (ids are random and may hold anything).
    assert "0x" not in answer.json["message"] and "0x" not in answer.json["detail"]["resultType"]


def test_result_over_the_limit(client):
    """§7, §19: result_bytes; RESP_LARGE_DATA goes further."""
    assert len(client.get("/api/v1/al/large/s?count=9000000").expect(200).body) == 9_000_000
    client.get("/api/v1/al/large/s?count=11000000").refused("500.11")
    assert client.get("/api/v1/al/respond/s?case=large").expect(200).body == b"y" * 12_000_000
    assert client.get("/api/v1/al/respond/s?case=large-json").expect(200).json == {"a": "y" * 12_000_000}


@pytest.mark.parametrize("case, status, media_type, body", [
    ("plain", 200, "application/json", b'{"a":1}'), ("created", 201, "application/json", b'{"a":1}'), ("teapot", 418, "text/plain", b"short and stout"),
    ("json", 200, "application/json", None), ("text", 200, "text/plain", b"text"), ("html", 200, "text/html", b"<p>"), ("csv", 200, "text/csv", b"a;b"),
])
def test_responses(client, case, status, media_type, body):
    """§7: DFF.RESP; a custom status of 400 and above gets no envelope."""
    answer = client.get(f"/api/v1/al/respond/s?case={case}").expect(status)
    assert answer.header("Content-Type").split(";")[0] == media_type and (body is None or answer.body == body)


def test_response_headers(client):
    """§7: own headers pass; those of the server cannot be set."""
    answer = client.get("/api/v1/al/respond/s?case=headers").expect(200)
    assert answer.header("X-Mine") == "yes" and answer.header("Set-Cookie") == "a=b"
    answer = client.get("/api/v1/al/respond/s?case=forbidden").expect(200)
    assert answer.body == b"x" and answer.all("Content-Length") == ["1"]
    for name in ("WWW-Authenticate", "Authentication-Info", "Transfer-Encoding"):
        assert answer.header(name) is None
    assert answer.header("Server") == "funcgate" and answer.header("X-Trace-Id") != "mine" and answer.header("Date") != "now"


@pytest.mark.parametrize("case", ["injected", "injected-name", "injected-nul", "injected-download", "injected-type", "redirect-injected"])
def test_header_injection(client, case):
    """§7: CR, LF or NUL in a header is 500.11 (or the call fails before); nothing is injected."""
    answer = client.get(f"/api/v1/al/respond/s?case={case}").expect(500)
    assert answer.error in ("500.11", "500.1") and answer.header("X-Other") is None and answer.header("X-B") is None


@pytest.mark.parametrize("case", ["status-99", "status-100", "status-600", "redirect-script", "file-outside", "file-dots", "file-proc"])
def test_misuse_fails(client, case):
    """§7: a status out of range, a redirect elsewhere, a file outside: the function fails."""
    answer = client.get(f"/api/v1/al/respond/s?case={case}").expect(500)
    assert answer.error in ("500.1", "500.11") and b"root:" not in answer.body


def test_downloads(client):
    """§7: Content-Disposition, also for names that need quoting."""
    assert client.get("/api/v1/al/respond/s?case=download").expect(200).header("Content-Disposition") == 'attachment; filename="r.csv"'
    assert client.get("/api/v1/al/respond/s?case=download-true").expect(200).header("Content-Disposition").startswith("attachment")
    value = client.get("/api/v1/al/respond/s?case=quoted-name").expect(200).header("Content-Disposition")
    assert value.startswith("attachment") and 'a"b' not in value.replace('\\"', "")


def test_no_content(client):
    """§7: 204 has no body."""
    assert client.get("/api/v1/al/respond/s?case=no-content").expect(204).body == b""


def test_redirects(client):
    """§7: DFF.REDIRECT."""
    assert client.get("/api/v1/al/respond/s?case=redirect").expect(302).header("Location") == "/api/v1/al/give/s?case=int"
    assert client.get("/api/v1/al/respond/s?case=redirect-far").expect(302).header("Location") == "https://example.net/x"


def test_allow_304(client):
    """§7: allow_304 adds an ETag and honours If-None-Match."""
    first = client.get("/api/v1/al/respond/s?case=not-modified").expect(200)
    tag = first.header("ETag")
    assert tag and first.text == "same"
    assert client.get("/api/v1/al/respond/s?case=not-modified", {"If-None-Match": tag}).expect(304).body == b""
    client.get("/api/v1/al/respond/s?case=not-modified", {"If-None-Match": '"other"'}).expect(200)


def test_allow_304_of_a_file(client):
    """§7: RESP_FILE has allow_304 too; a file of the call is told from another by its content."""
    from support.wire import File

    def send(content: bytes, tag: str | None = None):
        return client.post("/api/v1/al/back-if-new/s", {"If-None-Match": tag} if tag else {}, parts=[File("f", "a.bin", content)])

    first = send(b"content").expect(200)
    tag = first.header("ETag")
    assert tag and first.body == b"content"
    assert send(b"content", tag).expect(304).body == b""
    assert send(b"changed", tag).expect(200).body == b"changed"


def test_file_of_the_call(client):
    """§7: RESP_FILE streams a file of this call's folder; a link out of it is refused."""
    from support.wire import File
    content = bytes(range(256)) * 5000
    answer = client.post("/api/v1/al/back/s", parts=[File("f", "a.bin", content)]).expect(200)
    assert answer.body == content and answer.header("X-Mine") == "yes"
    assert b"root:" not in client.post("/api/v1/al/link/s", parts=[File("f", "a.bin", b"x")]).expect(500).body


@pytest.mark.parametrize("api", ["late", "busy", "stubborn"])
def test_deadline(client, api):
    """§9, authentication 86: at the deadline 504.2; the process is killed, nothing in Python can catch it."""
    started = time.monotonic()
    answer = client.get(f"/api/v1/al/{api}/s").refused("504.2")
    assert time.monotonic() - started < 25, "expires + timeout + 1 s is over by far"
    detail = answer.json["detail"]
    assert set(detail) == {"id", "timeout"} and detail["timeout"] == 1
    client.get("/api/v1/al/hello/s").expect(200)


def test_coroutine(client):
    """function-apis §1: async def is run to completion."""
    assert client.get("/api/v1/al/coroutine/s?name=Mia").expect(200).text == "Hello, Mia!"


def test_deadline_is_told(client):
    """§9: DFF.DEADLINE is the seconds left."""
    assert 15 < client.get("/api/v1/al/remaining/s").expect(200).json <= 20


def test_variables(client):
    """§12: built-in variables."""
    seen = client.get("/api/v1/al/variables/s").expect(200).json
    assert seen == {"image": "funcgate", "func": "results__main.variables", "name": "variables", "script": "results__main", "set": "results", "debug": False, "cron": None,
                    "version": 1, "chain": ["results__main.variables"], "kwargs": {}, "queue": 1}


def test_caller_is_read_only(client):
    """§12: _DFF_CALLER is read-only."""
    assert client.get("/api/v1/al/forge/s").expect(200).text != "changed"
