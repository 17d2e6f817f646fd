"""What every object of the management API has in common (identity §11), for each kind of object; and the calls that are no objects."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from support.management import PASSWORD, Management, quoted
from support.parallel import in_parallel
from support.resources import PROBE, Resources
from support.server import wait_until
from support.wire import Answer

SECRET = "word-of-these-tests-77"


@dataclass(frozen=True)
class Kind:
    """One kind of object. `{n}` in texts is replaced by a number, so that each test has objects of its own."""

    path: str
    body: dict  # what makes one
    full: dict  # what replaces it: the field that a PATCH touches, and what has to be there
    patch: dict
    default: tuple[str, object]  # a field that `full` leaves out, and what it is then
    wrong: tuple[dict, str]  # a body that cannot be, and the field that is named
    filter: str  # finds the object by its id or name
    can_dry_run: bool = False
    methods: tuple[str, ...] = ("PUT", "PATCH", "DELETE")
    twice: str = "409.42"
    reports: dict = field(default_factory=dict)  # what GET tells beside the fields


ACTION = {"kind": "action", "application": "Shop", "flow": "Order", "action": "call{n}"}
KINDS = {
    "users": Kind("/users", {"login": "user{n}", "surname": "First", "description": "long"}, {"login": "user{n}", "surname": "Second"}, {"surname": "Third"},
                  ("description", ""), ({"login": "user{n}", "email": "nowhere"}, "email"), "login=user{n}", reports={"enabled": True, "builtIn": False}),
    "user-groups": Kind("/user-groups", {"name": "Group {n}", "description": "First"}, {"name": "Group {n}"}, {"description": "Third"}, ("description", ""),
                        ({"name": "x" * 101}, "name"), "name=Group {n}", reports={"userCount": 0, "users": [], "roles": []}),
    "roles": Kind("/roles", {"name": "Role {n}", "description": "First", "privileges": ["View Server"]}, {"name": "Role {n}", "description": "Second"},
                  {"description": "Third"}, ("privileges", []), ({"name": "Role {n}", "privileges": ["Fly"]}, "privileges[0]"), "name=Role {n}",
                  reports={"application": None, "userGroups": []}),
    "applications": Kind("/applications", {"name": "Application {n}", "description": "First", "access": {"allUsers": False, "groups": ["Users"]}},
                         {"name": "Application {n}", "description": "Second"}, {"description": "Third"}, ("access", {"allUsers": True, "groups": []}),
                         ({"name": "Application {n}", "access": {"groups": ["Nobody"]}}, "access.groups[0]"), "name=Application {n}"),
    "func-apis": Kind("/func-apis", {"id": "api-{n}", "funcId": "demo__probe.hello", "apiAuthIds": ["api-key"], "title": "First", "timeout": 7},
                      {"funcId": "demo__probe.hello", "apiAuthIds": ["api-key"], "title": "Second"}, {"title": "Third"}, ("timeout", None),
                      ({"id": "api-{n}", "funcId": "demo__probe.hello", "apiAuthIds": ["api-key"], "timeout": 4000}, "timeout"), "id=api-{n}", True,
                      reports={"state": "ok", "origin": "manual"}),
    "api-authentications": Kind("/api-authentications", {"id": "auth-{n}", "type": "httpBasic", "title": "First", "note": "long",
                                                         "users": [{"username": "mia", "password": SECRET}]},
                                {"type": "httpBasic", "title": "Second", "users": [{"username": "mia"}]}, {"title": "Third"}, ("note", ""),
                                ({"id": "auth-{n}", "type": "httpBasic", "title": "x", "users": [{"username": "a:b", "password": SECRET}]}, "users[0].username"),
                                "id=auth-{n}", True, reports={"usedBy": []}),
    "env-variables": Kind("/env-variables", {"id": "NAME_{n}", "type": "integer", "value": "5", "scriptSets": ["demo"], "title": "First"},
                          {"type": "integer", "value": "6", "title": "Second"}, {"title": "Third"}, ("scriptSets", []),
                          ({"id": "NAME_{n}", "type": "integer", "value": "five"}, "value"), "id=NAME_{n}", True),
    "password-variables": Kind("/env-variables", {"id": "SECRET_{n}", "type": "password", "value": SECRET, "scriptSets": ["demo"], "title": "First"},
                               {"type": "password", "title": "Second"}, {"title": "Third"}, ("scriptSets", []),
                               ({"id": "SECRET_{n}", "type": "word", "value": "x"}, "type"), "id=SECRET_{n}", True, reports={"valueSet": True}),
    "script-sets": Kind("/script-sets", {"id": "folder{n}", "title": "First", "note": "long"}, {"title": "Second"}, {"title": "Third"}, ("note", ""),
                        ({"id": "folder{n}", "title": "x" * 201}, "title"), "id=folder{n}", True, reports={"scripts": []}),
    "secret-keys": Kind("/secret-keys", {"owner": ACTION, "name": "Key{n}"}, {}, {"enabled": False}, ("", None), ({"owner": ACTION, "name": "a key"}, "name"),
                        "name=Key{n}", methods=("PATCH", "DELETE"), reports={"hasValue": False, "source": "NONE", "value": None}),
}
EACH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
DRY = pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.can_dry_run], ids=[name for name, kind in KINDS.items() if kind.can_dry_run])
_last = [0]


def resources() -> Resources:
    made = Resources().scripts("demo", probe=PROBE).basic("people", {"mia": SECRET}).variable("REGION", "string", "north", "demo")
    return made.api("open", "demo__probe.hello", methods=["GET"]).api("fail", "demo__probe.fail", methods=["GET"]).api("keyed", "demo__probe.hello", "api-key")


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


@pytest.fixture
def number() -> int:
    _last[0] += 1
    return _last[0]


def filled(value, number: int):
    """The text, list or object with the number in it."""
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, dict):
        return {name: filled(member, number) for name, member in value.items()}
    return [filled(member, number) for member in value] if isinstance(value, list) else value


def make(admin: Management, kind: Kind, number: int) -> tuple[str, Answer]:
    answer = admin.post(kind.path, filled(kind.body, number)).expect(201)
    return f"{kind.path}/{quoted(answer.json['data']['id'])}", answer


def findings(answer: Answer) -> list[str]:
    return [error["path"] for error in answer.refused("400.43").json["detail"]["errors"]]


# --- what objects have in common

@EACH
def test_the_life_of_an_object(admin, kind, number):
    """Made, found, read, replaced, patched and removed; each step shows the version of the next."""
    path, made = make(admin, kind, number)
    assert made.header("Location") == "/admin/api/v1" + path
    first = made.header("ETag")
    assert first == f'"{made.json["data"]["version"]}"'
    read = admin.get(path).expect(200)
    assert (read.json["data"], read.header("ETag")) == (made.json["data"], first)
    data = read.json["data"]
    assert {name: data[name] for name in kind.reports} == kind.reports
    assert {name: value for name, value in filled(kind.body, number).items() if name not in ("value", "users")}.items() <= data.items()
    assert SECRET not in read.text + made.text
    found = admin.data(f"{kind.path}?" + "=".join(quoted(part) for part in filled(kind.filter, number).split("=")))
    assert [row["id"] for row in found] == [data["id"]]

    seen = first
    if "PUT" in kind.methods:
        answer = admin.put(path, filled(kind.full, number), If_Match=seen).expect(200)
        after = answer.json["data"]
        wanted = {name: value for name, value in filled(kind.full, number).items() if name != "users"}
        assert wanted.items() <= after.items()
        assert after[kind.default[0]] == kind.default[1], "what a PUT leaves out returns to its default"
        assert (after["version"], after["createdAt"]) == (data["version"] + 1, data["createdAt"])
        seen, data = answer.header("ETag"), after
    answer = admin.patch(path, kind.patch, if_match=seen).expect(200)
    after = answer.json["data"]
    changed = {name for name in data if data[name] != after[name]}
    assert changed <= {*kind.patch, "version", "updatedAt", "updatedBy"} and {*kind.patch, "version"} <= changed
    assert kind.patch.items() <= after.items()
    assert SECRET not in answer.text
    assert admin.get(path).expect(200).header("ETag") == answer.header("ETag") != seen

    admin.delete(path, if_match=answer.header("ETag")).expect(204)
    admin.get(path).refused("404.41")
    assert data["id"] not in [row["id"] for row in admin.data(f"{kind.path}?limit=200")]


@EACH
def test_nobody_overwrites_what_he_has_not_seen(admin, kind, number):
    """Without If-Match 428.52, with an old one 412.51 and the version that is; nothing has changed."""
    path, made = make(admin, kind, number)
    old = made.header("ETag")
    now = admin.patch(path, kind.patch, if_match=old).expect(200)
    for method in kind.methods:
        body = {"PUT": filled(kind.full, number), "PATCH": {name: made.json["data"][name] for name in kind.patch}, "DELETE": None}[method]
        admin.call(method, path, body).refused("428.52")
        stale = admin.call(method, path, body, If_Match=old).refused("412.51")
        assert stale.json["detail"] == {"version": now.json["data"]["version"]}
        admin.call(method, path, body, If_Match=f"W/{now.header('ETag')}").refused("412.51")  # only the strong one is the same object
        assert admin.data(path) == now.json["data"], method
    admin.delete(path, if_match=f'"0", {now.header("ETag")}').expect(204)


@EACH
def test_what_the_caller_has_already_is_not_sent_again(admin, kind, number):
    """identity §11: If-None-Match on GET of one object gives 304, also for a weak ETag, and 200 once it has changed."""
    path, made = make(admin, kind, number)
    seen = made.header("ETag")
    for sent in (seen, f"W/{seen}", f'"0", {seen}', "*"):
        again = admin.get(path, If_None_Match=sent).expect(304)
        assert (again.body, again.header("ETag")) == (b"", seen)
    admin.patch(path, kind.patch, if_match=seen).expect(200)
    assert admin.get(path, If_None_Match=seen).expect(200).header("ETag") != seen
    admin.delete(path, if_match="*").expect(204)


@EACH
def test_of_two_writers_at_once_one_succeeds(admin, kind, number):
    path, made = make(admin, kind, number)
    name = next(iter(kind.patch))
    for round_number in range(5):
        seen = admin.get(path).expect(200).header("ETag")
        # A switch has two values only: both writers set the one that it has not.
        values = [not admin.data(path)[name]] * 2 if isinstance(kind.patch[name], bool) else [f"Writer {writer} of {round_number}" for writer in (1, 2)]
        answers = in_parallel(*(lambda value=value: admin.patch(path, {name: value}, if_match=seen) for value in values))
        assert sorted(answer.status for answer in answers) == [200, 412], [answer.body for answer in answers]
        winner = next(answer for answer in answers if answer.status == 200)
        assert admin.data(path) == winner.json["data"]
    admin.delete(path, if_match="*").expect(204)


@EACH
def test_what_does_not_exist(admin, kind, number):
    for method in ("GET", *kind.methods):
        body = {"PUT": filled(kind.full, number), "PATCH": kind.patch}.get(method)
        admin.call(method, f"{kind.path}/none-of-these", body, If_Match=None if method == "GET" else "*").refused("404.41")
    assert "none-of-these" not in [row["id"] for row in admin.data(f"{kind.path}?limit=200")]


@EACH
def test_a_wrong_field_is_named(admin, kind, number):
    body, name = kind.wrong
    before = admin.data(f"{kind.path}?limit=200")
    assert name in findings(admin.post(kind.path, filled(body, number)))
    assert findings(admin.post(kind.path, {**filled(kind.body, number), "colour": "red"})) == ["colour"]
    admin.post(kind.path, [1]).refused("400.43")
    assert admin.data(f"{kind.path}?limit=200") == before

    path, made = make(admin, kind, number)
    if "PUT" in kind.methods:
        assert name in findings(admin.put(path, {**filled(body, number), "id": made.json["data"]["id"]}, If_Match="*"))
        assert findings(admin.put(path, {**filled(kind.full, number), "colour": "red"}, If_Match="*")) == ["colour"]
    assert findings(admin.patch(path, {"colour": "red"})) == ["colour"]
    admin.call("PATCH", path, [1], If_Match="*").refused("400.43")
    assert admin.data(path) == made.json["data"]
    admin.delete(path, if_match="*").expect(204)


@EACH
def test_a_second_one_of_the_same_name_is_refused(admin, kind, number):
    path, made = make(admin, kind, number)
    admin.post(kind.path, filled(kind.body, number)).refused(kind.twice)
    assert admin.data(path) == made.json["data"]
    admin.delete(path, if_match="*").expect(204)


@EACH
def test_lists_are_asked_as_described(admin, kind, number):
    """Sizes, order and cursors; an unknown parameter is named; every row is seen exactly once."""
    made = []
    for _ in range(3):
        _last[0] += 1
        made.append(make(admin, kind, _last[0])[0])
    for query, name in (("limit=0", "limit"), ("limit=201", "limit"), ("colour=red", "colour"), ("sort=colour", "sort"), ("cursor=AAAA", "cursor")):
        assert findings(admin.get(f"{kind.path}?{query}")) == [name], query
    whole = admin.get(f"{kind.path}?limit=200").expect(200).json
    ids = [row["id"] for row in whole["data"]]
    assert whole["pageInfo"] == {"pageSize": 200, "nextCursor": None, "total": len(ids)}
    seen, cursor = [], ""
    while True:
        page = admin.get(f"{kind.path}?limit=2{cursor}").expect(200).json
        assert len(page["data"]) <= 2 and page["pageInfo"]["total"] == len(ids)
        seen += [row["id"] for row in page["data"]]
        if page["pageInfo"]["nextCursor"] is None:
            break
        cursor = f"&cursor={page['pageInfo']['nextCursor']}"
    assert seen == ids
    by = next(iter(filled(kind.filter, 0).split("=")))
    assert [row["id"] for row in admin.data(f"{kind.path}?limit=200&sort=-{by}")] == [row["id"] for row in admin.data(f"{kind.path}?limit=200&sort={by}")][::-1]
    for path in made:
        admin.delete(path, if_match="*").expect(204)


@DRY
def test_a_dry_run_changes_nothing(admin, kind, number):
    before, records = admin.data(f"{kind.path}?limit=200"), admin.data("/audit?limit=1")[0]["seq"]
    assert admin.post(f"{kind.path}?dryRun=true", filled(kind.body, number)).status in (200, 201)
    body, name = kind.wrong
    assert name in findings(admin.post(f"{kind.path}?dryRun=true", filled(body, number)))
    assert admin.data(f"{kind.path}?limit=200") == before
    assert admin.data("/audit?limit=1")[0]["seq"] == records
    path, made = make(admin, kind, number)
    assert admin.put(f"{path}?dryRun=true", filled(kind.full, number), If_Match="*").status == 200
    assert admin.call("PATCH", f"{path}?dryRun=true", kind.patch, If_Match="*").status == 200
    assert admin.delete(f"{path}?dryRun=true", if_match="*").status == 204
    assert admin.data(path) == made.json["data"]
    admin.delete(path, if_match="*").expect(204)


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if "id" in kind.body], ids=[name for name, kind in KINDS.items() if "id" in kind.body])
def test_an_id_is_for_ever(admin, kind, number):
    path, made = make(admin, kind, number)
    for answer in (admin.put(path, {**filled(kind.full, number), "id": "another"}, If_Match="*"), admin.patch(path, {"id": "another"})):
        assert findings(answer) == ["id"]
    admin.get(f"{kind.path}/another").refused("404.41")
    assert admin.data(path) == made.json["data"]
    admin.delete(path, if_match="*").expect(204)


# --- secrets stay unless another comes

def test_a_password_variable_keeps_its_value(server, admin):
    """function-apis §13: write-only, left unchanged when absent on edit."""
    source = "@DFF.API('Tell')\ndef tell():\n    return DFF.ENV('KEPT')\n"
    admin.create("/script-sets", id="teller")
    admin.put("/scripts/teller__main/draft", {"source": source}, If_Match="*").expect(200)
    admin.post("/scripts/teller__main/publish", {}).expect(200)
    admin.create("/func-apis", id="tell", funcId="teller__main.tell", anonymous=True, anonymousReason="test")
    told = lambda: server.client.get("/api/v1/al/tell/s").expect(200).text
    admin.create("/env-variables", id="KEPT", type="password", value=SECRET, scriptSets=["teller"])
    assert told() == SECRET
    admin.patch("/env-variables/KEPT", {"title": "Another"}).expect(200)
    admin.put("/env-variables/KEPT", {"type": "password", "scriptSets": ["teller"]}, If_Match="*").expect(200)
    assert told() == SECRET
    admin.patch("/env-variables/KEPT", {"value": "another-word-78"}).expect(200)
    assert told() == "another-word-78"
    admin.patch("/env-variables/KEPT", {"scriptSets": []}).expect(200)
    assert told() == "null"


def test_a_password_of_a_configuration_is_kept(server, admin):
    admin.create("/api-authentications", id="kept", title="Kept", type="httpBasic", users=[{"username": "mia", "password": SECRET}])
    admin.create("/func-apis", id="behind", funcId="demo__probe.hello", apiAuthIds=["kept"])
    mia = {"Authorization": "Basic bWlhOndvcmQtb2YtdGhlc2UtdGVzdHMtNzc="}
    server.client.get("/api/v1/al/behind/s", mia).expect(200)
    admin.patch("/api-authentications/kept", {"title": "Another"}).expect(200)
    admin.put("/api-authentications/kept", {"title": "Kept", "type": "httpBasic", "users": [{"username": "mia"}]}, If_Match="*").expect(200)
    server.client.get("/api/v1/al/behind/s", mia).expect(200)
    shown = admin.data("/api-authentications/kept")
    assert [user["username"] for user in shown["users"]] == ["mia"] and shown["usedBy"] == ["behind"]
    assert admin.delete("/api-authentications/kept", if_match="*").refused("409.25").json["detail"]["usedBy"] == ["FuncApi behind"]
    admin.put("/api-authentications/kept", {"title": "Kept", "type": "httpBasic", "users": [{"username": "tom", "password": SECRET}]}, If_Match="*").expect(200)
    server.client.get("/api/v1/al/behind/s", mia).refused("401.99")


def test_a_secret_value_comes_and_goes(admin, number):
    path, _ = make(admin, KINDS["secret-keys"], number)
    admin.put(f"{path}/secret", {"secret": SECRET}).expect(204)
    shown = admin.get(path).expect(200)
    assert (shown.json["data"]["hasValue"], shown.json["data"]["source"]) == (True, "SEALED") and SECRET not in shown.text
    assert findings(admin.put(f"{path}/secret", {"value": SECRET})) != []
    admin.delete(f"{path}/secret", if_match='"999"').refused("412.51")
    assert admin.data(path)["hasValue"] is True
    for _ in range(2):
        admin.delete(f"{path}/secret").expect(204)
        assert admin.data(path)["hasValue"] is False
    admin.put("/secret-keys/none-of-these/secret", {"secret": SECRET}).refused("404.41")
    admin.delete("/secret-keys/none-of-these/secret").refused("404.41")
    events = [one["event"] for one in admin.data(f"/audit?object={path.rsplit('/', 1)[1]}")]
    assert events[-1] == "secret.created" and "secret.value_set" in events
    admin.delete(path, if_match="*").expect(204)


# --- what is no object

def test_the_password_policy(admin):
    first = admin.get("/password-policy").expect(200)
    policy = {name: value for name, value in first.json["data"].items() if name not in ("version", "createdAt", "createdBy", "updatedAt", "updatedBy")}
    admin.put("/password-policy", policy).refused("428.52")
    changed = admin.put("/password-policy", {**policy, "minLength": 13}, If_Match=first.header("ETag")).expect(200)
    assert changed.json["data"]["minLength"] == 13
    stale = admin.put("/password-policy", {**policy, "minLength": 14}, If_Match=first.header("ETag")).refused("412.51")
    assert f'"{stale.json["detail"]["version"]}"' == changed.header("ETag")
    assert findings(admin.put("/password-policy", {**policy, "minLength": -1}, If_Match="*")) == ["minLength"]
    assert findings(admin.put("/password-policy", {**policy, "length": 5}, If_Match="*")) == ["length"]
    assert admin.data("/password-policy")["minLength"] == 13
    admin.get("/password-policy", If_None_Match=changed.header("ETag")).expect(304)
    admin.post("/users", {"login": "twelve", "password": "Phixflow123!"}).refused("400.12")
    admin.put("/password-policy", policy, If_Match="*").expect(200)
    assert admin.data("/audit?event=policy.changed&limit=2")[1]["changes"] == [
        {"field": "minLength", "old": policy["minLength"], "new": 13}]


def test_a_session_is_shown_and_ended(server, admin):
    admin.create("/users", login="visitor", password=PASSWORD)
    visitor = Management(server).sign_in("visitor", PASSWORD)
    row = admin.data("/sessions?login=visitor")[0]
    shown = admin.get(f"/sessions/{row['id']}").expect(200)
    assert (shown.json["data"]["login"], shown.json["data"]["current"], shown.json["data"]["address"]) == ("visitor", False, visitor.client.address)
    assert visitor.cookie.split("=", 1)[1] not in shown.text
    admin.delete(f"/sessions/{row['id']}").expect(204)
    visitor.get("/me").refused("401.14")
    for method in ("GET", "DELETE"):
        admin.call(method, f"/sessions/{row['id']}").refused("404.41")


LINKS = [
    ("/users/{user}/user-groups/{group}", lambda admin, ids: ids["group"] in [one["id"] for one in admin.data(f"/users/{ids['user']}")["groups"]]),
    ("/user-groups/{group}/users/{user}", lambda admin, ids: ids["group"] in [one["id"] for one in admin.data(f"/users/{ids['user']}")["groups"]]),
    ("/roles/{role}/user-groups/{group}", lambda admin, ids: ids["role"] in [one["id"] for one in admin.data(f"/user-groups/{ids['group']}")["roles"]]),
    ("/user-groups/{group}/roles/{role}", lambda admin, ids: ids["role"] in [one["id"] for one in admin.data(f"/user-groups/{ids['group']}")["roles"]]),
    ("/roles/{role}/privileges/View%20Server", lambda admin, ids: "View Server" in admin.data(f"/roles/{ids['role']}")["privileges"]),
    ("/privileges/View%20Server/roles/{role}", lambda admin, ids: "View Server" in admin.data(f"/roles/{ids['role']}")["privileges"]),
]


@pytest.mark.parametrize(("path", "linked"), LINKS, ids=[path for path, _ in LINKS])
def test_links_can_be_made_and_taken_from_either_end_and_twice(admin, number, path, linked):
    """identity §10: PUT and DELETE of a link are 204, with no body, no If-Match, and as often as one likes."""
    ids = {"user": admin.create("/users", login=f"linked{number}"), "group": admin.create("/user-groups", name=f"Linked {number}"),
           "role": admin.create("/roles", name=f"Linked {number}")}
    address = path.format(**ids)
    assert not linked(admin, ids)
    for method, is_linked in (("PUT", True), ("PUT", True), ("DELETE", False), ("DELETE", False)):
        assert admin.call(method, address).expect(204).body == b""
        assert linked(admin, ids) is is_linked
    for wrong in ({**ids, "group": "grp-none", "role": "rol-none"}, {**ids, "user": "usr-none", "role": "rol-none"}):
        for method in ("PUT", "DELETE"):
            if path.format(**wrong) != address:
                admin.call(method, path.format(**wrong)).refused("404.41")
    if "Server" in path:
        for method in ("PUT", "DELETE"):
            admin.call(method, address.replace("View%20Server", "Fly")).refused("404.41")


def test_a_privilege_is_watched(admin):
    path = f"/privileges/{quoted('Export Resources')}"
    first = admin.get(path).expect(200)
    admin.patch(path, {"auditAction": True}, if_match=None).refused("428.52")
    assert findings(admin.patch(path, {"auditAction": "yes"})) == ["auditAction"]
    assert findings(admin.patch(path, {"colour": "red"})) == ["colour"]
    changed = admin.patch(path, {"auditAction": True}, if_match=first.header("ETag")).expect(200)
    assert changed.json["data"]["auditAction"] is True and changed.header("ETag") != first.header("ETag")
    admin.patch(path, {"auditAction": False}, if_match=first.header("ETag")).refused("412.51")
    admin.patch(path, {"auditAction": False}, if_match=changed.header("ETag")).expect(200)
    admin.patch("/privileges/Fly", {"auditAction": True}).refused("404.41")


def test_a_key_of_ones_own(server, admin):
    owner = admin.key_owner("keeper", "Generate Own API Key")
    admin.put(f"/users/{owner['user']}/password", {"password": PASSWORD}).expect(204)
    keeper = Management(server).sign_in("keeper", PASSWORD)
    made = keeper.post("/me/api-keys", {"name": "Mine", "apis": ["keyed"]}).expect(201).json["data"]
    shown = keeper.get(f"/me/api-keys/{made['key']['id']}").expect(200)
    assert (shown.json["data"]["name"], shown.json["data"]["apis"], shown.json["data"]["status"]) == ("Mine", ["keyed"], "ACTIVE")
    assert made["token"].rsplit(".", 1)[1] not in shown.text
    keeper.get("/me/api-keys/key-none").refused("404.41")
    admin.get(f"/me/api-keys/{made['key']['id']}").refused("404.41")  # nobody else's own


def test_a_plan_shows_what_an_apply_would_do(admin):
    empty = {"file": "", "lines": {}, "secrets": {}, "files": {}}
    bundle = {"apiVersion": "funcgate/v1", "documents": [
        {**empty, "kind": "FuncApi", "name": "planned", "spec": {"funcId": "demo__probe.hello", "apiAuthIds": ["api-key"]}},
        {**empty, "kind": "EnvVariable", "name": "REGION", "spec": {"value": "south", "scriptSets": ["demo"]}}]}
    before, records = admin.get("/resources/export").expect(200).body, admin.data("/audit?limit=1")[0]["seq"]
    planned = admin.post("/resources/diff", bundle).expect(200).json["data"]
    assert planned["changed"] is True
    outcomes = {one["id"]: (one["outcome"], [change["name"] for change in one["fields"]]) for one in planned["objects"]}
    assert outcomes == {"planned": ("created", []), "REGION": ("changed", ["value"])}
    assert admin.get("/resources/export").expect(200).body == before
    assert admin.data("/audit?limit=1")[0]["seq"] == records + 1, "that of the second export alone"
    applied = admin.post("/resources/apply", bundle).expect(200).json["data"]
    assert [one["outcome"] for one in applied["objects"]] == [one["outcome"] for one in planned["objects"]]
    assert admin.post("/resources/diff", bundle).expect(200).json["data"]["changed"] is False
    bundle["documents"][0]["spec"]["funcId"] = "demo__probe.nothing"
    refused = admin.post("/resources/diff", bundle).refused("400.43")
    assert [problem["path"] for problem in refused.json["detail"]["problems"]] == ["funcId"]


def test_functions_are_listed_with_what_they_take(admin):
    rows = {row["name"]: row for row in admin.data("/functions?scriptId=demo__probe&limit=200")}
    assert {"echo", "hello", "rest"} <= set(rows)
    hello = rows["hello"]
    assert (hello["id"], hello["setId"], hello["title"], hello["parameters"]) == ("demo__probe.hello", "demo", "A greeting", ["name"])
    assert hello["schema"]["properties"]["name"]["type"] == "string"
    assert admin.data("/functions?setId=nothing") == []
    assert findings(admin.get("/functions?colour=red")) == ["colour"]


def test_the_server_tells_about_itself_without_secrets(server, admin):
    told = admin.data("/server")
    counted = {"functionApis": "/func-apis", "functions": "/functions"}
    assert {name: told[name] for name in counted} == {name: admin.get(f"{path}?limit=1").json["pageInfo"]["total"] for name, path in counted.items()}
    assert told["degraded"] == []
    before = told["sequence"]
    admin.patch("/env-variables/REGION", {"title": f"At {before}"}).expect(200)
    after = admin.data("/server")["sequence"]
    assert after > before
    nodes = admin.data("/nodes")
    assert [(node["self"], node["version"], node["sequence"]) for node in nodes] == [(True, told["version"], after)]
    settings = admin.get("/settings").expect(200)
    assert settings.json["data"]["identity"]["session_idle_minutes"] == 30
    assert SECRET not in settings.text


def test_checkpoints_are_listed(admin):
    made = admin.post("/audit/checkpoints").expect(201).json["data"]
    newest = admin.data("/audit/checkpoints")[0]
    assert (newest["event"], newest["actor"]["login"]) == ("audit.checkpoint", "root")
    assert made["signature"]
    assert admin.post("/audit/verify", {"checkpoint": made}).expect(200).json["data"]["intact"] is True
    made["signature"] = made["signature"][:-4] + ("AAAA" if made["signature"][-4:] != "AAAA" else "BBBB")
    assert admin.post("/audit/verify", {"checkpoint": made}).status != 200


def test_call_records_show_what_was_printed_and_raised(server, admin):
    failed = server.client.get("/api/v1/al/fail/s?text=seen-in-the-record").expect(500).json["traceId"]
    rows = wait_until(lambda: admin.data(f"/call-records?traceId={failed}"), "the call is recorded")
    assert [(row["apiId"], row["status"], row["exceptionType"]) for row in rows] == [("fail", 500, "ValueError")]
    assert "seen-in-the-record" in rows[0]["exceptionText"] and "in fail" in rows[0]["traceback"]
    server.client.get("/api/v1/al/open/s").expect(200)
    wait_until(lambda: admin.data("/call-records?apiId=open&status=200"), "the call is recorded")
    assert {row["apiId"] for row in admin.data("/call-records?apiId=fail")} == {"fail"}
    for query, name in (("status=fine", "status"), ("limit=0", "limit"), ("from=yesterday", "from"), ("event=x", "event"), ("cursor=-", "cursor")):
        assert findings(admin.get(f"/call-records?{query}")) == [name]
