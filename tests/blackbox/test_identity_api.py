"""Users, user groups, roles, privileges and API keys over the management API, and what follows for published calls."""

from __future__ import annotations

import gzip
import json

import pytest

from support.management import PASSWORD, Management, call_on, quoted
from support.resources import PROBE, Resources

USE_KEY = "Use API Key"
ADMINISTER = "Administer Users, User Groups and Roles"


def resources() -> Resources:
    return Resources().scripts("demo", probe=PROBE).api("greet", "demo__probe.hello", methods=["GET"]).api("see", "demo__probe.see", "api-key", methods=["GET"])


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


# --- the walk-through

def test_the_walk_through_from_an_anonymous_api_to_one_that_needs_a_key(server, admin):
    user = admin.create("/users", login="apiagent", firstName="API", surname="Agent", password="Phixflow123!")
    role = admin.create("/roles", name="GenerateAPIToken", privileges=[USE_KEY])
    group = admin.create("/user-groups", name="APIUsers")
    admin.link(f"/roles/{role}/user-groups/{group}")
    admin.link(f"/users/{user}/user-groups/{group}")
    made = admin.post(f"/users/{user}/api-keys", {"name": "Call API"}).expect(201)
    assert "no-store" in made.header("Cache-Control")
    assert made.json.get("warnings", []) == []
    token = made.json["data"]["token"]
    path = "/api/v1/func-api/greet"
    with server.client.connect() as connection:
        call_on(connection, path).expect(200)
        admin.patch("/func-apis/greet", {"anonymous": False, "anonymousReason": "", "apiAuthIds": ["api-key"]}).expect(200)
        refused = call_on(connection, path).refused("401.99")
        assert refused.json["message"] == "API Key Auth failed"
        assert refused.all("WWW-Authenticate") == ['Bearer realm="funcgate"']
        call_on(connection, path, token).expect(200)
        call_on(connection, path, f"bearer {token}").expect(200)

        admin.unlink(f"/user-groups/{group}/users/{user}")
        denied = call_on(connection, path, token).refused("403.15")
        assert denied.json["message"] == 'Privilege "Use API Key" is required'
        admin.link(f"/user-groups/{group}/users/{user}")
        call_on(connection, path, token).expect(200)

        admin.patch(f"/users/{user}", {"enabled": False}).expect(200)
        call_on(connection, path, token).refused("401.99")
        admin.patch(f"/users/{user}", {"enabled": True}).expect(200)
        call_on(connection, path, token).expect(200)

        admin.unlink(f"/roles/{role}/privileges/{quoted(USE_KEY)}")
        call_on(connection, path, token).refused("403.15")
        admin.link(f"/privileges/{quoted(USE_KEY)}/roles/{role}")
        call_on(connection, path, token).expect(200)

        admin.post(f"/api-keys/{made.json['data']['key']['id']}/revoke", {"reason": "end of the walk"}).expect(200)
        call_on(connection, path, token).refused("401.99")


def test_a_call_with_a_key_runs_as_the_owner(server, admin):
    owner = admin.key_owner("runner")
    key_id, token = admin.key(owner["user"], "Run")
    caller = server.client.get("/api/v1/func-api/see", [("Authorization", token)]).expect(200).json["caller"]
    assert caller["name"] == "runner"
    assert caller["runAs"] == "runner"
    assert caller["keyId"] == key_id


# --- users

