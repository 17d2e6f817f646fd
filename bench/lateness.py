"""What the machine takes away while a load is measured: how late somebody runs who goes before all others.

`cyclictest` (Debian's rt-tests) sleeps a millisecond at a time on the servers' core, with a real-time priority. No server can hold it up
for longer than one of its system calls lasts; when it is late by more, the machine was away: its host, or its kernel's own work. Where
that is a third of a hundredth of the time, a 99th percentile tells of the machine and no longer of the server, whoever is measured.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

LATE_US = 100  # what a system call may hold it up, and a sleeping core take to wake
DISTURBED = 0.003  # of the time
ATTEMPTS = 4
CYCLE_US = 1000
LONGEST_US = 20_000
END_S = 5.0
PROBE_S = 0.3

Made = TypeVar("Made")


def parse(histogram: str) -> float:
    """Seconds of lateness above LATE_US in what cyclictest prints: `microseconds count` a line, comments begin with #. What is beyond
    the histogram counts as its end."""
    late_us = 0
    for line in histogram.splitlines():
        words = line.split()
        if line.startswith("# Histogram Overflows:"):
            late_us += LONGEST_US * int(words[-1])
        elif len(words) == 2 and words[0].isdigit() and int(words[0]) > LATE_US:
            late_us += int(words[0]) * int(words[1])
    return late_us / 1e6


@dataclass
class Watch:
    """Watches a core while something is measured, and counts how often it was measured again. `core` None: it does not watch."""

    core: int | None
    visits: int = 0
    again: int = 0
    disturbed: int = 0  # of those that count, because all attempts were
    unwatched: int = 0  # cyclictest ended before its time

    @staticmethod
    def of(core: int | None) -> "Watch":
        """One that watches if that is possible: the load is pinned, the program is there, and real-time priorities are allowed."""
        watch = Watch(core)
        if core is not None and (not shutil.which("cyclictest") or watch.lateness(lambda: time.sleep(PROBE_S)) is None):
            watch.core = None
        return watch

    def lateness(self, measure: Callable[[], object]) -> float | None:
        """Seconds for which the core was away during `measure`; None: cyclictest did not do its work."""
        command = ["cyclictest", "--threads=1", f"--affinity={self.core}", "--priority=90", f"--interval={CYCLE_US}", "--quiet", "--laptop",
                   f"--histogram={LONGEST_US}"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                measure()
                if process.poll() is not None:
                    return None
                process.terminate()
                return parse(process.communicate(timeout=END_S)[0])
            finally:
                process.kill()

    def undisturbed(self, seconds: float, measure: Callable[[], Made]) -> Made:
        """What `measure`, which takes so many seconds, gives when the machine lets it; after ATTEMPTS, what the calmest one gave."""
        self.visits += 1
        if self.core is None:
            return measure()
        tried: list[tuple[float, Made]] = []
        while len(tried) < ATTEMPTS:
            made: list[Made] = []
            late_s = self.lateness(lambda: made.append(measure()))
            self.unwatched += late_s is None
            if late_s is None or late_s <= DISTURBED * seconds:
                return made[0]
            tried.append((late_s, made[0]))
            self.again += len(tried) < ATTEMPTS
        self.disturbed += 1
        return min(tried, key=lambda one: one[0])[1]

    def __str__(self) -> str:
        if self.core is None:
            return "not looked for (needs cyclictest and real-time priorities)"
        return (f"{self.again} for {self.visits} visits in which the core was away for more than {DISTURBED:.1%}; {self.disturbed} stayed so, "
                f"{self.unwatched} were not watched")
