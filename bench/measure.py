"""Interleaved rounds: every case once, then every case again, so that drift of the machine hits all of them alike. A round may come in
several visits to each case, because a neighbour on a shared machine disturbs for seconds: whoever is looked at meanwhile would pay alone.

Before anything is measured each case is checked: right credentials 200 and the right answer, wrong and missing ones 401.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import digest
from load import Call, Load, Round, ask, differ, send, together
from peers import Peer, Running
from processes import Failure

WARM_S = 2.0
VISIT_S = 1.0
SMALL_BODY = 4096


@dataclass
class Case:
    """One thing that is measured: a call of a peer. `call` has the right credentials, `wrong` replaces headers by wrong ones.

    `wrong` None: open to everybody. `expected`: the JSON that must be answered, None for any body. `load` overrides parts of the load.
    `warm`: what the warm-up gave, in which the status of every answer was looked at.
    """

    name: str
    title: str
    peer: Peer
    call: Call
    wrong: dict[str, str] | None = None
    expected: object = None
    credential: digest.Credential | None = None
    load: dict = field(default_factory=dict)
    ours: bool = False
    warm: Round | None = None


@dataclass
class Bench:
    """What the command line decided, and what was found out. Cores are None without pinning."""

    options: argparse.Namespace
    folder: Path
    server_core: int | None
    load_core: int | None
    wanted: dict[str, set[str]] = field(default_factory=dict)  # table -> chosen cases; empty: all of the table
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
            print(f"note: {text}", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def chosen(self, table: str, name: str) -> bool:
        names = self.wanted.get(table)
        return not names or name in names

    def load(self, **changes) -> Load:
        load = Load(self.options.connections, self.options.duration, self.load_core)
        return replace(load, **changes)

    def new_folder(self, name: str) -> Path:
        """An empty folder that other users may enter: nginx's worker changes its user."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        folder.chmod(0o755)
        return folder


class Stage:
    """The started peers of a table, each once. A context: at its end they are stopped, the last one first."""

    def __init__(self, bench: Bench, core: int | None):
        self.bench, self.core = bench, core
        self.running: dict[str, Running] = {}
        self.stack = ExitStack()

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *error) -> None:
        self.stack.close()

    def of(self, peer: Peer) -> Running:
        if peer.name not in self.running:
            running = peer.start(self.bench.new_folder(peer.name), self.core)
            self.stack.callback(running.stop)
            self.running[peer.name] = running
        return self.running[peer.name]


def present(bench: Bench, cases: list[Case]) -> list[Case]:
    """Those whose peer is installed. An optional peer that is not is noted; of others script/bootstrap bench was to take care."""
    found = []
    for case in cases:
        if not (missing := case.peer.missing()):
            found.append(case)
        elif case.peer.optional:
            bench.note(f"{case.name} is left out: not installed ({missing})")
        else:
            raise Failure(f"{case.name} needs {missing}: run script/bootstrap bench")
    return found


def check(case: Case, running: Running) -> None:
    """A fast server that lets everybody in, or nobody, is no result."""
    call = case.call.with_secrets(running.secrets)
    attempts = [("right credentials", call, 200)]
    bare = {name: value for name, value in call.headers.items() if name not in (case.wrong or {})}
    missing = replace(call, headers=bare)
    if case.credential:
        challenge = digest.challenge_of(ask(running.port, missing), case.credential.algorithm)
        bad = replace(case.credential, password="a wrong one")
        signed = lambda credential, count: replace(call, headers={**bare, "Authorization": digest.header(credential, call.target, challenge, count)})
        attempts = [("right credentials", signed(case.credential, 1), 200), ("wrong credentials", signed(bad, 2), 401)]
    elif case.wrong:
        attempts.append(("wrong credentials", replace(call, headers={**call.headers, **case.wrong}), 401))
    if case.wrong or case.credential:
        attempts.append(("missing credentials", missing, 401))
    for what, attempt, wanted in attempts:
        if wanted == 401 and len(attempt.body) > SMALL_BODY:
            attempt = replace(attempt, body=b"{}")  # nobody reads a stranger's large body; sending it would only break the connection
        status, _, body = ask(running.port, attempt)
        if status != wanted:
            raise Failure(f"{case.name}: {what} gave {status} instead of {wanted}: {body[:300]!r}")
        if wanted == 200 and case.expected is not None and json.loads(body) != case.expected:
            raise Failure(f"{case.name}: wrong answer {body[:300]!r}")


def one_round(bench: Bench, case: Case, running: Running, **changes) -> Round:
    """Failure also if answers are of another size than in the warm-up: then they are other answers, whatever wrk thinks of them."""
    load = bench.load(**{**case.load, **changes})
    made = send(case.name, bench.folder, running.port, running.pid, case.call.with_secrets(running.secrets), load, case.credential)
    if case.warm and differ(made, case.warm):
        raise Failure(f"{case.name}: an answer has {made.answer_bytes[1]:.0f} bytes, in the warm-up it had {case.warm.answer_bytes[1]:.0f}: "
                      "these are other answers, and no figure is made of them")
    return made


def warm_up(bench: Bench, case: Case, running: Running, seconds: float = WARM_S) -> None:
    """Caches are filled, just-in-time compilers done, functions known as fast; and every answer is 2xx."""
    case.warm = None
    case.warm = one_round(bench, case, running, seconds=min(seconds, bench.options.duration), every_status=True)


def interleaved(bench: Bench, cases: list[Case], core: int | None, visit: Callable[[Case, Running, float], tuple[Round, ...]],
                visit_s: float = VISIT_S, warm_s: float = WARM_S) -> Iterator[dict[str, tuple[Round, ...]]]:
    """Starts the peers, checks every case, warms it up, then gives what each round measured by the name of the case, and stops the peers.

    `visit` loads a case for so many seconds; a round has as many visits of `visit_s` to each case, in turn, as make up its length."""
    visits = max(1, round(bench.options.duration / visit_s))
    with Stage(bench, core) as stage:
        for case in cases:
            check(case, stage.of(case.peer))
        for case in cases:
            warm_up(bench, case, stage.of(case.peer), warm_s)
        for number in range(bench.options.rounds):
            made: dict[str, list[tuple[Round, ...]]] = {case.name: [] for case in cases}
            for _ in range(visits):
                for case in cases:
                    made[case.name].append(visit(case, stage.of(case.peer), bench.options.duration / visits))
            yield {name: tuple(map(together, zip(*parts))) for name, parts in made.items()}
            bench.say(f"round {number + 1} of {bench.options.rounds}")


def rounds(bench: Bench, cases: list[Case], core: int | None, visit_s: float = VISIT_S) -> dict[str, list[Round]]:
    """Rounds of every case by its name, interleaved."""
    measured: dict[str, list[Round]] = {case.name: [] for case in cases}
    for made in interleaved(bench, cases, core, lambda case, running, seconds: (one_round(bench, case, running, seconds=seconds),), visit_s):
        for name, (one,) in made.items():
            measured[name].append(one)
    return measured
