"""Applications, whom they admit, and roles that count inside of one only; each change is seen by the next request of the same connection."""

from __future__ import annotations

import itertools
import json
import unicodedata

import pytest

from support.management import API, Management, api, call_on, quoted
from support.resources import PROBE, Resources
from support.wire import Connection, request_bytes

VIEW, MODIFY, CREATE = "View Applications", "Modify Applications", "Create Applications"
APPLY, MANAGE_SECRETS = "Apply Resources", "Manage Secret Keys"
ADMINISTER_ROLES, USE_KEY, ADMINISTER = "Administer Application Roles", "Use API Key", "Administer Users, User Groups and Roles"
NUMBERS = itertools.count(1)


def resources() -> Resources:
    return Resources().scripts("demo", probe=PROBE).api("keyed", "demo__probe.hello", "api-key", methods=["GET"])


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


class Person:
    """A user with a session, and every reading call over one connection that stays open."""

    def __init__(self, server, admin: Management, *privileges: str):
        self.login = f"person-{next(NUMBERS)}"
        self.admin = admin
        made = admin.key_owner(self.login, *privileges)
        self.user, self.group, self.role = made["user"], made["group"], made["role"]
        self.session = Management(server).sign_in(self.login)
        self.connection: Connection = self.session.client.connect()

    def read(self, path: str):
        self.connection.send(request_bytes("GET", f"{API}{path}", [("Cookie", self.session.cookie)]))
        return self.connection.read()

    def give(self, application: str | None, *privileges: str) -> str:
        """A role of the application (null: everywhere) in the person's own group."""
        role = self.admin.create("/roles", name=f"Role {next(NUMBERS)}", application=application, privileges=list(privileges))
        self.admin.link(f"/roles/{role}/user-groups/{self.group}")
        return role


@pytest.fixture
def person(server, admin):
    made = Person(server, admin)
    yield made
    made.connection.close()


@pytest.fixture
def name() -> str:
    return f"Application {next(NUMBERS)}"


def closed(*groups: str) -> dict:
    return {"allUsers": False, "groups": list(groups)}


def names(answer) -> list[str]:
    return [row["name"] for row in answer.expect(200).json["data"]]


def events(admin: Management, query: str) -> list[dict]:
    return admin.data(f"/audit?limit=200&{query}")


# --- the object

def test_an_application_admits_everybody_unless_told_otherwise(admin, name):
    made = admin.post("/applications", {"name": name, "description": "Course data"}).expect(201).json["data"]
    assert made["id"].startswith("app-") and len(made["id"]) == 20
    assert made["access"] == {"allUsers": True, "groups": []}
    group = admin.create("/user-groups", name=f"{name} crew")
    path = f"/applications/{made['id']}"
    changed = admin.patch(path, {"access": {"groups": [f"{name} CREW"]}}).expect(200).json["data"]
    assert changed["access"] == {"allUsers": True, "groups": [f"{name} crew"]}, "a merge patch keeps what it does not name"
    admin.patch(f"/user-groups/{group}", {"name": f"{name} staff"}).expect(200)
    assert admin.data(path)["access"]["groups"] == [f"{name} staff"], "the list follows a group that is renamed"
    replaced = admin.put(path, {"name": name}, If_Match="*").expect(200).json["data"]
    assert (replaced["access"], replaced["description"]) == ({"allUsers": True, "groups": []}, "")


@pytest.mark.parametrize(("access", "found"), [
    ({"allUsers": "yes"}, "access.allUsers"), ({"groups": ["Nobody at all"]}, "access.groups[0]"), ({"users": []}, "access.users"),
    ({"groups": "Users"}, "access.groups"), ([], "access"), (None, "access")])
def test_an_access_list_that_cannot_be_admits_nobody_because_it_is_refused(admin, name, access, found):
    answer = admin.post("/applications", {"name": name, "access": access}).refused("400.43")
    assert [error["path"] for error in answer.json["detail"]["errors"]] == [found]
    assert admin.data(f"/applications?name={quoted(name)}") == []


