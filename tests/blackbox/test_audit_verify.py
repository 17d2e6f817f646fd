"""funcgate audit verify: what somebody with write access to the files changed, removed, reordered or inserted shows (I8)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from support.backups import old_instance, tree
from support.management import Management
from support.resources import PROBE, Resources
from support.server import BINARY, Server, command, environment, wait_until

COLUMNS = ["time_ms", "event", "outcome", "actor_id", "actor_login", "object_kind", "object_id", "object_name", "trace_id", "address",
           "reason", "document", "previous_hash", "hash"]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory) -> Path:
    """A stopped data directory with both streams, a checkpoint in `checkpoint.json` and an export in `export.ndjson`."""
    folder = tmp_path_factory.mktemp("evidence")
    server = Server(folder)
    server.start(server.write(Resources().scripts("demo", probe=PROBE).api("greet", "demo__probe.hello")))
    admin = Management.set_up(server)
    for number in range(4):
        admin.create("/users", login=f"witness-{number}", surname=f"Witness number {number}")
        server.client.get("/api/v1/func-api/greet").expect(200)
    wait_until(lambda: len(admin.data("/audit?stream=calls")) >= 4, "the calls are recorded")
    checkpoint = admin.post("/audit/checkpoints").expect(201).json["data"]
    (folder / "checkpoint.json").write_text(json.dumps(checkpoint, separators=(",", ":"), ensure_ascii=False) + "\n")
    (folder / "export.ndjson").write_bytes(admin.get("/audit", Accept="application/x-ndjson").expect(200).body)
    assert server.stop() == 0
    for name in ("funcgate.db", "journal.db"):
        with closing(sqlite3.connect(server.data / name)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


@pytest.fixture
def data(evidence, tmp_path) -> Path:
    shutil.copytree(evidence / "data", tmp_path / "data", ignore=shutil.ignore_patterns("*.sock"))
    return tmp_path / "data"


def verify(data: Path, *options, expect: int) -> str:
    done: subprocess.CompletedProcess = command("audit", "verify", "--data", data, *options)
    assert done.returncode == expect, f"ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def tamper(data: Path, statement: str, *values, name: str = "funcgate.db") -> None:
    """As somebody does who owns the files: triggers do not stop him."""
    with closing(sqlite3.connect(data / name)) as database, database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        assert database.execute(statement, values).rowcount >= 1


def rows(data: Path) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(data / "funcgate.db")) as database:
        database.row_factory = sqlite3.Row
        return database.execute("SELECT * FROM audit_entries ORDER BY sequence").fetchall()


def changed(value):
    """The value with one character, byte or unit changed."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, bytes):
        middle = len(value) // 2
        return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1:]
    if not value:
        return "x"
    middle = len(value) // 2
    return value[:middle] + ("b" if value[middle] != "b" else "c") + value[middle + 1:]


def test_intact_streams_are_told_with_their_number_of_records(data):
    lines = verify(data, expect=0).splitlines()
    count = len(rows(data))
    assert lines[0] == f"stream admin: {count} records"
    assert lines[1].startswith("stream calls: ")
    assert lines[2] == f"{count + int(lines[1].split()[2])} records, chain intact"
    assert verify(data, "--stream", "admin", expect=0) == f"{count} records, chain intact"
    assert verify(data, "--stream", "admin", "--from", str(count), expect=0) == "1 records, chain intact"


@pytest.mark.parametrize("column", COLUMNS)
def test_one_changed_character_in_any_column_names_the_record(data, column):
    """authentication 83, I8: any character of any column: the record is named."""
    row = rows(data)[6]
    tamper(data, f"UPDATE audit_entries SET {column} = ? WHERE sequence = 7", changed(row[column]))
    assert verify(data, expect=1).splitlines()[0] == "stream admin, record 7: hash mismatch"
    verify(data, "--stream", "calls", expect=0)


