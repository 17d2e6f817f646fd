"""The management API as a browser or a program uses it: set-up, sign-in, calls with cookie and CSRF token."""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass
from pathlib import Path

from support.server import Server
from support.wire import Answer, Client

API = "/admin/api/v1"
LOGIN = "root"
PASSWORD = "Correct-Horse-22!"


def api(client: Client, method: str, path: str, headers=(), **more) -> Answer:
    return client.call(method, API + path, headers, **more)


def setup_token(server: Server) -> str:
    """The token of a server that has no administrator yet."""
    return (Path(server.data) / "setup-token").read_text(encoding="ascii")


def set_up(server: Server, login: str = LOGIN, password: str = PASSWORD) -> Answer:
    return api(server.client, "POST", "/setup",
               json={"token": setup_token(server), "login": login, "firstName": "Ada", "surname": "L", "password": password})


def cookie_of(answer: Answer) -> str:
    """`name=value` of the one cookie that the answer sets."""
    cookies = answer.all("Set-Cookie")
    assert len(cookies) == 1, cookies
    return cookies[0].split(";")[0]


@dataclass
class Browser:
    """Somebody who has signed in. Every call comes from one address."""

    client: Client
    cookie: str
    csrf: str
    user: dict

    def call(self, method: str, path: str, headers=(), **more) -> Answer:
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        pairs.append(("Cookie", self.cookie))
        if method not in ("GET", "HEAD"):
            pairs.append(("X-CSRF-Token", self.csrf))
        return api(self.client, method, path, pairs, **more)


def sign_in(server: Server, login: str = LOGIN, password: str = PASSWORD, address: str | None = None) -> Browser:
    client = server.client.pinned(address)
    answer = api(client, "POST", "/session", json={"login": login, "password": password}).expect(200)
    data = answer.json["data"]
    return Browser(client, cookie_of(answer), data["csrfToken"], data["user"])


def body_without_times(answer: Answer) -> dict:
    """The envelope without what differs from call to call."""
    body = json_module.loads(answer.body)
    for name in ("traceId", "reqTime", "respTime", "reqCost"):
        body.pop(name, None)
    return body