def test_each_change_is_recorded_with_what_changed(admin, name):
    application = admin.create("/applications", name=name)
    admin.patch(f"/applications/{application}", {"access": closed("Users")}).expect(200)
    admin.patch(f"/applications/{application}", {"access": closed("Users")}).expect(200)
    admin.delete(f"/applications/{application}", if_match="*").expect(204)
    found = events(admin, f"event=application.&object={application}")
    assert [one["event"] for one in found] == ["application.deleted", "application.changed", "application.created"], "a change of nothing is none"
    assert found[1]["changes"] == [{"field": "access", "old": {"allUsers": True, "groups": []}, "new": closed("Users")}]
    assert {one["object"]["kind"] for one in found} == {"Application"} and {one["actor"]["login"] for one in found} == {"root"}


def test_what_is_in_use_stays(admin, name):
    """409.25: an application with roles or secret keys, and a group that an access list names."""
    application = admin.create("/applications", name=name, access=closed("Users"))
    path = f"/applications/{application}"
    role = admin.create("/roles", name="Watchers", application=name, privileges=[VIEW])
    secret = admin.create("/secret-keys", name="APIKey", owner={"kind": "action", "application": name, "flow": "F", "action": "a"})
    refused = admin.delete(path, if_match="*").refused("409.25")
    assert refused.json["detail"]["usedBy"] == ['Role "Watchers"', 'SecretKey "APIKey"']
    admin.delete(f"/roles/{role}", if_match="*").expect(204)
    assert admin.delete(path, if_match="*").refused("409.25").json["detail"]["usedBy"] == ['SecretKey "APIKey"']
    assert admin.patch(path, {"name": f"{name} b"}).refused("409.25").json["detail"]["usedBy"] == ['SecretKey "APIKey"'], "secret keys name it"
    admin.delete(f"/secret-keys/{secret}", if_match="*").expect(204)
    group = admin.create("/user-groups", name=f"{name} crew")
    admin.patch(path, {"access": closed(f"{name} crew"), "name": f"{name} b"}).expect(200)
    assert admin.delete(f"/user-groups/{group}", if_match="*").refused("409.25").json["detail"]["usedBy"] == [f'Application "{name} b"']
    admin.delete(path, if_match="*").expect(204)
    admin.delete(f"/user-groups/{group}", if_match="*").expect(204)
    admin.get(path).refused("404.41")


# --- privileges of one application

def test_a_role_inside_shows_and_changes_that_application_alone(admin, person, name):
    mine, other = admin.create("/applications", name=name), admin.create("/applications", name=f"{name} other")
    assert person.read("/applications").error == "403.15"
    person.give(name, VIEW)
    assert names(person.read("/applications")) == [name]
    assert person.read(f"/applications/{mine}").status == 200
    refused = person.read(f"/applications/{other}")
    assert (refused.error, refused.json["message"]) == ("403.15", 'Privilege "View Applications" is required')
    person.session.patch(f"/applications/{mine}", {"description": "x"}).refused("403.15")
    role = person.give(mine, MODIFY)
    person.session.patch(f"/applications/{mine}", {"description": "x"}).expect(200)
    person.session.patch(f"/applications/{other}", {"description": "x"}).refused("403.15")
    person.session.delete(f"/applications/{other}", if_match="*").refused("403.15")
    person.session.post("/applications", {"name": f"{name} made"}).refused("403.15")
    admin.delete(f"/roles/{role}", if_match="*").expect(204)
    person.session.patch(f"/applications/{mine}", {"description": "y"}).refused("403.15")
    assert admin.data(f"/applications/{other}")["description"] == ""
    everywhere = person.give(None, VIEW)
    assert {name, f"{name} other"} <= set(names(person.read("/applications?limit=200")))
    admin.unlink(f"/roles/{everywhere}/user-groups/{person.group}")
    assert names(person.read("/applications")) == [name], "seen by the next request"


def test_what_a_role_inside_may_hold(admin, name):
    application = admin.create("/applications", name=name)
    answer = admin.post("/roles", {"name": "Readers", "application": name, "privileges": ["View Audit Trail"]}).refused("400.43")
    assert [error["message"] for error in answer.json["detail"]["errors"]] == ['Privilege "View Audit Trail" cannot be given inside an application']
    admin.post("/roles", {"name": "Readers", "application": "Nowhere"}).refused("400.43")
    role = admin.post("/roles", {"name": "Readers", "application": application, "privileges": [VIEW]}).expect(201).json["data"]
    assert role["application"] == name, "given by id or name, shown by name"
    admin.put(f"/roles/{role['id']}/privileges/{quoted('View Audit Trail')}").refused("400.43")
    admin.link(f"/roles/{role['id']}/privileges/{quoted(MODIFY)}")
    for value in (None, f"{name} other"):
        admin.patch(f"/roles/{role['id']}", {"application": value}).refused("400.43")
    assert admin.put(f"/roles/{role['id']}", {"name": "Readers"}, If_Match="*").expect(200).json["data"]["application"] == name
    admin.create("/roles", name="Readers")  # another one, of nothing
    admin.post("/roles", {"name": "rEADERS", "application": name}).refused("409.42")
    assert [row["id"] for row in admin.data(f"/roles?application={quoted(name)}")] == [role["id"]]
    admin.patch(f"/applications/{application}", {"name": f"{name} renamed"}).expect(200)
    assert admin.data(f"/roles/{role['id']}")["application"] == f"{name} renamed"


