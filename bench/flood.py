#!/usr/bin/python3
"""bench/flood.py parallel|keys|names [--samples N] [--binary PATH]

What guessing costs others, and what it tells the one who guesses. Prints one JSON object per run; measures, promises nothing.

  parallel  200 distinct wrong Basic passwords at once, again and again, while cached users go on calling: the 99th percentile of
            their response times beside the idle one of the same run (wanted: below twice), and how much memory the hashes take
            (wanted: at most hash limit x 19 MiB)
  keys      the same with API keys: 200 distinct wrong passwords at once, half at sign-in and half as Basic, while callers with a
            key go on (wanted: 99th percentile below twice the idle one)
  names     response times of wrong passwords for names that exist, do not exist, are disabled or have expired, asked in turn, as
            a first guess and again: medians and their distance (wanted: within 5 %). Basic, Digest and sign-in.

`parallel` and `keys` take turns between three cases: nobody guesses; the server of the caller is guessed at; a second server of the
same kind is guessed at, which the caller has nothing to do with (`elsewhere`). Server and caller share the machine; guessers run in the
idle class and take only processor time that nobody else wants, as if they were on other machines. The third case says how much of the
ratio to idle is the machine's: hashes take processors from everybody, and there is one more server.
What the guessed-at server itself does to its callers is the distance between the second and the third. Each case also says where
processor time went, in percent of one core: threads that hash (of the guessed-at server), the other threads and the workers of the
caller's server, caller, guessers; `io_waited` is how long io threads of the caller's server could have run and waited for a processor.

Needs build/release (script/build). Everything runs on loopback in a temporary folder.
"""
import argparse
import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from guessers import RECEIVED_MAX, Flood, Guessing, is_whole, no_flood
from processes import BINARY, Failure, run_program, thread_times, workers_of
from product import Product

PASSWORD = "A password of the bench!"
RESOURCES = """
{kind: ScriptSet, metadata: {name: bench}, spec: {title: Bench, scripts: {main: {file: main.py}}, publish: true}}
---
kind: ApiAuthentication
metadata: {name: basic}
spec:
  type: httpBasic
  users:
  - {username: mia, passwordFrom: {file: password}}
  - {username: gone, passwordFrom: {file: password}, disabled: true}
  - {username: past, passwordFrom: {file: password}, notAfter: "2020-01-01T00:00:00Z"}
---
kind: ApiAuthentication
metadata: {name: digest}
spec:
  type: httpDigest
  users:
  - {username: mia, passwordFrom: {file: password}}
  - {username: gone, passwordFrom: {file: password}, disabled: true}
  - {username: past, passwordFrom: {file: password}, notAfter: "2020-01-01T00:00:00Z"}
---
{kind: FuncApi, metadata: {name: basic}, spec: {funcId: bench__main.hello, apiAuthIds: [basic]}}
---
{kind: FuncApi, metadata: {name: digest}, spec: {funcId: bench__main.hello, apiAuthIds: [digest]}}
---
{kind: FuncApi, metadata: {name: keyed}, spec: {funcId: bench__main.hello, apiAuthIds: [api-key]}}
---
{kind: Role, metadata: {name: Key users}, spec: {privileges: [Use API Key], userGroups: [Key users]}}
---
{kind: UserGroup, metadata: {name: Key users}, spec: {users: [mia]}}
---
{kind: User, metadata: {name: mia}, spec: {passwordFrom: {file: password}}}
---
{kind: User, metadata: {name: gone}, spec: {passwordFrom: {file: password}, enabled: false}}
---
{kind: PasswordPolicy, metadata: {name: default}, spec: {lockAfterFailures: 0}}
"""
SCRIPT = """
@DFF.API('A greeting')
def hello():
    return 'hello'
"""
# Nobody is blocked: what is measured is the work, not its refusal.
CONFIG = '[auth.throttle]\nexempt = ["127.0.0.0/8"]\n[identity]\nsign_in_failures_per_hour = 100000\n[limits]\nhash_concurrency = {hashes}\n'
GUESSERS = 200
HASH_THREADS = "funcgate-hash"
# Longer than a hash takes: whoever has not run for so long has nothing to hash.
QUIET_S = 0.3
TURNS = 5
BASIC, DIGEST, KEYED = "/api/v1/func-api/basic/s", "/api/v1/func-api/digest/s", "/api/v1/func-api/keyed/s"
MANAGEMENT = "/admin/api/v1"


