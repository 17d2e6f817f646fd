"""System calls that fail, or end the program, at a chosen moment: strace puts itself in between."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from support.server import BINARY, COMMAND_S, environment


@cache
def why_not() -> str:
    """Why nothing can be injected here; empty if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (script/bootstrap installs it)"
    tried = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "true"], capture_output=True, text=True, timeout=30)
    return "" if tried.returncode == 0 else f"this machine does not let strace trace: {tried.stderr.strip()}"


def broken_command(injections: list[str], *arguments: str | Path, only: Path | None = None, **more) -> subprocess.CompletedProcess:
    """Runs `funcgate ARGUMENTS` with faults as strace's `-e inject=` takes them: "renameat2:error=EINVAL", "rename:signal=KILL:when=3".

    `only`: none but the calls for this path. The return code is that of the program.
    """
    if reason := why_not():
        pytest.skip(reason)
    names = {name for injection in injections for name in injection.split(":", 1)[0].split(",")}
    words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={','.join(sorted(names))}", *(["-P", str(only)] if only else [])]
    for injection in injections:
        words += ["-e", f"inject={injection}"]
    return subprocess.run([*words, str(BINARY), *map(str, arguments)], capture_output=True, text=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL,
                          env=environment(), **more)
