#!/usr/bin/python3
"""bench/scale.py [--keys N] [--samples N] [--rounds N] [--write] [--binary PATH]

What a great number of users with one API key each costs: a data directory with ten and one with a million (--keys), and for both
the start until the first call with a key is answered, the memory of the server, the time and CPU of a call with a key, and when a
revocation is seen, each in several rounds. Prints a table of medians; --write puts it into bench/baselines.md, one section per number
of keys. Measures, promises nothing.

Needs build/release (script/build) and 2 GiB of disk in the temporary folder. The rows are written with SQLite directly, because a
million calls of the management API would take longer than everything that is measured; the keys that call, and those that are
revoked, are made by it.
"""
import argparse
import http.client
import json
import os
import platform
import re
import secrets
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from processes import BINARY, ROOT, run_program, thread_times
from product import Product

BASELINES = ROOT / "bench/baselines.md"
PASSWORD = "Bench-Horse-22!"
RESOURCES = """
{kind: ScriptSet, metadata: {name: bench}, spec: {title: Bench, scripts: {main: {file: main.py}}, publish: true}}
---
{kind: FuncApi, metadata: {name: keyed}, spec: {funcId: bench__main.hello, apiAuthIds: [api-key]}}
"""
SCRIPT = "@DFF.API('A greeting')\ndef hello():\n    return 'hello'\n"
CALL = "/api/v1/func-api/keyed/s"
SMALL = 10
START_S = 300
TURNS = 20
REVOKED = 5  # keys per round


class Server(Product):
    """One server on a data directory. What is told of it is told of its own process: workers hold no keys."""

    def __init__(self, binary: Path, folder: Path, resources: Path | None = None):
        super().__init__(folder, binary)
        self.start(*([resources] if resources else []), within_s=START_S)

    def memory_mib(self) -> dict[str, float]:
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return {name: int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1)) / 1024 for name in ("Rss", "Pss")}

    def cpu_s(self) -> float:
        return sum(ran for ran, _ in thread_times(self.pid).values())


class Caller:
    """One kept-alive connection."""

    def __init__(self, port: int):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, method: str, path: str, body: dict | None = None, **headers: str) -> tuple[int, dict, str]:
        """Status, JSON (None if it is none) and Set-Cookie."""
        pairs = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            pairs["Content-Type"] = "application/json"
        self.connection.request(method, path, None if body is None else json.dumps(body), pairs)
        answer = self.connection.getresponse()
        text = answer.read()
        kept = json.loads(text) if text.startswith(b"{") else None
        return answer.status, kept, answer.headers.get("Set-Cookie", "")

    def status(self, token: str) -> int:
        self.connection.request("GET", CALL, headers={"Authorization": token})
        answer = self.connection.getresponse()
        answer.read()
        return answer.status


class Administrator:
    def __init__(self, port: int):
        self.caller = Caller(port)
        status, answer, cookie = self.caller.call("POST", "/admin/api/v1/session", {"login": "root", "password": PASSWORD})
        if status != 200:
            sys.exit(f"bench/scale.py: sign-in was answered {status}")
        self.headers = {"Cookie": cookie.split(";")[0], "X_CSRF_Token": answer["data"]["csrfToken"]}

    def do(self, method: str, path: str, body: dict | None = None, wanted: int = 200) -> dict:
        status, answer, _ = self.caller.call(method, "/admin/api/v1" + path, body if body is not None or method == "DELETE" else {}, **self.headers)
        if status != wanted:
            sys.exit(f"bench/scale.py: {method} {path} was answered {status}: {answer}")
        return answer["data"] if answer else {}


# --- the data

@dataclass
class Place:
    """A data directory with users who own a key each. `tokens`: of ten of them; `owner`: one of these users."""

    folder: Path
    owner: str
    tokens: list[str]


def prepare(binary: Path, folder: Path) -> Place:
    """With an administrator, an API and ten users who own a key each."""
    resources = folder / "resources"
    resources.mkdir(parents=True)
    (resources / "all.yaml").write_text(RESOURCES)
    (resources / "main.py").write_text(SCRIPT)
    server = Server(binary, folder, resources)
    try:
        caller = Caller(server.port)
        token = (folder / "data/setup-token").read_text()
        status, _, _ = caller.call("POST", "/admin/api/v1/setup", {"token": token, "login": "root", "firstName": "B", "surname": "B", "password": PASSWORD})
        if status != 201:
            sys.exit(f"bench/scale.py: set-up was answered {status}")
        administrator, place = Administrator(server.port), Place(folder, "", [])
        role = administrator.do("POST", "/roles", {"name": "Key users", "privileges": ["Use API Key"]}, 201)["id"]
        group = administrator.do("POST", "/user-groups", {"name": "Key users"}, 201)["id"]
        administrator.do("PUT", f"/roles/{role}/user-groups/{group}", wanted=204)
        for number in range(SMALL):
            place.owner = administrator.do("POST", "/users", {"login": f"owner-{number}"}, 201)["id"]
            administrator.do("PUT", f"/user-groups/{group}/users/{place.owner}", wanted=204)
            place.tokens.append(administrator.do("POST", f"/users/{place.owner}/api-keys", {"name": "Key"}, 201)["token"])
    finally:
        server.stop()
    return place


ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def identifiers(prefix: str, count: int) -> list[str]:
    """Random, as the server makes them: neighbours in time are none in the index."""
    data = secrets.token_bytes(count * 10)
    found = []
    for at in range(0, len(data), 10):
        number = int.from_bytes(data[at:at + 10], "big")
        found.append(prefix + "".join(ALPHABET[number >> shift & 31] for shift in range(0, 80, 5)))
    return found


