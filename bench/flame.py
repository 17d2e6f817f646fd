#!/usr/bin/python3
"""bench/flame.py CASE [--seconds N] [--out FILE] [options]

Where the time of a call goes: starts the server of a case (calls/basic, authentication/key, …) and wrk as script/bench does, records
the stacks of all processes of the server with perf while calls run, and draws them as a flame graph into
bench/results/flame-CASE.svg. Any case of the tables calls and authentication will do, those of other servers too.

In the picture each box is a function, as wide as its share of all samples; the functions that it called stand on it. Sorted by name
from left to right, not by time. Colours say whose code it is: Funcgate's or the server's own program, Python, libraries, the kernel.
A browser shows the full name, the samples and the share of a box when the pointer rests on it. What has less than --cut of all
samples is left out. Needs no script and loads nothing.

Samples are taken by the clock of the processor time (cpu-clock), so that it works in virtual machines without counters. perf slows
the server down: rates are not told. perf keeps a piece of the stack with each sample and follows it afterwards by the tables for
exceptions, because Debian's libraries have no frame pointers. Stacks that could not be followed to their beginning stand on "stack
not complete". How threads begin, and the gate into the kernel, are left out or made one box.

Needs perf (Debian: linux-perf) and root, or kernel.perf_event_paranoid of 1 or less; without, it says so and ends with 1.
"""
from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flame_picture
from flame_picture import Frame
from instructions import short
from measure import Bench, Case, Stage, check, one_round
from processes import BINARY, ROOT, Failure, open_files_max, run_program, tree
from tables import authentication, calls

TABLES = {"calls": calls.cases, "authentication": authentication.cases}
RESULTS = ROOT / "bench/results"
INCOMPLETE = "stack not complete"
BEFORE_S = 0.7  # of load, before the recording begins
READ_S = 300.0
# A stack that was followed to its end begins in one of these. They say nothing and are not drawn.
BEGINNINGS = {"_start", "__libc_start_main", "__libc_start_call_main", "clone", "clone3", "__clone", "start_thread", "ret_from_fork", "ret_from_fork_asm"}
THREAD_STARTS = re.compile(r"std::thread::_State_impl|libstdc\+\+[\w.]*, without a name")
SYSTEM_CALL = {"entry_SYSCALL_64_after_hwframe", "entry_SYSCALL_64", "do_syscall_64", "el0t_64_sync", "el0t_64_sync_handler", "el0_svc", "do_el0_svc"}
PYTHON = re.compile(r"python|orjson|uvloop|httptools|/(lib-dynload|site-packages|dist-packages)/")
NAMESPACES = ((r"boost::asio::(detail::)?", "asio::"), (r"boost::beast::(detail::)?", "beast::"), (r"std::__cxx11::", "std::"), (r"\bfuncgate::", ""))


def find_case(name: str, binary: Path) -> Case:
    table, _, wanted = name.partition("/")
    known = {f"{key}/{case.name}": case for key, cases in TABLES.items() for case in cases(binary)}
    if name in known:
        return known[name]
    raise Failure(f'there is no case "{name}": choose one of {", ".join(one for one in known if table not in TABLES or one.startswith(table))}')


def record(pids: list[int], options: argparse.Namespace, path: Path) -> None:
    """Stacks of the processes and their threads into `path`."""
    done = subprocess.run(["perf", "record", "--no-buildid-cache", "--output", path, "--event", "cpu-clock", "--freq", str(options.rate),
                           "--call-graph", options.stacks, "--pid", ",".join(map(str, pids)), "--", "sleep", f"{options.seconds:g}"],
                          capture_output=True, text=True, timeout=options.seconds + 60, stdin=subprocess.DEVNULL)
    if done.returncode or not path.exists():
        raise Failure(f"perf could not record ({done.returncode}): {(done.stderr or done.stdout).strip()[-800:]}\n"
                      "It needs root, or sysctl kernel.perf_event_paranoid of 1 or less.")


