"""Properties that need a world or a way of looking of their own (statements 4, 7, 11, 24, 48, 56 of authentication)."""

import os
import signal
import socket
import sqlite3
import threading
from contextlib import closing

import pytest

from support.credentials import basic
from support.database import begun
from support.digest import DigestClient
from support.resources import PROBE, Resources
from support.server import wait_until
from support.wire import fresh_address, request_bytes

PASSWORD = "a password of mia"
TARGET = "/api/v1/func-api/{}/s"


# --- one call, one version (7)

def version(letter: str) -> Resources:
    """Field, label and value of a version go together: whoever is accepted by X-A is called `a` and his X-A is removed, and only that."""
    made = Resources().scripts("probe", main=PROBE)
    made.fixed_field("tokens", {"label": letter, "location": "header", "name": f"X-{letter.upper()}", "value": f"the token of version {letter}"})
    return made.api("see", "probe__main.see", "tokens")


def test_one_call_is_decided_by_one_version(make_server):
    """authentication 7: while a configuration is changed again and again, a call never sees a part of each version."""
    server = make_server(version("a"))
    headers = {"X-A": "the token of version a", "X-B": "the token of version b"}
    ended, mixed, seen = threading.Event(), [], set()

    def ask() -> None:
        with server.client.connect() as connection:
            while not ended.is_set():
                connection.send(request_bytes("GET", TARGET.format("see"), headers))
                answer = connection.read()
                if answer.status != 200:
                    mixed.append((answer.status, answer.body[:300]))
                    return
                name, left = answer.json["caller"]["name"], sorted(key for key in answer.json["request"]["headers"] if key in ("x-a", "x-b"))
                seen.add(name)
                if left != ["x-b" if name == "a" else "x-a"]:
                    mixed.append((name, left))

    callers = [threading.Thread(target=ask) for _ in range(6)]
    for caller in callers:
        caller.start()
    for number in range(12):
        server.apply(version("b" if number % 2 == 0 else "a"))
    ended.set()
    for caller in callers:
        caller.join(30)
    assert mixed == []
    assert seen == {"a", "b"}


# --- the number of APIs changes nothing (11)

@pytest.mark.parametrize("count", [1, 100, 101, 10_000])
def test_matching_does_not_depend_on_the_number_of_apis(make_server, count):
    """authentication 11: with 1, 100, 101 and 10,000 APIs an id is matched as a whole, and each asks for its own credential."""
    world = Resources().scripts("probe", main=PROBE)
    world.fixed_field("odd", {"location": "header", "name": "X-Odd", "value": "the token of odd ones"})
    world.fixed_field("even", {"location": "header", "name": "X-Even", "value": "the token of even ones"})
    server = make_server(world)
    for first in range(0, count, 5000):  # one bundle holds at most 10,000 documents
        part = Resources()
        for number in range(first, min(first + 5000, count)):
            part.api(f"basket{number}", "probe__main.hello", "odd" if number % 2 else "even")
        server.apply(part)
    client = server.client
    odd, even = {"X-Odd": "the token of odd ones"}, {"X-Even": "the token of even ones"}
    for number in {0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 9998, 9999, count - 1}:
        if number >= count:
            client.get(TARGET.format(f"basket{number}"), {**odd, **even}).refused("404.41")
            continue
        right, wrong = (odd, even) if number % 2 else (even, odd)
        client.get(TARGET.format(f"basket{number}"), right).expect(200)
        client.get(TARGET.format(f"basket{number}"), wrong).refused("401.99")
        client.get(TARGET.format(f"basket{number}")).refused("401.99")
    for name in ("basket", "Basket0", "BASKET0", "basket0x", f"basket{count}", "basket00", "basket-0", "basket0.", "xbasket0", "basket0%20"):
        client.get(TARGET.format(name), {**odd, **even}).refused("404.41")


# --- what a stranger costs (24)

HEAD = b"POST /api/v1/al/upload/s HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 10737418240\r\n\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'


def pushed(port: int) -> int:
    """How many bytes the kernels and whoever reads take within a moment from a sender with a small buffer of its own."""
    with socket.socket() as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        sender.bind((fresh_address(), 0))
        sender.connect(("127.0.0.1", port))
        sender.settimeout(3)
        sender.sendall(HEAD + PART)
        total = 0
        try:
            while total < 64 << 20:
                total += sender.send(b"x" * 8192)
        except (TimeoutError, ConnectionError, BrokenPipeError):
            pass
        return total


def test_little_is_read_of_a_strangers_upload(make_server):
    """authentication 24: of 10 GB without credentials less than 128 KiB are read, and no file is made."""
    world = Resources().scripts("probe", main=PROBE).basic("staff", {"mia": PASSWORD}).api("upload", "probe__main.hello", "staff", acceptFiles=True)
    server = make_server(world)
    with socket.socket() as nobody:  # what the kernels alone take: a listener whose program never reads
        nobody.bind(("127.0.0.1", 0))
        nobody.listen()
        unread = pushed(nobody.getsockname()[1])
    assert unread < 8 << 20
    files = set(server.data.rglob("*"))
    assert pushed(server.port) < unread + (128 << 10)
    assert set(server.data.rglob("*")) == files
    server.client.get("/api/v1/al/upload/s", basic("mia", PASSWORD)).expect(200)


# --- what a failure writes (48)