def test_a_user_is_read_changed_and_deleted_with_versions(admin):
    created = admin.post("/users", {"login": "Life", "surname": "Cycle"}).expect(201)
    user = created.json["data"]
    assert user["login"] == "life"
    assert created.header("Location") == f"/admin/api/v1/users/{user['id']}"
    assert created.header("ETag") == '"1"'
    assert "password" not in user
    path = f"/users/{user['id']}"
    admin.patch(path, {"surname": "x"}, if_match=None).refused("428.52")
    changed = admin.patch(path, {"surname": "Changed", "email": "life@example.net"}, if_match='"1"').expect(200)
    assert changed.json["data"]["surname"] == "Changed"
    assert changed.header("ETag") == '"2"'
    stale = admin.patch(path, {"surname": "Late"}, if_match='"1"').refused("412.51")
    assert stale.json["detail"]["version"] == 2
    # What was read can be sent back; what is left out returns to its default.
    document = admin.data(path)
    admin.put(path, document, If_Match='"2"').expect(200)
    document.pop("email")
    assert admin.put(path, document, If_Match="*").expect(200).json["data"]["email"] == ""
    assert admin.get(path, If_None_Match=admin.get(path).header("ETag")).status == 304
    admin.delete(path).refused("428.52")
    admin.delete(path, if_match="*").expect(204)
    admin.get(path).refused("404.41")


@pytest.mark.parametrize(("body", "path", "code"), [
    ({"surname": "nobody"}, "login", "missing"),
    ({"login": "anonymous"}, "login", "value"),
    ({"login": "a b"}, "login", "value"),
    ({"login": "fine", "email": "nowhere"}, "email", "value"),
    ({"login": "fine", "enabled": "yes"}, "enabled", "type"),
    ({"login": "fine", "colour": "red"}, "colour", "unknown"),
    ({"login": "fine", "groups": []}, "groups", "value"),
    ({"login": "fine", "firstName": "x" * 101}, "firstName", "value"),
])
def test_a_user_that_cannot_be_is_refused_with_its_field(admin, body, path, code):
    errors = admin.post("/users", body).refused("400.43").json["detail"]["errors"]
    assert (path, code) in [(error["path"], error["code"]) for error in errors]


def test_a_weak_password_names_the_failed_rules(admin):
    refused = admin.post("/users", {"login": "weak", "password": "phixflow"}).refused("400.12")
    assert refused.json["reason"] == "EUserPassword"
    assert refused.json["detail"] == ["minLength", "minUpper", "minSpecial"]
    assert admin.get("/users?login=weak").json["data"] == []


def test_a_taken_login_is_a_duplicate(admin):
    admin.create("/users", login="twice")
    admin.post("/users", {"login": "TWICE"}).refused("409.42")


def test_the_user_list_filters_sorts_and_walks(admin):
    for number in range(5):
        admin.create("/users", login=f"walker-{number}", surname=f"S{9 - number}")
    first = admin.get("/users?login=walker-*&sort=-login&limit=2").expect(200).json
    assert [user["login"] for user in first["data"]] == ["walker-4", "walker-3"]
    assert first["pageInfo"]["total"] == 5
    seen, cursor = 2, first["pageInfo"]["nextCursor"]
    while cursor:
        page = admin.get(f"/users?login=walker-*&sort=-login&limit=2&cursor={quoted(cursor)}").expect(200).json
        seen, cursor = seen + len(page["data"]), page["pageInfo"]["nextCursor"]
    assert seen == 5
    admin.get("/users?colour=red").refused("400.43")


def test_built_in_objects_stand_firm(admin):
    system = admin.get("/users?login=system").json["data"][0]
    assert system["builtIn"] is True
    admin.patch(f"/users/{system['id']}", {"surname": "x"}).refused("409.25")
    admin.delete(f"/users/{system['id']}", if_match="*").refused("409.25")
    admin.put(f"/users/{system['id']}/password", {"password": PASSWORD}).refused("409.25")
    role = next(role for role in admin.data("/roles?builtIn=true") if role["name"] == "Designer")
    admin.patch(f"/roles/{role['id']}", {"description": "x"}).refused("409.25")
    admin.put(f"/roles/{role['id']}/privileges/{quoted(USE_KEY)}").refused("409.25")
    group = next(group for group in admin.data("/user-groups?builtIn=true") if group["name"] == "Operators")
    admin.delete(f"/user-groups/{group['id']}", if_match="*").refused("409.25")


def test_no_built_in_role_holds_use_api_key(admin):
    for role in admin.data("/roles?builtIn=true"):
        assert USE_KEY not in role["privileges"], role["name"]


