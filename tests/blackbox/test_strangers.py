"""Callers of the management API whom nobody knows wait apart: however many hang, who is known is answered."""

from __future__ import annotations

import itertools
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

from support.management import API, LOGIN, PASSWORD, Management, api
from support.server import wait_until
from support.wire import request_bytes

# Of one network, as src/http/admin_edge.h says.
PLACES, TOO_MANY = 32, 4
REVOKE = "/api/v1/keys/revoke"
SIGN_IN_THREADS = 2  # src/app/management.cpp


def test_strangers_that_fill_the_places_of_a_network_keep_nobody_out_who_is_known(make_server):
    """They hang because the database is written by somebody else; the session and the key are of the same network."""
    server = make_server()
    admin = Management.set_up(server)
    owner = admin.key_owner("agent", "View Server")["user"]
    _, leaked = admin.key(owner, "Leaked")
    _, token = admin.key(owner, "Mine", scopes=["management"])
    address = admin.client.address
    keyed = Management(server, token, address)
    keyed.get("/me").expect(200)
    # Its cookie was never shown before the strangers come.
    fresh = Management(server, address=address).sign_in()
    client = server.client.pinned(address)
    with ThreadPoolExecutor(PLACES + TOO_MANY) as threads, closing(sqlite3.connect(server.data / "funcgate.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            strangers = [threads.submit(client.post, REVOKE, json={"token": leaked}) for _ in range(PLACES + TOO_MANY)]
            wait_until(lambda: sum(stranger.done() for stranger in strangers) == TOO_MANY, "no place is left")
            api(client, "GET", "/me", [("Authorization", "Bearer made.up.key")]).refused("503.1")
            fresh.get("/me").expect(200)
            keyed.get("/me").expect(200)
            api(client, "GET", "/me", [("Authorization", f"bearer   {token}")]).expect(200)
            assert sum(stranger.done() for stranger in strangers) == TOO_MANY, "the others did not hang for long enough"
        finally:
            database.execute("ROLLBACK")
        answers = [stranger.result(60) for stranger in strangers]
        assert sorted(answer.status for answer in answers) == [204] * PLACES + [503] * TOO_MANY
    api(client, "GET", "/me").refused("401.14")


def test_a_sign_in_whose_caller_left_is_not_looked_at(make_server):
    """identity §3: a caller who leaves frees the place: nothing is hashed for him, and nobody is signed in."""
    server = make_server()
    admin = Management.set_up(server)
    credentials = {"login": LOGIN, "password": PASSWORD}
    sign_in = request_bytes("POST", API + "/session", {"Content-Type": "application/json"}, json.dumps(credentials).encode(), host=f"127.0.0.1:{server.port}")

    def pass_turns(number: int) -> None:
        """The server looks every 100 ms who is still there, and nothing tells of it: it answers others for a while."""
        passed = itertools.count(1)
        wait_until(lambda: server.client.get("/healthz").status == 200 and next(passed) >= number, "the server has answered", pause_s=0.1)

    def are_looked_at(turns: int) -> bool:
        """Whether those who left were signed in, if all threads hang for so long: the database is written by somebody else."""
        leavers = [server.client.pinned() for _ in range(3)]
        with ExitStack() as stack, closing(sqlite3.connect(server.data / "funcgate.db", isolation_level=None)) as database:
            busy = [stack.enter_context(server.client.pinned().connect()) for _ in range(SIGN_IN_THREADS)]
            database.execute("BEGIN IMMEDIATE")
            try:
                for connection in busy:
                    connection.send(sign_in)
                pass_turns(turns // 2)
                for leaver in leavers:
                    with leaver.connect() as connection:
                        connection.send(sign_in)
                pass_turns(turns)
            finally:
                database.execute("ROLLBACK")
            for connection in busy:
                connection.read("POST").expect(200)
        Management(server).sign_in()  # behind them in the queue
        return bool({leaver.address for leaver in leavers} & {record["address"] for record in admin.data("/audit?event=login.ok&limit=200")})

    assert not all(are_looked_at(turns) for turns in (5, 10, 20))
