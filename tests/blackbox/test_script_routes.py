"""Scripts over the management API: drafts, trying them, publishing, versions, removal, and what callers notice of all that
(function-apis §1.1)."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import textwrap
import threading
from pathlib import Path

import jsonschema
import pytest

from support.management import Management, api, call_on
from support.parallel import in_parallel
from support.resources import Resources
from support.server import BINARY, ROOT, wait_until
from support.wire import Answer

PRICES = textwrap.dedent('''
    @DFF.API('Price of a basket')
    def quote(sku: str, qty: int = 1):
        return {'sku': sku, 'cents': 250 * qty}
''')
SECRET = "word-of-the-partner-22"
DRAFT_RUN_S = 60
_numbers = itertools.count(1)
QUOTE = "/api/v1/al/quote/s?sku=A7&qty=2"


def resources() -> Resources:
    made = Resources().scripts("shop", prices=PRICES, stock="NUMBER = 1\n").variable("PARTNER", "password", SECRET, "*")
    return made.api("quote", "shop__prices.quote", methods=["GET"])


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


@pytest.fixture
def script(admin, request) -> str:
    """The id of a script that does not exist yet, in a set of this test alone."""
    set_id = f"set{next(_numbers)}"
    admin.create("/script-sets", id=set_id, title=request.node.name[:100])
    return f"{set_id}__main"


def sha256(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8")).hexdigest()


def returning(value: object, function: str = "f") -> str:
    return f"@DFF.API('Value')\ndef {function}():\n    return {value!r}\n"


def save(admin: Management, script: str, source: str, seen: str | None = "*") -> Answer:
    return admin.put(f"/scripts/{script}/draft", {"source": source}, If_Match=seen)


def publish(admin: Management, script: str, source: str, **body) -> dict:
    save(admin, script, source).expect(200)
    return admin.post(f"/scripts/{script}/publish", body).expect(200).json["data"]


def run(admin: Management, script: str, function: str, timeout_s: float = 30, **kwargs) -> Answer:
    """Runs a function of the draft."""
    body = {"func": function, "kwargs": kwargs}
    return api(admin.client, "POST", f"/scripts/{script}/draft/run", admin.headers("POST"), json=body, timeout_s=timeout_s)


def open_api(admin: Management, name: str, function: str) -> str:
    """Publishes a function to everybody; its address."""
    body = {"id": name, "funcId": function, "anonymous": True, "anonymousReason": "black-box test", "methods": ["GET"]}
    admin.post("/func-apis", body).expect(201)
    return f"/api/v1/al/{name}/s"


def draft_rows(admin: Management, script: str) -> list[dict]:
    return [row["draft"] for row in admin.data(f"/scripts?id={script}") if "draft" in row]


def used_cpu_s(pid: int) -> float:
    """What a process has computed so far; 0 if it has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def endless(server, admin):
    """A draft run that never ends by itself, begun before everything else of this file. `endless()` waits for its
    answer, and tells which process ran it."""
    admin.create("/script-sets", id="endless")
    save(admin, "endless__main", "@DFF.API('Endless', timeout=1)\ndef f():\n    while True:\n        pass\n").expect(200)
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(run(admin, "endless__main", "f", timeout_s=DRAFT_RUN_S + 40)))
    thread.start()
    spinning = wait_until(lambda: [pid for pid in server.workers() if used_cpu_s(pid) > 2], "the draft runs")

    def ended() -> tuple[Answer, list[int]]:
        thread.join(DRAFT_RUN_S + 50)
        return answers[0], spinning

    yield ended
    thread.join(DRAFT_RUN_S + 50)


# --- drafts

def test_an_endless_draft_holds_up_nobody(client, admin, endless):
    """While a draft runs, callers are served, and so is whoever manages."""
    for _ in range(5):
        assert client.get(QUOTE).expect(200).json == {"sku": "A7", "cents": 500}
        assert admin.data("/scripts/shop__prices")["publishVersion"] == 1


