"""Framing, paths, limits, preflight: what is decided before and beside authentication (statements 10 to 16, 24, 52, 76; function-apis §4, §15)."""

import gzip
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.resources import PROBE, Resources
from support.wire import request_bytes

TOKEN = {"X-Token": "a-token-for-http"}
CONFIG = """
[limits]
body_bytes = 200000
header_read_ms = 1500
body_read_ms = 1500
idle_ms = 4000
"""


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE)
    made.fixed_field("tokens", {"location": "header", "name": "X-Token", "value": TOKEN["X-Token"]})
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
    made.api("open", "probe__main.echo").api("see", "probe__main.see").api("rest", "probe__main.rest").api("hello", "probe__main.hello")
    made.api("basket", "probe__main.echo", "tokens", methods=methods, corsOrigins=["https://shop.example"])
    made.api("basket2", "probe__main.hello", methods=methods)
    made.api("Basket3", "probe__main.hello", "tokens").api("basket3", "probe__main.hello")
    made.api("wide", "probe__main.hello", corsOrigins=["*"])
    made.api("small", "probe__main.echo", maxBodyBytes=1000)
    return made


# --- framing (12)

GET = b"GET /api/v1/al/open/s HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /api/v1/al/open/s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
NEXT = b"GET /api/v1/al/open/s?smuggled=1 HTTP/1.1\r\nHost: x\r\n\r\n"

