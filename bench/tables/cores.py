"""Two cores that server and load generator share, nothing pinned: as on a small machine, with two workers each.

Funcgate has its defaults there, which are one io thread for two cores; with two it stands beside that.
"""

from __future__ import annotations

from dataclasses import replace

from measure import Bench
from outcome import Outcome, compared
from peers.asgi import Uvicorn
from peers.funcgate import Funcgate
from tables import Table, rate_table
from tables.calls import ours, theirs

DEFAULTS = "[server]\nthreads = 1\n[limits]\npool_workers = 2\n"
TWO_THREADS = "[server]\nthreads = 2\n[limits]\npool_workers = 2\n"
NAMES = ("basic", "basic-2", "fastapi-async", "asgi")


def run(bench: Bench) -> Outcome:
    product = Funcgate(bench.options.binary, "funcgate-defaults", DEFAULTS)
    two_threads = Funcgate(bench.options.binary, "funcgate-2", TWO_THREADS)
    cases = [ours(product, "basic"), replace(ours(two_threads, "basic"), name="basic-2", title="Funcgate, HTTP Basic, two io threads"),
             theirs("fastapi-async", "FastAPI async def, Basic, 2 workers", Uvicorn("fastapi-async-2", "fastapi_async", 2)),
             theirs("asgi", "ASGI by hand, Basic, 2 workers", Uvicorn("asgi-2", "asgi_by_hand", 2))]
    outcome = rate_table(replace(bench, load_core=None), "cores", "Two cores, shared with the load generator", cases, None)
    outcome.conditions["cores"] = "not pinned, shared by servers and load"
    compared(outcome, "requests/s of FastAPI with two workers", "requestsPerSecond", "basic", "fastapi-async", "higher", 6, 10)
    compared(outcome, "requests/s of ASGI by hand with two workers", "requestsPerSecond", "basic", "asgi", "higher")
    return outcome


TABLES = (Table("cores", "two workers on two cores that the load generator shares", NAMES, run),)
