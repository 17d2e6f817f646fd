"""Those who guess passwords in bench/flood.py: many connections with a wrong password in flight on each, in one process that costs next to
nothing, so that what is measured beside them is the server and not its guessers.

One loop over raw sockets; a guess is one `send` and one `recv` of bytes that were put together from ready parts. Everything is over
loopback, each guesser from an address of its own, so that the share per address ends none of them. Guessers have computers of their
own: the process has the idle class, so that it takes no processor from the server or the caller that is measured, and those who were
sent away come back one by one and not all in the same millisecond.
"""

from __future__ import annotations

import base64
import dataclasses
import gc
import heapq
import multiprocessing
import os
import random
import select
import socket
import time
from multiprocessing.connection import Connection

# One who was told to come back later (503): nobody gains by asking at once. Pauses are evenly spread between both.
PAUSES_S = 0.1, 0.3
RECEIVED_MAX = 65536


@dataclasses.dataclass
class Flood:
    """What the guessers did between begin and end. Seconds."""

    answers: dict[int, int]
    elapsed_s: float
    cpu_s: float
    in_flight: float  # guesses without an answer yet, on average

    def add(self, other: "Flood") -> None:
        whole_s = self.elapsed_s + other.elapsed_s
        self.in_flight = (self.in_flight * self.elapsed_s + other.in_flight * other.elapsed_s) / whole_s if whole_s else 0.0
        self.elapsed_s, self.cpu_s = whole_s, self.cpu_s + other.cpu_s
        for status, count in other.answers.items():
            self.answers[status] = self.answers.get(status, 0) + count

    def per_second(self) -> dict[str, float]:
        """Answers to guesses, and of those the guesses for which a password was judged."""
        span_s = self.elapsed_s or 1.0
        return {"guesses_per_s": round(sum(self.answers.values()) / span_s, 1), "judged_per_s": round(self.answers.get(401, 0) / span_s, 1)}


def no_flood() -> Flood:
    return Flood({}, 0.0, 0.0, 0.0)


def is_whole(answer: bytes) -> bool:
    """Head and as many bytes as it announces. Our server announces them always."""
    head_end = answer.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    at = answer.find(b"ontent-Length: ", 0, head_end)
    return at < 0 or len(answer) >= head_end + 4 + int(answer[at + 15:answer.find(b"\r\n", at)])


class Guesser:
    """One connection from an address of its own. Each of its guesses is a password that nobody else tries."""

    def __init__(self, port: int, number: int, login: str, basic_target: str, session_target: str | None):
        """`session_target` None: guesses as Basic at `basic_target`; otherwise tries to sign in there."""
        self.port, self.address, self.tries = port, f"127.7.{number // 250}.{1 + number % 250}", 0
        self.number, self.paused = number, False  # number: its place in the list of all
        self.received = b""
        host = f"Host: 127.0.0.1:{port}\r\n".encode()
        self.signs_in = session_target is not None
        # The number of the try has a fixed width: so has the body, and all but its digits is ready.
        self.words = f"wrong password {number:03d} ".encode()
        if self.signs_in:
            self.words = b'{"login":"%s","password":"' % login.encode() + self.words
            self.head = b"POST %s HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
                session_target.encode(), host, len(self.words) + 10, self.words)
        else:
            self.words = login.encode() + b":" + self.words
            self.head = b"GET %s HTTP/1.1\r\n%sAuthorization: Basic " % (basic_target.encode(), host)
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=60, source_address=(self.address, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def guess(self) -> None:
        self.tries += 1
        digits = b"%08d" % self.tries
        rest = digits + b'"}' if self.signs_in else base64.b64encode(self.words + digits) + b"\r\n\r\n"
        self.socket.send(self.head + rest)

    def answer(self) -> int | None:
        """The status; 0: the server has closed. None: more is to come."""
        got = self.socket.recv(RECEIVED_MAX)
        if not got:
            return 0
        self.received = self.received + got if self.received else got
        if not is_whole(self.received):
            return None
        status = int(self.received[9:12])
        self.received = b""
        return status


def guess_until(ended: Connection, guessers: list[Guesser]) -> Flood:
    """All of them at once, and each again as soon as it was answered, until `ended` says something."""
    poll = select.epoll()
    poll.register(ended.fileno(), select.EPOLLIN)
    by_file: dict[int, Guesser] = {}
    for guesser in guessers:
        by_file[guesser.socket.fileno()] = guesser
        poll.register(guesser.socket.fileno(), select.EPOLLIN)
    flood, weighed = no_flood(), 0.0
    paused: list[tuple[float, int]] = []  # a heap: until when, and who
    choice = random.Random(0)
    begin_s, begin_cpu_s = time.monotonic(), time.process_time()
    for guesser in guessers:
        guesser.guess()
    before_s, now_s = begin_s, begin_s
    while True:
        wait_s = max(0.0, paused[0][0] - now_s) if paused else 10.0
        events = poll.poll(wait_s)
        now_s = time.monotonic()
        weighed += (len(guessers) - len(paused)) * (now_s - before_s)
        before_s = now_s
        for file, _ in events:
            guesser = by_file.get(file)
            if guesser is None:
                flood.elapsed_s, flood.cpu_s = now_s - begin_s, time.process_time() - begin_cpu_s
                flood.in_flight = weighed / flood.elapsed_s if flood.elapsed_s else 0.0
                return flood
            status = guesser.answer()
            if status is None:
                continue
            flood.answers[status] = flood.answers.get(status, 0) + 1
            if status == 0:
                del by_file[file]  # a closed file has left the poll
                guesser.socket.close()
                guesser.connect()
                by_file[guesser.socket.fileno()] = guesser
                poll.register(guesser.socket.fileno(), select.EPOLLIN)
            if status in (0, 503):
                if not guesser.paused:  # one whose connection is closed meanwhile goes on pausing
                    guesser.paused = True
                    heapq.heappush(paused, (now_s + choice.uniform(*PAUSES_S), guesser.number))
            else:
                guesser.guess()
        while paused and paused[0][0] <= now_s:
            guesser = guessers[heapq.heappop(paused)[1]]
            guesser.paused = False
            guesser.guess()


def _work(ended: Connection, arguments: tuple) -> None:
    port, count, login, basic_target, session_target = arguments
    # Garbage of a loop that makes none need not be looked for, and its pauses would be guesses that come late.
    gc.disable()
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    guessers = [Guesser(port, number, login, basic_target, session_target if number % 2 == 0 else None) for number in range(count)]
    ended.send(os.getpid())
    ended.send(guess_until(ended, guessers))


class Guessing:
    """`with Guessing(port, count, login, basic_target, session_target) as guessing: …; flood = guessing.end()`.

    A process of its own. All guess as Basic; with `session_target` every other one tries to sign in instead. On return of `__enter__`
    all are connected and have begun.
    """

    def __init__(self, *arguments):
        self.arguments = arguments
        self.process: multiprocessing.Process | None = None

    def __enter__(self) -> "Guessing":
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_work, args=(other, self.arguments), daemon=True)
        self.process.start()
        other.close()
        self.pid = self.pipe.recv()  # EOFError: it could not connect, and has said why
        return self

    def end(self) -> Flood:
        self.pipe.send("end")
        return self.pipe.recv()

    def __exit__(self, *_) -> None:
        self.process.kill()  # what it had to say it has said
        self.process.join()
        self.pipe.close()
