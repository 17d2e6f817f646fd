"""API keys that somebody made up: other algorithms, claims, secrets and places (I4)."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

import pytest

from support.keys import ALIAS as SIGNING, SECRET, packed, set_secret, signed, signed_again, unpacked
from support.keytool import Keytool
from support.management import PASSWORD, Management, body_without_times
from support.resources import PROBE, Resources
from support.server import Server, command
from support.wire import Answer

CALL = "/api/v1/func-api/keyed"


def resources() -> Resources:
    made = Resources().scripts("demo", probe=PROBE).api("keyed", "demo__probe.see", "api-key", methods=["GET", "POST"])
    return made.api("open", "demo__probe.see", methods=["GET"])


@pytest.fixture(scope="module")
def admin(server) -> Management:
    set_secret(server)
    return Management.set_up(server)


@pytest.fixture(scope="module")
def token(admin) -> str:
    return admin.key(admin.key_owner("apiagent")["user"], "Genuine")[1]


@pytest.fixture(scope="module")
def parts(token) -> tuple[dict, dict]:
    """Head and claims of a genuine key."""
    head, claims, _ = token.split(".")
    return json.loads(unpacked(head)), json.loads(unpacked(claims))


def call(server, authorization: str, **more) -> Answer:
    return server.client.get(CALL, [("Authorization", authorization)], **more)


@pytest.fixture(scope="module")
def refusal(server, admin) -> dict:
    """The body of every refusal: as that of a text that was never a key."""
    return body_without_times(call(server, "nonsense").refused("401.99"))


def expect_refused(server, refusal: dict, authorization: str) -> None:
    answer = call(server, authorization).refused("401.99")
    assert answer.all("WWW-Authenticate") == ['Bearer realm="funcgate"']
    assert body_without_times(answer) == refusal
    assert "detail" not in answer.json or not answer.json["detail"]


# --- the tools of this module

def test_what_this_module_signs_is_accepted_where_it_says_the_truth(server, token, parts):
    """The forgeries below fail for what they change, not because nothing would pass: kid and signature are right."""
    head, claims = parts
    assert head == {"alg": "HS256", "typ": "JWT", "kid": hmac.new(SECRET, b"funcgate kid v1", "sha256").hexdigest()[:16]}
    assert set(claims) == {"iss", "sub", "jti", "iat", "aud"}
    call(server, token).expect(200)
    call(server, signed_again(token)).expect(200)


# --- heads

HEADS = {
    "none": {"alg": "none"}, "None": {"alg": "None"}, "nOnE": {"alg": "nOnE"}, "NONE": {"alg": "NONE"}, "empty": {"alg": ""},
    "HS512": {"alg": "HS512"}, "HS384": {"alg": "HS384"}, "RS256": {"alg": "RS256"}, "ES256": {"alg": "ES256"}, "EdDSA": {"alg": "EdDSA"},
    "hs256": {"alg": "hs256"}, "Hs256": {"alg": "Hs256"}, "HS256 and blank": {"alg": "HS256 "}, "a list": {"alg": ["HS256"]}, "null": {"alg": None},
    "absent": {"alg": ...}, "crit": {"crit": ["exp"]}, "empty crit": {"crit": []}, "b64": {"crit": ["b64"], "b64": False},
    "jwk": {"jwk": {"kty": "oct", "k": packed(SECRET)}}, "jku": {"jku": "https://elsewhere.example/keys"}, "x5u": {"x5u": "https://elsewhere.example/c"},
    "x5c": {"x5c": ["AAAA"]}, "kid unknown": {"kid": "0011223344556677"}, "kid absent": {"kid": ...}, "kid empty": {"kid": ""}, "kid wildcard": {"kid": "*"},
    "kid path": {"kid": "../../../../dev/null"}, "kid SQL": {"kid": "' OR '1'='1"}, "kid number": {"kid": 5}, "kid null": {"kid": None}, "kid list": {"kid": ["x"]},
    "kid alias": {"kid": SIGNING}, "kid long": {"kid": "a" * 2000},
}


@pytest.mark.parametrize("name", HEADS)
def test_no_other_head_is_accepted(server, refusal, parts, name):
    """authentication 62: whatever else the head says, with a signature that is right for it where there is one: 401, the same body."""
    head, claims = parts
    changed = {key: value for key, value in {**head, **HEADS[name]}.items() if value is not ...}
    digest = {"HS512": "sha512", "HS384": "sha384"}.get(str(changed.get("alg")), "sha256")
    forged = signed(json.dumps(changed).encode(), json.dumps(claims).encode(), digest=digest)
    expect_refused(server, refusal, forged)
    expect_refused(server, refusal, forged[:forged.rindex(".") + 1])


def test_a_public_key_is_no_secret(server, refusal, parts):
    """authentication 62: RS256 signed with HMAC under something public, and unsigned texts of two and four parts."""
    head, claims = parts
    for key in (head["kid"].encode(), claims["iss"].encode(), b"", b"secret"):
        for algorithm in ("HS256", "RS256"):
            expect_refused(server, refusal, signed(json.dumps({**head, "alg": algorithm}).encode(), json.dumps(claims).encode(), key))


def test_every_changed_byte_is_refused(server, refusal, token):
    """authentication 62: any one character of a key exchanged."""
    for at in range(0, len(token), 3):
        other = "A" if token[at] != "A" else "B"
        expect_refused(server, refusal, token[:at] + other + token[at + 1:])


@pytest.mark.parametrize("bend", [
    lambda t: t[:-1], lambda t: t + "A", lambda t: t + "=", lambda t: t + ".", lambda t: "." + t, lambda t: t.replace(".", "..", 1), lambda t: t.rsplit(".", 1)[0],
    lambda t: t.replace(".", "=."), lambda t: t + ".AAAA", lambda t: t.replace("-", "+").replace("_", "/") + "+", lambda t: t.split(".")[0] + "." + t.split(".")[0] + "." + t.split(".")[2],
    lambda t: "{" + t, lambda t: t.swapcase(), lambda t: t.replace(".", "%2e"), lambda t: t[::-1], lambda t: "..", lambda t: "a.b.c",
], ids=lambda bend: None)
def test_a_bent_key_is_refused(server, refusal, token, bend):
    """authentication 62: strict base64url in exactly three parts; the last character has one spelling only."""
    expect_refused(server, refusal, bend(token))


def test_spare_bits_of_the_signature_are_zero(server, refusal, token):
    """authentication 62: 32 bytes are 43 characters with two spare bits: another spelling of the same bytes is refused."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(token[-1])
    for spare in range(1, 4):
        other = token[:-1] + alphabet[last ^ spare]
        assert unpacked(other.rsplit(".", 1)[1]) == unpacked(token.rsplit(".", 1)[1])
        expect_refused(server, refusal, other)


