"""POST /api-authentications/{id}/test: a sample request in, the verdict of one configuration out, nothing counted (authentication §10)."""

import base64
import os
from pathlib import Path

import pytest

from support.challenges import challenge as read_challenge
from support.credentials import basic, traces
from support.digest import DigestClient
from support.management import PASSWORD as USER_PASSWORD, Management
from support.resources import PROBE, Resources
from support.server import wait_until
from support.wire import fresh_address

PASSWORD, TOKEN, BADGE = "trial-password-of-mia", "trial-token-of-the-shop", "trial-badge-4711"
WRONG = "trial-wrong-value"
TARGET = "/api/v1/func-api/digest/s?name=Mia"

DOOR = '''
@DFF.API('Badge')
def badge():
    seen = _DFF_HTTP_REQUEST['headers'].get('x-badge')
    print('badge is', seen)
    if seen == 'raise-an-error':
        raise ValueError('no ' + seen)
    if seen != 'trial-badge-4711':
        return {'hint': 'unknown badge ' + str(seen)}
    DFF.SET_CALLER('door')
    return True

@DFF.API('Tells what it can take out of a request')
def teller():
    import base64, urllib.parse
    request = _DFF_HTTP_REQUEST
    parts = [base64.b64decode(request['headers'].get('authorization', 'Basic ')[6:]).decode().partition(':')[2]]
    parts += [part.partition('=')[2] for part in request['headers'].get('cookie', '').split('; ')]
    body = request['body']
    parts += body['deep'] if isinstance(body, dict) and 'deep' in body else [body['a']] if isinstance(body, dict) and 'a' in body else []
    parts += [urllib.parse.unquote(str(request['query'].get('token', '')))]
    raise ValueError(' '.join(part for part in parts if part))
'''


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE + DOOR)
    made.basic("basic", [{"username": "mia", "password": PASSWORD}, {"username": "gone", "password": PASSWORD, "disabled": True}])
    made.digest("digest", {"mia": PASSWORD})
    made.fixed_field("fixed", {"label": "north", "location": "header", "name": "X-Shop-Token", "value": TOKEN},
                     {"label": "south", "location": "query", "name": "shop_token", "value": TOKEN + "-q"},
                     {"label": "east", "location": "body", "name": "auth.token", "value": TOKEN + "-b"}, requireTls=True)
    made.func_auth("badge", "probe__main.badge", credentialFields=[{"location": "header", "name": "X-Badge"}], cacheTtl=300, negativeCacheTtl=60)
    made.func_auth("teller", "probe__main.teller", credentialFields=[{"location": "header", "name": "X-Badge"}])
    made.document("ApiAuthentication", "programs", {"title": "Programs", "type": "apiKey", "allowedUsers": []})
    for name in ("basic", "digest", "badge", "programs"):
        made.api(name, "probe__main.hello", name)
    return made


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


def tried(admin: Management, configuration: str, **sample) -> dict:
    return admin.post(f"/api-authentications/{configuration}/test", sample).expect(200).json["data"]


def accepted(admin: Management, configuration: str, **sample) -> dict:
    verdict = tried(admin, configuration, **sample)
    assert verdict["accepted"] is True, verdict
    assert [step["verdict"] for step in verdict["steps"]] == ["accepted"] and "error" not in verdict
    assert verdict["principal"]["authId"] == configuration and verdict["type"] == verdict["principal"]["type"]
    return verdict["principal"]


def refused(admin: Management, configuration: str, error: str, reason: str, **sample) -> dict:
    verdict = tried(admin, configuration, **sample)
    assert verdict["accepted"] is False and "principal" not in verdict, verdict
    assert (verdict["error"].split()[0], verdict["reason"]) == (error, reason), verdict
    assert verdict["status"] == int(error.split(".")[0])
    assert [(step["configuration"], step["reason"]) for step in verdict["steps"]] == [(configuration, reason)]
    return verdict


# --- each type

