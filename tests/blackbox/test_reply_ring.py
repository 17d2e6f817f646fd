"""Replies come back through memory and through the socket: their order, their content, and what a dying worker had finished."""

from __future__ import annotations

import threading

import pytest

from support.resources import Resources
from support.wire import query

SCRIPT = '''
import os
import time

@DFF.API("Echo")
def echo(number: int = 0, size: int = 0):
    return f"{number}:" + "x" * size

@DFF.API("Asks")
def asks(number: int = 0):
    DFF.CACHE.set(f"k{number}", number, expire=60)
    return f"{number}:{DFF.CACHE.get(f'k{number}')}"

@DFF.API("Sleeps")
def sleeps(number: int = 0, seconds: float = 0.02):
    time.sleep(seconds)
    return f"{number}:slept"

@DFF.API("Dies")
def dies():
    os.kill(os.getpid(), 9)
'''

CONFIG = "[limits]\npool_workers = 1\n"


@pytest.fixture
def world(make_server):
    world = Resources().scripts("demo", main=SCRIPT)
    for name in ("echo", "asks", "sleeps", "dies"):
        world.api(name, f"demo__main.{name}")
    return make_server(world, config=CONFIG)


def in_parallel(count: int, work) -> None:
    """Runs work(index) on `count` threads; the first failure is the test's."""
    failures: list[BaseException] = []

    def guarded(index: int) -> None:
        try:
            work(index)
        except BaseException as failure:  # noqa: BLE001 - shown by the test
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def call(connection, port: int, name: str, **kwargs):
    connection.send(f"GET /api/v1/al/{name}/s{query(**kwargs)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return connection.read("GET")


def result_of(answer) -> str:
    return answer.expect(200).text


# A reply of 70,000 bytes does not fit into the ring, one of 20,000 does three times.
SIZES = (0, 10, 1_000, 20_000, 0, 30_000, 70_000, 5, 300_000)


def test_every_caller_gets_his_own_result(world):
    """Small and large replies, questions in between, slow calls before fast ones: all through one worker."""

    def caller(index: int) -> None:
        with world.client.connect() as connection:
            for turn in range(60):
                number = index * 1000 + turn
                if turn % 20 == 7:
                    assert result_of(call(connection, world.port, "asks", number=number)) == f"{number}:{number}"
                elif turn % 20 == 13 and index % 4 == 0:
                    assert result_of(call(connection, world.port, "sleeps", number=number)) == f"{number}:slept"
                else:
                    size = SIZES[(index + turn) % len(SIZES)]
                    assert result_of(call(connection, world.port, "echo", number=number, size=size)) == f"{number}:" + "x" * size

    in_parallel(24, caller)


def test_pipelined_calls_of_many_connections(world):
    """Many requests in one write on each connection: answers in order, each with its own content."""

    def caller(index: int) -> None:
        sizes = [SIZES[(index + turn) % len(SIZES)] for turn in range(40)]
        with world.client.connect() as connection:
            connection.send(b"".join(
                f"GET /api/v1/al/echo/s{query(number=turn, size=size)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
                for turn, size in enumerate(sizes)))
            for turn, size in enumerate(sizes):
                assert result_of(connection.read("GET")) == f"{turn}:" + "x" * size

    in_parallel(8, caller)


def test_what_a_worker_had_finished_is_answered_although_it_dies(world):
    """Each death costs its own call; what others had got from that worker before arrives, what had not begun runs elsewhere."""
    deaths, lost, right = 12, [], []

    def caller(index: int) -> None:
        with world.client.connect() as connection:
            for turn in range(80):
                if index == 0 and turn % 7 == 0 and turn // 7 < deaths:
                    assert call(connection, world.port, "dies").status == 502
                    continue
                answer = call(connection, world.port, "echo", number=turn, size=turn)
                if answer.status == 200:
                    assert answer.text == f"{turn}:" + "x" * turn
                    right.append(turn)
                else:
                    lost.append(answer.body)

    in_parallel(16, caller)
    assert lost == []
    assert len(right) == 16 * 80 - deaths