MALFORMED = {
    "two equal lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length list": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "length with sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "hex length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "length with blank": POST + b"Content-Length: 2 2\r\n\r\n{}",
    "empty length": POST + b"Content-Length: \r\n\r\n{}",
    "length with underscore": POST + b"Content-Length: 1_0\r\n\r\n{}",
    "length beyond 64 bits": POST + b"Content-Length: 18446744073709551618\r\n\r\n{}",
    "length and chunked": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "misspelled chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two transfer codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "blank before colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "length blank before colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "chunked in HTTP/1.0": POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded line": GET + b"X-A: 1\r\n 2\r\n\r\n",
    "folded line with tab": GET + b"X-A: 1\r\n\tTransfer-Encoding: chunked\r\n\r\n",
    "bare line feeds": b"GET /api/v1/al/open/s HTTP/1.1\nHost: x\n\n",
    "bare line feed in the head": GET + b"X-A: 1\nX-B: 2\r\n\r\n",
    "bare line feed at the end": GET + b"X-A: 1\r\n\n",
    "bare carriage return": GET + b"X-A: 1\rX-B: 2\r\n\r\n",
    "carriage return twice": GET + b"X-A: 1\r\r\n\r\n",
    "NUL in a value": GET + b"X-A: 1\x002\r\n\r\n",
    "NUL in a name": GET + b"X\x00A: 1\r\n\r\n",
    "name with a blank": GET + b"X A: 1\r\n\r\n",
    "name with a bracket": GET + b"X(A): 1\r\n\r\n",
    "no name": GET + b": 1\r\n\r\n",
    "no colon": GET + b"X-A\r\n\r\n",
    "two hosts": GET + b"Host: y\r\n\r\n",
    "two equal hosts": GET + b"Host: x\r\n\r\n",
    "no host": b"GET /api/v1/al/open/s HTTP/1.1\r\n\r\n",
    "host with a path": b"GET /api/v1/al/open/s HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "host with a user": b"GET /api/v1/al/open/s HTTP/1.1\r\nHost: a@x\r\n\r\n",
    "fragment": b"GET /api/v1/al/open/s#part HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in the target": b"GET /api/v1/al/open/s\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "control byte in the target": b"GET /api/v1/al/\x01open/s HTTP/1.1\r\nHost: x\r\n\r\n",
    "delete byte in the target": b"GET /api/v1/al/open/s\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
    "tab in the request line": b"GET\t/api/v1/al/open/s HTTP/1.1\r\nHost: x\r\n\r\n",
    "two blanks": b"GET  /api/v1/al/open/s HTTP/1.1\r\nHost: x\r\n\r\n",
    "blank in the target": b"GET /api/v1/al/open/s x HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /api/v1/al/open/s\r\nHost: x\r\n\r\n",
    "unknown version": b"GET /api/v1/al/open/s HTTP/1.9x\r\nHost: x\r\n\r\n",
    "lower-case version": b"GET /api/v1/al/open/s http/1.1\r\nHost: x\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n",
    "chunk size that is no number": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "negative chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "chunk with prefix": POST + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "chunk size overflow": POST + b"Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n",
    "chunk data too long": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n",
    "bare line feed after a chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests(client, name):
    """authentication 12: 400 and closed, nothing behind it is read as a request."""
    with client.connect() as connection:
        connection.send(MALFORMED[name] + NEXT)
        answer = connection.read("POST")
        answer.refused("400.43")
        assert answer.json["reason"] == "EClientBadRequest"
        assert connection.is_closed_by_server(), "the connection stays open, or a second answer came"
        assert "smuggled" not in answer.text


def test_fragment_with_credentials(client):
    """authentication 12: a fragment is 400 for everybody."""
    client.get("/api/v1/al/basket/s#x", TOKEN).refused("400.43")


# --- paths (10, 11)

PATHS = ["/api/v1/al/basket/", "/api/v1/al/basket//", "/api/v1/al/basket/s/", "/api/v1/al/basket//s", "//api/v1/al/basket", "/api//v1/al/basket", "/api/v1//al/basket",
         "/api/v1/al//basket", "/./api/v1/al/basket", "/api/v1/./al/basket", "/api/v1/al/./basket", "/api/v1/x/../al/basket", "/api/v1/al/basket2/../basket",
         "/api/v1/al/basket/.", "/api/v1/al/basket/..", "/api/v1/al/%62asket", "/api/v1/al/basket%2fs", "/api/v1/al%2fbasket", "/api/v1/al/%2e/basket",
         "/api/v1/al/%2e%2e/al/basket", "/api/v1/al/basket%252fs", "/api/v1/al/basket%5cs", "/api/v1/al/basket%00", "/api/v1/al/basket%20", "/api/v1/al/basket;x",
         "/api/v1/al/basket;/s", "/api/v1/al;x/basket", "/api/v1/al\\basket", "/api\\v1\\al\\basket", "/api/v1/al/basket\\s", "/API/v1/al/basket", "/api/V1/al/basket",
         "/api/v1/AL/basket", "/api/v1/al/BASKET", "/api/v1/al/Basket", "/api/v1/al/basket/S", "/api/v1/al/basket/Simplified", "/api/v1/al/basket/normal/s",
         "/api/v1/al/basket/s/s", "/api/v1/al/basket/x", "/api/v1/bat/basket", "/api/v1/func/basket", "/api/v1/al/", "/api/v1/al", "/api/v2/al/basket", "/basket",
         "/api/v1/al/baske", "/api/v1/al/basket1", "/api/v1/al/ basket".replace(" ", "%09")]


@pytest.mark.parametrize("path", PATHS)
def test_other_spellings_are_unknown(client, path):
    """authentication 10, function-apis §4: matched on raw bytes, nothing decoded; with or without credentials 404.41."""
    client.get(path).refused("404.41")
    client.get(path, TOKEN).refused("404.41")
    client.get(path + "?x=1", TOKEN).refused("404.41")


def test_ids_are_whole_and_case_sensitive(client):
    """authentication 11: `basket` never covers `basket2`; ids that fold to each other are two APIs."""
    client.get("/api/v1/al/basket2/s").expect(200)
    client.get("/api/v1/al/basket/s").refused("401.99")
    client.get("/api/v1/al/basket3/s").expect(200)
    client.get("/api/v1/al/Basket3/s").refused("401.99")
    client.get("/api/v1/al/BASKET3/s").refused("404.41")


# --- what changes no verdict (13, 14, 16)

@pytest.mark.parametrize("headers", [
    {"X-HTTP-Method-Override": "OPTIONS"}, {"X-Method-Override": "GET"}, {"X-HTTP-Method": "HEAD"}, {"X-Original-URL": "/api/v1/al/open/s"},
    {"X-Rewrite-URL": "/api/v1/al/open/s"}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Real-IP": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"},
    {"X-Forwarded-Prefix": "/api/v1/al/open"}, {"X-Forwarded-Uri": "/api/v1/al/open/s"}, {"User-Agent": "funcgate"}, {"Referer": "http://127.0.0.1/console"},
    {"Origin": "https://shop.example"}, {"X-Authenticated-User": "admin"}, {"Remote-User": "admin"}, {"Cookie": "X-Token=a-token-for-http"},
    {"Authorization": "Bearer a-token-for-http"}, {"Authorization": "a-token-for-http"}, {"Proxy-Authorization": "Basic YTpi"},
], ids=str)
def test_headers_that_open_nothing(client, headers):
    """authentication 13, function-apis §4: method-override, original-URL, forwarding headers change no verdict."""
    for method in ("GET", "POST"):
        answer = client.call(method, "/api/v1/al/basket/s", headers)
        answer.refused("401.99")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "FOO", "get", "Get"])
