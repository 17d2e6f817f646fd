"""The management API as a browser or a program uses it: set-up, sign-in, calls as a session or with a key, and in one line each
what administrators do with users, groups, roles and keys."""

from __future__ import annotations

import json as json_module
import urllib.parse
from pathlib import Path

from support.server import Server
from support.wire import Answer, Client, Connection, request_bytes

API = "/admin/api/v1"
LOGIN = "root"
PASSWORD = "Correct-Horse-22!"


def quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def api(client: Client, method: str, path: str, headers=(), **more) -> Answer:
    """One call exactly as it is given: nothing is added for whoever has signed in."""
    return client.call(method, API + path, headers, **more)


def call_on(connection: Connection, path: str, authorization: str | None = None) -> Answer:
    """A GET on a connection that stays open."""
    headers = [] if authorization is None else [("Authorization", authorization)]
    connection.send(request_bytes("GET", path, headers))
    return connection.read()


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


def body_without_times(answer: Answer) -> dict:
    """The envelope without what differs from call to call."""
    body = json_module.loads(answer.body)
    for name in ("traceId", "reqTime", "respTime", "reqCost"):
        body.pop(name, None)
    return body


class Management:
    """Calls of the management API: as a session (after sign_in), with a key (`token`), or as nobody. One address throughout."""

    def __init__(self, server: Server, token: str | None = None, address: str | None = None):
        self.client = server.client.pinned(address)
        self.token = token
        self.cookie = ""
        self.csrf = ""
        self.user: dict = {}

    # --- who

    @staticmethod
    def set_up(server: Server, login: str = LOGIN, password: str = PASSWORD) -> "Management":
        """Makes the first administrator with the token of the data directory and signs in."""
        set_up(server, login, password).expect(201)
        return Management(server).sign_in(login, password)

    def sign_in(self, login: str = LOGIN, password: str = PASSWORD) -> "Management":
        answer = self.post("/session", {"login": login, "password": password}).expect(200)
        data = answer.json["data"]
        self.cookie, self.csrf, self.user = cookie_of(answer), data["csrfToken"], data["user"]
        return self

    # --- calls

    def headers(self, method: str, has_body: bool = True) -> list[tuple[str, str]]:
        """What shows who calls."""
        pairs = [] if self.token is None else [("Authorization", f"Bearer {self.token}")]
        if self.cookie:
            pairs.append(("Cookie", self.cookie))
            if method not in ("GET", "HEAD"):
                pairs.append(("X-CSRF-Token", self.csrf))
                # A browser says JSON for what has no body, too: a form could not.
                if not has_body:
                    pairs.append(("Content-Type", "application/json"))
        return pairs

    def call(self, method: str, path: str, json=None, **headers: str | None) -> Answer:
        """`headers` are named with underscores: If_Match="*"."""
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items() if value is not None]
        body = {} if json is None else {"json": json}
        return api(self.client, method, path, pairs + self.headers(method, json is not None), **body)

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

    def named(self, path: str, name: str) -> str:
        """The id of the object of a list that has the name."""
        return next(entry["id"] for entry in self.data(f"{path}?name={quoted(name)}"))

    def key(self, user_id: str, name: str, **fields) -> tuple[str, str]:
        """Id and token of a new key."""
        made = self.post(f"/users/{user_id}/api-keys", {"name": name, **fields}).expect(201).json["data"]
        return made["key"]["id"], made["token"]

    def key_owner(self, login: str, *privileges: str) -> dict[str, str]:
        """A user who may use keys, through a group and a role of his own: ids of `user`, `group` and `role`."""
        user = self.create("/users", login=login, firstName="API", surname="Agent", password=PASSWORD)
        role = self.create("/roles", name=f"{login} role", privileges=["Use API Key", *privileges])
        group = self.create("/user-groups", name=f"{login} group")
        self.link(f"/roles/{role}/user-groups/{group}")
        self.link(f"/user-groups/{group}/users/{user}")
        return {"user": user, "role": role, "group": group}


def sign_in(server: Server, login: str = LOGIN, password: str = PASSWORD, address: str | None = None) -> Management:
    return Management(server, address=address).sign_in(login, password)
