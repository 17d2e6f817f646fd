"""Asynchronous calls (function-apis §11, statement 84)."""

import contextlib
import json
import re
import sqlite3
import time

import pytest

from support.credentials import basic
from support.database import execute
from support.digest import DigestClient
from support.resources import PROBE, Resources
from support.server import wait_until
from support.wire import File

JOBS = '''
import time

@DFF.API('Work', timeout=120)
def work(seconds: float = 0, text: str = 'done', mark: str = ''):
    if mark:
        DFF.STORE.set(mark, (DFF.STORE.get(mark) or 0) + 1)
    time.sleep(seconds)
    return {'text': text, 'task': _DFF_TASK_ID, 'caller': _DFF_CALLER['name']}

@DFF.API('Fail')
def fail():
    print('about to fail')
    raise ValueError('no luck')

@DFF.API('Alone', isolation='call')
def alone(mark: str):
    time.sleep(4)
    DFF.STORE.set(mark, 1)

@DFF.API('Late', timeout=1)
def late(): time.sleep(60)

@DFF.API('Shape')
def shape(): return DFF.RESP('made', status_code=201, content_type='text/csv', headers={'X-Mine': 'yes'})

@DFF.API('Mark')
def marked(mark: str): return DFF.STORE.get(mark) or 0

@DFF.API('Uploads')
def uploads(files=None, **kwargs):
    found = []
    for file in files or []:
        with open(file['filePath'], 'rb') as stream:
            found.append([file['originalname'], len(stream.read())])
    return {'files': found, 'kwargs': kwargs}

@DFF.API('Parent')
def parent():
    return DFF.FUNC('jobs__main.work', {'mark': 'child'})
'''
USERS = {"mia": "a password of mia", "tom": "a password of tom"}


def resources() -> Resources:
    made = Resources().scripts("jobs", main=JOBS, probe=PROBE)
    made.basic("staff", USERS).basic("others", USERS)
    made.fixed_field("tokens", {"label": "north", "location": "header", "name": "X-Token", "value": "north-token-0001"},
                     {"label": "south", "location": "header", "name": "X-Token", "value": "south-token-0001"})
    made.digest("digest", {"mia": USERS["mia"]})
    made.api("work", "jobs__main.work", "staff", execMode="async").api("open-work", "jobs__main.work", execMode="async")
    made.api("digest-work", "jobs__main.work", "digest", execMode="async").api("token-work", "jobs__main.work", "tokens", execMode="async")
    made.api("fail", "jobs__main.fail", execMode="async").api("late", "jobs__main.late", execMode="async").api("shape", "jobs__main.shape", execMode="async")
    made.api("typed", "jobs__main.work", execMode="async", funcCallKwargs={"seconds": 0})
    made.api("marked", "jobs__main.marked").api("parent", "jobs__main.parent")
    made.api("alone", "jobs__main.alone", execMode="async")
    made.api("brief", "jobs__main.work", execMode="async", resultTtl=60)
    made.api("uploads", "jobs__main.uploads", execMode="async", acceptFiles=True)
    return made


MIA, TOM = (basic(name, USERS[name]) for name in ("mia", "tom"))


def start(client, api: str, headers=(), **kwargs) -> str:
    answer = client.post(f"/api/v1/func-api/{api}", headers, json={"kwargs": kwargs}).expect(202)
    return answer.json["data"]["url"]


def finished(client, url: str, headers=(), within_s: float = 40) -> dict:
    """The task's data once it has ended; asks with `wait`, as a caller should."""
    def ended():
        answer = client.get(url + "?wait=5", headers).expect(200)
        data = answer.json["data"]
        if data["status"] in ("waiting", "running"):
            assert answer.header("Retry-After") == "1"
            return None
        return data
    return wait_until(ended, "the task ends", within_s, 0.15)


def test_accepted(client):
    """§11: 202, Location, and data with id and url."""
    answer = client.post("/api/v1/func-api/work", MIA, json={"kwargs": {"text": "x"}}).expect(202)
    body = answer.json
    assert body["ok"] is True and body["error"] == 202 and body["message"] == ""
    assert re.fullmatch(r"task-[0-9A-Za-z]{20,}", body["data"]["id"])
    assert set(body["data"]) == {"id", "url"} and body["data"]["url"] == "/api/v1/tasks/" + body["data"]["id"] == answer.header("Location")


