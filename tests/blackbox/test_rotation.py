"""Rotation of the signing, sealing and pepper secrets: no failed call, whatever is going on, and nothing lost by a kill (I6, I7)."""

from __future__ import annotations

import json
import threading

import pytest

from support.credentials import basic
from support.database import document, set_document
from support.digest import DigestClient
from support.management import PASSWORD, Management
from support.resources import Resources
from support.server import Server, command, wait_until
from support.wire import Answer

SIGNING, SEALING, PEPPER = "phixflow-api-key", "funcgate-sealing-key", "pepperKey"
TOKEN = "w9-Kq3vT-w9-Kq3vT"
SCRIPT = """
@DFF.API('Who calls')
def who():
    return _DFF_CALLER['name']

@DFF.API('A password that only scripts see')
def variable(name='PARTNER'):
    return DFF.ENV(name, 'unreadable')
"""


def resources(digest_users: int = 1) -> Resources:
    people = {f"person-{number}": f"a password of person {number}" for number in range(digest_users)}
    made = Resources().scripts("demo", main=SCRIPT).variable("PARTNER", "password", "partner-pass", "demo").variable("OTHER", "password", "other-pass", "demo")
    made.basic("staff", {"mia": "a password of mia", "joe": "a password of joe"}).digest("people", people)
    made.fixed_field("shop", {"location": "header", "name": "X-Shop-Token", "value": TOKEN})
    for name, authentication in (("basic", "staff"), ("digest", "people"), ("fixed", "shop"), ("key", "api-key")):
        made.api(name, "demo__main.who", authentication)
    return made.api("variable", "demo__main.variable")


def rotate(server: Server, alias: str, *options: str) -> None:
    done = command("keystore", "rotate", alias, "--data", server.data, *options)
    assert done.returncode == 0, done.stderr


def aliases(server: Server) -> list[str]:
    return [row["alias"] for row in json.loads(command("keystore", "list", "-o", "json", "--data", server.data).stdout)]


def wait_until_resealed(server: Server) -> None:
    wait_until(lambda: not any(alias.startswith(f"{SEALING}.prev.") for alias in aliases(server)), "nothing is sealed with a retired key")


ADMINISTER = ("View Users, User Groups and Roles", "Administer Users, User Groups and Roles")


