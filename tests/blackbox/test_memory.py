"""The server's memory: no credential stays in it after its request, and a flood of wrong passwords cannot make it grow (authentication §3)."""

import gzip
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.costs import has_own_allocator
from support.credentials import basic, traces
from support.digest import DigestClient
from support.keys import set_secret, signed_again
from support.management import Management, api
from support.memory import can_read, peak_kib, search, smaps_kib
from support.resources import PROBE, Resources
from support.server import wait_until
from support.wire import File, query, request_bytes
from test_tls import TlsClient, make_certificate

TARGET = "/api/v1/func-api/{}/s"
PASSWORD, DIGEST_PASSWORD = "canary-heap-basic-5101-password", "canary-heap-digest-5102-password"
FIELD, QUERY_FIELD, BODY_FIELD = "canary-heap-header-5103", "canary-heap-query-5104", "canary-heap-body-5105"
LEFT = "canary-heap-left-5107"
MANAGEMENT = "Canary-heap-5109-management"


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE + '''
@DFF.API('Badges of even length are right')
def badge():
    return len(_DFF_HTTP_REQUEST['headers'].get('x-badge', 'x')) % 2 == 0
''')
    made.basic("staff", {"mia": PASSWORD}).digest("stock", {"mia": DIGEST_PASSWORD})
    made.fixed_field("tokens", {"location": "header", "name": "X-Token", "value": FIELD}, {"location": "query", "name": "token", "value": QUERY_FIELD},
                     {"location": "body", "name": "auth.token", "value": BODY_FIELD}, {"location": "body", "name": "token", "value": BODY_FIELD})
    made.func_auth("badge", "probe__main.badge").func_auth("remembered", "probe__main.badge", credentialFields=[{"location": "header", "name": "X-Badge"}], cacheTtl=60)
    for name in ("staff", "stock", "tokens", "badge", "remembered"):
        made.api(name, "probe__main.echo", name, methods=["GET", "POST"], acceptFiles=True)
    made.api("keyed", "probe__main.echo", "api-key", methods=["GET", "POST"])
    return made.api("open", "probe__main.hello").api("later", "probe__main.echo", "tokens", execMode="async", recordDetail=True)


def get(api: str, headers=(), tail: str = "") -> tuple:
    return "GET", TARGET.format(api) + tail, headers, None


def post(api: str, headers, body: bytes) -> tuple:
    return "POST", TARGET.format(api), headers, body


JSON = {"Content-Type": "application/json"}
NESTED = json.dumps({"auth": {"token": BODY_FIELD}}).encode()
LARGE = json.dumps({"pad": "x" * 300_000, "auth": {"token": BODY_FIELD}}).encode()
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(NESTED), NESTED)
# Name → (credential, status, request made of it). Each sends its credential once, rightly or wrongly; None: one that is nobody
# else's, so that what is found tells where it came from.
WAYS = {
    "Basic": (PASSWORD, 200, lambda secret: get("staff", basic("mia", secret))),
    "Basic, wrong": (None, 401, lambda secret: get("staff", basic("mia", secret))),
    "Basic, unknown name": (None, 401, lambda secret: get("staff", basic(secret, "wrong word"))),
    "Basic, malformed": (None, 401, lambda secret: get("staff", {"Authorization": "Basic " + secret})),
    "bearer": (None, 401, lambda secret: get("staff", {"Authorization": "Bearer " + secret})),
    "bare key": (None, 401, lambda secret: get("staff", {"Authorization": secret})),
    "bearer, anonymous": (None, 401, lambda secret: get("open", {"Authorization": "Bearer " + secret})),
    "cookie": (None, 401, lambda secret: get("staff", {"Cookie": "session=" + secret})),
    "Digest, malformed": (None, 400, lambda secret: get("stock", {"Authorization": f'Digest username="{secret}'})),
    "header": (FIELD, 200, lambda secret: get("tokens", {"X-Token": secret})),
    "header, wrong": (None, 401, lambda secret: get("tokens", {"X-Token": secret})),
    "header, twice": (FIELD, 401, lambda secret: get("tokens", [("X-Token", secret), ("X-Token", secret)])),
    "header, of a task": (FIELD, 202, lambda secret: get("later", {"X-Token": secret})),
    "query": (QUERY_FIELD, 200, lambda secret: get("tokens", (), query(token=secret))),
    "query, wrong": (None, 401, lambda secret: get("tokens", (), query(token=secret))),
    "query, percent-encoded": (QUERY_FIELD, 200, lambda secret: get("tokens", (), "?token=" + "".join(f"%{byte:02x}" for byte in secret.encode()))),
    "JSON": (BODY_FIELD, 200, lambda secret: post("tokens", JSON, NESTED)),
    "JSON, large": (BODY_FIELD, 200, lambda secret: post("tokens", JSON, LARGE)),
    "JSON, wrong": (None, 401, lambda secret: post("tokens", JSON, NESTED.replace(BODY_FIELD.encode(), secret.encode()))),
    "JSON, chunked": (BODY_FIELD, 200, lambda secret: post("tokens", {**JSON, "Transfer-Encoding": "chunked"}, CHUNKED)),
    "urlencoded": (BODY_FIELD, 200, lambda secret: post("tokens", {"Content-Type": "application/x-www-form-urlencoded"}, b"token=" + secret.encode())),
    "func": (None, 200, lambda secret: get("badge", {"X-Badge": secret})),
    "func, refused": (None, 401, lambda secret: get("badge", {"X-Badge": secret + "."})),
    "func, remembered": (None, 200, lambda secret: get("remembered", {"X-Badge": secret})),
    "malformed request": (None, 400, lambda secret: get("staff", {"Authorization": secret, "Bad Header": "x"})),
}


