"""bench/guessers.py: what bench/flood.py measures is what it says. Nothing is said about times."""

from __future__ import annotations

import base64
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.server import ROOT

sys.path.append(str(ROOT / "bench"))

from guessers import Guessing, is_whole  # noqa: E402 (its folder is added above)

GUESSERS, TURNS = 40, 3


class Guessed(BaseHTTPRequestHandler):
    """Answers the first guesses when all are there, and the next ones, one of them with 503 and one by closing the connection; then says
    that it has seen enough and lets all others wait."""

    protocol_version = "HTTP/1.1"

    def answer(self, password: str, method: str):
        test = self.server.test
        with test.lock:
            test.passwords.append(password)
            test.by_method[method] += 1
            number = len(test.passwords)
        if number <= GUESSERS:
            test.all_there.wait(30)
        if number > GUESSERS * TURNS:
            test.enough.set()
            test.ended.wait(30)
        if number == GUESSERS + 1:
            self.close_connection = True
            return
        body = b'{"ok":false}'
        head = f"HTTP/1.1 {503 if number == GUESSERS + 2 else 401} No\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        self.wfile.write(head + body[:3])  # in two parts
        self.wfile.write(body[3:])

    def do_GET(self):
        assert self.path == "/open" and self.client_address[0].startswith("127.7.")
        name, password = base64.b64decode(self.headers["Authorization"].removeprefix("Basic "), validate=True).decode().split(":")
        assert name == "mia"
        self.answer(password, "GET")

    def do_POST(self):
        assert self.path == "/session" and self.headers["Content-Type"] == "application/json"
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert body.keys() == {"login", "password"} and body["login"] == "mia"
        self.answer(body["password"], "POST")

    def log_message(self, *arguments):
        pass


class Stub(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 2 * GUESSERS

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Guessed)
        self.test = self
        self.lock, self.passwords, self.by_method = threading.Lock(), [], {"GET": 0, "POST": 0}
        self.all_there, self.enough, self.ended = threading.Barrier(GUESSERS), threading.Event(), threading.Event()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # guessers end without a word
            super().handle_error(request, client_address)


@pytest.fixture
def stub():
    server = Stub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()


def test_all_guess_at_once_and_each_password_once(stub):
    with Guessing(stub.server_address[1], GUESSERS, "mia", "/open", "/session") as guessing:
        assert stub.enough.wait(30), "the guessers stopped"
        flood = guessing.end()
    assert not stub.all_there.broken, "they were not all in flight at once"
    assert len(set(stub.passwords)) == len(stub.passwords) > GUESSERS * TURNS
    assert min(stub.by_method.values()) > GUESSERS // 4, "half of them sign in"
    assert flood.answers[503] == 1 and flood.answers[0] == 1 and flood.answers[401] >= GUESSERS * 2
    assert 0 < flood.in_flight <= GUESSERS and flood.elapsed_s > 0 and flood.cpu_s < flood.elapsed_s


@pytest.mark.parametrize("answer, whole", [
    (b"", False), (b"HTTP/1.1 401 No\r\nContent-Length: 3\r\n", False), (b"HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\n{}", False),
    (b"HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\n{ }", True), (b"HTTP/1.1 204 Nothing\r\n\r\n", True),
])
def test_an_answer_is_whole_when_all_of_it_is_there(answer, whole):
    assert is_whole(answer) == whole
