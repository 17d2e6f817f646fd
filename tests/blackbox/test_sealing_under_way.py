"""A sealing key leaves the keystore only when nothing is sealed with it, and nothing is about to be written that is."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

from support.gate import PASS, Gate
from support.resources import Resources
from support.server import Server, command, wait_until

SEALING = "funcgate-sealing-key"


def retired_alias(server: Server) -> str | None:
    rows = json.loads(command("keystore", "list", "-o", "json", "--data", server.data).stdout)
    return next((row["alias"] for row in rows if row["alias"].startswith(f"{SEALING}.prev.")), None)


def test_a_key_that_an_apply_has_sealed_with_and_not_written_yet_is_not_deleted(make_server):
    server = make_server(config="[limits]\nworker_load_ms = 120000\n")
    workers = len(server.workers())
    with ThreadPoolExecutor(3) as threads:
        with Gate(server) as gate:
            slow = f"{PASS}\npass_gate({str(gate.path)!r})\n@DFF.API('V')\ndef f():\n    return DFF.ENV('PARTNER', 'unreadable')\n"
            wanted = Resources().variable("PARTNER", "password", "partner-pass", "slow").scripts("slow", main=slow).api("f", "slow__main.f")
            applying = threads.submit(server.apply, wanted)
            wait_until(lambda: len(server.workers()) > workers, "workers load the script: its secret is sealed")
            rotating = threads.submit(command, "keystore", "rotate", SEALING, "--data", server.data)
            retired = wait_until(lambda: retired_alias(server), "the key is retired")
            deleting = threads.submit(command, "keystore", "delete", retired, "--data", server.data)
            time.sleep(1)  # so that it comes
            assert not applying.done() and not deleting.done(), "whether something is sealed with it is not known yet"
        applying.result(60)
        assert rotating.result(60).returncode == 0
        deleted = deleting.result(60)
        # Sealed anew in time, or not; or in time, and the server was the first to delete it.
        refusals = ("stored secrets are sealed with", "The keystore has no secret")
        assert deleted.returncode == 0 or any(text in deleted.stderr for text in refusals), deleted
    check = command("keystore", "check", "--data", server.data)
    assert check.returncode == 0, check.stdout
    assert server.stop() == 0
    server.start()
    assert server.client.get("/api/v1/func-api/f").expect(200).text == "partner-pass"
