"""TLS: requireTls, certificates read again, what a trusted proxy may say, and the end of a connection (authentication §1)."""

import signal
import socket
import ssl
import subprocess

import pytest

from support.credentials import basic
from support.resources import PROBE, Resources
from support.server import wait_until
from support.wire import Client, Connection, File, fresh_address, request_bytes

PASSWORD = "a password of mia"
TOKEN = {"X-Token": "a-token-0000001"}
TARGET = "/api/v1/func-api/{}/s"


LARGE = """
@DFF.API('Large')
def large():
    return DFF.RESP_LARGE_DATA('y' * 12_000_000)

@DFF.API('Send back')
def back(files):
    return DFF.RESP_FILE(files[0]['filePath'])
"""


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE).scripts("much", main=LARGE)
    made.api("large", "much__main.large").api("back", "much__main.back", acceptFiles=True)
    made.fixed_field("tokens", {"location": "header", "name": "X-Token", "value": TOKEN["X-Token"]}, requireTls=True)
    made.basic("staff", {"mia": PASSWORD}, requireTls=True).basic("plain", {"mia": PASSWORD}, realm="plain")
    made.digest("stock", {"mia": PASSWORD}, requireTls=True)
    return (made.api("see", "probe__main.see", "tokens", methods=["GET", "POST", "HEAD"]).api("both", "probe__main.see", "tokens", "staff").api("digest", "probe__main.see", "stock")
            .api("either", "probe__main.see", "tokens", "plain").api("count", "probe__main.count", "tokens").api("counted", "probe__main.counted")
            .api("open", "probe__main.see"))


def make_certificate(folder, name: str):
    """A certificate for 127.0.0.1 that has signed itself, and its key."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, private = folder / "server.pem", folder / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-out", certificate, "-keyout", private], check=True, capture_output=True, timeout=60)
    return certificate, private


class TlsConnection(Connection):
    """The same client, inside TLS; `certificate`: the only one that is trusted."""

    def __init__(self, port: int, certificate, address: str | None = None, timeout_s: float = 30.0, **limits):
        super().__init__(port, address, timeout_s)
        context = ssl.create_default_context(cafile=str(certificate))
        for name, value in limits.items():
            setattr(context, name, value)
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")

    def subject(self) -> str:
        return dict(part[0] for part in self.socket.getpeercert()["subject"])["commonName"]


class TlsClient(Client):
    def __init__(self, port: int, certificate, address: str | None = None):
        super().__init__(port, address)
        self.certificate = certificate

    def connect(self, timeout_s: float = 30.0) -> TlsConnection:
        return TlsConnection(self.port, self.certificate, self.address, timeout_s)


@pytest.fixture
def tls(make_server, tmp_path):
    """(server, certificate, client) of a server that speaks HTTPS."""
    certificate, private = make_certificate(tmp_path / "tls", "first")
    server = make_server(resources(), f'[server]\ntls_certificate = "{certificate}"\ntls_key = "{private}"\n')
    return server, certificate, TlsClient(server.port, certificate)


def plain_http_is_closed(answer) -> None:
    """403.44, and neither a challenge nor a word about credentials."""
    answer.refused("403.44")
    assert answer.all("WWW-Authenticate") == [] and "detail" not in answer.json


def test_plain_http_is_refused(client):
    """authentication §1: all entries closed: 403.44, whether the credential is right, wrong or absent; nothing runs, nothing counts."""
    here = client.pinned()
    for _ in range(12):
        for headers in (TOKEN, {}, {"X-Token": "a-wrong-token-1"}):
            plain_http_is_closed(here.get(TARGET.format("see"), headers))
    for headers in (TOKEN, basic("mia", PASSWORD), basic("mia", "wrong word"), {}):
        plain_http_is_closed(here.get(TARGET.format("both"), headers))
        plain_http_is_closed(here.get(TARGET.format("digest"), headers))
    plain_http_is_closed(here.get(TARGET.format("count"), TOKEN))
    assert client.get(TARGET.format("counted")).expect(200).json == 0


def test_open_entry_beside_a_closed_one(client):
    """authentication §1: the closed entry is neither evaluated nor challenged; the other one decides."""
    client.get(TARGET.format("either"), basic("mia", PASSWORD)).expect(200)
    for headers in ({}, TOKEN, basic("mia", "wrong word")):
        answer = client.get(TARGET.format("either"), headers).refused("401.99")
        assert answer.all("WWW-Authenticate") == ['Basic realm="plain", charset="UTF-8"']
    # Its field is a credential all the same: it reaches no function.
    request = client.get(TARGET.format("either"), {**TOKEN, **basic("mia", PASSWORD)}).expect(200).json["request"]
    assert "x-token" not in request["headers"]


@pytest.mark.parametrize("headers", [
    {"X-Forwarded-Proto": "https"}, {"Forwarded": "proto=https"}, {"X-Forwarded-Ssl": "on"}, {"Front-End-Https": "on"}, {"X-Forwarded-Scheme": "https"},
    {"X-Url-Scheme": "https"}, {"X-Forwarded-Port": "443"}, {"Upgrade-Insecure-Requests": "1"}], ids=lambda headers: next(iter(headers)))
def test_strangers_cannot_claim_tls(client, headers):
    """authentication 13: no header of an untrusted peer makes a plain request one over TLS."""
    plain_http_is_closed(client.get(TARGET.format("see"), {**TOKEN, **headers}))


def test_absolute_https_target_is_not_tls(client):
    """authentication 13: the scheme in the request line is the caller's word too."""
    answer = client.get(f"https://127.0.0.1:{client.port}" + TARGET.format("see"), TOKEN)
    assert answer.error in ("403.44", "400.43"), answer.body


