"""API keys made by hand: a signing secret that the test knows, and tokens of any content signed with it."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess

from support.server import BINARY, COMMAND_S, Server, environment

ALIAS = "phixflow-api-key"
SECRET = b"a-signing-secret-that-this-test-knows-0815"


def set_secret(server: Server, value: bytes = SECRET) -> None:
    """From now on the server signs with the value."""
    done = subprocess.run([BINARY, "keystore", "set", ALIAS, "--data", str(server.data)], input=value, capture_output=True, timeout=COMMAND_S, env=environment())
    assert done.returncode == 0, done.stderr


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unpacked(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def signed(head: bytes, claims: bytes, secret: bytes = SECRET, digest: str = "sha256") -> str:
    text = f"{packed(head)}.{packed(claims)}"
    return f"{text}.{packed(hmac.new(secret, text.encode(), digest).digest())}"


def signed_again(token: str) -> str:
    """The same head and claims in another spelling, so with a signature that the server has never told."""
    head, claims, _ = token.split(".")
    return signed(unpacked(head), json.dumps(json.loads(unpacked(claims)), indent=1).encode())