def test_basic(admin):
    principal = accepted(admin, "basic", headers=basic("mia", PASSWORD))
    assert (principal["name"], principal["runAs"]) == ("mia", "system")
    refused(admin, "basic", "401.99", "basic.password", headers=basic("mia", WRONG))
    refused(admin, "basic", "401.99", "basic.user_unknown", headers=basic("nobody", PASSWORD))
    refused(admin, "basic", "401.99", "basic.user_disabled", headers=basic("gone", PASSWORD))
    refused(admin, "basic", "401.99", "basic.malformed", headers={"authorization": "Basic a:b"})
    verdict = refused(admin, "basic", "401.99", "basic.absent")
    assert verdict["message"] == "HTTP Basic Auth failed" and verdict["challenges"] == ['Basic realm="basic", charset="UTF-8"']
    verdict = tried(admin, "basic", headers={"Authorization": [basic("mia", PASSWORD)["Authorization"]] * 2})
    assert (verdict["error"], verdict["reason"], verdict["steps"]) == ("400.43 EClientBadRequest", "auth.duplicate_authorization", [])


def test_digest_and_its_nonce_stays_usable(server, admin):
    """A nonce that a test was given and has tried is as good as before: its count was not taken."""
    lines = refused(admin, "digest", "401.99", "digest.absent", url=TARGET)["challenges"]
    values = next(found for line in lines if (found := read_challenge(line)[1])["algorithm"] == "SHA-256")
    mia = DigestClient(server.client, TARGET, "mia", PASSWORD)
    sent = mia.sign(values)
    for _ in range(3):
        assert accepted(admin, "digest", url=TARGET, headers={"Authorization": sent.header})["name"] == "mia"
    mia.send(sent).expect(200)
    verdict = refused(admin, "digest", "401.99", "digest.nc_replayed", url=TARGET, headers={"Authorization": sent.header})
    assert "used" in verdict["steps"][0]["fact"] and all("stale=true" in line for line in verdict["challenges"])
    refused(admin, "digest", "400.43", "digest.uri_mismatch", url="/elsewhere", headers={"Authorization": sent.header})
    refused(admin, "digest", "401.99", "digest.response", url=TARGET, headers={"Authorization": mia.sign(values, password=WRONG).header})
    body = '{"kwargs":{}}'
    whole = mia.sign(values, method="POST", qop="auth-int", body=body.encode(), nc=2).header
    accepted(admin, "digest", url=TARGET, method="POST", body=body, headers={"Authorization": whole, "Content-Type": "application/json"})
    refused(admin, "digest", "401.99", "digest.response", url=TARGET, method="POST", body=body + " ", headers={"Authorization": whole})


def test_fixed_field_in_each_place(admin):
    assert accepted(admin, "fixed", headers={"X-SHOP-TOKEN": f" {TOKEN} "})["name"] == "north"
    assert accepted(admin, "fixed", query={"shop_token": TOKEN + "-q"})["name"] == "south"
    assert accepted(admin, "fixed", url=f"https://shop.example/api/v1/al/x/s?a=1&shop_token={TOKEN}-q")["name"] == "south"
    assert accepted(admin, "fixed", body={"auth": {"token": TOKEN + "-b"}, "kwargs": {}})["name"] == "east"
    assert accepted(admin, "fixed", form={"auth.token": TOKEN + "-b", "other": ["1", "2"]})["name"] == "east"
    refused(admin, "fixed", "401.99", "fixed_field.absent")
    refused(admin, "fixed", "401.99", "fixed_field.mismatch", headers={"X-Shop-Token": WRONG})
    refused(admin, "fixed", "401.99", "fixed_field.repeated", query={"shop_token": [TOKEN + "-q", WRONG]})
    refused(admin, "fixed", "401.99", "fixed_field.mismatch", body={"auth": {"token": 12345678}})
    verdict = refused(admin, "fixed", "403.44", "auth.plain_http", url="http://shop.example/x", headers={"X-Shop-Token": TOKEN})
    assert verdict["message"] == "HTTPS is required"