def fill(data: Path, count: int) -> float:
    """Adds users with one key each, members of the group that may use keys, until there are `count`. Returns seconds."""
    begin = time.perf_counter()
    more, now = count - SMALL, int(time.time() * 1000)
    users, keys = sorted(identifiers("usr-", more)), identifiers("key-", more)
    with closing(sqlite3.connect(data / "funcgate.db")) as database:
        database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -200000")
        group = database.execute("SELECT id FROM user_groups WHERE name = 'Key users'").fetchone()[0]

        def add(table: str, pattern: str, columns: dict, rows) -> None:
            """Rows like the one that the server has made, but for the columns given."""
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            model = dict(zip(names, database.execute(f"SELECT * FROM {table} WHERE {pattern}").fetchone()))
            model |= {name: now for name in ("created_at_ms", "updated_at_ms") if name in model}
            fixed = [model[name] for name in names]
            places = [names.index(name) for name in columns]

            def made():
                for row in rows:
                    values = fixed[:]
                    for place, value in zip(places, row):
                        values[place] = value
                    yield values
            database.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", made())

        with database:
            add("users", "login = 'owner-0'", {"id": 0, "login": 0}, ((user, f"person-{number}") for number, user in enumerate(users)))
            database.executemany("INSERT INTO memberships (user_id, group_id) VALUES (?, ?)", ((user, group) for user in users))
            add("api_keys", "name = 'Key'", {"id": 0, "user_id": 0}, sorted(zip(keys, users)))
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return time.perf_counter() - begin


# --- the measurements

def first_answer(binary: Path, folder: Path, token: str) -> tuple[Server, float]:
    """A started server and the seconds from its start to the first 200 to a call with a key."""
    server = Server(binary, folder)
    caller = Caller(server.port)
    until = time.monotonic() + START_S
    while caller.status(token) != 200:
        if time.monotonic() > until:
            sys.exit("bench/scale.py: the key is not accepted")
    return server, time.perf_counter() - server.begin_s


