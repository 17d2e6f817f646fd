"""What a call may cost in instructions of the io thread: bench/instructions.py against its baseline."""

from __future__ import annotations

import subprocess

import pytest

from support.costs import has_own_allocator
from support.server import BINARY, ROOT, environment

CANNOT_COUNT = 77


def instructions(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(["/usr/bin/python3", ROOT / "bench/instructions.py", "--binary", BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=240,
                          stdin=subprocess.DEVNULL, env=environment())


def test_no_call_costs_more_than_its_baseline():
    """Whoever makes a call dearer says so by making the baseline anew."""
    if has_own_allocator():
        pytest.skip("a sanitizer build has costs of its own")
    done = instructions()
    if done.returncode == CANNOT_COUNT:
        pytest.skip(f"this machine cannot count: {done.stderr.strip()}")
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:6]]
    assert [row[0] for row in rows] == ["anonymous", "fixed", "basic", "key", "digest"]
    assert all(int(row[2].replace(",", "")) > 10_000 for row in rows), "nothing was counted"


def test_a_program_that_is_not_there_is_told():
    done = subprocess.run(["/usr/bin/python3", ROOT / "bench/instructions.py", "--binary", "/nowhere/funcgate"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "/nowhere/funcgate is missing" in done.stderr