def test_what_somebody_may_where_is_told(admin, person, name):
    admin.create("/applications", name=name)
    role = person.give(name, USE_KEY, VIEW)
    told = {(row["privilege"], row["scope"]) for row in admin.data(f"/users/{person.user}/effective-privileges")}
    assert told == {(USE_KEY, None), (USE_KEY, name), (VIEW, name)}
    me = person.read("/me").expect(200).json["data"]
    assert me["privileges"] == [USE_KEY] and {"privilege": VIEW, "scope": name} in me["applicationPrivileges"]
    admin.delete(f"/roles/{role}", if_match="*").expect(204)
    assert person.read("/me").expect(200).json["data"]["applicationPrivileges"] == []


# --- who writes roles of one application

def test_who_administers_the_roles_of_one_application(admin, person, name):
    """identity 2.1: roles of that application, privileges that he holds there, groups that exist, and nothing else."""
    application = admin.create("/applications", name=name)
    admin.create("/applications", name=f"{name} other")
    me, crew = person.session, admin.create("/user-groups", name=f"{name} crew")
    me.post("/roles", {"name": "A", "application": name}).refused("403.15")
    person.give(name, ADMINISTER_ROLES, VIEW)
    made = me.post("/roles", {"name": "A", "application": name, "privileges": [VIEW]}).expect(201).json["data"]
    me.post("/roles", {"name": "B", "application": application, "privileges": [VIEW]}).expect(201)
    refused = me.post("/roles", {"name": "C", "application": name, "privileges": [VIEW, MODIFY]}).refused("403.15")
    assert refused.json["message"] == f'Privilege "{MODIFY}" is required'
    for where in (None, f"{name} other", "Nowhere"):
        me.post("/roles", {"name": "C", "application": where, "privileges": []}).refused("403.15")
    path = f"/roles/{made['id']}"
    me.link(f"{path}/user-groups/{crew}")
    me.unlink(f"/user-groups/{crew}/roles/{made['id']}")
    me.patch(path, {"privileges": [VIEW, MODIFY]}).refused("403.15")
    me.put(f"{path}/privileges/{quoted(MODIFY)}").refused("403.15")
    me.put(f"{path}/privileges/{quoted(ADMINISTER_ROLES)}").expect(204)
    # What somebody else has put into it stays, and may be taken out by him, but not put back.
    admin.link(f"{path}/privileges/{quoted(MODIFY)}")
    me.patch(path, {"description": "both"}).expect(200)
    me.unlink(f"{path}/privileges/{quoted(MODIFY)}")
    me.put(f"{path}/privileges/{quoted(MODIFY)}").refused("403.15")
    for method, elsewhere, body in [("PATCH", f"/roles/{person.role}", {"description": "x"}), ("POST", "/user-groups", {"name": "x"}),
                                    ("PUT", f"/user-groups/{crew}/users/{person.user}", None), ("DELETE", f"/roles/{person.role}", None),
                                    ("PUT", f"/roles/{person.role}/user-groups/{crew}", None), ("PATCH", f"/applications/{application}", {"description": "x"})]:
        me.call(method, elsewhere, body, If_Match="*").refused("403.15")
    me.delete(path, if_match="*").expect(204)
    assert {row["name"] for row in admin.data(f"/roles?application={quoted(name)}&q=B")} >= {"B"}


