"""Secrets of people and of the management leave no trace: marked values go through every secret place and are searched for (I3)."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from support.credentials import basic, traces
from support.keytool import Keytool
from support.management import LOGIN, Management, api, cookie_of, setup_token
from support.resources import PROBE, Resources
from support.server import BINARY, Server, command, environment, wait_until

# Marked values. Each goes through one place.
FIRST, SECOND, SET, DOCUMENT, TYPED, OLD, WRONG = (f"Canary-Word-{number}!xyz" for number in range(6001, 6008))
KEYSTORE, ALIAS = "canary-keystore-6010-password", "canary-alias-6011-value-of-32-bytes"
SECRET_KEY, SECRET_KEY_DOCUMENT = "canary-secretkey-6012", "canary-secretkey-6013"
ENV_PASSWORD, BASIC_PASSWORD, DIGEST_PASSWORD, FIELD = "canary-env-6014-value", "canary-basic-6015-value", "canary-digest-6016-value", "canary-field-6017-value"
IN_QUERY, IN_BODY = "canary-key-6018-in-query", "canary-key-6019-in-body"
MARKED = {"first password": FIRST, "second password": SECOND, "password that was set": SET, "password of a document": DOCUMENT, "password typed to a command": TYPED,
          "password before a failed change": OLD, "wrong password": WRONG, "keystore password": KEYSTORE, "keystore value": ALIAS, "secret key": SECRET_KEY,
          "secret key of a document": SECRET_KEY_DOCUMENT, "variable": ENV_PASSWORD, "Basic": BASIC_PASSWORD, "Digest": DIGEST_PASSWORD, "fixed field": FIELD,
          "key in the query": IN_QUERY, "key in the body": IN_BODY}


def resources() -> Resources:
    made = Resources().scripts("demo", main=PROBE + '''
@DFF.API('Prints what it must not tell')
def chatty(**kwargs):
    print('variable', DFF.ENV('PARTNER'), _DFF_HTTP_REQUEST['headers'].get('authorization'))
    raise ValueError(DFF.ENV('PARTNER'))
''')
    made.basic("staff", {"mia": BASIC_PASSWORD}).digest("people", {"mia": DIGEST_PASSWORD}).variable("PARTNER", "password", ENV_PASSWORD, "demo")
    made.fixed_field("shop", {"location": "header", "name": "X-Shop-Token", "value": FIELD})
    made.document("User", "documented", {"passwordFrom": made.secret(DOCUMENT)})
    made.documents.append({"apiVersion": "funcgate/v1", "kind": "SecretKey", "metadata": {"name": "Partner", "application": "Shop"},
                           "spec": {"flow": "Order", "action": "call", "valueFrom": made.secret(SECRET_KEY_DOCUMENT)}})
    for name in ("staff", "people", "shop"):
        made.api(name, "demo__main.hello", name, methods=["GET", "POST"])
    made.api("keyed", "demo__main.hello", "api-key", methods=["GET", "POST"], recordDetail=True)
    return made.api("chatty", "demo__main.chatty", "api-key", recordDetail=True).api("later", "demo__main.hello", "api-key", execMode="async", recordDetail=True)


class Watched:
    """A server of which every answer is kept, beside the secrets that are made while it is used."""

    def __init__(self, server: Server):
        self.server = server
        self.made: dict[str, str] = {}  # what the server made and told once: name → secret
        self.answers: list[tuple[str, str]] = []  # everything that was answered: where, what
        self.outputs: list[str] = []  # what commands printed

    def keep(self, where: str, answer, *told: str):
        """Keeps the answer without the secrets that it is there to tell."""
        text = answer.text + "\n".join(f"{name}: {value}" for name, value in answer.fields)
        for secret in told:
            assert secret in text, f"{where} does not tell its secret"
            text = text.replace(secret, "")
        self.answers.append((where, text))
        return answer

    def run(self, *arguments, text: str = "", code: int | None = 0) -> str:
        done = subprocess.run([BINARY, *map(str, arguments), "--data", str(self.server.data)], input=text, capture_output=True, text=True, timeout=60, env=environment())
        assert code is None or done.returncode == code, (arguments, done.stdout, done.stderr)
        self.outputs.append(done.stdout + done.stderr)
        return done.stdout


def sign_in(watched: Watched, login: str, password: str, name: str) -> Management:
    person = Management(watched.server)
    answer = api(person.client, "POST", "/session", json={"login": login, "password": password}).expect(200)
    person.cookie, person.csrf, person.user = cookie_of(answer), answer.json["data"]["csrfToken"], answer.json["data"]["user"]
    watched.made |= {f"session of {name}": person.cookie.split("=", 1)[1], f"CSRF token of {name}": person.csrf}
    watched.keep(f"sign-in of {name}", answer, person.cookie.split("=", 1)[1], person.csrf)
    return person


def made_key(watched: Watched, where: str, answer) -> tuple[str, str]:
    token = answer.expect(201).json["data"]["token"]
    watched.made[where] = token.rsplit(".", 1)[1]
    watched.keep(where, answer, token)
    return answer.json["data"]["key"]["id"], token


def use_passwords(watched: Watched, admin: Management) -> None:
    keep, server = watched.keep, watched.server
    user = admin.create("/users", login="mia", password=OLD)
    keep("password set", admin.put(f"/users/{user}/password", {"password": SET}).expect(204))
    mia = sign_in(watched, "mia", SET, "mia")
    keep("wrong old password", mia.put("/me/password", {"old": WRONG, "new": WRONG}).expect(400))
    changed = mia.put("/me/password", {"old": SET, "new": SECOND}).expect(204)
    watched.made["session after a change"] = cookie_of(changed).split("=", 1)[1]
    keep("password changed", changed, watched.made["session after a change"])
    for login in ("mia", "nobody", WRONG):
        for status in (401, 401, 401, 401, 401, 429):  # to the lock and beyond
            keep("failed sign-in", api(server.client.pinned("127.0.7.7"), "POST", "/session", json={"login": login, "password": WRONG}).expect(status))
    keep("policy", admin.post("/users", {"login": "weak", "password": WRONG + "\u00e9" * 600}).expect(400))
    keep("wrong field", admin.post("/users", {"login": "odd", "password": WRONG, "pasword": WRONG}).expect(400))
    keep("wrong type", admin.post("/users", {"login": "odd", "password": {"value": WRONG}}).expect(400))
    keep("broken JSON", api(admin.client, "POST", "/users", admin.headers("POST") + [("Content-Type", "application/json")], body='{"login":"x","password":"' + WRONG).expect(400))
    watched.run("user", "set-password", "mia", text=TYPED + "\n")
    sign_in(watched, "mia", TYPED, "mia again").delete("/session").expect(204)


def use_keys(watched: Watched, admin: Management) -> str:
    keep, client, target = watched.keep, watched.server.client, "/api/v1/al/{}"
    owner = admin.key_owner("apiagent", "Generate Own API Key")
    key, token = made_key(watched, "key", admin.post(f"/users/{owner['user']}/api-keys", {"name": "Call"}, Idempotency_Key="canary-key"))
    keep("replay", admin.post(f"/users/{owner['user']}/api-keys", {"name": "Call"}, Idempotency_Key="canary-key").refused("409.56"))
    for name, accepted in {"keyed": 200, "chatty": 500, "later": 202}.items():  # chatty raises an exception
        for value, status in {token: accepted, f"Bearer {token}": accepted, token[:-3] + "AAA": 401, f"Basic {token}": 401, f"{token} {token}": 401}.items():
            keep(f"call of {name}", client.get(target.format(name), [("Authorization", value)]).expect(status))
    # The envelope repeats the URL to whoever sent it; nothing else may.
    keep("query", client.get(target.format("keyed") + f"?token={token}&key={IN_QUERY}").expect(401), token, IN_QUERY)
    keep("body", client.post(target.format("keyed"), json={"token": token, "authorization": IN_BODY}).expect(401))
    keep("cookie", client.get(target.format("keyed"), [("Cookie", f"token={token}; {admin.cookie}")]).expect(401))
    keep("two headers", client.get(target.format("keyed"), [("Authorization", token), ("Authorization", admin.csrf)]).expect(400))
    reissued, other = made_key(watched, "reissued key", admin.post(f"/api-keys/{key}/reissue", {"overlapHours": 1}))
    keep("call", client.get(target.format("keyed"), [("Authorization", other)]).expect(200))
    keep("inspected", admin.get(f"/api-keys/{reissued}").expect(200))
    watched.run("key", "inspect", text=other + "\n")
    keep("revoked by possession", admin.post("/api-keys/revoke", {"token": token}).expect(204))
    keep("revoked", admin.post(f"/api-keys/{reissued}/revoke", {"reason": "canary"}).expect(200))
    return made_key(watched, "management key", admin.post(f"/users/{owner['user']}/api-keys", {"name": "Manage", "scopes": ["management", "api"]}))[1]


def use_secrets(watched: Watched, admin: Management) -> None:
    keep, client = watched.keep, watched.server.client
    secret = admin.create("/secret-keys", name="APIKey", owner={"kind": "action", "application": "A", "flow": "F", "action": "a"})
    keep("secret", admin.put(f"/secret-keys/{secret}/secret", {"secret": SECRET_KEY}).expect(204))
    keep("secret read", admin.get(f"/secret-keys/{secret}").expect(200))
    keep("secret wrong", admin.put(f"/secret-keys/{secret}/secret", {"secret": [SECRET_KEY]}).expect(400))
    keep("Basic", client.get("/api/v1/al/staff/s", basic("mia", BASIC_PASSWORD)).expect(200))
    keep("Basic wrong", client.get("/api/v1/al/staff/s", basic("mia", WRONG)).expect(401))
    keep("field", client.get("/api/v1/al/shop/s", {"X-Shop-Token": FIELD}).expect(200))
    keep("session at an API", client.get("/api/v1/al/staff/s", [("Cookie", admin.cookie), ("X-CSRF-Token", admin.csrf)]).expect(401))
    watched.run("keystore", "set", "partner", text=ALIAS)
    for words in (["keystore", "list"], ["keystore", "check"], ["keystore", "rotate", "phixflow-api-key", "--overlap", "1h"], ["keystore", "rotate", "pepperKey"],
                  ["keystore", "rotate", "funcgate-sealing-key"], ["keystore", "reload"]):
        watched.run(*words)
    wait_until(lambda: "sealing-key.prev" not in watched.run("keystore", "list"), "all is sealed anew")


def read_everything(watched: Watched, admin: Management) -> None:
    for route in json.loads(command("routes").stdout):
        if route["method"] == "GET" and "{" not in route["path"] and route["path"] != "/session":
            suffix = {"/access/who-can": "?api=keyed", "/access/what-can": "?user=apiagent"}.get(route["path"], "")
            watched.keep(route["path"], admin.get(route["path"] + suffix).expect(200))
    for accept in ("application/x-ndjson", "text/csv"):
        watched.keep(f"audit as {accept}", admin.get("/audit", Accept=accept).expect(200))
    watched.keep("export", admin.get("/resources/export", Accept="application/json").expect(200))
    for path in ("/metrics", "/healthz", "/readyz", "/openapi.json"):
        watched.keep(path, watched.server.client.get(path).expect(200))
    for stream in ("admin", "calls"):
        watched.outputs.append(watched.run("audit", "list", "--stream", stream, "-o", "json", code=None))
    watched.run("export", "-o", watched.server.folder / "export")
    watched.run("audit", "verify")


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FUNCGATE_KEYSTORE_PASSWORD", KEYSTORE)
        server = Server(tmp_path_factory.mktemp("canary"))
        folder = server.write(resources())
        watched = Watched(server)
        server.start(folder)
        try:
            watched.made["set-up token"] = setup_token(server)
            for token, status in (("x" * 43, 401), (watched.made["set-up token"], 201)):
                watched.keep("set-up", api(server.client, "POST", "/setup", json={"token": token, "login": LOGIN, "password": FIRST}).expect(status))
            admin = sign_in(watched, LOGIN, FIRST, "root")
            use_passwords(watched, admin)
            token = use_keys(watched, admin)
            use_secrets(watched, admin)
            server.apply(resources())
            watched.keep("apply", api(admin.client, "POST", "/resources/apply", admin.headers("POST") + [("Content-Type", "application/yaml")],
                                      body="{apiVersion: funcgate/v1, kind: User, metadata: {name: by-yaml}, spec: {description: x}}").expect(200))
            read_everything(watched, admin)
            watched.keep("me by key", Management(server, token).get("/me").expect(200))
            # Records are written within 2 s: what is searched must hold the last call.
            trace = server.client.get("/api/v1/al/keyed").expect(401).json["traceId"]
            wait_until(lambda: trace in watched.run("audit", "list", "--stream", "calls", "-o", "json"), "the last call is recorded")
            yield watched
        finally:
            server.stop()


def needles(watched: Watched) -> dict[bytes, str]:
    """Every form of every secret → its name."""
    found = {}
    for name, secret in {**MARKED, **watched.made}.items():
        for user in ("mia", LOGIN):
            found |= {form: name for form in traces(secret, user)}
    return found


def hits(content: bytes, forms: dict[bytes, str]) -> set[str]:
    return {forms[hit] for hit in re.findall(b"|".join(map(re.escape, forms)), content)}


def test_the_search_finds_what_is_there(watched):
    """The tool of this module: each secret would be found, and the places that are searched hold what was done."""
    forms = needles(watched)
    for name, secret in {**MARKED, **watched.made}.items():
        assert hits(b"x" + secret.encode() + b"y", forms) == {name}
    everything = b"".join(path.read_bytes() for path in watched.server.data.rglob("*") if path.is_file())
    assert b"apiagent" in everything and b"key.created" in everything
    assert len(watched.answers) > 100 and any("key.revoked" in text for _, text in watched.answers)


def test_no_file_of_the_server_holds_a_secret(watched):
    """I3, authentication 66, 73: database, journal, logs, exports: none of them in clear, in Base64 or in hexadecimal."""
    forms = needles(watched)
    folders = [*watched.server.data.rglob("*"), *watched.server.folder.glob("server-*"), *(watched.server.folder / "export").rglob("*")]
    found = {str(path): hits(path.read_bytes(), forms) for path in folders if path.is_file()}
    assert {path: names for path, names in found.items() if names} == {}
    assert not (watched.server.data / "keystore-password").exists(), "the password came from the environment"


def test_no_answer_holds_a_secret_that_it_need_not_tell(watched):
    """I3, authentication 26, 66: sessions, keys and CSRF tokens stand in the answers that make them, everything else nowhere."""
    forms = needles(watched)
    # A caller's own CSRF token is told again to the session itself: GET /session was left out above.
    found = {where: hits(text.encode(), forms) for where, text in watched.answers}
    assert {where: names for where, names in found.items() if names} == {}


def test_no_command_prints_a_secret(watched):
    """I3: neither results nor messages of the commands."""
    forms = needles(watched)
    assert set().union(*(hits(text.encode(), forms) for text in watched.outputs)) == set()


def test_no_process_shows_a_secret(watched):
    """I3, authentication 73: command lines and environments of the server, its zygote and its workers; the keystore's password is taken out."""
    forms, seen = needles(watched), 0
    for pid in [watched.server.process.pid, *watched.server.descendants(watched.server.process.pid)]:
        for name in ("cmdline", "environ"):
            try:
                content = Path(f"/proc/{pid}/{name}").read_bytes()
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue
            seen += 1
            assert hits(content, forms) == set(), f"{name} of {pid}"
    assert seen >= 4


def test_the_keystore_is_not_readable_without_its_password(watched):
    """I3: its file holds no value in clear, and only the password opens it."""
    keytool = Keytool(watched.server.data)
    keytool.password_file = watched.server.folder / "guess"
    keytool.password_file.write_text("changeit")
    assert "partner" not in keytool.run("-list", expect=1)
    keytool.password_file.write_text(KEYSTORE)
    assert "partner" in keytool.aliases()
    keytool.password_file.unlink()
