"""`funcgate backup` and `funcgate migrate` (identity §12), with the real program."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import shutil
import signal
import sqlite3
import stat
import subprocess
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from support.backups import (BASIC_PASSWORD, SCHEMAS, SECRET, TOKEN, VARIABLE, back_up, give_keystore, greet, leftovers, make_world, migrations,
                             old_instance, resources, restore, restored, tree)
from support.faults import HaltingCommand, broken_command
from support.management import PASSWORD
from support.server import BINARY, Server, command, environment, wait_until


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


# --- what is in it


def test_backup_while_calls_and_changes_go_on(make_server, tmp_path):
    """Consistent, whatever happens meanwhile: the databases are whole, and the count is one that was reached."""
    server = make_server(resources())
    stop = threading.Event()
    failures: list[str] = []
    counts, changes = [0], [0]

    def call():
        client = server.client
        while not stop.is_set():
            answer = client.get("/api/v1/al/count/s", TOKEN)
            if answer.status != 200:
                failures.append(f"{answer.status} {answer.body!r}")
                return
            counts[0] = answer.json

    def change():
        number = 0
        while not stop.is_set():
            number += 1
            made = resources().api(f"more-{number}", "probe__main.hello", "token")
            done = server.try_apply(made)
            if done.returncode != 0:
                failures.append(done.stderr)
                return
            changes[0] = number

    threads = [threading.Thread(target=call), threading.Thread(target=change)]
    for thread in threads:
        thread.start()
    wait_until(lambda: counts[0] > 5 and changes[0] > 0, "calls run and something was changed")
    for number in range(3):
        before = counts[0]
        back_up(server.data, tmp_path / f"{number}.tar")
        after = counts[0] + 1
        data = tmp_path / f"restored-{number}"
        restored(tmp_path / f"{number}.tar", data)
        for name in ("funcgate.db", "journal.db"):
            with closing(sqlite3.connect(data / name)) as database:
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with closing(sqlite3.connect(data / "funcgate.db")) as database:
            (value,) = database.execute("SELECT value FROM stored_values WHERE key = 'calls'").fetchone()
        assert before <= int(value) <= after
    stop.set()
    for thread in threads:
        thread.join(60)
    assert not failures, failures[:3]
    give_keystore(server.data, data)
    other = Server(tmp_path / "other")
    other.data = data
    other.start()
    try:
        greet(other)
        assert other.client.get("/api/v1/al/more-1/s", TOKEN).status == 200
        verified = command("audit", "verify", "--data", data)
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        other.stop()


def test_what_it_says_and_holds(world):
    summary = world["summary"]
    assert summary["databases"] == SCHEMAS
    assert summary["keystore"] is False and summary["leftOut"] == [] and summary["unfinishedTasks"] == 0
    assert len(summary["keys"]["sealing"]) == 1 and len(summary["keys"]["peppers"]) == 1 and len(summary["keys"]["signing"]) == 1
    assert stat.S_IMODE(world["file"].stat().st_mode) == 0o600
    with tarfile.open(world["file"]) as archive:
        names = archive.getnames()
        assert names == ["manifest.json", "funcgate.db", "journal.db", "key-overlaps.json", "manifest.json.sha256"]
        manifest = json.load(archive.extractfile("manifest.json"))
        for member in manifest["members"]:
            content = archive.extractfile(member["name"]).read()
            assert len(content) == member["bytes"] and hashlib.sha256(content).hexdigest() == member["sha256"]
        line = archive.extractfile("manifest.json.sha256").read().decode()
        assert line == f"{hashlib.sha256(archive.extractfile('manifest.json').read()).hexdigest()}  manifest.json\n"
    assert not leftovers(world["folder"])


def test_no_credential_is_in_it(world):
    """Neither a password nor a key, a fixed field, a sealed value or the keystore's password stands in the bytes of the file."""
    content = world["file"].read_bytes()
    password = (world["server"].data / "keystore-password").read_bytes().strip()
    keystore = (world["server"].data / "keystore.p12").read_bytes()
    for canary in (PASSWORD.encode(), TOKEN["X-Token"].encode(), BASIC_PASSWORD.encode(), VARIABLE.encode(), SECRET.encode(),
                   world["token"].encode(), world["token"].rsplit(".", 1)[-1].encode(), password, keystore[100:140]):
        assert len(canary) >= 12 and canary not in content
    assert b"canary key" in content, "the names of keys are there: the search finds what is there"