def test_a_draft_is_saved_read_changed_and_thrown_away(admin, script):
    path = f"/scripts/{script}/draft"
    admin.get(path).refused("404.41")
    save(admin, script, "A = 1\n", None).refused("428.52")
    admin.get(path).refused("404.41")

    first = save(admin, script, "A = 1\n").expect(200)
    assert first.header("ETag") == f'"{sha256("A = 1" + chr(10))}"'
    data = first.json["data"]
    assert (data["scriptId"], data["sha256"], data["author"], data["isDraft"]) == (script, sha256("A = 1\n"), "root", True)
    read = admin.get(path).expect(200)
    assert (read.json["data"]["source"], read.header("ETag")) == ("A = 1\n", first.header("ETag"))
    admin.get(f"/scripts/{script}").refused("404.41")  # nothing is published
    admin.get(f"/scripts/{script}/versions").refused("404.41")
    rows = admin.data(f"/scripts?id={script}")
    assert [(row["publishVersion"], row["draft"]["sha256"]) for row in rows] == [(0, data["sha256"])]
    assert "source" not in rows[0]["draft"]

    second = save(admin, script, "A = 2\n", first.header("ETag")).expect(200)
    stale = save(admin, script, "A = 3\n", first.header("ETag")).refused("412.51")
    assert stale.json["detail"] == {"etag": second.header("ETag")}
    assert admin.data(path)["source"] == "A = 2\n"

    admin.delete(path).refused("428.52")
    admin.delete(path, if_match=first.header("ETag")).refused("412.51")
    assert admin.data(path)["source"] == "A = 2\n"
    admin.delete(path, if_match=second.header("ETag")).expect(204)
    admin.get(path).refused("404.41")
    assert admin.data(f"/scripts?id={script}") == []


def test_a_draft_begins_with_what_is_published_and_changes_nothing_of_it(admin, client):
    published = admin.get("/scripts/shop__prices/draft").expect(200)
    assert published.json["data"]["isDraft"] is False
    assert published.json["data"]["source"] == PRICES
    assert published.header("ETag") == f'"{sha256(PRICES)}"'
    before = admin.data("/scripts/shop__prices")
    saved = save(admin, "shop__prices", PRICES.replace("250", "999"), published.header("ETag")).expect(200)
    # Whoever saw the published text has not seen this draft.
    save(admin, "shop__prices", "B = 1\n", published.header("ETag")).refused("412.51")
    assert admin.data("/scripts/shop__prices") == before
    assert client.get(QUOTE).expect(200).json["cents"] == 500
    assert [row["author"] for row in draft_rows(admin, "shop__prices")] == ["root"]
    admin.delete("/scripts/shop__prices/draft", if_match=saved.header("ETag")).expect(204)
    assert admin.data("/scripts/shop__prices/draft")["isDraft"] is False
    assert admin.data("/scripts/shop__prices") == before


def test_of_two_who_save_at_once_one_learns_of_the_other(admin, script):
    """identity §11: of two parallel writers with one ETag exactly one succeeds."""
    seen = save(admin, script, "N = 0\n").expect(200).header("ETag")
    for number in range(10):
        texts = [f"N = {number}  # {name}\n" for name in ("first", "second")]
        answers = in_parallel(*(lambda text=text: save(admin, script, text, seen) for text in texts))
        assert sorted(answer.status for answer in answers) == [200, 412], [answer.body for answer in answers]
        winner = next(number for number, answer in enumerate(answers) if answer.status == 200)
        read = admin.get(f"/scripts/{script}/draft").expect(200)
        assert read.json["data"]["source"] == texts[winner]
        seen = read.header("ETag")
        assert seen == answers[winner].header("ETag")


@pytest.mark.parametrize(("body", "path"), [
    ({}, "source"),
    ({"source": 7}, "source"),
    ({"source": "A = 1\n", "colour": "red"}, "colour"),
    ({"source": "x" * ((1 << 20) + 1)}, "source"),
], ids=["none", "number", "unknown", "too-long"])
def test_a_draft_that_is_none_is_refused_by_name(admin, body, path):
    refused = admin.put("/scripts/shop__refused/draft", body, If_Match="*").refused("400.43")
    assert path in [error["path"] for error in refused.json["detail"]["errors"]]
    admin.get("/scripts/shop__refused/draft").refused("404.41")


