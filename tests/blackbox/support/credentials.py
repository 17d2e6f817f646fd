"""Headers that present credentials, and the forms in which a secret may lie around."""

from __future__ import annotations

import base64


def basic(name: str | bytes, password: str | bytes, scheme: str = "Basic") -> dict[str, str]:
    """The Authorization header of HTTP Basic; bytes go as they are, texts as UTF-8."""
    name, password = (text if isinstance(text, bytes) else text.encode("utf-8") for text in (name, password))
    return {"Authorization": f"{scheme} {base64.b64encode(name + b':' + password).decode()}"}


def traces(secret: str, name: str = "mia") -> list[bytes]:
    """The secret as it is, in Base64 alone and behind a user name, and in hexadecimal digits."""
    data = secret.encode()
    return [data, base64.b64encode(data).rstrip(b"="), base64.b64encode(f"{name}:".encode() + data).rstrip(b"="), data.hex().encode()]
