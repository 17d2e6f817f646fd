"""HTTP Digest (authentication §4, statements 40 to 53; RFC 7616), with a Digest client of our own."""

import re
import time

import pytest

from support.challenges import challenge as read_challenge
from support.digest import DigestClient, challenges, digest, info, is_stale
from support.resources import PROBE, Resources
from support.wire import request_bytes

TARGET = "/api/v1/func-api/see/s?sku=A7"
PASSWORD = "a password of mia"
CONFIG = "[limits]\npre_auth_body_bytes = 65536\n"


def resources() -> Resources:
    users = [{"username": "mia", "password": PASSWORD}, {"username": "jörg", "password": "grüße aus Köln"},
             {"username": 'quo"te\\d', "password": "quoted password"},
             {"username": "gone", "password": "disabled user", "disabled": True},
             {"username": "past", "password": "expired user", "notAfter": "2020-01-01T00:00:00Z"}]
    made = Resources().scripts("probe", main=PROBE).digest("stock", users, realm="apia-stock")
    made.digest("other", {"mia": PASSWORD}, realm="apia-stock")           # same realm and user, another configuration
    made.digest("realm-b", {"mia": PASSWORD}, realm="realm-b")
    made.digest("strong", {"mia": PASSWORD}, realm="strong", algorithms=["SHA-512-256", "SHA-256"], qop=["auth"], userhash=False)
    made.digest("brief", {"mia": PASSWORD}, realm="brief", nonceTtl=30)
    made.api("see", "probe__main.see", "stock", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
    made.api("see2", "probe__main.see", "stock")
    for name in ("other", "realm-b", "strong", "brief"):
        made.api(name, "probe__main.see", name)
    return made


@pytest.fixture
def mia(client) -> DigestClient:
    return DigestClient(client, TARGET)


# --- 4.1 challenge

def test_challenge(client):
    """§4.1: one line per algorithm, strongest first, same nonce, `realm` first, quoting as written."""
    lines = client.get(TARGET).refused("401.99").all("WWW-Authenticate")
    assert len(lines) == 2
    nonce = r'[A-Za-z0-9_-]{43}'
    opaque = r'[A-Za-z0-9_-]{22}'
    for line, algorithm in zip(lines, ("SHA-256", "MD5")):
        assert re.fullmatch(rf'Digest realm="apia-stock", qop="auth, auth-int", algorithm={algorithm}, nonce="{nonce}", '
                            rf'opaque="{opaque}", charset=UTF-8, userhash=true', line), line
    values = [read_challenge(line)[1] for line in lines]
    assert values[0]["nonce"] == values[1]["nonce"] and values[0]["opaque"] == values[1]["opaque"]


def test_challenge_of_a_stricter_configuration(client):
    """§4.1: algorithms and qop are those of the configuration."""
    lines = [read_challenge(line)[1] for line in client.get("/api/v1/al/strong/s").refused("401.99").all("WWW-Authenticate")]
    assert [values["algorithm"] for values in lines] == ["SHA-512-256", "SHA-256"]
    assert {values["qop"] for values in lines} == {"auth"}
    assert all(values.get("userhash", "false") == "false" for values in lines)


def test_nonces_differ_and_opaque_does_not(client):
    """§4.1, §4.2: a nonce is random, opaque belongs to the configuration."""
    found = [challenges(client.get(TARGET))[0] for _ in range(20)]
    assert len({values["nonce"] for values in found}) == 20
    assert len({values["opaque"] for values in found}) == 1
    assert challenges(client.get("/api/v1/al/other/s"))[0]["opaque"] != found[0]["opaque"]


# --- success

@pytest.mark.parametrize("qop", ["auth", "auth-int"])
@pytest.mark.parametrize("userhash", [False, True])
@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_accepted(mia, algorithm, userhash, qop):
    """§4.3, §4.4, §4.6: every offered way works and the server proves that it knows the password too."""
    sent, answer = mia.call(algorithm, userhash=userhash, qop=qop)
    seen = answer.expect(200).json
    assert seen["caller"]["type"] == "httpDigest" and seen["caller"]["name"] == "mia" and seen["caller"]["authId"] == "stock"
    assert "authorization" not in seen["request"]["headers"]
    values = info(answer)
    assert values["rspauth"] == sent.rspauth(answer.body)
    assert values["qop"] == qop and values["nc"] == sent.nc and values["cnonce"] == sent.cnonce


def test_sha_512_256(client):
    """§4.1: SHA-512-256 may be added."""
    _, answer = DigestClient(client, "/api/v1/al/strong/s").call("SHA-512-256")
    answer.expect(200)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_methods(mia, method):
    """authentication 14: the verdict is equal for all methods."""
    body = b'{"sku":"A7"}' if method in ("POST", "PUT", "PATCH") else None
    mia.call(method=method, body=body, headers=[("Content-Type", "application/json")] if body else ())[1].expect(200)
    mia.call(method=method, body=body, password="wrong password")[1].refused("401.99")


def test_head(mia):
    """authentication 14 for HEAD: rspauth is there too."""
    sent = mia.sign(mia.challenge(), method="HEAD")
    answer = mia.send(sent, method="HEAD").expect(200)
    assert info(answer)["rspauth"] == sent.rspauth()


def test_any_parameter_order_and_quoting(mia):
    """§4.3: quoted or bare values for every parameter, any order, escapes, unknown parameters ignored."""
    values = mia.challenge()
    header = mia.sign(values).header.removeprefix("Digest ")
    reversed_order = "Digest " + ", ".join(reversed(re.findall(r'[a-z*]+=(?:"[^"]*"|[^,]+)', header)))
    mia.send(reversed_order).expect(200)
    everything_quoted = re.sub(r'(algorithm|qop|nc)=([^",]+)', r'\1="\2"', mia.sign(mia.challenge()).header)
    mia.send(everything_quoted).expect(200)
    mia.send(mia.sign(mia.challenge(), replace={"auth-param-x": "y", "domain": '"/"'}).header).expect(200)
    mia.send(mia.sign(mia.challenge()).header.replace('username="mia"', 'username="m\\ia"')).expect(200)
    mia.send(mia.sign(mia.challenge()).header.replace("Digest ", "dIgEsT   ", 1)).expect(200)
    upper = mia.sign(mia.challenge()).header
    mia.send(re.sub(r'response="([0-9a-f]+)"', lambda match: f'response="{match.group(1).upper()}"', upper)).expect(200)


def test_names_beyond_ascii(client):
    """§4.3: UTF-8 in username and username*, ISO-8859-1 as a fallback; HA1 uses the stored name."""
    joerg = DigestClient(client, TARGET, "jörg", "grüße aus Köln")
    def send(**more):
        return joerg.send(joerg.sign(joerg.challenge(), **more)).expect(200)
    send(name_bytes="jörg".encode("utf-8"))
    send(name_bytes="jörg".encode("latin-1"))
    send(replace={"username": None, "username*": "UTF-8''j%C3%B6rg"})
    send(userhash=True)


def test_name_with_quote_and_backslash(client):
    """§4.3: backslash escapes."""
    quoted = DigestClient(client, TARGET, 'quo"te\\d', "quoted password")
    quoted.call()[1].expect(200)


def test_absolute_uri(client):
    """§4.4: uri may be an absolute URI with the same Host."""
    mia = DigestClient(client, TARGET)
    mia.call(target=f"http://127.0.0.1:{client.port}{TARGET}")[1].expect(200)
    mia.call(target=f"http://example.net{TARGET}")[1].refused("400.43")


def test_opaque_missing_is_tolerated(mia):
    """§4.1."""
    mia.call(replace={"opaque": None})[1].expect(200)


def test_auth_int_covers_the_answer(client):
    """§4.6: with auth-int rspauth covers the answer's body."""
    mia = DigestClient(client, "/api/v1/func-api/see/s")
    sent, answer = mia.call(method="POST", qop="auth-int", body=b'{"sku":"A7"}', headers=[("Content-Type", "application/json")])
    answer.expect(200)
    assert info(answer)["rspauth"] == sent.rspauth(answer.body) != sent.rspauth(answer.body + b"x")


# --- 4.5 rejections

def rejected(answer, stale: bool = False):
    answer.refused("401.99")
    assert answer.json["message"] == "HTTP Digest Auth failed" and "detail" not in answer.json
    assert is_stale(answer) is stale
    return answer


@pytest.mark.parametrize("change", [
    {"password": "wrong password"}, {"username": "nobody"}, {"username": "MIA"}, {"username": "gone", "password": "disabled user"},
    {"username": "past", "password": "expired user"}, {"username": ""},
    {"replace": {"response": "0" * 64}}, {"replace": {"response": ""}}, {"replace": {"response": "0" * 32}}, {"replace": {"response": "z" * 64}},
    {"replace": {"cnonce": "another"}}, {"replace": {"nc": "00000002"}}, {"replace": {"qop": "auth-int"}},
    {"userhash": True, "replace": {"username": "0" * 64}}, {"userhash": True, "replace": {"username": "mia"}},
], ids=str)
def test_wrong_response_or_user(mia, change):
    """§4.5, authentication 41: 401 (or 400 for what is malformed), never stale."""
    answer = mia.call(**change)[1]
    if answer.status != 400:
        rejected(answer)
    else:
        assert change in ({"username": ""}, {"replace": {"response": ""}}, {"replace": {"response": "0" * 32}}, {"replace": {"response": "z" * 64}},
                          {"userhash": True, "replace": {"username": "mia"}})
        answer.refused("400.43")


@pytest.mark.parametrize("name", ["username", "realm", "nonce", "uri", "response", "nc", "cnonce"])
def test_required_parameters(mia, name):
    """§4.3, §4.5: a missing or a repeated parameter is 400.43."""
    mia.call(replace={name: None})[1].refused("400.43")
    sent = mia.sign(mia.challenge())
    value = re.search(rf'\b{name}=("[^"]*"|[^,]+)', sent.header).group(0)
    mia.send(sent.header + ", " + value).refused("400.43")


@pytest.mark.parametrize("change", [
    {"qop": None}, {"qop": ""}, {"qop": "other"}, {"qop": "auth,auth-int"}, {"qop": '"auth'},
    {"nc": ""}, {"nc": "1"}, {"nc": "0000000g"}, {"nc": "00000000"}, {"nc": "-0000001"}, {"nc": "000000001"}, {"nc": '"'},
    {"algorithm": "MD4"}, {"algorithm": "SHA-256-sess"}, {"algorithm": ""}, {"algorithm": "md5-sess"}, {"algorithm": "SHA-512-256"},
    {"cnonce": ""}, {"cnonce": "x" * 257}, {"opaque": "A" * 22}, {"opaque": ""}, {"userhash": "maybe"},
    {"username*": "UTF-8''mia"}, {"username*": "UTF-8''%ZZ", "username": None}, {"username*": "mia", "username": None},
], ids=str)
def test_unusable_parameters(mia, change):
    """authentication 46, §4.5: 400 or 401, never accepted, never a crash, never stale."""
    answer = mia.call(replace=change)[1]
    assert answer.error in ("400.43", "401.99"), answer.body
    if answer.status == 401:
        assert not is_stale(answer)


@pytest.mark.parametrize("header", [
    "Digest", "Digest ", "Digest ,", "Digest ,,,,", 'Digest "', 'Digest username="', 'Digest username="mia', "Digest username", "Digest =x",
    'Digest username="mia\\', "Digest " + "," * 8000, "Digest " + '"' * 8000, "Digest " + 'a="\\' * 1600, "Digest a=b " * 700,
    'Digest username="mia" realm="apia-stock"',
], ids=lambda value: value[:24] + str(len(value)))
def test_malformed_headers(client, header):
    """authentication 46 and 52: answered at once with 400 or 401."""
    started = time.monotonic()
    answer = client.get(TARGET, [("Authorization", header)])
    assert answer.error in ("400.43", "401.99"), answer.body
    assert time.monotonic() - started < 20  # the deadline of a hang, not a measurement


def test_authorization_over_the_limit(client):
    """authentication 52: longer than 8192 bytes is 431."""
    client.get(TARGET, [("Authorization", "Digest " + "," * 8300)]).refused("431.43")


# --- nonces (40, 41, 42, 43, 45, 50)

def test_foreign_and_made_up_nonces(mia, client):
    """authentication 40: foreign, self-made, another configuration's nonce: 401, not stale."""
    own = mia.challenge()
    foreign = DigestClient(client, "/api/v1/al/other/s").challenge()
    changed = own["nonce"][:-1] + ("A" if own["nonce"][-1] != "A" else "B")
    for nonce in (foreign["nonce"], changed, "A" * 43, "", "x", own["nonce"] + "A", own["nonce"][:-1], "B" + own["nonce"][1:], "ü" * 10):
        answer = mia.send(mia.sign({**own, "nonce": nonce}))
        if answer.status == 400:
            assert nonce == "" or not nonce.isascii()
        else:
            rejected(answer)


def test_realm_of_another_configuration(client):
    """authentication 45: a header of realm A is refused by realm B even with equal users."""
    a, b = DigestClient(client, TARGET), DigestClient(client, "/api/v1/al/realm-b/s")
    rejected(b.send(b.sign(a.challenge())))
    rejected(b.send(b.sign(b.challenge(), computed={"realm": "apia-stock"})))
    # The challenge of B with the realm of A in its place, and the other way round.
    rejected(b.send(b.sign({**a.challenge(), "realm": "realm-b"})))


def test_replay(mia):
    """authentication 42: the same header twice, the second is 401 and stale, since its response is right."""
    sent = mia.sign(mia.challenge())
    mia.send(sent).expect(200)
    rejected(mia.send(sent), stale=True)
    rejected(mia.send(sent), stale=True)


def test_nc_out_of_order(mia):
    """authentication 43: nc 5, 3, 4 pass once each."""
    values = mia.challenge()
    for nc in (5, 3, 4):
        mia.send(mia.sign(values, nc=nc)).expect(200)
    for nc in (5, 3, 4):
        rejected(mia.send(mia.sign(values, nc=nc)), stale=True)
    mia.send(mia.sign(values, nc=6)).expect(200)


def test_nc_window(mia):
    """§4.4: a bitmap of the 128 below the highest; further back is refused."""
    values = mia.challenge()
    mia.send(mia.sign(values, nc=1000)).expect(200)
    mia.send(mia.sign(values, nc=1000 - 127)).expect(200)
    rejected(mia.send(mia.sign(values, nc=1000 - 129)), stale=True)


def test_nc_jump_moves_nothing(mia):
    """authentication 43: a huge nc moves nothing, nor does a wrong response."""
    values = mia.challenge()
    mia.send(mia.sign(values, nc=1)).expect(200)
    rejected(mia.send(mia.sign(values, nc="ffffffff")), stale=True)
    rejected(mia.send(mia.sign(values, nc=2 + 1024)), stale=True)
    rejected(mia.send(mia.sign(values, nc=500, password="wrong password")))
    mia.send(mia.sign(values, nc=500)).expect(200)
    mia.send(mia.sign(values, nc=500 + 1024)).expect(200)


def test_nonce_without_requests_in_between(mia):
    """§4.4: the first nc of a nonce may be up to 1024."""
    mia.send(mia.sign(mia.challenge(), nc=1024)).expect(200)
    rejected(mia.send(mia.sign(mia.challenge(), nc=1025)), stale=True)


def test_expired_nonce(client):
    """authentication 40 and 41: an expired nonce is stale only when the response was right; half of its life over: nextnonce."""
    brief = DigestClient(client, "/api/v1/al/brief/s")
    values = brief.challenge()
    answer = brief.send(brief.sign(values, nc=1)).expect(200)
    assert "nextnonce" not in info(answer)
    deadline = time.monotonic() + 40
    offered, nc = None, 2
    while True:
        answer = brief.send(brief.sign(values, nc=nc))
        nc += 1
        if answer.status != 200:
            break
        offered = info(answer).get("nextnonce") or offered
        assert time.monotonic() < deadline, "the nonce does not expire"
        time.sleep(0.5)  # between looks
    rejected(answer, stale=True)
    rejected(brief.send(brief.sign(values, nc=nc, password="wrong password")))
    assert offered, "no nextnonce although half of the lifetime was over"
    brief.send(brief.sign({**values, "nonce": offered})).expect(200)


def test_nonce_after_a_restart(make_server):
    """authentication 50: after the loss of the counters a nonce is stale, never replayable."""
    server = make_server(resources())
    mia = DigestClient(server.client, TARGET)
    values = mia.challenge()
    sent = mia.sign(values)
    mia.send(sent).expect(200)
    server.stop()
    server.start()
    mia.client = server.client
    rejected(mia.send(sent), stale=True)
    rejected(mia.send(mia.sign(values, nc=2)), stale=True)
    mia.call()[1].expect(200)


# --- what a header is good for (44, 47, 49)

def test_bound_to_method_path_and_query(mia, client):
    """authentication 44: a header for one method, path and query is refused for every other."""
    for method, target in (("POST", TARGET), ("GET", "/api/v1/func-api/see/s?sku=A8"), ("GET", "/api/v1/func-api/see/s"), ("GET", TARGET + "&x=1"),
                           ("GET", "/api/v1/al/see/s?sku=A7"), ("GET", "/api/v1/func-api/see2/s?sku=A7"), ("GET", TARGET + "#x"),
                           ("GET", "/api/v1/func-api/see/s?sku=%41%37")):
        answer = mia.send(mia.sign(mia.challenge()), method=method, target=target)
        assert answer.error == ("401.99" if target == TARGET else "400.43"), (method, target, answer.body)


def test_uri_must_equal_the_target(mia):
    """§4.4: byte for byte; a right signature over another uri does not help."""
    for uri in ("/api/v1/func-api/see/s", TARGET.upper(), "*", "", TARGET + "&", "//x" + TARGET, "/api/v1/func-api/see/s?sku=%41%37"):
        mia.call(computed={"uri": uri})[1].refused("400.43")


def test_method_is_that_of_the_request_line(mia):
    """§4.4: the method signed must be that of the request."""
    rejected(mia.call(computed={"method": "POST"})[1])
    rejected(mia.send(mia.sign(mia.challenge(), method="HEAD"), headers=[("X-HTTP-Method-Override", "HEAD")]))


def test_algorithm_that_is_not_offered(client):
    """authentication 47: MD5 is refused when not offered, also by leaving `algorithm` out."""
    strong = DigestClient(client, "/api/v1/al/strong/s")
    rejected(strong.call(computed={"algorithm": "MD5"})[1])
    rejected(strong.call(computed={"algorithm": "MD5"}, replace={"algorithm": None})[1])
    rejected(strong.call(qop="auth-int")[1])


def test_algorithm_absent_means_md5(mia):
    """§4.3."""
    mia.call("MD5", replace={"algorithm": None})[1].expect(200)
    answer = mia.call("SHA-256", replace={"algorithm": None})[1]  # a response of 64 digits is none of MD5
    assert answer.error in ("400.43", "401.99")


def test_auth_int_body(client):
    """authentication 49: one changed body byte is 401."""
    mia = DigestClient(client, "/api/v1/func-api/see/s")
    body = b'{"sku":"A7"}'
    json = [("Content-Type", "application/json")]
    sent = mia.sign(mia.challenge(method="POST"), method="POST", qop="auth-int", body=body)
    rejected(mia.send(sent, method="POST", body=body.replace(b"7", b"8"), headers=json))
    rejected(mia.send(sent, method="POST", body=body + b" ", headers=json))
    rejected(mia.send(sent, method="POST", headers=json))
    assert mia.send(sent, method="POST", body=body, headers=json).expect(200).json["kwargs"] == {"sku": "A7"}


def test_auth_int_body_in_chunks(client):
    """§4.4: the body is hashed after transfer decoding."""
    mia = DigestClient(client, "/api/v1/func-api/see/s")
    sent = mia.sign(mia.challenge(method="POST"), method="POST", qop="auth-int", body=b'{"sku":"A7"}')
    with client.connect() as connection:
        headers = [("Authorization", sent.header), ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")]
        connection.send(request_bytes("POST", mia.target, headers, host=f"127.0.0.1:{client.port}") + b'5\r\n{"sku\r\n7\r\n":"A7"}\r\n0\r\n\r\n')
        connection.read("POST").expect(200)


def test_auth_int_large_body(client):
    """§4.4: above preAuthBodyBytes the body is not read: 413.43."""
    mia = DigestClient(client, "/api/v1/func-api/see/s")
    body = b'{"sku":"' + b"x" * 80_000 + b'"}'
    mia.call(method="POST", qop="auth-int", body=body, headers=[("Content-Type", "application/json")])[1].refused("413.43")
    mia.call(method="POST", qop="auth", body=body, headers=[("Content-Type", "application/json")])[1].expect(200)


def test_unknown_and_known_names_look_alike(mia):
    """§8: constant shape, for every kind of wrong user."""
    variable = re.compile(r'"traceId":"[^"]*"|"(?:req|resp)Time":"[^"]*"|"reqCost":\d+')
    answers = [mia.call(username=name, password=word)[1] for name, word in
               (("mia", "wrong password"), ("nobody", "wrong password"), ("gone", "disabled user"), ("past", "expired user"))]
    assert len({variable.sub("", rejected(answer).text) for answer in answers}) == 1
    assert len({tuple(name for name, _ in answer.fields) for answer in answers}) == 1


def test_changed_password_binds_the_next_call(make_server):
    """authentication 8: also a nonce issued before the change does not help the old password."""
    def world(password):
        return Resources().scripts("probe", main=PROBE).digest("stock", {"mia": password}).api("see", "probe__main.see", "stock")
    server = make_server(world("the first password"))
    mia = DigestClient(server.client, TARGET, password="the first password")
    values = mia.challenge()
    mia.send(mia.sign(values)).expect(200)
    server.apply(world("the second password"))
    mia.send(mia.sign(values, nc=2)).refused("401.99")
    mia.password = "the second password"
    mia.call()[1].expect(200)


def test_realm_change_needs_passwords(server):
    """§4.4, §10: the password is not kept, so a new realm needs the passwords again."""
    same = [{"username": "mia"}]
    done = server.try_apply(Resources().digest("realm-b", same, realm="another"))
    assert done.returncode == 7 and "a new realm needs new passwords" in done.stdout + done.stderr
    assert DigestClient(server.client, "/api/v1/al/realm-b/s").call()[1].status == 200


@pytest.mark.parametrize("path", ["/api/v1/func-api/see/s?x=%22%0d%0aX-Injected:1", "/api/v1/func-api/see/s"])
def test_challenges_are_strictly_readable(client, path):
    """authentication 53: every 401 has a WWW-Authenticate that a strict parser accepts, whatever was sent."""
    for header in ({}, {"Authorization": 'Digest realm="a\\"b", nonce="x\\\\"'}, {"Authorization": "Basic ÿ"}, {"X-Trace-Id": '"'}):
        answer = client.get(path, header)
        if answer.status == 401:
            assert answer.all("WWW-Authenticate")
            for value in answer.all("WWW-Authenticate"):
                read_challenge(value)
        assert answer.header("X-Injected") is None


def test_the_client_agrees_with_the_rfc():
    """RFC 7616, 3.9.1: the example of the standard, so that our own client is not the thing under test."""
    ha1 = digest("SHA-256", "Mufasa", "http-auth@example.org", "Circle of Life")
    response = digest("SHA-256", ha1, "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                      "auth", digest("SHA-256", "GET", "/dir/index.html"))
    assert response == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