def test_a_script_needs_a_set_and_a_name(admin):
    save(admin, "nowhere__main", "A = 1\n").refused("404.41")
    for name in ("shop", "shop__", "shop__a__b", "shop__1st", "shop__a-b", "shop__" + "x" * 61):
        save(admin, name, "A = 1\n").refused("400.43")
    for text in ("A = '\0'\n",):
        save(admin, "shop__refused", text).refused("400.43")
    assert admin.data("/scripts?setId=shop&id=shop__refused") == []


@pytest.mark.parametrize(("method", "path", "body"), [
    ("GET", "/scripts/shop__nothing", None),
    ("DELETE", "/scripts/shop__nothing", None),
    ("GET", "/scripts/shop__nothing/draft", None),
    ("DELETE", "/scripts/shop__nothing/draft", None),
    ("POST", "/scripts/shop__nothing/draft/run", {"func": "f"}),
    ("GET", "/scripts/shop__nothing/versions", None),
    ("POST", "/scripts/shop__nothing/versions/1/restore", {}),
    ("POST", "/scripts/shop__prices/versions/99/restore", {}),
    ("POST", "/scripts/shop__prices/versions/first/restore", {}),
    ("POST", "/scripts/shop__prices/draft/run", {"func": "nothing"}),
])
def test_what_is_not_there_is_not_found(admin, method, path, body):
    before = admin.data("/scripts")
    admin.call(method, path, body, If_Match="*" if method == "DELETE" else None).refused("404.41")
    assert admin.data("/scripts") == before


# --- trying a draft

TRIED = textwrap.dedent('''
    from __stock import NUMBER
    @DFF.API('Try')
    def attempt(sku: str, qty: int = 1):
        print('asked for', sku)
        return {'sku': sku, 'qty': qty, 'number': NUMBER, 'debug': _DFF_DEBUG, 'origin': [_DFF_ORIGIN, _DFF_ORIGIN_ID]}
    @DFF.API('Fail')
    def fail(text: str):
        print('about to fail')
        raise ValueError(text)
    @DFF.API('Die')
    def die():
        import os
        os._exit(3)
    @DFF.API('Tell')
    def tell():
        print('the word is', DFF.ENV('PARTNER'))
        raise RuntimeError('with ' + DFF.ENV('PARTNER'))
''')


@pytest.fixture
def tried(admin) -> str:
    """A draft beside the published scripts of the shop; whoever runs it sees those as they are published."""
    save(admin, "shop__tried", TRIED).expect(200)
    save(admin, "shop__stock", "NUMBER = 2\n").expect(200)
    yield "shop__tried"
    for name in ("tried", "stock"):
        admin.delete(f"/scripts/shop__{name}/draft", if_match="*").expect(204)


def test_a_draft_runs_and_shows_result_and_prints(admin, client, tried):
    data = run(admin, tried, "attempt", sku="A7", qty=3).expect(200).json["data"]
    assert data["outcome"] == "value"
    assert data["result"] == {"sku": "A7", "qty": 3, "number": 1, "debug": True, "origin": ["draft", "shop__tried.attempt"]}
    assert "asked for A7" in data["print"]
    assert data["problem"] is None
    # Nobody else has it.
    admin.get("/scripts/shop__tried").refused("404.41")
    assert "shop__tried.attempt" not in [row["id"] for row in admin.data("/functions?setId=shop")]
    admin.post("/func-apis", {"id": "tried", "funcId": "shop__tried.attempt", "apiAuthIds": ["api-key"]}).refused("400.43")
    assert client.get(QUOTE).expect(200).json["cents"] == 500


def test_without_a_draft_the_published_text_is_run(admin):
    assert run(admin, "shop__prices", "quote", sku="A7", qty=4).expect(200).json["data"]["result"] == {"sku": "A7", "cents": 1000}


