"""The memory of a process, read through /proc as a debugger or the reader of a core file would."""

from __future__ import annotations

import re
from pathlib import Path

MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)")
BLOCK_BYTES = 16 << 20


def can_read(pid: int) -> bool:
    """Whether this machine lets a parent look into its child (Yama's ptrace_scope 0 or 1, or root)."""
    try:
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            start = int(Path(f"/proc/{pid}/maps").read_text().split("-", 1)[0], 16)
            memory.seek(start)
            return len(memory.read(1)) == 1
    except OSError:
        return False


def search(pid: int, needles: list[bytes]) -> list[str]:
    """Where the needles stand in the writable memory of the process: needle, mapping and what surrounds it."""
    found = []
    pattern = re.compile(b"|".join(re.escape(needle) for needle in needles))
    overlap = max(map(len, needles)) - 1
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as mappings, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in mappings:
            begin, end, rights, name = MAPPING.match(line).groups()
            if not rights.startswith("rw"):
                continue
            at, last, tail = int(begin, 16), int(end, 16), b""
            while at < last:
                try:
                    memory.seek(at)
                    block = tail + memory.read(min(BLOCK_BYTES, last - at))
                except OSError:
                    break  # unmapped meanwhile
                if len(block) == len(tail):
                    break
                for hit in pattern.finditer(block):
                    found.append(f"{hit.group()!r} in {name or 'anonymous memory'} at {at - len(tail) + hit.start():x} ({begin}-{end}): …{block[max(0, hit.start() - 60):hit.end() + 30]!r}…")
                at += len(block) - len(tail)
                tail = block[-overlap:] if overlap else b""
    return found


def smaps_kib(pid: int, name: str) -> int:
    """A sum over the whole process: Pss (what it shares counted in parts), Private_Dirty (its own alone), …"""
    return int(re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"), re.M).group(1))


def peak_kib(pid: int) -> int:
    """The largest resident size so far, in KiB."""
    return int(re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M).group(1))