def test_a_body_that_is_too_large_to_look_into(admin):
    big = {"auth": {"token": TOKEN + "-b"}, "filler": "x" * (1 << 20)}
    refused(admin, "fixed", "413.43", "auth.body_too_large", body=big)


def test_function(admin):
    principal = accepted(admin, "badge", headers={"X-Badge": BADGE})
    assert (principal["name"], principal["type"]) == ("door", "func")
    verdict = refused(admin, "badge", "401.99", "func.value", headers={"X-Badge": WRONG})
    assert verdict["detail"] == {"hint": "unknown badge *****"}, "what was sent is not told"
    verdict = refused(admin, "badge", "401.99", "func.raised", headers={"X-Badge": "raise-an-error"})
    assert verdict["detail"]["originExceptionType"] == "ValueError" and "raise-an-error" not in str(verdict)
    refused(admin, "badge", "401.99", "func.absent")


@pytest.mark.parametrize("sample", [
    {"headers": {"X-Badge": "any", "Authorization": "Basic " + base64.b64encode(b"mia:repeat-this-1").decode()}},
    {"headers": {"X-Badge": "any", "Cookie": "theme=dark; place=repeat-this-2"}},
    {"headers": {"X-Badge": "any", "Content-Type": "application/json"}, "method": "POST", "body": '{"deep": ["repeat-this-3"]}'},
    {"headers": {"X-Badge": "any", "Content-Type": "application/x-www-form-urlencoded"}, "method": "POST", "body": "a=repeat%2Dthis%2D4"},
    {"headers": {"X-Badge": "any"}, "url": "/x?token=repeat%2Dthis-5"}], ids=["Basic", "cookie", "JSON", "form", "url"])
def test_no_part_of_a_sample_is_repeated(admin, sample):
    """What a function takes out of a sample and shows in its refusal is masked as the whole is."""
    verdict = refused(admin, "teller", "401.99", "func.raised", **sample)
    assert "*****" in str(verdict["detail"]) and "repeat" not in str(verdict), verdict


def test_keys(server, admin):
    owner = admin.key_owner("agent")
    key, token = admin.key(owner["user"], "Everything")
    for configuration in ("programs", "api-key"):
        principal = accepted(admin, configuration, headers={"Authorization": f"Bearer {token}"})
        assert (principal["name"], principal["runAs"], principal["keyId"]) == ("agent", "agent", key)
    here = admin.key(owner["user"], "One API from one place", apis=["basic"], addresses=["192.0.2.0/24"])[1]
    sample = {"url": "/api/v1/func-api/basic/s", "address": "192.0.2.7", "headers": {"Authorization": here}}
    accepted(admin, "api-key", **sample)
    refused(admin, "api-key", "403.16", "key.restricted", **{**sample, "address": "198.51.100.7"})
    refused(admin, "api-key", "403.16", "key.restricted", **{**sample, "url": "/api/v1/al/digest/s"})
    refused(admin, "api-key", "401.99", "key.absent")
    refused(admin, "api-key", "401.99", "key.malformed", headers={"Authorization": "Bearer x"})
    admin.post(f"/api-keys/{key}/revoke").expect(200)
    refused(admin, "programs", "401.99", "key.revoked", headers={"Authorization": token})
    assert {row["lastUsedAt"] for row in admin.data(f"/users/{owner['user']}/api-keys")} == {None}
    server.client.get("/api/v1/func-api/programs", {"Authorization": here}).refused("403.16")


# --- nothing is counted

def counted(server) -> list[str]:
    """What metrics say of authentication and of calls; the gauges of hashes tell the work that is done."""
    lines = server.client.get("/metrics").expect(200).text.splitlines()
    return [line for line in lines if line.startswith(("funcgate_auth", "funcgate_calls", "funcgate_call_", "funcgate_cache_entries"))]