class Load:
    """Callers and administrators of every kind, each calling again and again until told to stop."""

    def __init__(self, server: Server, token: str, manager: str, owner: str):
        """`token`: a key for APIs. `manager`: one for the management API that may make keys for the user `owner`."""
        client, self.server = server.client, server
        self.manager, self.owner = Management(server, manager), owner
        self.numbers = iter(range(1, 1_000_000))
        self.failures: list[str] = []
        self.calls: dict[str, int] = {}
        self.over = threading.Event()
        digest = DigestClient(client, "/api/v1/func-api/digest", "person-0", "a password of person 0")
        values, count = digest.challenge(), iter(range(1, 1_000_000))
        callers = {
            "basic": lambda: client.get("/api/v1/func-api/basic", basic("mia", "a password of mia")),
            "digest": lambda: digest.send(digest.sign(values, nc=next(count))),
            "fixed": lambda: client.get("/api/v1/func-api/fixed", {"X-Shop-Token": TOKEN}),
            "key": lambda: client.get("/api/v1/func-api/key", {"Authorization": token}),
            "variable": lambda: client.get("/api/v1/func-api/variable"),
            "management": lambda: self.manager.get(f"/users/{owner}"),
            "sign-in": self._sign_in,
            "new key": self._new_key,
        }
        self.names = list(callers)
        self.threads = [threading.Thread(target=self._call, args=entry) for entry in callers.items()]
        for thread in self.threads:
            thread.start()

    def _sign_in(self) -> Answer:
        """A session that changes something and ends."""
        session = Management(self.server).sign_in()
        session.get("/session").expect(200)
        session.patch(f"/users/{self.owner}", {"description": "seen"}).expect(200)
        session.delete("/session").expect(204)
        return session.client.get("/healthz")

    def _new_key(self) -> Answer:
        """A key is good as soon as it is made, whatever secret signed it."""
        key, token = self.manager.key(self.owner, f"Key {next(self.numbers)}")
        answer = self.server.client.get("/api/v1/func-api/key", {"Authorization": token})
        self.manager.post(f"/api-keys/{key}/revoke", {"reason": "seen"}).expect(200)
        return answer

    def _call(self, name: str, call) -> None:
        while not self.over.is_set():
            try:
                answer = call()
                if answer.status != 200 or "unreadable" in answer.text:
                    self.failures.append(f"{name}: {answer.status} {answer.body[:200]!r}")
            except (AssertionError, OSError) as problem:
                self.failures.append(f"{name}: {problem}")
            self.calls[name] = self.calls.get(name, 0) + 1

    def more(self, count: int = 10) -> None:
        """Every caller has called again that often."""
        before = dict(self.calls)
        wait_until(lambda: all(self.calls.get(name, 0) >= before.get(name, 0) + count for name in self.names), "every caller calls on")

    def stop(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.failures, self.failures[:5]


def test_no_call_fails_while_all_three_secrets_are_rotated(make_server):
    server = make_server(resources(20))
    admin = Management.set_up(server)
    owner = admin.key_owner("apiagent")["user"]
    manager = admin.key(admin.key_owner("manager", *ADMINISTER)["user"], "Make keys", scopes=["management"])[1]
    load = Load(server, admin.key(owner, "Call API")[1], manager, owner)
    try:
        load.more()
        for _ in range(2):
            for alias in (SIGNING, SEALING, PEPPER):
                rotate(server, alias)
                load.more()
        wait_until_resealed(server)
        load.more()
    finally:
        load.stop()
    done = command("keystore", "check", "--data", server.data)
    assert done.returncode == 0, done.stdout
    assert f'sealed with "{SEALING}"' in done.stdout
    # Behind the overlap of its secret a key is good no more, and the others are.
    kept = admin.key(owner, "Signed with the newest secret but one")[1]
    rotate(server, SIGNING, "--overlap", "0")
    server.client.get("/api/v1/func-api/key", {"Authorization": kept}).refused("401.99")
    fresh = Management(server).sign_in().key(owner, "Signed with the newest secret")[1]
    server.client.get("/api/v1/func-api/key", {"Authorization": fresh}).expect(200)


def test_after_a_rotation_of_the_pepper_passwords_are_right_and_wrong_as_before_and_move_at_their_next_success(make_server):
    server = make_server(resources())
    Management.set_up(server)

    def hashes() -> dict[str, str]:
        return {user["username"]: user["passwordHash"] for user in json.loads(document(server.data, "api_authentications", "staff"))["users"]}

    before = hashes()
    rotate(server, PEPPER)
    path = "/api/v1/func-api/basic"
    server.client.get(path, basic("mia", "a wrong password")).refused("401.99")
    server.client.get("/api/v1/func-api/fixed", {"X-Shop-Token": TOKEN + "x"}).refused("401.99")
    assert hashes() == before
    server.client.get(path, basic("mia", "a password of mia")).expect(200)
    wait_until(lambda: hashes()["mia"] != before["mia"], "the hash moves to the new pepper")
    assert hashes()["joe"] == before["joe"]
    Management(server).sign_in("root", PASSWORD)
    assert "unchanged" in server.apply(resources()).stdout

    # Once the retired pepper is gone, only what has moved is right.
    retired = next(alias for alias in aliases(server) if alias.startswith("pepperkey.prev."))
    assert command("keystore", "delete", retired, "--data", server.data).returncode == 0
    assert server.stop() == 0
    server.start()
    server.client.get(path, basic("mia", "a password of mia")).expect(200)
    server.client.get(path, basic("joe", "a password of joe")).refused("401.99")
    Management(server).sign_in("root", PASSWORD)


def sealing_kids(server: Server) -> set[str]:
    """The kids of the keys that passwords of Digest users are sealed with."""
    users = json.loads(document(server.data, "api_authentications", "people"))["users"]
    return {text.split(".")[1] for user in users for value in user.values() if isinstance(value, list) for text in value if str(text).startswith("v1.")}


@pytest.mark.parametrize("portions", [0, 1, 3])
def test_a_kill_during_the_resealing_loses_nothing(make_server, portions):
    """The kill comes right behind the rotation, or when so many portions of a hundred texts are sealed anew and many more are not."""
    users = 1000
    server = make_server(resources(users))
    for _ in range(2):
        wait_until_resealed(server)
        seen = server.log().count("secret.resealed")
        rotate(server, SEALING)
        wait_until(lambda: server.log().count("secret.resealed") >= seen + portions, "the resealing has come so far", pause_s=0.001)
        server.kill()
        assert any(alias.startswith(f"{SEALING}.prev.") for alias in aliases(server)), "the resealing had ended before the kill"
        if portions > 0:
            assert len(sealing_kids(server)) == 2, "the kill came in the middle"
        server.start()
    wait_until_resealed(server)
    assert len(sealing_kids(server)) == 1
    for number in (0, users // 2, users - 1):
        caller = DigestClient(server.client, "/api/v1/func-api/digest", f"person-{number}", f"a password of person {number}")
        assert caller.call()[1].expect(200).text == f"person-{number}"
    assert server.client.get("/api/v1/func-api/variable").expect(200).text == "partner-pass"
    assert command("keystore", "check", "--data", server.data).returncode == 0


def test_a_rotation_without_a_server_is_finished_by_the_next_start(make_server):
    server = make_server(resources(3))
    assert server.stop() == 0
    rotate(server, SEALING)
    assert any(alias.startswith(f"{SEALING}.prev.") for alias in aliases(server))
    refused = command("keystore", "delete", next(alias for alias in aliases(server) if ".prev." in alias), "--data", server.data)
    assert refused.returncode == 1 and "without it nobody can open them" in refused.stderr
    server.start()
    wait_until_resealed(server)
    assert server.client.get("/api/v1/func-api/variable").expect(200).text == "partner-pass"


def test_swapped_boxes_are_unusable_and_not_exchanged(make_server):
    server = make_server(resources(2))
    assert server.stop() == 0
    one, other = (json.loads(document(server.data, "env_variables", name)) for name in ("PARTNER", "OTHER"))
    one["value"], other["value"] = other["value"], one["value"]
    set_document(server.data, "env_variables", "PARTNER", json.dumps(one))
    set_document(server.data, "env_variables", "OTHER", json.dumps(other))
    people = json.loads(document(server.data, "api_authentications", "people"))
    first, second = people["users"]
    boxes = next(name for name, value in first.items() if isinstance(value, list) and str(value[0]).startswith("v1."))
    first[boxes], second[boxes] = second[boxes], first[boxes]
    set_document(server.data, "api_authentications", "people", json.dumps(people))
    server.start()
    for name in ("PARTNER", "OTHER"):
        answer = server.client.get(f"/api/v1/func-api/variable?name={name}")
        assert "partner-pass" not in answer.text and "other-pass" not in answer.text
    for number in range(2):
        answer = server.client.get("/api/v1/func-api/digest")
        assert answer.status == 503, "nobody enters by a box that was moved"
