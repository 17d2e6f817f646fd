"""How long keys of a retired signing secret are good, also when the file that says so is lost."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.database import execute
from support.gate import PASS, Gate
from support.keytool import Keytool
from support.management import Management, sign_in
from support.resources import Resources
from support.server import Server, command, wait_until

SIGNING = "phixflow-api-key"


class World:
    """A server, its administrator, and a management key signed before any rotation."""

    def __init__(self, server: Server):
        self.server = server
        admin = Management.set_up(server)
        self.key, self.token = admin.key(admin.key_owner("agent")["user"], "Old", scopes=["management"])
        self.file = server.data / "key-overlaps.json"
        self.call(200)

    def call(self, status: int) -> None:
        answer = Management(self.server, self.token).get("/me")
        assert answer.status == status, answer.text
        if status == 401:
            answer.refused("401.99")

    def rotate(self, *options: str) -> None:
        done = command("keystore", "rotate", SIGNING, "--data", self.server.data, *options)
        assert done.returncode == 0, done.stderr

    def restart(self, change=lambda: None) -> None:
        assert self.server.stop() == 0
        change()
        self.server.start()

    def aliases(self) -> list[str]:
        rows = json.loads(command("keystore", "list", "-o", "json", "--data", self.server.data).stdout)
        return [row["alias"] for row in rows]

    def lost(self) -> bool:
        return any(event.get("event") == "keystore.overlaps_lost" for event in self.server.events())


@pytest.fixture
def world(make_server) -> World:
    return World(make_server())


def damages(world: World):
    return {"removed": world.file.unlink, "empty": lambda: world.file.write_text(""), "cut off": lambda: world.file.write_text('{"0123'),
            "no times": lambda: world.file.write_text('{"0123456789abcdef":"never"}'), "large": lambda: world.file.write_text(" " * (2 << 20) + "{}")}


@pytest.mark.parametrize("damage", ["removed", "empty", "cut off", "no times", "large"])
def test_a_leaked_secret_that_was_rotated_without_overlap_never_comes_back(world, damage):
    world.rotate("--overlap", "0")
    world.call(401)
    assert not any(alias.startswith(f"{SIGNING}.prev.") for alias in world.aliases())
    world.restart(damages(world)[damage])
    world.call(401)
    assert sign_in(world.server).data(f"/api-keys/{world.key}")["status"] == "SECRET_RETIRED"


@pytest.mark.parametrize("damage", ["removed", "empty", "cut off", "no times", "large"])
def test_where_the_ends_are_lost_retired_secrets_verify_no_more(world, damage):
    world.rotate("--overlap", "24h")
    world.call(200)
    kept = world.file.read_bytes()
    world.restart(damages(world)[damage])
    world.call(401)
    assert world.lost()
    # A restart, or another rotation, makes nothing of it good again.
    world.restart()
    world.call(401)
    world.rotate("--overlap", "1h")
    world.restart()
    world.call(401)
    assert not world.lost()
    world.restart(lambda: world.file.write_bytes(kept))
    world.call(200)


def test_the_chosen_end_outlives_a_kill(world):
    world.rotate("--overlap", "24h")
    ends = json.loads(world.file.read_text())
    world.server.kill()
    world.server.start()
    world.call(200)
    assert json.loads(world.file.read_text()) == ends and len(ends) == 1
    assert oct(os.stat(world.file).st_mode & 0o777) == "0o600"


def test_an_instance_that_never_had_the_file_keeps_its_retired_secrets(world):
    """As after an upgrade: a release that did not write it always."""
    world.rotate()

    def forget():
        world.file.unlink()
        assert execute(world.server.data, "DELETE FROM instance WHERE name LIKE 'key-overlaps%'") == 2

    world.restart(forget)
    world.call(200)
    assert len(json.loads(world.file.read_text())) == 1 and not world.lost()
    world.restart(lambda: execute(world.server.data, "DELETE FROM instance WHERE name = 'key-overlaps-seen'"))
    world.call(200)
    assert not world.lost()
    assert world.server.stop() == 0
    assert execute(world.server.data, "DELETE FROM instance WHERE name LIKE 'key-overlaps%'") == 2, "both are noted again"


def test_a_secret_that_keytool_placed_counts_from_its_first_sight_and_that_is_remembered(world, tmp_path):
    value, path = "kE5-4mVq8ZtXw2Rb7Nc1Jd6Pf3Gh9Ls0Ty-uQaBvCyD", tmp_path / "secret"
    path.write_text(value)
    set_secret = lambda *how: command("keystore", "set", SIGNING, "--data", world.server.data, *how)
    assert set_secret("--from-file", path).returncode == 0
    admin = sign_in(world.server)
    token = admin.key(admin.key_owner("later")["user"], "Placed", scopes=["management"])[1]
    kid = next(row["kid"] for row in admin.data("/keystore") if row["alias"] == SIGNING)
    assert set_secret("--generate").returncode == 0
    world.token = token
    world.call(401)
    # The server does not run meanwhile: what date keytool writes is not what counts.
    before = time.time()
    world.restart(lambda: Keytool(world.server.data).put(f"{SIGNING}.prev.{kid}", value))
    world.call(200)
    ends = json.loads(world.file.read_text())
    assert 0 <= ends[kid] / 1000 - before - 30 * 86400 < 600
    world.restart()
    world.call(200)
    assert json.loads(world.file.read_text()) == ends, "not anew at each start"
    ends[kid] = int(before * 1000)
    world.restart(lambda: world.file.write_text(json.dumps(ends)))
    world.call(401)


def test_a_rotation_that_cannot_be_remembered_does_not_happen_and_every_other_is_recorded(world):
    admin = sign_in(world.server)
    admin.post("/keystore/rotate", {"alias": "pepperKey", "overlapHours": 5}).expect(200)
    assert world.file.read_text() == "{}", "the overlap is the signing secret's"
    world.file.unlink()
    world.file.mkdir()
    before = world.aliases()
    refused = admin.post("/keystore/rotate", {"alias": SIGNING, "overlapHours": 5})
    assert refused.status >= 400, refused.text
    assert world.aliases() == before
    world.call(200)
    world.file.rmdir()
    admin.post("/keystore/rotate", {"alias": SIGNING, "overlapHours": 5}).expect(200)
    records = [(record["outcome"], record["object"]["id"]) for record in admin.data("/audit?event=keystore.rotated")]
    assert records == [("OK", SIGNING), ("FAILED", "/keystore/rotate"), ("OK", "pepperkey")]


@pytest.mark.parametrize("over", ["command", "management API"])
def test_a_leaked_secret_ends_while_somebody_applies_scripts_that_load_slowly(make_server, over):
    """For function APIs too, although those are compiled anew only after the apply."""
    world = World(make_server(config="[limits]\nworker_load_ms = 120000\n"))
    world.server.apply(Resources().scripts("demo", main="@DFF.API('F')\ndef f():\n    return 1\n").api("keyed", "demo__main.f", "api-key"))
    admin = sign_in(world.server)
    headers = {"Authorization": "Bearer " + admin.key(admin.key_owner("caller")["user"], "Calls")[1]}
    rotate = (lambda: world.rotate("--overlap", "0")) if over == "command" else (
        lambda: admin.post("/keystore/rotate", {"alias": SIGNING, "overlapHours": 0}).expect(200))
    assert world.server.client.get("/api/v1/func-api/keyed", headers).status == 200
    workers = len(world.server.workers())
    with ThreadPoolExecutor(2) as threads:
        with Gate(world.server) as gate:
            slow = f"{PASS}\npass_gate({str(gate.path)!r})\n@DFF.API('Slow')\ndef f():\n    return 1\n"
            applying = threads.submit(world.server.apply, Resources().scripts("slow", main=slow), "--set", "slow")
            wait_until(lambda: len(world.server.workers()) > workers, "workers load the slow script")
            rotating = threads.submit(rotate)
            wait_until(lambda: world.server.client.get("/api/v1/func-api/keyed", headers).status == 401, "the call is refused")
            world.call(401)
            # Were the server killed now, it would still be known who did it.
            wait_until(lambda: admin.data("/audit?event=keystore.rotated"), "the rotation is recorded")
            rotating.result(60)
            assert not applying.done(), "nor waits the answer"
        applying.result(60)
    assert world.server.client.get("/api/v1/func-api/keyed", headers).status == 401


def test_changes_that_wait_for_an_apply_keep_no_leaked_secret_alive(make_server):
    """More of them than threads that change the keystore."""
    world = World(make_server(config="[limits]\nworker_load_ms = 120000\n"))
    admin, waiting = sign_in(world.server), 6
    workers = len(world.server.workers())
    with ThreadPoolExecutor(waiting + 1) as threads:
        with Gate(world.server) as gate:
            slow = f"{PASS}\npass_gate({str(gate.path)!r})\n@DFF.API('Slow')\ndef f():\n    return 1\n"
            applying = threads.submit(world.server.apply, Resources().scripts("slow", main=slow), "--set", "slow")
            wait_until(lambda: len(world.server.workers()) > workers, "workers load the slow script")
            changes = [threads.submit(admin.post, "/keystore/rotate", {"alias": "pepperKey"}) for _ in range(waiting)]
            wait_until(lambda: len(admin.data("/audit?event=keystore.rotated")) == waiting, "all of them are made and wait")
            world.call(200)
            admin.post("/keystore/rotate", {"alias": SIGNING, "overlapHours": 0}).expect(200)
            world.call(401)
            assert not applying.done() and not any(change.done() for change in changes)
        applying.result(60)
        for change in changes:
            change.result(60).expect(200)