def prepared(way: str) -> tuple[str, int, tuple]:
    """(credential, status, request) of one of the ways."""
    secret, status, request = WAYS[way]
    secret = secret or f"canary-heap-{5200 + list(WAYS).index(way)}-secret!"
    return secret, status, request(secret)



def expect_gone(server, secret: str, what: str) -> None:
    """Nowhere, soon: the last buffers go when the loop of events comes around."""
    left = []

    def gone() -> bool:
        left[:] = search(server.process.pid, traces(secret))
        return not left

    try:
        wait_until(gone, "", 10.0, 0.1)
    except AssertionError:
        raise AssertionError(f"{what}: still in the server's memory:\n" + "\n".join(left[:6])) from None


def skip_where_memory_cannot_be_read(server) -> None:
    if has_own_allocator():
        pytest.skip("a sanitizer build keeps what was freed, and maps terabytes")
    if not can_read(server.process.pid):
        pytest.skip("this machine does not let a parent read the memory of its child (kernel.yama.ptrace_scope)")


@pytest.fixture(scope="module")
def readable(server):
    """The module's server, which came up with all secrets applied."""
    skip_where_memory_cannot_be_read(server)
    return server


def test_the_search_finds_what_is_there(readable):
    """The tool of this module works: an open request is found while it waits, in whatever mapping it stands."""
    with readable.client.connect() as connection:
        connection.send(b"GET /api/v1/func-api/open/s HTTP/1.1\r\nX-Half: canary-heap-5100-unfinished\r\n")
        wait_until(lambda: search(readable.process.pid, [b"canary-heap-5100-unfinished"]), "the half of a head is found")


def test_nothing_is_left_of_the_documents(readable):
    """authentication 39: what `--apply` brought is stored as hashes and sealed texts; the clear secrets are gone."""
    for secret in (PASSWORD, DIGEST_PASSWORD, FIELD, QUERY_FIELD, BODY_FIELD):
        expect_gone(readable, secret, "serve --apply")


def test_nothing_is_left_of_an_apply(readable):
    """authentication 39: the same for an apply while it runs, which brings the secrets through the control socket."""
    secret = "canary-heap-applied-5108"
    readable.apply(Resources().basic("applied", {"mia": secret}).fixed_field("applied-field", {"location": "header", "name": "X-A", "value": secret + "-field"})
                   .digest("applied-digest", {"mia": secret}))
    expect_gone(readable, secret, "apply")