def test_running_a_changed_draft_leaves_callers_the_published_version(admin, client):
    save(admin, "shop__prices", PRICES.replace("250", "111")).expect(200)
    with client.connect() as connection:
        assert call_on(connection, QUOTE).json["cents"] == 500
        assert run(admin, "shop__prices", "quote", sku="A7", qty=2).expect(200).json["data"]["result"]["cents"] == 222
        assert call_on(connection, QUOTE).json["cents"] == 500
    admin.delete("/scripts/shop__prices/draft", if_match="*").expect(204)


def test_an_error_of_a_draft_comes_with_its_traceback_and_nothing_of_the_server(server, admin, tried):
    answer = run(admin, tried, "fail", text="no luck").expect(200)
    data = answer.json["data"]
    assert (data["outcome"], data["result"]) == ("raised", None)
    assert data["problem"]["originExceptionType"] == "ValueError"
    line = TRIED.splitlines().index("    raise ValueError(text)") + 1
    assert f'File "shop__tried", line {line}, in fail' in data["problem"]["traceback"]
    assert "raise ValueError(text)" in data["problem"]["traceback"]
    assert "ValueError: no luck" in data["problem"]["traceback"]
    assert "about to fail" in data["print"]
    for foreign in (str(server.folder), str(ROOT), str(BINARY), "<dff>", 'File "/', ".cpp"):
        assert foreign not in answer.text, foreign


def test_passwords_are_masked_in_what_a_draft_prints_and_raises(admin, tried):
    """function-apis §13: the value of a password variable is `*****` in prints and tracebacks."""
    answer = run(admin, tried, "tell").expect(200)
    assert "the word is *****" in answer.json["data"]["print"]
    assert SECRET not in answer.text


def test_arguments_of_a_draft_are_checked(admin, tried):
    data = run(admin, tried, "attempt", sku="A7", qty="many").expect(200).json["data"]
    assert (data["outcome"], data["result"], data["print"]) == ("badArguments", None, "")
    assert "qty" in json.dumps(data["problem"])
    assert run(admin, tried, "attempt").expect(200).json["data"]["outcome"] == "badArguments"


@pytest.mark.parametrize(("body", "path"), [
    ({}, "func"), ({"func": 5}, "func"), ({"func": "f", "kwargs": [1]}, "kwargs"), ({"func": "f", "timeout": 5}, "timeout"),
])
def test_a_run_that_is_none_is_refused_by_name(admin, body, path):
    refused = admin.post("/scripts/shop__prices/draft/run", body).refused("400.43")
    assert path in [error["path"] for error in refused.json["detail"]["errors"]]


def test_a_draft_that_kills_its_worker_harms_nobody(admin, client, tried):
    data = run(admin, tried, "die").expect(200).json["data"]
    assert (data["outcome"], data["result"]) == ("workerLost", None)
    assert client.get(QUOTE).expect(200).json["cents"] == 500
    assert run(admin, tried, "attempt", sku="A7").expect(200).json["data"]["outcome"] == "value"


@pytest.mark.parametrize(("source", "line", "function", "problem"), [
    ("@DFF.API('x')\ndef f():\n    return (\n", 3, "", "SyntaxError"),
    ("import os\n\nA = 1 / 0\n", 3, "", "ZeroDivisionError"),
    ("\n@DFF.API('x', timeout='30')\ndef f():\n    return 1\n", 2, "f", "timeout"),
], ids=["syntax", "raises", "option"])
@pytest.mark.parametrize("tell", [
    pytest.param(lambda admin, script: run(admin, script, "f"), id="tried"),
    pytest.param(lambda admin, script: admin.post(f"/scripts/{script}/publish", {}), id="published"),
])
def test_a_draft_that_does_not_load_tells_where(server, admin, client, script, tell, source, line, function, problem):
    """function-apis §1.1: 400.9 with {line, function, problem} when tried and when published, and the old version stays live."""
    publish(admin, script, returning("good"))
    address = open_api(admin, script.split("__")[0], f"{script}.f")
    before = admin.data(f"/scripts/{script}")
    save(admin, script, source).expect(200)
    answer = tell(admin, script)
    errors = [(error["line"], error["function"]) for error in answer.refused("400.9").json["detail"]["errors"] if problem in error["problem"]]
    assert str(server.folder) not in answer.text and 'File "/' not in answer.text
    assert admin.data(f"/scripts/{script}") == before
    assert admin.data(f"/scripts/{script}/draft")["source"] == source  # to be mended
    assert client.get(address).expect(200).text == "good"
    assert [row["version"] for row in admin.data(f"/scripts/{script}/versions")] == [1]
    assert errors == [(line, function)], answer.text


