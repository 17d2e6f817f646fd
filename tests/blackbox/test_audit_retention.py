"""Retention of call records: what is removed is anchored before it goes, and what is cut off by hand is missing (identity §8, I8)."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

import pytest

from support.management import Management, sign_in
from support.resources import Resources
from support.server import Server, command, wait_until

DAY_MS = 24 * 3600 * 1000
COLUMNS = "sequence, first_ms, last_ms, record_count, previous_hash, hash, records"


def varint(number: int) -> bytes:
    """Signed numbers as the journal writes them: zigzag, 7 bits a byte, lowest first."""
    number = number << 1 if number >= 0 else (-number << 1) - 1
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def behind_varint(data: bytes) -> bytes:
    return data[next(index for index, byte in enumerate(data) if byte < 128) + 1:]


@dataclass
class Block:
    sequence: int
    last_ms: int
    count: int
    body: bytes

    def row(self, previous: tuple | None) -> tuple:
        """The block sealed at its place: what retention may remove is 30 days older than it."""
        previous_last_ms, previous_hash = (previous[2], previous[5]) if previous else (0, "0" * 64)
        records = b"\x01" + varint(previous_last_ms) + varint(self.last_ms - 30 * DAY_MS) + self.body
        numbers = b"".join(value.to_bytes(8, "big") for value in (self.sequence, self.last_ms, self.last_ms, self.count))
        digest = hashlib.sha256(hashlib.sha256(previous_hash.encode()).digest() + numbers + records).hexdigest()
        return (self.sequence, self.last_ms, self.last_ms, self.count, previous_hash, digest, records)


def blocks(server: Server) -> list[tuple]:
    with closing(sqlite3.connect(server.data / "journal.db")) as database:
        return database.execute(f"SELECT {COLUMNS} FROM blocks ORDER BY sequence").fetchall()


def verify(server: Server, expect: int) -> str:
    done = command("audit", "verify", "--data", server.data)
    assert done.returncode == expect, f"ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def change(server: Server, *statements: str, drop_triggers: bool = True) -> None:
    with closing(sqlite3.connect(server.data / "journal.db")) as database, database:
        if drop_triggers:
            for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                database.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            assert database.execute(statement).rowcount >= 1


@pytest.fixture
def aged(make_server, tmp_path) -> Server:
    """A stopped instance whose journal has a block of each of the last 40 days."""
    other = make_server(Resources().scripts("demo", main="@DFF.API('Hello')\ndef hello():\n    return 'hello'\n").api("hello", "demo__main.hello"))
    other.client.get("/api/v1/func-api/hello").expect(200)
    assert other.stop() == 0
    (_, _, _, count, _, _, records), *_ = blocks(other)
    body = behind_varint(behind_varint(records[1:]))
    server = make_server()
    Management.set_up(server)
    assert server.stop() == 0 and not blocks(server)
    now, rows = int(time.time() * 1000), []
    for day in range(40):
        rows.append(Block(day + 1, now - (39 - day) * DAY_MS - 1000, count, body).row(rows[-1] if rows else None))
    with closing(sqlite3.connect(server.data / "journal.db")) as database, database:
        database.executemany(f"INSERT INTO blocks ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    assert "chain intact" in verify(server, expect=0)
    return server


def anchors(server: Server) -> list[dict]:
    return [record for record in sign_in(server).data("/audit?event=audit.pruned") if record["object"]["id"] == "calls"]


def test_what_is_old_is_anchored_before_it_goes(aged):
    tenth = blocks(aged)[8]
    aged.start()
    (anchor,) = wait_until(lambda: anchors(aged), "the removal is anchored")
    assert anchor["changes"] == [{"field": "removedTo", "new": {"hash": tenth[5], "node": "main", "seq": 9, "stream": "calls"}}]
    assert len(blocks(aged)) >= 40, "nothing goes within the hour"
    # Killed between anchor and removal, and started again: nothing is missing, and nothing is anchored twice.
    aged.kill()
    assert "chain intact" in verify(aged, expect=0)
    aged.start()
    assert aged.stop() == 0
    assert "chain intact" in verify(aged, expect=0)
    # As retention leaves it.
    change(aged, "DELETE FROM blocks WHERE sequence <= 9")
    assert "chain intact" in verify(aged, expect=0)
    change(aged, "DELETE FROM blocks WHERE sequence <= 10", drop_triggers=False)
    assert "stream calls, block 10: record missing" in verify(aged, expect=1)


def test_blocks_that_an_earlier_release_removed_are_explained_until_something_is_anchored(aged):
    change(aged, "DELETE FROM blocks WHERE sequence <= 5")
    assert "chain intact" in verify(aged, expect=0)
    aged.start()
    wait_until(lambda: anchors(aged), "the removal is anchored")
    assert sign_in(aged).post("/audit/verify", {"stream": "calls"}).expect(200).json["data"]["intact"] is True
    assert aged.stop() == 0
    change(aged, "DELETE FROM blocks WHERE sequence <= 12", drop_triggers=False)
    assert "stream calls, block 10: record missing" in verify(aged, expect=1)


def test_a_beginning_that_is_not_old_is_missing(aged):
    change(aged, "DELETE FROM blocks WHERE sequence <= 20")
    assert "stream calls, block 20: record missing" in verify(aged, expect=1)


@pytest.mark.parametrize("statement", ["UPDATE blocks SET records = x'00' WHERE sequence = 7", "UPDATE blocks SET sequence = sequence + 100",
                                       "DELETE FROM blocks WHERE sequence = 1", "DELETE FROM blocks WHERE sequence = 40", "DELETE FROM blocks",
                                       "INSERT OR REPLACE INTO blocks SELECT 7, first_ms, last_ms, record_count, previous_hash, hash, records FROM blocks WHERE sequence = 8"])
def test_the_table_refuses_what_retention_does_not_do(aged, statement):
    with pytest.raises(sqlite3.IntegrityError, match="never change|removed by retention only|appended only"):
        change(aged, statement, drop_triggers=False)
    assert "chain intact" in verify(aged, expect=0)
