"""Administrators clear counters of wrong credentials (authentication §8)."""

import pytest

from support.credentials import basic
from support.management import Management, api
from support.resources import PROBE, Resources
from support.wire import fresh_address

PASSWORD = "a password of mia"


def resources() -> Resources:
    return Resources().scripts("probe", main=PROBE).basic("staff", {"mia": PASSWORD}).api("basic", "probe__main.hello", "staff").basic(
        "management", {"mia": PASSWORD}).api("managed", "probe__main.hello", "management")


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


def blocked(server):
    """A caller with an address of his own who has guessed too often."""
    client = server.client.pinned(fresh_address())
    for _ in range(5):
        client.get("/api/v1/al/basic/s", basic("mia", "wrong password")).refused("401.99")
    client.get("/api/v1/al/basic/s", basic("mia", PASSWORD)).refused("429.47")
    return client


def test_one_network_is_freed_and_no_other(server, admin):
    first, second = blocked(server), blocked(server)
    answer = admin.call("DELETE", f"/throttle?address={first.address}").expect(200)
    assert answer.json["data"]["cleared"] == 2, "of the address, of the account from there"
    first.get("/api/v1/al/basic/s", basic("mia", PASSWORD)).expect(200)
    second.get("/api/v1/al/basic/s", basic("mia", PASSWORD)).refused("429.47")
    admin.call("DELETE", "/throttle").expect(200)
    second.get("/api/v1/al/basic/s", basic("mia", PASSWORD)).expect(200)


def test_it_is_recorded(server, admin):
    client = blocked(server)
    admin.call("DELETE", f"/throttle?address={client.address}").expect(200)
    event = admin.data("/audit?event=auth.throttle_cleared")[0]
    assert (event["outcome"], event["actor"]["login"], event["object"]["id"]) == ("OK", "root", client.address)


def test_management_keys_have_a_counter_that_no_configuration_can_have(server, admin):
    """A configuration may be called as the management API is called elsewhere; neither blocks the other."""
    guesser, other = server.client.pinned(fresh_address()), server.client.pinned(fresh_address())
    for number in range(12):
        api(guesser, "GET", "/me", [("Authorization", "Bearer made.up.key")]).refused("401.99" if number < 10 else "429.47")
        other.get("/api/v1/al/managed/s", basic(f"name-{number}", "wrong password")).refused("401.99" if number < 10 else "429.47")
    guesser.get("/api/v1/al/managed/s", basic("mia", PASSWORD)).expect(200)
    api(other, "GET", "/me", [("Authorization", "Bearer made.up.key")]).refused("401.99")
    assert [event["object"]["id"] for event in admin.data(f"/audit?event=auth.throttled&address={guesser.address}")] == ["management"]


def test_what_is_no_address_changes_nothing(server, admin):
    client = blocked(server)
    for query in ("?address=", "?address=somewhere", "?address=127.0.0.0%2F8", "?addres=127.0.0.1"):
        admin.call("DELETE", "/throttle" + query).refused("400.43")
    client.get("/api/v1/al/basic/s", basic("mia", PASSWORD)).refused("429.47")
