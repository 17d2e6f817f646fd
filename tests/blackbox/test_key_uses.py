"""The audit trail tells that a key is in use: once per key and hour, whatever it is used for (identity §8, key.first_use)."""

from __future__ import annotations

from support.management import Management, sign_in
from support.resources import PROBE, Resources

CALL = "/api/v1/func-api/keyed"
WRONG = "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"


def test_each_key_is_told_once_an_hour_for_calls_and_management_alike(make_server):
    """The server writes what is noted when it stops at the latest."""
    server = make_server()
    admin = Management.set_up(server)
    server.apply(Resources().scripts("demo", probe=PROBE).api("keyed", "demo__probe.hello", "api-key"))
    keys = {}
    for login in ("manager", "caller", "both", "unused"):
        keys[login] = admin.key(admin.key_owner(login)["user"], f"Key of {login}", scopes=["api", "management"])
    refused = admin.key(admin.create("/users", login="stranger", password="Correct-Horse-22!"), "Refused", scopes=["management"])[1]
    for _ in range(3):
        for login in ("manager", "both"):
            Management(server, keys[login][1]).get("/me").expect(200)
    # The use counts, not what came of it.
    Management(server, keys["manager"][1]).get("/users").refused("403.15")
    for login in ("caller", "both"):
        server.client.get(CALL, {"Authorization": keys[login][1]}).expect(200)
    Management(server, refused).get("/me").refused("403.15")
    Management(server, WRONG).get("/me").refused("401.99")
    assert server.stop() == 0
    server.start()
    after = sign_in(server)
    records = after.data("/audit?event=key.first_use")
    told = {login: [one for one in records if one["actor"]["keyId"] == key] for login, (key, _) in keys.items()}
    assert sum(map(len, told.values())) == len(records)
    assert [login for login, ones in told.items() if ones] == ["manager", "caller", "both"]
    for login, ones in told.items():
        # Two if an hour ended in between.
        assert len({one["time"][:13] for one in ones}) == len(ones), ones
        for one in ones:
            assert (one["actor"]["kind"], one["actor"]["login"], one["outcome"], one["object"]["name"]) == ("API_KEY", login, "OK", f"Key of {login}")
            assert one["address"]
    for one in told["manager"]:
        assert one["origin"] == "MANAGEMENT" and "management API" in one["summary"]
    for one in told["caller"]:
        assert one["origin"] == "API" and '"keyed"' in one["summary"]
    assert told["both"][-1]["origin"] == "MANAGEMENT", "the first of its uses"
    used = {login: after.data(f"/api-keys/{key}")["lastUsedApi"] for login, (key, _) in keys.items()}
    assert used == {"manager": "management", "caller": "keyed", "both": "keyed", "unused": None}