@pytest.mark.parametrize("place", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_one_changed_byte_of_the_file_inside_a_record_is_found(data, place):
    row = rows(data)[8]
    file = data / "funcgate.db"
    content = bytearray(file.read_bytes())
    document = row["document"].encode()
    at = content.find(document)
    assert at > 0
    content[at + int(place * (len(document) - 1))] ^= 0x01
    file.write_bytes(content)
    assert verify(data, expect=1).splitlines()[0] == "stream admin, record 9: hash mismatch"


def test_a_removed_record_is_missing(data):
    """authentication 83, I8: a gap is found."""
    tamper(data, "DELETE FROM audit_entries WHERE sequence = 5")
    assert "stream admin, record 5: record missing" in verify(data, expect=1)


def test_a_removed_beginning_that_nobody_announced_is_missing(data):
    tamper(data, "DELETE FROM audit_entries WHERE sequence < 4")
    assert "stream admin, record 1: record missing" in verify(data, expect=1)


def test_exchanged_records_are_out_of_order(data):
    """authentication 83, I8: so is another order."""
    for old, new in ((3, 1_000_003), (6, 3), (1_000_003, 6)):
        tamper(data, "UPDATE audit_entries SET sequence = ? WHERE sequence = ?", new, old)
    assert "stream admin, record 3: order" in verify(data, expect=1)


def test_an_inserted_record_does_not_fit(data):
    """authentication 83, I8: and a record that somebody added."""
    last = rows(data)[-1]
    document = json.loads(last["document"])
    document["seq"] = last["sequence"] + 1
    document["prevHash"] = "0" * 64
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    values = {**dict(last), "sequence": document["seq"], "document": text, "previous_hash": "0" * 64, "hash": hashlib.sha256(text.encode()).hexdigest()}
    tamper(data, f"INSERT INTO audit_entries ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", *values.values())
    assert f"stream admin, record {document['seq']}: hash mismatch" in verify(data, expect=1)


def test_a_cut_off_end_shows_against_a_checkpoint_only(data, evidence):
    verify(data, "--checkpoint", evidence / "checkpoint.json", expect=0)
    last = rows(data)[-1]["sequence"]
    tamper(data, "DELETE FROM audit_entries WHERE sequence > ?", last - 3)
    verify(data, "--stream", "admin", expect=0)
    assert f"stream admin, record {last - 3}: head behind checkpoint" in verify(data, "--checkpoint", evidence / "checkpoint.json", expect=1)


def test_a_forged_checkpoint_proves_nothing(data, evidence, tmp_path):
    forged = json.loads((evidence / "checkpoint.json").read_text())
    forged["checkpoint"]["heads"][0]["seq"] = 1
    (tmp_path / "forged.json").write_text(json.dumps(forged, separators=(",", ":")) + "\n")
    verify(data, "--checkpoint", tmp_path / "forged.json", expect=2)


@pytest.mark.parametrize("column", ["first_ms", "last_ms", "record_count", "previous_hash", "hash", "records"])
def test_one_changed_byte_of_the_journal_names_the_block(data, column):
    with closing(sqlite3.connect(data / "journal.db")) as database:
        sequence, value = database.execute(f"SELECT sequence, {column} FROM blocks ORDER BY sequence DESC LIMIT 1").fetchone()
    tamper(data, f"UPDATE blocks SET {column} = ? WHERE sequence = ?", changed(value), sequence, name="journal.db")
    assert f"stream calls, block {sequence}: hash mismatch" in verify(data, expect=1)
    verify(data, "--stream", "admin", expect=0)


def test_an_export_is_verified_like_the_database(evidence, tmp_path):
    lines = (evidence / "export.ndjson").read_text().splitlines()
    assert verify(tmp_path, "--file", evidence / "export.ndjson", expect=0) == f"{len(lines)} records, chain intact"
    record = json.loads(lines[4])
    record["summary"] += "."
    (tmp_path / "changed.ndjson").write_text("\n".join([*lines[:4], json.dumps(record, ensure_ascii=False), *lines[5:]]) + "\n")
    assert f"record {record['seq']}: hash mismatch" in verify(tmp_path, "--file", tmp_path / "changed.ndjson", expect=1)
    (tmp_path / "cut.ndjson").write_text("\n".join([*lines[:4], *lines[5:]]) + "\n")
    assert f"record {record['seq']}: record missing" in verify(tmp_path, "--file", tmp_path / "cut.ndjson", expect=1)


def test_what_cannot_be_read_is_neither_intact_nor_damaged(tmp_path):
    verify(tmp_path / "nowhere", expect=2)
    assert not (tmp_path / "nowhere").exists()


def test_an_older_schema_is_told_and_not_migrated(tmp_path):
    """Whoever verifies evidence of an older release must not change it: not a byte, and not a file more."""
    data = tmp_path / "data"
    old_instance(data)
    before = tree(data)
    done = command("audit", "verify", "--data", data)
    assert done.returncode == 2 and "has schema 1" in done.stderr and "funcgate migrate" in done.stderr, done.stderr
    assert done.stdout == "" and tree(data) == before
    assert command("migrate", "--data", data).returncode == 0
    assert verify(data, expect=0).endswith("0 records, chain intact")


def test_nothing_is_written(data):
    before = tree(data)
    verify(data, expect=0)
    assert tree(data) == before


def verify_as_stranger(data: Path) -> subprocess.CompletedProcess:
    """As a user who may read the evidence and write nothing of it."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    for folder in (data.parent, data.parent.parent, data.parent.parent.parent):
        folder.chmod(0o755)
    program = data.parent / "funcgate"
    shutil.copy(BINARY, program)
    for path in data.iterdir():
        path.chmod(0o444 if path.is_file() else 0o555)
    data.chmod(0o555)
    return subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program, "audit", "verify", "--data", data], capture_output=True,
                          text=True, timeout=120, env=environment(), cwd="/")


@pytest.mark.parametrize("name", ["data", "da ta#1?mode=rw%20"])
def test_evidence_that_cannot_be_written_is_verified(evidence, tmp_path, name):
    """A copy of mode 0444, a mount that is read-only: reading is enough, also where the path looks like a URI."""
    data = tmp_path / name
    data.mkdir()
    for file in ("funcgate.db", "journal.db"):
        shutil.copy(evidence / "data" / file, data / file)
    tamper(data, "UPDATE audit_entries SET actor_login = 'nobody' WHERE sequence = 5")
    before = tree(data)
    assert (done := verify_as_stranger(data)).returncode == 1, done.stderr
    assert done.stdout.splitlines()[0] == "stream admin, record 5: hash mismatch"
    data.chmod(0o755)
    for file in ("funcgate.db", "journal.db"):
        (data / file).unlink()
        shutil.copy(evidence / "data" / file, data / file)
    assert (done := verify_as_stranger(data)).returncode == 0, done.stderr
    assert "chain intact" in done.stdout
    assert set(tree(data)) == set(before)


def test_the_log_of_a_killed_server_is_read_where_nothing_can_be_written(make_server, tmp_path):
    """With its index, as the server left it; without it the answer says what to do, and never that what the file alone holds is all."""
    server = make_server(Resources().scripts("demo", probe=PROBE))
    admin = Management.set_up(server)
    for number in range(4):
        admin.create("/users", login=f"late-{number}")
    count = admin.data("/audit?limit=1")[0]["seq"]
    server.kill()
    data = tmp_path / "evidence/data"
    data.mkdir(parents=True)
    for path in server.data.glob("*.db*"):
        shutil.copy(path, data / path.name)
    assert (data / "funcgate.db-wal").stat().st_size > 0
    before = tree(data)
    done = verify_as_stranger(data)
    assert done.returncode == 0 and f"stream admin: {count} records" in done.stdout, done.stdout + done.stderr
    assert tree(data) == before
    data.chmod(0o755)
    (data / "funcgate.db-shm").unlink()
    done = verify_as_stranger(data)
    assert done.returncode == 2 and done.stdout == "", done.stdout
    assert "funcgate.db-wal belongs to it" in done.stderr and "Copy both" in done.stderr, done.stderr


def test_the_log_of_a_killed_server_is_read_and_stays_where_it_is(make_server):
    """The newest records stand in the log beside the database alone."""
    server = make_server(Resources().scripts("demo", probe=PROBE).api("greet", "demo__probe.hello"))
    admin = Management.set_up(server)
    admin.create("/users", login="late", surname="Late")
    server.kill()
    assert (server.data / "funcgate.db-wal").stat().st_size > 0
    evidence = lambda: {name: value for name, value in tree(server.data).items() if name.endswith((".db", "-wal"))}
    before = evidence()
    lines = verify(server.data, expect=0).splitlines()
    assert int(lines[0].split()[2]) == len(rows_of_a_copy(server.data))
    assert len(before) == 4 and evidence() == before


def rows_of_a_copy(data: Path) -> list[sqlite3.Row]:
    copy = data.parent / "copy"
    shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*.sock", "run"))
    return rows(copy)


def test_verification_runs_beside_the_server(make_server):
    server = make_server()
    admin = Management.set_up(server)
    assert "chain intact" in verify(server.data, expect=0)
    admin.create("/users", login="later")
    assert "chain intact" in verify(server.data, expect=0)
    assert admin.post("/audit/verify").expect(200).json["data"]["intact"] is True


def test_before_reply_every_answered_call_is_on_disk_when_the_plug_is_pulled(make_server):
    server = make_server(Resources().scripts("demo", probe=PROBE).api("greet", "demo__probe.hello"), '[audit]\ncalls = "before_reply"\n[limits]\njournal_flush_ms = 200\n')
    answered = 0
    for _ in range(5):
        server.client.get("/api/v1/func-api/greet").expect(200)
        answered += 1
    server.kill()
    with closing(sqlite3.connect(server.data / "journal.db")) as database:
        assert database.execute("SELECT sum(record_count) FROM blocks").fetchone()[0] >= answered
    assert "chain intact" in verify(server.data, expect=0)


# --- over the management API

@pytest.fixture
def far(make_server, tmp_path):
    """A server, and `verify` of it by address and key; the checkpoint that it made."""
    server = make_server(Resources().scripts("demo", probe=PROBE).api("greet", "demo__probe.hello"))
    admin = Management.set_up(server)
    owner = admin.key_owner("auditor", "View Audit Trail")
    key = tmp_path / "auditor.key"
    key.write_text(admin.key(owner["user"], "All", scopes=["management"])[1], encoding="utf-8")
    checkpoint = tmp_path / "one.json"
    checkpoint.write_text(json.dumps(admin.post("/audit/checkpoints").expect(201).json["data"]), encoding="utf-8")

    def run(*options, expect: int = 0, token: Path = key) -> subprocess.CompletedProcess:
        done = command("audit", "verify", "--url", server.url(""), "--token-file", token, *options)
        assert done.returncode == expect, f"ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    return server, run, checkpoint


def test_a_server_verifies_for_whoever_may(far, tmp_path):
    server, run, checkpoint = far
    assert run("--stream", "admin").stdout == verify(server.data, "--stream", "admin", expect=0) + "\n"
    both = run().stdout.splitlines()
    assert both[0].startswith("stream admin: ") and both[1].startswith("stream calls: ") and both[2].endswith(" records, chain intact")
    as_json, as_yaml = json.loads(run("-o", "json").stdout), yaml.safe_load(run("-o", "yaml").stdout)
    assert as_json == as_yaml and as_json["intact"] is True and [one["stream"] for one in as_json["streams"]] == ["admin", "calls"]
    assert int(run("--stream", "admin", "--from", "3").stdout.split()[0]) == as_json["streams"][0]["records"] - 2
    run("--checkpoint", checkpoint)
    two = tmp_path / "two.json"
    two.write_text(checkpoint.read_text(encoding="utf-8") + "\n" + checkpoint.read_text(encoding="utf-8"), encoding="utf-8")
    assert "one checkpoint" in run("--checkpoint", two, expect=2).stderr


def test_a_server_tells_the_damage(far):
    server, run, _ = far
    tamper(server.data, "UPDATE audit_entries SET event = 'x' WHERE sequence = 3")
    assert run(expect=1).stdout.splitlines()[0] == "stream admin, record 3: hash mismatch"
    told = json.loads(run("--stream", "admin", "-o", "json", expect=1).stdout)
    assert (told["intact"], told["streams"][0]["seq"], told["streams"][0]["damage"]) == (False, 3, "hash mismatch")


def test_who_may_not_and_what_does_not_answer_is_no_verdict(far, tmp_path):
    server, run, _ = far
    wrong = tmp_path / "wrong.key"
    wrong.write_text("made.up.key", encoding="utf-8")
    assert "API Key Auth failed" in run(expect=2, token=wrong).stderr
    assert server.stop() == 0
    run(expect=2)
