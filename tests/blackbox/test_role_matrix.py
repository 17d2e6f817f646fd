"""Who may call what: each call of the management API as each built-in role, as nobody and as another site (I1, I11)."""

from __future__ import annotations

import json
import re

import pytest

from support.management import API, LOGIN, PASSWORD, Management, api, quoted
from support.resources import PROBE, Resources
from support.server import command

VIEW_USERS, ADMINISTER = "View Users, User Groups and Roles", "Administer Users, User Groups and Roles"
IN_APPLICATION = {ADMINISTER, "Administer Application Roles"}  # one of the two: of which application says the object
# Privilege → built-in groups whose role holds it (Administrators, Designers, Operators, aUditors). Users hold nothing.
DEFAULTS = {
    "Use API Key": "", "Generate Own API Key": "D", ADMINISTER: "A", VIEW_USERS: "AU", "Administer Application Roles": "A", "View Audit Trail": "AU",
    "Administer Server": "A", "View Server": "AOU", "View Applications": "ADO", "Create Applications": "AD", "Modify Applications": "AD",
    "Modify Actionflows": "AD", "Run Actions": "ADO", "Modify Tables": "AD", "View Table Data": "AD", "Modify Table Data": "AD",
    "Manage Secret Keys": "AD", "Publish APIs": "AD", "Allow Anonymous APIs": "A", "View API Authentication": "ADU",
    "Manage API Authentication": "A", "View Scripts": "ADO", "Modify Scripts": "AD", "Publish Scripts": "AD", "Run Functions": "AD",
    "Manage Environment Variables": "AD", "View System Console": "ADO", "Cancel Tasks": "AO", "Manage Schedules": "ADO",
    "Explain Denials": "AOU", "Export Resources": "ADU", "Apply Resources": "A",
}
GROUPS = {"Administrators": "A", "Designers": "D", "Operators": "O", "Auditors": "U", "Users": "-"}
SIGNED_IN, OPEN = "signed in", "open"
# What a call needs: method and path → all of a list, one of a set, or no privilege. The first that fits counts.
NEEDS = [
    (r"POST /(setup|session)", OPEN),
    (r"\w+ /(session|me|me/password)|GET /me/api-keys.*", SIGNED_IN),
    (r"POST /me/api-keys", ["Generate Own API Key", "Use API Key"]),
    (r"DELETE /me/api-keys/{id}", ["Generate Own API Key"]),
    (r"GET /(users|user-groups|roles|privileges|api-keys|sessions|password-policy|access)(/.*)?", [VIEW_USERS]),
    (r"POST /api-keys/inspect", [VIEW_USERS]),
    (r"PATCH /privileges/{name}", ["Administer Server"]),
    (r"\w+ /(roles(/.*)?|user-groups/{id}/roles/{roleId}|privileges/{name}/roles/{roleId})", IN_APPLICATION),
    (r"\w+ /(users|user-groups|api-keys|sessions|password-policy)(/.*)?", [ADMINISTER]),
    (r"GET /public-endpoints|GET /(server|nodes)", ["View Server"]),
    (r"GET /explain/{traceId}", ["Explain Denials"]),
    (r"POST /audit/checkpoints|GET /settings|DELETE /throttle|\w+ /keystore(/.*)?", ["Administer Server"]),
    (r"GET /audit(/.*)?|POST /audit/verify", ["View Audit Trail"]),
    (r"GET /resources/export", ["Export Resources"]),
    (r"POST /resources/(apply|diff)", ["Apply Resources"]),
    (r"GET /(func-apis|env-variables|script-sets|scripts|functions|call-records)(/.*)?", ["View Scripts"]),
    (r"\w+ /func-apis(/.*)?", ["Publish APIs"]),
    (r"GET /api-authentications(/.*)?", ["View API Authentication"]),
    (r"\w+ /api-authentications(/.*)?", ["Manage API Authentication"]),
    (r"\w+ /env-variables(/.*)?", ["Manage Environment Variables"]),
    (r"POST /scripts/{id}/draft/run", ["Run Functions"]),
    (r"POST /scripts/{id}/(publish|versions/{version}/restore)", ["Publish Scripts"]),
    (r"\w+ /(scripts|script-sets)(/.*)?", ["Modify Scripts"]),
    (r"GET /tasks(/.*)?", ["View System Console"]),
    (r"POST /tasks/{id}/cancel", ["Cancel Tasks"]),
    (r"GET /applications(/.*)?", {"View Applications"}),
    (r"POST /applications", ["Create Applications"]),
    (r"\w+ /applications/{id}", {"Modify Applications"}),
    (r"GET /secret-keys(/.*)?", {"View Applications"}),
    (r"\w+ /secret-keys(/.*)?", {"Manage Secret Keys"}),
]


