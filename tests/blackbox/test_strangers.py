"""Callers of the management API whom nobody knows wait apart: however many hang, who is known is answered."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from support.management import Management, api
from support.server import wait_until

# Of one network, as src/http/admin_edge.h says.
PLACES, TOO_MANY = 32, 4
REVOKE = "/api/v1/keys/revoke"


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
