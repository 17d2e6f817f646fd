"""Resources as code: validate, apply, diff, export (identity §12, §13, I12)."""

import json
import re
import socket
from pathlib import Path

import pytest

from support.resources import PROBE, Resources
from support.server import Server, command
from support.wire import Client

PASSWORD = "a-password-to-look-for"
TOKEN = "a-token-to-look-for"


def resources() -> Resources:
    made = Resources().scripts("shop", main=PROBE)
    made.basic("staff", {"mia": PASSWORD}).digest("stock", {"mia": PASSWORD}).fixed_field("shop", {"label": "north", "location": "header", "name": "X-Shop-Token", "value": TOKEN})
    made.variable("REGION", "string", "north", "shop").variable("KEY", "password", "a-variable-to-look-for", "shop")
    made.api("hello", "shop__main.hello", "staff", "stock", "shop", title="Hello").api("open", "shop__main.hello")
    return made


SECRETS = (PASSWORD, TOKEN, "a-variable-to-look-for")


def output(done) -> str:
    return done.stdout + done.stderr


def test_apply_twice(make_server):
    """identity §13, I12: created, then all unchanged."""
    server = make_server()
    folder = server.write(resources())
    first = server.apply(folder)
    assert "created" in first.stdout and "unchanged" not in first.stdout
    second = server.apply(folder)
    lines = [line for line in second.stdout.splitlines() if re.search(r"\b(created|changed|pruned)\b", line) and "unchanged" not in line]
    assert not lines, second.stdout
    assert "unchanged" in second.stdout
    assert not any(secret in output(first) + output(second) for secret in SECRETS)


def test_change_is_named(make_server):
    """identity §13: `changed (fields)`; diff exits 1 if something would change, 0 if not."""
    server = make_server(resources())
    same = server.write(resources())
    assert command("diff", "-f", same, "--data", server.data).returncode == 0
    other = server.write(resources().api("third", "shop__main.hello"))
    assert command("diff", "-f", other, "--data", server.data).returncode == 1
    made = resources()
    for document in made.documents:
        if document["metadata"]["name"] == "hello":
            document["spec"]["title"] = "Another title"
    changed = server.write(made)
    diff = command("diff", "-f", changed, "--data", server.data)
    assert diff.returncode == 1 and "title" in diff.stdout and "hello" in diff.stdout
    assert server.client.get("/api/v1/al/third/s").status == 404  # a diff writes nothing
    dry = server.try_apply(other, "--dry-run")
    assert dry.returncode == 1 and server.client.get("/api/v1/al/third/s").status == 404
    applied = server.apply(changed)
    assert re.search(r"hello.*changed.*title|changed.*hello.*title|changed.*title.*hello", applied.stdout)


def test_field_left_out_returns_to_its_default(make_server):
    """identity §13: a field left out returns to its default; objects not mentioned are left alone."""
    server = make_server(resources().api("limited", "shop__main.hello", isDisabled=True))
    server.client.get("/api/v1/al/limited/s").refused("403.21")
    server.apply(Resources().api("limited", "shop__main.hello"))
    server.client.get("/api/v1/al/limited/s").expect(200)
    server.client.get("/api/v1/al/open/s").expect(200)


def test_prune(make_server):
    """identity §13: prune removes what an earlier apply of the same set created and this one lacks; in use → nothing is changed."""
    server = make_server()
    server.apply(resources(), "--set", "one")
    without_api = resources()
    without_api.documents = [document for document in without_api.documents if document["metadata"]["name"] != "open"]
    done = server.apply(without_api, "--set", "one", "--prune")
    assert "pruned" in done.stdout
    server.client.get("/api/v1/al/open/s").refused("404.41")
    other = server.apply(Resources().api("hand", "shop__main.hello"), "--set", "two", "--prune")
    assert "pruned" not in other.stdout and server.client.get("/api/v1/al/hello/s").status == 401


def test_configuration_in_use_cannot_go(make_server):
    """authentication 2: deleting a configuration in use is refused, and the API stays protected."""
    server = make_server()
    server.apply(resources(), "--set", "one")
    server.apply(Resources().api("user", "shop__main.hello", "staff"), "--set", "two")
    without = resources()
    without.documents = [document for document in without.documents if document["metadata"]["name"] not in ("staff", "hello")]
    done = server.try_apply(without, "--set", "one", "--prune")
    assert done.returncode == 5 and "staff" in output(done), output(done)
    server.client.get("/api/v1/al/user/s").refused("401.99")
    assert server.client.get("/api/v1/al/hello/s").status == 401  # all or nothing: hello was not pruned either