@pytest.mark.parametrize("path", ["/roles/{role}/user-groups/{group}", "/user-groups/{group}/roles/{role}"])
def test_nobody_gives_himself_a_role_with_privileges_that_he_lacks(admin, person, name, path):
    """From both ends of the link; to take a role away needs none of its privileges."""
    admin.create("/applications", name=name)
    keepers = admin.create("/roles", name="Keepers", application=name, privileges=[VIEW, MANAGE_SECRETS])
    person.give(name, ADMINISTER_ROLES, VIEW)
    me, link = person.session, path.format(role=keepers, group=person.group)

    def held() -> set[tuple[str, str | None]]:
        return {(row["privilege"], row["scope"]) for row in admin.data(f"/users/{person.user}/effective-privileges")}

    before = held()
    assert me.put(link).refused("403.15").json["message"] == f'Privilege "{MANAGE_SECRETS}" is required'
    assert held() == before and (MANAGE_SECRETS, name) not in before
    admin.link(link)
    assert (MANAGE_SECRETS, name) in held()
    me.unlink(link)
    assert held() == before
    me.put(link).refused("403.15")
    person.give(name, MANAGE_SECRETS)
    me.link(link)


# --- access lists

def test_whom_the_list_does_not_admit_sees_and_changes_nothing(admin, person, name):
    """403.16 by the list, whatever he holds; by session as by key; at once in both directions."""
    application = admin.create("/applications", name=name)
    path = f"/applications/{application}"
    person.give(None, VIEW, MODIFY)
    by_key = Management(admin_server(admin), admin.key(person.user, "All calls", scopes=["management"])[1])
    crew = admin.create("/user-groups", name=f"{name} crew")

    def admitted() -> set[bool]:
        found = set()
        answer = person.read(path)
        assert answer.status == 200 or answer.error == "403.16" and name in answer.json["message"]
        found.add(answer.status == 200)
        for who in (person.session, by_key):
            answer = who.patch(path, {"description": f"{next(NUMBERS)}"})
            assert answer.status == 200 or answer.error == "403.16"
            found.add(answer.status == 200)
            found.add(who.put(path, {"name": name, "access": admin.data(path)["access"]}, If_Match="*").status == 200)
            found.add(name in names(who.get("/applications?limit=200")))
        found.add(name in names(person.read("/applications?limit=200")))
        return found

    assert admitted() == {True}
    for _ in range(2):
        admin.patch(path, {"access": closed(f"{name} crew")}).expect(200)
        assert admitted() == {False}
        admin.link(f"/user-groups/{crew}/users/{person.user}")
        assert admitted() == {True}
        admin.unlink(f"/users/{person.user}/user-groups/{crew}")
        assert admitted() == {False}
        admin.patch(path, {"access": {"allUsers": True, "groups": []}}).expect(200)
        assert admitted() == {True}
    admin.patch(path, {"access": closed()}).expect(200)
    assert admitted() == {False}
    before = admin.data(path)
    person.session.delete(path, if_match="*").refused("403.16")
    by_key.delete(path, if_match="*").refused("403.16")
    assert admin.data(path) == before
    denied = events(admin, f"event=application.deleted&outcome=DENIED&object={quoted('/applications/{id}')}")
    assert person.login in {one["actor"]["login"] for one in denied}


def test_an_access_list_is_no_privilege(admin, person, name):
    """Whoever is admitted still needs the privilege."""
    application = admin.create("/applications", name=name, access=closed(f"{person.login} group"))
    assert person.read(f"/applications/{application}").error == "403.15"
    person.give(name, VIEW)
    assert person.read(f"/applications/{application}").status == 200


def test_a_role_inside_counts_only_for_whom_the_list_admits(admin, person, name):
    application = admin.create("/applications", name=name)
    person.give(name, VIEW, MODIFY, ADMINISTER_ROLES)
    role = person.session.post("/roles", {"name": "A", "application": name, "privileges": [VIEW]}).expect(201).json["data"]["id"]
    admin.patch(f"/applications/{application}", {"access": closed()}).expect(200)
    assert person.read(f"/applications/{application}").error == "403.16"
    assert names(person.read("/applications")) == []
    person.session.post("/roles", {"name": "B", "application": name, "privileges": [VIEW]}).refused("403.16")
    person.session.patch(f"/roles/{role}", {"description": "x"}).refused("403.16")
    person.session.delete(f"/roles/{role}", if_match="*").refused("403.16")
    person.session.put(f"/roles/{role}/user-groups/{person.group}").refused("403.16")
    admin.get(f"/roles/{role}").expect(200)


