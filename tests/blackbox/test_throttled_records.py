"""A block begins: one record in the audit trail, and none for what is refused because of it (identity §3, §8; authentication §11)."""

from __future__ import annotations

import pytest

from support.credentials import basic
from support.management import LOGIN, PASSWORD, Management, api
from support.resources import PROBE, Resources
from support.wire import fresh_address

FAILURES_OF_A_NETWORK = 7
CONFIG = f"[identity]\nsign_in_failures_per_hour = {FAILURES_OF_A_NETWORK}\n"
WORD = "a password of mia"


def resources() -> Resources:
    return Resources().scripts("probe", main=PROBE).basic("staff", {"mia": WORD}).api("basic", "probe__main.hello", "staff")


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


def told(admin: Management, event: str, address: str) -> list[dict]:
    return admin.data(f"/audit?event={event}&address={address}&limit=200")


def call(client, name: str, password: str):
    return client.get("/api/v1/al/basic/s", basic(name, password))


# --- sign-in

def test_a_network_that_guesses_many_logins_is_recorded_once(make_server):
    """No single login is locked; the network is, and says so once however long it goes on."""
    server = make_server(config=CONFIG)
    admin, away = Management.set_up(server), server.client.pinned(fresh_address())

    def sign_in(login: str):
        return api(away, "POST", "/session", json={"login": login, "password": "wrong"})

    for number in range(FAILURES_OF_A_NETWORK - 1):
        sign_in(f"login-{number}").refused("401.14")
    assert told(admin, "login.throttled", away.address) == []
    sign_in(LOGIN).refused("401.14")
    for number in range(20):
        sign_in(f"later-{number}").refused("429.47")
    api(away, "POST", "/session", json={"login": LOGIN, "password": PASSWORD}).refused("429.47")
    (record,) = told(admin, "login.throttled", away.address)
    assert (record["outcome"], record["reason"], record["actor"]["kind"]) == ("DENIED", "login.network_failures", "ANONYMOUS")
    assert record["object"].get("id", "") == "" and "login" not in record["actor"], "of nobody in particular"
    assert len(told(admin, "login.failed", away.address)) == FAILURES_OF_A_NETWORK


def test_a_login_that_is_locked_is_recorded_once(server, admin):
    away = server.client.pinned(fresh_address())
    for number in range(9):
        api(away, "POST", "/session", json={"login": LOGIN, "password": "wrong"}).refused("401.14" if number < 5 else "429.47")
    (record,) = told(admin, "login.throttled", away.address)
    assert (record["outcome"], record["reason"], record["object"]["name"]) == ("DENIED", "login.failures", LOGIN)


def test_who_guesses_his_old_password_is_recorded_once(server, admin):
    """Changing one's password has the same limit as signing in, and tells of it in the same way."""
    admin.create("/users", login="forgetful", password=PASSWORD)
    person = Management(server).sign_in("forgetful", PASSWORD)
    for _ in range(5):
        person.put("/me/password", {"old": "wrong", "new": "Another-Horse-22!"})
    assert person.put("/me/password", {"old": PASSWORD, "new": "Another-Horse-22!"}).status == 429
    (record,) = told(admin, "login.throttled", person.client.address)
    assert (record["reason"], record["object"]["name"]) == ("login.failures", "forgetful")


# --- published APIs and management keys

def test_a_blocked_account_is_recorded_once_with_the_call_that_began_it(server, admin):
    away = server.client.pinned(fresh_address())
    refusals = [call(away, "mia", "wrong").refused("401.99") for _ in range(5)]
    for _ in range(20):
        call(away, "mia", WORD).refused("429.47")
    (record,) = told(admin, "auth.throttled", away.address)
    assert (record["outcome"], record["reason"], record["origin"]) == ("DENIED", "auth.blocked_account", "API")
    assert (record["object"]["kind"], record["object"]["id"]) == ("ApiAuthentication", "staff")
    assert record["actor"]["login"] == "mia"
    assert record["traceId"] == refusals[-1].json["traceId"]
    assert '"basic"' in record["summary"] and "60 s" in record["summary"]


def test_a_name_of_nobody_is_not_recorded(server, admin):
    """People type passwords where names belong."""
    away = server.client.pinned(fresh_address())
    for _ in range(5):
        call(away, "typed-by-mistake", "x").refused("401.99")
    (record,) = told(admin, "auth.throttled", away.address)
    assert record["reason"] == "auth.blocked_account"
    assert "mistake" not in str(record)


def test_a_blocked_address_is_recorded_once(server, admin):
    away = server.client.pinned(fresh_address())
    for number in range(40):
        call(away, f"name-{number}", "wrong").refused("401.99" if number < 10 else "429.47")
    (record,) = told(admin, "auth.throttled", away.address)
    assert (record["reason"], record["object"]["id"]) == ("auth.blocked_address", "staff")
    assert "login" not in record["actor"]


def test_wrong_management_keys_that_block_an_address_are_recorded_once(server, admin):
    away = server.client.pinned(fresh_address())
    for number in range(30):
        api(away, "GET", "/me", [("Authorization", "Bearer made.up.key")]).refused("401.99" if number < 10 else "429.47")
    (record,) = told(admin, "auth.throttled", away.address)
    assert (record["reason"], record["origin"], record["object"]["id"]) == ("auth.blocked_address", "MANAGEMENT", "management")


def test_good_callers_and_single_mistakes_leave_no_such_record(server, admin):
    here = server.client.pinned(fresh_address())
    for _ in range(3):
        call(here, "mia", "wrong").refused("401.99")
        call(here, "mia", WORD).expect(200)
    assert told(admin, "auth.throttled", here.address) == []
