"""Connections at their edges: pipelined answers, callers who leave, the orderly end of TLS (function-apis §9; RFC 9112, 9.3.2; RFC 8446, 6.1)."""

import contextlib
import itertools
import json
import socket
import sqlite3
import ssl
import struct
import subprocess
import time

import pytest

from support.database import begun
from support.gate import Gate
from support.resources import BEGIN, PROBE, Resources
from support.server import Server, wait_until
from support.wire import Connection, request_bytes

SLOW = """
@DFF.API('Count at the end')
def slow_count(key: str, seconds: float):
    DFF.STORE.set('begun ' + key, True)
    time.sleep(seconds)
    DFF.STORE.set(key, (DFF.STORE.get(key) or 0) + 1)
"""

# One worker: whoever comes second waits.
LIMITS = """
[limits]
pool_workers = 1
idle_ms = 3000
body_read_ms = 20000
"""


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE + BEGIN + SLOW)
    made.api("hello", "probe__main.hello").api("rest", "probe__main.rest").api("begin", "probe__main.begin").api("count", "probe__main.count")
    made.api("counted", "probe__main.counted").api("later", "probe__main.count", execMode="async").api("slow-count", "probe__main.slow_count")
    return made


class TlsConnection(Connection):
    """A connection that tells an end with close_notify (b"") from one without (ssl.SSLEOFError)."""

    def __init__(self, port: int):
        super().__init__(port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # on by default
        self.socket = context.wrap_socket(self.socket, suppress_ragged_eofs=False)


@pytest.fixture(scope="module", params=["plain", "tls"])
def world(request, tmp_path_factory):
    """(server, function that connects), without and with TLS."""
    folder = tmp_path_factory.mktemp(request.param)
    config = LIMITS
    if request.param == "tls":
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True, timeout=60)
        config = f'[server]\ntls_certificate = "{folder}/cert.pem"\ntls_key = "{folder}/key.pem"\n' + LIMITS
    instance = Server(folder / "server", config)
    instance.start(instance.write(resources()))
    yield instance, lambda: TlsConnection(instance.port) if request.param == "tls" else Connection(instance.port)
    assert instance.stop() == 0


def get(target: str, **headers: str) -> bytes:
    return request_bytes("GET", target, headers)


def call(world, target: str):
    with world[1]() as connection:
        connection.send(get(target))
        return connection.read().expect(200).json


def queued(world) -> float:
    with world[1]() as connection:
        connection.send(get("/metrics"))
        for line in connection.read().text.splitlines():
            if line.startswith('funcgate_queue_length{pool="default"}'):
                return float(line.split()[-1])
    raise AssertionError("no gauge of the queue")


numbers = itertools.count(1)


@contextlib.contextmanager
def busy_worker(world):
    """The only worker runs until the end of the block; its answer is read then."""
    key = f"busy-{next(numbers)}"
    with world[1]() as connection:
        with Gate(world[0], key) as gate:
            connection.send(get(f"/api/v1/al/begin/s?key={key}&gate={gate.path}"))
            wait_until(lambda: begun(world[0].data, key), "the worker has begun")
            yield
        assert connection.read().expect(200).text == "rested"


def queue_up(world, key: str, **headers: str) -> Connection:
    connection = world[1]()
    connection.send(get(f"/api/v1/al/count/s?key={key}", **headers))
    wait_until(lambda: queued(world) >= 1, "the call waits for the worker")
    return connection


# --- pipelining

def test_finished_answers_do_not_wait_for_a_slow_call(world):
    key = f"slow-{next(numbers)}"
    with world[1]() as connection:
        with Gate(world[0], key) as gate:
            connection.send(get("/api/v1/al/hello/s?name=a") + get("/api/v1/al/hello/s?name=b") + get(f"/api/v1/al/begin/s?key={key}&gate={gate.path}")
                            + get("/api/v1/al/hello/s?name=c"))
            assert [connection.read().text for _ in range(2)] == ["Hello, a!", "Hello, b!"]
        assert [connection.read().text for _ in range(2)] == ["rested", "Hello, c!"]


def test_finished_answers_do_not_wait_for_a_body(world):
    with world[1]() as connection:
        head = request_bytes("POST", "/api/v1/al/hello/s", {"Content-Type": "application/json", "Content-Length": "12"})
        connection.send(get("/api/v1/al/hello/s?name=a") + head)
        assert connection.read().text == "Hello, a!"  # well before the server gives up waiting for the body
        connection.send(b'{"name":"b"}')
        assert connection.read().text == "Hello, b!"


def test_many_answers_that_nobody_reads_yet_arrive_whole_and_in_order(world):
    """More than fits the socket: written early in pieces, while the calls behind them run."""
    name = "n" * 4000
    with world[1]() as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.send(b"".join(get(f"/api/v1/al/hello/s?name={name}{i}") for i in range(150)) + get("/api/v1/al/rest/s?seconds=0.5"))
        time.sleep(1)  # the caller who does not read is what is tested
        for i in range(150):
            assert connection.read().text == f"Hello, {name}{i}!"
        assert connection.read().text == "rested"