def test_other_methods_never_reach_an_api(client, method):
    """authentication 14: TRACE and CONNECT never reach an API, nor do unknown methods."""
    for target in ("/api/v1/al/basket2/s", "/api/v1/al/open/s"):
        answer = client.call(method, target)
        assert answer.status in (400, 405, 501), answer.body
        assert b"Hello" not in answer.body


def test_connect_with_an_authority(client):
    """authentication 14."""
    assert client.call("CONNECT", "example.net:443").status in (400, 404, 405)


def test_method_that_is_not_listed(client):
    """function-apis §15 step 4: 405.44 with Allow, before credentials are asked for."""
    answer = client.call("PUT", "/api/v1/al/open/s", json={}).refused("405.44")
    assert sorted(name.strip() for name in answer.header("Allow").split(",")) == ["GET", "OPTIONS", "POST"] or \
        sorted(name.strip() for name in answer.header("Allow").split(",")) == ["GET", "POST"]


# --- preflight and CORS (15)

PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-token"}


def test_preflight_of_a_listed_origin(client):
    """authentication 15, function-apis §4: 204 without credentials, from corsOrigins only."""
    answer = client.call("OPTIONS", "/api/v1/al/basket/s", {"Origin": "https://shop.example", **PREFLIGHT}).expect(204)
    assert answer.header("Access-Control-Allow-Origin") == "https://shop.example"
    assert "POST" in answer.header("Access-Control-Allow-Methods")
    assert answer.header("Access-Control-Allow-Credentials") is None
    assert "origin" in answer.header("Vary").lower()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://shop.example.evil.example", "http://shop.example", "https://SHOP.example:444", "https://shop.example/", "*"])
def test_preflight_of_other_origins(client, origin):
    """authentication 15: a foreign or null origin gets no CORS header, neither in the preflight nor in the answer."""
    for answer in (client.call("OPTIONS", "/api/v1/al/basket/s", {"Origin": origin, **PREFLIGHT}), client.get("/api/v1/al/basket/s", {"Origin": origin, **TOKEN})):
        assert not [name for name, _ in answer.fields if name.lower().startswith("access-control-")]


def test_cors_headers_of_answers(client):
    """function-apis §17: CORS headers only for a listed origin, with Vary: Origin, also on refusals."""
    for headers, status in ((TOKEN, 200), ({}, 401)):
        answer = client.get("/api/v1/al/basket/s", {"Origin": "https://shop.example", **headers}).expect(status)
        assert answer.header("Access-Control-Allow-Origin") == "https://shop.example"
        assert "origin" in (answer.header("Vary") or "").lower()
        assert answer.header("Access-Control-Allow-Credentials") is None


