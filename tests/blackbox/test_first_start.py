"""What a fresh instance holds: no account, no password, no key, random secrets; and how the first administrator gets in (I10)."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest

from support.credentials import basic
from support.keytool import Keytool
from support.management import PASSWORD, Management, api, setup_token, sign_in
from support.resources import PROBE, Resources
from support.server import BINARY, Server, command, environment

SIGNING = "phixflow-api-key"
# What people try first.
GUESSES = [("admin", "admin"), ("admin", "password"), ("admin", "Admin123!"), ("administrator", "administrator"), ("root", "root"), ("root", ""), ("system", ""), ("system", "system"),
           ("funcgate", "funcgate"), ("startup", "phixflow"), ("admin", ""), ("test", "test"), ("anonymous", ""), ("local", "local")]


def rows(data: Path, statement: str) -> list:
    with closing(sqlite3.connect(data / "funcgate.db")) as database:
        return database.execute(statement).fetchall()


def test_a_fresh_instance_has_no_account_key_or_session(make_server):
    """authentication 80: of users only `system`, which has no password and no groups; no key, no session, no credential that opens anything."""
    server = make_server(Resources().scripts("demo", main=PROBE).api("keyed", "demo__main.hello", "api-key"))
    for login, password in GUESSES:
        api(server.client, "POST", "/session", json={"login": login, "password": password}).refused("503.63")
        assert server.client.get("/api/v1/al/keyed/s", basic(login, password)).status == 401
    for method, path in [("GET", "/users"), ("GET", "/me"), ("POST", "/users"), ("POST", "/resources/apply"), ("GET", "/audit")]:
        api(server.client, method, path, **({} if method == "GET" else {"json": {}})).refused("503.63")
    token = setup_token(server)
    assert server.stop() == 0
    assert rows(server.data, "SELECT login, built_in FROM users") == [("system", 1)]
    for table in ("user_passwords", "api_keys", "sessions", "memberships", "secret_keys"):
        assert rows(server.data, f"SELECT * FROM {table}") == [], table
    assert token not in str(rows(server.data, "SELECT * FROM setup_tokens")), "stored is a hash"


def test_after_set_up_only_its_password_opens(make_server):
    """authentication 80, 81: the built-in user cannot sign in; no usual pair of name and password does."""
    server = make_server()
    admin = Management.set_up(server)
    for login, password in GUESSES:
        api(server.client, "POST", "/session", json={"login": login, "password": password}).refused("401.14")
    assert [user["login"] for user in admin.data("/users")] == ["root", "system"]
    assert admin.data("/api-keys") == []


def test_no_two_instances_share_a_secret(tmp_path):
    """authentication 80: signing, sealing, pepper and the keystore's password are random at each first start; so are set-up tokens and names of instances."""
    seen: list[dict[str, str]] = []
    for number in range(3):
        server = Server(tmp_path / f"server-{number}").start()
        try:
            found = {row["alias"]: row["kid"] for row in json.loads(command("keystore", "list", "-o", "json", "--data", server.data).stdout)}
            assert {SIGNING, "pepperkey", "funcgate-sealing-key"} <= set(found)
            found |= {"password": (server.data / "keystore-password").read_text(), "token": setup_token(server)}
            admin = Management.set_up(server)
            claims = admin.key(admin.user["id"], "Key")[1].split(".")[1]
            found["instance"] = json.loads(base64.urlsafe_b64decode(claims + "=="))["iss"]
            seen.append(found)
        finally:
            assert server.stop() == 0
    for name in seen[0]:
        assert len({found[name] for found in seen}) == 3, name
    assert all(len(set(found.values())) == len(found) for found in seen)


@pytest.mark.parametrize("value", ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "12341234123412341234123412341234", "0123456789abcdef0123456789abcdef", "a-string-secret-at-least-256-bits-long"])
def test_a_trivial_signing_secret_counts_as_missing(make_server, value):
    """authentication 80: a known or trivial value is refused by the command; from elsewhere it signs nothing and accepts nobody."""
    server = make_server()
    set_done = subprocess.run([BINARY, "keystore", "set", SIGNING, "--data", str(server.data)], input=value.encode(), capture_output=True, timeout=60, env=environment())
    assert set_done.returncode == 7 and b"is a known or trivial value" in set_done.stderr
    admin = Management.set_up(server)
    keytool = Keytool(server.data)
    _, token = admin.key(admin.key_owner("owner")["user"], "Key", scopes=["management"])
    Management(server, token).get("/me").expect(200)
    keytool.delete(SIGNING)
    keytool.put(SIGNING, value)
    admin.post("/keystore/reload").expect(200)
    assert server.client.get("/readyz").expect(200).json["degraded"] == ["apiKeys"]
    Management(server, token).get("/me").refused("503.99")
    assert "is a known or trivial value" in admin.post(f"/users/{admin.user['id']}/api-keys", {"name": "None"}).refused("503.61").json["message"]


def test_of_sixteen_parallel_set_ups_exactly_one_wins(make_server):
    """authentication 81: one 201, fifteen 409.25; one administrator, and the token is gone for good."""
    server = make_server()
    token, answers, barrier = setup_token(server), [], threading.Barrier(16)

    def attempt(number: int) -> None:
        barrier.wait()
        answers.append((number, api(server.client, "POST", "/setup", json={"token": token, "login": f"root{number}", "password": PASSWORD})))

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    won = [number for number, answer in answers if answer.status == 201]
    assert len(answers) == 16 and len(won) == 1, [answer.status for _, answer in answers]
    assert {answer.error for number, answer in answers if number not in won} == {"409.25"}
    admin = sign_in(server, f"root{won[0]}")
    assert sorted(user["login"] for user in admin.data("/users")) == sorted([f"root{won[0]}", "system"])
    assert [record["object"]["name"] for record in admin.data("/audit?event=setup.done")] == [f"root{won[0]}"]
    for number in range(16):
        if number not in won:
            api(server.client, "POST", "/session", json={"login": f"root{number}", "password": PASSWORD}).refused("401.14")
    api(server.client, "POST", "/setup", json={"token": token, "login": "late", "password": PASSWORD}).refused("404.41")
    assert not os.path.exists(server.data / "setup-token")


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 5000, None, 5, ["x"], {}])
def test_no_other_token_sets_up(make_server, token):
    """authentication 81: without the one-time token nobody becomes administrator."""
    server = make_server()
    body = {"login": "eve", "password": PASSWORD, **({} if token is None else {"token": token})}
    assert api(server.client, "POST", "/setup", json=body).error in ("401.14", "400.43")
    api(server.client, "POST", "/setup", [("Origin", "https://elsewhere.example")], json={**body, "token": setup_token(server)}).refused("403.31")
    assert rows(server.data, "SELECT login FROM users") == [("system",)]
    Management.set_up(server)
