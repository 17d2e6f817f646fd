"""What a call may cost in instructions of the io thread: bench/instructions.py against its baseline."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from support.costs import has_own_allocator
from support.server import BINARY, ROOT, environment

CANNOT_COUNT = 77
COUNT_S = 900


def instructions(*arguments, program: Path = ROOT / "bench/instructions.py") -> subprocess.CompletedProcess:
    """Runs to its end, or is ended with all that it started: the server runs under valgrind for minutes."""
    process = subprocess.Popen(["/usr/bin/python3", program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               stdin=subprocess.DEVNULL, env=environment(), start_new_session=True)
    try:
        out, error = process.communicate(timeout=COUNT_S)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, error)


@pytest.mark.timeout(COUNT_S + 60)
def test_no_call_costs_more_than_its_baseline():
    """Whoever makes a call dearer says so by making the baseline anew."""
    if has_own_allocator():
        pytest.skip("a sanitizer build has costs of its own")
    done = instructions("--binary", BINARY)
    if done.returncode == CANNOT_COUNT:
        pytest.skip(done.stderr.strip())
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:6]]
    assert [row[0] for row in rows] == ["anonymous", "fixed", "basic", "key", "digest"]
    assert all(int(row[2].replace(",", "")) > 10_000 for row in rows), "nothing was counted"


def test_a_program_that_is_not_there_is_told():
    done = instructions("--binary", "/nowhere/funcgate")
    assert done.returncode == 1 and "/nowhere/funcgate is missing" in done.stderr


@pytest.mark.parametrize("name", ["processor", "libc", "compiler", "valgrind", "build"])
def test_a_baseline_of_other_conditions_is_not_compared(tmp_path, name):
    """What costs more there costs more because it is another machine: nobody is told that his change was dear."""
    if not all(shutil.which(program) for program in ("valgrind", "vgdb", "objcopy")):
        pytest.skip("valgrind or objcopy is not installed (script/bootstrap installs them)")
    shutil.copytree(ROOT / "bench", tmp_path / "bench", ignore=shutil.ignore_patterns("results", "__pycache__", "node_modules"))
    (tmp_path / "script").symlink_to(ROOT / "script")
    baseline = tmp_path / "bench/instruction_baseline.json"
    document = json.loads(baseline.read_text())
    document["conditions"][name] = "of another time"
    baseline.write_text(json.dumps(document))
    done = instructions("--binary", BINARY, program=tmp_path / "bench/instructions.py")
    assert done.returncode == CANNOT_COUNT, done.stdout + done.stderr
    assert f"{name} was 'of another time' and is '" in done.stderr