@pytest.mark.parametrize("word", ["func-api", "al", "sync", "async"])
def test_the_word_never_changes_the_mode(client, word):
    """§3, §4: the URL spelling never changes execMode."""
    client.get(f"/api/v1/{word}/open-work/s").expect(202)
    client.get(f"/api/v1/{word}/marked/s?mark=none").expect(200)


def test_result(client):
    """§11: poll until the end, then the bytes a sync call would have answered."""
    url = start(client, "work", MIA, text="grüße")
    data = finished(client, url, MIA)
    assert data["status"] == "success" and data["apiId"] == "work" and data["failure"] is None
    assert set(data) == {"id", "apiId", "status", "triggerTime", "startTime", "endTime", "result", "failure"}
    assert data["triggerTime"] <= data["startTime"] <= data["endTime"]
    assert data["result"]["text"] == "grüße" and data["result"]["caller"] == "mia" and data["result"]["task"] == data["id"]
    answer = client.get(url + "/result", MIA).expect(200)
    assert answer.json == data["result"]


def test_uploads(client):
    """§6: a task gets the files of its call and its other fields; nobody else can name files for it."""
    parts = [("title", "März"), File("file", "a.bin", b"abc" * 1000)]
    url = client.post("/api/v1/func-api/uploads/s", parts=parts).expect(202).json["data"]["url"]
    data = finished(client, url)
    assert data["status"] == "success", data
    assert json.loads(client.get(url + "/result").expect(200).body) == {"files": [["a.bin", 3000]], "kwargs": {"title": "März"}}
    client.post("/api/v1/func-api/uploads/s", json={"files": [{"filePath": "/etc/passwd"}]}).refused("400.43")
    client.post("/api/v1/func-api/uploads/s", parts=[*parts, ("files", "[]")]).refused("400.43")


def test_result_with_status_and_headers(client):
    """§11: /result has the status and headers of the sync call."""
    url = start(client, "shape")
    finished(client, url)
    answer = client.get(url + "/result").expect(201)
    assert answer.text == "made" and answer.header("X-Mine") == "yes" and answer.header("Content-Type").startswith("text/csv")


def test_unfinished(client):
    """§11: unfinished: Retry-After: 1; /result is 202."""
    url = start(client, "open-work", seconds=3)
    answer = client.get(url).expect(200)
    assert answer.json["data"]["status"] in ("waiting", "running") and answer.header("Retry-After") == "1"
    client.get(url + "/result").expect(202)
    started = time.monotonic()
    assert finished(client, url)["status"] == "success"
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("wait", ["31", "-1", "x", "", "1.5"])
def test_wait_out_of_range(client, wait):
    """§11: wait=0..30."""
    client.get(start(client, "open-work") + f"?wait={wait}").refused("400.43")


def test_failures(client):
    """§11: `failure` is what a sync call would give."""
    failed = finished(client, start(client, "fail"))
    assert failed["status"] == "failure" and str(failed["failure"]["error"]) == "500.1" and failed["failure"]["reason"] == "EFuncFailed"
    late = finished(client, start(client, "late"))
    assert late["status"] == "timeout" and str(late["failure"]["error"]) == "504.2"


def test_result_of_a_failure(client):
    """§11: /result of a failed task is the refusal of the sync call."""
    url = start(client, "fail")
    finished(client, url)
    client.get(url + "/result").refused("500.1")


def test_arguments_are_checked_at_once(client):
    """authentication 84: async APIs pass the same checks as sync ones, before a task exists."""
    client.post("/api/v1/func-api/open-work", json={"kwargs": {"seconds": "x"}}).refused("400.43")
    client.post("/api/v1/func-api/open-work", json={"kwargs": {"unknown": 1}}).refused("400.43")
    client.post("/api/v1/func-api/typed", json={"kwargs": {"seconds": 1}}).refused("400.43")
    client.post("/api/v1/func-api/work", json={"kwargs": {}}).refused("401.99")


def test_only_the_same_principal(client):
    """§11: polling needs the list of the API and the same principal; everyone else sees the same 404.41."""
    url = start(client, "work", MIA)
    finished(client, url, MIA)
    client.get(url).refused("401.99")
    client.get(url, basic("mia", "wrong password")).refused("401.99")
    stranger = client.get(url, TOM).refused("404.41")
    unknown = client.get("/api/v1/tasks/task-" + "A" * 22, TOM).refused("404.41")
    assert stranger.json["message"] == unknown.json["message"]
    client.get(url + "/result", TOM).refused("404.41")
    client.call("DELETE", url, TOM).refused("404.41")
    north = start(client, "token-work", {"X-Token": "north-token-0001"})
    client.get(north, {"X-Token": "north-token-0001"}).expect(200)
    client.get(north, {"X-Token": "south-token-0001"}).refused("404.41")


