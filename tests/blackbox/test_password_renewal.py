"""Password hashes with older parameters are made anew at the next success (authentication §3)."""

import json
import re
import sqlite3
from contextlib import closing

from support.credentials import basic
from support.database import document
from support.resources import Resources
from support.server import wait_until

USERS = {"mia": "a password of mia", "joe": "a password of joe"}
DEARER = "[auth.password_hash]\nmemory_kib = 20480\niterations = 3\n"


def resources(**more) -> Resources:
    made = Resources().scripts("old", main="@DFF.API('x')\ndef x():\n    return _DFF_CALLER['name']\n").basic("staff", USERS, **more)
    return made.api("x", "old__main.x", "staff")


def costs(data) -> dict[str, str]:
    users = json.loads(document(data, "api_authentications", "staff"))["users"]
    return {user["username"]: re.search(r"m=\d+,t=\d+", user["passwordHash"]).group() for user in users}


def facts(data) -> tuple:
    """What an ETag and an edit depend on."""
    with closing(sqlite3.connect(data / "funcgate.db", timeout=20)) as database:
        row = database.execute("SELECT version, updated_at_ms FROM api_authentications WHERE id = 'staff'").fetchone()
    return row, [user["passwordSetAt"] for user in json.loads(document(data, "api_authentications", "staff"))["users"]]


def call(server, name: str, password: str):
    return server.client.get("/api/v1/al/x/s", basic(name, password))


def test_renewed_at_the_next_success(make_server):
    """A success renews the hash of its own account, a failure none; version, ETag and everything else stay."""
    server = make_server(resources())
    usual = "m=19456,t=2"
    assert costs(server.data) == {"mia": usual, "joe": usual}
    call(server, "mia", USERS["mia"]).expect(200)
    assert server.stop() == 0
    before = facts(server.data)

    server.config = DEARER
    server.start()
    call(server, "mia", "a wrong password").refused("401.99")
    call(server, "joe", "a wrong password").refused("401.99")
    assert costs(server.data) == {"mia": usual, "joe": usual}
    call(server, "mia", USERS["mia"]).expect(200)
    wait_until(lambda: costs(server.data)["mia"] == "m=20480,t=3", "the hash is made anew")
    assert costs(server.data)["joe"] == usual
    assert facts(server.data) == before
    call(server, "mia", USERS["mia"]).expect(200)
    call(server, "mia", "a wrong password").refused("401.99")
    assert "unchanged" in server.apply(resources()).stdout, "the same document changes nothing"
    assert costs(server.data) == {"mia": "m=20480,t=3", "joe": usual}

    server.kill()
    server.start()
    call(server, "mia", USERS["mia"]).expect(200)
    call(server, "mia", "a wrong password").refused("401.99")
    assert not [event for event in server.events() if event.get("event") == "auth.passwords_renewed"], "once is enough"
    for event in server.events():
        assert USERS["mia"] not in json.dumps(event)


def test_new_passwords_have_the_configured_cost(make_server):
    """[auth.password_hash] decides what is stored from the first day on."""
    server = make_server(resources(), DEARER)
    assert set(costs(server.data).values()) == {"m=20480,t=3"}
    call(server, "joe", USERS["joe"]).expect(200)


def test_edit_at_the_same_time(make_server):
    """A password that an administrator changes meanwhile is the one that stays."""
    server = make_server(resources())
    server.stop()
    server.config = DEARER
    server.start()
    call(server, "mia", USERS["mia"]).expect(200)
    changed = Resources().scripts("old", main="@DFF.API('x')\ndef x():\n    return _DFF_CALLER['name']\n").basic("staff", {**USERS, "mia": "another password"})
    server.apply(changed.api("x", "old__main.x", "staff"))
    call(server, "mia", USERS["mia"]).refused("401.99")
    call(server, "mia", "another password").expect(200)
    assert costs(server.data)["mia"] == "m=20480,t=3"
