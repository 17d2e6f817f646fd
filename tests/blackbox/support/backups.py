"""Backups as an operator makes, restores and compares them, and an instance that has something to lose."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from support.management import Management
from support.resources import PROBE, Resources
from support.server import ROOT, Server, command

TOKEN = {"X-Token": "canary-field-value-5512"}
BASIC_PASSWORD = "canary basic password 7731"
VARIABLE = "canary-variable-value-9024"
SECRET = "canary-secret-key-value-3345"
LOADER = '''
@DFF.API('Look at uploads', timeout=30)
def look(files=None, **kwargs):
    found = []
    for file in files or []:
        with open(file['filePath'], 'rb') as stream:
            found.append(stream.read().decode('latin-1'))
    return found

@DFF.API('A variable')
def variable():
    return len(DFF.ENV('PARTNER'))
'''


def migrations(folder: str) -> list[str]:
    """Names of the migrations below src/store/migrations, oldest first: the first makes schema 1."""
    files = sorted((ROOT / "src/store/migrations" / folder).glob("V*__*.sql"))
    return [file.stem.split("__", 1)[1] for file in files]


SCHEMAS = {"funcgate.db": len(migrations("sqlite")), "journal.db": len(migrations("sqlite_journal"))}


def old_instance(data: Path) -> None:
    """A data directory of the first release: both databases with their first migration alone."""
    data.mkdir()
    for name, folder, title in (("funcgate.db", "sqlite", "configuration_tasks_values"), ("journal.db", "sqlite_journal", "blocks_and_records")):
        script = next((ROOT / "src/store/migrations" / folder).glob("V001__*.sql")).read_text(encoding="utf-8")
        with closing(sqlite3.connect(data / name)) as database, database:
            database.executescript(script)
            database.execute("CREATE TABLE schema_version (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at_ms BIGINT NOT NULL)")
            database.execute("INSERT INTO schema_version VALUES (1, ?, 0)", (title,))
        (data / name).chmod(0o600)


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE).scripts("box", main=LOADER)
    made.fixed_field("token", {"location": "header", "name": "X-Token", "value": TOKEN["X-Token"]})
    made.basic("staff", {"mia": BASIC_PASSWORD})
    made.variable("PARTNER", "password", VARIABLE, "box")
    made.api("hello", "probe__main.hello", "token").api("count", "probe__main.count", "token").api("counted", "probe__main.counted", "token")
    made.api("rest", "probe__main.rest", "token").api("variable", "box__main.variable", "token")
    made.api("staff", "probe__main.hello", "staff")
    made.api("long-job", "probe__main.rest", "token", execMode="async")
    return made.api("job", "box__main.look", "token", execMode="async", acceptFiles=True)


def greet(server: Server) -> None:
    assert server.client.get("/api/v1/al/hello/s?name=Mia", TOKEN).expect(200).text == "Hello, Mia!"


def back_up(data: Path, file: Path, *options: str) -> dict:
    done = command("backup", file, "--data", data, "-o", "json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def restore(file: Path, data: Path, *options: str) -> subprocess.CompletedProcess:
    return command("restore", file, "--data", data, *options)


def restored(file: Path, data: Path, *options: str) -> dict:
    done = restore(file, data, "-o", "json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def give_keystore(source: Path, target: Path) -> None:
    for name in ("keystore.p12", "keystore-password"):
        shutil.copy2(source / name, target / name)


def tree(folder: Path) -> dict[str, str]:
    """Every file below, and its checksum."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()}


def leftovers(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if "partial" in entry.name]


def make_world(folder: Path) -> dict:
    """A stopped instance with a user, a key, secrets and a backup without keystore."""
    server = Server(folder).start()
    server.apply(resources())
    admin = Management.set_up(server)
    owner = admin.key_owner("apiagent")
    _, token = admin.key(owner["user"], "canary key", scopes=["api", "management"])
    secret = admin.create("/secret-keys", owner={"kind": "action", "application": "A", "flow": "F", "action": "a"}, name="K")
    admin.put(f"/secret-keys/{secret}/secret", {"secret": SECRET}).expect(204)
    for _ in range(3):
        server.client.get("/api/v1/al/count/s", TOKEN).expect(200)
    summary = back_up(server.data, folder / "plain.tar")
    assert server.stop() == 0
    return {"server": server, "folder": folder, "file": folder / "plain.tar", "summary": summary, "token": token}
