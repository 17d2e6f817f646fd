"""A Digest client after RFC 7616, independent of the server and free to misbehave."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from support.challenges import challenge, parameters
from support.wire import Answer, Client

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256, "SHA-512-256": lambda data: hashlib.new("sha512_256", data)}
QUOTED = {"username", "realm", "nonce", "uri", "response", "cnonce", "opaque"}


def digest(algorithm: str, *parts: str | bytes) -> str:
    """Lower-case hex of the hash over the parts joined with colons."""
    return HASHES[algorithm](b":".join(part if isinstance(part, bytes) else part.encode("utf-8") for part in parts)).hexdigest()


def challenges(answer: Answer) -> list[dict[str, str]]:
    """Parameters of the Digest challenges of a 401, in order."""
    found = []
    for value in answer.all("WWW-Authenticate"):
        scheme, values, _ = challenge(value)
        if scheme == "Digest":
            found.append(values)
    return found


@dataclass
class Sent:
    """What a request said, kept to check rspauth and to repeat it."""

    header: str
    ha1: str
    algorithm: str
    nonce: str
    nc: str
    cnonce: str
    qop: str
    uri: str

    def rspauth(self, body: bytes = b"") -> str:
        """The value the server must answer with (RFC 7616, 3.5)."""
        parts: list[str | bytes] = [b"", self.uri]
        if self.qop == "auth-int":
            parts.append(HASHES[self.algorithm](body).hexdigest())
        return digest(self.algorithm, self.ha1, self.nonce, self.nc, self.cnonce, self.qop, digest(self.algorithm, *parts))


class DigestClient:
    """One user's view of one protected address."""

    def __init__(self, client: Client, target: str, username: str = "mia", password: str = "a password of mia"):
        self.client, self.target, self.username, self.password = client, target, username, password

    def challenge(self, algorithm: str = "SHA-256", method: str = "GET", headers=()) -> dict[str, str]:
        """A fresh challenge for the algorithm."""
        answer = self.client.call(method, self.target, headers).refused("401.99")
        return next(values for values in challenges(answer) if values["algorithm"] == algorithm)

    def sign(self, values: dict[str, str], *, method: str = "GET", target: str | None = None, nc: int | str = 1, qop: str = "auth",
             body: bytes = b"", userhash: bool = False, username: str | None = None, password: str | None = None,
             cnonce: str | None = None, replace: dict[str, str | None] | None = None, name_bytes: bytes | None = None,
             computed: dict[str, str] | None = None) -> Sent:
        """An Authorization value. `computed` changes what is hashed, `replace` what is sent (None leaves a parameter out)."""
        replace, computed = replace or {}, computed or {}
        username = self.username if username is None else username
        password = self.password if password is None else password
        algorithm = computed.get("algorithm", values["algorithm"])
        realm, nonce = computed.get("realm", values["realm"]), values["nonce"]
        uri = computed.get("uri", target or self.target)
        count = nc if isinstance(nc, str) else f"{nc:08x}"
        cnonce = os.urandom(12).hex() if cnonce is None else cnonce
        ha1 = digest(algorithm, username, realm, password)
        a2 = [computed.get("method", method), uri]
        if qop == "auth-int":
            a2.append(HASHES[algorithm](body).hexdigest())
        response = digest(algorithm, ha1, nonce, count, cnonce, qop, digest(algorithm, *a2))
        sent: dict[str, str | None] = {
            "username": digest(algorithm, username, realm) if userhash else username, "realm": realm, "nonce": nonce, "uri": uri,
            "response": response, "algorithm": algorithm, "cnonce": cnonce, "opaque": values.get("opaque"), "qop": qop, "nc": count,
        }
        if userhash:
            sent["userhash"] = "true"
        sent.update(replace)
        header = "Digest " + ", ".join(self._parameter(name, value) for name, value in sent.items() if value is not None)
        if name_bytes is not None:
            header = header.replace(f'username="{username}"', 'username="' + name_bytes.decode("latin-1") + '"')
        return Sent(header, ha1, algorithm, nonce, count, cnonce, qop, uri)

    @staticmethod
    def _parameter(name: str, value: str) -> str:
        if name in QUOTED:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'{name}="{escaped}"'
        return f"{name}={value}"

    def send(self, sent: Sent | str, *, method: str = "GET", target: str | None = None, body: bytes | None = None, headers=()) -> Answer:
        value = sent if isinstance(sent, str) else sent.header
        # A header value is bytes: what Latin-1 can say is sent as it is, so that a test may send UTF-8 bytes as characters.
        return self.client.call(method, target or self.target, [*headers, ("Authorization", value)], body)

    def call(self, algorithm: str = "SHA-256", *, method: str = "GET", body: bytes | None = None, headers=(), **more) -> tuple[Sent, Answer]:
        """Challenge, signature, request."""
        sent = self.sign(self.challenge(algorithm, method), method=method, body=body or b"", **more)
        return sent, self.send(sent, method=method, body=body, headers=headers)


def info(answer: Answer) -> dict[str, str]:
    """Parameters of Authentication-Info, which must be there once."""
    values = answer.all("Authentication-Info")
    assert len(values) == 1, answer.fields
    return parameters(values[0])[0]


def is_stale(answer: Answer) -> bool:
    """Whether the 401 says `stale=true`; all its challenges must agree."""
    flags = {values.get("stale", "false").lower() for values in challenges(answer)}
    assert len(flags) == 1, answer.fields
    return flags == {"true"}
