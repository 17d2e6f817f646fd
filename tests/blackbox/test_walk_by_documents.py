"""From an anonymous API to one that demands a key, by documents: what test_identity_api.py does with calls and test_cli_remote.py with
commands. What is applied binds the next request of a connection that stays open (I2)."""

from __future__ import annotations

import pytest

from support.management import Management, api, call_on
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


# --- applications

def shop(*, open_to_all: bool = True, held: tuple[str, ...] = ("View Applications",), groups: tuple[str, ...] = ("APIUsers",)) -> Resources:
    made = world()
    made.document("Application", "Shop", {"description": "sells", "access": {"allUsers": open_to_all, "groups": []}})
    made.document("Application", "Till", {})
    return made.document("Role", "Watchers", {"privileges": list(held), "userGroups": list(groups)}, "Shop")


def test_applications_by_documents(server, admin):
    """A role of an application and its access list, each seen by the next request of a connection that stays open."""
    server.apply(shop())
    user = admin.data("/users?login=apiagent")[0]["id"]
    token = admin.key(user, "All calls", scopes=["management"])[1]
    path = f"/admin/api/v1/applications/{admin.named('/applications', 'Shop')}"
    with server.client.connect() as connection:
        call_on(connection, path, token).expect(200)
        assert [row["name"] for row in call_on(connection, "/admin/api/v1/applications", token).expect(200).json["data"]] == ["Shop"]
        server.apply(shop(open_to_all=False))
        call_on(connection, path, token).refused("403.16")
        server.apply(shop())
        call_on(connection, path, token).expect(200)
        for taken in (shop(held=("Modify Applications",)), shop(groups=())):
            server.apply(taken)
            call_on(connection, path, token).refused("403.15")
            server.apply(shop())
            call_on(connection, path, token).expect(200)
    assert "Role Shop/Watchers: unchanged" in server.apply(shop()).stdout
    told = admin.data(f"/users/{user}/effective-privileges")
    assert {(row["privilege"], row["scope"]) for row in told} == {("Use API Key", None), ("View Applications", "Shop")}


def test_documents_pass_no_access_list(server, admin):
    """Whoever may apply and is not admitted neither changes, reads, exports nor prunes what is closed to him."""
    server.apply(shop(open_to_all=False), "--set", "shop")
    admin.create("/secret-keys", name="Partner", owner={"kind": "action", "application": "Shop", "flow": "F", "action": "a"})
    user = admin.key_owner("applier", "Apply Resources", "Export Resources", "Create Applications", "Modify Applications", "Manage Secret Keys")["user"]
    applier = Management(server, admin.key(user, "Apply", scopes=["management"])[1])

    def send(verb: str, text: str, query: str = ""):
        return api(applier.client, "POST", f"/resources/{verb}{query}", [*applier.headers("POST"), ("Content-Type", "application/yaml")], body=text)

    opened = "{kind: Application, metadata: {name: shop}, spec: {}}\n"
    secret = "{kind: SecretKey, metadata: {name: Partner, application: Shop}, spec: {flow: F, action: a, enabled: false}}\n"
    for verb in ("apply", "diff"):
        send(verb, opened).refused("403.16")
        send(verb, secret).refused("403.16")
    send("apply", "{kind: Application, metadata: {name: Till}, spec: {description: changed}}\n").expect(200)
    send("apply", "{kind: Application, metadata: {name: New}, spec: {}}\n").expect(200)
    text = applier.get("/resources/export").expect(200).text
    assert "name: Till" in text and "Shop" not in text and "Watchers" not in text
    assert "name: Shop" in admin.get("/resources/export").expect(200).text
    send("apply", "{kind: Application, metadata: {name: Own}, spec: {}}\n", "?set=shop&prune=true").refused("403.16")
    assert admin.data("/applications?name=Shop")[0]["access"] == {"allUsers": False, "groups": []}
    assert admin.data("/secret-keys?application=Shop")[0]["enabled"] is True