# --- claims

NOW = int(time.time())
CLAIMS = {
    "iss foreign": {"iss": "urn:funcgate:0000000000000000"}, "iss absent": {"iss": ...}, "iss list": {"iss": ["x"]}, "iss empty": {"iss": ""},
    "aud other": {"aud": ["elsewhere"]}, "aud management": {"aud": ["funcgate-management"]}, "aud empty": {"aud": []}, "aud absent": {"aud": ...}, "aud object": {"aud": {}},
    "sub other": {"sub": "usr-system0000000000"}, "sub absent": {"sub": ...}, "sub number": {"sub": 1}, "jti unknown": {"jti": "key-aaaaaaaaaaaaaaaa"}, "jti absent": {"jti": ...},
    "jti object": {"jti": {}}, "iat in an hour": {"iat": NOW + 3600}, "iat text": {"iat": str(NOW)}, "iat float": {"iat": NOW + 0.5}, "iat exponent": {"iat": 1.5e9}, "iat negative": {"iat": -1},
    "iat absent": {"iat": ...}, "iat huge": {"iat": 2**63}, "iat true": {"iat": True}, "exp past": {"exp": NOW - 1}, "exp text": {"exp": "2099-01-01T00:00:00Z"}, "exp float": {"exp": NOW + 1e9 + 0.5},
    "exp negative": {"exp": -NOW}, "exp zero": {"exp": 0}, "exp null": {"exp": None}, "exp huge": {"exp": 2**70}, "exp list": {"exp": [NOW + 9999]}, "nbf in an hour": {"nbf": NOW + 3600, "exp": NOW - 5},
}


