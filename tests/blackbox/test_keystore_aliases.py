"""[keystore.aliases]: the server's own secrets under the names that an operator chose, side by side with the JDK's keytool (identity §6)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.keytool import Keytool
from support.management import PASSWORD, Management, set_up
from support.resources import PROBE, Resources
from support.server import Server, command

CONFIG = """
[keystore.aliases]
password_pepper = "Acme-Pepper"
api_key_signing = "acme.signing"
sealing = "acme-sealing"
"""
USUAL = {"pepperkey", "phixflow-api-key", "funcgate-sealing-key"}
NAMED = {"acme-pepper", "acme.signing", "acme-sealing"}
CALL = "/api/v1/func-api/keyed"


def resources() -> Resources:
    made = Resources().scripts("demo", probe=PROBE).api("keyed", "demo__probe.hello", "api-key", methods=["GET"])
    return made.digest("sealed", {"mia": "a word of mia"})


@pytest.fixture
def stopped(tmp_path) -> Server:
    """A data directory whose keystore was made with the configured names, and no server."""
    server = Server(tmp_path / "server", CONFIG)
    (server.folder / "funcgate.toml").write_text(CONFIG, encoding="utf-8")
    funcgate(server, "keystore", "create")
    return server


def funcgate(server: Server, *arguments, expect: int = 0) -> str:
    """A command with the server's configuration; all that it printed."""
    done = command(*arguments, "--data", server.data, "--config", server.folder / "funcgate.toml")
    assert done.returncode == expect, f"ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def entries(server: Server) -> dict[str, dict]:
    return {row["alias"]: row for row in json.loads(funcgate(server, "keystore", "list", "-o", "json"))}


def with_key(server: Server, token: str):
    return server.client.get(CALL, [("Authorization", token)])


def test_secrets_are_made_under_the_configured_names(stopped):
    assert Keytool(stopped.data).aliases() == NAMED
    checked = funcgate(stopped, "keystore", "check")
    for name in ("Acme-Pepper", "acme.signing", "acme-sealing"):
        assert f'"{name}": ok' in checked
    # Whoever forgets the configuration is told that they are missing, and nothing is made up.
    told = command("keystore", "check", "--data", stopped.data)
    assert told.returncode == 1 and '"phixflow-api-key" is missing' in told.stdout
    assert Keytool(stopped.data).aliases() == NAMED


def test_what_keytool_put_in_under_a_configured_name_is_used(stopped):
    """Passwords, keys and sealed texts are made with them, and a server that looks for the usual names has none of the three."""
    keytool = Keytool(stopped.data)
    for name in NAMED:
        keytool.delete(name)
        keytool.put(name, f"a value of {name} with 32 bytes or more")
    stopped.start(stopped.write(resources()))
    try:
        assert stopped.client.get("/readyz").expect(200).json["degraded"] == []
        admin = Management.set_up(stopped)
        owner = admin.key_owner("agent")
        key_id, token = admin.key(owner["user"], "Signed")
        with_key(stopped, token).expect(200)
        listed = entries(stopped)
        assert not USUAL & set(listed)
        assert admin.data(f"/api-keys/{key_id}")["kid"] == listed["acme.signing"]["kid"]
        sealed = funcgate(stopped, "keystore", "check")  # the HA1s of mia, of two algorithms
        assert '2 stored secrets are sealed with "acme-sealing"' in sealed
    finally:
        assert stopped.stop() == 0
    stopped.config = ""
    stopped.start()
    try:
        assert set(stopped.client.get("/readyz").expect(200).json["degraded"]) == {"passwords", "apiKeys", "secrets"}
        with_key(stopped, token).refused("503.99")
    finally:
        assert stopped.stop() == 0


