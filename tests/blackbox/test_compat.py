"""[compat] dataflux = true beside the usual mode (function-apis §16, §20): what differs, and that no check gets weaker."""

import pytest

from support.credentials import basic
from support.resources import Resources
from support.server import Server

SCRIPT = '''
@DFF.API('Text')
def text():
    return '<b>hello</b>'

@DFF.API('None')
def nothing():
    return None

@DFF.API('Others')
def other(kind: str):
    return {'dict': {'a': 1}, 'false': False, 'zero': 0, 'empty': '', 'bytes': b'b', 'list': []}[kind]

@DFF.API('Own answer')
def own():
    return DFF.RESP('plain', content_type='text')

@DFF.API('Fail')
def fail():
    raise ValueError('a message of the author')

@DFF.API('Kept', cache_result=60)
def kept():
    return None

@DFF.API('Late', timeout=1)
def late():
    import time
    time.sleep(20)

@DFF.API('Unsendable')
def unsendable():
    return object()
'''
USER = {"mia": "a password of mia"}


def resources() -> Resources:
    made = Resources().scripts("old", main=SCRIPT).basic("staff", USER)
    for name in ("text", "nothing", "other", "own", "fail", "kept", "late", "unsendable"):
        made.api(name, f"old__main.{name}", showInDoc=name == "text")
    made.api("boxed", "old__main.nothing", unbox=False).api("dumped", "old__main.nothing", returnType="jsonDumps")
    made.api("dumpedText", "old__main.text", returnType="jsonDumps")
    made.api("failType", "old__main.fail", errorDetail="type").api("failTrace", "old__main.fail", errorDetail="traceback")
    made.api("job", "old__main.nothing", execMode="async").api("textJob", "old__main.text", execMode="async").api("failJob", "old__main.fail", execMode="async")
    made.api("closed", "old__main.text", "staff").api("closedJob", "old__main.text", "staff", execMode="async")
    made.api("off", "old__main.text", "staff", isDisabled=True).api("offJob", "old__main.text", "staff", isDisabled=True, execMode="async")
    return made.api("post", "old__main.text", methods=["POST"])


@pytest.fixture(scope="module", params=["usual", "compat"])
def world(request, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp(request.param), "[compat]\ndataflux = true\n" if request.param == "compat" else None)
    server.start(server.write(resources()))
    yield request.param == "compat", server.client
    assert server.stop() == 0


def get(client, name: str, headers=()):
    return client.get(f"/api/v1/al/{name}/s", headers)


def test_text(world):
    """A str is text/plain, in compat mode text/html, which then is put into a sandbox as every page is."""
    compat, client = world
    answer = get(client, "text").expect(200)
    assert answer.text == "<b>hello</b>"
    assert answer.header("Content-Type") == ("text/html; charset=utf-8" if compat else "text/plain; charset=utf-8")
    assert answer.header("Content-Security-Policy") == ("sandbox allow-scripts allow-forms" if compat else None)
    assert answer.header("X-Content-Type-Options") == "nosniff"
    empty = client.get("/api/v1/al/other/s?kind=empty").expect(200)
    assert empty.body == b"" and empty.header("Content-Type") == answer.header("Content-Type")


def test_none(world):
    """None is null, in compat mode nothing."""
    compat, client = world
    for name in ("nothing", "kept", "kept"):
        answer = get(client, name).expect(200)
        assert (answer.body, answer.header("Content-Type")) == ((b"", None) if compat else (b"null", "application/json")), name
    assert answer.header("X-Dff-Cache") == "Cached"


