"""funcgate bench: every way to present credentials, exact counts, and what it says when a server does not behave."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
import yaml

from support.challenges import parameters
from support.digest import digest
from support.faults import broken_command
from support.management import Management
from support.resources import PROBE, Resources
from support.server import BINARY, environment, wait_until
from test_metrics import samples
from test_tls import make_certificate

PASSWORD, TOKEN = "a password of mia", "a-token-0000001"
# Wrong credentials of one test must not block the address of the next.
CONFIG = '[auth.throttle]\nexempt = ["127.0.0.0/8"]\n'
COMMAND_S = 120

DOOR = '''
@DFF.API('Opens with a badge')
def badge():
    return _DFF_HTTP_REQUEST['headers'].get('x-badge') == 'a-badge-of-mia-01'
'''


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE, door=DOOR).basic("staff", {"mia": PASSWORD}).digest("stock", {"mia": PASSWORD})
    made.digest("old", {"mia": PASSWORD}, algorithms=["MD5"])
    made.fixed_field("tokens", {"location": "header", "name": "X-Token", "value": TOKEN}, {"location": "query", "name": "token", "value": TOKEN})
    made.func_auth("door", "probe__door.badge")
    for name, auths in {"open": (), "basic": ("staff",), "digest": ("stock",), "old": ("old",), "fixed": ("tokens",), "func": ("door",), "key": ("api-key",)}.items():
        made.api(name, "probe__main.hello", *auths, methods=["GET", "POST", "HEAD"])
    return made.api("fail", "probe__main.fail").api("rest", "probe__main.rest", methods=["GET", "POST"])


def target(api: str) -> str:
    return f"/api/v1/func-api/{api}/s"


def command(*arguments, code: int = 0, text: str = "") -> subprocess.CompletedProcess:
    words = ["bench", *map(str, arguments)]
    done = subprocess.run([BINARY, *words], input=text, capture_output=True, text=True, timeout=COMMAND_S, env=environment())
    assert done.returncode == code, f"funcgate {' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


def bench(url: str, *options, **more) -> dict:
    """The report as JSON."""
    return json.loads(command(url, "-o", "json", *options, **more).stdout)


def statuses(report: dict) -> dict[int, int]:
    return {row["status"]: row["count"] for row in report["statuses"]}


def is_consistent(report: dict) -> None:
    """What must hold of every report."""
    errors = report["errors"]
    assert report["requests"] == report["succeeded"] + report["failed"]
    assert report["requests"] >= sum(statuses(report).values()) + errors["lost"] + errors["timeout"] + errors["malformed"]
    latency = report["latency"]
    order = [latency[name + "Microseconds"] for name in ("min", "p50", "p90", "p99", "p999", "max")]
    assert order == sorted(order)


@pytest.fixture
def write(tmp_path):
    def make(content: str, name: str = "secret") -> Path:
        path = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        path.write_text(content, encoding="utf-8")
        return path
    return make


@pytest.fixture(scope="module")
def key(server) -> str:
    admin = Management.set_up(server)
    owner = admin.key_owner("agent")
    return admin.key(owner["user"], "bench")[1]


def credentials(kind: str, write, key: str, right: bool) -> list:
    """Options that present them; wrong ones differ in the secret alone."""
    pair = write(f"mia:{PASSWORD if right else 'wrong word'}\n")
    token = write(TOKEN if right else "a-token-0000002")
    return {"open": [], "basic": ["--basic-file", pair], "digest": ["--digest-file", pair], "old": ["--digest-file", pair],
            "fixed-header": ["--fixed-field", "header:X-Token", "--value-file", token], "fixed-query": ["--fixed-field", "query:token", "--value-file", token],
            "func": ["--fixed-field", "header:X-Badge", "--value-file", write("a-badge-of-mia-01" if right else "another")],
            "key": ["--key-file", write((key if right else key[:-2] + ("AA" if key[-2:] != "AA" else "BB")) + "\n")]}[kind]


KINDS = ["open", "basic", "digest", "old", "fixed-header", "fixed-query", "func", "key"]


def calls_of(client, api: str) -> float:
    return sum(value for (name, labels), value in samples(client).items() if name == "funcgate_calls_total" and {"api": api, "outcome": "ok"}.items() <= dict(labels).items())


# --- credentials

@pytest.mark.parametrize("kind", KINDS)
def test_right_credentials_and_exact_numbers(server, client, key, write, kind):
    """Every request is answered 200, and the server counts as many calls as were asked for."""
    api = kind.split("-")[0]
    before = calls_of(client, api)
    report = bench(server.url(target(api)), "--requests", 203, "--connections", 7, "--threads", 2, *credentials(kind, write, key, True))
    is_consistent(report)
    assert (report["requests"], report["succeeded"], report["failed"], statuses(report)) == (203, 203, 0, {200: 203})
    assert report["connectionsOpened"] == 7 and report["dueButNotSent"] == 0 and report["repeatedForStaleNonce"] == 0
    assert report["digestChallenges"] == (7 if kind in ("digest", "old") else 0)
    wait_until(lambda: calls_of(client, api) == before + 203, "203 calls are counted")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "open"])
def test_wrong_credentials(server, key, write, kind):
    report = bench(server.url(target(kind.split("-")[0])), "--requests", 30, "--connections", 3, *credentials(kind, write, key, False), code=1)
    is_consistent(report)
    assert (report["requests"], report["succeeded"], report["failed"]) == (30, 0, 30)
    assert statuses(report) == {401: 30}


@pytest.mark.parametrize("kind", ["basic", "digest", "fixed-query", "key"])
def test_no_secret_is_printed(server, key, write, kind):
    for output in ("table", "json", "yaml"):
        done = command(server.url(target(kind.split("-")[0])), "-o", output, "-n", 3, "-c", 1, *credentials(kind, write, key, True))
        for secret in (PASSWORD, TOKEN, key, "bWlhOmEgcGFzc3dvcmQ"):
            assert secret not in done.stdout + done.stderr


def test_credentials_from_standard_input(server):
    report = bench(server.url(target("digest")), "-n", 5, "-c", 1, "--digest-file", "-", text=f"mia:{PASSWORD}\n")
    assert statuses(report) == {200: 5}


def test_digest_is_asked_of_an_api_that_does_not_ask_for_it(server, write):
    pair = write(f"mia:{PASSWORD}")
    assert "does not ask for HTTP Digest" in command(server.url(target("open")), "-n", 5, "--digest-file", pair, code=1).stderr
    assert "it offers: Basic" in command(server.url(target("basic")), "-n", 5, "--digest-file", pair, code=1).stderr


# --- what is asked

def test_the_expected_status(server):
    assert statuses(bench(server.url(target("basic")), "-n", 20, "--expect", 401)) == {401: 20}
    report = bench(server.url(target("open")), "-n", 20, "--expect", 204, code=1)
    assert (report["succeeded"], report["failed"], statuses(report)) == (0, 20, {200: 20})
    failing = bench(server.url(target("fail")), "-n", 10, "-c", 2, code=1)
    assert failing["succeeded"] == 0 and sum(statuses(failing).values()) == 10 and min(statuses(failing)) >= 500


def test_a_connection_for_each_request(server, write):
    pair = write(f"mia:{PASSWORD}")
    report = bench(server.url(target("digest")), "-n", 60, "-c", 4, "--no-keep-alive", "--digest-file", pair)
    assert statuses(report) == {200: 60}
    assert report["connectionsOpened"] == 60 + 4  # and one for each challenge


def test_the_rate_decides_how_many_are_due(server):
    """50 a second for 2 s are 100, neither more nor less: those that no connection was free for are told."""
    done = subprocess.run([BINARY, "bench", server.url(target("open")), "-o", "json", "--rate", "50", "--duration", "2", "-c", "8"], capture_output=True, text=True,
                          timeout=COMMAND_S, env=environment())
    report = json.loads(done.stdout)
    assert done.returncode == (1 if report["dueButNotSent"] else 0)  # a busy machine may come too late for the last of them
    is_consistent(report)
    assert report["requests"] + report["dueButNotSent"] == 100
    assert report["succeeded"] == report["requests"] and report["wantedRequestsPerSecond"] == 50
    fixed = bench(server.url(target("open")), "--rate", 400, "-n", 90, "-c", 8, "--threads", 2)
    assert fixed["requests"] == 90


def test_a_rate_that_is_not_reached_is_no_success(server):
    """One connection and answers after 200 ms: of 50 per second most are not sent."""
    report = bench(server.url(target("rest") + "?seconds=0.2"), "--rate", 50, "--duration", 1, "-c", 1, code=1)
    is_consistent(report)
    assert report["failed"] == 0 and report["dueButNotSent"] >= 40 and report["requests"] + report["dueButNotSent"] == 50


def test_latency_counts_from_when_a_request_was_due(server):
    """One connection, answers after 200 ms, 50 due per second: the last one had waited for all before it."""
    report = bench(server.url(target("rest") + "?seconds=0.2"), "--rate", 50, "-n", 6, "-c", 1)
    # Due after 0 to 100 ms, answered one after the other in at least 1.2 s.
    assert report["requests"] == 6 and report["latency"]["maxMicroseconds"] >= 1_090_000
    assert report["latency"]["minMicroseconds"] >= 199_000


def test_duration(server):
    report = bench(server.url(target("open")), "--duration", 1, "-c", 4)
    assert report["elapsedMilliseconds"] >= 1000 and report["requests"] > 4 and report["failed"] == 0


def test_tables_and_yaml(server):
    table = command(server.url(target("open")), "-n", 20).stdout
    assert re.search(r"^requests +20  [\d.]+/s$", table, re.M) and re.search(r"^STATUS  ANSWERS\n200     20$", table, re.M)
    assert re.search(r"^latency +p50 +p90 +p99 +p99.9 +max +mean$", table, re.M)
    assert yaml.safe_load(command(server.url(target("open")), "-n", 20, "-o", "yaml").stdout)["succeeded"] == 20


def test_over_tls_the_certificate_is_checked(make_server, tmp_path, write):
    certificate, private = make_certificate(tmp_path / "tls", "gate")
    served = make_server(resources(), config=f'[server]\ntls_certificate = "{certificate}"\ntls_key = "{private}"\n')
    url = f"https://127.0.0.1:{served.port}"
    pair = write(f"mia:{PASSWORD}")
    for options in (["--keep-alive"], ["--no-keep-alive"]):
        report = bench(url + target("digest"), "--ca-file", certificate, "-n", 40, "-c", 4, "--digest-file", pair, *options)
        assert statuses(report) == {200: 40}
    assert "not trusted" in command(url + target("open"), "-n", 5, code=6).stderr
    assert "cannot be read" in command(url + target("open"), "-n", 5, "--ca-file", tmp_path / "none", code=7).stderr
    # The certificate is for 127.0.0.1 alone.
    assert "not trusted" in command(f"https://localhost:{served.port}" + target("open"), "-n", 5, "--ca-file", certificate, code=6).stderr


# --- what goes wrong

@pytest.mark.parametrize("arguments", [
    ["hello"], ["ftp://127.0.0.1/"], ["http://127.0.0.1:99999/"], ["http://mia:word@127.0.0.1/"], ["http://127.0.0.1/#x"], [],
    ["http://127.0.0.1/", "--connections", "10001"], ["http://127.0.0.1/", "--connections", "many"], ["http://127.0.0.1/", "--rate", "0"],
    ["http://127.0.0.1/", "--duration", "5", "--requests", "5"], ["http://127.0.0.1/", "--header", "Authorization: x"], ["http://127.0.0.1/", "--expect", "99"],
    ["http://127.0.0.1/", "-o", "xml"], ["http://127.0.0.1/", "--insecure"], ["http://192.0.2.1/"], ["http://192.0.2.1/", "--connections", "1"],
    ["http://192.0.2.1/", "--allow-remote", "--key-file", "/dev/stdin"],
], ids=lambda arguments: " ".join(arguments))
def test_usage(arguments):
    done = command(*arguments, code=2, text="a.b.c")
    assert done.stdout == "" and done.stderr


def test_files_that_are_not_there(server, tmp_path):
    for option in ("--key-file", "--basic-file", "--digest-file"):
        command(server.url(target("open")), option, tmp_path / "none", code=3)
    command(server.url(target("open")), "--body", f"@{tmp_path / 'none'}", code=3)


def test_a_connection_that_ends_during_the_handshake_is_no_signal():
    """Long before the load: SIGPIPE is ignored as soon as there is a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        load = running(f"https://127.0.0.1:{listener.getsockname()[1]}/", "-n", 1, "--timeout", 20)
        try:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(1) == b"\x16", "the handshake begins"
                ignored = next(line for line in Path(f"/proc/{load.pid}/status").read_text().splitlines() if line.startswith("SigIgn:"))
                assert int(ignored.split()[1], 16) >> (signal.SIGPIPE - 1) & 1
            _, errors = load.communicate(timeout=60)
        finally:
            load.kill()
            load.wait(10)
    assert load.returncode == 6, errors