def test_the_last_administrator_stays(admin):
    root = admin.get("/users?login=root").json["data"][0]
    group = next(entry for entry in root["groups"] if entry["name"] == "Administrators")
    message = "This would leave no administrator"
    attempts = [
        admin.delete(f"/users/{root['id']}", if_match="*"),
        admin.patch(f"/users/{root['id']}", {"enabled": False}),
        admin.delete(f"/user-groups/{group['id']}/users/{root['id']}"),
        admin.delete(f"/roles/{admin.data('/user-groups/' + group['id'])['roles'][0]['id']}/user-groups/{group['id']}"),
    ]
    for attempt in attempts:
        assert attempt.refused("409.25").json["message"] == message
    admin.get("/me").expect(200)


# --- groups, roles, privileges

def test_links_work_from_both_ends_and_are_idempotent(admin):
    user, group = admin.create("/users", login="linked"), admin.create("/user-groups", name="Linked")
    role = admin.create("/roles", name="Linked", privileges=["View Server"])
    pairs = [
        (f"/users/{user}/user-groups/{group}", f"/user-groups/{group}/users/{user}"),
        (f"/roles/{role}/user-groups/{group}", f"/user-groups/{group}/roles/{role}"),
        (f"/roles/{role}/privileges/{quoted(USE_KEY)}", f"/privileges/{quoted(USE_KEY)}/roles/{role}"),
    ]
    for one, other in pairs:
        admin.link(one), admin.link(other)
    assert [entry["login"] for entry in admin.data(f"/user-groups/{group}")["users"]] == ["linked"]
    assert admin.data(f"/user-groups/{group}")["userCount"] == 1
    assert [entry["name"] for entry in admin.data(f"/roles/{role}")["userGroups"]] == ["Linked"]
    effective = {entry["privilege"]: entry for entry in admin.data(f"/users/{user}/effective-privileges")}
    assert set(effective) == {"View Server", USE_KEY}
    assert effective[USE_KEY] == {"privilege": USE_KEY, "scope": None, "via": [{"group": "Linked", "role": "Linked"}]}
    for one, other in reversed(pairs):
        admin.unlink(other), admin.unlink(one)
    assert admin.data(f"/users/{user}/effective-privileges") == []
    admin.put(f"/user-groups/{group}/users/usr-nobody").refused("404.41")
    admin.put(f"/roles/{role}/privileges/Fly").refused("404.41")


def test_a_role_of_an_application_that_does_not_exist_is_refused(admin):
    body = {"name": "Inside", "application": "Nowhere", "privileges": ["View Audit Trail"]}
    messages = [error["message"] for error in admin.post("/roles", body).refused("400.43").json["detail"]["errors"]]
    assert 'there is no application "Nowhere"' in messages
    assert 'Privilege "View Audit Trail" cannot be given inside an application' in messages


def test_an_unknown_privilege_is_a_finding(admin):
    refused = admin.post("/roles", {"name": "Odd", "privileges": ["View Server", "Fly"]}).refused("400.43")
    assert refused.json["detail"]["errors"] == [{"path": "privileges[1]", "code": "value", "message": 'there is no privilege "Fly"'}]


def test_a_deleted_role_takes_its_privileges_along(admin):
    owner = admin.key_owner("rolegone")
    admin.delete(f"/roles/{owner['role']}", if_match="*").expect(204)
    assert admin.data(f"/users/{owner['user']}/effective-privileges") == []
    assert admin.data(f"/user-groups/{owner['group']}")["roles"] == []
    admin.patch(f"/user-groups/{owner['group']}", {"description": "still writable"}).expect(200)