def test_anonymous_task(client):
    """§11: for an anonymous API the id suffices."""
    client.get(start(client, "open-work")).expect(200)


def test_digest_polling(client):
    """§11: polling passes the authentication list, Digest included."""
    mia = DigestClient(client, "/api/v1/func-api/digest-work", "mia", USERS["mia"])
    _, answer = mia.call(method="POST", body=b'{"kwargs":{}}', headers=[("Content-Type", "application/json")])
    url = answer.expect(202).json["data"]["url"]
    DigestClient(client, url, "mia", USERS["mia"]).call()[1].expect(200)


def test_cancel_waiting(client):
    """§11: waiting → cancelled; it never runs."""
    answer = client.post("/api/v1/func-api/open-work", json={"kwargs": {"mark": "cancelled"}, "options": {"delay": 3}}).expect(202)
    url = answer.json["data"]["url"]
    assert client.get(url).expect(200).json["data"]["status"] == "waiting"
    client.call("DELETE", url).expect(200)
    assert client.get(url).json["data"]["status"] == "cancelled"
    client.call("DELETE", url).refused("409.25")
    until = time.monotonic() + 5
    while time.monotonic() < until:
        assert client.get("/api/v1/func-api/marked/s?mark=cancelled").expect(200).json == 0
        time.sleep(0.5)  # between looks; that its time passes and nothing happens is what is tested


def test_cancel_that_cannot_be_written(server, client):
    """§11: 409.25 says that the task has ended; when nobody knows, the answer is another."""
    url = client.post("/api/v1/func-api/open-work", json={"kwargs": {"mark": "kept"}, "options": {"delay": 600}}).expect(202).json["data"]["url"]
    execute(server.data, "CREATE TRIGGER broken BEFORE UPDATE ON tasks BEGIN SELECT * FROM missing; END")
    try:
        client.call("DELETE", url).refused("500.5")
    finally:
        execute(server.data, "DROP TRIGGER broken")
    assert client.get(url).expect(200).json["data"]["status"] == "waiting"
    client.call("DELETE", url).expect(200)
    client.call("DELETE", url[:-22] + "A" * 22).refused("404.41")


def test_cancel_running(client):
    """§11: running → the process is killed."""
    url = start(client, "open-work", seconds=100, mark="running")
    wait_until(lambda: client.get("/api/v1/func-api/marked/s?mark=running").json == 1, "the task runs", pause_s=0.2)
    client.call("DELETE", url).expect(200)
    assert finished(client, url)["status"] == "cancelled"
    finished(client, start(client, "open-work"))  # the pool is whole again


def test_cancel_while_its_own_process_starts(client):
    """§11: whatever the moment, a task that DELETE was answered for with 200 is cancelled and goes no further."""
    for number in range(12):
        url = start(client, "alone", mark=f"alone-{number}")
        time.sleep(0.01 * number)  # another moment each time
        client.call("DELETE", url).expect(200)
        assert client.get(url).expect(200).json["data"]["status"] == "cancelled"
    time.sleep(6)  # longer than the function sleeps before it tells that it ended
    assert [client.get(f"/api/v1/func-api/marked/s?mark=alone-{number}").expect(200).json for number in range(12)] == [0] * 12


def test_what_a_task_prints_is_recorded(server, client):
    """§14: a run has a record of its own, with print log and exception."""
    url = start(client, "fail")
    assert finished(client, url)["status"] == "failure"
    task_id = url.rsplit("/", 1)[1]

    def documents():
        with contextlib.closing(sqlite3.connect(server.data / "journal.db")) as database:
            rows = database.execute("SELECT document FROM call_records WHERE document LIKE ?", [f"%{task_id}%"]).fetchall()
        return [json.loads(row[0]) for row in rows]
    ran = wait_until(lambda: [found for found in documents() if found.get("exceptionType")], "the run is recorded")
    assert len(ran) == 1 and ran[0]["exceptionType"] == "ValueError" and "about to fail" in ran[0]["printLog"], ran
    assert ran[0]["apiId"] == "fail" and ran[0]["status"] == 500


