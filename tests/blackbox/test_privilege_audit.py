"""Uses of a privilege that somebody wants to know about (PrivilegeAudit) are in the audit trail, those of `Use API Key` too."""

from __future__ import annotations

import pytest

from support.management import Management, sign_in
from support.resources import PROBE, Resources

USE_KEY = "Use API Key"
CALL = "/api/v1/func-api/keyed"


def resources(audited: bool) -> Resources:
    made = Resources().scripts("demo", probe=PROBE).api("keyed", "demo__probe.hello", "api-key").api("open", "demo__probe.hello")
    return made.document("PrivilegeAudit", USE_KEY, {"auditAction": audited})


@pytest.mark.parametrize("audited", [True, False])
def test_calls_of_published_apis_with_a_key_are_uses_of_the_privilege(make_server, audited):
    """One record per key: what the calls did is in the stream of calls. The server writes what is noted when it stops at the latest."""
    server = make_server()
    admin = Management.set_up(server)
    server.apply(resources(audited))
    keys = {}
    for login in ("one", "two", "unused"):
        keys[login] = admin.key(admin.key_owner(login)["user"], f"Key of {login}", scopes=["api", "management"])
    _, refused = admin.key(admin.create("/users", login="three", firstName="No", surname="Privilege", password="Correct-Horse-22!"), "Refused")
    for login in ("one", "two", "one"):
        assert server.client.get(CALL, {"Authorization": keys[login][1]}).status == 200
    assert server.client.get(CALL, {"Authorization": refused}).status == 403
    assert server.client.get("/api/v1/func-api/open").status == 200
    assert server.stop() == 0
    server.start()
    records = sign_in(server).data("/audit?event=privilege.used")
    if not audited:
        assert records == []
        return
    assert {record["actor"]["keyId"] for record in records} == {keys["one"][0], keys["two"][0]}
    assert len(records) <= 4, "once per key, and twice where an hour ended in between"
    for record in records:
        login = record["actor"]["login"]
        assert record["actor"]["kind"] == "API_KEY" and record["outcome"] == "OK" and record["origin"] == "API"
        assert record["reason"] == USE_KEY and '"keyed"' in record["summary"] and record["object"]["name"] == f"Key of {login}"


def test_calls_of_the_management_api_with_a_key_are_uses_each(make_server):
    server = make_server()
    admin = Management.set_up(server)
    server.apply(resources(True))
    key, token = admin.key(admin.key_owner("agent")["user"], "Key", scopes=["management"])
    for _ in range(3):
        Management(server, token).get("/me").expect(200)
    records = admin.data("/audit?event=privilege.used")
    assert [(record["actor"]["keyId"], record["reason"]) for record in records] == [(key, USE_KEY)] * 3
    # Nor is anything told again when the last uses of keys are written.
    assert server.stop() == 0
    server.start()
    assert len(sign_in(server).data("/audit?event=privilege.used")) == 3
