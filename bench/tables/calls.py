"""A published Python function, POST JSON {a, b} -> {sum}: what a call costs with each kind of authentication, beside its peers."""

from __future__ import annotations

from pathlib import Path

from load import json_call
from measure import Bench, Case
from outcome import Comparison, Outcome, compared
from peers import BASIC, TOKEN, WRONG_BASIC, WRONG_TOKEN, Peer
from peers.asgi import Uvicorn
from peers.fastify import Fastify
from peers.funcgate import BADGE, CALL, Funcgate
from peers.haproxy import WRONG_TOKEN as FOREIGN_KEY
from peers.optional import Uwsgi
from tables import Table, rate_table
from turns import of_first

PAIR, SUM = {"a": 2, "b": 3}, {"sum": 5}
# scheme: (title, right headers, wrong headers)
CREDENTIALS: dict[str, tuple[str, dict[str, str], dict[str, str] | None]] = {
    "anonymous": ("anonymous", {}, None),
    "fixed": ("fixed field", {"X-Auth-Token": TOKEN}, {"X-Auth-Token": WRONG_TOKEN}),
    "basic": ("HTTP Basic", {"Authorization": BASIC}, {"Authorization": WRONG_BASIC}),
    "key": ("API key", {"Authorization": "Bearer {key}"}, {"Authorization": f"Bearer {FOREIGN_KEY}"}),
    "func": ("authentication function", {"X-Badge": BADGE}, {"X-Badge": "another badge"}),
}
SCHEMES = ("anonymous", "fixed", "basic", "key")


def ours(peer: Peer, scheme: str) -> Case:
    title, right, wrong = CREDENTIALS[scheme]
    return Case(scheme, f"Funcgate, {title}", peer, json_call(CALL.format(f"sum-{scheme}"), PAIR, right), wrong, SUM, ours=True)


def theirs(name: str, title: str, peer: Peer, **more) -> Case:
    """The same sum behind HTTP Basic."""
    return Case(name, title, peer, json_call("/sum", PAIR, {"Authorization": BASIC}), {"Authorization": WRONG_BASIC}, SUM, **more)


def cases(binary: Path) -> list[Case]:
    product = Funcgate(binary)
    return [*(ours(product, scheme) for scheme in CREDENTIALS),
            theirs("fastapi-async", "FastAPI async def, Basic", Uvicorn("fastapi-async", "fastapi_async")),
            theirs("fastapi-def", "FastAPI def, Basic", Uvicorn("fastapi-def", "fastapi_def")),
            theirs("asgi", "ASGI by hand, Basic", Uvicorn("asgi", "asgi_by_hand")),
            theirs("fastify", "Fastify, Basic", Fastify()),
            theirs("uwsgi", "uWSGI by hand, Basic", Uwsgi())]


def cost_of_authentication(bench: Bench, table: str, ours_first: list[Case]) -> list[Comparison]:
    """What schemes cost, of the same call open to everybody, in turns on one server: less than rounds can tell apart."""
    chosen = [case for case in ours_first if case.name in SCHEMES and bench.chosen(table, case.name)]
    if len(chosen) < 2 or chosen[0].name != SCHEMES[0]:
        return []
    return [Comparison(f"CPU of authentication: {CREDENTIALS[name][0]} of anonymous", values, "lower", 1.1, 1.04)
            for name, values in of_first(bench, chosen).items()]


def run(bench: Bench) -> Outcome:
    outcome = rate_table(bench, "calls", "A Python function, POST JSON {a, b} to {sum}", cases(bench.options.binary), bench.server_core)
    for scheme in ("basic", "fixed", "key"):
        title = CREDENTIALS[scheme][0]
        compared(outcome, f"CPU of a call, {title}, of nginx", "cpuMicroseconds", scheme, "nginx", "lower", 2.0, 1.35)
        compared(outcome, f"requests/s, {title}, of nginx", "requestsPerSecond", scheme, "nginx", "higher", 0.5, 0.75)
    compared(outcome, "requests/s, Basic, of FastAPI async def", "requestsPerSecond", "basic", "fastapi-async", "higher", 6, 10)
    compared(outcome, "requests/s, Basic, of FastAPI def", "requestsPerSecond", "basic", "fastapi-def", "higher", 15, 25)
    compared(outcome, "requests/s, Basic, of ASGI by hand", "requestsPerSecond", "basic", "asgi", "higher", 1.6, 2.5)
    compared(outcome, "requests/s, Basic, of Fastify", "requestsPerSecond", "basic", "fastify", "higher")
    compared(outcome, "CPU, FastAPI async def, of Funcgate Basic", "cpuMicroseconds", "fastapi-async", "basic", "higher")
    compared(outcome, "CPU, ASGI by hand, of Funcgate Basic", "cpuMicroseconds", "asgi", "basic", "higher")
    compared(outcome, "requests/s, authentication function, of the plain call", "requestsPerSecond", "func", "anonymous", "higher", 0.45, 0.6)
    outcome.comparisons += cost_of_authentication(bench, "calls", cases(bench.options.binary))
    return outcome


TABLES = (Table("calls", "a Python function behind each kind of authentication, and the same behind its peers",
                ("anonymous", "fixed", "basic", "key", "func", "fastapi-async", "fastapi-def", "asgi", "fastify", "uwsgi"), run),)