def test_nothing_is_counted(server, admin):
    stranger = server.client.pinned(fresh_address())
    before = counted(server)
    for _ in range(12):
        refused(admin, "basic", "401.99", "basic.password", address=stranger.address, headers=basic("mia", WRONG))
    refused(admin, "badge", "401.99", "func.value", address=stranger.address, headers={"X-Badge": WRONG})
    accepted(admin, "basic", address=stranger.address, headers=basic("mia", PASSWORD))
    accepted(admin, "badge", address=stranger.address, headers={"X-Badge": BADGE})
    assert counted(server) == before
    stranger.get("/api/v1/func-api/basic/s", basic("mia", PASSWORD)).expect(200)
    # Records are written behind the calls: when that of the call is there, one of the tests before it would be, too.
    found = wait_until(lambda: [record for record in admin.data("/call-records") if record["address"] == stranger.address], "a record of the call")
    assert [record["status"] for record in found] == [200]
    assert admin.data(f"/audit?address={stranger.address}") == []


def test_a_blocked_address_stays_blocked_and_its_sample_is_judged(server, admin):
    stranger = server.client.pinned(fresh_address())
    for _ in range(5):
        stranger.get("/api/v1/func-api/basic/s", basic("mia", WRONG)).refused("401.99")
    stranger.get("/api/v1/func-api/basic/s", basic("mia", PASSWORD)).refused("429.47")
    accepted(admin, "basic", address=stranger.address, headers=basic("mia", PASSWORD))
    stranger.get("/api/v1/func-api/basic/s", basic("mia", PASSWORD)).refused("429.47")


def test_the_function_of_a_call_is_asked_although_a_test_was(server, admin):
    """Neither a verdict that a test found nor one that it was given by a call is remembered for the other."""
    accepted(admin, "badge", url="/api/v1/func-api/badge", headers={"X-Badge": BADGE})
    entries = next(line for line in counted(server) if 'cache="verdicts"' in line)
    server.client.get("/api/v1/func-api/badge", {"X-Badge": BADGE}).expect(200)
    assert next(line for line in counted(server) if 'cache="verdicts"' in line) != entries


# --- who may, and what is refused

@pytest.mark.parametrize("group, allowed", [("Administrators", True), ("Designers", False), ("Operators", False), ("Auditors", False), ("Users", False)])
def test_who_may(server, admin, group, allowed):
    login = f"tester-{group.lower()}"
    user = admin.create("/users", login=login, password=USER_PASSWORD)
    admin.link(f"/users/{user}/user-groups/{admin.named('/user-groups', group)}")
    person = Management(server).sign_in(login, USER_PASSWORD)
    answer = person.post("/api-authentications/basic/test", {"headers": basic("mia", PASSWORD)})
    if allowed:
        assert answer.expect(200).json["data"]["accepted"] is True
    else:
        assert "Manage API Authentication" in answer.refused("403.15").json["message"]
        denied = admin.data("/audit?event=privilege.used&outcome=DENIED")[0]
        assert denied["actor"]["login"] == login and WRONG not in str(denied)
    Management(server).post("/api-authentications/basic/test", {}).refused("401.14")


def test_an_unknown_configuration(admin):
    admin.post("/api-authentications/none-of-these/test", {}).refused("404.41")