def test_wildcard_origin(client):
    """function-apis §3: `*` only with anonymous APIs, never together with credentials permission."""
    answer = client.get("/api/v1/al/wide/s", {"Origin": "https://anywhere.example"}).expect(200)
    assert answer.header("Access-Control-Allow-Origin") in ("*", "https://anywhere.example")
    assert answer.header("Access-Control-Allow-Credentials") is None


def test_preflight_runs_nothing_and_tells_nothing(client):
    """authentication 15: OPTIONS never runs the function."""
    answer = client.call("OPTIONS", "/api/v1/al/open/s", {"Origin": "https://evil.example", **PREFLIGHT})
    assert answer.body == b"" or b"kwargs" not in answer.body


# --- connections

def test_pipelining(client):
    """Pipelined requests are answered in their order, whatever they are."""
    requests, expected = b"", []
    for number in range(60):
        kind = number % 4
        if kind == 0:
            requests += request_bytes("GET", f"/api/v1/al/open/s?n={number}")
            expected.append(200)
        elif kind == 1:
            requests += request_bytes("GET", "/api/v1/al/basket/s")
            expected.append(401)
        elif kind == 2:
            requests += request_bytes("POST", "/api/v1/al/open/s", {"Content-Type": "application/json"}, b'{"n":"%d"}' % number)
            expected.append(200)
        else:
            requests += request_bytes("GET", "/api/v1/al/nowhere")
            expected.append(404)
    with client.connect() as connection:
        connection.send(requests)
        for number, status in enumerate(expected):
            answer = connection.read().expect(status)
            if status == 200:
                assert answer.json["kwargs"]["n"] == str(number)


def test_pipelined_slow_and_fast(client):
    """An answer that is ready early waits for the one before it."""
    with client.connect() as connection:
        connection.send(request_bytes("GET", "/api/v1/al/rest/s?seconds=0.4") + request_bytes("GET", "/api/v1/al/hello/s?name=second"))
        assert connection.read().expect(200).text == "rested"
        assert connection.read().expect(200).text == "Hello, second!"


def test_bytes_one_by_one(client):
    """A request may come in any pieces."""
    request = request_bytes("POST", "/api/v1/al/open/s", {"Content-Type": "application/json"}, b'{"n":1}')
    with client.connect() as connection:
        for position in range(len(request)):
            connection.send(request[position:position + 1])
        assert connection.read("POST").expect(200).json["kwargs"] == {"n": 1}


def test_keep_alive_and_close(client):
    """RFC 9112, 9.3: HTTP/1.1 keeps the connection unless asked not to; HTTP/1.0 closes it."""
    with client.connect() as connection:
        for _ in range(3):
            connection.send(request_bytes("GET", "/api/v1/al/hello/s"))
            connection.read().expect(200)
        connection.send(request_bytes("GET", "/api/v1/al/hello/s", {"Connection": "close"}))
        assert connection.read().expect(200).header("Connection") == "close"
        assert connection.is_closed_by_server()
    with client.connect() as connection:
        connection.send(b"GET /api/v1/al/hello/s HTTP/1.0\r\nHost: x\r\n\r\n")
        connection.read().expect(200)
        assert connection.is_closed_by_server()


def test_chunked_body(client):
    """A chunked body, with extension and trailer, is one body."""
    with client.connect() as connection:
        connection.send(POST + b'Transfer-Encoding: chunked\r\n\r\n3;x=y\r\n{"a\r\n4\r\n":1}\r\n0\r\nX-Trailer: 1\r\n\r\n' + request_bytes("GET", "/api/v1/al/hello/s"))
        assert connection.read("POST").expect(200).json["kwargs"] == {"a": 1}
        connection.read().expect(200)


