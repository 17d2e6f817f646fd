"""The server as a process: start, apply, look at its log and processes, stop it, or pull the plug."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from support.resources import Resources
from support.wire import Client

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("FUNCGATE_BIN", ROOT / "build/release/bin/funcgate"))
START_S = 60.0
STOP_S = 45.0
COMMAND_S = 120.0


def wait_until(condition, what: str, within_s: float = 30.0, pause_s: float = 0.02):
    """The first true value of `condition()`. Polls, because conditions arrive when they arrive; fails after `within_s`."""
    until = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, f"not within {within_s} s: {what}"
        time.sleep(pause_s)  # between looks


def environment() -> dict[str, str]:
    """The environment without what pytest tells its children: names of tests may hold the very texts a test searches for."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def command(*arguments: str | Path, **more) -> subprocess.CompletedProcess:
    """Runs `funcgate ARGUMENTS` to its end."""
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=COMMAND_S,
                          stdin=subprocess.DEVNULL, env=environment(), **more)


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return None


# As `config`: no file at all.
NO_FILE = ""


def on_two_threads(config: str) -> str:
    """The configuration with two io threads, unless it says how many: what threads share is shared, whatever machine this is."""
    if re.search(r"^threads *=", config, re.M):
        return config
    if re.search(r"^\[server\]$", config, re.M):
        return re.sub(r"^\[server\]$", "[server]\nthreads = 2", config, count=1, flags=re.M)
    return f"{config}\n[server]\nthreads = 2\n"


class Server:
    """One server with a data directory of its own on a port that the kernel chose."""

    def __init__(self, folder: Path, config: str | None = None, arguments: tuple[str, ...] = ()):
        self.folder = folder
        self.data = folder / "data"
        self.config = config
        self.arguments = arguments
        self.process: subprocess.Popen | None = None
        self.port = 0
        self.applied = 0
        self.logs: list[Path] = []
        folder.mkdir(parents=True, exist_ok=True)

    # --- life

    def start(self, *apply: Path) -> "Server":
        """Starts and waits for the ready line; `apply`: folders given to --apply."""
        assert self.process is None, "already started"
        arguments = [str(BINARY), "serve", "--data", str(self.data), "--listen", "127.0.0.1:0", *self.arguments]
        if self.config != NO_FILE:
            path = self.folder / "funcgate.toml"
            path.write_text(on_two_threads(self.config or ""), encoding="utf-8")
            arguments += ["--config", str(path)]
        for path in apply:
            arguments += ["--apply", str(path)]
        log = self.folder / f"server-{len(self.logs)}.log"
        self.logs.append(log)
        with log.open("wb") as sink, log.with_suffix(".out").open("wb") as output:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=sink, cwd=self.folder, env=environment())
        ready = wait_until(self._ready_or_dead, "the server says that it is ready", START_S)
        assert isinstance(ready, dict), f"the server ended with {self.process.returncode}:\n{self.log()[-4000:]}"
        self.port = int(ready["listen"].rsplit(":", 1)[1])
        return self

    def _ready_or_dead(self):
        for event in self.events():
            if event.get("event") == "server.ready":
                return event
        return self.process.poll() is not None and "dead"

    def stop(self) -> int:
        """SIGTERM and the exit status. A server that does not end in time is killed and fails the test."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)
            raise AssertionError(f"the server did not stop within {STOP_S} s:\n{self.log()[-3000:]}") from None

    def kill(self) -> None:
        """As a power failure would: SIGKILL, nothing is flushed."""
        process, self.process = self.process, None
        children = self.descendants(process.pid)
        process.kill()
        process.wait(30)
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "the workers follow the server")

    # --- what it is made of

    @staticmethod
    def descendants(pid: int) -> list[int]:
        """Living processes below `pid`, in no particular order."""
        parents = {int(entry): parent_of(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()}
        found, frontier = [], [pid]
        while frontier:
            current = frontier.pop()
            children = [child for child, parent in parents.items() if parent == current]
            found += children
            frontier += children
        return found

    def workers(self) -> list[int]:
        """The processes that run user code: those below the zygote, which is the server's own child."""
        below = self.descendants(self.process.pid)
        return [pid for pid in below if parent_of(pid) != self.process.pid]

    # --- log

    def log(self) -> str:
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in self.logs)

    def events(self) -> list[dict]:
        """Events of the current process, oldest first."""
        found = []
        for line in self.logs[-1].read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                found.append(event)
        return found

    # --- resources

    def write(self, resources: Resources) -> Path:
        self.applied += 1
        return resources.write(self.folder / f"resources-{self.applied}")

    def try_apply(self, resources: Resources | Path, *options: str) -> subprocess.CompletedProcess:
        folder = resources if isinstance(resources, Path) else self.write(resources)
        return command("apply", "-f", folder, "--data", self.data, *options)

    def apply(self, resources: Resources | Path, *options: str) -> subprocess.CompletedProcess:
        done = self.try_apply(resources, *options)
        assert done.returncode == 0, f"apply ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    # --- calls

    @property
    def client(self) -> Client:
        return Client(self.port)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"
