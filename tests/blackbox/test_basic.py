"""HTTP Basic (authentication §3, statements 27 to 38; RFC 7617)."""

import base64
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.credentials import basic
from support.resources import PROBE, Resources

USERS = {
    "mia": "long pass:word",
    "colon": "p:q-12345",
    "prefix": "prefixed-p",
    "blanks": "  two blanks  ",
    "jörg": "grüße aus Köln",
    "seventy": "x" * 72 + "-one",
    "largest": "y" * 1024,
    "a": "bcdefghijklm",
    "ab": "cdefghijklmx",
}
TARGET = "/api/v1/func-api/see/s"


def resources() -> Resources:
    users = [{"username": name, "password": password} for name, password in USERS.items()]
    users += [{"username": "gone", "password": "disabled user", "disabled": True},
              {"username": "past", "password": "expired user", "notAfter": "2020-01-01T00:00:00Z"}]
    made = Resources().scripts("probe", main=PROBE).basic("staff", users, realm="Staff")
    made.basic("strict", {"jörg": USERS["jörg"]}, latin1Fallback=False)
    made.api("see", "probe__main.see", "staff", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
    made.api("strict", "probe__main.see", "strict")
    return made


def raw(value: str | bytes) -> list:
    return [("Authorization", value)]


@pytest.mark.parametrize("name", USERS)
def test_right_password(client, name):
    """authentication 27, 30, 31: colons, blanks, UTF-8, long passwords work; the second call (cached) as the first."""
    for _ in range(2):
        caller = client.get(TARGET, basic(name, USERS[name])).expect(200).json["caller"]
        assert caller["type"] == "httpBasic" and caller["name"] == name and caller["authId"] == "staff" and caller["runAs"] == "system"


@pytest.mark.parametrize("name, password", [
    ("mia", "long pass"), ("mia", "long pass:word "), ("mia", " long pass:word"), ("mia", "Long pass:word"), ("mia", ""),
    ("MIA", "long pass:word"), ("mia ", "long pass:word"), ("nobody", "long pass:word"),
    ("colon", "p"), ("prefix", "prefixed-p:q"), ("prefix", "prefixed"),            # 27
    ("blanks", "two blanks"), ("blanks", "  two blanks"),                        # 27
    ("seventy", "x" * 72 + "-two"), ("seventy", "x" * 72),                       # 30
    ("gone", "disabled user"), ("past", "expired user"),
    ("a", "bcdefghijklmx"), ("ab", "cdefghijklm"),                               # 33
])
def test_wrong_credentials(client, name, password):
    """authentication 27, 30, 33 and §3: refused, with the challenge."""
    answer = client.get(TARGET, basic(name, password)).refused("401.99")
    assert answer.json["message"] == "HTTP Basic Auth failed" and "detail" not in answer.json
    assert answer.all("WWW-Authenticate") == ['Basic realm="Staff", charset="UTF-8"']


def test_absent(client):
    """authentication §3: without credentials the challenge is sent, which makes browsers ask."""
    answer = client.get(TARGET).refused("401.99")
    assert answer.all("WWW-Authenticate") == ['Basic realm="Staff", charset="UTF-8"']


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "bAsIc"])
def test_scheme_in_any_case(client, scheme):
    """authentication 28."""
    client.get(TARGET, basic("mia", USERS["mia"], scheme)).expect(200)


def test_several_spaces(client):
    """authentication §3: one or more spaces, then one token."""
    token = basic("mia", USERS["mia"])["Authorization"].split(" ")[1]
    client.get(TARGET, raw(f"Basic    {token}")).expect(200)


TOKEN = base64.b64encode(b"mia:long pass:word").decode()