INVALID = {
    "neither list nor anonymous": lambda: Resources().document("FuncApi", "x", {"funcId": "shop__main.hello"}),                                    # authentication 1
    "both": lambda: Resources().api("x", "shop__main.hello", "staff", anonymous=True, anonymousReason="x"),
    "anonymous without reason": lambda: Resources().document("FuncApi", "x", {"funcId": "shop__main.hello", "anonymous": True}),
    "unknown configuration": lambda: Resources().api("x", "shop__main.hello", "missing"),
    "unknown function": lambda: Resources().api("x", "shop__main.missing"),
    "repeated configuration": lambda: Resources().api("x", "shop__main.hello", "staff", "staff"),
    "two Basic configurations": lambda: Resources().basic("staff2", {"mia": PASSWORD}).api("x", "shop__main.hello", "staff", "staff2"),
    "wildcard origin with authentication": lambda: Resources().api("x", "shop__main.hello", "staff", corsOrigins=["*"]),
    "unknown member": lambda: Resources().api("x", "shop__main.hello", "staff", timeuot=5),
    "wrong type": lambda: Resources().api("x", "shop__main.hello", "staff", timeout="5"),
    "out of range": lambda: Resources().api("x", "shop__main.hello", "staff", timeout=0),
    "unknown method": lambda: Resources().api("x", "shop__main.hello", "staff", methods=["TRACE"]),
    "bad id": lambda: Resources().api("a b", "shop__main.hello", "staff"),
    "long id": lambda: Resources().api("x" * 61, "shop__main.hello", "staff"),
    "unknown kind": lambda: Resources().document("FunkApi", "x", {}),
    "unknown type": lambda: Resources().document("ApiAuthentication", "x", {"title": "x", "type": "magic"}),
    "unknown location": lambda: Resources().fixed_field("x", {"location": "cookie", "name": "a", "value": TOKEN}),
    "reserved header": lambda: Resources().fixed_field("x", {"location": "header", "name": "Host", "value": TOKEN}),
    "reserved name": lambda: Resources().fixed_field("x", {"location": "body", "name": "kwargs", "value": TOKEN}),
    "short value": lambda: Resources().fixed_field("x", {"location": "header", "name": "X-A", "value": "short"}),
    "blank at the end": lambda: Resources().fixed_field("x", {"location": "header", "name": "X-A", "value": "a blank follows "}),
    "no fields": lambda: Resources().fixed_field("x"),
    "label twice": lambda: Resources().fixed_field("x", {"label": "a", "location": "header", "name": "X-A", "value": TOKEN}, {"label": "a", "location": "header", "name": "X-B", "value": TOKEN}),
    "no value": lambda: Resources().fixed_field("x", {"location": "header", "name": "X-A"}),
    "colon in a user name": lambda: Resources().basic("x", {"mi:a": PASSWORD}),
    "user twice": lambda: Resources().basic("x", [{"username": "mia", "password": PASSWORD}, {"username": "mia", "password": PASSWORD}]),
    "quotes in a realm": lambda: Resources().basic("x", {"mia": PASSWORD}, realm='a"b'),
    "realm with a line end": lambda: Resources().basic("x", {"mia": PASSWORD}, realm="a\r\nX-B: c"),
    "unknown algorithm": lambda: Resources().digest("x", {"mia": PASSWORD}, algorithms=["MD4"]),
    "qop without auth": lambda: Resources().digest("x", {"mia": PASSWORD}, qop=["auth-int"]),
    "nonceTtl": lambda: Resources().digest("x", {"mia": PASSWORD}, nonceTtl=5),
    "timeoutMs": lambda: Resources().func_auth("x", "shop__main.hello", timeoutMs=5),
    "cache without fields": lambda: Resources().func_auth("x", "shop__main.hello", cacheTtl=5),
    "changed type": lambda: Resources().digest("staff", {"mia": PASSWORD}),
    "integer variable": lambda: Resources().variable("X", "integer", "five", "shop"),
    "variable id": lambda: Resources().variable("9X", "string", "five", "shop"),
    "set id with double underscore": lambda: Resources().scripts("a__b", main="x = 1\n"),
    "constant that does not fit": lambda: Resources().api("x", "shop__main.hello", "staff", funcCallKwargs={"name": 5}),
    "constant for an unknown argument": lambda: Resources().api("x", "shop__main.hello", "staff", funcCallKwargs={"nmae": "x"}),
    "missing file": lambda: Resources().document("ScriptSet", "x", {"title": "x", "scripts": {"main": {"file": "missing.py"}}, "publish": True}),
    "file outside the folder": lambda: Resources().document("ApiAuthentication", "x", {"title": "x", "type": "httpBasic", "users": [{"username": "mia", "passwordFrom": {"file": "missing.pw"}}]}),
}


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    instance = Server(tmp_path_factory.mktemp("steady"))
    instance.start(instance.write(resources()))
    yield instance
    assert instance.stop() == 0