# --- publishing

def test_a_publish_is_live_with_its_answer_and_tells_who_and_why(admin, client, script):
    first = publish(admin, script, returning("one"), note="the first")
    assert (first["publishVersion"], first["sha256"], "source" in first) == (1, sha256(returning("one")), False)
    address = open_api(admin, script.split("__")[0], f"{script}.f")
    with client.connect() as connection:
        assert call_on(connection, address).expect(200).text == "one"
        saved = save(admin, script, returning("two")).expect(200)
        assert call_on(connection, address).expect(200).text == "one"
        answer = admin.post(f"/scripts/{script}/publish", {"note": "for the season"}).expect(200)
        assert call_on(connection, address).expect(200).text == "two"
    assert answer.json["data"]["publishVersion"] == 2
    shown = admin.get(f"/scripts/{script}").expect(200)
    assert shown.header("ETag") == answer.header("ETag")
    assert (shown.json["data"]["source"], shown.json["data"]["publishVersion"]) == (returning("two"), 2)
    draft = admin.get(f"/scripts/{script}/draft").expect(200)
    assert (draft.json["data"]["isDraft"], draft.header("ETag")) == (False, saved.header("ETag"))
    assert draft_rows(admin, script) == []

    listed = admin.get(f"/scripts/{script}/versions").expect(200).json
    shown_versions = [(row["version"], row["author"], row["note"], row["sha256"]) for row in listed["data"]]
    assert shown_versions == [(2, "root", "for the season", sha256(returning("two"))), (1, "root", "the first", sha256(returning("one")))]
    assert listed["data"][0]["publishedAt"] >= listed["data"][1]["publishedAt"]
    assert listed["pageInfo"]["total"] == 2
    records = admin.data(f"/audit?event=script.published&object={script}")
    assert [(one["object"]["version"], one["actor"]["login"], one["reason"]) for one in records] == [(2, "root", "for the season"), (1, "root", "the first")]
    assert records[0]["traceId"] == answer.json["traceId"]


def test_there_is_nothing_to_publish_without_a_draft(admin, script):
    admin.post(f"/scripts/{script}/publish", {}).refused("409.25")
    publish(admin, script, returning(1))
    admin.post(f"/scripts/{script}/publish", {}).refused("409.25")
    # What is published already makes no version.
    assert publish(admin, script, returning(1))["publishVersion"] == 1
    assert [row["version"] for row in admin.data(f"/scripts/{script}/versions")] == [1]


@pytest.mark.parametrize(("body", "path"), [
    ({"note": 5}, "note"), ({"note": "x" * 1001}, "note"), ({"allowBroken": "yes"}, "allowBroken"), ({"force": True}, "force"),
])
def test_a_publish_that_is_none_is_refused_by_name(admin, script, body, path):
    publish(admin, script, returning(1))
    save(admin, script, returning(2)).expect(200)
    for address in (f"/scripts/{script}/publish", f"/scripts/{script}/versions/1/restore"):
        refused = admin.post(address, body).refused("400.43")
        assert path in [error["path"] for error in refused.json["detail"]["errors"]]
    assert admin.data(f"/scripts/{script}")["publishVersion"] == 1


def test_an_old_version_is_published_again_under_a_new_number(admin, client, script):
    publish(admin, script, returning("one"))
    publish(admin, script, returning("two"))
    address = open_api(admin, script.split("__")[0], f"{script}.f")
    draft = save(admin, script, returning("three")).expect(200).header("ETag")
    with client.connect() as connection:
        assert call_on(connection, address).expect(200).text == "two"
        restored = admin.post(f"/scripts/{script}/versions/1/restore", {"note": "back"}).expect(200).json["data"]
        assert call_on(connection, address).expect(200).text == "one"
    assert (restored["publishVersion"], restored["sha256"]) == (3, sha256(returning("one")))
    assert [(row["version"], row["note"]) for row in admin.data(f"/scripts/{script}/versions")] == [(3, "back"), (2, ""), (1, "")]
    # What somebody is writing stays.
    assert admin.get(f"/scripts/{script}/draft").expect(200).header("ETag") == draft