def test_with_keystore(world, tmp_path):
    """The keystore and never its password; restored, it is enough together with the password."""
    data = world["server"].data
    summary = back_up(data, tmp_path / "all.tar", "--with-keystore")
    assert summary["keystore"] is True
    password = (data / "keystore-password").read_bytes().strip()
    content = (tmp_path / "all.tar").read_bytes()
    assert password not in content and b"canary key" in content
    done = restore(tmp_path / "all.tar", tmp_path / "data")
    assert done.returncode == 0 and "password did not" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "data/keystore.p12").read_bytes() == (data / "keystore.p12").read_bytes()
    assert stat.S_IMODE((tmp_path / "data/keystore.p12").stat().st_mode) == 0o600
    (tmp_path / "password").write_bytes(password + b"\n")
    (tmp_path / "password").chmod(0o600)
    server = Server(tmp_path, arguments=("--keystore-password-file", str(tmp_path / "password"))).start()
    greet(server)
    assert server.stop() == 0


def test_a_rotation_while_a_backup_with_keystore_is_made(make_server, tmp_path):
    """At whatever moment: every signing secret that the copied keystore calls retired has its end in the copied list."""
    server = make_server(resources())
    data = server.data
    halts = 0
    with HaltingCommand(tmp_path / "calls", "open,openat", "backup", tmp_path / "b.tar", "--with-keystore", "--data", data,
                        only=(data / "keystore.p12", data / "key-overlaps.json")) as making:
        while making.halted():
            halts += 1
            rotated = command("keystore", "rotate", "phixflow-api-key", "--overlap", "24h", "--data", data)
            assert rotated.returncode == 0, rotated.stderr
            making.go_on()
        done = making.finish()
    assert done.returncode == 0 and halts >= 2, done.stderr
    copy = tmp_path / "copy"
    restored(tmp_path / "b.tar", copy)
    shutil.copy2(data / "keystore-password", copy / "keystore-password")
    rows = json.loads(command("keystore", "list", "-o", "json", "--data", copy).stdout)
    retired = {row["kid"] for row in rows if row["alias"].startswith("phixflow-api-key.prev.")}
    assert retired <= set(json.loads((copy / "key-overlaps.json").read_text()))
    assert len(json.loads((data / "key-overlaps.json").read_text())) == halts


def test_resources_and_links(world, tmp_path):
    """Files that the operator put there come along; a link is named and left out."""
    data = tmp_path / "data"
    shutil.copytree(world["server"].data, data, ignore=shutil.ignore_patterns("control.sock"))
    folder = data / "resources/box/ä ö"
    folder.mkdir(parents=True)
    (folder / ("n" * 120 + ".csv")).write_bytes(b"a;b\n")
    (data / "resources/box/link").symlink_to("/etc/passwd")
    summary = back_up(data, tmp_path / "r.tar")
    assert len(summary["leftOut"]) == 1 and "resources/box/link" in summary["leftOut"][0]
    told = command("backup", tmp_path / "r2.tar", "--data", data)
    assert told.returncode == 0 and "warning: resources/box/link was left out" in told.stderr
    restored(tmp_path / "r.tar", tmp_path / "new")
    assert (tmp_path / "new/resources/box/ä ö" / ("n" * 120 + ".csv")).read_bytes() == b"a;b\n"
    assert not (tmp_path / "new/resources/box/link").exists()


def with_folders(world, tmp_path: Path) -> Path:
    """A stopped data directory with three folders of resources, each with a file."""
    data = tmp_path / "data"
    shutil.copytree(world["server"].data, data, ignore=shutil.ignore_patterns("control.sock"))
    for name in ("one", "two", "three"):
        (data / "resources/box" / name).mkdir(parents=True)
        (data / "resources/box" / name / "rows.csv").write_text(name)
    return data