# --- the caller has gone

def reset(connection: Connection) -> None:
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def records(server: Server, trace: str) -> list[dict]:
    with contextlib.closing(sqlite3.connect(server.data / "journal.db", timeout=20)) as database:
        rows = database.execute("SELECT document FROM call_records WHERE trace_id = ?", [trace]).fetchall()
    return [json.loads(document) for (document,) in rows]


@pytest.mark.parametrize("leave", [reset, Connection.close], ids=["reset", "close"])
def test_a_queued_call_of_a_caller_who_left_is_dropped(world, leave):
    server, _ = world
    key = f"left-{leave.__name__}"
    trace = f"trace-{key}"
    with busy_worker(world):
        connection = queue_up(world, key, **{"X-Trace-Id": trace})
        leave(connection)
        wait_until(lambda: queued(world) == 0, "its place is free while the worker is still busy")
    assert call(world, f"/api/v1/al/counted/s?key={key}") == 0

    # Records are written in order: behind the one of a later call no other one of the dropped call can come.
    with world[1]() as connection:
        connection.send(get("/api/v1/al/hello/s", **{"X-Trace-Id": f"{trace}-later"}))
        connection.read().expect(200)
    wait_until(lambda: records(server, f"{trace}-later"), "the later call has its record")
    found = records(server, trace)
    assert len(found) == 1 and "caller.gone" in json.dumps(found[0])


def test_a_running_call_of_a_caller_who_left_is_finished(world):
    with world[1]() as connection:
        connection.send(get("/api/v1/al/slow-count/s?key=running&seconds=0.8"))
        wait_until(lambda: begun(world[0].data, "running"), "the call runs")
    # The only worker answers this one after that one.
    assert call(world, "/api/v1/al/counted/s?key=running") == 1


def test_an_asynchronous_call_of_a_caller_who_left_makes_no_task(world):
    """Its arguments are checked first, by a worker: until then nothing was promised."""
    server, connect = world
    with busy_worker(world):
        connection = connect()
        connection.send(request_bytes("POST", "/api/v1/al/later/s", {"Content-Type": "application/json"}, b'{"key":"task"}'))
        wait_until(lambda: queued(world) >= 1, "the check waits for the worker")
        connection.close()
        wait_until(lambda: queued(world) == 0, "its place is free while the worker is still busy")
    # Behind the check, had it been left in the queue: what it had stored would stand before this one.
    with connect() as connection:
        connection.send(request_bytes("POST", "/api/v1/al/later/s", {"Content-Type": "application/json"}, b'{"key":"later"}'))
        task = connection.read().expect(202).json["data"]["url"].rsplit("/", 1)[1]
    with contextlib.closing(sqlite3.connect(server.data / "funcgate.db", timeout=20)) as database:
        assert database.execute("SELECT id FROM tasks").fetchall() == [(task,)]


def test_a_caller_who_only_ends_his_side_gets_his_answer(world):
    server, connect = world
    if "tls_certificate" in server.config:
        pytest.skip("Python cannot end one side of TLS")
    with busy_worker(world):
        connection = queue_up(world, "half")
        connection.socket.shutdown(socket.SHUT_WR)
        time.sleep(0.5)  # the server looks every 100 ms whether a caller who waits is still there
    with connection:
        answer = connection.read().expect(200)
    assert answer.json == 1
    assert answer.interim in ([], [100]), "a 100 that nobody asked for tells the server whether somebody reads"


def test_an_old_client_who_only_ends_his_side_is_sent_nothing_else(world):
    """HTTP/1.0 has no interim answers: such a caller is taken to be there."""
    server, connect = world
    if "tls_certificate" in server.config:
        pytest.skip("Python cannot end one side of TLS")
    with busy_worker(world):
        connection = connect()
        connection.send(b"GET /api/v1/al/count/s?key=old HTTP/1.0\r\nHost: x\r\n\r\n")
        connection.socket.shutdown(socket.SHUT_WR)
        time.sleep(0.5)  # the server looks every 100 ms whether a caller who waits is still there
    with connection:
        answer = connection.read().expect(200)
    assert answer.json == 1 and answer.interim == []


def test_a_patient_caller_is_sent_no_interim_answer(world):
    with busy_worker(world):
        connection = queue_up(world, "patient")
    with connection:
        assert connection.read().expect(200).interim == []


# --- the end

@pytest.mark.parametrize("why", ["asked", "idle", "malformed"])
def test_the_end_of_a_connection_is_orderly(world, why):
    """With TLS a missing close_notify would look like an attacker who cuts the answer off: the client raises."""
    with world[1]() as connection:
        if why == "asked":
            connection.send(get("/api/v1/al/hello/s", Connection="close"))
            connection.read().expect(200)
        elif why == "malformed":
            connection.send(b"GET / HTTP/9.9\r\n\r\n")
            connection.read()
        connection.socket.settimeout(30)
        assert connection.socket.recv(1) == b""