def measure_calls(servers: dict[str, tuple[Server, list[str]]], samples: int) -> dict[str, dict[str, float]]:
    """Times and CPU of calls with all tokens in turn, in short turns that alternate between the servers, so that drift hits all."""
    callers = {name: Caller(server.port) for name, (server, _) in servers.items()}
    times: dict[str, list[float]] = {name: [] for name in servers}
    cpu = dict.fromkeys(servers, 0.0)
    for number in range(-2, TURNS):
        for name in (list(servers) if number % 2 else reversed(servers)):
            server, tokens = servers[name]
            before = server.cpu_s()
            for call in range(max(1, samples // TURNS)):
                begin = time.perf_counter()
                status = callers[name].status(tokens[call % len(tokens)])
                if status != 200:
                    sys.exit(f"bench/scale.py: a call was answered {status}")
                if number >= 0:  # the first two turns warm up
                    times[name].append(time.perf_counter() - begin)
            cpu[name] += server.cpu_s() - before if number >= 0 else 0
    return {name: {"median_us": statistics.median(values) * 1e6, "p99_us": sorted(values)[int(len(values) * 0.99)] * 1e6,
                   "cpu_us": cpu[name] / len(values) * 1e6} for name, values in times.items()}


def revocation_ms(server: Server, owner: str) -> tuple[float, float]:
    """Milliseconds of a revoking call, and those until the first refusal counted from its beginning. Medians over a few new keys."""
    administrator, caller, took, seen = Administrator(server.port), Caller(server.port), [], []
    for _ in range(REVOKED):
        made = administrator.do("POST", f"/users/{owner}/api-keys", {"name": f"Revoked {secrets.token_hex(8)}"}, 201)
        while caller.status(made["token"]) != 200:
            pass
        begin = time.perf_counter()
        administrator.do("POST", f"/api-keys/{made['key']['id']}/revoke", {"reason": "bench"})
        took.append((time.perf_counter() - begin) * 1000)
        while caller.status(made["token"]) == 200:
            pass
        seen.append((time.perf_counter() - begin) * 1000)
    return statistics.median(took), statistics.median(seen)


def places_of(binary: Path, folder: Path, sizes: dict[str, int]) -> dict[str, Place]:
    """Stopped servers' data directories with so many keys, by name."""
    places = {}
    for size, count in sizes.items():
        places[size] = prepare(binary, folder / size)
        if count > SMALL:
            filled = fill(places[size].folder / "data", count)
            print(f"{count:,} users with a key each written in {filled:.0f} s", file=sys.stderr)
    return places


def one_round(binary: Path, places: dict[str, Place], sizes: dict[str, int], samples: int) -> dict[str, dict[str, float]]:
    """Starts a server in each place and measures it.

    start_s; Rss, Pss in MiB; per_key in bytes (against the first size); median_us, p99_us and cpu_us of a call; revoke_ms, seen_ms.
    """
    figures: dict[str, dict[str, float]] = {size: {} for size in places}
    servers: dict[str, Server] = {}
    with ExitStack() as ended:
        for size, place in places.items():
            servers[size], figures[size]["start_s"] = first_answer(binary, place.folder, place.tokens[0])
            ended.callback(servers[size].stop)
        first, *others = sizes
        for size, server in servers.items():
            figures[size] |= server.memory_mib()
        for size in others:
            figures[size]["per_key"] = (figures[size]["Pss"] - figures[first]["Pss"]) * 1024 * 1024 / (sizes[size] - sizes[first])
        measured = measure_calls({size: (server, places[size].tokens) for size, server in servers.items()}, samples)
        for size, server in servers.items():
            figures[size] |= measured[size]
            figures[size]["revoke_ms"], figures[size]["seen_ms"] = revocation_ms(server, places[size].owner)
    return figures


def measure(binary: Path, folder: Path, sizes: dict[str, int], samples: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Figures of a server for each number of keys, by name, one value per round. Each round starts all of them anew."""
    places = places_of(binary, folder, sizes)
    figures: dict[str, dict[str, list[float]]] = {size: {} for size in sizes}
    for number in range(rounds):
        for size, found in one_round(binary, places, sizes, samples).items():
            for name, value in found.items():
                figures[size].setdefault(name, []).append(value)
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return figures


def table(figures: dict[str, dict[str, list[float]]], count: int) -> str:
    """Medians."""
    shown = lambda size, name, digits: f"{statistics.median(figures[size][name]):,.{digits}f}" if name in figures[size] else "–"
    rows = [("start to the first answered call, s", "start_s", 2), ("resident memory (RSS), MiB", "Rss", 1),
            ("proportional memory (PSS), MiB", "Pss", 1), ("memory per user with a key, bytes", "per_key", 0),
            ("call with a key, median, µs", "median_us", 0), ("call with a key, 99th percentile, µs", "p99_us", 0),
            ("CPU of the server per call, µs", "cpu_us", 1), ("a revoking call, ms", "revoke_ms", 1),
            ("revocation seen after, ms", "seen_ms", 1)]
    lines = [f"| | {SMALL} keys | {count:,} keys |", "| --- | --- | --- |"]
    for title, name, digits in rows:
        lines.append(f"| {title} | " + " | ".join(shown(size, name, digits) for size in ("small", "large")) + " |")
    return "\n".join(lines)


def conditions() -> str:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    busy = ": other work ran on the machine,\nso that times are upper bounds" if load > cores / 2 else ""
    return (f"{date.today().isoformat()}, {model.group(1) if model else platform.machine()}, a load of {load:.1f} on {cores} cores "
            f"before it{busy}. Client and server share the machine.")


def write_baselines(count: int, section: str) -> None:
    """Puts the section into the page in place of the one of an earlier run with as many keys."""
    title = f"## {count:,} keys\n"
    text = BASELINES.read_text(encoding="utf-8") if BASELINES.exists() else "# Baselines\n\nWhat was measured, when, and on what.\n"
    before, _, rest = text.partition(title)
    after = rest[rest.index("\n## ") + 1:] if "\n## " in rest else ""
    BASELINES.write_text(f"{before.rstrip()}\n\n{title}\n{section}\n" + (f"\n{after}" if after else ""), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/scale.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=10_000, help="calls per figure and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into bench/baselines.md")
    parser.add_argument("--binary", type=Path, default=BINARY)
    options = parser.parse_args()
    if not 1000 <= options.keys <= 5_000_000 or not 100 <= options.samples <= 1_000_000 or not 1 <= options.rounds <= 100:
        parser.error("--keys must lie between 1000 and 5000000, --samples between 100 and 1000000, --rounds between 1 and 100")
    if not options.binary.exists():
        parser.error(f"{options.binary} is missing: run script/build first")
    with tempfile.TemporaryDirectory(prefix="funcgate-scale-") as name:
        when = conditions()
        figures = measure(options.binary, Path(name), {"small": SMALL, "large": options.keys}, options.samples, options.rounds)
    section = f"{table(figures, options.keys)}\n\n`bench/scale.py`, medians of {options.rounds} rounds, {when}"
    print(section)
    if options.write:
        write_baselines(options.keys, section)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