def test_nothing_is_left_of_a_body_whose_end_came_later(readable):
    """authentication 39: the last block that came holds nothing of the body, and the one before it is gone, too."""
    request = request_bytes("POST", TARGET.format("tokens"), {**JSON, "Transfer-Encoding": "chunked"}, CHUNKED)
    end = b"0\r\n\r\n"
    with readable.client.connect() as connection:
        connection.send(request.removesuffix(end))
        wait_until(lambda: search(readable.process.pid, traces(BODY_FIELD)), "the body has come")
        connection.send(end)
        connection.read("POST").expect(200)
        expect_gone(readable, BODY_FIELD, "a chunked body in two pieces")


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left_of_a_credential(readable, way):
    """authentication 39: after the answer no clear password or token is in the heap, on a kept-alive connection as on a closed one."""
    secret, status, (method, target, headers, body) = prepared(way)
    with readable.client.connect() as connection:
        connection.send(request_bytes(method, target, headers, body))
        connection.read(method).expect(status)
        expect_gone(readable, secret, f"{way}, the connection stays open")
        if status != 400 and method == "GET":
            # In a row, in one packet: what is moved to the front of the buffer leaves nothing behind either.
            connection.send(request_bytes(method, target, headers, body) * 3 + request_bytes("GET", TARGET.format("open")))
            for expected in (status, status, status, 200):
                connection.read(method).expect(expected)
            expect_gone(readable, secret, f"{way}, pipelined")
    readable.client.call(method, target, headers, body).expect(status)
    expect_gone(readable, secret, f"{way}, the connection is closed")


def test_nothing_is_left_of_an_upload(readable):
    """authentication 39: a text part that is a credential, before files."""
    readable.client.post(TARGET.format("tokens"), parts=[("token", BODY_FIELD), ("name", "x"), File("file", "a.bin", os.urandom(100_000))])
    expect_gone(readable, BODY_FIELD, "multipart")


def test_nothing_is_left_of_a_compressed_body(readable):
    """authentication 39: also after inflation."""
    body = gzip.compress(json.dumps({"auth": {"token": BODY_FIELD}, "name": "x"}).encode())
    readable.client.call("POST", TARGET.format("tokens"), {"Content-Type": "application/json", "Content-Encoding": "gzip"}, body)
    expect_gone(readable, BODY_FIELD, "gzip")


def test_nothing_is_left_of_digest(readable):
    """authentication 39: Digest never sends the password; what it is verified with (HA1) is not the password."""
    mia = DigestClient(readable.client, TARGET.format("stock"), "mia", DIGEST_PASSWORD)
    mia.call()[1].expect(200)
    mia.call(qop="auth-int", method="POST", body=b"{}")[1]
    expect_gone(readable, DIGEST_PASSWORD, "Digest")


@pytest.fixture(scope="module")
def administrator(readable) -> Management:
    """The administrator of the module's server, whose password was MANAGEMENT."""
    return Management.set_up(readable, password=MANAGEMENT)


def test_nothing_is_left_of_an_api_key(readable, administrator):
    """authentication 39: of the calls that bring a key, right or wrong, its signature is not left."""
    set_secret(readable)
    token = signed_again(administrator.key(administrator.key_owner("apiagent")["user"], "Key")[1])
    signature = token.rsplit(".", 1)[1]
    with readable.client.connect() as connection:
        for value, status in ((token, 200), (f"Bearer {token}", 200), (f"bearer {token}", 200), (token[:-44] + "A" + token[-43:], 401), (f"Basic {token}", 401)):
            connection.send(request_bytes("GET", TARGET.format("keyed"), {"Authorization": value}) * 2)
            for _ in range(2):
                connection.read().expect(status)
            expect_gone(readable, signature, "a call, the connection stays open")
    readable.client.get(TARGET.format("keyed"), {"Cookie": f"token={token}"}).expect(401)
    expect_gone(readable, signature, "another place")


def test_nothing_is_left_of_an_answer(readable, administrator):
    """authentication 39: a key is told once; what it was told with serves other connections afterwards."""
    set_secret(readable)
    connections = [readable.client.connect() for _ in range(8)]
    for connection in connections:
        connection.send(request_bytes("GET", TARGET.format("open")))
    for connection in connections:
        connection.read().expect(200)
        connection.close()
    signature = administrator.key(administrator.key_owner("told")["user"], "Told")[1].rsplit(".", 1)[1]
    readable.client.get(TARGET.format("open")).expect(200)
    expect_gone(readable, signature, "the key has been told")


def test_an_empty_line_behind_a_request_keeps_nothing(readable):
    """authentication 39: also when the connection waits for a request that an empty line has begun (RFC 9112, 2.2)."""
    secret = "canary-heap-5141-empty-line"
    with readable.client.connect() as connection:
        connection.send(request_bytes("GET", TARGET.format("staff"), basic("mia", secret)) + b"\r\n")
        connection.read().expect(401)
        expect_gone(readable, secret, "a call, the connection stays open")
        connection.send(request_bytes("GET", TARGET.format("open")))
        connection.read().expect(200)


