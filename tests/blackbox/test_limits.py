"""Every bound under [limits] does what docs/configuration.md says (function-apis §19); those of the HTTP edge are in test_http.py."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.gate import PASS, Gate
from support.resources import PROBE, Resources
from support.server import wait_until
from support.wire import File, query

CONFIG = """
[limits]
json_depth = 6
query_fields = 20
form_fields = 5
upload_files = 2
upload_bytes = 1000
upload_quota_bytes = 1500
upload_read_ms = 700
write_ms = 700
function_timeout_ms = 1000
async_function_timeout_ms = 2000
auth_function_timeout_ms = 300
auth_pool_queue_length = 1
pool_workers = 2
pool_queue_length = 1
worker_load_ms = 4000
result_cache_entry_bytes = 100
tasks_waiting = 2
task_polls_per_second = 3
"""

SLOW = PASS + '''
import time

@DFF.API('Nothing said about time')
def endless(seconds: float = 30.0):
    time.sleep(seconds)
    return 'done'

@DFF.API('Keeps its files for a while', timeout=60)
def hold(gate: str, files: list = None):
    pass_gate(gate)
    return len(files)

@DFF.API('A second of thinking')
def think():
    time.sleep(1)
    return True

@DFF.API('Typed')
def typed(rows: list = None):
    return rows

@DFF.API('Large')
def large(kib: int):
    return 'x' * (kib << 10)

@DFF.API('Kept', cache_result=60)
def kept(size: int, depth: dict = None):
    DFF.STORE.set('runs', (DFF.STORE.get('runs') or 0) + 1)
    return 'x' * size

@DFF.API('Runs')
def runs():
    return DFF.STORE.get('runs') or 0
'''


def resources() -> Resources:
    made = Resources().scripts("limits", main=PROBE, slow=SLOW)
    made.fixed_field("field", {"location": "body", "name": "auth.token", "value": "a-token-of-the-body"})
    made.func_auth("hasty", "limits__slow.think").func_auth("patient", "limits__slow.think", timeoutMs=8000)
    for name in ("endless", "typed", "large", "kept", "runs"):
        made.api(name, f"limits__slow.{name}")
    made.api("hasty", "limits__main.hello", "hasty").api("patient", "limits__main.hello", "patient")
    made.api("echo", "limits__main.echo", acceptFiles=True).api("body", "limits__main.see", "field")
    made.api("rest", "limits__main.rest", timeout=60).api("hold", "limits__slow.hold", acceptFiles=True)
    made.api("job", "limits__slow.endless", execMode="async").api("later", "limits__main.hello", execMode="async")
    return made


def nested(levels: int):
    value: list = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize("what, send", [
    ("POST standard", lambda client, depth: client.post("/api/v1/al/echo", json={"kwargs": {"a": nested(depth - 2)}})),
    ("POST standard, options", lambda client, depth: client.post("/api/v1/al/echo", json={"options": {"saveResult": nested(depth - 2)}})),
    ("POST simplified", lambda client, depth: client.post("/api/v1/al/echo/s", json={"a": nested(depth - 1)})),
    ("GET standard", lambda client, depth: client.get("/api/v1/al/echo" + query(kwargs={"a": nested(depth - 1)}))),
    ("GET standard, options", lambda client, depth: client.get("/api/v1/al/echo" + query(options={"saveResult": nested(depth - 1)}))),
    ("a list in a text", lambda client, depth: client.get("/api/v1/al/typed/s" + query(rows=nested(depth)))),
    ("a list in a form", lambda client, depth: client.post("/api/v1/al/typed/s", form={"rows": str(nested(depth))})),
    ("with a result cache", lambda client, depth: client.post("/api/v1/al/kept/s", json={"size": 1, "depth": {"a": nested(depth - 2)}})),
    ("an asynchronous call", lambda client, depth: client.post("/api/v1/al/later", json={"kwargs": {"name": "x"}, "options": {"saveResult": nested(depth - 2)}})),
])
def test_json_depth(client, what, send):
    """§4 (h): the configured depth and no more, wherever JSON comes with a request."""
    assert send(client, 6).status in (200, 202), what
    for depth in (7, 60):
        send(client, depth).refused("400.43")


def test_json_depth_with_a_credential_in_the_body(client):
    """§4 (h): who is accepted learns of the depth; who is not learns nothing."""
    def call(depth: int, token: str):
        return client.post("/api/v1/al/body/s", json={"auth": {"token": token}, "a": nested(depth - 1)})
    call(6, "a-token-of-the-body").expect(200)
    call(7, "a-token-of-the-body").refused("400.43")
    call(7, "another token").refused("401.99")


def test_query_fields(client):
    """query_fields: also of a query that supplies no arguments."""
    fields = lambda count: "?" + "&".join(f"a{number}=1" for number in range(count))
    assert len(client.get("/api/v1/al/echo/s" + fields(20)).expect(200).json["kwargs"]) == 20
    client.get("/api/v1/al/echo/s" + fields(21)).refused("400.43")
    client.post("/api/v1/al/echo/s" + fields(20), json={}).expect(200)
    client.post("/api/v1/al/echo/s" + fields(21), json={}).refused("400.43")


def test_form_fields(client):
    """form_fields: text parts of a multipart body, fields of an urlencoded one."""
    for count, refused in ((5, False), (6, True)):
        pairs = [(f"a{number}", "1") for number in range(count)]
        for answer in (client.post("/api/v1/al/echo/s", form=pairs), client.post("/api/v1/al/echo/s", parts=pairs)):
            if refused:
                answer.refused("413.43")
            else:
                assert len(answer.expect(200).json["kwargs"]) == count


def test_many_form_fields(make_server):
    """form_fields may be raised: what is allowed arrives."""
    client = make_server(resources(), "[limits]\nform_fields = 20000\nquery_fields = 5000\nrequest_line_bytes = 100000\n").client
    pairs = [(f"a{number}", "1") for number in range(6000)]
    for answer in (client.post("/api/v1/al/echo/s", form=pairs), client.post("/api/v1/al/echo/s", parts=pairs)):
        assert len(answer.expect(200).json["kwargs"]) == 6000
    target = "/api/v1/al/echo/s?" + "&".join(f"a{number}=1" for number in range(1500))
    assert len(client.get(target).expect(200).json["kwargs"]) == 1500


def test_uploads(client):
    """upload_files, upload_bytes."""
    def upload(*sizes: int):
        return client.post("/api/v1/al/echo/s", parts=[File("f", f"{size}.bin", b"x" * size) for size in sizes])
    upload(500, 500).expect(200)
    # Its files are removed behind the answer; until then there is no space for others.
    wait_until(lambda: upload(1, 1).status == 200, "the space is free again")
    upload(1, 1, 1).refused("413.43")
    upload(1001).refused("413.43")
    upload(501, 500).refused("413.43")


def test_upload_quota(server, client):
    """upload_quota_bytes: the files of all unfinished calls together."""
    with ThreadPoolExecutor(1) as pool:
        with Gate(server) as gate:
            first = pool.submit(lambda: client.post("/api/v1/al/hold/s", parts=[("gate", str(gate.path)), File("f", "a.bin", b"x" * 900)]))
            sizes = lambda: [path.stat().st_size for path in (server.data / "run/calls").rglob("*") if path.is_file()]
            wait_until(lambda: sizes() == [900], "the first upload has arrived")
            client.post("/api/v1/al/echo/s", parts=[File("f", "a.bin", b"x" * 900)]).refused("503.1")
        assert first.result().expect(200).json == 1
    wait_until(lambda: client.post("/api/v1/al/echo/s", parts=[File("f", "a.bin", b"x" * 900)]).status == 200, "the space is free again", pause_s=0.1)


def test_slow_upload(client):
    """upload_read_ms: 408."""
    with client.connect() as connection:
        connection.send(b"POST /api/v1/al/echo/s HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 500\r\n\r\n--b\r\n")
        begun = time.monotonic()
        connection.read("POST").refused("408.45")
        assert 0.4 < time.monotonic() - begun < 20


def test_reader_that_does_not_read(server):
    """write_ms: whoever does not take his answer loses the connection."""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.settimeout(30)
        reader.connect(("127.0.0.1", server.port))
        reader.sendall(b"GET /api/v1/al/large/s?kib=9000 HTTP/1.1\r\nHost: x\r\n\r\n")
        reader.recv(1, socket.MSG_PEEK)  # the answer has begun
        time.sleep(5)  # what is being tested: a reader that rests for longer than it may
        got = 0
        try:
            while more := reader.recv(1 << 16):
                got += len(more)
        except ConnectionResetError:
            pass
        assert got < 9000 << 10, "the whole answer came after a pause that is too long"


def test_times_of_functions(client):
    """function_timeout_ms, async_function_timeout_ms: for functions that say nothing else."""
    answer = client.get("/api/v1/al/endless/s").refused("504.2")
    assert answer.json["detail"]["timeout"] == 1
    task = client.post("/api/v1/al/job/s", json={}).expect(202).json["data"]["url"]
    done = client.get(task + "?wait=20").expect(200).json["data"]
    assert done["status"] == "timeout" and done["failure"]["detail"]["timeout"] == 2


def test_time_of_authentication_functions(client):
    """auth_function_timeout_ms is the deadline of a configuration that names none (authentication §6)."""
    client.get("/api/v1/al/hasty/s").refused("503.99")
    client.get("/api/v1/al/patient/s").expect(200)


def test_queue_of_authentication_functions(client):
    """auth_pool_queue_length: one runs (half of the pool's two), one waits, others are refused."""
    with ThreadPoolExecutor(6) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: client.get("/api/v1/al/patient/s"), range(6))]
    assert set(statuses) == {200, 503} and 1 <= statuses.count(200) <= 3, statuses