def test_what_a_configuration_names_is_in_use(server, admin):
    admin.create("/user-groups", name="Named")
    group = admin.get("/user-groups?name=Named").json["data"][0]["id"]
    body = {"id": "named-keys", "title": "Named", "type": "apiKey", "allowedGroups": ["Named"]}
    admin.post("/api-authentications", body).expect(201)
    assert admin.delete(f"/user-groups/{group}", if_match="*").refused("409.25").json["detail"]["usedBy"] == ['ApiAuthentication "named-keys"']
    admin.delete("/api-authentications/named-keys", if_match="*").expect(204)
    admin.delete(f"/user-groups/{group}", if_match="*").expect(204)


def test_privileges_are_listed_and_their_audit_switched(admin):
    listed = admin.get("/privileges?limit=200").expect(200).json["data"]
    assert {entry["name"] for entry in listed} >= {USE_KEY, ADMINISTER}
    path = f"/privileges/{quoted('View Server')}"
    assert admin.data(path)["auditAction"] is False
    admin.patch(path, {"auditAction": True}, if_match=None).refused("428.52")
    assert admin.patch(path, {"auditAction": True}).expect(200).json["data"]["auditAction"] is True
    admin.get("/public-endpoints").expect(200)
    used = admin.get("/audit?event=privilege.used").expect(200).json["data"]
    assert used and used[0]["actor"]["login"] == "root"
    admin.patch(path, {"auditAction": False}).expect(200)


# --- who may

@pytest.mark.parametrize(("group", "may_read"), [("Auditors", True), ("Designers", False), ("Operators", False), ("Users", False)])
def test_reading_and_writing_users_follow_the_privileges(server, admin, group, may_read):
    login = f"in-{group.lower()}"
    user = admin.create("/users", login=login, password=PASSWORD)
    admin.link(f"/users/{user}/user-groups/{next(entry['id'] for entry in admin.data('/user-groups') if entry['name'] == group)}")
    person = Management(server).sign_in(login, PASSWORD)
    read, write = person.get("/users"), person.post("/users", {"login": "never"})
    assert read.status == (200 if may_read else 403)
    assert write.refused("403.15").json["message"] == f'Privilege "{ADMINISTER}" is required'
    # Taken away: the very next request of the same session knows.
    admin.unlink(f"/users/{user}/user-groups/{next(entry['id'] for entry in admin.data('/user-groups') if entry['name'] == group)}")
    person.get("/users").refused("403.15")


def test_disabling_ends_the_session(server, admin):
    user = admin.create("/users", login="leaving", password=PASSWORD)
    person = Management(server).sign_in("leaving", PASSWORD)
    person.get("/me").expect(200)
    admin.patch(f"/users/{user}", {"enabled": False}).expect(200)
    person.get("/me").refused("401.14")
    admin.patch(f"/users/{user}", {"enabled": True}).expect(200)
    person.get("/me").refused("401.14")


def test_ending_sessions_and_setting_a_password(server, admin):
    user = admin.create("/users", login="forgetful", password=PASSWORD)
    person = Management(server).sign_in("forgetful", PASSWORD)
    admin.delete(f"/users/{user}/sessions").expect(204)
    person.get("/me").refused("401.14")
    admin.put(f"/users/{user}/password", {"password": "short"}).refused("400.12")
    admin.put(f"/users/{user}/password", {"password": "Another-long-word-2"}).expect(204)
    Management(server).post("/session", {"login": "forgetful", "password": PASSWORD}).refused("401.14")
    Management(server).sign_in("forgetful", "Another-long-word-2").get("/me").expect(200)


# --- keys

def test_a_key_is_listed_without_its_token_and_warns_about_its_owner(admin):
    user = admin.create("/users", login="unprivileged")
    made = admin.post(f"/users/{user}/api-keys", {"name": "First", "expiresAt": "2099-01-01T00:00:00Z"}).expect(201).json
    assert made["warnings"] == ["owner lacks the privilege Use API Key"]
    key, token = made["data"]["key"], made["data"]["token"]
    assert key["status"] == "OWNER_UNPRIVILEGED"
    assert key["scopes"] == ["api"]
    for path in (f"/api-keys/{key['id']}", f"/users/{user}/api-keys", "/api-keys?user=unprivileged"):
        assert token.rsplit(".", 1)[1] not in admin.get(path).expect(200).text
    admin.post(f"/users/{user}/api-keys", {"name": "first"}).refused("409.42")