def read(path: Path) -> str:
    done = subprocess.run(["perf", "script", "--input", path, "--no-inline", "--fields", "comm,pid,tid,ip,sym,dso"], capture_output=True, text=True,
                          errors="replace", timeout=READ_S, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Failure(f"perf script ended with {done.returncode}: {done.stderr.strip()[-800:]}")
    return done.stdout


def plain_name(symbol: str) -> str:
    """A function without parameters and templates, and namespaces that say nothing."""
    name = short(symbol.removesuffix("@plt"))
    for pattern, text in NAMESPACES:
        name = re.sub(pattern, text, name)
    return name


def kind_of(library: str, program: str) -> str:
    """Whose code it is: kernel, python, own (the program that runs), library, none."""
    name = Path(library).name
    if library.startswith("[") and library not in ("[unknown]", "[vdso]", "[stack]", "[heap]"):
        return "kernel"
    if PYTHON.search(library):
        return "python"
    if library in ("[unknown]", "[stack]", "[heap]") or library.startswith("//"):
        return "none"
    return "own" if ".so" not in name and name != "[vdso]" or program == name else "library"


def frame_of(symbol: str, library: str, program: str) -> Frame:
    kind, file = kind_of(library, program), Path(library.strip("[]")).name
    if kind == "kernel":
        return Frame("system call" if symbol in SYSTEM_CALL else symbol, kind, "kernel")
    return Frame(f"{file}, without a name" if symbol == "[unknown]" else plain_name(symbol), kind, file)


def frames_of(lines: list[str], program: str) -> list[Frame]:
    """One stack, the beginning first. A function that calls itself, or templates of one name in each other, are one frame."""
    found: list[Frame] = []
    for line in lines:
        match = re.match(r"\s*[0-9a-f]+ (.*) \(([^()]*(?:\([^()]*\))?[^()]*)\)$", line)
        if not match:
            continue
        symbol, library = re.sub(r"@@?[A-Z].*$", "", match.group(1)), match.group(2)
        if symbol == "[unknown]" and kind_of(library, program) == "none":
            continue  # what the unwinder made of memory that is no stack
        found.append(frame_of(symbol, library, program))
    found.reverse()
    whole = any(frame.name in BEGINNINGS for frame in found[:3]) or not found or found[0].kind == "kernel"
    while len(found) > 1 and (found[0].name in BEGINNINGS or THREAD_STARTS.match(found[0].name)):
        del found[0]
    if not whole:
        found.insert(0, Frame(INCOMPLETE, "none", ""))
    return [frame for index, frame in enumerate(found) if index == 0 or frame.name != found[index - 1].name]


def stacks(text: str) -> Counter:
    """How often each stack was seen, as a tuple of Frame that begins with the name of the thread."""
    seen: Counter = Counter()
    for block in text.split("\n\n"):
        head, *lines = block.strip("\n").split("\n")
        match = re.match(r"\s*(.+?)\s+(-?\d+)/\d+\s*$", head)
        if match and lines:
            seen[(Frame(match.group(1), "none", ""), *frames_of(lines, match.group(1)))] += 1
    return seen


def sampled(case: Case, options: argparse.Namespace, folder: Path) -> Counter:
    """Starts, checks and warms up as script/bench does, then records while one round of load runs."""
    cores = (options.server_core, options.load_core) if options.pin else (None, None)
    bench = Bench(options, folder, *cores)
    if missing := case.peer.missing():
        raise Failure(f"{case.name} needs {missing}: run script/bootstrap bench")
    with Stage(bench, cores[0]) as stage, ThreadPoolExecutor(1) as load:
        running = stage.of(case.peer)
        check(case, running)
        one_round(bench, case, running, seconds=2.0)
        round_of_load = load.submit(one_round, bench, case, running, seconds=options.seconds + BEFORE_S + 2)
        time.sleep(BEFORE_S)  # the load needs a moment
        try:
            record(tree(running.pid), options, folder / "perf.data")
        except Failure:  # a process of the tree may just have ended
            record(tree(running.pid), options, folder / "perf.data")
        round_of_load.result()  # a round with refusals is no picture
    return stacks(read(folder / "perf.data"))


def shares(seen: Counter) -> dict[str, float]:
    """Share of the samples by whose code was running."""
    kinds: Counter = Counter()
    for stack, count in seen.items():
        kinds[stack[-1].kind] += count
    return {kind: kinds[kind] / seen.total() for kind in flame_picture.KINDS if kinds[kind]}


def draw(seen: Counter, title: str, cut: float) -> str:
    told = ", ".join(f"{flame_picture.KINDS[kind]} {share:.0%}" for kind, share in shares(seen).items())
    return flame_picture.draw(seen, title, f"{seen.total():,} samples of processor time; in {told}", cut)


def read_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/flame.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", metavar="CASE", help="TABLE/CASE of script/bench --list: calls/fixed, authentication/basic, …")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of the recording (default 6)")
    parser.add_argument("--rate", type=int, default=2000, help="samples per second of processor time (default 2000)")
    parser.add_argument("--stacks", default="dwarf,8192", help="how perf follows stacks: dwarf,BYTES of each stack (default dwarf,8192) or fp")
    parser.add_argument("--cut", type=float, default=0.003, help="least share of all samples that is drawn (default 0.003)")
    parser.add_argument("--out", type=Path, help="the picture; default bench/results/flame-TABLE-CASE.svg")
    parser.add_argument("--connections", type=int, default=64, help="keep-alive connections of the load (default 64)")
    parser.add_argument("--pin", action=argparse.BooleanOptionalAction, default=True, help="bind server and load to a core each (default)")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--binary", type=Path, default=BINARY, help="the server; default build/release/bin/funcgate, or FUNCGATE_BIN")
    options = parser.parse_args(arguments)
    if not 1 <= options.seconds <= 120 or not 100 <= options.rate <= 20_000 or not 0 < options.cut < 1:
        parser.error("--seconds lies between 1 and 120, --rate between 100 and 20000, --cut between 0 and 1")
    if options.pin and (options.server_core == options.load_core or not {options.server_core, options.load_core} <= os.sched_getaffinity(0)):
        parser.error("server and load need two different cores (--server-core, --load-core), or --no-pin")
    options.rounds, options.duration = 1, options.seconds
    return options


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that what was started is ended
    options = read_options(sys.argv[1:])
    case = find_case(options.case, options.binary)
    if missing := [name for name in ("perf", "wrk") if not shutil.which(name)]:
        raise Failure(f"not installed: {', '.join(missing)}. perf is in Debian's package linux-perf, wrk comes with script/bootstrap bench.")
    if not options.binary.exists():
        raise Failure(f"{options.binary} is missing: run script/build first")
    open_files_max()
    with tempfile.TemporaryDirectory(prefix="funcgate-flame-") as name:
        Path(name).chmod(0o755)
        seen = sampled(case, options, Path(name))
    if seen.total() < 100:
        raise Failure(f"perf saw {seen.total()} samples: nothing to draw")
    out = options.out or RESULTS / f"flame-{options.case.replace('/', '-')}.svg"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(draw(seen, f"Where the time goes: {case.title} ({options.case})", options.cut), encoding="utf-8")
    told = ", ".join(f"{flame_picture.KINDS[kind]} {share:.1%}" for kind, share in shares(seen).items())
    print(f"{out}: {seen.total():,} samples, {out.stat().st_size / 1024:.0f} KiB; in {told}")
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