def test_trailers_are_no_credentials(client):
    """authentication 16: a trailer neither authenticates nor reaches the function."""
    with client.connect() as connection:
        connection.send(POST.replace(b"/open/", b"/basket/") + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Token: a-token-for-http\r\n\r\n")
        connection.read("POST").refused("401.99")


def test_continue_is_withheld_from_strangers(client):
    """function-apis §6: 100 Continue only after authentication; a refused request with an unread body closes the connection."""
    head = b"POST /api/v1/al/basket/s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 7\r\nExpect: 100-continue\r\n"
    with client.connect() as connection:
        connection.send(head + b"\r\n")
        answer = connection.read("POST")
        answer.refused("401.99")
        assert answer.interim == [] and connection.is_closed_by_server()
    with client.connect() as connection:
        connection.send(head + b"X-Token: a-token-for-http\r\n\r\n")
        assert connection.read_interim().status == 100
        connection.send(b'{"a":1}')
        assert connection.read("POST").expect(200).json["kwargs"] == {"a": 1}


def test_unread_body_closes(client):
    """authentication 76, function-apis §17: refused with an unread body: answered, then closed."""
    with client.connect() as connection:
        connection.send(b"POST /api/v1/al/basket/s HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 10)
        answer = connection.read("POST")
        answer.refused("401.99")
        assert (answer.header("Connection") or "").lower() == "close"
        assert connection.is_closed_by_server()


# --- limits

def test_long_request_line(client):
    """function-apis §19: request_line_bytes."""
    client.get("/api/v1/al/open/s?a=" + "x" * 7000).expect(200)
    client.get("/api/v1/al/open/s?a=" + "x" * 9000).refused("414.43")


def test_large_and_many_headers(client):
    """function-apis §19: header_bytes, header_count."""
    client.get("/api/v1/al/hello/s", [(f"X-{number}", "y" * 4000) for number in range(7)]).expect(200)
    client.get("/api/v1/al/hello/s", [(f"X-{number}", "y" * 4000) for number in range(9)]).refused("431.43")
    client.get("/api/v1/al/hello/s", [(f"X-{number}", "y") for number in range(98)]).expect(200)
    client.get("/api/v1/al/hello/s", [(f"X-{number}", "y") for number in range(101)]).refused("431.43")


def test_endless_head(client):
    """authentication 52: a head that never ends is cut off."""
    with client.connect() as connection:
        try:
            connection.send(b"GET /api/v1/al/hello/s HTTP/1.1\r\nHost: x\r\nX-A: " + b"y" * 300_000)
        except OSError:
            pass
        connection.read().refused("431.43")


def test_large_bodies(client):
    """function-apis §3, §19: body_bytes and maxBodyBytes, by length and by chunks."""
    body = b'{"a":"' + b"x" * 150_000 + b'"}'
    json = {"Content-Type": "application/json"}
    client.post("/api/v1/al/open/s", json, body).expect(200)
    client.post("/api/v1/al/open/s", json, body + b" " * 60_000).refused("413.43")
    client.post("/api/v1/al/small/s", json, body[:500] + b'"}').expect(200)
    client.post("/api/v1/al/small/s", json, body).refused("413.43")
    with client.connect() as connection:
        connection.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(40):
                connection.send(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        except OSError:
            pass
        connection.read("POST").refused("413.43")
    with client.connect() as connection:
        connection.send(POST + b"Content-Length: 100000000000\r\n\r\n")
        connection.read("POST").refused("413.43")
        assert connection.is_closed_by_server()


def test_gzip(client):
    """function-apis §4 (g): gzip counts against limits after inflation; others are 415.44."""
    json = {"Content-Type": "application/json"}
    assert client.post("/api/v1/al/open/s", {**json, "Content-Encoding": "gzip"}, gzip.compress(b'{"a":1}')).expect(200).json["kwargs"] == {"a": 1}
    assert client.post("/api/v1/al/open/s", {**json, "Content-Encoding": "identity"}, b'{"a":1}').expect(200).json["kwargs"] == {"a": 1}
    bomb = gzip.compress(b'{"a":"' + b"x" * 20_000_000 + b'"}')
    assert len(bomb) < 100_000
    client.post("/api/v1/al/open/s", {**json, "Content-Encoding": "gzip"}, bomb).refused("413.43")
    for coding in ("br", "deflate", "zstd", "gzip, gzip", "x"):
        client.post("/api/v1/al/open/s", {**json, "Content-Encoding": coding}, zlib.compress(b"{}")).refused("415.44")
    client.post("/api/v1/al/open/s", {**json, "Content-Encoding": "gzip"}, b"not gzip").refused("400.43")
    client.post("/api/v1/al/open/s", {**json, "Content-Encoding": "gzip"}, gzip.compress(b'{"a":1}')[:-6]).refused("400.43")


def test_slow_head(client):
    """function-apis §19: header_read_ms: 408.45 or simply closed, never an open connection for ever."""
    with client.connect() as connection:
        connection.send(b"GET /api/v1/al/hello/s HTTP/1.1\r\nHost:")
        connection.read().refused("408.45")
        assert connection.is_closed_by_server()


def test_slow_body(client):
    """function-apis §16: 408.45 for a sender that is too slow."""
    with client.connect() as connection:
        connection.send(POST + b"Content-Length: 10\r\n\r\n{")
        connection.read("POST").refused("408.45")
        assert connection.is_closed_by_server()


def test_idle_connections_are_closed(client):
    """function-apis §19: idle_ms."""
    with client.connect() as connection:
        assert connection.is_closed_by_server()
    with client.connect() as connection:
        connection.send(request_bytes("GET", "/api/v1/al/hello/s"))
        connection.read().expect(200)
        assert connection.is_closed_by_server()


def test_slow_senders_do_not_delay_others(client):
    """authentication 76: many slow heads and bodies in flight, and calls are still answered."""
    slow = [client.connect() for _ in range(200)]
    try:
        for number, connection in enumerate(slow):
            connection.send(POST + b"Content-Length: 10\r\n\r\n{" if number % 2 else b"GET /api/v1/al/hello/s HTT")
        started = time.monotonic()
        for _ in range(20):
            client.get("/api/v1/al/hello/s").expect(200)
        assert time.monotonic() - started < 25  # twenty quick calls against a deadline of 1.5 s each if they had to wait
    finally:
        for connection in slow:
            connection.close()


def test_many_parallel_callers(client):
    """Many connections at once: every call gets its own answer."""
    def call(number: int) -> bool:
        return client.get(f"/api/v1/al/open/s?n={number}").expect(200).json["kwargs"]["n"] == str(number)
    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(call, range(400)))


# --- every other route (9)

@pytest.mark.parametrize("path", ["/", "/admin", "/admin/", "/admin/api/v1/users", "/admin/api/v1/func-apis", "/admin/api/v1/scripts", "/admin/api/v1/api-authentications",
                                  "/admin/api/v1/audit", "/admin/api/v1/resources/export", "/admin/api/v1/call-records", "/console/api", "/api", "/api/v1", "/api/v1/tasks",
                                  "/api/v1/tasks/task-unknown", "/debug", "/env", "/.git/config", "/favicon.ico", "/server-status", "/static/../etc/passwd"])
def test_routes_refuse_without_credentials(client, path):
    """authentication 9: every route outside the short public list refuses without credentials."""
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        answer = client.call(method, path)
        assert 400 <= answer.status < 600 or answer.status in (301, 302), (method, path, answer.status)
        assert answer.status != 500


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health(client, path):
    """identity §4: health is public and says no more than that."""
    answer = client.get(path).expect(200)
    assert len(answer.body) < 200
