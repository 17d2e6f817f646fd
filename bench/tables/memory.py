"""Memory of a server that has nothing to do: after its first answers, and with thousands of idle keep-alive connections.

PSS of all processes; buffers of sockets belong to the kernel and are not in it. Every round starts each server anew.
"""

from __future__ import annotations

import socket
import time

from load import Call
from measure import Bench, Case, check, present
from outcome import Column, Comparison, Outcome, Picture, Row
from peers.asgi import Uvicorn
from peers.fastify import Fastify
from peers.funcgate import Funcgate
from processes import Failure, open_files_max, pss_bytes
from tables import Table, reference, versions
from tables.calls import ours, theirs
from tables.cores import DEFAULTS

NAMES = ("basic", "fastapi-async", "asgi", "fastify")
CONNECTIONS = (1_000, 10_000)
SETTLE_S = 1.0
COLUMNS = [Column("idleMebibytes", "idle, MiB"), *(Column(f"kibibytesPerConnection{count}", f"KiB per connection at {count:,}", 2) for count in CONNECTIONS)]


def request_text(call: Call, port: int) -> bytes:
    headers = {"Host": f"127.0.0.1:{port}", **call.headers, **({"Content-Length": str(len(call.body))} if call.body else {})}
    head = f"{call.method} {call.target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return head.encode() + b"\r\n" + call.body


def connect(port: int, text: bytes) -> socket.socket:
    """A connection on which one request was answered and that now waits."""
    made = socket.create_connection(("127.0.0.1", port), timeout=30)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.sendall(text)
    answer = made.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        made.close()
        raise Failure(f"an idle connection was answered {answer[:100]!r}")
    return made


def one(bench: Bench, case: Case, counts: tuple[int, ...]) -> list[float]:
    """Idle MiB, then KiB per connection at each of `counts`."""
    running = case.peer.start(bench.new_folder(case.peer.name), None)
    held: list[socket.socket] = []
    try:
        check(case, running)
        text = request_text(case.call.with_secrets(running.secrets), running.port)
        for _ in range(20):
            connect(running.port, text).close()
        time.sleep(SETTLE_S)
        idle = pss_bytes(running.pid)
        found = [idle / 2**20]
        for count in counts:
            while len(held) < count:
                held.append(connect(running.port, text))
            time.sleep(SETTLE_S)
            found.append((pss_bytes(running.pid) - idle) / count / 1024)
        return found
    finally:
        for connection in held:
            connection.close()
        running.stop()


def run(bench: Bench) -> Outcome:
    open_max = open_files_max()
    counts = tuple(count for count in CONNECTIONS if count + 1000 <= open_max)
    if counts != CONNECTIONS:
        bench.note(f"memory: at most {open_max} open files are allowed here, so that {CONNECTIONS[-1]:,} connections are left out (ulimit -Hn)")
    product = Funcgate(bench.options.binary, "funcgate-defaults", DEFAULTS, with_func=False)
    cases = [ours(product, "basic"), theirs("fastapi-async", "FastAPI async def, 2 workers", Uvicorn("fastapi-async-2", "fastapi_async", 2)),
             theirs("asgi", "ASGI by hand, 2 workers", Uvicorn("asgi-2", "asgi_by_hand", 2)), theirs("fastify", "Fastify", Fastify())]
    cases[0].title = "Funcgate, 2 workers"
    chosen = present(bench, [reference()] + [case for case in cases if bench.chosen("memory", case.name)])
    rows = [Row(case.name, case.title, {column.figure: [] for column in COLUMNS[:1 + len(counts)]}, case.ours) for case in chosen]
    for number in range(bench.options.rounds):
        for case, row in zip(chosen, rows):
            for values, value in zip(row.figures.values(), one(bench, case, counts)):
                values.append(value)
        bench.say(f"round {number + 1} of {bench.options.rounds}")
    last = COLUMNS[len(counts)].figure
    outcome = Outcome("memory", "Memory of idle servers", COLUMNS, rows, [], [
        Picture("bars", "idleMebibytes", "PSS of all processes, MiB: shorter is better"),
        Picture("bars", last, f"KiB per idle connection, {counts[-1]:,} of them: shorter is better")], versions(chosen))
    outcome.conditions["cores"] = "not pinned"
    if row := outcome.row("basic"):
        outcome.comparisons.append(Comparison("server and 2 workers, idle", row.figures["idleMebibytes"], "lower", 45, 30, "MiB"))
        for column in COLUMNS[1:1 + len(counts)]:
            outcome.comparisons.append(Comparison(column.title, row.figures[column.figure], "lower", 6, 2, "KiB"))
    return outcome


TABLES = (Table("memory", "memory of idle servers, and per idle connection at 1,000 and 10,000", NAMES, run),)
