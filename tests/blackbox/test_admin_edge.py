"""The edge of the management API: whose bodies are read, who takes places, what waits for what, and who is on this machine."""

from __future__ import annotations

import json
import threading
import time

import pytest

from support.gate import PASS, Gate
from support.management import API, LOGIN, PASSWORD, Management, api
from support.resources import PROBE, Resources
from support.server import Server
from support.wire import Answer, Client, fresh_address, request_bytes

LARGE = 1_500_000
SLEEPER = PASS + "@DFF.API('Sleeps')\ndef f(gate):\n    pass_gate(gate)\n    return 'slept'\n"


def resources() -> Resources:
    return Resources().scripts("demo", main=PROBE).api("open", "demo__main.hello")


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


def head_only(client: Client, method: str, path: str, headers, length: int | None) -> Answer:
    """The answer to a request whose body is promised and not sent: it comes only if nobody asks for the body."""
    size = ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))
    with client.connect() as connection:
        pairs = [*headers, ("Content-Type", "application/json"), ("Expect", "100-continue"), size]
        connection.send(request_bytes(method, API + path, pairs))
        answer = connection.read(method)
    assert answer.interim == [], "the server asked for the body"
    return answer


@pytest.mark.parametrize("path", ["/users", "/resources/apply", "/resources/diff", "/nowhere"])
@pytest.mark.parametrize("length", [LARGE, 17_000, None])
@pytest.mark.parametrize("headers", [[("Authorization", "Bearer made.up.key")], [("Cookie", "funcgate=made-up-session")], []], ids=["key", "cookie", "nothing"])
def test_large_bodies_of_strangers_are_not_read(server, admin, path, length, headers):
    answer = head_only(server.client, "POST", path, headers, length)
    answer.refused("401.99" if headers and headers[0][0] == "Authorization" else "401.14")
    assert answer.header("Connection") == "close"


def test_large_bodies_of_those_who_may_not_are_not_read_either(server, admin):
    _, token = admin.key(admin.key_owner("reader", "View Server")["user"], "Key", scopes=["management"])
    bearer = [("Authorization", f"Bearer {token}")]
    head_only(server.client, "POST", "/users", bearer, LARGE).refused("403.15")
    head_only(server.client, "POST", "/resources/apply", bearer, 60 << 20).refused("403.15")
    head_only(server.client, "POST", "/nowhere", bearer, LARGE).refused("404.41")
    cookie = [("Cookie", admin.cookie)]
    head_only(server.client, "POST", "/users", cookie, LARGE).refused("403.31")


def test_bodies_of_those_who_may_are_read_up_to_the_limit(server, admin):
    padding = "x" * 100_000
    assert "description" in admin.post("/users", {"login": "wide", "password": PASSWORD, "description": padding}).refused("400.43").text
    api(server.client, "POST", "/users", admin.headers("POST"), json={"login": "x" * (2 << 20)}).refused("413.43")
    documents = "\n".join(f"# {padding}" for _ in range(30))
    pairs = [*admin.headers("POST"), ("Content-Type", "application/yaml")]
    api(server.client, "POST", "/resources/diff", pairs, body=documents).expect(200)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(documents), documents.encode())
    api(server.client, "POST", "/resources/diff", [*pairs, ("Transfer-Encoding", "chunked")], body=chunked).expect(200)


def test_a_wrong_key_counts_once_however_large_its_body_is(server, admin):
    """Ten failures of an address block it: nine do not."""
    client = server.client.pinned()
    for _ in range(9):
        api(client, "POST", "/resources/apply", [("Authorization", "Bearer made.up.key")], json={"text": "x" * 20_000}).refused("401.99")
    api(client, "GET", "/me", [("Authorization", "Bearer made.up.key")]).refused("401.99")
    api(client, "GET", "/me", [("Authorization", "Bearer made.up.key")]).refused("429.47")


@pytest.mark.parametrize("path", ["/session", "/setup"])
def test_nobody_signs_in_with_a_large_body(server, admin, path):
    head_only(server.client, "POST", path, [], 17_000).refused("413.43")
    api(server.client, "POST", "/session", json={"login": LOGIN, "password": "x" * 17_000}).refused("413.43")


def test_sign_ins_that_do_not_come_keep_nobody_out(server, admin):
    """A network has eight places; those who only begin to send take none."""
    client = server.client.pinned()
    body = json.dumps({"login": LOGIN, "password": PASSWORD}).encode()
    whole = request_bytes("POST", API + "/session", [("Content-Type", "application/json")], body, host=f"127.0.0.1:{server.port}")
    slow = [client.connect() for _ in range(12)]
    try:
        for connection in slow:
            connection.send(whole[:-5])
        api(client, "POST", "/session", json={"login": LOGIN, "password": PASSWORD}).expect(200)
        for connection in slow[:2]:
            connection.send(whole[-5:])
            connection.read("POST").expect(200)
    finally:
        for connection in slow:
            connection.close()