@pytest.mark.parametrize("value", [
    f"XBasic {TOKEN}", "Basic", "Basic ", f"Basic {TOKEN} {TOKEN}", f"Basic {TOKEN},", f"Basic\t{TOKEN}", f"Basic={TOKEN}", TOKEN,
    f"Basic {TOKEN} x", f"Basic realm={TOKEN}",
], ids=lambda value: value[:12])
def test_other_schemes_and_shapes(client, value):
    """authentication 28: XBasic, Basic without a token, two tokens are refused."""
    client.get(TARGET, raw(value)).refused("401.99")


PADDED = base64.b64encode(b"prefix:prefixed-p").decode()
assert PADDED.endswith("=")


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("token", [
    "!!!!", "bWlh", PADDED.rstrip("="), PADDED + "=", PADDED + "A", "=" + PADDED, TOKEN + "=", TOKEN[:-1], "=" * 8,
    base64.urlsafe_b64encode(b"mia:\xff\xfe\xfd\xff").decode(),
    "bWlhOnB=",                                                  # non-zero trailing bits
    encoded(b":no name"), encoded(b""), encoded(b":"), encoded(b"mia"),
    encoded(b"mia:long pass\x00:word"), encoded(b"mia:a\rb-12345"), encoded(b"mia:a\nb-12345"), encoded(b"m\x01ia:long pass:word"),
    encoded(b"n" * 256 + b":password"), encoded(b"mia:" + b"y" * 1025), encoded(b"mia:" + b"y" * 1400), "A" * 3000,
], ids=lambda value: value[:16] + str(len(value)))
def test_malformed_tokens(client, token):
    """authentication 29 and 32: 401, never 5xx; a password over 1024 bytes is refused."""
    client.get(TARGET, raw(f"Basic {token}")).refused("401.99")


def test_password_is_not_cut_at_a_nul(client):
    """authentication 30."""
    client.get(TARGET, raw("Basic " + encoded(b"mia:long pass:word\x00tail"))).refused("401.99")


def test_latin1_reading(client):
    """authentication 31: bytes that are not UTF-8 are read as ISO-8859-1, unless the configuration says no."""
    header = basic("jörg".encode("latin-1"), USERS["jörg"].encode("latin-1"))
    assert client.get(TARGET, header).expect(200).json["caller"]["name"] == "jörg"
    client.get("/api/v1/func-api/strict/s", header).refused("401.99")
    client.get("/api/v1/func-api/strict/s", basic("jörg", USERS["jörg"])).expect(200)


VARIABLE = re.compile(rb'"traceId":"[^"]*"|"(?:req|resp)Time":"[^"]*"|"reqCost":\d+')


def test_unknown_and_known_names_look_alike(client):
    """authentication 37, §8: same status, headers and bytes except ids and times."""
    answers = [client.get(TARGET, basic(*pair)).refused("401.99") for pair in
               (("mia", "wrong word"), ("nobody", "wrong word"), ("gone", "disabled user"), ("past", "expired user"), ("gone", "wrong word"))]
    assert len({VARIABLE.sub(b"", answer.body) for answer in answers}) == 1
    assert len({tuple(name for name, _ in answer.fields) for answer in answers}) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_verdict_is_equal_for_all_methods(client, method):
    """authentication 14."""
    client.call(method, TARGET, basic("mia", USERS["mia"])).expect(200)
    client.call(method, TARGET, basic("mia", "wrong word")).refused("401.99")


def test_head_verdict(client):
    """authentication 14 for HEAD."""
    assert client.call("HEAD", TARGET, basic("mia", USERS["mia"])).status == 200
    assert client.call("HEAD", TARGET, basic("mia", "wrong word")).status == 401


def test_decided_anew_on_each_request(client):
    """authentication §1: credentials are checked on every request, also the second one of a connection."""
    from support.wire import request_bytes
    with client.connect() as connection:
        for headers, status in ((basic("mia", USERS["mia"]), 200), ({}, 401), (basic("mia", "wrong word"), 401), (basic("mia", USERS["mia"]), 200)):
            connection.send(request_bytes("GET", TARGET, headers))
            connection.read().expect(status)