@pytest.mark.parametrize("name", INVALID)
def test_invalid_documents(steady, name):
    """authentication 1; identity §12, §13; authentication §10: an error anywhere changes nothing, exit 7 (5 for a conflict with what is stored)."""
    beside = f"beside-{list(INVALID).index(name)}"
    made = INVALID[name]().api(beside, "shop__main.hello")
    done = steady.try_apply(made)
    assert done.returncode in (5, 7), f"exit {done.returncode}: {output(done)}"
    assert output(done).strip() and not any(secret in output(done) for secret in SECRETS)
    steady.client.get(f"/api/v1/al/{beside}/s").refused("404.41")
    steady.client.get("/api/v1/al/x/s").refused("404.41")


def test_all_findings_at_once(steady, tmp_path):
    """identity §13: validate names file, line, path and message of all errors, offline."""
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "bad.yaml").write_text('''apiVersion: funcgate/v1
kind: ApiAuthentication
metadata: {name: one}
spec: {title: One, type: httpBasic, users: [{username: "a:b", passwordFrom: {env: NO_SUCH_VARIABLE_HERE}}]}
---
apiVersion: funcgate/v1
kind: FuncApi
metadata: {name: two}
spec: {funcId: shop__main.hello, apiAuthIds: [one], titel: typo}
''', encoding="utf-8")
    done = command("validate", "-f", folder)
    assert done.returncode == 7
    text = output(done)
    assert re.search(r"bad\.yaml:\d+: .*", text) and "colon" in text
    assert "titel" in text and "title" in text  # did you mean


@pytest.mark.parametrize("text", ["kind: [", "a: b: c", "- just\n- a list\n", "\t- tab", "kind: FuncApi\n", "apiVersion: funcgate/v9\nkind: FuncApi\nmetadata: {name: x}\nspec: {}\n", '{"kind": "FuncApi", "kind": "FuncApi"}'])
def test_unreadable_yaml(tmp_path, text):
    """identity §12: exit 7, never a crash."""
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    done = command("validate", "-f", tmp_path)
    assert done.returncode == 7 and output(done).strip(), output(done)


def test_validate_is_content(tmp_path):
    """identity §13: a good folder is valid, without a server."""
    done = command("validate", "-f", resources().write(tmp_path / "good"))
    assert done.returncode == 0, output(done)


@pytest.mark.parametrize("arguments, status", [(["frobnicate"], 2), (["apply"], 2), (["apply", "-f"], 2), (["serve", "--listen", "nonsense", "--data", "{tmp}"], 2),
                                               (["export", "--data", "{tmp}"], 2), (["export", "-o", "{tmp}/x", "-k", "role", "--data", "{tmp}"], 2),
                                               (["export", "-o", "{tmp}/x", "-k", "Role,User", "--data", "{tmp}"], 2), (["diff", "-f", "x", "--frobnicate"], 2)], ids=str)
def test_usage(tmp_path, arguments, status):
    """identity §12: 2 usage."""
    done = command(*[argument.replace("{tmp}", str(tmp_path)) for argument in arguments])
    assert done.returncode == status and output(done).strip(), output(done)


@pytest.mark.parametrize("name", ["apply", "diff", "validate"])
def test_missing_folder(steady, name):
    """identity §12: a folder that is not there is named, and is neither success nor a crash."""
    done = command(name, "-f", "/no/such/folder", *([] if name == "validate" else ["--data", steady.data]))
    assert done.returncode in (3, 7) and "/no/such/folder" in output(done), output(done)


