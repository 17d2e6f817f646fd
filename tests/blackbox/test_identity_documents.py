"""Users, groups, roles and all that belongs to them as documents: applied twice, exported, moved, pruned, and in any order (I12)."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
import yaml

from support.management import LOGIN, PASSWORD, Management
from support.resources import PROBE, Resources
from support.server import Server, command

SECRETS = ("Documented-Horse-1!", "a-secret-key-of-documents", "a-variable-of-documents", "a-word-of-mia-1")
# Every privilege that may stand in a system-wide role of the property test.
PRIVILEGES = ["Use API Key", "Generate Own API Key", "View Users, User Groups and Roles", "View Audit Trail", "View Server", "View Scripts",
              "Publish APIs", "Cancel Tasks", "Explain Denials", "Export Resources"]


def identity() -> Resources:
    made = Resources()
    made.document("User", "mia", {"firstName": "Mia", "surname": "Müller", "email": "mia@example.net", "passwordFrom": made.secret(SECRETS[0])})
    made.document("User", "apiagent", {"firstName": "API", "description": "calls", "passwordFrom": made.secret(SECRETS[0])})
    made.document("User", "away", {"enabled": False, "passwordFrom": made.secret(SECRETS[0])})
    made.document("UserGroup", "API Users", {"users": ["apiagent", "mia"], "description": "with keys"})
    made.document("UserGroup", "Empty", {})
    made.document("Role", "Token User", {"privileges": ["Use API Key", "View Server"], "userGroups": ["API Users"]})
    made.document("Role", "Unused", {"privileges": []})
    made.document("Application", "Shop", {"description": "sells", "access": {"allUsers": False, "groups": ["API Users", "Empty"]}})
    made.document("Application", "Old shop", {})
    made.document("Role", "Token User", {"privileges": ["Use API Key"], "userGroups": ["API Users"]}, "Shop")
    made.document("Role", "Unused", {"privileges": ["View Applications"]}, "Shop")
    made.document("PasswordPolicy", "default", {"minLength": 12, "minDigits": 1})
    return made.document("PrivilegeAudit", "Cancel Tasks", {"auditAction": True})


def everything() -> Resources:
    made = identity().scripts("demo", main=PROBE).basic("staff", {"mia": SECRETS[3]}).variable("PARTNER", "password", SECRETS[2], "demo")
    made.api("hello", "demo__main.hello", "staff").api("keyed", "demo__main.hello", "api-key")
    made.documents.append({"apiVersion": "funcgate/v1", "kind": "SecretKey", "metadata": {"name": "Partner", "application": "Shop"},
                           "spec": {"flow": "Order", "action": "call", "valueFrom": made.secret(SECRETS[1])}})
    return made


def outcomes(text: str) -> dict[str, int]:
    """How often each outcome stands in the report of an apply."""
    words = re.findall(r"\b(created|changed|unchanged|pruned)\b", text)
    return {word: words.count(word) for word in set(words)}


def state(admin: Management) -> tuple[bytes, list]:
    """The export and the versions of all identity objects."""
    versions = [(path, row["id"], row["version"]) for path in ("/users", "/user-groups", "/roles", "/applications", "/secret-keys") for row in admin.data(f"{path}?limit=200")]
    return admin.get("/resources/export").expect(200).body, versions


def records(admin: Management) -> int:
    """The newest record of a change: looking at the state by an export is one of its own."""
    return next(one["seq"] for one in admin.data("/audit?limit=200") if one["event"] != "resources.exported")


# --- applied twice, exported, moved

def test_applied_twice_changes_nothing(make_server):
    """I12: the second run is all unchanged: no version, no audit record, not even of the apply itself."""
    server = make_server()
    admin = Management.set_up(server)
    folder = server.write(everything())
    assert set(outcomes(server.apply(folder).stdout)) <= {"created", "changed"}
    before, written = state(admin), records(admin)
    for _ in range(2):
        assert set(outcomes(server.apply(folder).stdout)) == {"unchanged"}
    assert state(admin) == before
    assert records(admin) == written


def export(server: Server, name: str) -> Path:
    folder = server.folder / name
    done = command("export", "-o", folder, "--data", server.data)
    assert done.returncode == 0, done.stderr
    return folder


def texts(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def documents(folder: Path) -> set[tuple[str, str, str]]:
    """Kind, name and content of each document, but for the places of secrets: only what has one says so."""
    found = [document for path in folder.rglob("*.yaml") for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]
    for document in found:
        for secret in ("passwordFrom", "valueFrom"):
            document["spec"].pop(secret, None)
    return {(document["kind"], repr(document["metadata"]), repr(document["spec"])) for document in found}


def test_an_export_applied_to_its_instance_changes_nothing(make_server):
    """I12: byte-identical as long as nothing changes, without any secret, and all unchanged where it came from."""
    server = make_server(everything())
    admin = Management.set_up(server)
    folder = export(server, "export")
    exported = b"".join(texts(folder).values())
    assert not [secret for secret in (*SECRETS, "$argon2", "eyJ") if secret.encode() in exported]
    before, written = state(admin), records(admin)
    assert set(outcomes(server.apply(folder).stdout)) == {"unchanged"}
    assert state(admin) == before
    assert records(admin) == written
    assert texts(export(server, "again")) == texts(folder)


def test_an_export_applied_to_an_empty_instance_is_everything_but_secrets(make_server):
    """I12: the same users, groups, roles, privileges and policy elsewhere; passwords, keys and secrets are named as to be filled, not invented."""
    first = make_server(everything())
    Management.set_up(first)
    folder = export(first, "export")
    second = make_server()
    done = second.apply(folder)
    report = done.stdout + done.stderr
    # The documents named the administrator: who he is there only the owner of the data directory can say.
    assert second.stop() == 0
    done = command("recover-admin", "--data", second.data, "--login", LOGIN)
    assert done.returncode == 0, done.stderr
    second.start()
    other = Management(second).sign_in(LOGIN, done.stdout.strip().splitlines()[-1])
    other.put("/me/password", {"old": done.stdout.strip().splitlines()[-1], "new": PASSWORD}).expect(204)
    other.sign_in()
    for login in ("mia", "apiagent", "away"):
        assert login in report, "whose password has to be set is told"
        user = other.data(f"/users?login={login}")[0]
        assert user["enabled"] == (login != "away")
        Management(second).post("/session", {"login": login, "password": SECRETS[0]}).refused("401.14")
    for login in ("mia", "apiagent"):
        theirs = {entry["privilege"] for entry in other.data(f"/users/{other.data(f'/users?login={login}')[0]['id']}/effective-privileges")}
        assert theirs == {"Use API Key", "View Server"}
    assert other.data("/password-policy")["minLength"] == 12
    assert other.data("/privileges/Cancel%20Tasks")["auditAction"] is True
    assert other.data("/secret-keys")[0]["hasValue"] is False
    second.client.get("/api/v1/al/hello/s", {"Authorization": "Basic bWlhOmEtd29yZC1vZi1taWEtMQ=="}).expect(401)
    assert documents(export(second, "theirs")) == documents(folder), "what it exports is what it got"


def privileges(server: Server, login: str) -> list:
    done = command("user", "privileges", login, "-o", "json", "--data", server.data)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_built_in_roles_and_members_of_groups_move_with_the_documents(make_server):
    """I12, §2: whatever was given or taken by hand over calls: the roles that no document may write, and who is in built-in groups."""
    first = make_server()
    admin = Management.set_up(first)
    group = {name: admin.named("/user-groups", name) for name in ("Designers", "Operators", "Auditors")}
    role = {name: admin.named("/roles", name) for name in ("Designer", "Operator", "Auditor", "Administrator")}
    for name, roles, member in (("Night shift", ("Operator", "Auditor"), "olga"), ("Chiefs", ("Administrator",), "carl")):
        made = admin.create("/user-groups", name=name)
        for one in roles:
            admin.link(f"/user-groups/{made}/roles/{role[one]}")
        admin.link(f"/user-groups/{made}/users/{admin.create('/users', login=member)}")
    ines = admin.create("/users", login="ines")
    for name in group:
        admin.link(f"/user-groups/{group[name]}/users/{ines}")
    admin.unlink(f"/user-groups/{group['Designers']}/roles/{role['Designer']}")
    admin.link(f"/user-groups/{group['Auditors']}/roles/{role['Operator']}")
    folder = export(first, "export")
    before, written = state(admin), records(admin)
    assert set(outcomes(first.apply(folder).stdout)) == {"unchanged"}
    assert (state(admin), records(admin)) == (before, written)
    second = make_server()
    assert "changed" in outcomes(second.apply(folder).stdout)
    assert set(outcomes(second.apply(folder).stdout)) == {"unchanged"}
    assert texts(export(second, "theirs")) == {name: text for name, text in texts(folder).items() if name != f"users/{LOGIN}.yaml"} | \
        {f"users/{LOGIN}.yaml": (second.folder / f"theirs/users/{LOGIN}.yaml").read_bytes()}, "all but who has a password"
    for login in ("olga", "carl", "ines"):
        assert privileges(second, login) == privileges(first, login)
    assert {via["role"] for entry in privileges(second, "olga") for via in entry["via"]} == {"Operator", "Auditor"}
    assert "Designer" not in {via["role"] for entry in privileges(second, "ines") for via in entry["via"]}


def test_a_group_that_is_pruned_takes_its_built_in_roles_along(make_server):
    """I12: neither the role nor whoever else has it notices."""
    server = make_server()
    admin = Management.set_up(server)
    made = Resources().document("User", "olga", {}).document("UserGroup", "Night shift", {"users": ["olga"], "roles": ["Operator"]})
    server.apply(made, "--set", "shift")
    assert {"View Server"} < {entry["privilege"] for entry in privileges(server, "olga")}
    before = admin.data("/roles?name=Operator")[0]
    made.documents.pop()
    assert "UserGroup Night shift: pruned" in server.apply(made, "--set", "shift", "--prune").stdout
    assert privileges(server, "olga") == []
    after = admin.data("/roles?name=Operator")[0]
    assert after["version"] == before["version"] and [one["name"] for one in after["userGroups"]] == ["Operators"]


def test_prune_takes_what_its_set_has_lost_and_nothing_else(make_server):
    """I12: gone are objects of the set that the documents no longer name; what hands made, built-ins and other sets stay."""
    server = make_server()
    admin = Management.set_up(server)
    server.apply(identity(), "--set", "one")
    admin.create("/users", login="byhand", password="Handmade-Horse-1")
    server.apply(Resources().document("User", "other-set", {}), "--set", "two")
    rest = identity()
    rest.documents = [document for document in rest.documents if document["metadata"]["name"] not in ("away", "Unused", "Old shop", "Cancel Tasks")]
    # A group that an access list names does not go: the list has to leave it first.
    without = Resources()
    without.files, without.documents = rest.files, [document for document in rest.documents if document["metadata"]["name"] != "Empty"]
    shop = next(document for document in without.documents if document["kind"] == "Application")
    done = server.try_apply(without, "--set", "one", "--prune")
    assert done.returncode == 5 and 'is still used by Application "Shop"' in done.stdout + done.stderr and len(admin.data("/users?login=away")) == 1
    shop["spec"] = {"access": {"allUsers": False, "groups": ["API Users"]}}
    rest = without
    dry = server.try_apply(rest, "--set", "one", "--prune", "--dry-run")
    assert dry.returncode == 1 and len(admin.data("/users?login=away")) == 1
    assert outcomes(server.apply(rest, "--set", "one", "--prune").stdout)["pruned"] >= 3
    assert {user["login"] for user in admin.data("/users")} == {"system", LOGIN, "mia", "apiagent", "byhand", "other-set"}
    assert {group["name"] for group in admin.data("/user-groups")} == {"Administrators", "Designers", "Operators", "Auditors", "Users", "API Users"}
    assert "Unused" not in {role["name"] for role in admin.data("/roles")}
    assert [(one["name"], one["access"]["groups"]) for one in admin.data("/applications")] == [("Shop", ["API Users"])]
    # What belongs to an application keeps it.
    admin.create("/roles", name="By hand", application="Shop")
    emptied = Resources().document("User", "mia", {}).document("User", "apiagent", {})
    refused = server.try_apply(emptied, "--set", "one", "--prune")
    assert refused.returncode == 5 and 'is still used by Role "By hand"' in refused.stdout + refused.stderr
    assert len(admin.data("/applications")) == 1 and len(admin.data("/roles?application=Shop")) == 2


def test_prune_knows_what_is_mentioned_in_any_spelling(make_server):
    """Names are stored in NFC and trimmed; documents may spell them otherwise, and are then no less about the same object."""
    server = make_server()
    admin = Management.set_up(server)
    made = Resources()
    application, group = "Cafe\u0301 ", " Cre\u0301w"
    made.document("UserGroup", group, {}).document("Application", application, {"access": {"allUsers": False, "groups": ["Cr\u00e9w"]}})
    made.document("Role", "Ro\u0301le ", {"privileges": ["View Applications"], "userGroups": ["Cr\u00e9w"]}, application)
    made.document("Role", " Ro\u0301le everywhere", {"privileges": ["View Server"]})
    made.document("SecretKey", "Partner", {"flow": "Re\u0301serve ", "action": " call"}, application)
    assert set(outcomes(server.apply(made, "--prune").stdout)) == {"created"}
    before = state(admin)
    for _ in range(2):
        assert set(outcomes(server.apply(made, "--prune").stdout)) == {"unchanged"}
    assert state(admin) == before
    assert [one["name"] for one in admin.data("/applications")] == ["Caf\u00e9"]
    assert {"Cr\u00e9w"} <= {one["name"] for one in admin.data("/user-groups")}
    assert {("R\u00f3le", "Caf\u00e9"), ("R\u00f3le everywhere", None)} <= {(one["name"], one["application"]) for one in admin.data("/roles")}
    assert [one["owner"]["flow"] for one in admin.data("/secret-keys")] == ["R\u00e9serve"]


def test_no_document_leaves_the_server_without_an_administrator(make_server):
    """I12: an apply or prune that would is refused as a whole."""
    server = make_server()
    admin = Management.set_up(server)
    before = state(admin)
    for document in ({"kind": "User", "name": LOGIN, "spec": {"enabled": False}}, {"kind": "UserGroup", "name": "Administrators", "spec": {"users": []}},
                     {"kind": "UserGroup", "name": "Administrators", "spec": {"users": [LOGIN], "roles": ["Operator"]}}):
        made = Resources().document("User", "newcomer", {}).document(document["kind"], document["name"], document["spec"])
        done = server.try_apply(made)
        assert done.returncode == 5 and "This would leave no administrator" in done.stdout + done.stderr
    assert state(admin) == before


def test_a_wrong_document_changes_nothing_of_the_right_ones(make_server):
    """I12: one transaction: all or nothing, whatever is wrong and wherever it stands."""
    server = make_server()
    admin = Management.set_up(server)
    before = state(admin)
    wrong = [("User", "bad login", {}), ("User", "x", {"email": "nowhere"}), ("UserGroup", "x", {"users": ["nobody"]}), ("Role", "x", {"privileges": ["Fly"]}),
             ("Role", "x", {"userGroups": ["Nowhere"]}), ("User", "x", {"groups": []}), ("PasswordPolicy", "default", {"minLength": -1}), ("Nonsense", "x", {}),
             ("Role", "x", {"application": "y"}), ("PrivilegeAudit", "Fly", {"auditAction": True}), ("User", "system", {"surname": "x"}), ("Role", "Designer", {"privileges": []}),
             ("UserGroup", "x", {"roles": ["Token User"]}), ("UserGroup", "x", {"roles": ["Fly"]}), ("UserGroup", "x", {"roles": "Operator"})]
    wrong += [("Application", "x", {"access": {"groups": ["Nowhere"]}}), ("Application", "x", {"access": {"everybody": True}}), ("Application", "x" * 101, {}),
              ("Application", "x", {}, "Shop"), ("Role", "x", {}, "Nowhere"), ("Role", "x", {"privileges": ["View Audit Trail"]}, "Shop")]
    for kind, name, spec, *application in wrong:
        done = server.try_apply(identity().document(kind, name, spec, *application))
        assert done.returncode == 7, (kind, name, done.returncode, done.stdout, done.stderr)
    assert state(admin) == before


# --- in any order and division

class Model:
    """Who holds what, computed as the chain says: privilege → role → group → user."""

    def __init__(self, seed: int):
        chance = random.Random(seed)
        self.users = {f"u{seed}-{n}": chance.random() < 0.85 for n in range(8)}
        self.groups = {f"Group {seed}-{n}": chance.sample(sorted(self.users), chance.randint(0, 5)) for n in range(5)}
        self.roles = {f"Role {seed}-{n}": (chance.sample(PRIVILEGES, chance.randint(0, 4)), chance.sample(sorted(self.groups), chance.randint(0, 3))) for n in range(5)}
        self.chance = chance

    def documents(self) -> list[tuple[str, str, dict]]:
        found = [("User", login, {"enabled": enabled}) for login, enabled in self.users.items()]
        found += [("UserGroup", name, {"users": users}) for name, users in self.groups.items()]
        return found + [("Role", name, {"privileges": held, "userGroups": groups}) for name, (held, groups) in self.roles.items()]

    def change(self) -> None:
        """Some memberships, privileges and users become others."""
        for login in self.chance.sample(sorted(self.users), 2):
            self.users[login] = not self.users[login]
        for name in self.chance.sample(sorted(self.groups), 2):
            self.groups[name] = self.chance.sample(sorted(self.users), self.chance.randint(0, 5))
        for name in self.chance.sample(sorted(self.roles), 2):
            self.roles[name] = (self.chance.sample(PRIVILEGES, self.chance.randint(0, 4)), self.chance.sample(sorted(self.groups), self.chance.randint(0, 3)))

    def effective(self, login: str) -> dict[str, set[tuple[str, str]]]:
        found: dict[str, set[tuple[str, str]]] = {}
        for role, (held, groups) in self.roles.items():
            for group in groups:
                if self.users[login] and login in self.groups[group]:
                    for privilege in held:
                        found.setdefault(privilege, set()).add((group, role))
        return found


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("orders"))
    server.start()
    yield server, Management.set_up(server)
    assert server.stop() == 0


def agree(admin: Management, model: Model) -> None:
    for login in model.users:
        user = admin.data(f"/users?login={login}")[0]
        found = admin.data(f"/users/{user['id']}/effective-privileges")
        assert {entry["privilege"]: {(via["group"], via["role"]) for via in entry["via"]} for entry in found} == model.effective(login), login


def apply_parts(server: Server, parts: list[list[tuple[str, str, dict]]]) -> None:
    for part in parts:
        made = Resources()
        for kind, name, spec in part:
            made.document(kind, name, spec)
        server.apply(made)


@pytest.mark.parametrize("seed", range(12))
def test_order_and_division_of_documents_do_not_matter(shared, seed):
    """§2.2: applied at once in any order, or in parts that follow their references, and changed later: who holds what is the union over the chain."""
    server, admin = shared
    model, chance = Model(seed), random.Random(1000 + seed)
    documents = model.documents()
    if seed % 2:
        chance.shuffle(documents)
        parts = [documents]
    else:
        # Each kind before what names it; within and between the kinds cut at random.
        users, groups, roles = ([one for one in documents if one[0] == kind] for kind in ("User", "UserGroup", "Role"))
        for kind in (users, groups, roles):
            chance.shuffle(kind)
        ordered = users + groups + roles
        cuts = sorted(chance.sample(range(1, len(ordered)), 3))
        parts = [ordered[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(ordered)])]
    apply_parts(server, parts)
    agree(admin, model)
    model.change()
    changed = model.documents()
    chance.shuffle(changed)
    half = chance.randint(1, len(changed) - 1)
    apply_parts(server, [changed[:half], changed[half:]])
    agree(admin, model)