def test_nothing_is_left_of_a_sign_in(readable, administrator):
    """authentication 39: the password of a person, right and wrong, and what the session is known by: only its hash stays."""
    expect_gone(readable, MANAGEMENT, "set-up and sign-in")
    api(readable.client, "POST", "/session", json={"login": "root", "password": MANAGEMENT + "-wrong"}).expect(401)
    api(readable.client, "POST", "/session", json={"login": MANAGEMENT + "-as-name", "password": "x"}).expect(401)
    expect_gone(readable, MANAGEMENT + "-wrong", "a wrong password")
    administrator.get("/me").expect(200)
    expect_gone(readable, administrator.cookie.split("=", 1)[1], "a cookie")
    user = administrator.create("/users", login="somebody", password=MANAGEMENT + "-first")
    administrator.put(f"/users/{user}/password", {"password": MANAGEMENT + "-other"}).expect(204)
    expect_gone(readable, MANAGEMENT + "-first", "a user that was made")
    expect_gone(readable, MANAGEMENT + "-other", "a password that was set")


def test_nothing_is_left_of_a_secret_key(readable, administrator):
    """authentication 39: what outgoing calls will need is sealed at once."""
    secret = administrator.create("/secret-keys", name="APIKey", owner={"kind": "action", "application": "A", "flow": "F", "action": "a"})
    administrator.put(f"/secret-keys/{secret}/secret", {"secret": "canary-heap-secretkey-5110"}).expect(204)
    expect_gone(readable, "canary-heap-secretkey-5110", "a secret key")


def test_nothing_is_left_of_a_caller_who_left(readable):
    """authentication 39: a caller who hangs up in the middle of a hash leaves no password behind."""
    for _ in range(5):
        with readable.client.connect() as connection:
            connection.send(request_bytes("GET", TARGET.format("staff"), basic("mia", LEFT)))
    expect_gone(readable, LEFT, "hung up")


def test_nothing_is_left_behind_tls(make_server, tmp_path):
    """authentication 39: neither in the buffers of TLS."""
    certificate, private = make_certificate(tmp_path / "tls", "first")
    server = make_server(resources(), f'[server]\ntls_certificate = "{certificate}"\ntls_key = "{private}"\n')
    skip_where_memory_cannot_be_read(server)
    client = TlsClient(server.port, certificate)
    with client.connect() as connection:
        for way in ("Basic", "Basic, wrong", "header", "query", "JSON", "JSON, large", "func"):
            secret, status, (method, target, headers, body) = prepared(way)
            connection.send(request_bytes(method, target, headers, body))
            connection.read(method).expect(status)
            expect_gone(server, secret, f"{way}, over TLS")


# --- a flood

CONCURRENCY = 2
HASH_KIB = 19 * 1024
# What connections, requests and threads of the flood may take beside the hashes: measured at 3 to 6 MiB, and far below one
# hash per caller, which would be 3.7 GiB.
ALLOWANCE_KIB = 16 * 1024


IDLE_KIB, IDLE_OWN_KIB, IDLE_WORKER_OWN_KIB = 45 << 10, 9 << 10, 4 << 10
IDLE_CONNECTION_KIB = 2.75


def test_an_idle_server_is_small(make_server):
    """performance 5: server, zygote and two workers together, after passwords were hashed and calls were run; what the worst case needs is there when it comes."""
    if has_own_allocator():
        pytest.skip("a sanitizer build keeps what was freed")
    server = make_server(resources(), "[server]\nthreads = 2\n[limits]\npool_workers = 2\n")
    for number in range(20):
        server.client.get(TARGET.format("staff"), basic("mia", PASSWORD)).expect(200)
        server.client.get(TARGET.format("staff"), basic("mia", f"wrong password {number}")).expect(401)
    pid = server.process.pid
    # The memory of the hashes goes back when none has come for a while.
    wait_until(lambda: smaps_kib(pid, "Private_Dirty") < IDLE_OWN_KIB, f"a server with less than {IDLE_OWN_KIB} KiB of its own")
    everybody = [pid, *server.descendants(pid)]
    assert len(everybody) == 4, "server, zygote, two workers"
    for other in everybody[1:]:
        assert smaps_kib(other, "Private_Dirty") < IDLE_WORKER_OWN_KIB
    assert sum(smaps_kib(one, "Pss") for one in everybody) < IDLE_KIB


