"""Tasks as those see them who run the server: lists without what callers sent, and an end before the time."""

from __future__ import annotations

import pathlib

import pytest

from support.costs import has_own_allocator
from support.database import unrecorded
from support.management import Management
from support.memory import peak_kib
from support.resources import Resources
from support.server import wait_until

JOBS = '''
import time

@DFF.API('Keep', timeout=120)
def keep(text: str = '', seconds: float = 0):
    time.sleep(seconds)
    return len(text)

@DFF.API('Fail')
def fail():
    raise ValueError('no luck')
'''
MARK = "mark-of-the-argument-"
LARGE = MARK + "x" * 1_000_000
TASKS = 80
FIELDS = {"id", "apiId", "funcId", "status", "caller", "authId", "traceId", "attempts", "triggerTime", "startTime", "endTime"}


def resources() -> Resources:
    made = Resources().scripts("jobs", main=JOBS)
    for name in ("keep", "fail"):
        made.api(name, f"jobs__main.{name}", execMode="async", methods=["POST"])
    return made


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


def start(server, name: str = "keep", delay: int | None = None, **kwargs) -> tuple[str, str]:
    """Id and trace of a new task; `delay`: seconds for which it waits."""
    answer = server.client.post(f"/api/v1/func-api/{name}", json={"kwargs": kwargs, **({"options": {"delay": delay}} if delay else {})}).expect(202)
    return answer.json["data"]["id"], answer.json["traceId"]


def status(admin: Management, task: str) -> str:
    return admin.data(f"/tasks/{task}")["status"]


@pytest.fixture(scope="module")
def large(server, admin) -> list[str]:
    """Waiting tasks with a megabyte of arguments each."""
    return [start(server, delay=3600, text=LARGE)[0] for _ in range(TASKS)]


def test_the_list_of_tasks_is_without_their_arguments(server, admin, large):
    answer = admin.get("/tasks?limit=200&status=waiting").expect(200)
    assert MARK not in answer.text
    assert len(answer.body) < 1000 * TASKS
    assert [row["id"] for row in answer.json["data"]] == large[::-1], "the newest first"
    assert all(set(row) == FIELDS for row in answer.json["data"])


def test_listing_does_not_read_their_arguments(server, admin, large):
    """The peak of the memory does not grow by what the tasks hold together: a list of ten thousand would end the server."""
    if has_own_allocator():
        pytest.skip("a sanitizer build keeps what was freed")
    pid = server.process.pid
    admin.get("/tasks").expect(200)
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = peak_kib(pid)
    for _ in range(3):
        assert len(admin.data("/tasks?limit=200&status=waiting")) == TASKS
    assert peak_kib(pid) - before < TASKS * 1000 // 2  # a few at a time, and what the allocator keeps of them


def test_one_task_is_shown_without_its_arguments(server, admin, large):
    answer = admin.get(f"/tasks/{large[0]}").expect(200)
    data = answer.json["data"]
    assert set(data) == FIELDS
    assert (data["id"], data["apiId"], data["funcId"], data["status"], data["attempts"]) == (large[0], "keep", "jobs__main.keep", "waiting", 0)
    assert data["triggerTime"] and data["startTime"] is None and data["endTime"] is None
    assert MARK not in answer.text


def test_ended_tasks_tell_how(server, admin):
    (good, trace), (bad, _) = start(server, text="abc"), start(server, "fail")
    wait_until(lambda: status(admin, good) == "success" and status(admin, bad) == "failure", "both end")
    shown = admin.data(f"/tasks/{good}")
    assert shown["traceId"] == trace
    assert shown["triggerTime"] <= shown["startTime"] <= shown["endTime"]
    failure = admin.data(f"/tasks/{bad}")["failure"]
    assert float(failure["error"]) == 500.1
    listed = admin.get("/tasks?apiId=fail&status=failure").expect(200).json["data"]
    assert [row["id"] for row in listed] == [bad]
    assert [row["id"] for row in admin.data(f"/tasks?traceId={trace}")] == [good]