@pytest.mark.parametrize("gone", ["one", "two", "three"])
def test_a_folder_that_goes_while_resources_are_read_hides_no_other(world, tmp_path, gone):
    """It is away at the first look, as one that is given another name: all is looked at again, and the backup has every file."""
    data = with_folders(world, tmp_path)
    done = broken_command(["open,openat:error=ENOENT:when=1"], "backup", tmp_path / "b.tar", "--data", data, only=data / "resources/box" / gone)
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "b.tar") as archive:
        names = [name for name in archive.getnames() if name.startswith("resources/")]
    assert sorted(names) == ["resources/box/one/rows.csv", "resources/box/three/rows.csv", "resources/box/two/rows.csv"]


def test_resources_that_never_rest_are_no_backup(world, tmp_path):
    data = with_folders(world, tmp_path)
    done = broken_command(["open,openat:error=ENOENT"], "backup", tmp_path / "b.tar", "--data", data, only=data / "resources/box/two")
    assert done.returncode == 1 and "come and go" in done.stderr, done.stderr
    assert not (tmp_path / "b.tar").exists() and not leftovers(tmp_path)


def test_a_half_restored_directory_is_not_backed_up(world, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(world["server"].data, data, ignore=shutil.ignore_patterns("control.sock"))
    (data / "restore-unfinished").write_bytes(b"")
    refused = command("backup", tmp_path / "b.tar", "--data", data)
    assert refused.returncode == 1 and "interrupted" in refused.stderr and "--force" in refused.stderr
    assert list(tmp_path.iterdir()) == [data]


# --- where it may be written


def test_where_renames_cannot_be_refused(world, tmp_path):
    """NFS and much of FUSE do not know RENAME_NOREPLACE: the backup is made there, too, and still replaces nothing without --force."""
    data, file = world["server"].data, tmp_path / "b.tar"
    for fault in ("EINVAL", "ENOSYS"):
        done = broken_command([f"renameat2:error={fault}"], "backup", file, "--data", data)
        assert done.returncode == 0, done.stderr
        assert tarfile.open(file).getnames()[0] == "manifest.json" and not leftovers(tmp_path)
        file.unlink()
    with ThreadPoolExecutor(1) as pool:
        # Somebody else's file comes into being after the place was looked at.
        making = pool.submit(broken_command, ["renameat2:error=EINVAL:delay_enter=1500000"], "backup", file, "--data", data)
        wait_until(lambda: making.done() or (tmp_path / "b.tar.partial/archive.tar").exists(), "the archive is written")
        file.write_text("of somebody else")
        done = making.result(120)
    assert done.returncode == 5 and file.read_text() == "of somebody else", done.stderr
    assert not leftovers(tmp_path)


def test_existing_file_and_places(world, tmp_path):
    data = world["server"].data
    file = tmp_path / "b.tar"
    file.write_text("yesterday")
    refused = command("backup", file, "--data", data)
    assert refused.returncode == 5 and "--force" in refused.stderr and file.read_text() == "yesterday"
    back_up(data, file, "--force")
    assert tarfile.open(file).getnames()[0] == "manifest.json" and stat.S_IMODE(file.stat().st_mode) == 0o600
    named = command("backup", "relative.tar", "--data", os.path.relpath(data, tmp_path), cwd=tmp_path)
    assert named.returncode == 0 and (tmp_path / "relative.tar").exists(), named.stderr
    assert command("backup", data / "inside.tar", "--data", data).returncode == 2
    assert command("backup", tmp_path, "--data", data).returncode == 2
    assert command("backup", "-", "--data", data).returncode == 2
    assert command("backup", "--data", data).returncode == 2
    assert command("backup", tmp_path / "no/such/b.tar", "--data", data).returncode == 3
    nothing = command("backup", tmp_path / "c.tar", "--data", tmp_path)
    assert nothing.returncode == 3 and "--data" in nothing.stderr
    (tmp_path / "d.tar.partial").mkdir()
    (tmp_path / "d.tar.partial/mine").write_text("mine")
    assert command("backup", tmp_path / "d.tar", "--data", data).returncode == 5
    assert (tmp_path / "d.tar.partial/mine").read_text() == "mine"


def test_killed_backups_leave_no_half_file(make_server, tmp_path):
    """kill -9 at any moment: the name has the old content or all of the new one, the next backup clears up; so does Ctrl-C at once."""
    server = make_server(resources())
    with closing(sqlite3.connect(server.data / "journal.db", timeout=20)) as database, database:
        for number in range(40):
            database.execute("INSERT INTO call_records (id, api_id, caller, trace_id, trigger_time_ms, status, kept_max, document) VALUES (?, 'x', '', '', 0, 200, 1, ?)", (f"r{number}", "d" * 500_000))
    file = tmp_path / "b.tar"
    whole = time.monotonic()
    back_up(server.data, file)
    whole = time.monotonic() - whole
    first = file.read_bytes()
    for number in range(10):
        process = subprocess.Popen([BINARY, "backup", file, "--force", "--data", server.data], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())
        time.sleep(whole * number / 9)  # not a wait: any moment of the work is as good
        process.send_signal(signal.SIGINT if number % 3 == 2 else signal.SIGKILL)
        error = process.communicate(timeout=60)[1]
        if number % 3 == 2 and process.returncode == 1:
            assert b"interrupted" in error
            assert not leftovers(tmp_path)
        content = file.read_bytes()
        if content != first:
            restored(file, tmp_path / f"data-{number}")
    fresh = tmp_path / "fresh.tar"
    process = subprocess.Popen([BINARY, "backup", fresh, "--data", server.data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    wait_until(lambda: (tmp_path / "fresh.tar.partial").exists() or process.poll() is not None, "the work begins", pause_s=0.001)
    process.kill()
    process.wait(20)
    if not fresh.exists():
        back_up(server.data, fresh)
    back_up(server.data, file, "--force")
    assert not leftovers(tmp_path)
    greet(server)


def test_progress_is_for_terminals(world, tmp_path):
    """A line on a terminal, gone at the end; not a byte into a log."""
    data = world["server"].data
    silent = command("backup", tmp_path / "a.tar", "--data", data)
    assert silent.returncode == 0 and silent.stderr == ""
    mine, its = pty.openpty()
    done = subprocess.run([BINARY, "backup", tmp_path / "b.tar", "--data", data], stdout=subprocess.PIPE, stderr=its, timeout=60, env=environment())
    os.close(its)
    shown = os.read(mine, 65536).decode()
    os.close(mine)
    assert done.returncode == 0 and b"b.tar" in done.stdout
    assert "copying funcgate.db" in shown and "checking journal.db" in shown and "writing" in shown
    assert shown.endswith("\r\x1b[K") and "\n" not in shown


# --- migrate


def test_migrate(world, tmp_path):
    """Tells, then does, then has nothing to do; an older instance can be backed up before and restored after."""
    data = tmp_path / "data"
    old_instance(data)
    summary = back_up(data, tmp_path / "old.tar")
    assert summary["databases"] == {"funcgate.db": 1, "journal.db": 1}
    before = tree(data)
    told = command("migrate", "--dry-run", "--data", data)
    assert told.returncode == 0 and f"funcgate.db: schema 1 -> {SCHEMAS['funcgate.db']} (identity_audit" in told.stdout and "backup" in told.stdout, told.stderr
    assert tree(data) == before
    done = command("migrate", "--data", data, "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"dryRun": False, "databases": [
        {"name": "funcgate.db", "from": 1, "to": SCHEMAS["funcgate.db"], "migrations": migrations("sqlite")[1:]},
        {"name": "journal.db", "from": 1, "to": SCHEMAS["journal.db"], "migrations": migrations("sqlite_journal")[1:]}]}
    again = command("migrate", "--data", data)
    assert again.returncode == 0 and again.stdout.count("up to date") == 2
    restored(tmp_path / "old.tar", data, "--force")
    assert "schema 1 -> " in command("migrate", "--dry-run", "--data", data).stdout
    nothing = command("migrate", "--data", tmp_path / "none")
    assert nothing.returncode == 3 and "--data" in nothing.stderr and not (tmp_path / "none").exists()


def test_migrate_beside_a_running_server(make_server):
    server = make_server(resources())
    refused = command("migrate", "--data", server.data)
    assert refused.returncode == 5 and "another funcgate uses" in refused.stderr
    told = command("migrate", "--dry-run", "--data", server.data)
    assert told.returncode == 0 and told.stdout.count("up to date") == 2
    greet(server)


def test_help_teaches():
    for word in ("backup", "restore", "migrate"):
        text = command(word, "--help").stdout
        assert "Examples:" in text and f"funcgate {word}" in text
