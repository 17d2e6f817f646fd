"""What a thread of the real server costs: what it takes from the heap, how much it copies and which system calls it makes.

Heap and copies: tests/support/counting_preload.cpp, loaded into the server by LD_PRELOAD, writes a file of counts while calls run.
System calls: strace.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from support.server import BINARY, ROOT, Server, wait_until

PRELOAD = Path(os.environ.get("FUNCGATE_COUNTING_PRELOAD", ROOT / "build/release/lib/libfuncgate_counting_preload.so"))
RECORD = struct.Struct("<QQQQ")  # thread id, then the fields of Memory
SANITIZERS = (b"__asan_init", b"__tsan_init", b"__msan_init")


def has_own_allocator() -> bool:
    """Whether the program is a sanitizer build: those bring an allocator that cannot be replaced, and costs of their own."""
    program = BINARY.read_bytes()
    return any(name in program for name in SANITIZERS)


class Memory(NamedTuple):
    """What a thread has done with memory since it began."""

    allocations: int
    bytes: int  # asked for in these allocations
    copied: int  # bytes, by memcpy and memmove


class MemoryCounts:
    """A server under the counting library: `start` it in here, then read."""

    def __init__(self, folder: Path):
        assert PRELOAD.exists(), f"{PRELOAD} is missing: run script/build, or set FUNCGATE_COUNTING_PRELOAD"
        self.file = folder / "memory-counts"

    def environment(self) -> dict[str, str]:
        """What the server must be started with."""
        return {"LD_PRELOAD": str(PRELOAD), "FUNCGATE_COUNTS": str(self.file)}

    def of(self, thread: int) -> Memory:
        for identity, *counts in RECORD.iter_unpack(self.file.read_bytes()):
            if identity == thread:
                return Memory(*counts)
        raise AssertionError(f"thread {thread} has never taken memory: was the library loaded, and built with these tests?")


def io_thread(server: Server) -> int:
    """The id of the one io thread of a server with `server.threads = 1`."""
    tasks = Path(f"/proc/{server.process.pid}/task")
    found = [int(task.name) for task in tasks.iterdir() if (task / "comm").read_text().startswith("io-")]
    assert len(found) == 1, f"expected one io thread, found {found}"
    return found[0]


def sleeps(thread: int) -> bool:
    """Whether the thread waits in the kernel; one that strace has stopped is in another state."""
    return Path(f"/proc/{thread}/stat").read_text().rsplit(")", 1)[1].split()[0] == "S"


def tracer_of(thread: int) -> int:
    status = Path(f"/proc/{thread}/status").read_text()
    return int(status.split("TracerPid:", 1)[1].split()[0])


class SystemCalls:
    """Counts the system calls of one thread for as long as the `with` lasts; skips the test where nobody may trace.

    `counts` is there afterwards: calls by name.
    """

    def __init__(self, thread: int, folder: Path):
        self.thread, self.file, self.counts = thread, folder / "system-calls", Counter()

    def __enter__(self) -> "SystemCalls":
        # Without -f: this thread and no other.
        arguments = ["strace", "-qq", "-s", "0", "-e", "signal=none", "-o", str(self.file), "-p", str(self.thread)]
        try:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        except FileNotFoundError:
            pytest.skip("strace is not installed (script/bootstrap installs it)")
        wait_until(lambda: self.process.poll() is not None or tracer_of(self.thread) == self.process.pid, "strace has attached itself")
        if self.process.poll() is not None:
            reason = self.process.stderr.read().strip()
            assert "not permitted" in reason, reason
            pytest.skip(f"this machine does not let strace look at the server: {reason}")
        return self

    def __exit__(self, *_) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self.process.stderr.close()
        lines = self.file.read_text(encoding="ascii", errors="replace").splitlines()
        # The wait that strace finds the thread in and the one it leaves it in belong to no call and stay in: two in all.
        self.counts = Counter(line.split("(", 1)[0] for line in lines if "(" in line and "resumed>" not in line)