def test_pool(server, client):
    """pool_workers, pool_queue_length."""
    client.get("/api/v1/al/rest/s?seconds=0").expect(200)
    with ThreadPoolExecutor(8) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: client.get("/api/v1/al/rest/s?seconds=1.5"), range(8))]
    assert set(statuses) == {200, 503} and 3 <= statuses.count(200) <= 5, statuses


def test_recycling(make_server):
    """worker_calls_before_recycle."""
    server = make_server(resources(), "[limits]\nworker_calls_before_recycle = 5\npool_workers = 1\n")
    before = set(wait_until(server.workers, "a worker"))
    for _ in range(12):
        server.client.get("/api/v1/al/runs/s").expect(200)
    wait_until(lambda: not before & set(server.workers()), "the first worker has been replaced")


def test_load_time(server):
    """worker_load_ms: a publish whose scripts load too long is refused; the old ones serve on."""
    done = server.try_apply(Resources().scripts("sleepy", main="import time\ntime.sleep(30)\n"))
    assert done.returncode == 7 and "did not load within 4 s" in done.stderr + done.stdout, done
    server.client.get("/api/v1/al/runs/s").expect(200)


def test_cached_results(client):
    """result_cache_entry_bytes: a larger result is answered and not kept."""
    def runs_of(size: int) -> int:
        before = client.get("/api/v1/al/runs/s").json
        for _ in range(3):
            client.get(f"/api/v1/al/kept/s?size={size}").expect(200)
        return client.get("/api/v1/al/runs/s").json - before
    assert runs_of(100) == 1
    assert runs_of(101) == 3