def test_a_function_in_use_cannot_vanish_unless_that_is_wanted(admin, client, script):
    publish(admin, script, returning("used"))
    name = script.split("__")[0]
    address = open_api(admin, name, f"{script}.f")
    save(admin, script, returning("other", "g")).expect(200)
    assert admin.post(f"/scripts/{script}/publish", {}).refused("409.25").json["detail"]["usedBy"] == [f"FuncApi {name}"]
    assert client.get(address).expect(200).text == "used"
    assert admin.data(f"/scripts/{script}")["publishVersion"] == 1
    admin.post(f"/scripts/{script}/publish", {"allowBroken": True}).expect(200)
    client.get(address).refused("503.41")
    assert admin.data(f"/func-apis/{name}")["state"] == "broken"
    # The text that has the function heals it.
    admin.post(f"/scripts/{script}/versions/1/restore").expect(200)
    assert client.get(address).expect(200).text == "used"
    assert admin.data(f"/func-apis/{name}")["state"] == "ok"


def test_a_script_is_removed_when_nothing_uses_it(admin, client, script):
    set_id = script.split("__")[0]
    publish(admin, script, returning("here"))
    address = open_api(admin, set_id, f"{script}.f")
    seen = admin.get(f"/scripts/{script}").expect(200).header("ETag")
    assert admin.delete(f"/scripts/{script}", if_match=seen).refused("409.25").json["detail"]["usedBy"] == [f"FuncApi {set_id}"]
    assert admin.delete(f"/script-sets/{set_id}", if_match="*").refused("409.25").json["detail"]["usedBy"] == [f"FuncApi {set_id}"]
    assert client.get(address).expect(200).text == "here"

    admin.delete(f"/func-apis/{set_id}", if_match="*").expect(204)
    publish(admin, script, returning("newer"))
    admin.delete(f"/scripts/{script}").refused("428.52")
    stale = admin.delete(f"/scripts/{script}", if_match=seen).refused("412.51")
    now = admin.get(f"/scripts/{script}").expect(200)
    assert f'"{stale.json["detail"]["version"]}"' == now.header("ETag") != seen
    admin.delete(f"/scripts/{script}", if_match=now.header("ETag")).expect(204)
    for path in (f"/scripts/{script}", f"/scripts/{script}/draft", f"/scripts/{script}/versions"):
        admin.get(path).refused("404.41")
    assert admin.data(f"/script-sets/{set_id}")["scripts"] == []
    assert admin.data(f"/functions?setId={set_id}") == []
    changed = admin.data(f"/audit?event=script.changed&object={set_id}")[0]
    assert changed["changes"] == [{"field": "scripts.main", "old": sha256(returning("newer"))}]


@pytest.mark.parametrize("path", ["/scripts/shop__prices", "/scripts/shop__prices/draft"])
def test_what_the_caller_has_already_is_not_sent_again(admin, path):
    """identity §11: If-None-Match on GET of one object gives 304."""
    seen = admin.get(path).expect(200).header("ETag")
    again = admin.get(path, If_None_Match=seen).expect(304)
    assert (again.body, again.header("ETag")) == (b"", seen)
    admin.get(path, If_None_Match='"other"').expect(200)


# --- many at once

def test_two_scripts_of_one_set_published_at_once_both_stay(admin, script):
    """No publish is lost: each is a change of the set, and the set has two authors."""
    names = [script, script.replace("__main", "__other")]
    for number in range(1, 21):
        for name in names:
            save(admin, name, returning(f"{name} {number}")).expect(200)
        for answer in in_parallel(*(lambda name=name: admin.post(f"/scripts/{name}/publish", {"note": f"round {number}"}) for name in names)):
            answer.expect(200)
        for name in names:
            shown = admin.data(f"/scripts/{name}")
            assert (shown["source"], shown["publishVersion"]) == (returning(f"{name} {number}"), number), f"round {number}"
    for name in names:
        assert [row["note"] for row in admin.data(f"/scripts/{name}/versions")] == [f"round {number}" for number in range(20, 0, -1)]


