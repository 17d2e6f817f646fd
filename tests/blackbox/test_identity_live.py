"""A change of users, groups, roles, privileges and keys is seen by the next request of the same connection (I2)."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta, timezone

import pytest

from support.management import API, Management, call_on, quoted
from support.resources import PROBE, Resources
from support.server import wait_until
from support.wire import Connection, request_bytes

USE_KEY, VIEW_SERVER = "Use API Key", "View Server"
CALL = "/api/v1/func-api/keyed"
NUMBERS = itertools.count(1)


def resources() -> Resources:
    return Resources().scripts("demo", probe=PROBE).api("keyed", "demo__probe.hello", "api-key", methods=["GET"])


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


class Owner:
    """A user with a role, a key and a session; every call of either goes over one connection that stays open."""

    def __init__(self, server, admin: Management, login: str):
        self.admin, self.login, self.client = admin, login, server.client
        made = admin.key_owner(login, VIEW_SERVER)
        self.user, self.group, self.role = made["user"], made["group"], made["role"]
        self.key, self.token = admin.key(self.user, "Key")
        self.session = Management(server).sign_in(login)
        self.by_key, self.by_session = server.client.pinned().connect(), self.session.client.connect()

    def close(self) -> None:
        self.by_key.close()
        self.by_session.close()

    def status(self) -> tuple[str, str]:
        """Error numbers of a call with the key and of one with the session; "200" where they pass."""
        by_key = call_on(self.by_key, CALL, self.token)
        return by_key.error if by_key.status != 200 else "200", self._session_call()

    def _session_call(self) -> str:
        self.by_session.send(request_bytes("GET", f"{API}/server", [("Cookie", self.session.cookie)]))
        answer = self.by_session.read()
        return answer.error if answer.status != 200 else "200"


@pytest.fixture
def owner(server, admin):
    made = Owner(server, admin, f"live-{next(NUMBERS)}")
    assert made.status() == ("200", "200")
    yield made
    made.close()


# What takes the right away and what gives it back, from either end. Expected: (key, session) after each.
REVERSIBLE = {
    "the user leaves the group": (lambda o: o.admin.unlink(f"/user-groups/{o.group}/users/{o.user}"), lambda o: o.admin.link(f"/users/{o.user}/user-groups/{o.group}")),
    "the group leaves the user": (lambda o: o.admin.unlink(f"/users/{o.user}/user-groups/{o.group}"), lambda o: o.admin.link(f"/user-groups/{o.group}/users/{o.user}")),
    "the role leaves the group": (lambda o: o.admin.unlink(f"/user-groups/{o.group}/roles/{o.role}"), lambda o: o.admin.link(f"/roles/{o.role}/user-groups/{o.group}")),
    "the group leaves the role": (lambda o: o.admin.unlink(f"/roles/{o.role}/user-groups/{o.group}"), lambda o: o.admin.link(f"/user-groups/{o.group}/roles/{o.role}")),
    "the privileges of the role are replaced": (lambda o: o.admin.patch(f"/roles/{o.role}", {"privileges": []}).expect(200),
                                                lambda o: o.admin.patch(f"/roles/{o.role}", {"privileges": [USE_KEY, VIEW_SERVER]}).expect(200)),
}


@pytest.mark.parametrize("change", REVERSIBLE)
def test_what_is_taken_away_and_given_back_is_seen_by_the_next_request(owner, change):
    """authentication 65: key and session of a user who loses the privilege are refused on the next call, and accepted after its return."""
    take, give = REVERSIBLE[change]
    for _ in range(3):
        take(owner)
        assert owner.status() == ("403.15", "403.15")
        give(owner)
        assert owner.status() == ("200", "200")


def test_one_privilege_at_a_time(owner):
    """authentication 65: of two privileges exactly the one that is taken away is missing."""
    for name, expected in ((USE_KEY, ("403.15", "200")), (VIEW_SERVER, ("200", "403.15"))):
        owner.admin.unlink(f"/roles/{owner.role}/privileges/{quoted(name)}")
        assert owner.status() == expected
        owner.admin.link(f"/privileges/{quoted(name)}/roles/{owner.role}")
        assert owner.status() == ("200", "200")


def test_a_disabled_owner_is_out_and_the_key_returns_with_him(owner):
    """authentication 65: a disabled owner's key is refused; the session is over for good."""
    owner.admin.patch(f"/users/{owner.user}", {"enabled": False}).expect(200)
    assert owner.status() == ("401.99", "401.14")
    owner.admin.patch(f"/users/{owner.user}", {"enabled": True}).expect(200)
    assert owner.status() == ("200", "401.14")


