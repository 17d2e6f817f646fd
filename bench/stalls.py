"""How much of a core the machine itself takes away: what its host gives to others, and its kernel's own work.

A program that only looks at the clock sees it as gaps. A server that is idle three quarters of its time answers whoever comes during a
gap after it, so that gaps of one hundredth of the time are the 99th percentile of its answers, whatever it does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

GAP_NS = 100_000
LOOK_S = 1.0


@dataclass(frozen=True)
class Stalls:
    """`share` of the time, 0 to 1, that went by in gaps of more than GAP_NS; the longest of them in ms."""

    share: float
    longest_ms: float

    def __str__(self) -> str:
        return f"{self.share:.2%} of a second, {self.longest_ms:.1f} ms at once"


def look(core: int | None, seconds: float = LOOK_S, clock: Callable[[], int] = time.perf_counter_ns) -> Stalls:
    """Looks at the clock, in ns, over and over again, on the core, or wherever the kernel likes if None."""
    allowed = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        begin = last = clock()
        end, gaps, longest = begin + int(seconds * 1e9), 0, 0
        while last < end:
            now = clock()
            if now - last > GAP_NS:
                gaps, longest = gaps + now - last, max(longest, now - last)
            last = now
        return Stalls(gaps / (last - begin), longest / 1e6)
    finally:
        os.sched_setaffinity(0, allowed)