@pytest.mark.parametrize(("body", "path"), [
    ({}, "name"),
    ({"name": "k", "expiresAt": "2001-01-01T00:00:00Z"}, "expiresAt"),
    ({"name": "k", "scopes": ["everything"]}, "scopes[0]"),
    ({"name": "k", "scopes": []}, "scopes"),
    ({"name": "k", "addresses": ["nowhere"]}, "addresses[0]"),
    ({"name": "k", "kid": "0011223344556677"}, "kid"),
])
def test_a_key_that_cannot_be_is_refused(admin, body, path):
    user = admin.get("/users?login=root").json["data"][0]["id"]
    errors = admin.post(f"/users/{user}/api-keys", body).refused("400.43").json["detail"]["errors"]
    assert path in [error["path"] for error in errors]


def test_restrictions_of_a_key_hold_and_can_be_changed(server, admin):
    owner = admin.key_owner("restricted")
    key_id, token = admin.key(owner["user"], "Narrow", apis=["other"])
    see = "/api/v1/func-api/see"
    server.client.get(see, [("Authorization", token)]).refused("403.16")
    admin.patch(f"/api-keys/{key_id}", {"apis": ["other", "see"]}).expect(200)
    server.client.get(see, [("Authorization", token)]).expect(200)
    admin.patch(f"/api-keys/{key_id}", {"addresses": ["192.0.2.0/24"]}).expect(200)
    server.client.get(see, [("Authorization", token)]).refused("403.16")
    admin.patch(f"/api-keys/{key_id}", {"status": "ACTIVE-FOR-EVER"}).refused("400.43")
    admin.patch(f"/api-keys/{key_id}", {"expiresAt": "2099-01-01T00:00:00Z"}).expect(200)
    admin.patch(f"/api-keys/{key_id}", {"expiresAt": "2100-01-01T00:00:00Z"}).refused("400.43")


def test_reissuing_and_revoking(server, admin):
    owner = admin.key_owner("rotating")
    key_id, old = admin.key(owner["user"], "Rotating")
    made = admin.post(f"/api-keys/{key_id}/reissue", {"overlapHours": 24}).expect(201).json["data"]
    assert made["key"]["replaces"] == key_id
    assert made["key"]["name"] == "Rotating"
    see = "/api/v1/func-api/see"
    for token in (old, made["token"]):
        server.client.get(see, [("Authorization", token)]).expect(200)
    again = admin.post(f"/api-keys/{made['key']['id']}/reissue").expect(201).json["data"]
    server.client.get(see, [("Authorization", made["token"])]).refused("401.99")
    revoked = admin.post(f"/api-keys/{again['key']['id']}/revoke", {"reason": "lost"}).expect(200).json["data"]
    assert (revoked["status"], revoked["revokedReason"], revoked["revokedBy"]) == ("REVOKED", "lost", "root")
    server.client.get(see, [("Authorization", again["token"])]).refused("401.99")
    admin.post(f"/api-keys/{again['key']['id']}/reissue").refused("409.25")


def test_an_administrator_ends_the_key_of_a_token(server, admin):
    """identity 2.1: by this call it takes the privilege for keys of anybody; possession alone is enough at /api/v1/keys/revoke."""
    owner = admin.key_owner("finder")
    key_id, token = admin.key(owner["user"], "Lost")
    Management(server).post("/api-keys/revoke", {"token": token}).refused("401.14")
    finder = Management(server).sign_in("finder")
    assert "Administer Users" in finder.post("/api-keys/revoke", {"token": token}).refused("403.15").json["message"]
    assert admin.data(f"/api-keys/{key_id}")["status"] == "ACTIVE"
    admin.post("/api-keys/revoke", {"token": "not.a.token"}).expect(204)
    admin.post("/api-keys/revoke", {"token": token}).expect(204)
    assert admin.data(f"/api-keys/{key_id}")["revokedReason"] == "by possession"


