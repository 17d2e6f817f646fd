"""audit.checkpoint_file: what it has seen cannot be cut off unnoticed, however the chain went on afterwards (identity §8, I8)."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from support.management import Management
from support.server import Server, command, wait_until


@pytest.fixture
def kept(make_server, tmp_path) -> tuple[Server, Management, Path]:
    """A server whose checkpoints lie elsewhere, with some records."""
    file = tmp_path / "elsewhere" / "checkpoints.jsonl"
    file.parent.mkdir()
    server = make_server(config=f'[audit]\ncheckpoint_file = "{file}"\n')
    admin = Management.set_up(server)
    return server, admin, file


def verify(server: Server, file: Path, expect: int) -> str:
    done: subprocess.CompletedProcess = command("audit", "verify", "--data", server.data, "--stream", "admin", "--checkpoint", file)
    assert done.returncode == expect, f"ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return (done.stdout + done.stderr).strip()


def cut(server: Server, behind: int) -> None:
    """As somebody does who owns the database: triggers do not stop him."""
    with closing(sqlite3.connect(server.data / "funcgate.db")) as database, database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute("DELETE FROM audit_entries WHERE sequence > ?", (behind,))


def test_each_checkpoint_is_a_line_and_a_cut_end_is_noticed_for_ever(kept):
    server, admin, file = kept
    for number in range(3):
        admin.create("/users", login=f"witness-{number}")
    answered = admin.post("/audit/checkpoints").expect(201).json["data"]
    lines = file.read_text().splitlines()
    assert json.loads(lines[-1]) == answered
    assert file.stat().st_mode & 0o777 == 0o600
    head = next(one["seq"] for one in answered["checkpoint"]["heads"] if one["stream"] == "admin")
    assert "chain intact" in verify(server, file, expect=0)

    assert server.stop() == 0
    cut(server, head - 2)
    assert "head behind checkpoint" in verify(server, file, expect=1)
    # The server goes on over what is left, and so do its checkpoints.
    server.start()
    admin = Management(server).sign_in()
    for number in range(5):
        admin.create("/users", login=f"later-{number}")
    admin.post("/audit/checkpoints").expect(201)
    assert len(file.read_text().splitlines()) > len(lines)
    assert f"record {head}: hash mismatch" in verify(server, file, expect=1)
    newest = file.with_name("newest.jsonl")
    newest.write_text(file.read_text().splitlines()[-1] + "\n")
    assert "chain intact" in verify(server, newest, expect=0), "the newest line alone has not seen it"


def test_a_forged_line_is_named(kept):
    server, admin, file = kept
    for _ in range(2):
        admin.post("/audit/checkpoints").expect(201)
    lines = file.read_text().splitlines()
    lines[0] = lines[0].replace('"seq":', '"seq":1')
    file.write_text("\n".join(lines) + "\n")
    assert f"{file}:1: " in verify(server, file, expect=2)


def test_a_checkpoint_that_cannot_be_written_is_no_success(kept):
    server, admin, file = kept
    file.unlink(missing_ok=True)
    file.parent.rmdir()
    admin.post("/audit/checkpoints").refused("503.1")
    file.parent.mkdir()
    admin.post("/audit/checkpoints").expect(201)
    assert len(file.read_text().splitlines()) == 1


def test_a_file_that_does_not_answer_holds_up_nobody_else(kept):
    """As on a mount whose server has gone: whoever opens the file waits. A lease on it does the same here."""
    server, admin, file = kept
    admin.post("/audit/checkpoints").expect(201)
    before, taken = file.read_text(), len(admin.data("/audit?event=audit.checkpoint"))
    ignored = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel's "somebody waits" to the holder of a lease
    holder = os.open(file, os.O_RDWR)
    try:
        fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        with ThreadPoolExecutor(6) as pool:
            # More than there are threads for such requests.
            asked = [pool.submit(admin.post, "/audit/checkpoints") for _ in range(6)]
            wait_until(lambda: len(admin.data("/audit?event=audit.checkpoint")) == taken + 1, "the next one has been taken")
            number = 0
            while number < 5 and not any(future.done() for future in asked):
                admin.create("/users", login=f"meanwhile-{number}")
                number += 1
            # The last one may have waited for the end of all waiting, the others have not.
            assert number >= 2, "whoever writes something else waits as well"
            for future in asked:
                refused = future.result().expect(503)
                assert "checkpoint file" in refused.json["message"], refused.text
    finally:
        os.close(holder)
        signal.signal(signal.SIGIO, ignored)
    wait_until(lambda: admin.post("/audit/checkpoints").status == 201, "the file answers again")

    def lines_behind() -> list[str]:
        text = file.read_text()
        assert text.startswith(before)
        return text[len(before):].splitlines()

    # Those that were refused are written as soon as the file answers: one line for each that was taken.
    wait_until(lambda: len(lines_behind()) == len(admin.data("/audit?event=audit.checkpoint&limit=200")) - taken, "every checkpoint is in the file")
    assert len(set(lines_behind())) == len(lines_behind()) >= 7
    verify(server, file, expect=0)
