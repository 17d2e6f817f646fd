"""HAProxy: HTTP Basic with the password in clear (what its manual recommends for speed), and a signed token (JWT, HS256)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path

from peers import ANSWER, PASSWORD, REALM, USER, Peer, Running, printed, program
from processes import free_port, pinned, serve

SECRET = "a-signing-secret-of-the-bench-0123456789"
CONFIG = """
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout client 60s
  timeout connect 5s
  timeout server 60s
  timeout http-keep-alive 60s
userlist callers
  user {user} insecure-password "{password}"
frontend bench
  bind 127.0.0.1:{port} backlog 4096
{rules}
  http-request return status 200 content-type application/json file {folder}/answer.json
"""
BASIC = "  http-request auth realm {realm} unless {{ http_auth(callers) }}"
TOKEN = """  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.algorithm) var(txn.bearer),jwt_header_query('$.alg')
  http-request deny deny_status 401 unless {{ var(txn.algorithm) -m str HS256 }}
  http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify(txn.algorithm,"{secret}") 1 }}"""


def signed(claims: dict, secret: str) -> str:
    """A compact JWS with HS256."""
    pack = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    text = pack(b'{"alg":"HS256","typ":"JWT"}') + "." + pack(json.dumps(claims).encode())
    return f"{text}.{pack(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"


# As many claims as a key of ours has.
CLAIMS = {"iss": "urn:bench:0123456789abcdef", "aud": ["bench-api"], "sub": "usr-0123456789abcdef", "jti": "key-0123456789abcdef", "iat": 1700000000}
GOOD_TOKEN, WRONG_TOKEN = signed(CLAIMS, SECRET), signed(CLAIMS, "another secret of the same length 1234567")


class Haproxy(Peer):
    def __init__(self, name: str, method: str):
        self.name, self.method = name, method

    def missing(self) -> str:
        return "" if program("haproxy") else "haproxy"

    def version(self) -> str:
        return re.sub(r"^(HAProxy version \S+).*", r"\1", printed(program("haproxy"), "-v"))

    def start(self, folder: Path, core: int | None) -> Running:
        port = free_port()
        (folder / "answer.json").write_text(ANSWER)
        rules = (BASIC if self.method == "basic" else TOKEN).format(realm=REALM, secret=SECRET)
        config = folder / "haproxy.cfg"
        config.write_text(CONFIG.format(folder=folder, port=port, user=USER, password=PASSWORD, rules=rules))
        log = folder / "haproxy.log"
        process = serve(pinned(core, program("haproxy"), "-db", "-f", config), port, log)
        return Running(process, port)
