"""HTTP/1.1 as bytes: a client that hides nothing and repairs nothing, so that a test says exactly what goes over the wire.

Every call comes from a source address of its own in 127.0.0.0/8 unless the test pins one. Failure counters of the server are
kept per address, so tests of wrong credentials do not block each other.
"""

from __future__ import annotations

import contextlib
import itertools
import json as json_module
import os
import socket
import time
import urllib.parse
from dataclasses import dataclass, field

DEADLINE_S = 30.0
_numbers = itertools.count(1)


def fresh_address() -> str:
    """A loopback address that no other call of this run has used."""
    number = next(_numbers) + (os.getpid() % 200) * 65536
    return f"127.{1 + (number >> 16) % 250}.{(number >> 8) % 256}.{1 + number % 254}"


@dataclass
class Answer:
    """One HTTP answer: status, header fields in the order of the wire, body after transfer decoding."""

    status: int
    phrase: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    interim: list[int] = field(default_factory=list)  # statuses of 1xx answers before this one

    def header(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json_module.loads(self.body)

    @property
    def error(self) -> str:
        """The envelope's error number as it is printed, e.g. "400.43"; the status when the answer is not an envelope."""
        parsed = json_module.loads(self.body, parse_float=str, parse_int=str)
        return parsed["error"] if isinstance(parsed, dict) and "error" in parsed else str(self.status)

    def expect(self, status: int) -> "Answer":
        """This answer, if it has the status; otherwise the test fails and shows what came instead."""
        assert self.status == status, f"expected {status}, got {self.status}: {self.body[:600]!r}"
        return self

    def refused(self, error: str) -> "Answer":
        """This answer, if it is an error envelope with the number, e.g. "401.99"."""
        assert str(self.status) == error.split(".")[0], f"expected {error}, got {self.status}: {self.body[:600]!r}"
        assert self.error == error, f"expected {error}, got {self.body[:600]!r}"
        assert self.json["ok"] is False
        return self


class Connection:
    """A TCP connection to the server. Every wait ends at a deadline and then fails the test."""

    def __init__(self, port: int, address: str | None = None, timeout_s: float = DEADLINE_S):
        self.address = address or fresh_address()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s, source_address=(self.address, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_request(self, data: bytes) -> None:
        """As `send`, for a whole request: the server may answer and stop reading before it has all of a body that it refuses."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""

    def _line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            more = self._receive()
            assert more, f"the connection ended inside an answer head: {self.buffer[:300]!r}"
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _exactly(self, count: int) -> bytes:
        parts, have = [self.buffer], len(self.buffer)
        while have < count:
            more = self._receive()
            assert more, f"the connection ended {count - have} bytes before the end of the body"
            parts.append(more)
            have += len(more)
        whole = b"".join(parts)
        self.buffer = whole[count:]
        return whole[:count]

    def _chunked(self) -> bytes:
        body = b""
        while True:
            size = int(self._line().split(b";")[0], 16)
            if size == 0:
                while self._line():
                    pass
                return body
            body += self._exactly(size)
            assert self._exactly(2) == b"\r\n", "a chunk does not end with CRLF"

    def _head(self) -> Answer:
        status_line = self._line().decode("latin-1")
        version, status, phrase = (status_line.split(" ", 2) + [""])[:3]
        assert version in ("HTTP/1.1", "HTTP/1.0"), status_line
        fields = []
        while line := self._line():
            name, separator, value = line.decode("latin-1").partition(":")
            assert separator and name == name.strip(), f"malformed header line {line!r}"
            fields.append((name, value.strip()))
        return Answer(int(status), phrase, fields)

    def read_interim(self) -> Answer:
        """The next head, which must be a 1xx answer."""
        answer = self._head()
        assert 100 <= answer.status < 200, f"expected an interim answer, got {answer.status}"
        return answer

    def read(self, method: str = "GET") -> Answer:
        """The next final answer. `method` of its request decides whether a body follows (RFC 9112, 6.3)."""
        interim = []
        answer = self._head()
        while 100 <= answer.status < 200:
            interim.append(answer.status)
            answer = self._head()
        answer.interim = interim
        if method == "HEAD" or answer.status in (204, 304):
            return answer
        if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
            answer.body = self._chunked()
        elif (length := answer.header("Content-Length")) is not None:
            answer.body = self._exactly(int(length))
        else:
            while more := self._receive():
                self.buffer += more
            answer.body, self.buffer = self.buffer, b""
        return answer

    def is_closed_by_server(self, within_s: float = 30.0) -> bool:
        """True if the server ends the connection, without another byte, within the time."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            self.socket.settimeout(max(0.05, until - time.monotonic()))
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                return not self.buffer
            except TimeoutError:
                return False
            if not more:
                return not self.buffer
            self.buffer += more
        return False


def encoded(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def request_bytes(method: str, target: str | bytes, headers=(), body: bytes | None = None, host: str = "127.0.0.1") -> bytes:
    """A request as bytes. `headers`: mapping or pairs; Host and Content-Length are added unless given."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    names = {encoded(name).lower() for name, _ in pairs}
    lines = [encoded(method) + b" " + encoded(target) + b" HTTP/1.1"]
    if b"host" not in names:
        lines.append(b"Host: " + encoded(host))
    lines += [encoded(name) + b": " + encoded(value) for name, value in pairs]
    if body is not None and not names & {b"content-length", b"transfer-encoding"}:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


@dataclass
class File:
    """A file part of a multipart body."""

    name: str
    filename: str
    content: bytes
    mimetype: str = "application/octet-stream"


def multipart(*parts: tuple[str, str] | File, boundary: str = "boundary-7f3a") -> tuple[str, bytes]:
    """(Content-Type, body) of multipart/form-data with the parts in the given order."""
    body = b""
    for part in parts:
        body += f"--{boundary}\r\n".encode()
        if isinstance(part, File):
            body += f'Content-Disposition: form-data; name="{part.name}"; filename="{part.filename}"\r\n'.encode("utf-8")
            body += f"Content-Type: {part.mimetype}\r\n\r\n".encode() + part.content + b"\r\n"
        else:
            body += f'Content-Disposition: form-data; name="{part[0]}"\r\n\r\n'.encode("utf-8") + part[1].encode("utf-8") + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


_ABSENT = object()


class Client:
    """Calls of one server. Without `address` each call has a source address of its own; `pinned()` keeps one."""

    def __init__(self, port: int, address: str | None = None):
        self.port = port
        self.address = address

    def pinned(self, address: str | None = None) -> "Client":
        return Client(self.port, address or fresh_address())

    def connect(self, timeout_s: float = DEADLINE_S) -> Connection:
        return Connection(self.port, self.address, timeout_s)

    def call(self, method: str, target: str | bytes, headers=(), body: bytes | str | None = None, *, json=_ABSENT, form=None,
             parts=None, timeout_s: float = DEADLINE_S) -> Answer:
        """One request on a connection of its own. `json`, `form` (pairs or mapping) and `parts` set body and Content-Type."""
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if json is not _ABSENT:
            body = json_module.dumps(json, ensure_ascii=False).encode("utf-8")
            pairs.append(("Content-Type", "application/json"))
        elif form is not None:
            body = urllib.parse.urlencode(form).encode("ascii")
            pairs.append(("Content-Type", "application/x-www-form-urlencoded"))
        elif parts is not None:
            media_type, body = multipart(*parts)
            pairs.append(("Content-Type", media_type))
        if isinstance(body, str):
            body = body.encode("utf-8")
        with self.connect(timeout_s) as connection:
            connection.send_request(request_bytes(method, target, pairs, body, host=f"127.0.0.1:{self.port}"))
            return connection.read(method)

    def get(self, target: str | bytes, headers=(), **more) -> Answer:
        return self.call("GET", target, headers, **more)

    def post(self, target: str | bytes, headers=(), body: bytes | str | None = None, **more) -> Answer:
        return self.call("POST", target, headers, body, **more)


def query(**values) -> str:
    """`?name=value&…`, percent-encoded; dictionaries and lists as JSON."""
    texts = {name: json_module.dumps(value) if isinstance(value, (dict, list)) else value for name, value in values.items()}
    return "?" + urllib.parse.urlencode(texts, quote_via=urllib.parse.quote)
