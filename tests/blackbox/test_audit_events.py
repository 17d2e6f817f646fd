"""Events of the audit trail that no other file asks for by name (identity §8)."""

from __future__ import annotations

from support.management import Management, sign_in
from support.resources import PROBE, Resources
from support.server import command


def resources() -> Resources:
    return Resources().scripts("demo", probe=PROBE).api("open", "demo__probe.hello").api("keyed", "demo__probe.hello", "api-key")


def test_an_api_that_is_opened_and_closed_by_hand_says_so(make_server):
    """By calls of the management API as by documents; who did it is the actor."""
    server = make_server(resources())
    admin = Management.set_up(server)
    admin.patch("/func-apis/open", {"anonymous": False, "anonymousReason": "", "apiAuthIds": ["api-key"]}).expect(200)
    admin.patch("/func-apis/open", {"anonymous": True, "anonymousReason": "a fair", "apiAuthIds": []}).expect(200)
    for event, reason in (("api.anonymous_off", ""), ("api.anonymous_on", "a fair")):
        record = admin.data(f"/audit?event={event}&limit=1")[0]
        assert (record["object"]["id"], record["actor"]["login"], record.get("reason", "")) == ("open", "root", reason)
    changed = [record["summary"] for record in admin.data("/audit?event=api.auth_changed") if record["object"]["id"] == "open"]
    assert changed == ["authentication:  instead of api-key", "authentication: api-key instead of "]
    admin.delete("/func-apis/open", if_match="*").expect(204)
    gone = [record for record in admin.data("/audit?event=api.anonymous_off") if record["object"]["id"] == "open"]
    assert len(gone) == 2, "an open API that is gone is open no more"


def test_what_an_apply_prunes_is_told(make_server):
    server = make_server()
    admin = Management.set_up(server)
    both = Resources().document("UserGroup", "Stays", {}).document("UserGroup", "Goes", {}).scripts("demo", probe=PROBE)
    server.apply(both, "--set", "mine")
    assert admin.data("/audit?event=resources.pruned") == []
    server.apply(Resources().document("UserGroup", "Stays", {}).scripts("demo", probe=PROBE), "--set", "mine", "--prune")
    (record,) = admin.data("/audit?event=resources.pruned")
    assert (record["object"]["kind"], record["object"]["id"], record["outcome"]) == ("Set", "mine", "OK")
    assert record["summary"] == "1 objects removed"
    server.apply(Resources().document("UserGroup", "Stays", {}).scripts("demo", probe=PROBE), "--set", "mine", "--prune")
    assert len(admin.data("/audit?event=resources.pruned")) == 1, "nothing was left to prune"


def test_a_keystore_that_fails_its_check_is_told(make_server):
    """With the first thing that is wrong; a check that finds nothing is no event."""
    server = make_server()
    admin = Management.set_up(server)
    assert command("keystore", "check", "--data", server.data).returncode == 0
    assert admin.data("/audit?event=keystore.check_failed") == []
    assert command("keystore", "delete", "phixflow-api-key", "--data", server.data).returncode == 0
    assert command("keystore", "check", "--data", server.data).returncode == 1
    (record,) = admin.data("/audit?event=keystore.check_failed")
    assert record["outcome"] == "FAILED"
    assert 'API key signing secret "phixflow-api-key" is missing' in record["summary"]


def test_the_first_use_of_a_key_is_told_once_an_hour(make_server):
    """With key, owner, address and API of the first of many calls; it is written when the server stops at the latest."""
    server = make_server(resources())
    admin = Management.set_up(server)
    key_id, token = admin.key(admin.key_owner("agent")["user"], "Call API")
    unused, _ = admin.key(admin.key_owner("other")["user"], "Unused")
    client = server.client.pinned()
    for _ in range(5):
        client.get("/api/v1/func-api/keyed", [("Authorization", token)]).expect(200)
    assert server.stop() == 0
    server.start()
    records = sign_in(server).data("/audit?event=key.first_use")
    # Two if the hour ended between the calls.
    assert 1 <= len(records) <= 2
    first = records[-1]
    assert first["object"]["id"] == first["actor"]["keyId"] == key_id
    assert (first["actor"]["kind"], first["actor"]["login"], first["origin"], first["address"]) == ("API_KEY", "agent", "API", client.address)
    assert '"keyed"' in first["summary"]
    assert unused not in str(records)