@pytest.mark.parametrize("name", CLAIMS)
def test_hostile_claims_are_refused_although_the_signature_is_right(server, refusal, parts, name):
    """authentication 63: floats, negatives, texts as times, other audiences and issuers: 401, the same body."""
    head, claims = parts
    changed = {key: value for key, value in {**claims, **CLAIMS[name]}.items() if value is not ...}
    expect_refused(server, refusal, signed(json.dumps(head).encode(), json.dumps(changed).encode()))


def test_repeated_members_are_refused(server, refusal, parts):
    """authentication 63: no member of head or claims may stand twice, not even with the same value."""
    head, claims = (json.dumps(part) for part in parts)
    for name, value in {**parts[1], "exp": NOW + 9999}.items():
        text = claims[:-1] + (f', "exp": {NOW + 9999}' if name == "exp" else "") + f", {json.dumps(name)}: {json.dumps(value)}" + "}"
        expect_refused(server, refusal, signed(head.encode(), text.encode()))
    for name, value in parts[0].items():
        expect_refused(server, refusal, signed((head[:-1] + f", {json.dumps(name)}: {json.dumps(value)}" + "}").encode(), claims.encode()))
    expect_refused(server, refusal, signed(head.encode(), claims.replace('"sub"', '"s\\u0075b": "x", "sub"').encode()))


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"{", b"\xff\xfe", b'"text"', b"{}", b"[" * 500, b'{"a":' * 200 + b"1" + b"}" * 200, b"{} {}", b"\xef\xbb\xbf{}", b"1e999"])
def test_claims_that_are_no_claims(server, refusal, parts, text):
    """authentication 63: whatever else a right signature may cover."""
    expect_refused(server, refusal, signed(json.dumps(parts[0]).encode(), text))
    expect_refused(server, refusal, signed(text, json.dumps(parts[1]).encode()))


