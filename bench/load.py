"""The load: requests as data, and wrk, which sends them over and over again on keep-alive connections.

wrk runs with one thread. A request that is the same each time is formatted once by wrk and costs it nothing; only Digest and a paced
load run Lua per request. The load generator is watched: `Round.load_busy` near 1 says that requests per second are its limit and not
the server's; CPU per request, the main figure, is right all the same.
"""

from __future__ import annotations

import http.client
import json
import re
import resource
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import digest
from processes import Failure, cpu_seconds, pinned

CHECK_S = 30.0
ANSWER_S = 20  # how long wrk waits for an answer before it counts an error


@dataclass(frozen=True)
class Call:
    """One request. `headers` without Host and Content-Length, which the client adds. Texts may hold {names} of `Running.secrets`."""

    target: str = "/"
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def with_secrets(self, secrets: dict[str, str]) -> "Call":
        return Call(self.target, self.method, {name: filled(value, secrets) for name, value in self.headers.items()}, self.body)


def filled(text: str, secrets: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: secrets.get(match.group(1), match.group()), text)


def json_call(target: str, value: object, headers: dict[str, str] | None = None) -> Call:
    return Call(target, "POST", {"Content-Type": "application/json", **(headers or {})}, json.dumps(value, separators=(",", ":")).encode())


def ask(port: int, call: Call) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case; repeated ones joined by a line end) and body of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CHECK_S)
    try:
        connection.request(call.method, call.target, call.body or None, call.headers)
        answer = connection.getresponse()
        headers: dict[str, str] = {}
        for name, value in answer.getheaders():
            headers[name.lower()] = f"{headers[name.lower()]}\n{value}" if name.lower() in headers else value
        return answer.status, headers, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{call.method} http://127.0.0.1:{port}{call.target}: {error}") from None
    finally:
        connection.close()


# --- one round

@dataclass
class Round:
    """What one round gave. Times in ms unless the name says otherwise; `…_busy`: share of a core, 0 to 1 (server: may exceed it unpinned).

    `answer_bytes`: size of an answer at least and at most, because those that were on their way at the end count in bytes alone."""

    requests: int
    seconds: float
    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    server_busy: float
    load_busy: float
    answer_bytes: tuple[float, float] = (0.0, 0.0)

    def figures(self) -> dict[str, float]:
        return {"requestsPerSecond": self.rate, "cpuMicroseconds": self.cpu_us, "p50Milliseconds": self.p50_ms,
                "p99Milliseconds": self.p99_ms, "serverBusy": self.server_busy, "loadBusy": self.load_busy}


@dataclass
class Load:
    """How wrk is used. `pause_ms`: mean pause of each connection between answer and next request (0: none).

    `every_status`: Lua looks at the status of each answer, which costs the load generator time and so belongs to a warm-up; wrk itself
    counts those from 400 up alone."""

    connections: int = 64
    seconds: float = 3.0
    core: int | None = None
    pause_ms: float = 0.0
    every_status: bool = False


RESULT = """
other, others = 0, 0  -- each thread of wrk has its own
local threads = {}
function setup(thread) table.insert(threads, thread) end
function done(summary, latency, requests)
  local e, last, count = summary.errors, 0, 0
  for _, thread in ipairs(threads) do
    count = count + thread:get("others")
    if thread:get("other") ~= 0 then last = thread:get("other") end
  end
  io.write(string.format('RESULT {"requests":%d,"microseconds":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,',
    summary.requests, summary.duration, e.connect, e.read, e.write, e.status, e.timeout))
  io.write(string.format('"p50":%d,"p99":%d,"bytes":%.0f,"others":%d,"other":%d}\\n',
    latency:percentile(50), latency:percentile(99), summary.bytes, count, last))
end
"""
EVERY_STATUS = """
function response(status, headers, body)
  if status < 200 or status > 299 then other, others = status, others + 1 end
end
"""
# wrk cannot hold a rate. A pause of random length after each answer spreads the requests; it counts in whole milliseconds, so those
# due in the same one are sent together, which makes the times an upper bound.
PAUSE = """
math.randomseed(os.time())
function delay() return math.floor(math.random() * 2 * {pause_ms} + math.random()) end
"""


def lua(text: str) -> str:
    """A Lua literal of the text."""
    return '"' + "".join(char if char.isalnum() or char in " /-_.,:;=+" else "".join(f"\\{byte:03d}" for byte in char.encode()) for char in text) + '"'


