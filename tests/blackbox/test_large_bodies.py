"""Large bodies beside small ones on one worker: they leave in many pieces, come with a length or in chunks, and nothing is mixed."""

from __future__ import annotations

import hashlib
import json

import pytest

from support.resources import Resources
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
'''
SIZES = [1, 100, 5_000, 65_535, 65_536, 65_537, 200_000, 1_000_000, 3_000_000]
HEADERS = [("Content-Type", "application/json")]


@pytest.fixture
def server(make_server):
    resources = Resources().scripts("demo", main=SCRIPT).api("digest", "demo__main.digest")
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
