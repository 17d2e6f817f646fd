"""`funcgate restore` (identity §12): all of a good backup or nothing of a bad one, with the real program."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pty
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from support.backups import SCHEMAS, TOKEN, VARIABLE, back_up, give_keystore, greet, leftovers, make_world, resources, restore, restored, tree
from support.faults import HaltingCommand, broken_command
from support.management import Management
from support.server import BINARY, Server, command, environment, wait_until
from support.wire import File


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


# --- and back


def test_restore_to_a_fresh_directory(world, tmp_path):
    """Users, keys, APIs, scripts, secrets and stored values work; the message says which keystore is needed."""
    done = restore(world["file"], tmp_path / "data")
    assert done.returncode == 0, done.stderr
    keys = world["summary"]["keys"]
    for kid in [*keys["sealing"], *keys["peppers"], *keys["signing"]]:
        assert kid in done.stdout
    assert "keystore.p12" in done.stdout
    assert not leftovers(tmp_path) and stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    # Without the keystore no server makes new secrets beside old data.
    refused = subprocess.run([BINARY, "serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=60, env=environment())
    assert refused.returncode == 78
    assert not (tmp_path / "data/keystore.p12").exists()
    give_keystore(world["server"].data, tmp_path / "data")
    checked = command("keystore", "check", "--data", tmp_path / "data")
    assert checked.returncode == 0, checked.stdout
    server = Server(tmp_path).start()
    greet(server)
    assert server.client.get("/api/v1/al/counted/s", TOKEN).expect(200).json == 3
    assert server.client.get("/api/v1/al/variable/s", TOKEN).expect(200).json == len(VARIABLE)
    server.client.get("/api/v1/al/hello/s", {"X-Token": "wrong-value-00000"}).refused("401.99")
    admin = Management(server).sign_in()
    assert admin.data("/users?login=apiagent")[0]["login"] == "apiagent"
    assert Management(server, world["token"]).data("/me")["login"] == "apiagent"
    assert Management(server, world["token"][:-2] + "AA").get("/me").status == 401
    assert server.stop() == 0


def test_restore_over_an_instance(world, tmp_path):
    """Refused without --force; with it the old content is beside it, whole, and the keystore stays in place."""
    data = tmp_path / "data"
    shutil.copytree(world["server"].data, data, ignore=shutil.ignore_patterns("control.sock"))
    (data / "resources/box").mkdir(parents=True, exist_ok=True)
    (data / "resources/box/newer.csv").write_text("newer")
    before = tree(data)
    refused = restore(world["file"], data)
    assert refused.returncode == 5 and "--force" in refused.stderr and "not empty" in refused.stderr
    assert tree(data) == before and not leftovers(tmp_path)
    summary = restored(world["file"], data, "--force")
    aside = Path(summary["movedAside"])
    assert aside.parent == tmp_path and aside.name.startswith("data.before-restore-")
    assert tree(aside) == before
    assert summary["keystoreKept"] is True and summary["keystoreNeeded"] is False
    assert not (data / "resources/box/newer.csv").exists()
    server = Server(tmp_path).start()
    greet(server)
    assert server.stop() == 0


def test_restore_beside_a_running_server(make_server, world, tmp_path):
    server = make_server(resources())
    before = (server.data / "funcgate.db").stat().st_ino
    for options in ((), ("--force",)):
        refused = restore(world["file"], server.data, *options)
        assert refused.returncode == 5 and "another funcgate uses" in refused.stderr, refused.stderr
    assert (server.data / "funcgate.db").stat().st_ino == before
    greet(server)


def test_tasks_take_their_files_along(make_server, tmp_path):
    """A task that waited runs after the restore with its uploads, in the new directory, and touches nothing of the old one."""
    server = make_server(resources(), "[limits]\npool_workers = 1\n")
    content = bytes(range(256)) * 50
    server.client.post("/api/v1/al/long-job/s", TOKEN, json={"seconds": 50}).expect(202)  # the others wait
    answer = server.client.post("/api/v1/al/job/s", TOKEN, parts=[File("file", "a.bin", content)])
    url = answer.expect(202).json["data"]["url"]
    summary = back_up(server.data, tmp_path / "t.tar")
    assert summary["unfinishedTasks"] == 2 and summary["leftOut"] == [] and summary["members"] == 4
    with tarfile.open(tmp_path / "t.tar") as archive:
        assert [name for name in archive.getnames() if name.startswith("run/calls/")]
    restored(tmp_path / "t.tar", tmp_path / "data")
    give_keystore(server.data, tmp_path / "data")
    server.kill()
    held = [path for path in (server.data / "run/calls").rglob("*") if path.is_file()]
    assert held
    other = Server(tmp_path).start()

    def ended():
        data = other.client.get(url, TOKEN).expect(200).json["data"]
        return data if data["status"] not in ("waiting", "running") else None

    data = wait_until(ended, "the task ends", 60, 0.2)
    assert data["status"] == "success", json.dumps(data)
    assert content.decode("latin-1") in json.dumps(data, ensure_ascii=False) or data["result"] == [content.decode("latin-1")]
    assert all(path.exists() for path in held), "the directory that the backup was made of was touched"
    assert other.stop() == 0


def test_restore_where_the_folder_around_cannot_be_written(world, tmp_path):
    """Entries move one by one then, and a start beside an interrupted move is refused."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    around = tmp_path / "around"
    data = around / "data"
    data.mkdir(parents=True)
    user = 65534
    for path in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        path.chmod(0o755)
    shutil.copy(world["file"], around / "b.tar")
    (around / "b.tar").chmod(0o644)
    os.chown(data, user, user)
    copy = around / "funcgate"
    shutil.copy(BINARY, copy)

    def as_user(*arguments):
        return subprocess.run(["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", copy, *map(str, arguments)], capture_output=True, text=True, timeout=120, env=environment(), cwd="/")

    done = as_user("restore", around / "b.tar", "--data", data)
    assert done.returncode == 0, done.stderr
    assert sorted(entry.name for entry in data.iterdir()) == ["funcgate.db", "journal.db", "key-overlaps.json"]
    first = tree(data)
    done = as_user("restore", around / "b.tar", "--data", data, "--force", "-o", "json")
    assert done.returncode == 0, done.stderr
    aside = Path(json.loads(done.stdout)["movedAside"])
    assert aside.parent == data and {name: value for name, value in tree(aside).items()} == first
    assert {path.stat().st_uid for path in data.rglob("*")} == {user}
    denied = command("restore", world["file"], "--data", data, "--force")
    assert denied.returncode == 4 and "owner" in denied.stderr, "root would leave files that the service cannot open"
    (data / "restore-unfinished").write_bytes(b"")
    refused = command("serve", "--data", data, "--listen", "127.0.0.1:0")
    assert refused.returncode == 78 and "interrupted" in refused.stderr
    done = as_user("restore", around / "b.tar", "--data", data, "--force")
    assert done.returncode == 0 and not (data / "restore-unfinished").exists(), done.stderr