LINGER = """
@DFF.API('Go on until somebody ends it', timeout=120)
def linger():
    time.sleep(100)
"""


def all_routes() -> list[dict]:
    done = command("routes")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


ROUTES = all_routes()


def needs(method: str, path: str):
    """What the table demands; fails for a route that the table does not know."""
    for pattern, wanted in NEEDS:
        if re.fullmatch(pattern, f"{method} {path}"):
            return wanted
    raise AssertionError(f"{method} {path} is in no row of the table")


def permits(wanted, held: set[str]) -> bool:
    if wanted in (SIGNED_IN, OPEN):
        return True
    return bool(wanted & held) if isinstance(wanted, set) else set(wanted) <= held


def resources() -> Resources:
    made = Resources().scripts("demo", probe=PROBE + LINGER).basic("people", {"mia": "Correct-horse-1"}).variable("REGION", "string", "north", "demo")
    return made.api("keyed", "demo__probe.hello", "api-key", methods=["GET"]).api("later", "demo__probe.hello", execMode="async", methods=["POST"]).api(
        "slow", "demo__probe.linger", execMode="async", methods=["POST"])


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


@pytest.fixture(scope="module")
def objects(server, admin) -> dict[str, str]:
    """An existing object for each path of one object, so that whoever may read gets something."""
    owner = admin.key_owner("owner")
    server.client.post("/api/v1/func-api/later", json={}).expect(202)
    secret = admin.create("/secret-keys", name="APIKey", owner={"kind": "action", "application": "A", "flow": "F", "action": "a"})
    return {"applications": admin.create("/applications", name="A"), "users": owner["user"], "user-groups": owner["group"], "roles": owner["role"], "api-keys": admin.key(owner["user"], "Key")[0],
            "privileges": quoted("View Server"), "sessions": admin.data("/sessions")[0]["id"], "func-apis": "keyed", "env-variables": "REGION",
            "api-authentications": "people", "script-sets": "demo", "scripts": "demo__probe", "functions": "demo__probe.hello", "secret-keys": secret,
            "explain": server.client.get("/api/v1/func-api/keyed").expect(401).json["traceId"], "tasks": admin.data("/tasks")[0]["id"]}


QUERIES = {"/access/who-can": "?api=keyed", "/access/what-can": "?user=owner"}


def address(route: dict, objects: dict[str, str]) -> str:
    """Reading asks for what exists; writing names objects that do not, so that every role meets the same server."""
    path = route["path"]
    first = path.split("/")[1]
    if route["method"] == "GET" and first in objects:
        path = re.sub(r"\{\w+\}", objects[first], path)
    return re.sub(r"\{\w+\}", "none-of-these", path) + QUERIES.get(path, "")


def member(server, admin: Management, group: str, by: str, login: str) -> tuple[Management, set[str]]:
    """A new user in a built-in group, with a management key or able to sign in, and the privileges that he holds."""
    held = {name for name, letters in DEFAULTS.items() if GROUPS[group] in letters}
    if by == "key":
        user = admin.key_owner(login)["user"]
        held.add("Use API Key")
        person = Management(server, admin.key(user, "All calls", scopes=["management"])[1])
    else:
        user = admin.create("/users", login=login, password=PASSWORD)
        person = Management(server)
    admin.link(f"/users/{user}/user-groups/{admin.named('/user-groups', group)}")
    return person, held


def document(admin: Management) -> bytes:
    return admin.get("/resources/export").expect(200).body


