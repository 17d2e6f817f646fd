"""The commands of the management API: on the data directory, and with a key over HTTP."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess

import pytest
import yaml

from support.management import Management
from support.resources import PROBE, Resources
from support.server import BINARY, ROOT, command, environment, wait_until
from test_tls import make_certificate

PASSWORD = "Phixflow123!"


def resources() -> Resources:
    made = Resources().scripts("demo", probe=PROBE)
    for name in ("greet", "open"):
        made.api(name, "demo__probe.hello", methods=["GET"])
    return made.api("see", "demo__probe.see", "api-key", methods=["GET"]).api("later", "demo__probe.rest", execMode="async", methods=["POST"])


class Funcgate:
    """`funcgate ARGUMENTS` with how to reach the server at their end."""

    def __init__(self, *connection: str, **variables: str):
        self.connection = [str(one) for one in connection]
        self.variables = variables

    def __call__(self, *arguments, text: str = "", code: int = 0) -> subprocess.CompletedProcess:
        words = [str(one) for one in arguments] + self.connection
        done = subprocess.run([BINARY, *words], input=text, capture_output=True, text=True, timeout=120, env={**environment(), **self.variables})
        assert done.returncode == code, f"funcgate {' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    def data(self, *arguments, **more):
        return json.loads(self(*arguments, "-o", "json", **more).stdout)


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


@pytest.fixture(scope="module")
def local(server, admin) -> Funcgate:
    return Funcgate("--data", server.data)


@pytest.fixture(scope="module")
def key_file(server, local, tmp_path_factory):
    """A management key of an administrator."""
    file = tmp_path_factory.mktemp("keys") / "operator.key"
    local("user", "create", "operator")
    local("group", "add-user", "Administrators", "operator")
    local("role", "create", "Key users", "--privilege", "Use API Key")
    local("role", "add-group", "Key users", "Administrators")
    local("key", "create", "--user", "operator", "--name", "console", "--scope", "management", "--out", file)
    return file


@pytest.fixture(scope="module")
def remote(server, key_file) -> Funcgate:
    return Funcgate("--url", server.url(""), "--token-file", key_file)


@pytest.fixture(params=["local", "remote"])
def funcgate(request) -> Funcgate:
    return request.getfixturevalue(request.param)


# --- the walk-through

def test_the_walk_through(server, funcgate, request, tmp_path):
    """From an anonymous API to one that demands a key, by commands alone, on either way to the server."""
    name = "apiagent-" + request.node.callspec.params["funcgate"]
    role, group, api = f"GenerateAPIToken {name}", f"APIUsers {name}", "greet" if "local" in name else "open"
    path, key = f"/api/v1/func-api/{api}", tmp_path / "agent.key"
    made = funcgate.data("user", "create", name, "--first-name", "API", "--surname", "Agent", "--password", text=PASSWORD + "\n")
    assert (made["login"], made["surname"], made["enabled"]) == (name, "Agent", True)
    assert PASSWORD not in json.dumps(made)
    assert funcgate.data("role", "create", role, "--privilege", "Use API Key")["privileges"] == ["Use API Key"]
    funcgate("group", "create", group)
    funcgate("role", "add-group", role, group)
    funcgate("group", "add-user", group, name)
    assert funcgate("key", "create", "--user", name, "--name", "Call API", "--expires", "90d", "--out", key).stdout.endswith(f"The key stands in {key}\n")
    token = key.read_text(encoding="utf-8").strip()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600

    server.client.get(path).expect(200)
    assert funcgate.data("api", "update", api, "--auth", "api-key", "--anonymous", "no", "--anonymous-reason", "")["state"] == "ok"
    refused = server.client.get(path).refused("401.99")
    server.client.get(path, [("Authorization", token)]).expect(200)
    seen = server.client.get("/api/v1/func-api/see", [("Authorization", token)]).expect(200).json["caller"]
    assert (seen["name"], seen["runAs"]) == (name, name)
    assert [via["group"] for one in funcgate.data("user", "privileges", name) for via in one["via"]] == [group]
    may = {row["api"]["id"]: row["may"] for row in funcgate.data("access", "what-can", "--user", name)["apis"]}
    assert may[api] and may["see"]
    assert name in [user["login"] for user in funcgate.data("access", "who-can", api)["users"]]

    funcgate("group", "remove-user", group, name)
    server.client.get(path, [("Authorization", token)]).refused("403.15")
    funcgate("group", "add-user", group, name)
    server.client.get(path, [("Authorization", token)]).expect(200)
    funcgate("user", "disable", name)
    server.client.get(path, [("Authorization", token)]).refused("401.99")
    funcgate("user", "enable", name)
    server.client.get(path, [("Authorization", token)]).expect(200)

    told = funcgate("explain", refused.json["traceId"]).stdout
    assert "key.absent" in told and api in told
    assert funcgate.data("explain", refused.json["traceId"])["error"].split()[0] == "401.99"
    assert funcgate.data("key", "inspect", text=token)["verdict"] == "ACTIVE"
    funcgate("key", "revoke", f"{name}/Call API", "--reason", "end of the walk")
    server.client.get(path, [("Authorization", token)]).refused("401.99")
    inspected = json.loads(funcgate("key", "inspect", "-o", "json", text=f"Bearer {token}\n", code=1).stdout)
    assert (inspected["verdict"], inspected["login"]) == ("REVOKED", name)


def test_calls_with_a_key_are_recorded_as_the_owner(server, remote, key_file):
    remote("user", "create", "recorded")
    remote("group", "add-user", "Administrators", "recorded")
    made = remote.data("key", "create", "--user", "recorded", "--name", "Record")
    answer = server.client.get("/api/v1/func-api/see", [("Authorization", made["token"])]).expect(200)
    rows = wait_until(lambda: remote.data("audit", "list", "--stream", "calls", "--trace", answer.json["trace"]), "the call is recorded")
    assert [(row["actor"]["login"], row["actor"]["keyId"]) for row in rows] == [("recorded", made["key"]["id"])]


# --- what is printed

def test_tables_are_aligned_for_readers_of_any_script(local):
    local("group", "create", "東京の利用者", "--description", "wide")
    local("group", "create", "Größe e\u0301", "--description", "combining")
    lines = local("group", "list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "USERS", "ROLES", "BUILT-IN", "ID"]
    column = lines[0].index("USERS")
    wide = next(line for line in lines if line.startswith("東京の利用者"))
    assert wide[column - 6] == "0"  # six characters of two columns
    combining = next(line for line in lines if line.startswith("Gr"))
    assert combining[column + 1] == "0" if "\u0301" in combining else combining[column] == "0"


def test_json_and_yaml_are_the_data_of_the_answer(funcgate):
    rows = funcgate.data("user", "list", "--login", "root")
    assert [row["login"] for row in rows] == ["root"]
    assert rows[0]["groups"][0]["name"] == "Administrators"
    assert yaml.safe_load(funcgate("user", "list", "--login", "root", "-o", "yaml").stdout) == rows
    assert funcgate.data("user", "get", "root") == funcgate.data("user", "get", rows[0]["id"])
    assert re.search(r"^login +root$", funcgate("user", "get", "root").stdout, re.M)
    assert funcgate("user", "list", "--login", "no-such-*").stdout == "(none)\n"


def test_lists_are_read_to_their_end(admin, funcgate):
    names = [f"many-{number:03}" for number in range(205)]
    if not admin.data("/users?login=many-*"):
        for name in names:
            admin.create("/users", login=name)
    assert [row["login"] for row in funcgate.data("user", "list", "--login", "many-*")] == names
    assert len(funcgate.data("user", "list", "--login", "many-*", "--limit", "3")) == 3


def test_whoami(server, local, remote, key_file):
    assert local.data("whoami")["login"] == "local"
    me = remote.data("whoami")
    assert (me["login"], me["keyId"][:4]) == ("operator", "key-")
    assert "Use API Key" in me["privileges"]


# --- exit codes

@pytest.mark.parametrize(("arguments", "code", "message"), [
    (["user", "get", "nobody"], 3, 'there is no user "nobody"'),
    (["user", "get", "usr-aaaaaaaaaaaaaaaa"], 3, "usr-aaaaaaaaaaaaaaaa"),
    (["explain", "no-such-trace"], 3, "no refused call"),
    (["user", "create", "root"], 5, "already"),
    (["user", "delete", "root", "--if-version", "999"], 5, "changed meanwhile"),
    (["role", "delete", "Administrator"], 5, ""),
    (["user", "create", "bad login", "--email", "nowhere"], 7, "\n  login: "),
    (["role", "create", "Wrong", "--privilege", "Fly"], 7, 'there is no privilege "Fly"'),
    (["user", "update", "root"], 2, "nothing is to be changed"),
    (["policy", "set", "--min-length", "many"], 2, "whole number"),
    (["key", "create", "--user", "root", "--name", "x", "--expires", "soon"], 2, "--expires soon"),
    (["access", "what-can"], 2, "--user or --key"),
])
def test_exit_codes(funcgate, arguments, code, message):
    done = funcgate(*arguments, code=code)
    assert message in done.stderr, done.stderr
    assert done.stdout == ""


def test_usage_is_exit_code_2(local):
    for arguments in (["user"], ["user", "fly"], ["user", "get"], ["user", "list", "--colour", "red"], ["key", "create", "--name", "x"], ["completion", "csh"]):
        done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, env=environment())
        assert done.returncode == 2, (arguments, done.stderr)


def test_denied_is_exit_code_4_and_names_the_privilege(server, local, tmp_path):
    local("user", "create", "reader")
    local("group", "create", "Readers")
    local("role", "create", "Reader", "--privilege", "Use API Key", "--privilege", "View Users, User Groups and Roles")
    local("role", "add-group", "Reader", "Readers")
    local("group", "add-user", "Readers", "reader")
    key = tmp_path / "reader.key"
    local("key", "create", "--user", "reader", "--name", "r", "--scope", "api,management", "--out", key)
    reader = Funcgate("--url", server.url(""), "--token-file", key)
    assert reader.data("user", "list", "--login", "reader")[0]["login"] == "reader"
    done = reader("user", "create", "other", code=4)
    assert 'Privilege "Administer Users, User Groups and Roles" is required' in done.stderr
    assert re.search(r"\n  trace id: \S+\n", done.stderr)
    wrong = tmp_path / "wrong.key"
    wrong.write_text("eyJhbGciOiJIUzI1NiJ9.e30.AAAA\n", encoding="utf-8")
    assert "API Key Auth failed" in Funcgate("--url", server.url(""), "--token-file", wrong)("user", "list", code=4).stderr


def test_unreachable_is_exit_code_6(tmp_path):
    key = tmp_path / "key"
    key.write_text("x.y.z\n", encoding="utf-8")
    assert "cannot reach" in Funcgate("--url", "http://127.0.0.1:9", "--token-file", key)("user", "list", code=6).stderr
    assert "no server runs" in Funcgate("--data", tmp_path)("user", "list", code=6).stderr
    assert "fail" in Funcgate("--data", tmp_path)("doctor", code=6).stdout


# --- keys on their way

def test_where_the_key_comes_from(server, key_file):
    token = key_file.read_text(encoding="utf-8").strip()
    by_file = Funcgate("--url", server.url(""), FUNCGATE_TOKEN_FILE=str(key_file))
    by_value = Funcgate("--url", server.url("/admin/api/v1/"), FUNCGATE_TOKEN=token)
    by_address = Funcgate(FUNCGATE_URL=server.url(""), FUNCGATE_TOKEN_FILE=str(key_file))
    for one in (by_file, by_value, by_address):
        assert one.data("whoami")["login"] == "operator"
    assert "management key" in Funcgate("--url", server.url(""))("whoami", code=2).stderr


def test_a_key_does_not_travel_unencrypted_to_another_machine(key_file):
    done = Funcgate("--url", "http://gate.example:8089", "--token-file", key_file)("whoami", code=2)
    assert "not encrypted" in done.stderr and "--allow-plain-http" in done.stderr
    assert "http" in Funcgate("--url", "ftp://gate.example", "--token-file", key_file)("whoami", code=2).stderr


def test_a_key_is_written_once_and_over_nothing(local, remote, tmp_path):
    there = tmp_path / "there"
    there.write_text("precious", encoding="utf-8")
    done = remote("key", "create", "--user", "operator", "--name", "over", "--out", there, code=5)
    assert there.read_text(encoding="utf-8") == "precious"
    lost = re.search(r"funcgate key revoke (key-\w+)", done.stderr).group(1)
    remote("key", "revoke", lost)
    shown = remote("key", "create", "--user", "operator", "--name", "shown", "--api", "see", "--address", "127.0.0.0/8")
    assert re.fullmatch(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", shown.stdout.splitlines()[-1])
    assert "not shown again" in shown.stderr
    listed = remote.data("key", "list", "--user", "operator", "--name", "shown")
    assert (listed[0]["apis"], listed[0]["addresses"], listed[0]["scopes"]) == (["see"], ["127.0.0.0/8"], ["api"])
    successor = remote.data("key", "reissue", "operator/shown", "--overlap", "1h")
    assert successor["key"]["replaces"] == listed[0]["id"]
    assert remote.data("key", "list", "--user", "operator", "--unused", "1d") == []
    assert "shown" in {row["name"] for row in remote.data("key", "list", "--user", "operator", "--unused", "0s")}
    assert remote.data("key", "update", listed[0]["id"], "--name", "old")["name"] == "old"


def test_over_tls_the_certificate_is_checked_and_its_end_told(make_server, tmp_path):
    certificate, private = make_certificate(tmp_path / "tls", "gate")
    served = make_server(config=f'[server]\ntls_certificate = "{certificate}"\ntls_key = "{private}"\n')
    data, key = Funcgate("--data", served.data), tmp_path / "far.key"
    data("user", "create", "far")
    data("group", "add-user", "Administrators", "far")
    data("role", "create", "Far", "--privilege", "Use API Key")
    data("role", "add-group", "Far", "Administrators")
    data("key", "create", "--user", "far", "--name", "tls", "--scope", "management", "--out", key)
    url = f"https://127.0.0.1:{served.port}"
    assert Funcgate("--url", url, "--token-file", key, "--ca-file", certificate).data("whoami")["login"] == "far"
    checks = {row["check"]: row for row in Funcgate("--url", url, "--token-file", key, "--ca-file", certificate).data("doctor")}
    assert checks["certificate"]["verdict"] == "warn" and "1 days" in checks["certificate"]["found"]  # made for two
    assert "certificate" in Funcgate("--url", url, "--token-file", key)("whoami", code=6).stderr
    assert "cannot be read" in Funcgate("--url", url, "--token-file", key, "--ca-file", tmp_path / "none")("whoami", code=7).stderr
    # The certificate is for 127.0.0.1 alone.
    Funcgate("--url", f"https://localhost:{served.port}", "--token-file", key, "--ca-file", certificate)("whoami", code=6)


# --- the other groups

def test_passwords_come_from_standard_input_or_a_file(server, admin, funcgate, request, tmp_path):
    login = "person-" + request.node.callspec.params["funcgate"]
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n", encoding="utf-8")
    funcgate("user", "create", login, "--password-file", file)
    Management(server).sign_in(login, PASSWORD)
    funcgate("user", "set-password", login, text="Another-word-1\n")
    Management(server).sign_in(login, "Another-word-1")
    weak = funcgate("user", "set-password", login, text="phixflow\n", code=7)
    assert [line.strip() for line in weak.stderr.splitlines()[1:4]] == ["minLength", "minUpper", "minSpecial"]
    funcgate("user", "end-sessions", login)
    funcgate("user", "unlock", login)
    funcgate("user", "delete", login)
    funcgate("user", "get", login, code=3)


def test_policy_and_privileges(funcgate):
    before = funcgate.data("policy", "get")
    assert funcgate.data("policy", "set", "--days-valid", "365", "--not-login", "yes")["daysValid"] == 365
    assert funcgate.data("policy", "set", "--days-valid", before["daysValid"])["minLength"] == before["minLength"]
    assert funcgate.data("privilege", "audit", "Cancel Tasks", "on")["auditAction"] is True
    assert funcgate.data("privilege", "audit", "Cancel Tasks", "off")["auditAction"] is False
    assert {"name": "Use API Key"}.items() <= next(row for row in funcgate.data("privilege", "list") if row["name"] == "Use API Key").items()


def test_roles_change_their_privileges(funcgate, request):
    role = "Watcher " + request.node.callspec.params["funcgate"]
    funcgate("role", "create", role)
    assert funcgate("role", "grant", role, "View Server", "View Scripts").stdout.count("holds") == 2
    assert funcgate.data("role", "get", role)["privileges"] == ["View Server", "View Scripts"]
    funcgate("role", "ungrant", role, "View Server")
    assert funcgate.data("role", "update", role, "--description", "sees scripts")["privileges"] == ["View Scripts"]
    funcgate("role", "delete", role)


def test_applications_and_their_roles(funcgate, request):
    name = f"Shop {request.node.callspec.params['funcgate']}"
    made = funcgate.data("app", "create", name, "--description", "sells", "--all-users", "no", "--group", "Users", "--group", "Auditors")
    assert made["access"] == {"allUsers": False, "groups": ["Auditors", "Users"]}
    assert [row["name"] for row in funcgate.data("app", "list", "--name", name)] == [name]
    assert "Auditors, Users" in funcgate("app", "list", "-q", "sells").stdout
    assert funcgate.data("app", "update", name, "--group", "Users", "--name", f"{name} b")["access"] == {"allUsers": False, "groups": ["Users"]}
    name = f"{name} b"
    assert funcgate.data("app", "update", name, "--all-users", "yes", "--if-version", "2")["access"]["allUsers"] is True
    assert funcgate.data("app", "get", name.upper())["id"] == made["id"]
    # A role of the same name elsewhere is another one.
    role = funcgate.data("role", "create", f"Watchers {name}", "--application", name, "--privilege", "View Applications")
    other = funcgate.data("role", "create", f"Watchers {name}")
    assert (role["application"], other["application"]) == (name, None)
    assert [row["id"] for row in funcgate.data("role", "list", "--application", name)] == [role["id"]]
    assert role["id"] in funcgate("role", "get", f"Watchers {name}", code=5).stderr
    assert funcgate.data("role", "get", f"{name}/Watchers {name}")["id"] == role["id"]
    funcgate("role", "grant", f"{name}/Watchers {name}", "View Audit Trail", code=7)
    funcgate("role", "grant", f"{name}/Watchers {name}", "Modify Applications")
    assert "Watchers" in funcgate("app", "delete", name, code=5).stderr
    funcgate("role", "delete", f"{name}/Watchers {name}")
    funcgate("role", "delete", f"Watchers {name}")
    assert f'"{name}" was deleted' in funcgate("app", "delete", name).stdout
    funcgate("app", "get", name, code=3)


def test_secrets_are_written_and_never_read(funcgate, request, tmp_path):
    name = "Partner" + request.node.callspec.params["funcgate"].capitalize()
    made = funcgate.data("secret", "create", "--flow", "Advanced/Call API", "--action", "callApi", "--name", name)
    assert made["owner"] == {"kind": "action", "application": "Advanced", "flow": "Call API", "action": "callApi"}
    funcgate("secret", "set", name, text="word-nobody-reads")
    assert funcgate.data("secret", "list", "-q", name)[0]["hasValue"] is True
    assert "word-nobody-reads" not in funcgate("secret", "list", "-o", "json").stdout
    assert funcgate.data("secret", "disable", name)["enabled"] is False
    assert funcgate.data("secret", "enable", name)["enabled"] is True
    assert funcgate.data("secret", "rename", name, name + "2")["name"] == name + "2"
    funcgate("secret", "delete", name + "2")
    assert "APPLICATION/NAME" in funcgate("secret", "create", "--flow", "Flow", "--action", "a", "--name", "X", code=2).stderr


def test_audit_is_listed_exported_and_signed(funcgate, tmp_path):
    rows = funcgate.data("audit", "list", "--event", "user.", "--limit", "3")
    assert len(rows) == 3 and all(row["event"].startswith("user.") for row in rows)
    assert "EVENT" in funcgate("audit", "list", "--limit", "1").stdout
    file = tmp_path / "audit.csv"
    funcgate("audit", "export", "--format", "csv", "--event", "user.", "--out", file)
    assert file.read_text(encoding="utf-8").startswith("seq,time,event")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = funcgate("audit", "export", "--event", "user.created").stdout.splitlines()
    assert all(json.loads(line)["event"] == "user.created" for line in lines) and lines
    assert funcgate.data("audit", "checkpoint")["signature"]
    tail = funcgate("audit", "tail", "--for", "1s", "-o", "json").stdout.splitlines()
    assert 1 <= len(tail) and all(json.loads(line)["seq"] for line in tail)


@pytest.mark.parametrize("words", [["audit", "export"], ["audit", "export", "--format", "csv"], ["audit", "tail", "--for", "1h"], ["audit", "list"], ["user", "list", "-o", "json"],
                                   ["export", "-o", "FOLDER"], ["commands"], ["version"]], ids=" ".join)
def test_success_is_told_only_when_the_output_has_arrived(local, tmp_path, words):
    """A full disk behind standard output: no half an export that looks like a whole one."""
    arguments = [str(tmp_path / "out") if word == "FOLDER" else word for word in words] + (local.connection if words[0] not in ("commands", "version") else [])
    with open("/dev/full", "wb", buffering=0) as full:
        done = subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, env=environment())
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr or "did not arrive" in done.stderr, done.stderr


@pytest.mark.parametrize("words", ["apply -o json", "diff -o json", "apply"])
def test_a_change_of_a_stopped_instance_is_told_only_when_the_report_has_arrived(tmp_path, words):
    """These two end without the way that all others take. With more than the buffer holds, too."""
    for count in (1, 800):
        made = Resources().scripts("demo", probe=PROBE)
        for number in range(count):
            made.variable(f"VARIABLE_{number}", "string", "value", "demo")
        folder = made.write(tmp_path / f"resources-{count}")
        applied = command("apply", "-f", folder, "--data", tmp_path / f"data-{count}")
        assert applied.returncode == 0, applied.stderr
        with open("/dev/full", "wb", buffering=0) as full:
            done = subprocess.run([BINARY, *words.split(), "-f", folder, "--data", tmp_path / f"data-{count}"], stdin=subprocess.DEVNULL, stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=120, env=environment())
        assert done.returncode == 1, done.stderr
        assert "standard output" in done.stderr or "No space left on device" in done.stderr or "did not arrive" in done.stderr, done.stderr


def test_an_export_that_nobody_reads_to_its_end_is_told(local):
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run([BINARY, "audit", "export", *local.connection], stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120, env=environment())
    finally:
        os.close(write)
    assert done.returncode == 1 and "standard output" in done.stderr and "Broken pipe" in done.stderr, (done.returncode, done.stderr)


def test_tasks_are_listed_and_cancelled(server, funcgate):
    if funcgate.data("api", "get", "later")["state"] != "ok":
        pytest.fail("the asynchronous API is not published")
    server.client.post("/api/v1/func-api/later", json={"kwargs": {"seconds": 30}}).expect(202)
    task = funcgate.data("task", "list", "--api", "later", "--limit", "1")[0]
    assert funcgate.data("task", "get", task["id"])["apiId"] == "later"
    funcgate("task", "cancel", task["id"])
    funcgate("task", "get", "no-such-task", code=3)


def test_doctor(server, local, remote, key_file, tmp_path):
    checks = {row["check"]: row for row in remote.data("doctor")}
    assert {"reachable", "ready", "clock", "credential", "version", "keystore", "open"} <= set(checks)
    assert all(row["verdict"] != "fail" for row in checks.values())
    assert re.search(r"^ok +reachable +", local("doctor").stdout, re.M)
    without = {row["check"]: row for row in Funcgate("--url", server.url("")).data("doctor")}
    assert without["credential"]["verdict"] == "warn" and "keystore" not in without


def test_public_endpoints(funcgate):
    rows = {row["id"]: row for row in funcgate.data("public-endpoints")}
    assert rows["later"]["kind"] == "api" and rows["/healthz"]["kind"] == "server"


# --- documents on another machine

def test_apply_diff_and_export_over_the_network(server, remote, tmp_path):
    folder = Resources().fixed_field("far", {"location": "header", "name": "X-Far", "value": "word-of-far-away"}).write(tmp_path / "documents")
    assert "created" in remote("diff", "-f", folder, code=1).stdout
    assert "ApiAuthentication far: created" in remote("apply", "-f", folder, "--set", "far").stdout
    assert "unchanged" in remote("diff", "-f", folder, "--set", "far").stdout
    exported = tmp_path / "exported"
    remote("export", "-o", exported)
    texts = "".join(path.read_text(encoding="utf-8") for path in exported.rglob("*") if path.is_file())
    assert "far" in texts and "word-of-far-away" not in texts
    remote("export", "--kind", "UserGroup", "-k", "ApiAuthentication", "-o", tmp_path / "some")
    assert {path.name for path in (tmp_path / "some").iterdir()} == {"user-groups", "api-authentications"}
    done = remote("export", "-k", "UserGroups", "-o", tmp_path / "none", code=2)
    assert 'no document has the kind "UserGroups"; did you mean "UserGroup"?' in done.stderr and not (tmp_path / "none").exists()
    (folder / "resources.yaml").write_text("kind: FuncApi\n", encoding="utf-8")
    remote("apply", "-f", folder, code=7)
    broken = Resources().api("no-function", "nowhere__at.all", "far").write(tmp_path / "broken")
    done = remote("apply", "-f", broken, code=7)
    assert re.search(r"resources.yaml:\d+: funcId: ", done.stderr)


# --- help and completion

def test_every_group_has_help_with_examples():
    tree = json.loads(subprocess.run([BINARY, "commands"], capture_output=True, text=True, timeout=60, check=True).stdout)
    groups = [group for group in tree["commands"] if group["commands"]]
    assert {"user", "group", "role", "privilege", "policy", "key", "secret", "audit", "access", "api", "task"} <= {group["words"].split()[1] for group in groups}
    for group in groups:
        assert "funcgate " in group["examples"], group["words"]
        done = subprocess.run([BINARY, *group["words"].split()[1:], "--help"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "Examples:" in done.stdout
        for command in group["commands"]:
            assert command["help"], command["words"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_parse(shell, tmp_path):
    script = subprocess.run([BINARY, "completion", shell], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "set-password" in script and "routes" not in script.replace("public-endpoints", "")
    file = tmp_path / f"completion.{shell}"
    file.write_text(script, encoding="utf-8")
    done = subprocess.run([shell, "-n", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("line", "found"), [
    ("funcgate use", ["user"]),
    ("funcgate user set", ["set-password"]),
    ("funcgate user list -o ", ["table", "json", "yaml"]),
    ("funcgate key create --sco", ["--scope"]),
])
def test_completion_in_bash(line, found, tmp_path):
    script = tmp_path / "completion.bash"
    script.write_text(subprocess.run([BINARY, "completion", "bash"], capture_output=True, text=True, timeout=60, check=True).stdout, encoding="utf-8")
    words = line.split(" ")
    ask = f'source {script}; COMP_WORDS=({" ".join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}; _funcgate; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == found, done.stderr


def test_secrets_are_in_no_help_as_arguments():
    """Passwords, keys and values have no option that takes them: the list of processes shows arguments to everybody."""
    tree = json.loads(subprocess.run([BINARY, "commands"], capture_output=True, text=True, timeout=60, check=True).stdout)

    def options(node):
        yield from ((node["words"], option) for option in node["options"])
        for child in node["commands"]:
            yield from options(child)

    for words, option in options(tree):
        if any(re.fullmatch(r"--(password|token|secret|value|key-value)", name) for name in option["names"]):
            assert option["value"] == "", f"{words} {option['names']}"


def test_the_reference_page_is_current():
    """docs/cli.md is what tools/cli_reference.py makes of the program's own help."""
    done = subprocess.run(["/usr/bin/python3", ROOT / "tools/cli_reference.py", BINARY], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (ROOT / "docs/cli.md").read_text(encoding="utf-8") == done.stdout, "run tools/cli_reference.py BINARY > docs/cli.md"


def test_local_commands_write_yaml_where_they_write_json(server, local, tmp_path):
    """identity 12: `-o table|json|yaml`."""
    folder = Resources().scripts("yamlset", main=PROBE).api("in-yaml", "yamlset__main.hello", title="Of YAML").write(tmp_path / "yaml")
    for words in (["diff", "-f", folder], ["apply", "--dry-run", "-f", folder], ["validate", "-f", folder], ["keystore", "list"], ["keystore", "check"], ["audit", "verify"],
                  ["migrate", "--dry-run"]):
        place = [] if words[0] == "validate" else ["--data", server.data]
        told = [subprocess.run([BINARY, *words, *place, "-o", form], capture_output=True, text=True, timeout=120, env=environment(), check=False) for form in ("json", "yaml")]
        assert told[0].returncode == told[1].returncode, (words, told)
        assert json.loads(told[0].stdout) == yaml.safe_load(told[1].stdout), words
        assert told[1].stdout[0] not in "{[", words
