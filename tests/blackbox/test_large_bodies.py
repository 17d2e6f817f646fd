"""Large bodies beside small ones on one worker: they leave in many pieces, come with a length or in chunks, and nothing is mixed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from support.costs import has_own_allocator
from support.memory import smaps_kib
from support.resources import Resources
from support.server import wait_until
from support.wire import request_bytes
from test_reply_ring import in_parallel

SCRIPT = '''
import hashlib

@DFF.API("Digest")
def digest(text: str, number: int = 0, asks: bool = False):
    if asks:
        DFF.CACHE.set(f"k{number}", number, expire=60)
        number = DFF.CACHE.get(f"k{number}")
    return f"{number}:{len(text)}:{hashlib.sha256(text.encode()).hexdigest()}"

@DFF.API("The same again")
def again(data: list):
    return data

held = []

@DFF.API("Ten MiB of small objects")
def hold():
    held.extend(bytes(400) for _ in range(25_000))

@DFF.API("Frees them, and what Python itself keeps of objects")
def drop():
    import gc
    held.clear()
    gc.collect()
'''
SIZES = [1, 100, 5_000, 65_535, 65_536, 65_537, 200_000, 1_000_000, 3_000_000]
HEADERS = [("Content-Type", "application/json")]


@pytest.fixture
def server(make_server):
    resources = Resources().scripts("demo", main=SCRIPT)
    for name in ("digest", "again", "hold", "drop"):
        resources.api(name, f"demo__main.{name}")
    return make_server(resources, config="[limits]\npool_workers = 1\n")


def text_of(number: int, size: int) -> str:
    """Each place of each text has another content, so that moved or mixed pieces show."""
    block = hashlib.sha256(str(number).encode()).hexdigest()
    return "".join(f"{at:08x}{block}" for at in range(size // 72 + 1))[:size]


def expected(number: int, text: str) -> str:
    return f"{number}:{len(text)}:{hashlib.sha256(text.encode()).hexdigest()}"


def chunked(body: bytes, chunk_bytes: int) -> bytes:
    pieces = [body[at:at + chunk_bytes] for at in range(0, len(body), chunk_bytes)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("chunk_bytes", [None, 4096, 100_000])
def test_many_callers_with_bodies_of_all_sizes(server, chunk_bytes):
    target = "/api/v1/func-api/digest/s"

    def work(index: int) -> None:
        with server.client.connect() as connection:
            for turn in range(4):
                number = index * 100 + turn
                text = text_of(number, SIZES[(index + turn) % len(SIZES)])
                body = json.dumps({"text": text, "number": number, "asks": number % 2 == 0}).encode()
                if chunk_bytes is None:
                    request = request_bytes("POST", target, HEADERS, body)
                else:
                    request = request_bytes("POST", target, [*HEADERS, ("Transfer-Encoding", "chunked")]) + chunked(body, chunk_bytes)
                connection.send(request)
                assert connection.read("POST").expect(200).text == expected(number, text)

    in_parallel(12, work)


def minor_faults(pid: int) -> int:
    """Pages that the kernel gave to the process so far."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[7])


def test_memory_of_large_calls_is_kept_until_they_rest(server):
    """A megabyte of JSON becomes some ten of objects. The next call finds the memory as it was, in server and worker; after a second it is given back."""
    if has_own_allocator():
        pytest.skip("a sanitizer build keeps what was freed")
    records = [{"id": number, "name": f"Article number {number}", "price": number * 1.25 + 0.1, "tags": ["shop", "north", f"shelf-{number % 97}"],
                "stock": {"here": number % 13, "ordered": number % 3 == 0}, "note": "käuflich"} for number in range(7_000)]
    body = json.dumps({"data": records}).encode()
    assert len(body) > 1_000_000
    request = request_bytes("POST", "/api/v1/func-api/again/s", HEADERS, body)
    callers, turns = 8, 10

    def work(_: int) -> None:
        with server.client.connect() as connection:
            for _ in range(turns):
                connection.send(request)
                assert connection.read("POST").expect(200).json == records

    [worker] = server.workers()
    # The memory of the first hashes goes back, too.
    wait_until(lambda: smaps_kib(server.process.pid, "Private_Dirty") < 12 << 10, "a server that rests")
    both = [server.process.pid, worker]
    idle_kib = [smaps_kib(pid, "Private_Dirty") for pid in both]
    in_parallel(callers, work)
    before = [minor_faults(pid) for pid in both]
    in_parallel(callers, work)
    faults = [(minor_faults(pid) - earlier) / (callers * turns) for pid, earlier in zip(both, before)]
    used_kib = [smaps_kib(pid, "Private_Dirty") for pid in both]
    assert max(faults) < 100, faults
    assert all(used > idle + 8192 for used, idle in zip(used_kib, idle_kib)), (used_kib, idle_kib)
    # What becomes free of a call's objects is a matter of which live on among them; of these none does.
    server.client.get("/api/v1/func-api/hold/s").expect(200)
    held_kib = smaps_kib(worker, "Private_Dirty")
    server.client.get("/api/v1/func-api/drop/s").expect(200)
    most_kib = [idle_kib[0] + 4096, held_kib - 5120]
    wait_until(lambda: all(smaps_kib(pid, "Private_Dirty") < most for pid, most in zip(both, most_kib)),
               f"a server and a worker that have given back what they do not use, down to {most_kib} KiB", 10.0)
    # Neither the wait that ended nor what was given back is in the way of the next call.
    in_parallel(2, work)
    assert server.workers() == [worker]
