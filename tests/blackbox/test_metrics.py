"""Metrics: reasons, outcomes, no names (authentication §11, statement 74)."""

import re

from support.credentials import basic
from support.resources import PROBE, Resources
from support.server import wait_until


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE).basic("staff", {"mia": "a password of mia"}).fixed_field("tokens", {"location": "header", "name": "X-Token", "value": "a-token-0000001"})
    return made.api("basic", "probe__main.hello", "staff").api("fixed", "probe__main.hello", "tokens").api("fail", "probe__main.fail")


SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.eE+-]+|NaN|[+-]Inf)( \d+)?$')


def samples(client) -> dict[tuple[str, tuple], float]:
    """Samples of the exposition by name and labels; a line of another shape fails the test."""
    found = {}
    for line in client.get("/metrics").expect(200).text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match, f"not a sample: {line!r}"
        labels = tuple(sorted(re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', match.group(2) or "")))
        found[(match.group(1), labels)] = float(match.group(3))
    return found


def auth_total(client, **wanted) -> float:
    return sum(value for (name, labels), value in samples(client).items() if name == "funcgate_auth_total" and wanted.items() <= dict(labels).items())


def grows(client, by: int, call, **labels) -> None:
    before = auth_total(client, **labels)
    for _ in range(by):
        call()
    wait_until(lambda: auth_total(client, **labels) >= before + by, f"funcgate_auth_total{labels} grows by {by}")


def test_reasons(client):
    """authentication §11: funcgate_auth_total{type,outcome,reason}; the reasons of the stable list."""
    grows(client, 3, lambda: client.get("/api/v1/al/basic/s", basic("mia", "wrong password")).refused("401.99"), type="httpBasic", reason="basic.password")
    grows(client, 2, lambda: client.get("/api/v1/al/basic/s", basic("nobody", "wrong password")).refused("401.99"), type="httpBasic", reason="basic.user_unknown")
    grows(client, 2, lambda: client.get("/api/v1/al/basic/s").refused("401.99"), type="httpBasic", reason="basic.absent")
    grows(client, 2, lambda: client.get("/api/v1/al/basic/s", {"Authorization": "Basic !"}).refused("401.99"), reason="basic.malformed")
    grows(client, 2, lambda: client.get("/api/v1/al/fixed/s", {"X-Token": "a-wrong-token"}).refused("401.99"), type="fixedField", reason="fixed_field.mismatch")
    grows(client, 2, lambda: client.get("/api/v1/al/fixed/s").refused("401.99"), type="fixedField", reason="fixed_field.absent")
    grows(client, 3, lambda: client.get("/api/v1/al/basic/s", basic("mia", "a password of mia")).expect(200), type="httpBasic", outcome="accepted")


def test_hashes_and_caches(client):
    """authentication §11: gauges of the hash pool and of what is remembered."""
    def gauges() -> dict[tuple[str, tuple], float]:
        return {key: value for key, value in samples(client).items() if key[0].startswith(("funcgate_password_hashes", "funcgate_cache_entries"))}

    client.get("/api/v1/al/basic/s", basic("mia", "a password of mia")).expect(200)
    before = gauges()
    assert {labels for name, labels in before if name == "funcgate_cache_entries"} == {(("cache", cache),) for cache in ("passwords", "verdicts", "keys", "nonces", "results")}
    assert before[("funcgate_cache_entries", (("cache", "passwords"),))] >= 1
    client.get("/api/v1/al/basic/s", basic("mia", "another wrong password")).refused("401.99")
    after = gauges()
    assert after[("funcgate_password_hashes_computed", ())] == before[("funcgate_password_hashes_computed", ())] + 1
    assert [after[("funcgate_password_hashes", (("state", state),))] for state in ("running", "waiting")] == [0, 0]


def test_exposition(client):
    """The text format: every sample is well-formed and belongs to funcgate or the process."""
    found = samples(client)
    assert found and all(name.startswith(("funcgate_", "process_")) for name, _ in found)


def test_no_names(client):
    """authentication 74: no user names, no ids of unknown APIs."""
    client.get("/api/v1/al/basic/s", basic("a-stranger", "wrong password"))
    client.get("/api/v1/al/an-unknown-api/s")
    text = client.get("/metrics").expect(200).text
    assert "a-stranger" not in text and "an-unknown-api" not in text and 'mia"' not in text
