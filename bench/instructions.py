#!/usr/bin/python3
"""bench/instructions.py [--write] [--anyway] [--rounds N] [--binary PATH]

How many instructions the io thread executes for one call, with each kind of authentication: counted by callgrind in the real server,
so that neither the clock nor other programs of the machine play a part, and compared with bench/instruction_baseline.json. Prints a
table, and for schemes that changed the functions that did. Exit 1 if a call costs more than the baseline and its tolerance, 77 if
this machine cannot count, or if the baseline was made under other conditions. --write makes the baseline anew, which belongs into the
change that made calls dearer or cheaper.

One io thread, one worker, one connection that stays open, one call after the other. The server is started and warmed up first, then
the counters are set to zero: start-up is not in the figures. Of several rounds the one with the fewest instructions counts, because
disturbances only add; the spread of the rounds is told beside it. Left out is the search for the next timer, whose length depends on
how much time passes between two calls. The figures belong to one processor family, C library, compiler, valgrind and way to build: where
one of them differs nothing is compared, unless --anyway says so. Valgrind shows programs no instructions for SHA and counts each byte
of a `rep stosb`, so that hashing and wiping weigh more here than in time.

Needs valgrind and objcopy (script/bootstrap).
"""
from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import digest
from load import Call, ask
from peers import BASIC, PASSWORD, TOKEN, USER
from peers.funcgate import CALL, ONE_CORE, documents
from processes import BINARY, ROOT, Failure, run_program, tail
from product import Product

BASELINE = ROOT / "bench/instruction_baseline.json"
SCHEMES = ("anonymous", "fixed", "basic", "key", "digest")
QUERY = "?a=2&b=3"
SUM = b'{"sum":5}'
TOLERANCE = 0.03
WARM_UP_CALLS, CALLS = 60, 150
CANNOT_COUNT = 77
START_S, COMMAND_S, ANSWER_S = 180.0, 60.0, 60.0
# By the clock and not by the call: how far away the next timer is.
WAITING = ("funcgate::base::TimerWheel::next_delay_ms",)
LEAST = 25  # instructions per call from which on a function is kept in the baseline
SHOWN = 12


class CannotCount(Failure):
    """Nothing is wrong with the server: this machine cannot run it under callgrind."""


def short(name: str) -> str:
    """A function without its parameters, so that it keeps its name when a type is renamed."""
    plain = re.sub(r"\[clone [^]]*\]|'\d+$|\(anonymous namespace\)::", "", name).strip()
    while (shorter := re.sub(r"<[^<>]*>|\([^()]*\)( const)?(?=$|::|\s)", "", plain)) != plain:
        plain = shorter
    # Templates are written with the type of their result in front.
    plain = re.sub(r"^.*\s(?=[\w:~()]*::)", "", plain)
    return plain[:110] or name[:110]


def self_costs(path: Path) -> Counter:
    """Instructions of each function itself, of a file that callgrind wrote without lines and instructions."""
    names: dict[str, str] = {}
    objects: dict[str, str] = {}
    costs: Counter = Counter()
    function, library, of_callee = "", "", False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if found := re.match(r"ob=\((\d+)\)(?: (.*))?$", line):
            if found.group(2):
                objects[found.group(1)] = Path(found.group(2)).name
            library = objects[found.group(1)]
        elif found := re.match(r"cob=\((\d+)\) (.*)$", line):
            objects[found.group(1)] = Path(found.group(2)).name
        elif found := re.match(r"c?fn=\((\d+)\)(?: (.*))?$", line):
            if found.group(2):
                names[found.group(1)] = short(found.group(2))
            if line.startswith("fn="):
                function = names[found.group(1)]
                if function.startswith("0x"):
                    function = f"{library}, without a name"
        elif line.startswith("calls="):
            of_callee = True
        elif found := re.match(r"[+\-*\d]\S* (\d+)$", line):
            if not of_callee and function:
                costs[function] += int(found.group(1))
            of_callee = False
    return costs


@dataclass
class Measured:
    """Instructions per call: of the best round, and of every function in it; the dearest round."""

    instructions: float
    highest: float
    functions: dict[str, float]