def contents(data) -> dict[str, list]:
    """Every row of every table of the configuration's database."""
    with closing(sqlite3.connect(data / "funcgate.db", timeout=20)) as database:
        tables = [name for name, in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {table: database.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables}


def test_failures_write_nothing_but_counters(make_server):
    """authentication 48: failed Basic and Digest attempts change no row and make no file. What is left are the records: of the refusals
    in the journal, and of each block that began, once, in the audit trail."""
    world = Resources().scripts("probe", main=PROBE).basic("staff", {"mia": PASSWORD}).digest("stock", {"mia": PASSWORD})
    world.api("basic", "probe__main.hello", "staff").api("digest", "probe__main.hello", "stock")
    server = make_server(world)
    client = server.client
    client.get(TARGET.format("basic"), basic("mia", PASSWORD)).expect(200)
    mia = DigestClient(client, TARGET.format("digest"), "mia", PASSWORD)
    mia.call()[1].expect(200)
    before, files = contents(server.data), {path for path in server.data.rglob("*") if "journal" not in path.name}
    assert sum(map(len, before.values())) > 5
    used = mia.sign(mia.challenge())
    mia.send(used).expect(200)
    here = client.pinned()  # one address, so that blocks begin too
    for number in range(20):
        client.get(TARGET.format("basic"), basic("mia", f"wrong word {number}")).refused("401.99")
        client.get(TARGET.format("basic"), basic(f"nobody-{number}", "wrong word")).refused("401.99")
        client.get(TARGET.format("basic"), {"Authorization": "Basic !"}).refused("401.99")
        mia.call(password=f"wrong word {number}")[1].refused("401.99")
        mia.call(username=f"nobody-{number}")[1].refused("401.99")
        mia.send(used).refused("401.99")
        mia.send("Digest username=").refused("400.43")
        here.get(TARGET.format("basic"), basic("mia", f"wrong word {number}"))
    after = contents(server.data)
    added = after["audit_entries"][len(before["audit_entries"]):]
    assert {row[2] for row in added} <= {"auth.throttled"} and len(added) < 20, added
    assert after | {"audit_entries": after["audit_entries"][:len(before["audit_entries"])]} == before
    assert {path for path in server.data.rglob("*") if "journal" not in path.name} == files


# --- processes that fail in the middle of a check (4, 56)

SLOW_DOOR = '''
import os, time
from pathlib import Path

@DFF.API('Takes its time')
def slow():
    DFF.STORE.set('begun check', True)
    time.sleep(20)
    return True

@DFF.API('At once')
def quick():
    return _DFF_HTTP_REQUEST['headers'].get('x-badge') == 'right'
'''


def pids_of_workers(server) -> set[int]:
    return set(server.workers())


@pytest.mark.parametrize("what", ["SIGKILL", "SIGSTOP", "SIGSEGV"])
def test_worker_that_fails_in_the_middle_of_a_check(make_server, what):
    """authentication 4, 56: the process of an authentication function dies or freezes while it decides: 503.99, and the API's function never ran."""
    world = Resources().scripts("probe", main=PROBE).scripts("doors", main=SLOW_DOOR)
    world.func_auth("slow", "doors__main.slow", timeoutMs=5000).func_auth("quick", "doors__main.quick")
    world.api("slow", "probe__main.count", "slow").api("quick", "probe__main.hello", "quick").api("counted", "probe__main.counted")
    server = make_server(world)
    before = pids_of_workers(server)
    answers = []
    caller = threading.Thread(target=lambda: answers.append(server.client.get(TARGET.format("slow"))))
    caller.start()
    busy = wait_until(lambda: pids_of_workers(server) - before, "the pool of authentication functions has started")
    wait_until(lambda: begun(server.data, "check"), "the function has begun")
    for pid in busy:
        os.kill(pid, getattr(signal, what))
    caller.join(30)
    assert answers, "the caller got no answer"
    answers[0].refused("503.99")
    assert "detail" not in answers[0].json and answers[0].header("Retry-After") == "5"
    assert server.client.get(TARGET.format("counted")).expect(200).json == 0
    wait_until(lambda: server.client.get(TARGET.format("quick"), {"X-Badge": "right"}).status == 200, "the pool decides again", 30)
    server.client.get(TARGET.format("quick"), {"X-Badge": "wrong"}).refused("401.99")


def test_database_that_cannot_be_read_opens_nothing(make_server):
    """authentication 4, 79: the database is overwritten while the server runs: verdicts stay what they were, wrong ones stay refused."""
    world = Resources().scripts("probe", main=PROBE).basic("staff", {"mia": PASSWORD}).digest("stock", {"mia": PASSWORD})
    world.api("basic", "probe__main.hello", "staff").api("digest", "probe__main.hello", "stock")
    server = make_server(world)
    for path in server.data.glob("funcgate.db*"):
        with path.open("r+b") as file:
            file.write(b"\xff" * os.path.getsize(path))
    client = server.client
    for _ in range(5):
        assert client.get(TARGET.format("basic"), basic("mia", "wrong word")).status in (401, 503)
        assert client.get(TARGET.format("basic"), basic("nobody", PASSWORD)).status in (401, 503)
        assert client.get(TARGET.format("basic")).status in (401, 503)
        mia = DigestClient(client, TARGET.format("digest"), "mia", PASSWORD)
        assert mia.call(password="wrong word")[1].status in (401, 503)
    done = server.try_apply(Resources().basic("staff", {"mia": "another password"}))
    # As a rule it cannot be stored. SQLite may still have all that it needs in memory: then it is done, and it counts.
    told = "done" if done.returncode == 0 else "refused"
    now = client.get(TARGET.format("basic"), basic("mia", "another password")).status
    assert (told, now) in (("done", 200), ("refused", 401), ("refused", 503)), done.stderr
    server.kill()
