"""funcgate keystore: with a running server and without one, side by side with the JDK's keytool (I5)."""

from __future__ import annotations

import json
import subprocess

import pytest

from support.keytool import Keytool
from support.management import Management
from support.server import BINARY, COMMAND_S, Server, command, environment

SIGNING = "phixflow-api-key"


@pytest.fixture
def stopped(tmp_path) -> Server:
    """A data directory with a keystore and no server."""
    server = Server(tmp_path / "server")
    done = command("keystore", "create", "--data", server.data)
    assert done.returncode == 0, done.stderr
    return server


@pytest.fixture
def running(make_server) -> Server:
    return make_server()


def keystore(server: Server, *arguments, typed: bytes | None = None, expect: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([BINARY, "keystore", *map(str, arguments), "--data", str(server.data)], input=typed, capture_output=True,
                          timeout=COMMAND_S, env=environment())
    assert done.returncode == expect, f"ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


def entries(server: Server) -> dict[str, dict]:
    rows = json.loads(keystore(server, "list", "-o", "json").stdout)
    return {row["alias"]: row for row in rows}


def error_of(done: subprocess.CompletedProcess) -> str:
    return done.stderr.decode()


# --- keytool and funcgate on one file

def test_what_keytool_put_in_is_read_and_what_funcgate_wrote_survives_keytool(stopped):
    keytool = Keytool(stopped.data)
    before = keytool.aliases()
    assert before == {"pepperkey", SIGNING, "funcgate-sealing-key"}
    keytool.put("Partner-Password", "a partner's password")
    listed = entries(stopped)
    assert listed["partner-password"]["bytes"] == len("a partner's password")
    assert listed["partner-password"]["status"] == "ok"
    keystore(stopped, "set", "Second", typed=b"printable value\n")
    assert keytool.aliases() == before | {"partner-password", "second"}
    kids = {alias: row["kid"] for alias, row in entries(stopped).items()}
    keytool.put("third", "one more value")
    keytool.delete("partner-password")
    after = entries(stopped)
    assert {alias: row["kid"] for alias, row in after.items() if alias in kids} == {alias: kid for alias, kid in kids.items() if alias != "partner-password"}
    assert after["second"]["bytes"] == len("printable value")
    assert after["third"]["bytes"] == len("one more value")


@pytest.mark.parametrize(("value", "problem"), [
    ("31-bytes-of-a-signing-secret-ab", "in the keystore {path} has 31 bytes, at least 32 are needed. Replace it with: "
     "funcgate keystore set phixflow-api-key --generate (existing API keys stop working)"),
    ("aaaaaaaabbbbbbbbaaaaaaaabbbbbbbb", "is a known or trivial value"),
])
def test_a_signing_secret_from_keytool_that_is_unfit_names_its_fault(stopped, value, problem):
    keytool = Keytool(stopped.data)
    keytool.delete(SIGNING)
    keytool.put(SIGNING, value)
    expected = problem.format(path=stopped.data / "keystore.p12")
    checked = keystore(stopped, "check", expect=1).stdout.decode()
    assert expected in checked and f'API key signing secret "{SIGNING}"' in checked
    stopped.start()
    try:
        assert expected in stopped.log().replace("\\\"", '"')
        ready = stopped.client.get("/readyz").expect(200).json
        assert ready["degraded"] == ["apiKeys"]
    finally:
        assert stopped.stop() == 0


def test_a_signing_secret_of_32_bytes_from_keytool_signs(stopped):
    keytool = Keytool(stopped.data)
    keytool.delete(SIGNING)
    keytool.put(SIGNING, "32-bytes-of-a-signing-secret-abc")
    stopped.start()
    try:
        assert stopped.client.get("/readyz").expect(200).json["degraded"] == []
        admin = Management.set_up(stopped)
        key_id, token = admin.key(admin.data("/me")["id"], "Signed")
        assert token.count(".") == 2
        assert admin.data(f"/api-keys/{key_id}")["kid"] == entries(stopped)[SIGNING]["kid"]
    finally:
        assert stopped.stop() == 0


def test_a_missing_signing_secret_is_told_with_its_remedy(stopped):
    keystore(stopped, "delete", SIGNING)
    assert (f'API key signing secret "{SIGNING}" is missing from the keystore {stopped.data / "keystore.p12"}. '
            f"Create it with: funcgate keystore set {SIGNING} --generate") in keystore(stopped, "check", expect=1).stdout.decode()
    keystore(stopped, "set", SIGNING, "--generate")
    keystore(stopped, "check")


# --- values

def test_no_command_prints_a_value(stopped):
    value = b"never-to-be-printed-on-any-screen"
    outputs = [keystore(stopped, "set", "mine", typed=value)]
    for words in (["list"], ["list", "-o", "json"], ["check"], ["rotate", SIGNING], ["rotate", "pepperKey"], ["delete", "mine"]):
        outputs.append(keystore(stopped, *words))
    for done in outputs:
        assert value not in done.stdout + done.stderr


def test_a_value_may_be_any_octets_and_comes_from_a_file_or_standard_input(stopped, tmp_path):
    octets = bytes(range(256))
    (tmp_path / "value").write_bytes(octets)
    keystore(stopped, "set", "binary", "--from-file", tmp_path / "value")
    keystore(stopped, "set", "line", typed="größe\n".encode())
    listed = entries(stopped)
    assert listed["binary"]["bytes"] == 256
    assert listed["line"]["bytes"] == len("größe".encode())
    assert "1 to 65536 bytes" in error_of(keystore(stopped, "set", "empty", typed=b"\n", expect=7))


def test_a_value_that_its_purpose_forbids_is_refused_and_nothing_changes(stopped):
    before = entries(stopped)
    refused = keystore(stopped, "set", SIGNING, typed=b"31-bytes-of-a-signing-secret-ab", expect=7)
    assert 'needs at least 32 bytes; the value has 31' in error_of(refused)
    assert entries(stopped) == before


@pytest.mark.parametrize("alias", ["pepperKey", "funcgate-sealing-key"])
def test_a_secret_in_use_is_rotated_and_never_overwritten(stopped, alias):
    before = entries(stopped)
    assert f"funcgate keystore rotate {alias}" in error_of(keystore(stopped, "set", alias, "--generate", expect=1))
    assert entries(stopped) == before


def test_what_does_not_exist_or_cannot_be_is_told_by_the_exit_code(stopped, tmp_path):
    keystore(stopped, "delete", "nobody", expect=3)
    keystore(stopped, "rotate", "other", expect=1)
    keystore(stopped, "rotate", SIGNING, "--overlap", "soon", expect=2)
    keystore(stopped, "reload", expect=3)
    assert command("keystore", "create", "--data", stopped.data).returncode == 5
    assert command("keystore", "list", "--data", tmp_path / "nowhere").returncode == 3


# --- beside a running server

def test_changes_are_live_in_the_running_server_and_audited(running):
    admin = Management.set_up(running)
    user = admin.data("/me")["id"]
    old_id, old_token = admin.key(user, "Old", scopes=["management"])
    keystore(running, "delete", SIGNING)
    assert running.client.get("/readyz").json["degraded"] == ["apiKeys"]
    Management(running, old_token).get("/me").refused("503.99")
    assert admin.post(f"/users/{user}/api-keys", {"name": "None"}).refused("503.61").json["message"].endswith(f"funcgate keystore set {SIGNING} --generate")
    keystore(running, "set", SIGNING, "--generate")
    assert running.client.get("/readyz").json["degraded"] == []
    admin.key(user, "New")
    keystore(running, "reload")
    events = [record["event"] for record in admin.data("/audit?event=keystore.")]
    assert events.count("keystore.changed") >= 2 and "keystore.reloaded" in events and "keystore.created" in events


def test_keytool_changes_are_read_at_reload_and_a_broken_file_changes_nothing(running):
    Keytool(running.data).put("from-keytool", "a value of keytool")
    keystore(running, "reload")
    admin = Management.set_up(running)
    assert "from-keytool" in {row["alias"] for row in admin.data("/keystore")}
    file = running.data / "keystore.p12"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    try:
        assert "keystore" in error_of(keystore(running, "reload", expect=1))
        admin.post("/keystore/reload").refused("503.61")
        assert "from-keytool" in {row["alias"] for row in admin.data("/keystore")}
        assert running.client.get("/readyz").json["degraded"] == []
    finally:
        file.write_bytes(whole)


def test_the_management_api_lists_and_rotates_without_values(running):
    admin = Management.set_up(running)
    before = {row["alias"]: row for row in admin.data("/keystore")}
    assert set(before[SIGNING]) == {"alias", "bytes", "kid", "purpose", "status", "createdAt"}
    rotated = admin.post("/keystore/rotate", {"alias": SIGNING, "overlapHours": 1}).expect(200).json["data"]
    after = {row["alias"]: row for row in admin.data("/keystore")}
    assert after[SIGNING]["kid"] == rotated["kid"] != before[SIGNING]["kid"]
    assert after[f"{SIGNING}.prev.{before[SIGNING]['kid']}"]["kid"] == before[SIGNING]["kid"]
    admin.post("/keystore/rotate", {"alias": "other"}).refused("400.43")
    admin.post("/keystore/rotate", {"alias": SIGNING, "overlapHours": -1}).refused("400.43")


def test_keys_of_a_rotated_secret_verify_until_the_overlap_ends(running):
    admin = Management.set_up(running)
    user = admin.data("/me")["id"]
    role = admin.create("/roles", name="Keys", privileges=["Use API Key"])
    admin.link(f"/roles/{role}/user-groups/{admin.create('/user-groups', name='Owners')}")
    group = next(row["id"] for row in admin.data("/user-groups?name=Owners"))
    admin.link(f"/user-groups/{group}/users/{user}")
    old_id, old_token = admin.key(user, "Old", scopes=["management"])
    keystore(running, "rotate", SIGNING, "--overlap", "1h")
    new_id, new_token = admin.key(user, "New", scopes=["management"])
    assert admin.data(f"/api-keys/{old_id}")["kid"] != admin.data(f"/api-keys/{new_id}")["kid"]
    for token in (old_token, new_token):
        Management(running, token).get("/me").expect(200)
    keystore(running, "rotate", SIGNING, "--overlap", "0")
    Management(running, new_token).get("/me").refused("401.99")
    Management(running, old_token).get("/me").expect(200)


# --- the password

@pytest.mark.parametrize("with_server", [False, True])
def test_another_password_protects_the_file_at_once_and_after_a_restart(stopped, with_server):
    if with_server:
        stopped.start()
    old = (stopped.data / "keystore-password").read_text()
    keystore(stopped, "passwd", typed=b"another password 1\n")
    assert (stopped.data / "keystore-password").read_text() == "another password 1\n" != old
    assert SIGNING in Keytool(stopped.data).aliases()
    keystore(stopped, "set", "after", typed=b"value")
    if with_server:
        assert stopped.stop() == 0
    stopped.start()
    assert stopped.stop() == 0


def test_a_password_that_keytool_would_refuse_is_refused(stopped):
    assert "6 to" in error_of(keystore(stopped, "passwd", typed=b"short\n", expect=7))
    keystore(stopped, "list")