# The longer body does not fit into what is read at first; all of it has been read with the last byte that there was room for.
LAST_REQUESTS = {
    "without a body": request_bytes("GET", TARGET.format("staff"), basic("mia", PASSWORD)),
    "with a body": request_bytes("POST", TARGET.format("staff"), {**basic("mia", PASSWORD), **JSON}, json.dumps({"pad": "x" * 3000}).encode()),
    "with an empty line behind": request_bytes("GET", TARGET.format("staff"), basic("mia", PASSWORD)) + b"\r\n",
}


@pytest.mark.parametrize("last", LAST_REQUESTS)
def test_an_idle_connection_is_small(make_server, last):
    """performance 4: who waits for his next request keeps no buffers. Between the 300th and the 900th, so that what came once is not counted."""
    if has_own_allocator():
        pytest.skip("a sanitizer build keeps nothing for others, and what was freed")
    server = make_server(resources(), "[server]\nthreads = 1\n[limits]\npool_workers = 1\n")
    connections, taken_kib = [], []
    for count in (300, 900):
        while len(connections) < count:
            connection = server.client.connect()
            connection.send(LAST_REQUESTS[last])
            connection.read().expect(200)
            connections.append(connection)
        taken_kib.append(smaps_kib(server.process.pid, "Private_Dirty"))
    assert (taken_kib[1] - taken_kib[0]) / 600 < IDLE_CONNECTION_KIB


def test_memory_of_hashes_is_bounded(make_server):
    """authentication 35: 200 distinct wrong passwords at once take no more memory than hash limit × 19 MiB."""
    if has_own_allocator():
        pytest.skip("a sanitizer build keeps what was freed")
    server = make_server(resources(), f"[limits]\nhash_concurrency = {CONCURRENCY}\n")
    client = server.client
    with ThreadPoolExecutor(50) as pool:  # connections and threads are there before the measurement
        list(pool.map(lambda _: client.get(TARGET.format("open")).expect(200), range(200)))
    before = peak_kib(server.process.pid)
    connections = [client.connect() for _ in range(200)]
    for number, connection in enumerate(connections):
        connection.send(request_bytes("GET", TARGET.format("staff"), basic("mia", f"wrong password {number}")))
    answers = [connection.read() for connection in connections]
    assert {answer.error for answer in answers} <= {"401.99", "503.99"}
    assert sum(answer.status == 401 for answer in answers) >= CONCURRENCY
    grown = peak_kib(server.process.pid) - before
    assert grown <= CONCURRENCY * HASH_KIB + ALLOWANCE_KIB, f"grown by {grown} KiB"
    assert grown >= HASH_KIB // 2, f"grown by {grown} KiB only: no hash was computed, so nothing was measured"


def test_memory_of_hashes_is_shared_with_sign_in(make_server):
    """authentication 35, identity I9: 100 wrong passwords at sign-in and 100 as Basic at once take no more than one of them alone; keys are answered meanwhile."""
    if has_own_allocator():
        pytest.skip("a sanitizer build keeps what was freed")
    server = make_server(resources(), f"[limits]\nhash_concurrency = {CONCURRENCY}\n")
    administrator = Management.set_up(server)
    token = administrator.key(administrator.key_owner("apiagent")["user"], "Key")[1]
    client = server.client
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda _: client.get(TARGET.format("keyed"), {"Authorization": token}).expect(200), range(200)))
    before = peak_kib(server.process.pid)
    connections = [client.connect() for _ in range(200)]
    for number, connection in enumerate(connections):
        if number % 2:
            body = json.dumps({"login": "root", "password": f"wrong password {number}"}).encode()
            host = f"127.0.0.1:{server.port}"
            connection.send(request_bytes("POST", "/admin/api/v1/session", {"Content-Type": "application/json"}, body, host=host))
        else:
            connection.send(request_bytes("GET", TARGET.format("staff"), basic("mia", f"wrong password {number}")))
    for _ in range(20):
        client.get(TARGET.format("keyed"), {"Authorization": token}).expect(200)
    answers = [connection.read() for connection in connections]
    assert {answer.error for answer in answers} <= {"401.99", "401.14", "503.99", "503.61", "429.47", "503.1"}, {answer.error for answer in answers}
    assert {401} <= {answer.status for answer in answers[::2]} and {401} <= {answer.status for answer in answers[1::2]}
    grown = peak_kib(server.process.pid) - before
    assert grown <= CONCURRENCY * HASH_KIB + ALLOWANCE_KIB, f"grown by {grown} KiB"
