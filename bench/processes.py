"""Processes of the bench: how they are started and ended, and what the kernel tells about them.

Shared by script/bench and the programs of this folder. Everything ends by the pid it was started with, never by a name.
Units: seconds, bytes. A process is meant with all its living descendants wherever the text says "tree".
"""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("FUNCGATE_BIN", ROOT / "build/release/bin/funcgate"))
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """Something that ends the bench: what went wrong, where, and what to do. Shown without a stack trace."""


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(core: int | None, *arguments: str | Path) -> list[str]:
    """The command line, bound to one core; `None`: to none."""
    words = [str(argument) for argument in arguments]
    return words if core is None else ["taskset", "--cpu-list", str(core), *words]


def start(arguments: list[str], log: Path, cwd: Path | None = None, environment: dict[str, str] | None = None) -> subprocess.Popen:
    """Starts without input; what it prints goes to `log`. `environment` is added to ours."""
    with log.open("ab") as sink:
        return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=cwd, env={**os.environ, **(environment or {})})


def stop(process: subprocess.Popen | None, within_s: float = 45.0) -> None:
    """SIGTERM, and SIGKILL for what does not end in time."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def tail(log: Path, length: int = 3000) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-length:] if log.exists() else ""


def await_port(port: int, process: subprocess.Popen, log: Path, within_s: float = 30.0) -> None:
    """Returns when something listens on 127.0.0.1:`port`."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Failure(f"{' '.join(process.args)} ended with {process.returncode}:\n{tail(log)}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.002)
    raise Failure(f"nothing listens on 127.0.0.1:{port} after {within_s:g} s:\n{tail(log)}")


def serve(arguments: list[str], port: int, log: Path, cwd: Path | None = None, environment: dict[str, str] | None = None) -> subprocess.Popen:
    """Starts a server and returns when it listens on `port`; one that does not is ended."""
    process = start(arguments, log, cwd, environment)
    try:
        await_port(port, process, log)
    except BaseException:
        stop(process, 5)
        raise
    return process


def open_files_max() -> int:
    """Raises our bound of open files, which children inherit, as far as allowed. Returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


# --- what the kernel tells

def stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat behind the name: [0] state, [1] parent, [11:15] utime stime cutime cstime. None: it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def tree(root: int) -> list[int]:
    """`root` and its living descendants, parents first."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat_fields(int(entry))) and fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = [root]
    for pid in found:  # grows while it is walked
        found += children.get(pid, [])
    return found


def workers_of(server: int) -> list[int]:
    """Processes that run Python for a Funcgate server: its grandchildren, through the process that forks them."""
    found = []
    for zygote in children_of(server):
        found += children_of(zygote)
    return found


def children_of(pid: int) -> list[int]:
    """Living children. Cheap enough to be asked every millisecond: reads a few files and not the whole of /proc."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += [int(child) for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return [child for child in found if (fields := stat_fields(child)) and fields[0] != "Z"]


def cpu_seconds(root: int) -> float:
    """User and system time of the tree, including children that have ended and were waited for."""
    ticks = 0
    for pid in tree(root):
        if fields := stat_fields(pid):
            ticks += sum(int(value) for value in fields[11:15])
    return ticks / TICKS_PER_S


def thread_times(pid: int) -> dict[str, tuple[float, float]]:
    """Seconds that the threads of a process have run and have waited for a processor while they could have run, added up by name."""
    times: dict[str, tuple[float, float]] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            ran_ns, waited_ns = map(int, (task / "schedstat").read_text().split()[:2])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        ran_s, waited_s = times.get(name, (0.0, 0.0))
        times[name] = (ran_s + ran_ns / 1e9, waited_s + waited_ns / 1e9)
    return times


def run_seconds(root: int) -> dict[int, float]:
    """Processor time of each living process of the tree, by pid: to the nanosecond, where cpu_seconds() counts hundredths of a second."""
    found = {}
    for pid in tree(root):
        try:
            found[pid] = sum(ran_s for ran_s, _ in thread_times(pid).values())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
    return found


def sum_of(root: int, file: str, name: str) -> int:
    """Bytes: the line `name: N kB` of /proc/PID/`file`, added up over the tree."""
    total = 0
    for pid in tree(root):
        try:
            line = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/{file}").read_text(), re.M)
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(line.group(1)) * 1024 if line else 0
    return total


def pss_bytes(root: int) -> int:
    """Memory of the tree; pages that several processes share count in parts (proportional set size). Sockets' buffers are not in it."""
    return sum_of(root, "smaps_rollup", "Pss")


def forget_peaks(root: int) -> None:
    """From now on `peak_bytes` tells the peak since this moment."""
    for pid in tree(root):
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            continue


def peak_bytes(root: int) -> int:
    return sum_of(root, "status", "VmHWM")


def resident_bytes(root: int) -> int:
    return sum_of(root, "status", "VmRSS")


def run_program(main) -> int:
    """Exit status of a program of this folder: a Failure is told without a stack trace."""
    try:
        return main()
    except Failure as failure:
        print(f"{Path(sys.argv[0]).name}: {failure}", file=sys.stderr)
        return 1