def check_route(person: Management, route: dict, objects: dict[str, str], held: set[str]) -> str | None:
    """What is wrong with the answer to one call, or None."""
    method, path, wanted = route["method"], route["path"], needs(route["method"], route["path"])
    body = None if method in ("GET", "DELETE") or path in ("/api-keys/revoke",) else {}
    answer = person.call(method, address(route, objects), body, If_Match="*" if route["ifMatch"] else None)
    what = f"{method} {path} → {answer.status} {answer.body[:200]!r}"
    if not permits(wanted, held):
        return None if answer.status == 403 and answer.error == "403.15" else f"must be refused: {what}"
    if answer.status in (401, 403) and wanted != OPEN or answer.status >= 500:
        return f"must be allowed: {what}"
    readable = method == "GET" and ("{" not in path or path.split("/")[1] in objects) and not path.endswith("/draft")
    return f"must be read: {what}" if readable and answer.status != 200 else None


# --- the tables

def test_every_route_has_a_row_and_every_row_is_the_servers():
    """authentication 82: no call of the management API is outside the table, and the server demands what the table says."""
    assert len(ROUTES) > 100
    for route in ROUTES:
        wanted = needs(route["method"], route["path"])
        access = {OPEN: "open", SIGNED_IN: "signed-in"}.get(wanted if isinstance(wanted, str) else "", "scoped" if isinstance(wanted, set) else "needs")
        assert (route["access"], set(route["privileges"])) == (access, set(wanted) if not isinstance(wanted, str) else set()), route


def test_built_in_roles_hold_what_the_table_says(admin):
    """authentication 80, 82: no role but by the table; `Use API Key` is in none."""
    held = {role["name"]: set(role["privileges"]) for role in admin.data("/roles?builtIn=true&limit=200")}
    for group, letter in GROUPS.items():
        assert held[group[:-1] if group != "Users" else "User"] == {name for name, letters in DEFAULTS.items() if letter in letters}, group
    assert {entry["name"] for entry in admin.data("/privileges?limit=200")} == set(DEFAULTS)


# --- the calls

@pytest.mark.parametrize("by", ["session", "key"])
@pytest.mark.parametrize("group", GROUPS)
def test_each_call_as_each_role(server, admin, objects, group, by):
    """authentication 82: allowed or 403.15 exactly as documented, by session as by key; a refused call changes nothing."""
    login = f"{group.lower()}-{by}"
    person, held = member(server, admin, group, by, login)
    before, wrong = document(admin), []
    for route in ROUTES:
        if by == "session" and (not person.cookie or (route["method"], route["path"]) == ("DELETE", "/session")):
            person.sign_in(login, PASSWORD)
        problem = None if route["path"] == "/session" and by == "key" else check_route(person, route, objects, held)
        wrong += [problem] if problem else []
        if (route["method"], route["path"]) == ("DELETE", "/session"):
            person.cookie = ""
    assert wrong == []
    assert document(admin) == before


def ended_session(server, admin: Management) -> str:
    """The id of a session that was begun to be ended."""
    before = {row["id"] for row in admin.data("/sessions?limit=200")}
    Management(server).sign_in("owner", PASSWORD)
    return next(row["id"] for row in admin.data("/sessions?limit=200") if row["id"] not in before)


def running_task(server, admin: Management) -> str:
    """The id of a task that can be cancelled."""
    before = {row["id"] for row in admin.data("/tasks?limit=200")}
    server.client.post("/api/v1/func-api/slow", json={}).expect(202)
    return next(row["id"] for row in admin.data("/tasks?limit=200") if row["id"] not in before)