FINAL = {
    "the key is revoked": (lambda o: o.admin.post(f"/api-keys/{o.key}/revoke", {"reason": "test"}).expect(200), ("401.99", "200")),
    "the key is revoked by whoever holds it": (lambda o: o.client.post("/api/v1/keys/revoke", body=json.dumps({"token": o.token})).expect(204), ("401.99", "200")),
    "the key is reissued without overlap": (lambda o: o.admin.post(f"/api-keys/{o.key}/reissue").expect(201), ("401.99", "200")),
    "the key gets other addresses": (lambda o: o.admin.patch(f"/api-keys/{o.key}", {"addresses": ["192.0.2.0/24"]}).expect(200), ("403.16", "200")),
    "the key gets other APIs": (lambda o: o.admin.patch(f"/api-keys/{o.key}", {"apis": ["elsewhere"]}).expect(200), ("403.16", "200")),
    "the sessions are ended": (lambda o: o.admin.delete(f"/users/{o.user}/sessions").expect(204), ("200", "401.14")),
    "the user signs out": (lambda o: o.session.delete("/session").expect(204), ("200", "401.14")),
    "the password is set": (lambda o: o.admin.put(f"/users/{o.user}/password", {"password": "Another-Horse-55!"}).expect(204), ("200", "401.14")),
    "the group is deleted": (lambda o: o.admin.delete(f"/user-groups/{o.group}", "*").expect(204), ("403.15", "403.15")),
    "the role is deleted": (lambda o: o.admin.delete(f"/roles/{o.role}", "*").expect(204), ("403.15", "403.15")),
    "the user is deleted": (lambda o: o.admin.delete(f"/users/{o.user}", "*").expect(204), ("401.99", "401.14")),
}


@pytest.mark.parametrize("change", FINAL)
def test_what_ends_is_seen_by_the_next_request(owner, change):
    """authentication 65: revoked, restricted, ended and deleted: the next request of the connection knows."""
    end, expected = FINAL[change]
    end(owner)
    assert owner.status() == expected


def test_an_applied_document_is_seen_by_the_next_request(server, owner):
    """authentication 65: the same for what documents change."""
    server.apply(Resources().document("User", owner.login, {"enabled": False}))
    assert owner.status() == ("401.99", "401.14")


def test_a_key_expires_while_its_connection_is_open(owner):
    """authentication 65: an expired key is refused on the next call."""
    end = datetime.now(timezone.utc) + timedelta(seconds=6)
    _, token = owner.admin.key(owner.user, "Short", expiresAt=end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    call_on(owner.by_key, CALL, token).expect(200)
    wait_until(lambda: call_on(owner.by_key, CALL, token).status != 200, "the key ends", pause_s=0.05)
    call_on(owner.by_key, CALL, token).refused("401.99")
    assert datetime.now(timezone.utc) >= end - timedelta(seconds=1)
    assert owner.status() == ("200", "200")


def test_an_earlier_end_counts_at_once(owner):
    """authentication 65: so is a key whose end was moved to the past of the next second."""
    soon = datetime.now(timezone.utc) + timedelta(seconds=2)
    owner.admin.patch(f"/api-keys/{owner.key}", {"expiresAt": soon.strftime("%Y-%m-%dT%H:%M:%SZ")}).expect(200)
    wait_until(lambda: owner.status() == ("401.99", "200"), "the key ends", pause_s=0.05)


def test_requests_that_wait_on_the_connection_are_decided_one_by_one(server, admin):
    """authentication 6, 65: a pipelined row of requests on both sides of a revocation: accepted before, refused behind, never the other way."""
    made = admin.key_owner("pipelined")
    key, token = admin.key(made["user"], "Key")
    with Connection(server.port) as connection:
        call_on(connection, CALL, token).expect(200)
        connection.send(request_bytes("GET", CALL, [("Authorization", token)]) * 5)
        admin.post(f"/api-keys/{key}/revoke", {"reason": "test"}).expect(200)
        connection.send(request_bytes("GET", CALL, [("Authorization", token)]) * 5)
        statuses = [connection.read().status for _ in range(10)]
    assert statuses[5:] == [401] * 5
    assert statuses[:5] == sorted(statuses[:5]), statuses