def test_cancel_finished(client):
    """§11: finished: 409.25."""
    url = start(client, "open-work")
    finished(client, url)
    client.call("DELETE", url).refused("409.25")


def test_delay(client):
    """§5.3: delay is the earliest start."""
    answer = client.post("/api/v1/func-api/open-work", json={"kwargs": {}, "options": {"delay": 2}}).expect(202)
    data = finished(client, answer.json["data"]["url"])
    assert data["status"] == "success"
    assert seconds(data["startTime"]) - seconds(data["triggerTime"]) >= 1.9


def seconds(value) -> float:
    """A time of a task as Unix seconds, whichever of number and RFC 3339 text it is."""
    if isinstance(value, (int, float)):
        return float(value)
    from datetime import datetime
    return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()


def test_polling_too_often(client):
    """§11: over 10 polls a second per task is 429.46."""
    url = start(client, "open-work")
    answers = [client.get(url) for _ in range(60)]
    limited = [answer for answer in answers if answer.status == 429]
    assert limited, "sixty polls in a row were all answered"
    assert limited[0].error == "429.46" and int(limited[0].header("Retry-After")) >= 1


@pytest.mark.parametrize("path", ["/api/v1/tasks/", "/api/v1/tasks/task-", "/api/v1/tasks/../tasks/task-x", "/api/v1/tasks/task-x/other", "/api/v1/tasks/TASK-x", "/api/v1/tasks/task-x/result"])
def test_unknown_tasks(client, path):
    """§11: unknown ids are 404.41."""
    client.get(path).refused("404.41")


def test_started_functions(client):
    """function-apis §13: DFF.FUNC starts a task of a decorated function."""
    assert client.get("/api/v1/func-api/parent/s").expect(200).text.startswith("task-")
    wait_until(lambda: client.get("/api/v1/func-api/marked/s?mark=child").json == 1, "the child task ran", pause_s=0.2)


def test_expired_values_do_not_stay_in_the_database(make_server):
    """Values of DFF.STORE whose time is over are removed beside the outdated tasks, though nobody asks for them again."""
    script = "@DFF.API('Keep')\ndef keep():\n    DFF.STORE.set('brief', 1, expire=1)\n    DFF.STORE.set('lasting', 1)\n    return 'kept'\n"
    server = make_server(Resources().scripts("values", main=script).api("keep", "values__main.keep"))
    assert server.client.get("/api/v1/al/keep/s").expect(200).text == "kept"

    def keys():
        with contextlib.closing(sqlite3.connect(server.data / "funcgate.db", timeout=20)) as database:
            return {key for (key,) in database.execute("SELECT key FROM stored_values")}

    assert "lasting" in keys()
    wait_until(lambda: keys() == {"lasting"}, "the expired value is removed", pause_s=0.2)


def test_tasks_survive_a_restart(make_server):
    """§11: the 202 is sent only once the task is durable: it survives a restart, finished or waiting."""
    server = make_server(resources())
    done = start(server.client, "work", MIA, text="kept")
    finished(server.client, done, MIA)
    waiting = server.client.post("/api/v1/func-api/open-work", json={"kwargs": {"text": "later"}, "options": {"delay": 3}}).expect(202).json["data"]["url"]
    server.stop()
    server.start()
    assert server.client.get(done + "/result", MIA).expect(200).json["text"] == "kept"
    assert finished(server.client, waiting)["result"]["text"] == "later"


@pytest.mark.parametrize("retry, expected", [(False, "failure"), (True, "success")])
def test_interrupted_by_a_crash(make_server, retry, expected):
    """§11: interrupted by a node failure: runs again at most once, and only with retryOnCrash; else `failure`."""
    world = Resources().scripts("jobs", main=JOBS).api("open-work", "jobs__main.work", execMode="async", retryOnCrash=retry).api("marked", "jobs__main.marked")
    server = make_server(world)
    url = start(server.client, "open-work", seconds=4, mark="crash")
    marks = lambda: server.client.get("/api/v1/func-api/marked/s?mark=crash").json
    wait_until(lambda: marks() == 1, "the task runs", pause_s=0.1)
    server.kill()
    server.start()
    assert finished(server.client, url)["status"] == expected
    assert marks() == (2 if retry else 1)