def real_writes(server, admin: Management, objects: dict[str, str], held: set[str], tag: str) -> list[tuple[str, str, str, dict | None]]:
    """At least one write of each kind of resource that must succeed: method, pattern, address of what exists, body."""
    user, group, role = objects["users"], objects["user-groups"], objects["roles"]
    task = running_task(server, admin) if "Cancel Tasks" in held else objects["tasks"]
    session = ended_session(server, admin) if ADMINISTER in held else objects["sessions"]
    script, privilege = objects["scripts"], objects["privileges"]
    variable = {"file": "region.yaml", "kind": "EnvVariable", "name": "REGION", "application": "",
                "spec": {"type": "string", "value": "south", "scriptSets": ["demo"]}, "lines": {}, "secrets": {}, "files": {}}
    return [
        ("POST", "/users", "/users", {"login": f"made-{tag}"}),
        ("PATCH", "/users/{id}", f"/users/{user}", {"surname": tag}),
        ("PUT", "/users/{id}/user-groups/{groupId}", f"/users/{user}/user-groups/{group}", None),
        ("POST", "/user-groups", "/user-groups", {"name": f"Made {tag}"}),
        ("PATCH", "/user-groups/{id}", f"/user-groups/{group}", {"description": tag}),
        ("POST", "/roles", "/roles", {"name": f"Made {tag}", "privileges": []}),
        ("PATCH", "/roles/{id}", f"/roles/{role}", {"description": tag}),
        ("POST", "/applications", "/applications", {"name": f"Made {tag}"}),
        ("PATCH", "/applications/{id}", f"/applications/{objects['applications']}", {"description": tag}),
        ("PATCH", "/privileges/{name}", f"/privileges/{privilege}", {"auditAction": False}),
        ("PUT", "/password-policy", "/password-policy", admin.data("/password-policy")),
        ("POST", "/users/{id}/api-keys", f"/users/{user}/api-keys", {"name": f"Made {tag}"}),
        ("PATCH", "/api-keys/{id}", f"/api-keys/{objects['api-keys']}", {"name": f"Key {tag}"}),
        ("POST", "/api-keys/inspect", "/api-keys/inspect", {"token": "no.such.key"}),
        ("POST", "/me/api-keys", "/me/api-keys", {"name": f"Own {tag}"}),
        ("DELETE", "/sessions/{id}", f"/sessions/{session}", None),
        ("PATCH", "/func-apis/{id}", "/func-apis/keyed", {"title": tag}),
        ("PATCH", "/api-authentications/{id}", "/api-authentications/people", {"title": tag}),
        ("PATCH", "/env-variables/{id}", "/env-variables/REGION", {"title": tag}),
        ("PATCH", "/script-sets/{id}", "/script-sets/demo", {"title": tag}),
        ("PUT", "/scripts/{id}/draft", f"/scripts/{script}/draft", {"source": PROBE + LINGER}),
        ("POST", "/scripts/{id}/draft/run", f"/scripts/{script}/draft/run", {"func": "hello", "kwargs": {}}),
        ("DELETE", "/scripts/{id}/draft", f"/scripts/{script}/draft", None),
        ("PUT", "/secret-keys/{id}/secret", f"/secret-keys/{objects['secret-keys']}/secret", {"secret": f"a value {tag}"}),
        ("PATCH", "/secret-keys/{id}", f"/secret-keys/{objects['secret-keys']}", {"enabled": True}),
        ("POST", "/tasks/{id}/cancel", f"/tasks/{task}/cancel", None),
        ("POST", "/resources/diff", "/resources/diff", {"apiVersion": "funcgate/v1", "documents": [variable]}),
        ("POST", "/audit/verify", "/audit/verify", {"stream": "admin"}),
        ("POST", "/audit/checkpoints", "/audit/checkpoints", None),
        ("POST", "/keystore/reload", "/keystore/reload", None),
        ("DELETE", "/throttle", "/throttle", None),
    ]


@pytest.mark.parametrize("by", ["session", "key"])
@pytest.mark.parametrize("group", GROUPS)
def test_what_a_role_may_write_it_writes(server, admin, objects, group, by):
    """authentication 82: on objects that exist a permitted write succeeds, so that no 400 or 404 passes for being allowed."""
    tag = f"writer-{group.lower()}-{by}"
    person, held = member(server, admin, group, by, tag)
    if by == "session":
        person.sign_in(tag, PASSWORD)
    known = {(route["method"], route["path"]): route for route in ROUTES}
    writes = real_writes(server, admin, objects, held, tag)
    kinds = {path.split("/")[1] for method, path in known if method != "GET"} - {"setup", "session"}
    assert {path.split("/")[1] for _, path, _, _ in writes} == kinds, "a write of each kind"
    wrong = []
    for method, path, target, body in writes:
        answer = person.call(method, target, body, If_Match="*" if known[method, path]["ifMatch"] else None)
        allowed = permits(needs(method, path), held)
        well = answer.status in range(200, 300) if allowed else answer.status == 403 and answer.error == "403.15"
        wrong += [] if well else [f"{'must succeed' if allowed else 'must be refused'}: {method} {path} → {answer.status} {answer.body[:200]!r}"]
    assert wrong == []