@pytest.mark.parametrize("sample, path", [
    ({"password": WRONG}, "password"), ({"method": "TRACE"}, "method"), ({"method": 7}, "method"), ({"url": "elsewhere"}, "url"), ({"url": "/a b"}, "url"),
    ({"url": "/a#b"}, "url"), ({"url": "https://"}, "url"), ({"url": f"https://mia:{WRONG}@host/"}, "url"), ({"url": "/" + "x" * 9000}, "url"),
    ({"url": "ftp://host/"}, "url"), ({"headers": []}, "headers"), ({"headers": {"X A": WRONG}}, "headers.X A"), ({"headers": {"X-A": 1}}, "headers.X-A"),
    ({"headers": {"X-A": "a\r\nX-B: b"}}, "headers.X-A"), ({"headers": {"Host": "x"}}, "headers.Host"), ({"headers": {"Content-Length": "5"}}, "headers.Content-Length"),
    ({"headers": {"X-A": "x" * 9000}}, "headers.X-A"), ({"headers": {"X-A": ["x"] * 101}}, "headers"), ({"query": {"": "x"}}, "query."), ({"query": {"a": None}}, "query.a"),
    ({"url": ""}, "url"), ({"query": {"a": ["x" * 5000, "y" * 5000]}}, "url"),
    ({"headers": {"X-A": ["x" * 8000] * 5}}, "headers"), ({"form": {"a": {}}}, "form.a"), ({"form": {"a": "b"}, "body": "c"}, "body"), ({"body": 7}, "body"), ({"address": "somewhere"}, "address"),
    ({"address": ""}, "address"), ({"address": 7}, "address"),
])
def test_a_sample_that_cannot_be_sent_is_refused(admin, sample, path):
    answer = admin.post("/api-authentications/basic/test", sample).refused("400.43")
    assert path in [error["path"] for error in answer.json["detail"]["errors"]], answer.json
    assert WRONG not in answer.body.decode() or path == "password", "values are not repeated"


def test_what_is_no_sample_at_all_is_refused(admin):
    for sample in ([], "text", 7):
        admin.post("/api-authentications/basic/test", sample).refused("400.43")
    admin.client.call("POST", "/admin/api/v1/api-authentications/basic/test", admin.headers("POST", True), json={"body": "x" * (3 << 20)}).refused("413.43")


# --- nothing stays

def test_no_credential_of_a_sample_stays_anywhere(make_server):
    secrets = {name: f"canary-of-a-sample-{name}" for name in ("password", "header", "query", "url", "form", "json", "text", "bearer", "badge", "wrongname")}
    server = make_server(resources())
    admin = Management.set_up(server)
    samples = [
        ("basic", {"headers": basic("mia", secrets["password"])}), ("basic", {"headers": basic(secrets["wrongname"], "x" * 12)}),
        ("fixed", {"headers": {"X-Shop-Token": secrets["header"]}, "query": {"shop_token": secrets["query"]}}), ("fixed", {"url": "/?shop_token=" + secrets["url"]}),
        ("fixed", {"form": {"auth.token": secrets["form"]}}), ("fixed", {"body": {"auth": {"token": secrets["json"]}}}), ("fixed", {"body": secrets["text"]}),
        ("api-key", {"headers": {"Authorization": "Bearer " + secrets["bearer"]}}), ("badge", {"headers": {"X-Badge": secrets["badge"]}}),
    ]
    answers = [admin.post(f"/api-authentications/{name}/test", sample, Idempotency_Key=f"sample-{number}").expect(200) for number, (name, sample) in enumerate(samples)]
    answers += [admin.get("/audit?limit=200"), admin.get("/call-records"), server.client.get("/metrics")]
    assert server.stop() == 0
    places = {"answers": b"".join(answer.body for answer in answers), "log": server.log().encode()}
    for folder, _, names in os.walk(server.data):
        for name in names:
            file = Path(folder) / name
            if file.is_file():
                places[str(file)] = file.read_bytes()
    assert any("funcgate.db" in place for place in places)
    found = [(name, place) for name, secret in secrets.items() for trace in traces(secret) for place, content in places.items() if trace in content]
    assert found == []


def test_a_test_is_not_a_request_to_be_repeated(admin):
    """An Idempotency-Key keeps nothing of it: each test is made."""
    for headers, verdict in ((basic("mia", WRONG), False), (basic("mia", PASSWORD), True)):
        answer = admin.post("/api-authentications/basic/test", {"headers": headers}, Idempotency_Key="the same")
        assert answer.expect(200).json["data"]["accepted"] is verdict and answer.all("Idempotency-Replayed") == []