def test_of_two_publishes_of_one_draft_one_makes_the_version(admin, client, script):
    """One version, one record, and what is stored is what is live; the other is told that there is no draft or that nothing was to do."""
    publish(admin, script, returning("begin"))
    address = open_api(admin, script.split("__")[0], f"{script}.f")
    for version in range(2, 10):
        save(admin, script, returning(f"text {version}")).expect(200)
        answers = in_parallel(*[lambda: admin.post(f"/scripts/{script}/publish", {})] * 2)
        assert 200 in [answer.status for answer in answers], [answer.body for answer in answers]
        for answer in answers:
            if answer.status == 200:
                assert answer.json["data"]["publishVersion"] == version
            else:
                answer.refused("409.25")
        shown = admin.data(f"/scripts/{script}")
        assert (shown["publishVersion"], shown["source"]) == (version, returning(f"text {version}"))
        assert client.get(address).expect(200).text == f"text {version}"
        assert admin.data(f"/scripts/{script}/draft")["isDraft"] is False
    versions = [row["version"] for row in admin.data(f"/scripts/{script}/versions")]
    records = [one["object"]["version"] for one in admin.data(f"/audit?event=script.published&object={script}")]
    assert versions == records == list(range(9, 0, -1))


def test_a_draft_that_is_saved_while_it_is_published_is_kept_or_published_never_lost(admin, script):
    publish(admin, script, returning("begin"))
    for number in range(10):
        save(admin, script, returning(f"first {number}")).expect(200)
        answers = in_parallel(lambda: admin.post(f"/scripts/{script}/publish", {}), lambda: save(admin, script, returning(f"second {number}")))
        assert [answer.status for answer in answers] == [200, 200], [answer.body for answer in answers]
        assert admin.data(f"/scripts/{script}/draft")["source"] == returning(f"second {number}")


def test_an_endless_draft_is_ended(server, endless):
    """function-apis §1.1: a draft runs for 60 s at most, whatever its decorator says; its process goes with it."""
    answer, processes = endless()
    data = answer.expect(200).json["data"]
    assert (data["outcome"], data["result"]) == ("timeout", None)
    assert DRAFT_RUN_S - 1 <= answer.json["reqCost"] / 1000 <= DRAFT_RUN_S + 15
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes), "the process of the draft is gone")


def test_the_processes_of_an_old_version_go_when_it_is_replaced(server, admin, client):
    """Whatever the server was last asked for, and on whichever of its threads."""
    for _ in range(20):
        client.get("/openapi.json").expect(200)
        client.get(QUOTE).expect(200)
    old = set(wait_until(server.workers, "workers run"))
    publish(admin, "shop__stock", "NUMBER = 1  # published anew\n")

    def gone() -> bool:
        for _ in range(20):
            client.get(QUOTE).expect(200)
        return not old & set(server.workers())

    wait_until(gone, "the workers of the old version are gone", pause_s=0.2)


# --- functions

def test_the_schema_of_a_function_says_what_it_takes(admin):
    """function-apis §5.1: the JSON Schema of a published function."""
    answer = admin.get("/functions/shop__prices.quote/schema").expect(200)
    schema = answer.json["data"]
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"sku": "A7"}) and validator.is_valid({"sku": "A7", "qty": 2})
    for wrong in ({}, {"sku": 7}, {"sku": "A7", "qty": "2"}, {"sku": "A7", "colour": "red"}):
        assert not validator.is_valid(wrong), wrong
    assert schema == admin.data("/functions?id=shop__prices.quote")[0]["schema"]
    assert admin.get("/functions/shop__prices.quote/schema", If_None_Match=answer.header("ETag")).status == 304
    for unknown in ("shop__prices.nothing", "shop__prices", "nothing"):
        admin.get(f"/functions/{unknown}/schema").refused("404.41")