def test_refused_folder_ends_the_start(tmp_path):
    """identity §12: `serve --apply` with an invalid folder ends with 7 and the findings; it does not serve half of it."""
    folder = Resources().scripts("bad", main="@DFF.API('x')\ndef f(a, /):\n    return a\n").api("f", "bad__main.f").write(tmp_path / "bad")
    done = command("serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--apply", folder)
    assert done.returncode == 7 and "positional" in output(done), f"exit {done.returncode}: {output(done)}"


def test_help_and_version():
    """identity §12: every command explains itself."""
    for arguments in (["--help"], ["serve", "--help"], ["apply", "--help"]):
        done = command(*arguments)
        assert done.returncode == 0 and "--" in done.stdout
    assert re.search(r"\d+\.\d+\.\d+", command("version").stdout)


def test_port_in_use(tmp_path):
    """identity §12: a server that cannot listen says so and ends."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = command("serve", "--data", tmp_path / "data", "--listen", f"127.0.0.1:{port}")
    assert done.returncode not in (0, None) and str(port) in output(done)


def test_second_server_on_one_data_directory(steady):
    """Two servers on one data directory would corrupt each other: the second ends at once."""
    done = command("serve", "--data", steady.data, "--listen", "127.0.0.1:0")
    assert done.returncode != 0 and output(done).strip()


def test_unknown_configuration_key(tmp_path):
    """style §9: an unknown key is an error that suggests the nearest known one."""
    config = tmp_path / "funcgate.toml"
    config.write_text("[limits]\nbody_byte = 5\n", encoding="utf-8")
    done = command("serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--config", config)
    assert done.returncode != 0 and "body_byte" in output(done) and "body_bytes" in output(done)


def export(server: Server, folder: Path) -> dict[str, bytes]:
    done = command("export", "-o", folder, "--data", server.data)
    assert done.returncode == 0, output(done)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_export(make_server, tmp_path):
    """identity §13, authentication 25 and 26: byte-identical, without secrets; applied to the same instance all unchanged."""
    server = make_server(resources())
    first = export(server, tmp_path / "first")
    second = export(server, tmp_path / "second")
    assert first == second and first
    everything = b"\n".join(first.values())
    for secret in SECRETS:
        assert secret.encode() not in everything
    for mark in (b"$argon2", b"value_hash", b"sealed"):
        assert mark not in everything
    for name in (b"X-Shop-Token", b"x-shop-token"):
        if name in everything:
            break
    else:
        raise AssertionError("the name of the field is not exported")
    assert b"keep: true" in everything or b'"keep": true' in everything or b'"keep":true' in everything
    done = server.apply(tmp_path / "first")
    changed = [line for line in done.stdout.splitlines() if re.search(r"\b(created|changed|pruned)\b", line)]
    assert not changed, done.stdout
    import base64
    basic = "Basic " + base64.b64encode(f"mia:{PASSWORD}".encode()).decode()
    server.client.get("/api/v1/al/hello/s", {"Authorization": basic}).expect(200)


def test_apply_without_a_server(tmp_path):
    """identity §4, §12: apply works on the data directory of a stopped server; the next start serves it."""
    server = Server(tmp_path / "later")
    server.start()
    server.stop()
    done = server.try_apply(resources())
    assert done.returncode == 0, output(done)
    server.start()
    try:
        assert Client(server.port).get("/api/v1/al/open/s").expect(200).text == "Hello, World!"
    finally:
        server.stop()


def test_resources_survive_a_restart(make_server):
    """What was applied is served after a restart, with its passwords."""
    server = make_server(resources())
    server.stop()
    server.start()
    import base64
    basic = "Basic " + base64.b64encode(f"mia:{PASSWORD}".encode()).decode()
    server.client.get("/api/v1/al/hello/s", {"Authorization": basic}).expect(200)
    server.client.get("/api/v1/al/hello/s", {"X-Shop-Token": TOKEN}).expect(200)


def test_ready_line(steady):
    """The ready line is one JSON object with event and address; every log line is JSON."""
    ready = [event for event in steady.events() if event.get("event") == "server.ready"]
    assert len(ready) == 1 and ready[0]["listen"] == f"127.0.0.1:{steady.port}"
    for line in steady.log().splitlines():
        assert isinstance(json.loads(line), dict), line