def test_a_waiting_task_is_cancelled_and_that_is_recorded(server, admin):
    task, _ = start(server, delay=3600, text="never")
    answer = admin.post(f"/tasks/{task}/cancel").expect(202)
    assert answer.json["data"] == {"id": task}
    shown = admin.data(f"/tasks/{task}")
    assert (shown["status"], shown["startTime"]) == ("cancelled", None)
    assert server.client.get(f"/api/v1/tasks/{task}").expect(200).json["data"]["status"] == "cancelled"
    records = admin.data(f"/audit?event=process.cancelled&object={task}")
    assert [(one["outcome"], one["actor"]["login"], one["object"]["kind"], one["object"]["id"], one["object"]["name"]) for one in records] == [
        ("OK", "root", "Task", task, "jobs__main.keep")]
    assert records[0]["traceId"] == answer.json["traceId"]


def test_a_running_task_is_cancelled(server, admin):
    task, _ = start(server, text="long", seconds=100)
    wait_until(lambda: status(admin, task) == "running", "the task runs")
    admin.post(f"/tasks/{task}/cancel").expect(202)
    wait_until(lambda: status(admin, task) == "cancelled", "the task is cancelled")
    assert len(admin.data(f"/audit?event=process.cancelled&object={task}")) == 1


def test_what_cannot_be_recorded_is_not_cancelled(server, admin):
    """identity §8: the record comes first, of what waits as of what runs."""
    waiting, running = start(server, delay=3600)[0], start(server, seconds=100)[0]
    wait_until(lambda: status(admin, running) == "running", "the task runs")
    with unrecorded(server.data, "process.cancelled"):
        for task in (waiting, running):
            assert "cannot be recorded" in admin.post(f"/tasks/{task}/cancel").refused("503.1").json["message"]
    assert (status(admin, waiting), status(admin, running)) == ("waiting", "running")
    for task in (waiting, running):
        admin.post(f"/tasks/{task}/cancel").expect(202)
        assert len(admin.data(f"/audit?event=process.cancelled&object={task}")) == 1


def test_what_has_ended_cannot_be_cancelled(server, admin):
    """function-apis §11: finished is 409.25, and the audit trail does not say otherwise."""
    task, _ = start(server, text="abc")
    wait_until(lambda: status(admin, task) == "success", "the task ends")
    admin.post(f"/tasks/{task}/cancel").refused("409.25")
    assert status(admin, task) == "success"
    assert [one for one in admin.data(f"/audit?event=process.cancelled&object={task}") if one["outcome"] == "OK"] == []


def test_who_may_only_look_cannot_cancel(server, admin):
    user = admin.key_owner("looker", "View System Console")["user"]
    looker = Management(server, admin.key(user, "Look", scopes=["management"])[1])
    task, _ = start(server, delay=3600)
    assert looker.data(f"/tasks/{task}")["status"] == "waiting"
    assert looker.post(f"/tasks/{task}/cancel").refused("403.15").json["message"] == 'Privilege "Cancel Tasks" is required'
    assert status(admin, task) == "waiting"


@pytest.mark.parametrize(("method", "path"), [("GET", "/tasks/task-nothing"), ("POST", "/tasks/task-nothing/cancel")])
def test_unknown_tasks(admin, method, path):
    admin.call(method, path).refused("404.41")
    assert admin.data("/audit?event=process.cancelled&object=task-nothing") == []


@pytest.mark.parametrize(("query", "path"), [("limit=0", "limit"), ("limit=201", "limit"), ("state=waiting", "state"), ("sort=caller", "sort"), ("cursor=x", "cursor")])
def test_a_wrong_parameter_is_named(admin, query, path):
    assert [error["path"] for error in admin.get(f"/tasks?{query}").refused("400.43").json["detail"]["errors"]] == [path]


def test_the_list_is_walked_page_by_page(server, admin, large):
    seen, query = [], "limit=30&status=waiting&sort=triggerTime"
    cursor = ""
    while True:
        answer = admin.get(f"/tasks?{query}{cursor}").expect(200).json
        seen += [row["id"] for row in answer["data"]]
        if answer["pageInfo"]["nextCursor"] is None:
            break
        cursor = f"&cursor={answer['pageInfo']['nextCursor']}"
    assert len(seen) == len(set(seen)) and set(large) <= set(seen)