def test_nobody_is_locked_out_for_ever(admin, person, name):
    """Whoever may put himself into any group is admitted by every list."""
    application = admin.create("/applications", name=name, access=closed())
    assert admin.patch(f"/applications/{application}", {"description": "still mine"}).expect(200).json["data"]["access"] == closed()
    person.give(None, VIEW)
    assert person.read(f"/applications/{application}").error == "403.16"
    role = person.give(None, ADMINISTER)
    assert person.read(f"/applications/{application}").status == 200
    admin.delete(f"/roles/{role}", if_match="*").expect(204)
    assert person.read(f"/applications/{application}").error == "403.16"


def test_a_disabled_user_is_admitted_by_no_list(admin, person, name):
    application = admin.create("/applications", name=name)
    person.give(None, VIEW)
    token = admin.key(person.user, "All calls", scopes=["management"])[1]
    connection = person.session.client.connect()
    assert call_on(connection, f"{API}/applications/{application}", token).status == 200
    admin.patch(f"/users/{person.user}", {"enabled": False}).expect(200)
    assert call_on(connection, f"{API}/applications/{application}", token).error == "401.99"
    assert person.read(f"/applications/{application}").error == "401.14"
    connection.close()


def test_uses_are_recorded_where_they_are_watched(admin, person, name):
    """Of a privilege inside an application as of any other; what the list refuses is no use of it."""
    application = admin.create("/applications", name=name)
    person.give(name, VIEW)
    watched = f"/privileges/{quoted(VIEW)}"
    admin.patch(watched, {"auditAction": True}).expect(200)
    for path in ("/applications", f"/applications/{application}", "/secret-keys"):
        person.read(path).expect(200)
    admin.patch(f"/applications/{application}", {"access": closed()}).expect(200)
    assert person.read(f"/applications/{application}").error == "403.16"
    admin.patch(watched, {"auditAction": False}).expect(200)
    used = events(admin, f"event=privilege.used&actor={person.login}")
    assert sorted(one["object"]["id"] for one in used) == ["/applications", "/applications/{id}", "/secret-keys"]


# --- keys

def admin_server(admin: Management):
    """Management wants a server for its client only."""
    class Holder:
        client = admin.client
    return Holder


def test_a_key_that_counts_inside_opens_neither_functions_nor_management(admin, person, name):
    """identity 2.2: both need `Use API Key` everywhere; seen by the next call of the same connection, and told by who-can and what-can."""
    admin.create("/applications", name=name)
    token = admin.key(person.user, "Both", scopes=["api", "management"])[1]
    connection = person.session.client.connect()

    def calls() -> tuple[int, int]:
        answers = (call_on(connection, "/api/v1/func-api/keyed", token), call_on(connection, f"{API}/me", token))
        assert all(answer.status == 200 or answer.error == "403.15" for answer in answers)
        return tuple(answer.status for answer in answers)

    assert calls() == (200, 200)
    person.give(name, USE_KEY)
    admin.patch(f"/roles/{person.role}", {"privileges": []}).expect(200)
    assert calls() == (403, 403), "a grant inside an application does not open them"
    assert admin.data(f"/api-keys?user={person.user}")[0]["status"] == "ACTIVE", "it counts somewhere"
    assert person.login not in [row["login"] for row in admin.data("/access/who-can?api=keyed")["users"]]
    told = admin.data(f"/access/what-can?user={person.login}")
    assert told["useApiKeyVia"] == [] and [row["may"] for row in told["apis"]] == [False]
    admin.patch(f"/roles/{person.role}", {"privileges": [USE_KEY]}).expect(200)
    assert calls() == (200, 200)
    via = [row["via"] for row in admin.data("/access/who-can?api=keyed")["users"] if row["login"] == person.login]
    assert via == [[{"group": f"{person.login} group", "role": f"{person.login} role"}]], "only what counts everywhere"
    connection.close()


# --- secret keys

def secret_of(application: str, action: str = "a") -> dict:
    return {"name": "APIKey", "owner": {"kind": "action", "application": application, "flow": "F", "action": action}}