def test_a_token_is_ended_without_signing_in(server, admin):
    """identity 5: POST /api/v1/keys/revoke answers 204 whatever it is given, and ends a key that is good."""
    owner = admin.key_owner("passer-by")
    key_id, token = admin.key(owner["user"], "Found")
    address = "/api/v1/keys/revoke"
    for body in ({"token": "not.a.token"}, {"token": token[:-2] + "AA"}, {"token": 7}, {}, []):
        server.client.post(address, json=body).expect(204)
    assert admin.data(f"/api-keys/{key_id}")["status"] == "ACTIVE"
    for _ in range(2):
        answer = server.client.post(address, json={"token": token}).expect(204)
        assert answer.body == b""
    row = admin.data(f"/api-keys/{key_id}")
    assert (row["status"], row["revokedReason"]) == ("REVOKED", "by possession")
    server.client.get(address).refused("405.44")


def test_no_key_is_said_to_have_ended_whose_token_was_not_read(server, admin):
    """A body that is compressed, too large or cut off is refused as such: 204 would let a leaked key live on unseen."""
    key_id, token = admin.key(admin.key_owner("passer-by-2")["user"], "Found")
    address, body = "/api/v1/keys/revoke", json.dumps({"token": token}).encode()
    server.client.call("POST", address, [("Content-Encoding", "gzip")], body=gzip.compress(body)).refused("415.44")
    server.client.call("POST", address, [("Content-Encoding", "identity")], body=body).refused("415.44")
    server.client.call("POST", address, body=body + b" " * 9000).refused("413.43")
    answer = server.client.call("POST", address, [("Transfer-Encoding", "chunked")], body=b"nonsense\r\n")
    assert answer.status == 400, answer.text
    assert admin.data(f"/api-keys/{key_id}")["status"] == "ACTIVE"
    server.client.call("POST", address, body=body).expect(204)
    assert admin.data(f"/api-keys/{key_id}")["status"] == "REVOKED"


def test_own_keys_need_both_privileges(server, admin):
    owner = admin.key_owner("selfmade")
    admin.put(f"/users/{owner['user']}/password", {"password": PASSWORD}).expect(204)
    person = Management(server).sign_in("selfmade", PASSWORD)
    person.post("/me/api-keys", {"name": "Mine"}).refused("403.15")
    admin.link(f"/roles/{owner['role']}/privileges/{quoted('Generate Own API Key')}")
    made = person.post("/me/api-keys", {"name": "Mine"}).expect(201).json["data"]
    assert [key["id"] for key in person.data("/me/api-keys")] == [made["key"]["id"]]
    server.client.get("/api/v1/func-api/see", [("Authorization", made["token"])]).expect(200)
    other, _ = admin.key(admin.key_owner("somebody")["user"], "Theirs")
    person.get(f"/me/api-keys/{other}").refused("404.41")
    person.delete(f"/me/api-keys/{other}").refused("404.41")
    person.delete(f"/me/api-keys/{made['key']['id']}").expect(204)
    server.client.get("/api/v1/func-api/see", [("Authorization", made["token"])]).refused("401.99")


def test_a_management_key_acts_as_its_owner(server, admin):
    owner = admin.key_owner("robot")
    _, api_only = admin.key(owner["user"], "Api")
    _, token = admin.key(owner["user"], "Management", scopes=["management"])
    Management(server, api_only).get("/me").refused("401.99")
    robot = Management(server, token)
    assert robot.data("/me")["login"] == "robot"
    robot.get("/users").refused("403.15")
    admin.link(f"/roles/{owner['role']}/privileges/{quoted('View Users, User Groups and Roles')}")
    robot.get("/users").expect(200)


def test_deleting_a_user_ends_the_keys(server, admin):
    owner = admin.key_owner("deleted")
    key_id, token = admin.key(owner["user"], "Gone")
    see = "/api/v1/func-api/see"
    server.client.get(see, [("Authorization", token)]).expect(200)
    admin.delete(f"/users/{owner['user']}", if_match="*").expect(204)
    server.client.get(see, [("Authorization", token)]).refused("401.99")
    assert admin.data(f"/api-keys/{key_id}")["status"] == "REVOKED"


