"""Response times tell nobody which names exist: of every reason to refuse a password the median is the same within 5 % (identity §3,
authentication 37).

Samples of all kinds are taken in turn, so that whatever else the machine does falls on all alike, and the order within a turn rotates.
The medians of all samples so far are compared after each round; the test passes as soon as they lie close together and fails when
they do not after 2,000 of each kind. A difference of one password hash, or of a part of it, never passes; noise needs more rounds.
FUNCGATE_TIMING_SAMPLES is the number below which nothing is judged (default 100; with 2000 only the whole number is).
"""

from __future__ import annotations

import os
import re
import statistics
import time

import pytest

from support.credentials import basic
from support.management import API, PASSWORD, Management
from support.resources import Resources
from support.server import Server
from support.wire import Answer, Connection, request_bytes

LEAST = int(os.environ.get("FUNCGATE_TIMING_SAMPLES", "100"))
MOST = max(LEAST, 2000)
ROUND = 50
WARM = 20
WANTED_RATIO = 1.05
HOPELESS_RATIO = 1.5  # no noise that falls on all kinds alike does this to medians: the test need not go on for minutes
BASIC = "/api/v1/func-api/basic"
RIGHT = "a password of everybody"
VARIABLE = re.compile(rb'"(traceId|clientTime|reqTime|respTime|reqCost)":("[^"]*"|[0-9.]+|null)')


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    """A server of its own that counts failures as every other does. Only what one account may fail from everywhere together is raised:
    each turn comes from another address."""
    server = Server(tmp_path_factory.mktemp("timing"), "[auth.throttle]\neverywhere_failures = 1000000\n")
    users = [{"username": "mia", "password": RIGHT}, {"username": "gone", "password": RIGHT, "disabled": True},
             {"username": "past", "password": RIGHT, "notAfter": "2020-01-01T00:00:00Z"}]
    resources = Resources().scripts("demo", main="@DFF.API('Hello')\ndef hello():\n    return 'hello'\n").basic("staff", users)
    server.start(server.write(resources.api("basic", "demo__main.hello", "staff")))
    admin = Management.set_up(server)
    admin.create("/users", login="mia", password=PASSWORD)
    admin.create("/users", login="gone", password=PASSWORD, enabled=False)
    yield server
    assert server.stop() == 0


def sign_in_as(login: str, password: str) -> bytes:
    body = f'{{"login":"{login}","password":"{password}"}}'.encode()
    return request_bytes("POST", f"{API}/session", {"Content-Type": "application/json"}, body)


def call_as(name: str, password: str) -> bytes:
    return request_bytes("GET", BASIC, basic(name, password))


# A new password in each turn, of one length: nothing of it can be remembered. The right one of who is disabled stands for itself.
SIGN_INS = {
    "unknown login": lambda number: sign_in_as("nora", f"Wrong-Horse-{number:05}!"),
    "wrong password": lambda number: sign_in_as("mia", f"Wrong-Horse-{number:05}!"),
    "disabled user": lambda number: sign_in_as("gone", f"Wrong-Horse-{number:05}!"),
    "disabled user, right password": lambda number: sign_in_as("gone", PASSWORD),
}
BASIC_CALLS = {
    "unknown user": lambda number: call_as("nora", f"a wrong password {number:05}"),
    "wrong password": lambda number: call_as("mia", f"a wrong password {number:05}"),
    "disabled user": lambda number: call_as("gone", f"a wrong password {number:05}"),
    "expired user": lambda number: call_as("past", f"a wrong password {number:05}"),
}


class Times:
    """Seconds of the answers of each kind, and what of the answers must not differ."""

    def __init__(self, port: int, kinds: dict, error: str):
        self.port, self.kinds, self.error = port, kinds, error
        self.seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        self.bodies: set[bytes] = set()
        self.heads: set[tuple] = set()

    def turn(self, number: int) -> None:
        """One sample of each kind, from an address that has not failed before: one failure of each name blocks nobody."""
        names = list(self.kinds)
        names = names[number % len(names):] + names[:number % len(names)]
        requests = {name: self.kinds[name](number) for name in names}
        with Connection(self.port) as connection:
            connection.send(request_bytes("GET", "/healthz"))
            connection.read().expect(200)
            for name in names:
                begin = time.perf_counter()
                connection.send(requests[name])
                answer = connection.read()
                seconds = time.perf_counter() - begin
                self._check(answer)
                if number >= WARM:
                    self.seconds[name].append(seconds)

    def _check(self, answer: Answer) -> None:
        answer.refused(self.error)
        self.bodies.add(VARIABLE.sub(b"", answer.body))
        self.heads.add(tuple(name for name, _ in answer.fields))

    def medians(self) -> dict[str, float]:
        return {kind: statistics.median(seconds) for kind, seconds in self.seconds.items()}

    def ratio(self) -> float:
        medians = self.medians().values()
        return max(medians) / min(medians)

    def text(self) -> str:
        rows = ", ".join(f"{kind} {median * 1000:.3f} ms" for kind, median in self.medians().items())
        return f"ratio {self.ratio():.4f} of medians over {len(next(iter(self.seconds.values())))} samples each: {rows}"


@pytest.mark.timeout(900)  # the whole number, on a machine that does other things
@pytest.mark.parametrize("kinds, error", [(SIGN_INS, "401.14"), (BASIC_CALLS, "401.99")], ids=["sign-in", "basic"])
def test_medians_of_all_refusals_lie_within_five_percent(instance, kinds, error):
    """authentication 37, identity §3."""
    times = Times(instance.port, kinds, error)
    for number in range(WARM + MOST):
        times.turn(number)
        taken = number + 1 - WARM
        if taken < LEAST or (taken % ROUND != 0 and taken != LEAST):
            continue
        if times.ratio() <= WANTED_RATIO or times.ratio() > HOPELESS_RATIO:
            break
    print(times.text())  # shown by pytest -rP
    assert times.ratio() <= WANTED_RATIO, times.text()
    assert len(times.bodies) == 1, times.bodies
    assert len(times.heads) == 1, times.heads
