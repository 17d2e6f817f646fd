"""Pruning over the management API: whoever applies documents can remove by leaving out only what he could remove by hand (identity §13)."""

from __future__ import annotations

import json

import pytest

from support.management import PASSWORD, Management, api
from support.resources import Resources
from support.wire import Answer

SCRIPTS = {"title": "Shop", "scripts": {"main": {"source": "@DFF.API('One')\ndef one():\n    return 1\n"}}, "publish": True}
KEPT = {"kind": "FuncApi", "name": "kept", "spec": {"funcId": "base__main.one", "apiAuthIds": ["api-key"]}}
OTHER = {"kind": "FuncApi", "name": "left-out", "spec": {"funcId": "base__main.one", "apiAuthIds": ["api-key"]}}
ADMINISTER = "Administer Users, User Groups and Roles"
# What the documents leave out → the privilege that removing it by hand needs.
LEFT_OUT = [
    ({"kind": "User", "name": "left-out", "spec": {"surname": "Out"}}, ADMINISTER),
    ({"kind": "UserGroup", "name": "Left Out", "spec": {}}, ADMINISTER),
    ({"kind": "Role", "name": "Left Out", "spec": {"privileges": ["View Server"]}}, ADMINISTER),
    ({"kind": "ScriptSet", "name": "leftout", "spec": SCRIPTS}, "Publish Scripts"),
    ({"kind": "ApiAuthentication", "name": "left-out", "spec": {"type": "apiKey", "allowedUsers": ["root"]}}, "Manage API Authentication"),
    ({"kind": "EnvVariable", "name": "LEFT_OUT", "spec": {"value": "x", "scriptSets": ["base"]}}, "Manage Environment Variables"),
    ({"kind": "Application", "name": "Left Out", "spec": {}}, "Modify Applications"),
    ({"kind": "SecretKey", "name": "LeftOut", "application": "Shop", "spec": {"flow": "Order", "action": "call"}}, "Manage Secret Keys"),
]
IDS = [document["kind"] for document, _ in LEFT_OUT]


def resources() -> Resources:
    return Resources().document("ScriptSet", "base", SCRIPTS)


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


@pytest.fixture(scope="module")
def agent(server, admin) -> Management:
    """A program that publishes APIs by applying documents, and may do nothing else."""
    user = admin.key_owner("agent", "Apply Resources", "Publish APIs")["user"]
    return Management(server, admin.key(user, "Apply", scopes=["management"])[1])


def send(caller: Management, verb: str, documents: list[dict], query: str) -> Answer:
    """The documents as one YAML stream; JSON is YAML."""
    texts = [json.dumps({"apiVersion": "funcgate/v1", "kind": one["kind"], "spec": one["spec"],
                         "metadata": {name: one[name] for name in ("name", "application") if name in one}}) for one in documents]
    headers = [*caller.headers("POST"), ("Content-Type", "application/yaml")]
    return api(caller.client, "POST", f"/resources/{verb}?{query}", headers, body="\n---\n".join(texts))


def state(admin: Management) -> tuple:
    """Everything that could be pruned, with its version."""
    paths = ("/users", "/user-groups", "/roles", "/applications", "/secret-keys", "/script-sets", "/func-apis", "/api-authentications", "/env-variables")
    versions = [(path, row["id"], row["version"]) for path in paths for row in admin.data(f"{path}?limit=200")]
    return admin.get("/resources/export").expect(200).body, versions


def outcomes(answer: Answer) -> dict[str, str]:
    return {f"{one['kind']} {one['id']}": one["outcome"] for one in answer.expect(200).json["data"]["objects"]}


@pytest.mark.parametrize(("document", "privilege"), LEFT_OUT, ids=IDS)
def test_who_may_not_remove_it_cannot_prune_it(admin, agent, document, privilege):
    """identity §13: apply and diff are refused as a whole, naming the privilege, and nothing changes; an administrator may."""
    query = f"set=of-{document['kind']}"
    kept = {**KEPT, "name": f"kept-{document['kind']}"}
    assert set(outcomes(send(admin, "apply", [kept, document], query)).values()) == {"created"}
    before, records = state(admin), admin.data("/audit?limit=1")[0]["seq"]
    changed = {**kept, "spec": {**kept["spec"], "title": "Changed with the prune"}}
    for verb in ("diff", "apply"):
        refused = send(agent, verb, [changed], f"{query}&prune=true").refused("403.15")
        assert refused.json["message"] == f'Privilege "{privilege}" is required'
        assert state(admin) == before, verb
    assert {record["outcome"] for record in admin.data("/audit?limit=200") if record["seq"] > records and record["event"] != "resources.exported"} <= {"DENIED"}

    # Without pruning the same documents are his to apply.
    assert outcomes(send(agent, "apply", [kept], query)) == {f"FuncApi {kept['name']}": "unchanged"}
    assert state(admin) == before

    planned = outcomes(send(admin, "diff", [kept], f"{query}&prune=true"))
    assert [name for name, outcome in planned.items() if outcome == "pruned"] != []
    assert state(admin) == before
    assert outcomes(send(admin, "apply", [kept], f"{query}&prune=true")) == planned
    names = {name for _, name, _ in state(admin)[1]}
    assert {name for _, name, _ in before[1]} - names and kept["name"] in names
    assert outcomes(send(admin, "apply", [kept], f"{query}&prune=true")) == {f"FuncApi {kept['name']}": "unchanged"}


def test_who_may_remove_it_prunes_it(admin, agent):
    """The refusals above are about what is removed, not about pruning."""
    assert set(outcomes(send(agent, "apply", [KEPT, OTHER], "set=own")).values()) == {"created"}
    assert outcomes(send(agent, "diff", [KEPT], "set=own&prune=true")) == {"FuncApi kept": "unchanged", "FuncApi left-out": "pruned"}
    admin.get("/func-apis/left-out").expect(200)
    assert outcomes(send(agent, "apply", [KEPT], "set=own&prune=true"))["FuncApi left-out"] == "pruned"
    admin.get("/func-apis/left-out").refused("404.41")
    admin.get("/func-apis/kept").expect(200)


def test_what_is_pruned_beside_it_does_not_help(admin, agent):
    """One removal that is not his among several that are: all stay."""
    user = {"kind": "User", "name": "among-others", "spec": {}}
    send(admin, "apply", [KEPT, {**OTHER, "name": "mine"}, user], "set=mixed").expect(200)
    before = state(admin)
    send(agent, "apply", [KEPT], "set=mixed&prune=true").refused("403.15")
    assert state(admin) == before
    admin.get("/func-apis/mine").expect(200)


def test_a_session_is_no_different_from_a_key(server, admin):
    user = admin.key_owner("person", "Apply Resources", "Publish APIs")["user"]
    admin.put(f"/users/{user}/password", {"password": PASSWORD}).expect(204)
    person = Management(server).sign_in("person", PASSWORD)
    send(admin, "apply", [{"kind": "User", "name": "of-a-session", "spec": {}}], "set=session").expect(200)
    send(person, "apply", [], "set=session&prune=true").refused("403.15")
    assert len(admin.data("/users?login=of-a-session")) == 1