# --- access and explanations

def test_who_can_and_what_can_agree_with_the_calls(server, admin):
    owner = admin.key_owner("asked")
    key_id, token = admin.key(owner["user"], "Asked")
    who = admin.data("/access/who-can?api=see")
    assert who["anonymous"] is False
    assert [entry["configuration"] for entry in who["authentication"]] == ["api-key"]
    row = next(user for user in who["users"] if user["login"] == "asked")
    assert row["via"] == [{"group": "asked group", "role": "asked role"}]
    assert [(key["id"], key["may"]) for key in row["keys"]] == [(key_id, True)]
    for query in ("user=asked", f"user={owner['user']}", f"key={key_id}"):
        apis = {entry["api"]["id"]: entry for entry in admin.data(f"/access/what-can?{query}")["apis"]}
        assert apis["see"]["may"] is True, query
    admin.unlink(f"/user-groups/{owner['group']}/users/{owner['user']}")
    server.client.get("/api/v1/func-api/see", [("Authorization", token)]).refused("403.15")
    assert all(user["login"] != "asked" for user in admin.data("/access/who-can?api=see")["users"])
    reach = next(entry for entry in admin.data("/access/what-can?user=asked")["apis"] if entry["api"]["id"] == "see")
    assert (reach["may"], reach["why"]) == (False, 'the user lacks the privilege "Use API Key"')
    admin.get("/access/who-can?api=nothing").refused("404.41")
    admin.get("/access/what-can").refused("400.43")
    admin.get("/access/what-can?user=asked&key=x").refused("400.43")


def test_public_endpoints_show_what_is_open_and_why(admin):
    admin.post("/func-apis", {"id": "open", "funcId": "demo__probe.hello", "anonymous": True, "anonymousReason": "a try"}).expect(201)
    rows = {row["id"]: row for row in admin.data("/public-endpoints")}
    assert (rows["open"]["active"], rows["open"]["why"]) == (True, "a try")
    assert "see" not in rows
    assert "/healthz" in rows
    admin.delete("/func-apis/open", if_match="*").expect(204)


def test_a_refused_call_is_explained_to_those_who_may_know(server, admin):
    owner = admin.key_owner("explained")
    _, token = admin.key(owner["user"], "Narrow", apis=["other"])
    refused = server.client.get("/api/v1/func-api/see?secret=in-the-query", [("Authorization", token)]).refused("403.16")
    trace = refused.json["traceId"]
    answer = admin.get(f"/explain/{trace}").expect(200)
    explained = answer.json["data"]
    assert (explained["api"], explained["status"], explained["reason"]) == ("see", 403, "key.restricted")
    assert [(step["configuration"], step["verdict"]) for step in explained["steps"]] == [("api-key", "forbidden")]
    assert token not in answer.text and "in-the-query" not in answer.text
    unknown = server.client.get("/api/v1/func-api/nothing").refused("404.41")
    assert admin.data(f"/explain/{unknown.json['traceId']}")["reason"] == "api.unknown"
    admin.get("/explain/TRACE-unknown").refused("404.41")
    admin.create("/users", login="curious", password=PASSWORD)
    Management(server).sign_in("curious", PASSWORD).get(f"/explain/{trace}").refused("403.15")


def test_what_was_changed_is_in_the_audit_trail_without_secrets(admin):
    user = admin.create("/users", login="audited", password="Very-secret-word-77")
    answer = admin.get(f"/audit?object={user}").expect(200)
    created = next(entry for entry in answer.json["data"] if entry["event"] == "user.created")
    assert created["actor"]["login"] == "root"
    fields = {change["field"]: change for change in created["changes"]}
    assert fields["password"]["new"] == "********"
    assert "Very-secret-word-77" not in answer.text