def test_secret_keys_of_one_application(admin, person, name):
    """`View Applications` and `Manage Secret Keys` inside one application show and change its secret keys alone."""
    admin.create("/applications", name=name)
    admin.create("/applications", name=f"{name} other")
    admin.create("/secret-keys", **secret_of(f"{name} other"))
    admin.create("/secret-keys", **secret_of(f"{name} of nothing"))
    foreign = [admin.data(f"/secret-keys?application={quoted(where)}")[0]["id"] for where in (f"{name} other", f"{name} of nothing")]
    me = person.session
    me.get("/secret-keys").refused("403.15")
    role = person.give(name, VIEW, "Manage Secret Keys")
    assert me.data("/secret-keys") == []
    mine = me.create("/secret-keys", **secret_of(name.upper()))
    assert [row["id"] for row in me.data("/secret-keys?limit=1")] == [mine]
    assert me.get("/secret-keys").json["pageInfo"]["total"] == 1
    assert me.data("/secret-keys?application=" + quoted(f"{name} other")) == []
    me.put(f"/secret-keys/{mine}/secret", {"secret": "a value of it"}).expect(204)
    me.patch(f"/secret-keys/{mine}", {"enabled": False}).expect(200)
    me.post("/secret-keys", secret_of(f"{name} other", "b")).refused("403.15")
    me.post("/secret-keys", secret_of(f"{name} new", "b")).refused("403.15")
    for other in foreign:
        me.get(f"/secret-keys/{other}").refused("403.15")
        me.patch(f"/secret-keys/{other}", {"enabled": False}).refused("403.15")
        me.put(f"/secret-keys/{other}/secret", {"secret": "a value of it"}).refused("403.15")
        me.delete(f"/secret-keys/{other}/secret").refused("403.15")
        me.delete(f"/secret-keys/{other}", if_match="*").refused("403.15")
        assert admin.data(f"/secret-keys/{other}")["hasValue"] is False
    admin.unlink(f"/roles/{role}/privileges/{quoted('Manage Secret Keys')}")
    me.delete(f"/secret-keys/{mine}", if_match="*").refused("403.15")
    assert [row["id"] for row in me.data("/secret-keys")] == [mine]


def test_secret_keys_follow_the_access_list(admin, person, name):
    application = admin.create("/applications", name=name)
    secret = admin.create("/secret-keys", **secret_of(name))
    admin.create("/secret-keys", **secret_of(f"{name} of nothing"))
    person.give(None, VIEW, "Manage Secret Keys")
    me = person.session

    def seen() -> set[str]:
        return {row["owner"]["application"] for row in me.data(f"/secret-keys?limit=200&q={quoted(name)}")}

    assert seen() == {name, f"{name} of nothing"}
    admin.patch(f"/applications/{application}", {"access": closed()}).expect(200)
    assert seen() == {f"{name} of nothing"}
    me.get(f"/secret-keys/{secret}").refused("403.16")
    me.put(f"/secret-keys/{secret}/secret", {"secret": "a value of it"}).refused("403.16")
    me.delete(f"/secret-keys/{secret}", if_match="*").refused("403.16")
    me.post("/secret-keys", secret_of(name, "b")).refused("403.16")
    admin.patch(f"/applications/{application}", {"access": closed(f"{person.login} group")}).expect(200)
    assert seen() == {name, f"{name} of nothing"}
    me.patch(f"/secret-keys/{secret}", {"enabled": False}).expect(200)


def test_no_application_takes_secret_keys_that_wait_for_its_name(admin, person, name):
    """Whose keys they are to be decides who manages secret keys everywhere: neither by a rename, nor by POST, nor by a document."""
    mine = admin.create("/applications", name=name)
    waiting = f"{name} billing"
    secret = admin.create("/secret-keys", **secret_of(waiting))
    person.give(name, VIEW, MODIFY, MANAGE_SECRETS)
    person.give(None, CREATE, MODIFY, APPLY)
    me = person.session
    for who in (me, admin):
        for spelling in (waiting, f" {waiting.upper()} "):
            refused = who.patch(f"/applications/{mine}", {"name": spelling}).refused("409.25")
            assert refused.json["detail"]["usedBy"] == [], "which ones they are is not told"
    message = f'Privilege "{MANAGE_SECRETS}" is required, because secret keys name the application "{waiting}" already'
    assert me.post("/applications", {"name": f"{waiting} "}).refused("403.15").json["message"] == message
    for verb in ("diff", "apply"):
        assert send(me, verb, document("Application", f"{waiting} ")).refused("403.15").json["message"] == message
    assert admin.data(f"/applications?name={quoted(waiting)}") == []
    me.put(f"/secret-keys/{secret}/secret", {"secret": "a value of it"}).refused("403.15")
    # What nobody waits for is his to make, and a name that is taken is told as such.
    me.create("/applications", name=f"{name} free")
    send(me, "apply", document("Application", f"{name} free too")).expect(200)
    admin.create("/secret-keys", **secret_of(name))
    me.post("/applications", {"name": name}).refused("409.42")
    everywhere = person.give(None, MANAGE_SECRETS)
    send(me, "diff", document("Application", waiting)).expect(200)
    me.create("/applications", name=waiting)
    me.put(f"/secret-keys/{secret}/secret", {"secret": "a value of it"}).expect(204)
    admin.delete(f"/roles/{everywhere}", if_match="*").expect(204)


