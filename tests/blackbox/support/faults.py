"""System calls that fail, or end the program, at a chosen moment: strace puts itself in between."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from functools import cache
from pathlib import Path

import pytest

from support.server import BINARY, COMMAND_S, environment, wait_until


@cache
def why_not() -> str:
    """Why nothing can be injected here; empty if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (script/bootstrap installs it)"
    tried = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "true"], capture_output=True, text=True, timeout=30)
    return "" if tried.returncode == 0 else f"this machine does not let strace trace: {tried.stderr.strip()}"


def optional(names: str) -> str:
    """The calls among these that this architecture has: only x86-64 has all of "open,openat" or "rename,renameat,renameat2"."""
    return ",".join(f"?{name}" for name in names.split(","))


def words_of(injections: list[str], arguments: tuple[str | Path, ...], only: tuple[Path, ...], log: str | Path) -> list[str]:
    parts = [injection.partition(":") for injection in injections]
    words = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=" + ",".join(optional(names) for names, _, _ in parts)]
    for path in only:
        words += ["-P", str(path)]
    for names, colon, fault in parts:
        words += ["-e", f"inject={optional(names)}{colon}{fault}"]
    return [*words, str(BINARY), *map(str, arguments)]


def broken_command(injections: list[str], *arguments: str | Path, only: Path | None = None, **more) -> subprocess.CompletedProcess:
    """Runs `funcgate ARGUMENTS` with faults as strace's `-e inject=` takes them: "renameat2:error=EINVAL", "rename,renameat:signal=KILL:when=3".

    `only`: none but the calls for this path. The return code is that of the program.
    """
    if reason := why_not():
        pytest.skip(reason)
    return subprocess.run(words_of(injections, arguments, (only,) if only else (), "/dev/null"), capture_output=True, text=True, timeout=COMMAND_S,
                          stdin=subprocess.DEVNULL, env=environment(), **more)


class HaltingCommand:
    """`funcgate ARGUMENTS` that stands still behind chosen system calls, for as long as a test needs. A context.

    `halts`: as faults of broken_command(), without the fault: "mkdir,mkdirat" or "open,openat:when=1". `only`: at these paths.
    """

    def __init__(self, log: Path, halts: str, *arguments: str | Path, faults: tuple[str, ...] = (), only: tuple[Path, ...] = ()):
        if reason := why_not():
            pytest.skip(reason)
        names, _, when = halts.partition(":")
        halt = f"{names}:signal=STOP" + (f":{when}" if when else "")
        self.log, self.halts = log, 0
        self.process = subprocess.Popen(words_of([halt, *faults], arguments, only, log), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        stdin=subprocess.DEVNULL, env=environment(), start_new_session=True)

    def __enter__(self) -> "HaltingCommand":
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate(timeout=30)

    def _halted(self) -> list[int]:
        """Who has been stopped so far, in order."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [int(pid) for pid in re.findall(r"^(\d+) +--- stopped by SIGSTOP ---$", text, re.MULTILINE)]

    def halted(self) -> bool:
        """Waits for the next halt; False: it has ended instead."""
        wait_until(lambda: len(self._halted()) > self.halts or self.process.poll() is not None, "the command halts or ends", 60)
        return len(self._halted()) > self.halts

    def go_on(self) -> None:
        os.kill(self._halted()[self.halts], signal.SIGCONT)
        self.halts += 1

    def finish(self) -> subprocess.CompletedProcess:
        out, error = self.process.communicate(timeout=COMMAND_S)
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, out, error)
