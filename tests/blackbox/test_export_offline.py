"""`funcgate export` without a server writes what the server would."""

from __future__ import annotations

from pathlib import Path

from support.management import Management, sign_in
from support.resources import PROBE, Resources
from support.server import Server, command


def files(server: Server, name: str, *kinds: str) -> dict[str, str]:
    folder: Path = server.folder / name
    done = command("export", "--data", server.data, "-o", folder, *(word for kind in kinds for word in ("-k", kind)))
    assert done.returncode == 0, done.stderr
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}


def test_an_export_is_the_same_with_and_without_a_server(make_server):
    resources = Resources().scripts("demo", main=PROBE).variable("PARTNER", "password", "partner-pass", "demo").basic("staff", {"mia": "a password of mia"})
    server = make_server(resources.api("probe", "demo__main.hello", "staff"))
    admin = Management.set_up(server)
    admin.key_owner("agent", "View Server")
    policy = admin.get("/password-policy")
    admin.put("/password-policy", {**policy.json["data"], "minLength": 12}, If_Match="*").expect(200)
    admin.patch("/privileges/Use%20API%20Key", {"auditAction": True}).expect(200)
    admin.create("/applications", name="Orders", access={"allUsers": False, "groups": ["agent group"]})
    admin.create("/roles", name="Watchers", application="Orders", privileges=["View Applications"])
    owner = {"kind": "action", "application": "Orders", "flow": "Call API", "action": "callApi"}
    admin.post("/secret-keys", {"owner": owner, "name": "APIKey"}).expect(201)
    online = files(server, "online")
    some = {name: text for name, text in online.items() if name.startswith(("roles/", "application-roles/", "script-sets/"))}
    assert files(server, "online-some", "Role", "ScriptSet", "Role") == some
    assert server.stop() == 0
    offline = files(server, "offline")
    assert offline == online
    assert files(server, "offline-some", "Role", "ScriptSet", "Role") == some and len(some) >= 3
    server.start()
    exports = sign_in(server).data("/audit?event=resources.exported")
    assert [record["actor"]["login"] for record in exports] == ["local"] * 4
    folders = {Path(name).parts[0] for name in offline}
    assert {"users", "user-groups", "roles", "password-policy.yaml", "privilege-audits", "secret-keys", "applications", "application-roles", "func-apis"} <= folders, folders


def test_an_export_of_one_application(make_server):
    """identity 12: `export --application A`: A itself and what is inside of it, from a server over both ways and without one."""
    server = make_server(Resources().scripts("demo", main=PROBE).api("probe", "demo__main.hello"))
    admin = Management.set_up(server)
    for name in ("Orders", "Stock & more"):
        admin.create("/applications", name=name)
        admin.create("/roles", name="Watchers", application=name, privileges=["View Applications"])
    admin.create("/roles", name="Everywhere", privileges=["View Applications"])
    owner = {"kind": "action", "flow": "Call API", "action": "callApi"}
    for application in ("Orders", "Stock & more", "No application"):
        admin.post("/secret-keys", {"owner": {**owner, "application": application}, "name": "APIKey"}).expect(201)

    def exported(name: str, *words: str) -> dict[str, str]:
        folder: Path = server.folder / name
        done = command("export", "--data", server.data, "-o", folder, *words)
        assert done.returncode == 0, done.stderr
        return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}

    everything = exported("all")
    expected = {name: text for name, text in everything.items() if "Stock & more" in text}
    assert len(expected) == 3, expected.keys()
    assert exported("one", "--application", "stock & MORE") == expected
    [role] = exported("roles", "--application", "Stock & more", "-k", "Role").values()
    assert "kind: Role" in role
    stream = admin.get("/resources/export?application=Orders").expect(200).text
    assert stream.count("\n---\n") == 2 and "Stock" not in stream and "Everywhere" not in stream
    for wrong in ("Nowhere", ""):
        admin.get(f"/resources/export?application={wrong}").refused("400.43")
    for _ in range(2):  # with a server, and without
        done = command("export", "--data", server.data, "-o", server.folder / "none", "--application", "Nowhere")
        assert (done.returncode, 'no application "Nowhere"' in done.stderr) == (3, True), done.stderr
        server.stop()
    assert exported("offline", "--application", "Stock & more") == expected