def test_revoking_disabling_and_signing_out_wait_for_no_long_work(make_server):
    """Trial runs take all threads for long work, and more of them wait."""
    server = make_server(Resources().scripts("demo", main=PROBE), '[pools.1]\nworkers = 6\n')
    admin = Management.set_up(server)
    owner = admin.key_owner("agent")["user"]
    key, _ = admin.key(owner, "Key")
    other = Management(server).sign_in()
    admin.create("/script-sets", id="sleeping")
    admin.put("/scripts/sleeping__main/draft", {"source": SLEEPER}, If_Match="*").expect(200)
    answers: list[Answer] = []

    def run() -> None:
        body = {"func": "f", "kwargs": {"gate": str(gate.path)}}
        answers.append(api(server.client, "POST", "/scripts/sleeping__main/draft/run", admin.headers("POST"), json=body, timeout_s=100))

    runs = [threading.Thread(target=run) for _ in range(6)]
    with Gate(server) as gate:
        for one in runs:
            one.start()
        time.sleep(1.5)  # so that they run
        admin.post(f"/api-keys/{key}/revoke").expect(200)
        admin.patch(f"/users/{owner}", {"enabled": False}).expect(200)
        other.delete("/session").expect(204)
        assert len(answers) == 0, "the runs ended too early to show anything"
    for one in runs:
        one.join(100)
    assert [answer.status for answer in answers] == [200] * 6


# --- who is on this machine: signing in over plain HTTP and /metrics are for its clients only

BEHIND_A_PROXY = [{"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": "garbage"}, {"Forwarded": "for=203.0.113.9"},
                  {"Forwarded": "for=127.0.0.1"}, {"Forwarded": "?"}, {"X-Real-IP": "203.0.113.9"}, {"X-Forwarded-Proto": "http"}, {"Via": "1.1 proxy"}]


@pytest.fixture(scope="module", params=["", 'trusted_proxies = ["127.0.0.9/32"]'], ids=["no proxy declared", "another proxy declared"])
def proxied(request, tmp_path_factory):
    instance = Server(tmp_path_factory.mktemp("proxied"), f"[server]\n{request.param}\n").start()
    Management.set_up(instance)
    yield instance
    assert instance.stop() == 0


@pytest.mark.parametrize("headers", BEHIND_A_PROXY, ids=lambda headers: ": ".join(*headers.items()))
def test_clients_of_an_undeclared_proxy_are_not_on_this_machine(proxied, headers):
    signed_in = api(proxied.client, "POST", "/session", headers.items(), json={"login": LOGIN, "password": PASSWORD})
    signed_in.refused("403.44")
    assert proxied.client.get("/metrics", headers).status == 404
    assert proxied.client.get("/metrics").status == 200


@pytest.mark.parametrize("headers", [{"X-Forwarded-For": "unknown"}, {"X-Forwarded-For": "unknown, 127.0.0.9"}, {"Forwarded": "for=_hidden"}, {"X-Forwarded-Proto": "http"}],
                         ids=lambda headers: ": ".join(*headers.items()))
def test_nor_are_those_whom_a_declared_proxy_cannot_name(make_server, headers):
    server = make_server(None, '[server]\ntrusted_proxies = ["127.0.0.9/32"]\n')
    Management.set_up(server)
    client = server.client.pinned("127.0.0.9")
    api(client, "POST", "/session", headers.items(), json={"login": LOGIN, "password": PASSWORD}).refused("403.44")
    assert client.get("/metrics", headers).status == 404


def test_a_declared_proxy_is_believed_in_both_ways_of_speaking(make_server):
    server = make_server(None, '[server]\ntrusted_proxies = ["127.0.0.9/32"]\n')
    admin = Management.set_up(server)
    client = server.client.pinned("127.0.0.9")
    sign_in = {"login": LOGIN, "password": PASSWORD}
    for headers in ({"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}, {"Forwarded": "for=203.0.113.9;proto=https"},
                    {"Forwarded": 'for="[2001:db8::7]:4711";proto=https'}, {"Forwarded": "for=203.0.113.9;proto=https", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}):
        answer = api(client, "POST", "/session", headers.items(), json=sign_in).expect(200)
        assert answer.header("Set-Cookie").startswith("__Host-funcgate="), headers
    seen = {record["address"] for record in admin.data("/audit?event=login.ok")}
    assert {"203.0.113.9", "2001:db8::7"} <= seen, seen
    api(client, "POST", "/session", [("Forwarded", "for=203.0.113.9;proto=http")], json=sign_in).refused("403.44")


@pytest.mark.parametrize("headers", [{"Forwarded": "for=203.0.113.8", "X-Forwarded-For": "203.0.113.9"}, {"Forwarded": 'for="203.0.113.8'},
                                     {"Forwarded": "for=203.0.113.9;proto=https", "X-Forwarded-For": "203.0.113.9"}], ids=["contradiction", "malformed", "one is silent"])
def test_a_declared_proxy_that_contradicts_itself_is_refused(make_server, headers):
    server = make_server(resources(), '[server]\ntrusted_proxies = ["127.0.0.9/32"]\n')
    assert server.client.pinned("127.0.0.9").get("/api/v1/al/open/s", headers).status == 400
    assert server.client.pinned(fresh_address()).get("/api/v1/al/open/s", headers).status == 200, "of others it is not heard"