def test_authorization_does_not_reach_the_function(client):
    """authentication §9."""
    answer = client.get(TARGET, {**basic("mia", USERS["mia"]), "Proxy-Authorization": "Basic cHJveHk6c2VjcmV0"}).expect(200)
    headers = answer.json["request"]["headers"]
    assert "authorization" not in headers and "proxy-authorization" not in headers
    assert "cHJveHk6c2VjcmV0" not in answer.text


def test_two_authorization_headers(client):
    """authentication 16: two Authorization headers are 400, whichever of them is right."""
    right, wrong = basic("mia", USERS["mia"])["Authorization"], basic("mia", "wrong word")["Authorization"]
    for pair in ((right, wrong), (wrong, right), (right, right)):
        client.get(TARGET, [("Authorization", value) for value in pair]).refused("400.43")


def test_equal_credentials_in_parallel(client):
    """authentication 36: equal credentials in flight all succeed, also when one of the callers hangs up."""
    header = basic("largest", USERS["largest"])
    from support.wire import request_bytes
    leaver = client.connect()
    leaver.send(request_bytes("GET", TARGET, header))
    leaver.close()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: client.get(TARGET, header), range(40)))
    assert {answer.status for answer in answers} == {200}


def test_wrong_passwords_in_parallel_leave_cached_callers_alone(client):
    """authentication 35, §3: distinct wrong passwords get 401 or 503.99 with Retry-After: 1; a cached caller is served meanwhile."""
    good = basic("mia", USERS["mia"])
    client.get(TARGET, good).expect(200)
    with ThreadPoolExecutor(32) as pool:
        wrong = [pool.submit(client.get, TARGET, basic(f"somebody-{number}", "wrong word")) for number in range(100)]
        served = [client.get(TARGET, good).status for _ in range(30)]
        answers = [future.result() for future in wrong]
    assert set(served) == {200}
    for answer in answers:
        assert answer.error in ("401.99", "503.99")
        if answer.status == 503:
            assert answer.header("Retry-After") == "1" and "detail" not in answer.json


def changed(password: str | None, **member) -> Resources:
    user = {"username": "mia", "password": password, **member}
    return Resources().scripts("probe", main=PROBE).basic("staff", [user]).api("see", "probe__main.see", "staff")


def test_changed_password_binds_the_next_call(make_server):
    """authentication 8 and 38: a changed password, a disabled user is refused on the next call although cached."""
    server = make_server(changed("the first password"))
    call = lambda password: server.client.get(TARGET, basic("mia", password))
    call("the first password").expect(200)
    server.apply(changed("the second password"))
    call("the first password").refused("401.99")
    call("the second password").expect(200)
    server.apply(changed("the second password", disabled=True))
    call("the second password").refused("401.99")


def test_changes_bind_on_the_same_connection(make_server):
    """authentication 6: a kept-alive connection sees the change on its next request."""
    from support.wire import request_bytes
    server = make_server(changed("the first password"))
    with server.client.connect() as connection:
        request = request_bytes("GET", TARGET, basic("mia", "the first password"))
        connection.send(request)
        connection.read().expect(200)
        server.apply(changed("the second password"))
        connection.send(request)
        connection.read().refused("401.99")


@pytest.mark.parametrize("password", ["", "short", "seven77", "with\x00nul-byte", "y" * 1025])
def test_unusable_passwords_cannot_be_stored(server, password):
    """authentication 34, §10: a blank or too short password cannot be stored, and nothing is changed."""
    done = server.try_apply(Resources().basic("other", {"mia": password}))
    assert done.returncode == 7, done.stdout + done.stderr
    if len(password) > 3:
        assert password not in done.stdout + done.stderr


def test_new_user_needs_a_password(server):
    """authentication 34, §10: `a new user needs a password`."""
    done = server.try_apply(Resources().basic("other", [{"username": "mia"}]))
    assert done.returncode == 7 and "a new user needs a password" in done.stdout + done.stderr
