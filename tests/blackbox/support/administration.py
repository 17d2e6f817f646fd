"""What administrators do: users, groups, roles and keys in one line each, over the management API."""

from __future__ import annotations

import urllib.parse

from support.management import API, PASSWORD, cookie_of, set_up
from support.server import Server
from support.wire import Answer, Connection, request_bytes

__all__ = ["PASSWORD", "Management", "call_on", "quoted"]


def quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


class Management:
    """Calls of the management API: as a session (after sign_in), with a key (`token`), or as nobody. One address throughout."""

    def __init__(self, server: Server, token: str | None = None):
        self.client = server.client.pinned()
        self.token = token
        self.cookie = ""
        self.csrf = ""

    # --- who

    @staticmethod
    def set_up(server: Server, login: str = "root", password: str = PASSWORD) -> "Management":
        """Makes the first administrator with the token of the data directory and signs in."""
        set_up(server, login, password).expect(201)
        return Management(server).sign_in(login, password)

    def sign_in(self, login: str, password: str) -> "Management":
        answer = self.post("/session", {"login": login, "password": password}).expect(200)
        self.cookie, self.csrf = cookie_of(answer), answer.json["data"]["csrfToken"]
        return self

    # --- calls

    def call(self, method: str, path: str, json=None, **headers: str | None) -> Answer:
        """`headers` are named with underscores: If_Match="*"."""
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items() if value is not None]
        if self.token is not None:
            pairs.append(("Authorization", f"Bearer {self.token}"))
        if self.cookie:
            pairs.append(("Cookie", self.cookie))
            if method not in ("GET", "HEAD"):
                pairs.append(("X-CSRF-Token", self.csrf))
                # A browser says JSON for what has no body, too: a form could not.
                if json is None:
                    pairs.append(("Content-Type", "application/json"))
        return self.client.call(method, API + path, pairs, **({} if json is None else {"json": json}))

    def get(self, path: str, **headers: str | None) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, json=None, **headers: str | None) -> Answer:
        return self.call("POST", path, json, **headers)

    def put(self, path: str, json=None, **headers: str | None) -> Answer:
        return self.call("PUT", path, json, **headers)

    def patch(self, path: str, json, if_match: str | None = "*") -> Answer:
        return self.call("PATCH", path, json, If_Match=if_match)

    def delete(self, path: str, if_match: str | None = None) -> Answer:
        return self.call("DELETE", path, If_Match=if_match)

    # --- shortcuts that must succeed

    def data(self, path: str):
        return self.get(path).expect(200).json["data"]

    def create(self, path: str, **fields) -> str:
        """The id of the new object."""
        return self.post(path, fields).expect(201).json["data"]["id"]

    def link(self, path: str) -> None:
        self.put(path).expect(204)

    def unlink(self, path: str) -> None:
        self.delete(path).expect(204)

    def key(self, user_id: str, name: str, **fields) -> tuple[str, str]:
        """Id and token of a new key."""
        made = self.post(f"/users/{user_id}/api-keys", {"name": name, **fields}).expect(201).json["data"]
        return made["key"]["id"], made["token"]


def call_on(connection: Connection, path: str, authorization: str | None = None) -> Answer:
    """A GET on a connection that stays open."""
    headers = [] if authorization is None else [("Authorization", authorization)]
    connection.send(request_bytes("GET", path, headers))
    return connection.read()