def test_tasks(client):
    """tasks_waiting, task_polls_per_second."""
    later = {"kwargs": {"name": "x"}, "options": {"delay": 600}}
    tasks = [client.post("/api/v1/al/later", json=later).expect(202).json["data"]["url"] for _ in range(2)]
    client.post("/api/v1/al/later", json=later).refused("503.1")
    assert client.get(tasks[0]).status == 200
    # Faster than three a second, on any machine: several at once.
    with ThreadPoolExecutor(12) as pool:
        statuses = set(pool.map(lambda _: client.get(tasks[0]).status, range(60)))
    assert statuses == {200, 429}
    for task in tasks:
        wait_until(lambda: client.call("DELETE", task).status == 200, "the task is cancelled", pause_s=0.4)
    client.post("/api/v1/al/later", json=later).expect(202)


def test_shutdown(make_server):
    """shutdown_ms: calls in flight are cut off after it."""
    server = make_server(resources(), "[limits]\nshutdown_ms = 500\n")
    caller = threading.Thread(target=lambda: quiet(server.client))
    caller.start()
    wait_until(lambda: server.client.get("/healthz").status == 200, "the server answers")
    time.sleep(0.5)  # the call is on its way; the test holds for any moment
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 30
    caller.join(30)


def quiet(client) -> None:
    try:
        client.get("/api/v1/al/rest/s?seconds=60")
    except (OSError, AssertionError):
        pass  # cut off, as the test wants