def script(folder: Path, call: Call, load: Load) -> str:
    """The Lua program for wrk that sends `call`."""
    lines = [f"wrk.method = {lua(call.method)}"]
    lines += [f"wrk.headers[{lua(name)}] = {lua(value)}" for name, value in call.headers.items()]
    if call.body:
        body = folder / "body.bin"
        body.write_bytes(call.body)
        lines.append(f'local file = assert(io.open({lua(str(body))}, "rb")); wrk.body = file:read("*a"); file:close()')
    if load.pause_ms:
        lines.append(PAUSE.format(pause_ms=f"{load.pause_ms:.4f}"))
    if load.every_status:
        lines.append(EVERY_STATUS)
    return "\n".join(lines) + RESULT


def command(folder: Path, port: int, call: Call, load: Load, more: str = "") -> list[str]:
    """wrk's command line for `call`, which has its secrets already. `folder`: for its program, to which `more` is added."""
    path = folder / "load.lua"
    path.write_text(script(folder, call, load) + more)
    return pinned(load.core, "wrk", "-t1", f"-c{load.connections}", f"-d{max(1, round(load.seconds))}s", f"--timeout={ANSWER_S}s", "-s", path,
                  f"http://127.0.0.1:{port}{call.target}")


def result_of(name: str, status: int, printed: str, errors: str) -> dict:
    """What wrk counted. Raises Failure if one answer was from 400 up, if Lua saw one that was not 2xx, or if one connection had an error:
    such a round is no result."""
    found = re.search(r"^RESULT (\{.*\})$", printed, re.M)
    if status or not found:
        raise Failure(f"{name}: wrk ended with {status}:\n{printed[-1000:]}{errors[-1000:]}")
    result = json.loads(found.group(1))
    bad = {kind: result[kind] for kind in ("connect", "read", "write", "status", "timeout") if result[kind]}
    if bad or not result["requests"]:
        raise Failure(f"{name}: {result['requests']} answers in {result['microseconds'] / 1e6:.1f} s, and of them or beside them "
                      f"{bad or 'nothing'} (status: answers from 400 up; others: errors of connections): no figure is made of that")
    if result["others"]:
        raise Failure(f"{name}: {result['others']} of {result['requests']} answers were not 2xx, the last one {result['other']}")
    return result


def answer_bytes(result: dict, load: Load) -> tuple[float, float]:
    """Size of an answer, at least and at most."""
    return result["bytes"] / (result["requests"] + load.connections), result["bytes"] / result["requests"]


def send(name: str, folder: Path, port: int, root_pid: int, call: Call, load: Load, credential: digest.Credential | None = None) -> Round:
    """One round of load on 127.0.0.1:`port`, whose processes are the tree of `root_pid`. `call` has its secrets already.

    Raises Failure like result_of."""
    more = digest.script(credential, call.target, lambda: ask(port, Call(call.target)), port) if credential else ""
    arguments = command(folder, port, call, load, more)
    before, load_before, begin = cpu_seconds(root_pid), children_seconds(), time.monotonic()
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=load.seconds + 120)
    spent, load_spent = cpu_seconds(root_pid) - before, children_seconds() - load_before
    result = result_of(name, done.returncode, done.stdout, done.stderr)
    seconds = result["microseconds"] / 1e6
    return Round(result["requests"], seconds, result["requests"] / seconds, spent / result["requests"] * 1e6, result["p50"] / 1000,
                 result["p99"] / 1000, spent / seconds, load_spent / seconds, answer_bytes(result, load))


def together(parts: Sequence[Round]) -> Round:
    """Visits of one round as one: sums, and of percentiles the median of the visits."""
    requests, seconds = sum(part.requests for part in parts), sum(part.seconds for part in parts)

    def mean(figure: str) -> float:
        return sum(getattr(part, figure) * part.seconds for part in parts) / seconds

    return Round(requests, seconds, requests / seconds, sum(part.cpu_us * part.requests for part in parts) / requests,
                 statistics.median(part.p50_ms for part in parts), statistics.median(part.p99_ms for part in parts), mean("server_busy"),
                 mean("load_busy"), (min(part.answer_bytes[0] for part in parts), max(part.answer_bytes[1] for part in parts)))


def differ(first: Round, second: Round) -> bool:
    """Whether answers of the two rounds surely differ in size by more than a twentieth."""
    return sizes_differ(first.answer_bytes, second.answer_bytes)


def sizes_differ(first: tuple[float, float], second: tuple[float, float]) -> bool:
    """The same of two `answer_bytes`."""
    return any(one[0] > 1.05 * other[1] for one, other in ((first, second), (second, first)))


def children_seconds() -> float:
    """User and system time of our children that have ended: the load generators."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
