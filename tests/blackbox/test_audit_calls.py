"""The audit stream of calls: read from the journal, whatever an API keeps of its searchable records (identity §8)."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing

import pytest

from support.credentials import basic
from support.management import Management, call_on, sign_in
from support.resources import PROBE, Resources
from support.server import command, wait_until

CALLS = 330
KEPT = 100  # taskRecordLimit of an API that does not say otherwise
FIELD, SECRET, PASSWORD = "canary-field-7101", "canary-query-7102", "canary-basic-7103"


def resources() -> Resources:
    made = Resources().scripts("demo", probe=PROBE).basic("people", {"mia": PASSWORD})
    made.fixed_field("token", {"location": "query", "name": "token", "value": FIELD})
    made.api("open", "demo__probe.hello", methods=["GET"]).api("keyed", "demo__probe.hello", "api-key", methods=["GET"])
    made.api("staff", "demo__probe.hello", "people", methods=["GET"]).api("field", "demo__probe.hello", "token", methods=["GET"])
    return made.api("broken", "demo__probe.fail", methods=["GET"]).api("later", "demo__probe.hello", execMode="async", methods=["POST"])


class World:
    """A server with more calls of one API than its call records keep, and one of each kind beside them."""

    def __init__(self, server):
        self.server = server
        self.admin = Management.set_up(server)
        self.user = self.admin.key_owner("agent")["user"]
        self.key, token = self.admin.key(self.user, "Nightly")
        client = server.client
        with client.connect() as connection:
            self.open = [call_on(connection, "/api/v1/func-api/open").expect(200).header("X-Trace-Id") for _ in range(CALLS)]
        self.keyed = client.get("/api/v1/al/keyed/s?name=" + SECRET, {"Authorization": token}).expect(200).header("X-Trace-Id")
        self.staff = client.get("/api/v1/sync/staff", basic("mia", PASSWORD)).expect(200).header("X-Trace-Id")
        self.field = client.get(f"/api/v1/async/field/s?token={FIELD}").expect(200).header("X-Trace-Id")
        self.refused = client.get("/api/v1/func-api/staff", basic("mia", SECRET)).refused("401.99").json["traceId"]
        self.unknown = client.get(f"/api/v1/al/nowhere?key={SECRET}").refused("404.41").json["traceId"]
        self.broken = client.get("/api/v1/al/broken").expect(500).header("X-Trace-Id")
        self.task = client.post("/api/v1/func-api/later", json={}).expect(202).json["data"]["id"]
        for trace in (self.open[-1], self.keyed, self.staff, self.field, self.refused, self.unknown, self.broken):
            wait_until(lambda: self.traces(f"traceId={trace}"), "the call is recorded")
        wait_until(lambda: self.traces(f"processId={self.task}&q=runMs"), "the run of the task is recorded")

    def find(self, query: str) -> list[dict]:
        return self.admin.data(f"/audit?stream=calls&limit=200&{query}")

    def traces(self, query: str) -> list[str]:
        return [one["traceId"] for one in self.find(query)]

    def one(self, trace: str) -> dict:
        (record,) = self.find(f"traceId={trace}")
        return record

    def export(self, query: str = "", accept: str = "application/x-ndjson") -> str:
        return self.admin.get(f"/audit?stream=calls&{query}", Accept=accept).expect(200).text


@pytest.fixture(scope="module")
def world(server) -> World:
    return World(server)


def walked(world: World, query: str, limit: int) -> list[dict]:
    rows, cursor = [], ""
    while cursor is not None:
        answer = world.admin.get(f"/audit?stream=calls&limit={limit}&{query}" + (f"&cursor={cursor}" if cursor else "")).expect(200).json
        rows += answer["data"]
        cursor = answer["pageInfo"]["nextCursor"]
    return rows


def test_every_call_is_there_however_few_records_the_api_keeps(world):
    wait_until(lambda: len(world.admin.data("/call-records?apiId=open&limit=200")) == KEPT, f"{KEPT} records are kept, which are written later")
    for limit in (7, 200):
        rows = walked(world, "api=open", limit)
        assert [one["traceId"] for one in rows] == world.open[::-1], "newest first, each once"
    lines = [json.loads(line) for line in world.export("api=open").splitlines()]
    assert [one["traceId"] for one in lines] == world.open[::-1]
    assert lines == rows
    table = list(csv.DictReader(io.StringIO(world.export("api=open", "text/csv"))))
    assert [one["traceId"] for one in table] == world.open[::-1]
    assert {(one["api.id"], one["status"], one["actor.kind"], one["path"]) for one in table} == {("open", "200", "ANONYMOUS", "/api/v1/func-api/open")}


def test_what_comes_while_somebody_reads_on_is_not_in_his_pages(world):
    rows, cursor = [], ""
    while cursor is not None:
        answer = world.admin.get("/audit?stream=calls&limit=60&object=open" + (f"&cursor={cursor}" if cursor else "")).expect(200).json
        rows += [one["traceId"] for one in answer["data"]]
        cursor = answer["pageInfo"]["nextCursor"]
        trace = world.server.client.get("/api/v1/al/open/normal").expect(200).header("X-Trace-Id")
        wait_until(lambda: world.traces(f"traceId={trace}"), "the call is recorded")
    assert rows[-CALLS:] == world.open[::-1] and len(set(rows)) == len(rows)


def test_a_call_with_a_key_names_user_and_key(world):
    record = world.one(world.keyed)
    assert record["actor"] == {"kind": "API_KEY", "userId": world.user, "login": "agent", "keyId": world.key}
    assert (record["runAs"], record["origin"], record["node"], record["event"], record["outcome"]) == ("agent", "API", "main", "call", "OK")
    assert (record["method"], record["path"], record["status"], record["authId"]) == ("GET", "/api/v1/al/keyed/s", 200, "api-key")
    assert record["object"]["kind"] == "Function" and record["object"]["id"] == "demo__probe.hello"
    assert record["api"] == {"kind": "FunctionApi", "id": "keyed", "version": 1} and record["count"] == 1
    assert record["durationMs"] >= record["runMs"] > 0 and record["durationMs"] != int(record["durationMs"])
    assert record["processId"].startswith("task-")


def test_actors_of_other_calls(world):
    staff = world.one(world.staff)
    assert staff["actor"] == {"kind": "USER", "login": "mia"} and (staff["authId"], staff["runAs"]) == ("people", "system")
    assert world.one(world.open[0])["actor"] == {"kind": "ANONYMOUS"}
    refused = world.one(world.refused)
    assert refused["actor"] == {"kind": "ANONYMOUS"} and "runAs" not in refused
    assert (refused["authId"], refused["reason"], refused["status"], refused["error"], refused["outcome"]) == ("people", "basic.password", 401, "401.99", "DENIED")


def test_paths_have_no_query_and_no_secret(world):
    assert world.one(world.field)["path"] == "/api/v1/async/field/s"
    unknown = world.one(world.unknown)
    assert unknown["path"] == "/api/v1/al/nowhere" and "api" not in unknown and unknown["reason"] == "api.unknown"
    everything = world.export()
    for marked in (FIELD, SECRET, PASSWORD):
        assert marked not in everything
    assert "?" not in "".join(json.loads(line)["path"] for line in everything.splitlines())


@pytest.mark.parametrize("query, found", [
    ("actor=agent", "keyed"), ("actor={user}", "keyed"), ("actor={key}", "keyed"), ("caller=Nightly", "keyed"), ("caller=mia", "staff"), ("runAs=agent", "keyed"),
    ("object=keyed", "keyed"), ("object=demo__probe.fail", "broken"), ("api=field", "field"), ("status=404", "unknown"), ("status=401&outcome=DENIED", "refused"),
    ("outcome=FAILED", "broken"), ("reason=basic.password", "refused"), ("reason=api.unknown&event=call", "unknown"), ("q=%2FNOWHERE", "unknown"),
    ("traceId={trace}", "staff"), ("q={trace}", "staff"), ("address={address}&api=field", "field"), ("address=192.0.2.1", None), ("actor=nobody", None),
    ("event=user.", None), ("from=2031-01-01T00:00:00Z", None), ("to=2001-01-01T00:00:00Z", None)])
def test_filters(world, query, found):
    query = query.format(user=world.user, key=world.key, trace=world.staff, address=world.one(world.field)["address"])
    assert world.traces(query) == ([getattr(world, found)] if found else [])


def test_times_and_processes_are_filters(world):
    first, last = world.one(world.open[0]), world.one(world.keyed)
    rows = walked(world, f"from={first['time']}&to={last['time']}", 100)
    assert {*world.open, world.keyed} <= {one["traceId"] for one in rows} and world.refused not in {one["traceId"] for one in rows if one["time"] > last["time"]}
    assert all(first["time"] <= one["time"] <= last["time"] for one in rows)
    assert world.traces(f"from={first['time']}&to={first['time']}&traceId={first['traceId']}") == [first["traceId"]]
    # Two threads wrote them: in either order.
    ran, asked = sorted(world.find(f"processId={world.task}"), key=lambda one: one["status"] == 202)
    assert ran["traceId"] == asked["traceId"] and {ran["path"], asked["path"]} == {"/api/v1/func-api/later"} and asked["status"] == 202
    for query in ("cursor=x!", "cursor=NDI", "outcome=ok", "status=9"):
        world.admin.get(f"/audit?stream=calls&{query}").refused("400.43")


def test_records_name_the_blocks_of_the_chain(world):
    """Each record has the hashes of its block, and the blocks are one chain."""
    lines = [json.loads(line) for line in world.export().splitlines()]
    blocks: dict[int, tuple[str, str]] = {}
    for one in lines:
        assert blocks.setdefault(one["seq"], (one["prevHash"], one["hash"])) == (one["prevHash"], one["hash"])
        assert one["id"].startswith(f"CALL-{one['seq']}-")
    assert [one["seq"] for one in lines] == sorted((one["seq"] for one in lines), reverse=True)
    assert sorted(blocks) == list(range(1, len(blocks) + 1)) and blocks[1][0] == "0" * 64
    assert all(blocks[number][0] == blocks[number - 1][1] for number in range(2, len(blocks) + 1))


def test_the_command_shows_and_exports_them(world, tmp_path):
    done = command("audit", "export", "--stream", "calls", "--api", "open", "--out", tmp_path / "calls.ndjson", "--data", world.server.data)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "calls.ndjson").read_text().splitlines()) >= CALLS
    verified = command("audit", "verify", "--file", tmp_path / "calls.ndjson")
    assert verified.returncode == 2 and "cannot be verified by itself" in verified.stderr
    listed = command("audit", "list", "--stream", "calls", "--actor", world.key, "--data", world.server.data)
    assert listed.returncode == 0 and "agent" in listed.stdout and "/api/v1/al/keyed/s" in listed.stdout, listed.stdout + listed.stderr
    tail = command("audit", "tail", "--stream", "calls", "--api", "keyed", "--for", "0s", "--data", world.server.data)
    assert tail.returncode == 0 and world.keyed in tail.stdout, tail.stdout + tail.stderr


def test_a_damaged_block_is_told_and_hides_nothing_else(make_server):
    server = make_server(Resources().scripts("demo", probe=PROBE).api("open", "demo__probe.hello"))
    admin = Management.set_up(server)
    for number in range(3):
        trace = server.client.get("/api/v1/al/open").expect(200).header("X-Trace-Id")
        wait_until(lambda: admin.data(f"/audit?stream=calls&traceId={trace}"), "the call is recorded")
    assert server.stop() == 0
    with closing(sqlite3.connect(server.data / "journal.db")) as database, database:
        ((records,),) = database.execute("SELECT records FROM blocks WHERE sequence = 2").fetchall()
        database.execute("DROP TRIGGER blocks_never_change")
        database.execute("UPDATE blocks SET records = ? WHERE sequence = 2", (records[:-1] + bytes([records[-1] ^ 1]),))
    server.start()
    rows = sign_in(server).data("/audit?stream=calls&api=open")
    assert [one["seq"] for one in rows] == [3, 2, 1]
    assert "problem" in rows[1] and rows[1]["count"] == 1 and "status" not in rows[1]
    assert [one["status"] for one in (rows[0], rows[2])] == [200, 200]