def test_a_secret_of_a_configured_name_is_rotated(stopped):
    """By the running server and without one; what is retired is called after the configured name, and old keys go on."""
    stopped.start(stopped.write(resources()))
    try:
        admin = Management.set_up(stopped)
        user = admin.key_owner("agent")["user"]
        _, first = admin.key(user, "First")
        funcgate(stopped, "keystore", "rotate", "ACME.Signing")
        _, second = admin.key(user, "Second")
        for token in (first, second):
            with_key(stopped, token).expect(200)
        funcgate(stopped, "keystore", "rotate", "phixflow-api-key", expect=1)
    finally:
        assert stopped.stop() == 0
    funcgate(stopped, "keystore", "rotate", "acme-pepper")
    assert {alias.split(".prev.")[0] for alias in entries(stopped) if ".prev." in alias} == {"acme.signing", "acme-pepper"}
    stopped.start()
    try:
        Management(stopped).sign_in()
        for token in (first, second):
            with_key(stopped, token).expect(200)
    finally:
        assert stopped.stop() == 0


def test_a_backup_and_the_offline_commands_know_the_names(stopped, tmp_path):
    """Backup with its keystore, restored elsewhere: who could sign in can; a checkpoint is verified offline."""
    stopped.start()
    Management.set_up(stopped)
    file, checkpoint = tmp_path / "instance.backup", tmp_path / "checkpoint.json"
    funcgate(stopped, "backup", file, "--with-keystore")
    checkpoint.write_bytes(json.dumps(Management(stopped).sign_in().post("/audit/checkpoints").expect(201).json["data"]).encode())
    assert stopped.stop() == 0
    assert "chain intact" in funcgate(stopped, "audit", "verify", "--checkpoint", checkpoint)
    other = Server(tmp_path / "other", CONFIG)
    done = command("restore", file, "--data", other.data)
    assert done.returncode == 0, done.stderr
    password = Path(other.data) / "keystore-password"
    password.write_bytes((stopped.data / "keystore-password").read_bytes())
    password.chmod(0o600)
    other.start()
    try:
        assert other.client.get("/readyz").expect(200).json["degraded"] == []
        Management(other).sign_in()
    finally:
        assert other.stop() == 0


def test_the_first_administrator_is_made_offline(tmp_path):
    server = Server(tmp_path / "server", CONFIG)
    (server.folder / "funcgate.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "password").write_text(PASSWORD, encoding="utf-8")
    funcgate(server, "init", "--admin-login", "root", "--admin-password-file", tmp_path / "password")
    assert Keytool(server.data).aliases() >= NAMED and not USUAL & Keytool(server.data).aliases()
    server.start()
    try:
        Management(server).sign_in()
    finally:
        assert server.stop() == 0


def test_a_missing_pepper_is_called_by_its_configured_name(stopped):
    Keytool(stopped.data).delete("acme-pepper")
    stopped.start()
    try:
        assert '"Acme-Pepper"' in set_up(stopped).refused("503.61").json["message"]
    finally:
        assert stopped.stop() == 0


@pytest.mark.parametrize(("line", "told"), [
    ('pasword_pepper = "a"', "unknown key; did you mean keystore.aliases.password_pepper?"),
    ('sealing = ""', "must not be empty"),
    ("sealing = 3", "must be a text"),
    ('sealing = "two words"', "without blanks"),
    ('sealing = "funcgate-audit-key"', 'must not begin with "funcgate-"'),
    ('sealing = "acme.prev.0123456789abcdef"', 'must not hold ".prev"'),
    ('sealing = "PepperKey"', 'must differ; "PepperKey" is there twice'),
])
def test_names_that_cannot_be_are_told(tmp_path, line, told):
    path = tmp_path / "funcgate.toml"
    path.write_text(f"[keystore.aliases]\n{line}\n", encoding="utf-8")
    done = command("check-config", "--config", path)
    assert done.returncode == 7
    assert f"funcgate.toml:2: keystore.aliases.{line.split()[0]}: " in done.stderr or "funcgate.toml: keystore.aliases: " in done.stderr
    assert told in done.stderr
    served = command("serve", "--data", tmp_path / "data", "--config", path)
    assert served.returncode != 0 and told in served.stderr
