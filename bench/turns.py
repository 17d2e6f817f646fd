"""Loads on one server that take turns of a tenth of a second, for differences smaller than what the machine's speed changes by.

How fast a shared machine is changes within seconds by a fifth and more (neighbours use its caches), so that of two visits, a second each
and one after the other, one is dearer by ten percent for nothing. Here every load has a wrk of its own, all of them are started, and all
but one are stopped (SIGSTOP) at any moment: whatever the machine does hits all of them alike.
"""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from load import Load, answer_bytes, command, result_of, sizes_differ
from measure import Bench, Case, Stage, check, warm_up
from processes import Failure, run_seconds

TURN_S = 0.1
REST_S = 0.005  # after a turn: until what was under way is answered
END_S = 30.0
ROOM = 1.3  # all turns take so much longer than they should at most


@dataclass
class Turns:
    """One load: its wrk, and the processor time of the server in its turns."""

    case: Case
    load: Load
    process: subprocess.Popen
    cpu_s: float = 0.0

    def finish(self) -> float:
        """Microseconds of processor time per request. Raises Failure if one was refused, or answered otherwise than in the warm-up."""
        printed, errors = self.process.communicate(timeout=END_S)
        result = result_of(self.case.name, self.process.returncode, printed, errors)
        size = answer_bytes(result, self.load)
        if self.case.warm and sizes_differ(size, self.case.warm.answer_bytes):
            raise Failure(f"{self.case.name}: an answer has {size[1]:.0f} bytes, in the warm-up it had {self.case.warm.answer_bytes[1]:.0f}: "
                          "these are other answers, and no figure is made of them")
        return self.cpu_s / result["requests"] * 1e6


class Server:
    """The processor time of a server's tree between two looks. A process that ended in between counts up to the look before."""

    def __init__(self, root: int):
        self.root, self.seen = root, run_seconds(root)

    def spent_s(self) -> float:
        before, self.seen = self.seen, run_seconds(self.root)
        return sum(seconds - before.get(pid, 0.0) for pid, seconds in self.seen.items())


def start(bench: Bench, case: Case, port: int, secrets: dict[str, str], seconds: float, folder: Path) -> Turns:
    load = bench.load(**{**case.load, "seconds": seconds})
    arguments = command(folder, port, case.call.with_secrets(secrets), load)
    return Turns(case, load, subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))


def one_round(bench: Bench, cases: list[Case], stage: Stage) -> dict[str, float]:
    """CPU microseconds per request by the name of the case. All cases are of one server. Each loads it for the bench's duration."""
    running = stage.of(cases[0].peer)
    count = max(2, round(bench.options.duration / TURN_S))
    until = time.monotonic() + len(cases) * count * (TURN_S + REST_S) * ROOM
    server, turns = Server(running.pid), []

    def turn(one: Turns, seconds: float) -> None:
        one.process.send_signal(signal.SIGCONT)
        time.sleep(seconds)
        one.process.send_signal(signal.SIGSTOP)
        time.sleep(REST_S)
        one.cpu_s += server.spent_s()

    try:
        for case in cases:
            turns.append(start(bench, case, running.port, running.secrets, until - time.monotonic(), bench.new_folder("turns")))
            turn(turns[-1], TURN_S)
        for number in range(1, count):
            for one in turns[number % len(turns):] + turns[:number % len(turns)]:
                turn(one, TURN_S)
        time.sleep(max(0.0, until - time.monotonic()) + 1)  # wrk counts whole seconds
        figures = {}
        for one in turns:
            one.process.send_signal(signal.SIGCONT)
            one.process.wait(END_S)
            time.sleep(REST_S)
            one.cpu_s += server.spent_s()
            figures[one.case.name] = one.finish()
        return figures
    finally:
        for one in turns:
            one.process.kill()
            one.process.wait()


def of_first(bench: Bench, cases: list[Case]) -> dict[str, list[float]]:
    """CPU per request of each case by that of the first, a value per round."""
    with Stage(bench, bench.server_core) as stage:
        for case in cases:
            check(case, stage.of(case.peer))
            warm_up(bench, case, stage.of(case.peer))
        made = [one_round(bench, cases, stage) for _ in range(bench.options.rounds)]
    return {case.name: [one[case.name] / one[cases[0].name] for one in made] for case in cases[1:]}