def basic(name: str, password: str) -> dict:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def start(folder: Path, binary: Path, hashes: int) -> Product:
    resources = folder / "resources"
    resources.mkdir()
    (resources / "all.yaml").write_text(RESOURCES)
    (resources / "main.py").write_text(SCRIPT)
    (resources / "password").write_text(PASSWORD)
    server = Product(folder / "server", binary, CONFIG.format(hashes=hashes))
    server.command("init", "--admin-login", "root", "--admin-password-file", resources / "password")
    return server.start(resources)


class Caller:
    """One kept-alive connection from an address of its own. `call` gives seconds and status."""

    def __init__(self, port: int, address: str = "127.0.0.1"):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(address, 0))
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, target: str, headers: dict) -> tuple[float, int, str]:
        return self._timed("GET", target, None, headers)

    def sign_in(self, login: str, password: str) -> tuple[float, int, str]:
        return self._timed("POST", MANAGEMENT + "/session", json.dumps({"login": login, "password": password}), {"Content-Type": "application/json"})

    def _timed(self, method: str, target: str, body: str | None, headers: dict) -> tuple[float, int, str]:
        begin = time.perf_counter()
        self.connection.request(method, target, body, headers)
        answer = self.connection.getresponse()
        answer.read()
        return time.perf_counter() - begin, answer.status, answer.headers.get("WWW-Authenticate", "")

    def close(self) -> None:
        self.connection.close()


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def milliseconds(values: list[float]) -> dict:
    return {"median_ms": round(statistics.median(values) * 1000, 3), "p99_ms": round(percentile(values, 0.99) * 1000, 3)}


