"""Cores that stay awake while waiting is measured.

A core with nothing to do sleeps. On a virtual machine it then belongs to the host, which gives it back when it comes to that: some ten
microseconds later, or on a busy host milliseconds. Whoever is called then is late without having been at work. Linux knows a wish for
short waits (PM QoS, `/dev/cpu_dma_latency`, which tuned's profile latency-performance and cyclictest use as well): while a program holds
it at 0, idle cores poll instead of sleeping. Unlike a program that spins, polling keeps nobody from the core.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WISH = Path("/dev/cpu_dma_latency")
STATES = "/sys/devices/system/cpu/cpu{core}/cpuidle"
REST_S = 0.01  # until every core knows
LOOK_S = 0.1


def slept_s(core: int) -> float | None:
    """How long the core has slept so far, in seconds; None: the kernel does not tell, or has no other way to be idle."""
    states = sorted(Path(STATES.format(core=core)).glob("state*"))
    if not states or (states[0] / "name").read_text().strip() != "POLL":
        return None
    return sum(int((state / "time").read_text()) for state in states[1:]) / 1e6


@contextmanager
def awake() -> Iterator[None]:
    """No core sleeps within. Raises OSError where that cannot be asked for."""
    wish = os.open(WISH, os.O_WRONLY)
    try:
        os.write(wish, struct.pack("i", 0))
        yield
    finally:
        os.close(wish)


def can_stay_awake(core: int | None) -> bool:
    """Tried, and looked at whether it did. Without pinning nobody knows which core to look at."""
    if core is None or slept_s(core) is None:
        return False
    try:
        with awake():
            time.sleep(REST_S)
            before = slept_s(core)
            time.sleep(LOOK_S)
            return slept_s(core) - before < LOOK_S / 10
    except OSError:
        return False