def test_other_results_are_the_same(world):
    """Falsy values arrive as themselves, and whoever says what he wants gets it."""
    _, client = world
    for kind, body, media_type in (("dict", b'{"a":1}', "application/json"), ("false", b"false", "application/json"), ("zero", b"0", "application/json"),
                                   ("list", b"[]", "application/json"), ("bytes", b"b", "application/octet-stream")):
        answer = client.get(f"/api/v1/al/other/s?kind={kind}").expect(200)
        assert (answer.body, answer.header("Content-Type")) == (body, media_type), kind
    assert get(client, "own").expect(200).header("Content-Type").startswith("text/plain")
    assert get(client, "boxed").expect(200).json["data"] == {"result": None}
    assert get(client, "dumped").expect(200).body == b"null"
    assert get(client, "dumpedText").expect(200).body == b'"<b>hello</b>"'
    answer = client.post("/api/v1/al/nothing", json={"kwargs": {}, "options": {"returnType": "jsonDumps"}}).expect(200)
    assert answer.body == b"null" and answer.header("Content-Type") == "application/json"
    assert client.post("/api/v1/al/nothing", json={"kwargs": {}, "options": {"unbox": False}}).expect(200).json["data"] == {"result": None}


def test_error_detail(world):
    """errorDetail: message is the default of compat mode; what an API says counts in both."""
    compat, client = world
    answer = get(client, "fail")
    assert answer.error == ("599.1" if compat else "500.1") and answer.status == (599 if compat else 500)
    assert ("a message of the author" in answer.text) == compat
    assert "traceback" not in answer.json["detail"]
    assert "a message of the author" not in get(client, "failType").text
    assert "traceback" in get(client, "failTrace").json["detail"]


def test_statuses(world):
    """The last column of the table."""
    compat, client = world
    assert get(client, "late").error == ("599.2" if compat else "504.2")
    answer = get(client, "unsendable")
    assert (answer.error, answer.json["reason"]) == (("599.98", "EFuncResultParsingFailed") if compat else ("500.11", "EFuncResultInvalid"))
    assert get(client, "post").error == ("400.44" if compat else "405.44")
    credentials = basic("mia", USER["mia"])
    for name, word in (("off", "Sync"), ("offJob", "Async")):
        answer = get(client, name, credentials).refused("403.21")
        assert answer.json["reason"] == (f"EBizCondition.{word}APIDisabled" if compat else "EBizCondition.APIDisabled")


def test_tasks(world):
    """An accepted task is 202, in compat mode 200; what comes of it is what a sync call would have answered."""
    compat, client = world
    def end_of(name: str) -> tuple[str, dict]:
        answer = get(client, name).expect(200 if compat else 202)
        assert answer.json["error"] == answer.status and answer.header("Location") == answer.json["data"]["url"]
        url = answer.json["data"]["url"]
        return url, client.get(url + "?wait=20").expect(200).json["data"]
    url, task = end_of("job")
    assert task["status"] == "success" and task["result"] is None
    result = client.get(url + "/result").expect(200)
    assert result.body == (b"" if compat else b"null")
    url, task = end_of("textJob")
    assert task["result"] == "<b>hello</b>"
    assert client.get(url + "/result").expect(200).header("Content-Type").startswith("text/html" if compat else "text/plain")
    url, task = end_of("failJob")
    assert task["status"] == "failure" and ("a message of the author" in client.get(url + "/result").text) == compat


def test_openapi(world):
    """The document says what is sent."""
    compat, client = world
    paths = client.get("/openapi.json").expect(200).json["paths"]
    assert "/api/v1/func-api/text/s" in paths


def test_no_check_is_weaker(world):
    """§16: compat mode never weakens a check."""
    _, client = world
    for name in ("closed", "closedJob", "off", "offJob"):
        answer = get(client, name).refused("401.99")
        assert answer.status == 401 and answer.header("WWW-Authenticate").startswith("Basic ")
        get(client, name, basic("mia", "a wrong password")).refused("401.99")
    get(client, "text", basic("mia", USER["mia"])).refused("401.99")
    client.post("/api/v1/al/text", json={"kwargs": {}, "options": {"queue": 2}}).refused("400.43")
    client.get("/api/v1/al/text/s?unknown=1").refused("400.43")
    get(client, "missing").refused("404.41")