@pytest.mark.parametrize(("size", "status"), [(4096, 401), (6000, 401), (65536, 431), (1 << 20, 431)])
def test_long_tokens(server, refusal, parts, size, status):
    """authentication 63: over 4096 bytes a key is 401, over the limit of the head 431; the server goes on and no call takes long."""
    head, claims = parts
    long = signed(json.dumps(head).encode(), json.dumps({**claims, "pad": "x" * (size * 3 // 4 - 150)}).encode())
    assert len(long) > size
    begin = time.monotonic()
    with server.client.connect() as connection:
        try:
            connection.send(b"GET " + CALL.encode() + f" HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: ".encode() + long.encode() + b"\r\n\r\n")
        except OSError:
            pass  # refused before all was sent
        answer = connection.read()
    answer.expect(status)
    if status == 401:
        assert body_without_times(answer) == refusal
    assert time.monotonic() - begin < 20  # the deadline of a hang, not a measurement
    assert server.client.get("/healthz").status == 200


# --- places

def test_bare_and_bearer_are_alike(server, token):
    """authentication 64: with and without the scheme, in any case; the same caller."""
    seen = [call(server, value).expect(200).json["caller"] for value in (token, f"Bearer {token}", f"bearer {token}", f"BEARER {token}")]
    assert all(caller == seen[0] for caller in seen) and seen[0]["name"] == "apiagent"
    for value in (f"Token {token}", f"Basic {token}", f"Bearer{token}", f"Bearer {token} x", f"Bearer, {token}", f"{token} {token}", f"{token},{token}", "Bearer", "Bearer "):
        assert call(server, value).status == 401, value


def test_a_key_stands_in_the_header_only(server, token):
    """authentication 64: in query, body, cookie or another header a key opens nothing."""
    client = server.client
    for name in ("authorization", "Authorization", "api_key", "apiKey", "key", "token", "access_token", "bearer"):
        client.get(f"{CALL}?{name}={token}").refused("401.99")
        client.post(CALL, json={name: token}).refused("401.99")
        client.post(CALL, json={"kwargs": {name: token}}).refused("401.99")
        client.post(CALL, form={name: token}).refused("401.99")
        client.get(CALL, [("Cookie", f"{name}={token}")]).refused("401.99")
    for header in ("X-Api-Key", "X-Authorization", "Proxy-Authorization", "Api-Key", "X-Auth-Token", "Authorization-2", "X-Forwarded-Authorization"):
        client.get(CALL, [(header, token)]).refused("401.99")
    assert client.get(f"/api/v1/func-api/keyed/{token}").status in (401, 404)
    client.get(CALL, [("Authorization", token), ("Authorization", token)]).refused("400.43")


def test_a_key_of_published_apis_is_none_of_the_management_and_reverse(server, admin, token):
    """authentication 64: what a key is for stands in it."""
    Management(server, token).get("/me").refused("401.99")
    _, other = admin.key(admin.key_owner("operator")["user"], "Management", scopes=["management"])
    call(server, other).refused("401.99")
    Management(server, other).get("/me").expect(200)


# --- other instances, other secrets

def test_keys_of_another_instance(server, make_server, parts, refusal):
    """authentication 68: the same secret, the same login and the same names on another instance: its keys are refused here, ours there."""
    other = make_server(resources())
    set_secret(other)
    theirs = Management.set_up(other)
    foreign = theirs.key(theirs.key_owner("apiagent")["user"], "Genuine")[1]
    call(other, foreign).expect(200)
    expect_refused(server, refusal, foreign)
    # Even with the issuer of this instance: the key is not in its catalogue.
    head, claims = (json.loads(unpacked(part)) for part in foreign.split(".")[:2])
    expect_refused(server, refusal, signed(json.dumps(head).encode(), json.dumps({**claims, "iss": parts[1]["iss"]}).encode()))
    # And with the owner of this instance and the key of the other one.
    expect_refused(server, refusal, signed(json.dumps(head).encode(), json.dumps({**claims, "iss": parts[1]["iss"], "sub": parts[1]["sub"]}).encode()))


def test_a_later_user_of_the_name_does_not_inherit_keys(server, admin, refusal):
    """authentication 68: a user who is made anew under an old login has another id: the old one's keys stay dead."""
    first = admin.key_owner("comeback")
    token = admin.key(first["user"], "Old")[1]
    call(server, token).expect(200)
    admin.delete(f"/users/{first['user']}", "*").expect(204)
    second = admin.create("/users", login="comeback", password=PASSWORD)
    assert second != first["user"]
    admin.link(f"/user-groups/{first['group']}/users/{second}")
    expect_refused(server, refusal, token)
    claims = json.loads(unpacked(token.split(".")[1]))
    expect_refused(server, refusal, signed(unpacked(token.split(".")[0]), json.dumps({**claims, "sub": second}).encode()))


def test_a_missing_secret_accepts_nobody_and_says_what_to_do(make_server):
    """authentication 67: 503.99 for whoever brings a key, 503.61 with alias and remedy for whoever makes one; never a key, never an acceptance."""
    server = make_server(resources())
    admin = Management.set_up(server)
    owner = admin.key_owner("apiagent")["user"]
    token = admin.key(owner, "Before")[1]
    call(server, token).expect(200)
    assert command("keystore", "delete", SIGNING, "--data", server.data).returncode == 0
    for value in (token, f"Bearer {token}", token[:-2] + "AA"):
        answer = call(server, value).refused("503.99")
        assert answer.json["message"] == "API keys are not configured on this server"
    refused = admin.post(f"/users/{owner}/api-keys", {"name": "After"}).refused("503.61")
    assert f'"{SIGNING}" is missing from the keystore' in refused.json["message"]
    assert refused.json["message"].endswith(f"funcgate keystore set {SIGNING} --generate")
    assert [key["name"] for key in admin.data(f"/users/{owner}/api-keys")] == ["Before"]
    # Another secret: what was signed with the old one stays refused, new keys work.
    assert command("keystore", "set", SIGNING, "--generate", "--data", server.data).returncode == 0
    call(server, token).refused("401.99")
    call(server, admin.key(owner, "After")[1]).expect(200)


def test_a_short_secret_signs_nothing(tmp_path):
    """authentication 67: 31 bytes are told with alias and remedy; with such a secret no token is made and none accepted."""
    server = Server(tmp_path / "server")
    assert command("keystore", "create", "--data", server.data).returncode == 0
    keytool, short = Keytool(server.data), "31-bytes-of-a-signing-secret-ab"
    keytool.delete(SIGNING)
    keytool.put(SIGNING, short)
    server.start(server.write(resources()))
    try:
        admin = Management.set_up(server)
        owner = admin.key_owner("apiagent")["user"]
        message = admin.post(f"/users/{owner}/api-keys", {"name": "None"}).refused("503.61").json["message"]
        assert f'"{SIGNING}"' in message and "has 31 bytes, at least 32 are needed" in message and f"funcgate keystore set {SIGNING} --generate" in message
        kid = hmac.new(short.encode(), b"funcgate kid v1", hashlib.sha256).hexdigest()[:16]
        forged = signed(json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}).encode(), b'{"sub":"x"}', short.encode())
        call(server, forged).refused("503.99")
        assert admin.data("/api-keys") == []
    finally:
        assert server.stop() == 0


# --- shown once

def test_a_key_is_shown_once(server, admin):
    """authentication 66: its token stands in the answer that made it, which nobody stores, and in no list, export, audit record, log or file."""
    owner = admin.key_owner("shown-once")["user"]
    made = admin.post(f"/users/{owner}/api-keys", {"name": "Once"}, Idempotency_Key="once-1").expect(201)
    assert "no-store" in made.header("Cache-Control")
    token, key = made.json["data"]["token"], made.json["data"]["key"]["id"]
    signature = token.rsplit(".", 1)[1]
    assert made.text.count(signature) == 1 and token not in str(made.fields)
    replay = admin.post(f"/users/{owner}/api-keys", {"name": "Once"}, Idempotency_Key="once-1").refused("409.56")
    call(server, token).expect(200)
    answers = [replay, admin.patch(f"/api-keys/{key}", {"name": "Still once"}).expect(200)]
    answers += [admin.get(path).expect(200) for path in (f"/api-keys/{key}", "/api-keys?limit=200", f"/users/{owner}/api-keys", "/audit?limit=200", "/resources/export",
                                                         f"/access/what-can?key={key}", "/access/who-can?api=keyed", "/call-records", "/keystore")]
    answers.append(admin.post(f"/api-keys/{key}/revoke", {"reason": "seen"}).expect(200))
    answers.append(call(server, token).refused("401.99"))
    answers.append(server.client.get("/metrics").expect(200))
    assert not [answer for answer in answers if signature in answer.text or signature in str(answer.fields)]
    for path in [*server.data.rglob("*"), *server.folder.glob("server-*")]:
        if path.is_file():
            assert signature.encode() not in path.read_bytes(), path