def peak_kib(pid: int) -> int:
    return int(re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


# --- parallel

class KnownCaller:
    """One who is known, with a request whose bytes are ready: what is timed shall be the server and not our library.

    One connection for all cases: credentials are remembered by the io thread that serves it, and on another one they would have to be
    hashed once, behind all guesses.
    """

    def __init__(self, port: int, target: str, headers: dict):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode()

    def call(self) -> float:
        """Seconds until the whole answer was there."""
        begin = time.perf_counter()
        self.socket.send(self.request)
        answer = self.socket.recv(RECEIVED_MAX)
        while not is_whole(answer):
            more = self.socket.recv(RECEIVED_MAX)
            if not more:
                raise Failure("the server closed the connection of a known caller")
            answer += more
        seconds = time.perf_counter() - begin
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise Failure(f"a known caller got {answer[:200]!r}")
        return seconds

    def times(self, samples: int, pause_s: float = 0.002) -> list[float]:
        """Of so many calls at a steady pace."""
        times = []
        for _ in range(samples):
            times.append(self.call())
            time.sleep(pause_s)
        return times


class Spent:
    """Where processor time went while a case was measured: seconds of the threads that hash, of the server's others, of its workers, of
    the caller; and for how long the io threads could have run and waited for a processor. Added up over the turns."""

    NAMES = ("hashes", "server", "workers", "caller", "io_waited")

    def __init__(self, caller_of: Product, hashes_of: Product):
        self.caller_of, self.hashes_of = caller_of, hashes_of
        self.seconds, self.elapsed_s, self.guessers_s = dict.fromkeys(self.NAMES, 0.0), 0.0, 0.0

    def now(self) -> dict[str, float]:
        threads = thread_times(self.caller_of.pid)
        hashes = thread_times(self.hashes_of.pid).get(HASH_THREADS, (0.0, 0.0))[0]
        io = [times for name, times in threads.items() if name.startswith("io-")]
        return {"hashes": hashes, "server": sum(ran for name, (ran, _) in threads.items() if name != HASH_THREADS),
                "workers": sum(ran for worker in workers_of(self.caller_of.pid) for ran, _ in thread_times(worker).values()),
                "caller": time.process_time(), "io_waited": sum(waited for _, waited in io)}

    @contextlib.contextmanager
    def measured(self):
        before, begin = self.now(), time.monotonic()
        yield
        self.elapsed_s += time.monotonic() - begin
        for name, value in self.now().items():
            self.seconds[name] += value - before[name]

    def percent(self, guessers: Flood | None = None) -> dict:
        """Percent of one core each, by what it went to."""
        shares = {name: round(100 * value / self.elapsed_s, 1) for name, value in self.seconds.items()}
        return shares | ({"guessers": round(100 * guessers.cpu_s / guessers.elapsed_s, 1)} if guessers and guessers.elapsed_s else {})


def make_key(port: int) -> str:
    """A key of mia, made by the first administrator."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(method: str, path: str, body: dict, headers: dict, wanted: int):
        connection.request(method, MANAGEMENT + path, json.dumps(body), {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != wanted:
            sys.exit(f"bench/flood.py: {method} {path} was answered {answer.status}: {text[:500]!r}")
        return json.loads(text)["data"], answer.headers.get("Set-Cookie", "").split(";")[0]

    _, cookie = call("POST", "/session", {"login": "root", "password": PASSWORD}, {}, 200)
    session, _ = call("GET", "/session", {}, {"Cookie": cookie}, 200)
    headers = {"Cookie": cookie, "X-CSRF-Token": session["csrfToken"]}
    users, _ = call("GET", "/users?login=mia", {}, headers, 200)
    made, _ = call("POST", f"/users/{users[0]['id']}/api-keys", {"name": "Bench"}, headers, 201)
    connection.close()
    return made["token"]


def await_quiet(server: Product, within_s: float = 60.0) -> None:
    """Returns when the server hashes nothing any more: what was queued when the guessers left belongs to no later case."""
    until, before = time.monotonic() + within_s, -1.0
    while (hashed := thread_times(server.pid).get(HASH_THREADS, (0.0, 0.0))[0]) != before:
        if time.monotonic() > until:
            raise Failure(f"the server still hashes {within_s:g} s after the last guess")
        before = hashed
        time.sleep(QUIET_S)


class Case:
    """One of the cases: times of the known caller of `server` while `guessed_at`, if any, is guessed at."""

    def __init__(self, server: Product, caller: KnownCaller, guessed_at: Product | None = None, half_sign_in: bool = False):
        self.server, self.caller, self.guessed_at = server, caller, guessed_at
        self.guessing = (GUESSERS, "mia", BASIC, MANAGEMENT + "/session" if half_sign_in else None)
        self.times: list[float] = []
        self.spent, self.flood = Spent(server, guessed_at or server), no_flood()

    def take(self, samples: int) -> None:
        with contextlib.ExitStack() as ended:
            guessing = ended.enter_context(Guessing(self.guessed_at.port, *self.guessing)) if self.guessed_at else None
            time.sleep(1.0)  # the queues of the guessed-at server fill; as long without guessers, so that all turns are alike
            with self.spent.measured():
                self.times += self.caller.times(samples)
            if guessing:
                self.flood.add(guessing.end())
        await_quiet(self.guessed_at or self.server)

    def p99(self) -> float:
        return percentile(self.times, 0.99)

    def figures(self) -> dict:
        found = milliseconds(self.times) | {"percent_of_a_core": self.spent.percent(self.flood)}
        if self.guessed_at:
            found |= {"in_flight": round(self.flood.in_flight, 1), **self.flood.per_second(),
                      "answers_to_guesses": {str(status): count for status, count in sorted(self.flood.answers.items())}}
        return found


def parallel(server: Product, samples: int, hashes: int, token: str | None = None, elsewhere: Product | None = None, turns: int = 1) -> dict:
    """With `token`: a caller with this key is measured, and half of the guessers try to sign in. With `elsewhere`: also the case in which
    that server is guessed at. `samples` of each case are taken in so many `turns`, so that what else the machine does hits all alike."""
    known = KnownCaller(server.port, *((KEYED, {"Authorization": token}) if token else (BASIC, basic("mia", PASSWORD))))
    known.times(500)  # warm
    before_kib = peak_kib(server.pid)
    idle, idle_again = Case(server, known), Case(server, known)
    flooded = Case(server, known, server, token is not None)
    beside = Case(server, known, elsewhere, token is not None) if elsewhere else None
    for _ in range(turns):
        for case in (idle, flooded, beside):
            if case is not None:
                case.take(samples // turns)
    idle_again.take(samples // turns)
    known.socket.close()
    idle_p99 = percentile(idle.times + idle_again.times, 0.99)
    machine = {}
    if beside is not None:
        machine = {"elsewhere": beside.figures(), "elsewhere_p99_ratio": round(beside.p99() / idle_p99, 2),
                   "flooded_of_elsewhere_p99_ratio": round(flooded.p99() / beside.p99(), 2)}
    return {
        "idle": idle.figures(), "flooded": flooded.figures(), "idle_again": idle_again.figures(),
        "p99_ratio": round(flooded.p99() / idle_p99, 2), "wanted_p99_ratio_below": 2, **machine,
        # One hash was computed before, when the resources were applied: its memory is not counted again.
        "memory_grown_mib": round((peak_kib(server.pid) - before_kib) / 1024, 1), "hash_limit_mib": hashes * 19, "cores": os.cpu_count(),
    }


# --- names

def digest_header(challenge: str, name: str, password: str, count: int) -> dict:
    nonce, realm = re.search(r'nonce="([^"]+)"', challenge).group(1), re.search(r'realm="([^"]+)"', challenge).group(1)
    sha = lambda text: hashlib.sha256(text.encode()).hexdigest()
    cnonce = os.urandom(8).hex()
    response = sha(f"{sha(f'{name}:{realm}:{password}')}:{nonce}:{count:08x}:{cnonce}:auth:{sha(f'GET:{DIGEST}')}")
    return {"Authorization": f'Digest username="{name}", realm="{realm}", nonce="{nonce}", uri="{DIGEST}", algorithm=SHA-256, qop=auth, '
                             f'nc={count:08x}, cnonce="{cnonce}", response="{response}"'}


def compare(port: int, ask, samples: int, kinds: tuple[str, ...] = ("mia", "nobody", "gone", "past")) -> dict:
    """Times of each kind of name, asked in turn so that drift hits all alike. `ask(caller, kind, number)` is one wrong attempt."""
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    caller = Caller(port)
    for number in range(samples + samples // 10):
        for kind in kinds[number % len(kinds):] + kinds[:number % len(kinds)]:
            seconds, status, _ = ask(caller, kind, number)
            if status != 401:
                sys.exit(f"bench/flood.py: {kind} got {status}")
            if number >= samples // 10:  # the first tenth warms up
                times[kind].append(seconds)
    caller.close()
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    return {"samples_each": samples, **{kind: milliseconds(values) for kind, values in times.items()},
            "largest_distance_percent": round((max(medians.values()) / min(medians.values()) - 1) * 100, 2), "wanted_percent_below": 5}


def names(port: int, samples: int) -> dict:
    caller = Caller(port)
    _, _, challenge = caller.call(DIGEST, {})
    caller.close()
    return {
        # A new password each time: nothing of it can be remembered.
        "basic_cold": compare(port, lambda caller, name, number: caller.call(BASIC, basic(name, f"wrong password {number}")), samples),
        "basic_warm": compare(port, lambda caller, name, number: caller.call(BASIC, basic(name, "the same wrong password")), samples),
        "digest": compare(port, lambda caller, name, number: caller.call(
            DIGEST, digest_header(challenge, name, f"wrong password {number}", number + 1)), samples),
        "sign_in": compare(port, lambda caller, name, number: caller.sign_in(name, f"wrong password {number}"), samples, ("mia", "nobody", "gone")),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/flood.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["parallel", "keys", "names"])
    parser.add_argument("--samples", type=int, default=2000, help="calls per figure")
    parser.add_argument("--hashes", type=int, default=max(1, (os.cpu_count() or 2) // 2), help="password hashes at a time")
    parser.add_argument("--binary", type=Path, default=BINARY)
    options = parser.parse_args()
    if not 20 <= options.samples <= 100_000:
        parser.error("--samples must lie between 20 and 100000")
    if not options.binary.exists():
        parser.error(f"{options.binary} is missing: run script/build first")
    with tempfile.TemporaryDirectory(prefix="funcgate-flood-") as name, contextlib.ExitStack() as started:
        def started_server(folder: str) -> Product:
            (Path(name) / folder).mkdir()
            server = start(Path(name) / folder, options.binary, options.hashes)
            started.callback(server.stop)
            return server

        server = started_server("server")
        if options.what == "names":
            figures = names(server.port, options.samples)
        else:
            token = make_key(server.port) if options.what == "keys" else None
            figures = parallel(server, options.samples, options.hashes, token, started_server("elsewhere"), TURNS)
    print(json.dumps({options.what: figures}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
