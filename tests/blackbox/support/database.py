"""The configuration's database as somebody with a SQLite client sees it: what went wrong there must close, never open."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path


def execute(data: Path, statement: str, *values) -> int:
    """Runs one statement on the database of a data directory; the number of rows it changed. Works beside a running server."""
    with closing(sqlite3.connect(data / "funcgate.db", timeout=20)) as database, database:
        database.execute("PRAGMA foreign_keys = OFF")
        return database.execute(statement, values).rowcount


def stored(data: Path, key: str) -> str | None:
    """What functions keep under the key with DFF.STORE, as JSON."""
    with closing(sqlite3.connect(data / "funcgate.db", timeout=20)) as database:
        row = database.execute("SELECT value FROM stored_values WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def begun(data: Path, key: str) -> bool:
    """Whether a function that says so (BEGIN of support/resources.py) has begun under the key."""
    return stored(data, f"begun {key}") is not None


def document(data: Path, table: str, name: str) -> str:
    """The stored document of an object."""
    with closing(sqlite3.connect(data / "funcgate.db", timeout=20)) as database:
        row = database.execute(f"SELECT document FROM {table} WHERE id = ?", (name,)).fetchone()
    assert row is not None, f"{table} has no {name}"
    return row[0]


def set_document(data: Path, table: str, name: str, text: str | bytes) -> None:
    """Replaces the stored document and nothing else: its version says that nothing has changed."""
    assert execute(data, f"UPDATE {table} SET document = ? WHERE id = ?", text, name) == 1


@contextmanager
def unrecorded(data: Path, event: str):
    """While this lasts, no record of the event can be written to the audit trail; all else can."""
    trigger = f"refuse_{event.replace('.', '_')}"
    execute(data, f"CREATE TRIGGER {trigger} BEFORE INSERT ON audit_entries WHEN NEW.event = '{event}' BEGIN SELECT json('{{'); END")
    try:
        yield
    finally:
        execute(data, f"DROP TRIGGER {trigger}")