def test_nobody_gets_anything(server, admin, objects):
    """authentication 82: without credentials, with a wrong session and with a wrong key every call but set-up and sign-in is 401."""
    nobody, stale, forged = Management(server), Management(server), Management(server, "eyJhbGciOiJIUzI1NiJ9.e30.AAAA")
    stale.cookie, stale.csrf = "funcgate=" + "A" * 43, "A" * 43
    for route in ROUTES:
        if needs(route["method"], route["path"]) == OPEN:
            continue
        for person, error in ((nobody, "401.14"), (stale, "401.14"), (forged, "401.99")):
            # The wrong key counts as a guess: each comes from an address of its own.
            person.client = server.client
            answer = person.call(route["method"], address(route, objects), {} if route["method"] in ("POST", "PUT", "PATCH") else None, If_Match="*")
            assert answer.error == error, (route, answer.body)
    api(server.client, "POST", "/setup", json={"token": "x" * 43, "login": "second", "password": PASSWORD}).refused("404.41")
    api(server.client, "POST", "/session", json={"login": LOGIN, "password": "wrong"}).refused("401.14")


# --- other sites

WRITES = [route for route in ROUTES if route["method"] != "GET" and needs(route["method"], route["path"]) != OPEN]


def attacks(admin: Management, other: Management, port: int) -> dict[str, tuple[list[tuple[str, str]], bytes]]:
    """What a page of another site can make a browser send, and what it cannot know but might guess."""
    cookie, token, as_json = ("Cookie", admin.cookie), ("X-CSRF-Token", admin.csrf), ("Content-Type", "application/json")
    return {
        "no token": ([cookie, as_json], b"{}"),
        "empty token": ([cookie, as_json, ("X-CSRF-Token", "")], b"{}"),
        "token of another session": ([cookie, as_json, ("X-CSRF-Token", other.csrf)], b"{}"),
        "foreign origin": ([cookie, as_json, token, ("Origin", "https://elsewhere.example")], b"{}"),
        "origin null": ([cookie, as_json, token, ("Origin", "null")], b"{}"),
        "origin that begins alike": ([cookie, as_json, token, ("Origin", f"http://127.0.0.1:{port}.elsewhere.example")], b"{}"),
        "form": ([cookie, token, ("Content-Type", "application/x-www-form-urlencoded")], b"name=made"),
        "upload": ([cookie, token, ("Content-Type", "multipart/form-data; boundary=b")], b"--b--\r\n"),
        "text": ([cookie, token, ("Content-Type", "text/plain")], b"{}"),
        "no type": ([cookie, token], b"{}"),
    }


@pytest.mark.parametrize("attack", ["no token", "empty token", "token of another session", "foreign origin", "origin null", "origin that begins alike",
                                    "form", "upload", "text", "no type"])
def test_no_write_passes_without_proof_of_the_same_site(server, admin, attack):
    """authentication 82: every state-changing call of a session is 403.31 without its token, from elsewhere or as a form, and nothing is done."""
    headers, body = attacks(admin, Management(server).sign_in(), server.port)[attack]
    group = admin.create("/user-groups", name=f"Bystander {attack}")
    before = document(admin)
    for route in WRITES:
        path = API + re.sub(r"\{\w+\}", group, route["path"])
        answer = admin.client.call(route["method"], path, [*headers, ("If-Match", "*")], body)
        assert answer.error == "403.31", (route, answer.body)
    # What would be real is refused as well: the group lives, the session lives, the password is as it was.
    api(admin.client, "DELETE", f"/user-groups/{group}", [*headers, ("If-Match", "*")], body=body).refused("403.31")
    assert document(admin) == before
    admin.delete(f"/user-groups/{group}", if_match="*").expect(204)