@pytest.mark.parametrize("fault", ["ENOSYS", "EPERM", "EINTR:when=1..40"])
def test_a_kernel_that_cannot_wait_in_nanoseconds(server, fault):
    """Older ones and some sandboxes do not know epoll_pwait2; a wait may be interrupted, too."""
    done = broken_command([f"epoll_pwait2:error={fault}"], "bench", server.url(target("open")), "-o", "json", "-n", 30, "-c", 3, "--rate", 300)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    is_consistent(report)
    assert statuses(report) == {200: 30}


def test_a_wait_that_fails_ends_the_load(server):
    """And does not make it turn round and round until its end."""
    done = broken_command(["epoll_pwait2:error=EBADF"], "bench", server.url(target("open")), "-n", 30, "-c", 3)
    assert done.returncode == 1 and "cannot wait for the connections" in done.stderr, done.stderr


def test_unreachable():
    assert "cannot connect to 127.0.0.1:9: Connection refused" in command("http://127.0.0.1:9/x", code=6).stderr
    assert "cannot be resolved" in command("http://no-such-host.invalid/", code=6).stderr


def running(*arguments) -> subprocess.Popen:
    return subprocess.Popen([BINARY, "bench", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())


@pytest.mark.parametrize("options", [[], ["--no-keep-alive"], ["--rate", "500"]], ids=["keep-alive", "no-keep-alive", "rate"])
def test_a_server_that_dies_ends_the_load(make_server, options):
    served = make_server(resources())
    load = running(served.url(target("open")), "-o", "json", "--duration", 300, "-c", 4, *options)
    wait_until(lambda: calls_of(served.client, "open") > 50, "the load has begun")
    served.kill()
    output, errors = load.communicate(timeout=60)
    assert load.returncode == 6, errors
    assert "can no longer be reached" in errors and "Connection refused" in errors
    report = json.loads(output)
    is_consistent(report)
    assert report["succeeded"] > 50 and report["errors"]["connect"] > 0


def test_an_interrupt_ends_it_with_a_report(server, client):
    before = calls_of(client, "open")
    load = running(server.url(target("open")), "-o", "json", "--duration", 300, "-c", 2)
    wait_until(lambda: calls_of(client, "open") > before + 50, "the load has begun")
    load.send_signal(signal.SIGINT)
    output, _ = load.communicate(timeout=60)
    report = json.loads(output)
    assert load.returncode == 1 and report["interrupted"] is True
    is_consistent(report)
    assert report["requests"] > 50 and report["failed"] == 0
    # What was sent was waited for: the server has run no more than that.
    wait_until(lambda: calls_of(client, "open") == before + report["requests"], "both count the same")


class Peer:
    """A server of the test's own: `serve(connection, head)` is called with each request's head and may send, or end it by returning False."""

    def __init__(self, serve):
        self.serve, self.heads, self.lock = serve, [], threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/path?q=1"
        self.accepted = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.accepted += 1
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        with connection, connection.makefile("rb") as stream:
            try:
                while True:
                    head = b""
                    while not head.endswith(b"\r\n\r\n"):
                        line = stream.readline()
                        if not line:
                            return
                        head += line
                    length = re.search(rb"(?i)content-length: (\d+)", head)
                    body = stream.read(int(length.group(1))) if length else b""
                    with self.lock:
                        self.heads.append((head.decode(), body))
                    if self.serve(connection, head.decode()) is False:
                        return
            except OSError:
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def sends(*pieces: bytes, ends: bool = False):
    def serve(connection, _):
        for piece in pieces:
            connection.sendall(piece)
        return not ends
    return serve


@pytest.mark.parametrize(("name", "serve", "status"), [
    ("chunks", sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n"), 200),
    ("pieces", sends(b"HTTP/1.1 20", b"1 Created\r\nContent-Le", b"ngth: 4\r\n\r\nab", b"cd"), 201),
    ("no length", sends(b"HTTP/1.1 200 OK\r\n\r\nsome text", ends=True), 200),
    ("close", sends(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", ends=True), 200),
    ("interim", sends(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 200),
    ("large", sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000), 200),
])
def test_answers_of_every_form(name, serve, status):
    with Peer(serve) as peer:
        report = bench(peer.url, "-n", 20, "-c", 2)
    is_consistent(report)
    assert statuses(report) == {status: 20} and report["failed"] == 0
    assert len(peer.heads) == 20
    # One may be opened for a request that the other has taken meanwhile.
    assert report["connectionsOpened"] in ((20, 21) if name in ("no length", "close") else (2,))


def test_the_request_is_what_was_asked_for(write):
    body = write('{"a": 2}', "body")
    with Peer(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as peer:
        bench(peer.url, "-n", 1, "-c", 1, "--body", f"@{body}", "--header", "X-One: 1", "--header", "X-Two:two words ", "--method", "patch")
    port = peer.url.split(":")[2].split("/")[0]
    head, content = peer.heads[0]
    lines = head.split("\r\n")
    assert lines[0] == "PATCH /path?q=1 HTTP/1.1" and content == b'{"a": 2}'
    assert {f"Host: 127.0.0.1:{port}", "X-One: 1", "X-Two: two words", "Content-Type: application/json", "Content-Length: 8"} <= set(lines)


def test_head_has_no_body():
    with Peer(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")) as peer:
        report = bench(peer.url, "-n", 10, "-c", 1, "--method", "HEAD")
    assert statuses(report) == {200: 10} and report["connectionsOpened"] == 1


def test_no_answer_is_a_time_out():
    with Peer(lambda connection, head: None) as peer:
        report = bench(peer.url, "-n", 6, "-c", 2, "--timeout", "0.3", code=1)
    is_consistent(report)
    assert report["errors"]["timeout"] == 6 and report["requests"] == 6 and statuses(report) == {}
    assert report["latency"]["minMicroseconds"] >= 300_000


@pytest.mark.parametrize(("serve", "error"), [
    (sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "malformed"), (sends(ends=True), "lost"), (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", ends=True), "lost"),
    (sends(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), "malformed"),
], ids=["another protocol", "nothing", "half", "no length"])
def test_what_is_no_answer_is_counted(serve, error):
    with Peer(serve) as peer:
        report = bench(peer.url, "-n", 12, "-c", 2, code=1)
    is_consistent(report)
    assert (report["requests"], report["succeeded"], report["errors"][error]) == (12, 0, 12)
    assert report["firstError"]


def test_an_early_refusal_of_a_large_body_is_its_answer(write):
    """The peer answers 413 after the head and closes; the rest of the body finds nobody."""
    big = write("x" * 5_000_000, "big")

    def refuse(connection):
        with connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                if line == b"\r\n":
                    connection.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError):  # the caller need not wait for the end
                    refuse(connection)
        threading.Thread(target=accept, daemon=True).start()
        report = bench(f"http://127.0.0.1:{listener.getsockname()[1]}/", "-n", 5, "-c", 1, "--body", f"@{big}", "--expect", 413)
    assert statuses(report) == {413: 5}


def test_nonces_that_end_are_replaced(write):
    """A Digest server whose nonces are good for three requests and then stale; counts must rise by one, responses must be right."""
    problems, lock, uses = [], threading.Lock(), {}

    def challenge(stale: bool) -> bytes:
        nonce = os.urandom(8).hex()
        with lock:
            uses[nonce] = 0
        extra = ", stale=true" if stale else ""
        line = f'WWW-Authenticate: Digest realm="peer", qop="auth", algorithm=SHA-256-sess, nonce="{nonce}"{extra}\r\n'
        return f"HTTP/1.1 401 No\r\n{line}Content-Length: 0\r\n\r\n".encode()

    def serve(connection, head):
        found = re.search(r"Authorization: Digest (.*)\r\n", head)
        if not found:
            connection.sendall(challenge(False))
            return
        values = parameters(found.group(1))[0]
        nonce = values["nonce"]
        ha1 = digest("SHA-256", digest("SHA-256", "mia", "peer", PASSWORD), nonce, values["cnonce"])
        right = digest("SHA-256", ha1, nonce, values["nc"], values["cnonce"], "auth", digest("SHA-256", "GET", "/path?q=1"))
        with lock:
            uses[nonce] += 1
            if values["response"] != right or int(values["nc"], 16) != uses[nonce]:
                problems.append(values)
            worn_out = uses[nonce] > 3
        connection.sendall(challenge(True) if worn_out else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with Peer(serve) as peer:
        report = bench(peer.url, "-n", 60, "-c", 4, "--digest-file", write(f"mia:{PASSWORD}"))
    assert not problems
    assert statuses(report) == {200: 60} and report["digestChallenges"] == 4
    # A new nonce after every third request of a connection; how many each of them has made is not known.
    assert 16 <= report["repeatedForStaleNonce"] <= 18
