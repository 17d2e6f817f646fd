"""The servers that are compared, one file each: how they are started, as their own documentation recommends for speed.

A peer is configured for one core, because all processes of a server are bound to one core while requests are counted: one worker
process or thread where the server lets its operator choose. Every peer runs from a temporary folder and a port of its own.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from processes import ROOT, stop

USER, PASSWORD, REALM = "mia", "a password of the bench", "bench"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
WRONG_BASIC = "Basic " + base64.b64encode(f"{USER}:a wrong one".encode()).decode()
TOKEN, WRONG_TOKEN = "a-token-of-the-bench", "a-wrong-token-here"
# 60 bytes of JSON: what is answered where nothing is to be computed.
ANSWER = '{"answer":"sixty bytes of JSON, the same from every server"}'
assert len(ANSWER) == 60
SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/sbin"


@dataclass
class Running:
    """A started peer. `secrets` are what callers need and only the server could make, by name: see load.Call."""

    process: subprocess.Popen
    port: int
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        stop(self.process)


class Peer:
    """`name`: unique among the servers of a table. `optional`: left out with a note if it is not installed."""

    name = ""
    optional = False

    def missing(self) -> str:
        """What must be installed first; empty if nothing."""
        return ""

    def version(self) -> str:
        return ""

    def start(self, folder: Path, core: int | None) -> Running:
        """Starts in the empty `folder`, bound to `core`; returns when it accepts connections."""
        raise NotImplementedError


def program(name: str) -> str | None:
    """Path of an installed program, those for administrators included."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + SYSTEM_FOLDERS)


def printed(*arguments: str | Path) -> str:
    """First line that a program prints, for versions; empty if it cannot be run."""
    try:
        done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    except OSError:
        return ""
    return next(iter((done.stdout + done.stderr).strip().splitlines()), "")


APPS = Path(__file__).resolve().parent / "apps"
VENV = ROOT / ".venv-bench"