# --- documents

def document(kind: str, name: str, spec: dict | None = None, application: str = "") -> dict:
    return {"kind": kind, "name": name, "application": application, "spec": spec or {}}


def send(who: Management, verb: str, *documents: dict, query: str = "", as_bundle: bool = False):
    """As one YAML stream, JSON being YAML, or as the bundle that the command line sends."""
    if as_bundle:
        beside = {"file": "", "lines": {}, "secrets": {}, "files": {}}
        body, media_type = json.dumps({"apiVersion": "funcgate/v1", "documents": [one | beside for one in documents]}), "application/json"
    else:
        whole = [{"kind": one["kind"], "spec": one["spec"],
                  "metadata": {member: one[member] for member in ("name", "application") if one[member]}} for one in documents]
        body, media_type = "\n---\n".join(json.dumps(one) for one in whole), "application/yaml"
    return api(who.client, "POST", f"/resources/{verb}{query}", [*who.headers("POST"), ("Content-Type", media_type)], body=body)


@pytest.mark.parametrize("as_bundle", [False, True], ids=["yaml", "bundle"])
def test_no_spelling_of_its_name_passes_the_access_list(admin, person, name, as_bundle):
    name = f"Caf\u00e9 {name}"
    application = admin.create("/applications", name=name, access=closed())
    admin.create("/secret-keys", **secret_of(name))
    person.give(None, APPLY, CREATE, MODIFY, MANAGE_SECRETS)
    before = admin.data(f"/applications/{application}"), admin.data(f"/secret-keys?application={quoted(name)}")
    for spelling in (name, f"{name} ", f"\t{name}", unicodedata.normalize("NFD", name), unicodedata.normalize("NFD", f" {name.replace('Application', 'APPLICATION')}")):
        opened = document("Application", spelling, {"description": "mine", "access": {"allUsers": True}})
        secret = document("SecretKey", "APIKey", {"flow": "F", "action": "a", "enabled": False}, spelling)
        for verb in ("diff", "apply"):
            for one in (opened, secret):
                refused = send(person.session, verb, one, as_bundle=as_bundle).refused("403.16")
                assert refused.json["message"] == f'The access list of the application "{name}" does not admit you'
    assert (admin.data(f"/applications/{application}"), admin.data(f"/secret-keys?application={quoted(name)}")) == before
    assert [row["id"] for row in admin.data(f"/applications?limit=200&q={quoted(name)}")] == [application]


def test_prune_takes_nothing_out_of_a_closed_application_and_is_not_misled_by_its_name(admin, person, name):
    """What belongs to "A/B" is not inside of "A"."""
    closed_one = admin.create("/applications", name=name)
    inside, beside = (document("SecretKey", "APIKey", {"flow": "F", "action": "a"}, where) for where in (name, f"{name}/b"))
    admin.create("/applications", name=f"{name}/b")
    send(admin, "apply", inside, query="?set=inside").expect(200)
    send(admin, "apply", beside, query="?set=beside").expect(200)
    admin.patch(f"/applications/{closed_one}", {"access": closed()}).expect(200)
    person.give(None, APPLY, MANAGE_SECRETS)
    for verb in ("diff", "apply"):
        refused = send(person.session, verb, query="?set=inside&prune=true").refused("403.16")
        assert refused.json["message"] == f'The access list of the application "{name}" does not admit you'
        done = send(person.session, verb, query="?set=beside&prune=true").expect(200).json["data"]["objects"]
        assert [(one["id"], one["outcome"]) for one in done] == [(f"{name}/b/F/a/APIKey", "pruned")]
    assert [row["owner"]["application"] for row in admin.data(f"/secret-keys?limit=200&q={quoted(name)}")] == [name]