class Counted:
    """The server under callgrind. A context."""

    def __init__(self, folder: Path, binary: Path):
        self.folder, self.dumps = folder, folder / "counts"
        self.dumps.mkdir()
        # Without debug information, of which valgrind does not know the newest form; names of functions stay.
        stripped = folder / "bin/funcgate"
        stripped.parent.mkdir()
        subprocess.run(["objcopy", "--strip-debug", binary, stripped], check=True, timeout=COMMAND_S)
        (stripped.parent / "funcgate-worker").symlink_to(binary.resolve().parent / "funcgate-worker")
        under = ("valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", "--dump-line=no", f"--callgrind-out-file={self.dumps}/%p")
        self.product = Product(folder / "server", stripped, ONE_CORE, under=under)

    def __enter__(self) -> "Counted":
        try:
            self.product.start(documents(with_func=False).write(self.folder / "resources"), within_s=START_S)
        except Failure as failure:
            if "Valgrind" in (log := tail(self.product.log)) and '"event"' not in log:
                raise CannotCount(f"valgrind cannot run this program: {log[-600:]}") from failure
            raise
        try:
            key = self.folder / "key"
            self.product.command("key", "create", "--user", USER, "--name", "bench", "--out", key)
            self.key = key.read_text().strip()
            self.tell("instrumentation", "on")
        except BaseException:
            self.product.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.product.stop()

    def tell(self, *words: str) -> None:
        done = subprocess.run(["vgdb", f"--pid={self.product.pid}", *words], capture_output=True, text=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise CannotCount(f"vgdb cannot reach the server: {done.stderr.strip()[-600:]}")

    def counts_of(self, work) -> Counter:
        """Instructions of the io thread by function while `work()` runs."""
        for old in self.dumps.iterdir():
            old.unlink()
        self.tell("zero")
        work()
        self.tell("dump")
        found = [counts for counts in map(self_costs, self.dumps.glob("*.*-*")) if any("funcgate::http::Connection" in name for name in counts)]
        if len(found) != 1:
            raise Failure(f"expected one thread that serves connections, found {len(found)}")
        return Counter({name: count for name, count in found[0].items() if not name.startswith(WAITING)})


class Caller:
    """Sends the same call again and again over one connection. A context."""

    def __init__(self, counted: Counted, scheme: str):
        self.port, self.target, self.count = counted.product.port, CALL.format(f"sum-{scheme}") + QUERY, 0
        self.credential = digest.Credential(USER, PASSWORD) if scheme == "digest" else None
        self.headers = {"fixed": {"X-Auth-Token": TOKEN}, "basic": {"Authorization": BASIC}, "key": {"Authorization": f"Bearer {counted.key}"}}.get(scheme, {})
        self.challenge = digest.challenge_of(ask(self.port, Call(self.target)), self.credential.algorithm) if self.credential else {}

    def __enter__(self) -> "Caller":
        self.socket = socket.create_connection(("127.0.0.1", self.port), ANSWER_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def request(self) -> bytes:
        headers = self.headers
        if self.credential:
            self.count += 1
            headers = {"Authorization": digest.header(self.credential, self.target, self.challenge, self.count)}
        lines = [f"GET {self.target} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def calls(self, number: int) -> None:
        for request in [self.request() for _ in range(number)]:
            self.socket.sendall(request)
            answer = b""
            while not answer.endswith(b"\r\n\r\n" + SUM):
                piece = self.socket.recv(65536)
                answer += piece
                if not piece or b"\r\n\r\n" in answer and not answer.startswith(b"HTTP/1.1 200 "):
                    raise Failure(f"{self.target} was answered {answer[:300]!r}")


def measure(binary: Path, rounds: int) -> dict[str, Measured]:
    """Per scheme. Rounds are interleaved."""
    found: dict[str, list[Counter]] = {scheme: [] for scheme in SCHEMES}
    with tempfile.TemporaryDirectory(prefix="funcgate-instructions-") as folder, Counted(Path(folder), binary) as counted:
        for number in range(rounds):
            for scheme in SCHEMES:
                with Caller(counted, scheme) as caller:
                    caller.calls(WARM_UP_CALLS if number == 0 else WARM_UP_CALLS // 4)
                    found[scheme].append(counted.counts_of(lambda: caller.calls(CALLS)))
    made = {}
    for scheme, counts in found.items():
        best = min(counts, key=Counter.total)
        made[scheme] = Measured(best.total() / CALLS, max(map(Counter.total, counts)) / CALLS, {name: count / CALLS for name, count in best.items()})
    return made


def first_line(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL, check=False)
    return done.stdout.strip().partition("\n")[0]


def compiler_of(binary: Path) -> str:
    """What the compiler wrote into the program."""
    done = subprocess.run(["objcopy", "-O", "binary", "--only-section=.comment", "--set-section-flags", ".comment=alloc", binary, "/dev/stdout"],
                          capture_output=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL, check=False)
    notes = sorted({text for text in done.stdout.decode("utf-8", "replace").split("\0") if "clang" in text or "GCC" in text})
    # The start files of the C library bring the name of another compiler.
    return next((text for text in notes if "clang" in text), notes[0] if notes else "unknown")


def build_of(binary: Path) -> str:
    """How CMake was told to build it, as the folder above says."""
    cache = binary.resolve().parent.parent / "CMakeCache.txt"
    if not cache.exists():
        return "unknown"
    values = dict(re.findall(r"^(\w+):\w+=(.*)$", cache.read_text(encoding="utf-8", errors="replace"), re.MULTILINE))
    kind = values.get("CMAKE_BUILD_TYPE", "")
    words = [kind, values.get("CMAKE_CXX_FLAGS", ""), values.get(f"CMAKE_CXX_FLAGS_{kind.upper()}", ""), values.get("FUNCGATE_SANITIZE", "")]
    return " ".join(word for word in words if word)


def conditions(binary: Path) -> dict[str, str]:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {"processor": model.group(1) if model else platform.machine(), "libc": " ".join(platform.libc_ver()), "compiler": compiler_of(binary),
            "valgrind": first_line("valgrind", "--version"), "build": build_of(binary)}


def differences(baseline: dict, binary: Path) -> list[str]:
    """What is not as it was when the baseline was made."""
    here, there = conditions(binary), baseline["conditions"]
    return [f"{name} was {there.get(name)!r} and is {here.get(name)!r}" for name in {**there, **here} if there.get(name) != here.get(name)]


def write(measured: dict[str, Measured], binary: Path) -> None:
    schemes = {scheme: {"instructions": round(made.instructions),
                        "functions": {name: round(count) for name, count in sorted(made.functions.items(), key=lambda entry: (-entry[1], entry[0]))
                                      if count >= LEAST}}
               for scheme, made in measured.items()}
    baseline = {"tolerance": TOLERANCE, "conditions": conditions(binary), "schemes": schemes}
    BASELINE.write_text(json.dumps(baseline, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {BASELINE.relative_to(ROOT)}")


def table(measured: dict[str, Measured], baseline: dict) -> list[str]:
    """Prints the comparison; the schemes that cost more than is tolerated."""
    print(f"{'instructions per call':24}{'baseline':>10}{'now':>10}{'change':>9}{'rounds up to':>14}")
    dearer, moved = [], []
    for scheme, made in measured.items():
        before = baseline["schemes"][scheme]["instructions"]
        change = made.instructions / before - 1
        print(f"{scheme:24}{before:>10,}{made.instructions:>10,.0f}{change:>+9.1%}{made.highest / made.instructions - 1:>+14.1%}")
        if change > baseline["tolerance"]:
            dearer.append(scheme)
        if abs(change) > baseline["tolerance"] / 2:
            moved.append(scheme)
    for scheme in moved:
        before = baseline["schemes"][scheme]["functions"]
        changes = {name: measured[scheme].functions.get(name, 0) - before.get(name, 0) for name in {*before, *measured[scheme].functions}}
        print(f"\n{scheme}: functions that changed")
        for name, change in sorted(changes.items(), key=lambda entry: -abs(entry[1]))[:SHOWN]:
            if abs(change) >= LEAST:
                print(f"  {change:>+8.0f}  {name}{'' if name in before else '  (new, or small before)'}")
    return dearer


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/instructions.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make the baseline anew")
    parser.add_argument("--anyway", action="store_true", help="compare with a baseline that was made under other conditions, too")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of every scheme, the best of which counts (default 3)")
    parser.add_argument("--binary", type=Path, default=BINARY, help="the server; default build/release/bin/funcgate, or FUNCGATE_BIN")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    if not options.binary.exists():
        raise Failure(f"{options.binary} is missing: run script/build first")
    try:
        if missing := [name for name in ("valgrind", "vgdb", "objcopy") if not shutil.which(name)]:
            raise CannotCount(f"not installed: {', '.join(missing)} (script/bootstrap installs valgrind)")
        told = [] if options.write else differences(json.loads(BASELINE.read_text(encoding="utf-8")), options.binary)
        if told and not options.anyway:
            raise CannotCount(f"the baseline was made under other conditions: {'; '.join(told)}. --anyway compares, --write makes one of this machine")
        measured = measure(options.binary, options.rounds)
    except CannotCount as reason:
        print(f"instructions.py: {reason}", file=sys.stderr)
        return CANNOT_COUNT
    if options.write:
        write(measured, options.binary)
    dearer = table(measured, json.loads(BASELINE.read_text(encoding="utf-8")))
    if told:
        print(f"\nthe baseline was made under other conditions: {'; '.join(told)}")
    if dearer:
        print(f"\ndearer than the baseline by more than {TOLERANCE:.0%}: {', '.join(dearer)}. Make it cheaper, or say why in the change and "
              "run bench/instructions.py --write")
    return 1 if dearer else 0


if __name__ == "__main__":
    sys.exit(run_program(main))