@pytest.mark.parametrize("swaps", [True, False], ids=["as a whole", "entry by entry"])
def test_an_empty_directory_is_locked_while_it_is_filled(world, tmp_path, swaps):
    """A server that starts there meanwhile would be robbed of its files. The directory has no lock before and none after."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    # With the first folder of its own it has begun.
    with HaltingCommand(tmp_path / "calls", "mkdir,mkdirat:when=1", "restore", world["file"], "--data", data,
                        faults=() if swaps else ("renameat2:error=EINVAL",)) as restoring:
        assert restoring.halted() and (data / "lock").exists(), "there is no lock"
        started = command("serve", "--data", data, "--listen", "127.0.0.1:0")
        restoring.go_on()
        done = restoring.finish()
    assert started.returncode == 78 and "another funcgate uses" in started.stderr, started.stderr
    assert done.returncode == 0, done.stderr
    assert sorted(entry.name for entry in data.iterdir()) == ["funcgate.db", "journal.db", "key-overlaps.json"]
    assert not leftovers(tmp_path)


def test_a_refused_restore_leaves_an_empty_directory_empty(world, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "bad.tar").write_bytes(world["file"].read_bytes()[:5000])
    assert restore(tmp_path / "bad.tar", tmp_path / "data").returncode == 7
    assert list((tmp_path / "data").iterdir()) == []


def test_the_password_and_the_overlaps_of_a_keystore_elsewhere_stay(world, tmp_path):
    """keystore.path may lead out of the directory: what belongs to it lies in the directory all the same."""
    data = tmp_path / "data"
    shutil.copytree(world["server"].data, data, ignore=shutil.ignore_patterns("control.sock"))
    (data / "keystore.p12").rename(tmp_path / "keystore.p12")
    overlaps = json.dumps({"a-kid-of-later": 1}).encode()
    (data / "key-overlaps.json").write_bytes(overlaps)
    password = (data / "keystore-password").read_bytes()
    summary = restored(world["file"], data, "--force")
    assert summary["keystoreKept"] is False and summary["keystoreNeeded"] is True
    assert (data / "keystore-password").read_bytes() == password and json.loads((data / "key-overlaps.json").read_text()) == json.loads(overlaps)
    server = Server(tmp_path, config=f'[keystore]\npath = "{tmp_path / "keystore.p12"}"\n').start()
    greet(server)
    assert server.stop() == 0


KEPT, LATER, SOON, LONG_AGO = "a" * 16, "b" * 16, "c" * 16, "d" * 16
TIMES = {KEPT: 1_800_000_000_000, SOON: 1_700_000_000_000, LONG_AGO: 1}


@pytest.mark.parametrize(("there", "expected"), [
    ("{}", TIMES),
    (None, TIMES),
    (json.dumps({LATER: 5, SOON: 7, LONG_AGO: 1_900_000_000_000}), {**TIMES, LATER: 5, SOON: 7}),
    ('{"bbbb', {**TIMES, "*": 0}),
    ("[]", {**TIMES, "*": 0}),
    ("a folder", {**TIMES, "*": 0}),
], ids=["fresh", "missing", "newer", "cut off", "no object", "a folder"])
@pytest.mark.parametrize("swaps", [True, False], ids=["as a whole", "entry by entry"])
def test_of_two_lists_of_overlaps_each_secret_has_the_earlier_end(world, tmp_path, there, expected, swaps):
    """A retired signing secret never verifies for longer than the backup or the directory says."""
    source, data = tmp_path / "source", tmp_path / "data"
    shutil.copytree(world["server"].data, source, ignore=shutil.ignore_patterns("control.sock"))
    (source / "key-overlaps.json").write_text(json.dumps(TIMES))
    back_up(source, tmp_path / "b.tar")
    shutil.copytree(world["server"].data, data, ignore=shutil.ignore_patterns("control.sock"))
    (data / "key-overlaps.json").unlink()
    if there == "a folder":
        (data / "key-overlaps.json").mkdir()
    elif there is not None:
        (data / "key-overlaps.json").write_text(there)
    done = restore(tmp_path / "b.tar", data, "--force") if swaps else broken_command(["renameat2:error=EINVAL"], "restore", tmp_path / "b.tar", "--data", data, "--force")
    assert done.returncode == 0, done.stderr
    assert json.loads((data / "key-overlaps.json").read_text()) == expected
    assert ("key-overlaps.json cannot be read" in done.stderr) == ("*" in expected)
    assert stat.S_IMODE((data / "key-overlaps.json").stat().st_mode) == 0o600
    greet_restored(tmp_path)


def test_what_a_damaged_list_of_overlaps_said_is_over(world, tmp_path):
    """The backup names the secret that was retired before it. Of the one that was retired later nobody knows the end: it serves no more."""
    data = tmp_path / "data"
    shutil.copytree(world["server"].data, data, ignore=shutil.ignore_patterns("control.sock"))
    server = Server(tmp_path).start()
    admin = Management(server).sign_in()

    def key(owner: str) -> str:
        return admin.key(admin.key_owner(owner)["user"], "Key", scopes=["management"])[1]

    def rotate() -> None:
        done = command("keystore", "rotate", "phixflow-api-key", "--data", data, "--overlap", "24h")
        assert done.returncode == 0, done.stderr

    def statuses() -> list[int]:
        return [Management(server, token).get("/me").status for token in tokens]

    tokens = [key("first")]
    rotate()
    tokens.append(key("second"))
    back_up(data, tmp_path / "b.tar")
    rotate()
    assert statuses() == [200, 200]
    assert server.stop() == 0
    (data / "key-overlaps.json").write_text("")
    restored(tmp_path / "b.tar", data, "--force")
    server.start()
    assert statuses() == [200, 401]
    assert any(event.get("event") == "keystore.overlaps_lost" for event in server.events())
    assert server.stop() == 0


def test_a_restore_that_is_killed_never_loses_sight_of_the_keystore(world, tmp_path):
    """Entry by entry, killed at every change of a name: the keystore and its password are where they were, no server starts beside
    what is half done, no backup is made of it, and the same command again completes it."""
    secrets = ("keystore.p12", "keystore-password", "key-overlaps.json")
    original = {name: (world["server"].data / name).read_bytes() for name in secrets}
    refusals = 0
    for number in range(1, 60):
        data = tmp_path / f"{number}/data"
        shutil.copytree(world["server"].data, data, ignore=shutil.ignore_patterns("control.sock"))
        # Neither exchanging nor refusing renames, as on many network file systems.
        done = broken_command(["renameat2:error=EINVAL", f"rename,renameat,link,linkat,unlink,unlinkat:signal=KILL:when={number}"], "restore", world["file"], "--data", data, "--force")
        assert {name: (data / name).read_bytes() for name in secrets} == original, f"after change {number}"
        if done.returncode == 0:
            break
        assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), (done.returncode, done.stderr)
        if (data / "restore-unfinished").exists():
            refusals += 1
            told = command("backup", tmp_path / "half.tar", "--data", data)
            assert told.returncode == 1 and "interrupted" in told.stderr and not (tmp_path / "half.tar").exists(), told.stderr
            refused = command("serve", "--data", data, "--listen", "127.0.0.1:0")
            assert refused.returncode == 78 and "interrupted" in refused.stderr
        summary = restored(world["file"], data, "--force")
        assert summary["keystoreKept"] is True and not (data / "restore-unfinished").exists()
        assert {name: (data / name).read_bytes() for name in secrets} == original
        shutil.rmtree(data)
    assert done.returncode == 0 and refusals >= 5, (number, refusals)
    assert not leftovers(data.parent) and not leftovers(data)
    greet_restored(data.parent)


def greet_restored(folder: Path) -> None:
    server = Server(folder).start()
    greet(server)
    assert server.stop() == 0


def test_the_line_of_progress_ends_before_the_report(world, tmp_path):
    mine, its = pty.openpty()
    done = subprocess.run([BINARY, "restore", world["file"], "--data", tmp_path / "data"], stdin=subprocess.DEVNULL, stdout=its, stderr=its, timeout=60, env=environment())
    os.close(its)
    shown = os.read(mine, 65536).decode()
    os.close(mine)
    assert done.returncode == 0 and "checking journal.db" in shown
    before, _, _ = shown.partition(f"{tmp_path}/data holds the backup")
    assert before.endswith("\r\x1b[K"), shown


# --- what is refused


def test_full_disk(world, tmp_path):
    """Neither half a backup nor half a directory, and a message that says why."""
    def little_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    for arguments in (("backup", tmp_path / "b.tar", "--data", world["server"].data), ("restore", world["file"], "--data", tmp_path / "data")):
        done = command(*arguments, preexec_fn=little_room)
        assert done.returncode == 1 and ("too large" in done.stderr or "database" in done.stderr), (done.returncode, done.stderr)
    assert list(tmp_path.iterdir()) == []


def spoil(source: Path, target: Path, change) -> Path:
    """The archive with each (TarInfo, content) as `change` returns it; a list stands for several, None for none."""
    with tarfile.open(source) as archive, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as made:
        for info in archive.getmembers():
            content = archive.extractfile(info).read()
            result = change(info, content)
            for entry, bytes_ in result if isinstance(result, list) else [result] if result else []:
                entry.size = len(bytes_) if entry.isreg() else 0
                made.addfile(entry, io.BytesIO(bytes_))
    return target


def with_manifest(source: Path, target: Path, edit) -> Path:
    """The archive with an edited manifest that carries the right checksum."""
    texts = {}

    def change(info, content):
        if info.name == "manifest.json":
            manifest = json.loads(content)
            edit(manifest)
            texts["manifest"] = json.dumps(manifest).encode()
            return info, texts["manifest"]
        if info.name == "manifest.json.sha256":
            return info, f"{hashlib.sha256(texts['manifest']).hexdigest()}  manifest.json\n".encode()
        return info, content

    return spoil(source, target, change)


def assert_refused(file: Path, folder: Path, code: int, *words: str) -> None:
    """Refused with the code, and a directory that holds something keeps it to the byte."""
    data = folder / "kept"
    data.mkdir(exist_ok=True)
    (data / "funcgate.db").write_bytes(b"what was there")
    before = {name: value for name, value in tree(data).items() if name != "lock"}
    done = restore(file, data, "--force")
    assert done.returncode == code, (done.returncode, done.stderr)
    for word in words:
        assert word in done.stderr, done.stderr
    assert {name: value for name, value in tree(data).items() if name != "lock"} == before
    fresh = folder / "fresh"
    assert restore(file, fresh).returncode == code
    assert not fresh.exists()
    assert not leftovers(folder)


@pytest.mark.parametrize("member", ["manifest.json", "funcgate.db", "journal.db", "manifest.json.sha256"])
def test_one_changed_byte(world, tmp_path, member):
    with tarfile.open(world["file"]) as archive:
        info = archive.getmember(member)
        start, size = info.offset_data, info.size
    content = bytearray(world["file"].read_bytes())
    for at in (start, start + size // 2, start + size - 1):
        spoilt = bytearray(content)
        spoilt[at] ^= 1
        (tmp_path / "bad.tar").write_bytes(spoilt)
        assert_refused(tmp_path / "bad.tar", tmp_path, 7)


def test_truncated(world, tmp_path):
    content = world["file"].read_bytes()
    for length in (0, 100, 512, 5000, len(content) // 2, content.rindex(b"manifest.json\n")):
        (tmp_path / "bad.tar").write_bytes(content[:length])
        assert_refused(tmp_path / "bad.tar", tmp_path, 7)


def test_files_that_are_no_backup(tmp_path):
    (tmp_path / "text").write_text("hello, this is no archive")
    assert_refused(tmp_path / "text", tmp_path, 7, "not a backup")
    with tarfile.open(tmp_path / "other.tar", "w") as made:
        made.add(tmp_path / "text", "text")
    assert_refused(tmp_path / "other.tar", tmp_path, 7, "manifest.json")
    missing = restore(tmp_path / "missing.tar", tmp_path / "data")
    assert missing.returncode == 3 and not (tmp_path / "data").exists()


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


HOSTILE = {
    "a path that leads out": (tarfile.TarInfo("../escaped"), b"x"),
    "an absolute path": (tarfile.TarInfo("/tmp/funcgate-escaped"), b"x"),
    "a path that leads out of the resources": (tarfile.TarInfo("resources/../../escaped"), b"x"),
    "a member that nobody knows": (tarfile.TarInfo("keystore-password"), b"x"),
    "a symbolic link": (link("resources/link", tarfile.SYMTYPE, "/etc"), b""),
    "a hard link": (link("resources/link", tarfile.LNKTYPE, "funcgate.db"), b""),
    "a device": (link("resources/device", tarfile.CHRTYPE, ""), b""),
    "a folder": (link("resources/folder", tarfile.DIRTYPE, ""), b""),
    "a member twice": (tarfile.TarInfo("funcgate.db"), b"x"),
    "a resource that the manifest does not name": (tarfile.TarInfo("resources/box/more.csv"), b"x"),
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("behind", ["manifest.json", "journal.db", "manifest.json.sha256"])
def test_members_that_must_not_be(world, tmp_path, what, behind):
    """Wherever they stand, with whatever name and kind: refused, and nothing is written anywhere."""
    hostile, content = HOSTILE[what]
    bad = spoil(world["file"], tmp_path / "bad.tar", lambda info, bytes_: [(info, bytes_), (hostile, content)] if info.name == behind else (info, bytes_))
    assert_refused(bad, tmp_path, 7)
    assert not (tmp_path / "escaped").exists() and not Path("/tmp/funcgate-escaped").exists() and not (tmp_path.parent / "escaped").exists()


@pytest.mark.parametrize("name", ["../escaped", "/tmp/funcgate-escaped", "resources/../../escaped", "lock", "resources/\u0001", "control.sock"])
def test_manifest_that_names_what_must_not_be(world, tmp_path, name):
    content = b"x"
    bad = with_manifest(world["file"], tmp_path / "first.tar", lambda manifest: manifest["members"].append({"name": name, "bytes": 1, "sha256": hashlib.sha256(content).hexdigest()}))
    bad = spoil(bad, tmp_path / "bad.tar", lambda info, bytes_: [(info, bytes_), (tarfile.TarInfo(name), content)] if info.name == "journal.db" else (info, bytes_))
    assert_refused(bad, tmp_path, 7)
    assert not (tmp_path / "escaped").exists() and not Path("/tmp/funcgate-escaped").exists()


def test_missing_member(world, tmp_path):
    bad = spoil(world["file"], tmp_path / "bad.tar", lambda info, content: None if info.name == "journal.db" else (info, content))
    assert_refused(bad, tmp_path, 7, "journal.db")


def test_newer_releases(world, tmp_path):
    """What the manifest says, what the database says, and a format that is not known yet: each with a message that helps."""
    newer = with_manifest(world["file"], tmp_path / "1.tar", lambda manifest: manifest["databases"].update({"funcgate.db": 99}))
    assert_refused(newer, tmp_path, 1, "newer release", "99")
    newer = with_manifest(world["file"], tmp_path / "2.tar", lambda manifest: manifest.update(format=2))
    assert_refused(newer, tmp_path, 1, "newer")
    data = tmp_path / "data"
    shutil.copytree(world["server"].data, data, ignore=shutil.ignore_patterns("control.sock"))
    with closing(sqlite3.connect(data / "funcgate.db")) as database, database:
        database.execute("INSERT INTO schema_version VALUES (?, 'from_the_future', 0)", [SCHEMAS["funcgate.db"] + 1])
    told = command("backup", tmp_path / "3.tar", "--data", data)
    assert told.returncode == 1 and "newer release" in told.stderr and not (tmp_path / "3.tar").exists()
    told = command("migrate", "--data", data)
    assert told.returncode == 1 and "newer release" in told.stderr
    # The manifest lies about the database.
    bad = replaced_database(world["file"], tmp_path / "4.tar", data)
    assert_refused(bad, tmp_path, 1, "newer release")


def replaced_database(source: Path, target: Path, data: Path) -> Path:
    """The archive with funcgate.db of the data directory, and a manifest that fits."""
    with closing(sqlite3.connect(data / "funcgate.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = (data / "funcgate.db").read_bytes()

    def edit(manifest):
        for member in manifest["members"]:
            if member["name"] == "funcgate.db":
                member.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    fitting = with_manifest(source, target.with_suffix(".fitting"), edit)
    return spoil(fitting, target, lambda info, bytes_: (info, content if info.name == "funcgate.db" else bytes_))


def test_damaged_database(world, tmp_path):
    """Checksums that fit do not make a database whole: neither is such a backup made, nor restored."""
    data = tmp_path / "data"
    shutil.copytree(world["server"].data, data, ignore=shutil.ignore_patterns("control.sock"))
    with closing(sqlite3.connect(data / "funcgate.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # An index that lost a row: every page is well-formed.
        with database:
            database.execute("PRAGMA writable_schema = ON")
            database.execute("UPDATE sqlite_master SET sql = 'CREATE UNIQUE INDEX users_login ON users (email)' WHERE name = 'users_login'")
    bad = replaced_database(world["file"], tmp_path / "bad.tar", data)
    assert_refused(bad, tmp_path, 7, "damaged")
