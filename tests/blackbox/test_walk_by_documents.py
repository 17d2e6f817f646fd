"""From an anonymous API to one that demands a key, by documents: what test_identity_api.py does with calls and test_cli_remote.py with
commands. What is applied binds the next request of a connection that stays open (I2)."""

from __future__ import annotations

import pytest

from support.management import Management, call_on
from support.resources import PROBE, Resources
from support.server import Server, command, wait_until

PATH = "/api/v1/func-api/greet"


def world(*, enabled: bool = True, members: tuple[str, ...] = ("apiagent",), by_key: bool = True) -> Resources:
    """Everything that the walk needs, as one set of documents."""
    made = Resources().scripts("demo", probe=PROBE)
    made.document("User", "apiagent", {"firstName": "API", "surname": "Agent", "enabled": enabled, "passwordFrom": made.secret("Phixflow123!")})
    made.document("UserGroup", "APIUsers", {"users": list(members)})
    made.document("Role", "GenerateAPIToken", {"privileges": ["Use API Key"], "userGroups": ["APIUsers"]})
    return made.api("greet", "demo__probe.hello", *(["api-key"] if by_key else []), methods=["GET"])


@pytest.fixture
def server(make_server) -> Server:
    return make_server(world(by_key=False))


@pytest.fixture
def admin(server) -> Management:
    return Management.set_up(server)


def key_by_cli(server: Server, admin: Management) -> str:
    file = server.folder / "agent.key"
    done = command("key", "create", "--user", "apiagent", "--name", "Call API", "--out", file, "--data", server.data)
    assert done.returncode == 0, done.stderr
    return file.read_text(encoding="utf-8").strip()


def key_by_call(server: Server, admin: Management) -> str:
    return admin.key(admin.data("/users?login=apiagent")[0]["id"], "Call API")[1]


@pytest.mark.parametrize("make_key", [key_by_cli, key_by_call])
def test_the_walk_through(server, admin, make_key):
    token = make_key(server, admin)
    with server.client.connect() as connection:
        call_on(connection, PATH).expect(200)
        server.apply(world())
        refused = call_on(connection, PATH).refused("401.99")
        assert refused.json["message"] == "API Key Auth failed"
        assert refused.all("WWW-Authenticate") == ['Bearer realm="funcgate"']
        answer = call_on(connection, PATH, f"Bearer {token}").expect(200)
        trace = answer.header("X-Trace-Id")
        rows = wait_until(lambda: admin.data(f"/audit?stream=calls&traceId={trace}"), "the call is recorded")
        assert [(row["actor"]["login"], row["status"], row["runAs"]) for row in rows] == [("apiagent", 200, "apiagent")]

        server.apply(world(members=()))
        denied = call_on(connection, PATH, token).refused("403.15")
        assert denied.json["message"] == 'Privilege "Use API Key" is required'
        server.apply(world())
        call_on(connection, PATH, token).expect(200)

        server.apply(world(enabled=False))
        call_on(connection, PATH, token).refused("401.99")
        server.apply(world())
        call_on(connection, PATH, token).expect(200)
        # Applied once more it is all there already: the key goes on, and the password of the documents was of the creation only.
        assert "unchanged" in server.apply(world()).stdout
        call_on(connection, PATH, token).expect(200)


def test_what_an_auditor_looks_for_first_is_recorded(server, admin):
    """api.anonymous_off, api.anonymous_on, api.auth_changed by documents, each with the API's id, and nothing for what stays."""
    since = admin.data("/audit?limit=1")[0]["seq"]

    def told() -> list[tuple[str, str, str]]:
        rows = [row for row in reversed(admin.data("/audit?event=api.&limit=200")) if row["seq"] > since]
        return [(row["event"], row["object"]["id"], row["summary"]) for row in rows if row["event"] not in ("api.changed", "api.published")]

    server.apply(world())
    closed = told()
    assert [event for event, _, _ in closed] == ["api.anonymous_off", "api.auth_changed"]
    assert {api for _, api, _ in closed} == {"greet"}
    assert "api-key" in closed[1][2]
    server.apply(world())
    assert told() == closed, "nothing has changed"
    server.apply(world(by_key=False))
    opened = told()[len(closed):]
    assert [event for event, _, _ in opened] == ["api.anonymous_on", "api.auth_changed"]
    (record,) = admin.data("/audit?event=api.anonymous_on&limit=1")
    assert record["reason"] == "black-box test", "why it is open"
    assert record["outcome"] == "OK"