def test_trusted_proxy_says_tls(make_server):
    """authentication §1: a trusted proxy's X-Forwarded-Proto decides, both ways; anything but https is not TLS."""
    client = make_server(resources(), '[server]\ntrusted_proxies = ["127.0.0.0/8"]\n').client
    for value in ("https", "HTTPS"):
        client.get(TARGET.format("see"), {**TOKEN, "X-Forwarded-Proto": value}).expect(200)
    answer = client.get(TARGET.format("both"), {"X-Forwarded-Proto": "https"}).refused("401.99")
    assert len(answer.all("WWW-Authenticate")) == 2
    for value in ("http", "", "httpss", "https,http", "http,https", "ws"):
        plain_http_is_closed(client.get(TARGET.format("see"), {**TOKEN, "X-Forwarded-Proto": value}))
    plain_http_is_closed(client.get(TARGET.format("see"), TOKEN))
    plain_http_is_closed(client.get(TARGET.format("see"), [*TOKEN.items(), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")]))


def test_accepted_over_tls(tls):
    """authentication §1: over TLS the same entries decide as usual, and the function sees https."""
    _, _, client = tls
    request = client.get(TARGET.format("see"), TOKEN).expect(200).json["request"]
    assert request["protocol"] == "https" and request["url"].startswith("/")
    client.get(TARGET.format("both"), basic("mia", PASSWORD)).expect(200)
    client.get(TARGET.format("see"), {"X-Token": "a-wrong-token-1"}).refused("401.99")
    answer = client.get(TARGET.format("both")).refused("401.99")
    assert len(answer.all("WWW-Authenticate")) == 2
    assert answer.json["reqDump"]["url"].startswith("https://")
    # A proxy that nobody trusts cannot take it away either.
    client.get(TARGET.format("see"), {**TOKEN, "X-Forwarded-Proto": "http"}).expect(200)


def test_kept_alive_bodies_and_pipelines(tls):
    """TLS changes nothing of HTTP/1.1: bodies of every size, pipelined requests, large answers, HEAD."""
    _, _, client = tls
    with client.connect() as connection:
        assert connection.socket.selected_alpn_protocol() == "http/1.1"
        for size in (0, 1, 16383, 16384, 16385, 200_000):
            body = b'{"text": "' + b"x" * size + b'"}'
            connection.send(request_bytes("POST", TARGET.format("open"), {"Content-Type": "application/json"}, body))
            assert len(connection.read().expect(200).json["kwargs"]["text"]) == size
        connection.send(b"".join(request_bytes("GET", TARGET.format("see") + f"?n={n}", TOKEN) for n in range(5)))
        assert [connection.read().expect(200).json["kwargs"]["n"] for _ in range(5)] == ["0", "1", "2", "3", "4"]
        connection.send(request_bytes("HEAD", TARGET.format("see"), TOKEN))
        assert connection.read("HEAD").expect(200).body == b""
        for piece in (request_bytes("GET", TARGET.format("see"), TOKEN)[index:index + 7] for index in range(0, 200, 7)):
            connection.send(piece)
        connection.read().expect(200)


def test_more_than_a_socket_holds(tls):
    """Uploads, files and answers larger than all buffers go through whole, and whoever takes his time keeps nobody waiting."""
    _, _, client = tls
    content = bytes(range(256)) * 20_000
    answer = client.post(TARGET.format("back"), parts=[File("f", "a.bin", content)]).expect(200)
    assert answer.body == content
    with client.connect() as slow:
        slow.send(request_bytes("GET", TARGET.format("large")))
        for _ in range(20):
            client.get(TARGET.format("open")).expect(200)
        assert slow.read().expect(200).body == b"y" * 12_000_000


def test_reload_without_dropping_connections(tls, tmp_path):
    """SIGHUP: new connections get the new certificate, an open one goes on with the old; a broken pair keeps what works."""
    server, old, client = tls
    request = request_bytes("GET", TARGET.format("see"), TOKEN)
    kept = client.connect()
    kept.send(request)
    kept.read().expect(200)
    assert kept.subject() == "first"

    make_certificate(tmp_path / "tls", "second")
    new = tmp_path / "tls" / "server.pem"
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: any(event.get("event") == "tls.reloaded" for event in server.events()), "the certificate is read again")
    kept.send(request)
    kept.read().expect(200)
    with TlsConnection(server.port, new) as connection:
        assert connection.subject() == "second"
        connection.send(request)
        connection.read().expect(200)

    (tmp_path / "tls" / "server.key").write_text("no key at all\n")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: any(event.get("event") == "tls.reload_failed" for event in server.events()), "the broken pair is told")
    with TlsConnection(server.port, new) as connection:
        assert connection.subject() == "second"
        connection.send(request)
        connection.read().expect(200)
    kept.send(request)
    kept.read().expect(200)
    kept.close()


def test_wrong_key_is_told_at_the_start(tmp_path):
    """A key of another certificate ends the start with a sentence that names both files, and never serves plain HTTP instead."""
    from support.server import command
    certificate, _ = make_certificate(tmp_path / "one", "one")
    _, foreign = make_certificate(tmp_path / "two", "two")
    config = tmp_path / "funcgate.toml"
    config.write_text(f'[server]\ntls_certificate = "{certificate}"\ntls_key = "{foreign}"\n')
    done = command("serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--config", config)
    assert done.returncode == 78, done.stderr
    assert str(certificate) in done.stderr and str(foreign) in done.stderr and "server.ready" not in done.stderr


def test_close_is_announced(tls):
    """A close of TLS says so (close_notify): a cut answer could not be told from a whole one otherwise."""
    _, _, client = tls
    with client.connect() as connection:
        connection.send(request_bytes("GET", TARGET.format("see"), {**TOKEN, "Connection": "close"}))
        answer = connection.read().expect(200)
        assert answer.header("Connection") == "close"
        connection.socket.suppress_ragged_eofs = False
        assert connection.socket.recv(1) == b"", "an end without close_notify raises here"


def test_idle_connections_end_with_the_server(tls):
    """SIGTERM ends idle TLS connections at once."""
    server, _, client = tls
    connection = client.connect()
    connection.send(request_bytes("GET", TARGET.format("see"), TOKEN))
    connection.read().expect(200)
    assert server.stop() == 0
    assert connection.socket.recv(1) == b""
    connection.close()


def test_old_protocols_and_plain_text_are_refused(tls):
    """TLS 1.2 and 1.3 only; plain HTTP on the TLS port gets no answer of a function, and the server goes on."""
    server, certificate, client = tls
    for version, works in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
        limits = {"minimum_version": version if works else ssl.TLSVersion.TLSv1, "maximum_version": version}
        if works:
            TlsConnection(server.port, certificate, **limits).close()
        else:
            with pytest.raises((ssl.SSLError, ConnectionError, ValueError)):
                TlsConnection(server.port, certificate, **limits)
    with Connection(server.port, fresh_address()) as connection:
        connection.send(request_bytes("GET", TARGET.format("open")))
        received = b""
        try:
            while more := connection.socket.recv(65536):
                received += more
        except ConnectionResetError:
            pass
        assert b"200 OK" not in received
    client.get(TARGET.format("see"), TOKEN).expect(200)


def test_unfinished_handshakes_hold_nothing_up(make_server, tmp_path):
    """authentication 76: peers that stop in the middle of a handshake are dropped in time, and others are served meanwhile."""
    certificate, private = make_certificate(tmp_path / "tls", "first")
    config = f'[server]\ntls_certificate = "{certificate}"\ntls_key = "{private}"\n[limits]\nheader_read_ms = 1000\n'
    server = make_server(resources(), config)
    silent = [Connection(server.port) for _ in range(50)]
    for number, connection in enumerate(silent):
        if number % 2:
            connection.send(b"\x16\x03\x01\x02\x00\x01")
    TlsClient(server.port, certificate).get(TARGET.format("see"), TOKEN).expect(200)
    for connection in silent:
        connection.socket.settimeout(30)
        try:
            while connection.socket.recv(4096):
                pass
        except (ConnectionResetError, socket.timeout) as error:
            assert not isinstance(error, socket.timeout), "an unfinished handshake stays open"
        connection.close()
    TlsClient(server.port, certificate).get(TARGET.format("see"), TOKEN).expect(200)
