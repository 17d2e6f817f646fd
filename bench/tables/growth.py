"""Growth: what a request costs as one thing grows and everything else stays. Each gives a line per server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from load import Call, json_call
from measure import Bench, Case, present, rounds
from outcome import Comparison, Outcome, Picture, ratios
from peers import BASIC, WRONG_BASIC
from peers.asgi import Uvicorn
from peers.funcgate import CALL, ONE_CORE, Funcgate
from peers.nginx import Nginx
from processes import open_files_max
from product import Documents
from tables import RATE_COLUMNS, Table, rate_rows, reference, versions
from tables.calls import PAIR, SUM, ours, theirs

CREDENTIAL, WRONG = {"Authorization": BASIC}, {"Authorization": WRONG_BASIC}

# As many calls may wait as there are connections; by default 1,000, and further ones are told to come back later (503).
LONG_QUEUE = ONE_CORE + "pool_queue_length = 8192\n"
# By default a request may have 100 headers. Those of the longest point take 20 KB, which header_bytes allows as it comes.
MANY_HEADERS = ONE_CORE + "header_count = 1000\n"


@dataclass
class Point:
    series: str
    x: int
    case: Case


def named(series: str, x: int, case: Case, title: str) -> Point:
    case.name, case.title = f"{series}-{x}", title
    return Point(series, x, case)


def connection_points(bench: Bench) -> list[Point]:
    allowed = open_files_max() - 500
    product, fastapi, nginx = Funcgate(bench.options.binary, config=LONG_QUEUE), Uvicorn("fastapi-async", "fastapi_async"), Nginx("nginx-growth")
    made = []
    for count in (1, 8, 64, 512, 4096):
        if count > allowed:
            bench.note(f"growth-connections: {count} connections are left out, because only {allowed + 500} open files are allowed (ulimit -Hn)")
            continue
        made += [named("nginx", count, Case("", "", nginx, Call()), f"nginx return 200, connections: {count}"),
                 named("funcgate", count, ours(product, "basic"), f"Funcgate Basic, connections: {count}"),
                 named("fastapi", count, theirs("", "", fastapi), f"FastAPI async def, connections: {count}")]
        for point in made[-3:]:
            point.case.load = {"connections": count}
    return made


def with_apis(count: int) -> Callable[[], list[Documents]]:
    """`count` open APIs of one function, in folders of at most 5,000: one folder may hold 10,000 documents."""
    def made() -> list[Documents]:
        folders = [Documents() for _ in range(0, count, 5000)]
        for number in range(count):
            folders[number // 5000].api(f"many-{number:05d}", "bench__main.total")
        return folders
    return made


def api_points(bench: Bench) -> list[Point]:
    """Servers with so many APIs beside each other; the one in the middle is called."""
    made = []
    for count in (10, 100, 1000, 10_000):
        peer = Funcgate(bench.options.binary, f"funcgate-{count}-apis", ONE_CORE, with_apis(count))
        call = json_call(CALL.format(f"many-{count // 2:05d}"), PAIR)
        made.append(named("funcgate", count, Case("", "", peer, call, expected=SUM, ours=True), f"Funcgate, {count:,} APIs"))
    return made


def body_points(bench: Bench) -> list[Point]:
    """A text of so many bytes in JSON; its length is answered. Fewer connections for larger bodies: at most 64 MB are on their way."""
    product, by_hand, fastapi = Funcgate(bench.options.binary), Uvicorn("asgi", "asgi_by_hand"), Uvicorn("fastapi-async", "fastapi_async")
    made = []
    for size in (1, 100, 10_000, 100_000, 1_000_000, 10_000_000):
        value, expected = {"text": "x" * size}, {"length": size}
        load = {"connections": max(1, min(bench.options.connections, 64_000_000 // size))}
        for series, peer, target in (("funcgate", product, CALL.format("length-basic")), ("asgi", by_hand, "/length"), ("fastapi", fastapi, "/length")):
            case = Case("", "", peer, json_call(target, value, CREDENTIAL), WRONG, expected, load=load, ours=series == "funcgate")
            made.append(named(series, size, case, f"{TITLES[series]}, bytes: {size:,}"))
    return made


def header_points(bench: Bench) -> list[Point]:
    """So many headers beside the usual five."""
    product, by_hand, nginx = Funcgate(bench.options.binary, config=MANY_HEADERS), Uvicorn("asgi", "asgi_by_hand"), Nginx("nginx-growth")
    made = []
    for count in (1, 10, 30, 60, 90, 250, 500):
        more = {f"X-Bench-{number:02d}": "a value of usual length" for number in range(count)}
        made += [named("nginx", count, Case("", "", nginx, Call(headers=more)), f"nginx return 200, more headers: {count}"),
                 named("funcgate", count, Case("", "", product, json_call(CALL.format("sum-basic"), PAIR, {**CREDENTIAL, **more}), WRONG, SUM,
                                               ours=True), f"Funcgate Basic, more headers: {count}"),
                 named("asgi", count, Case("", "", by_hand, json_call("/sum", PAIR, {**CREDENTIAL, **more}), WRONG, SUM),
                       f"ASGI by hand, more headers: {count}")]
    return made


TITLES = {"funcgate": "Funcgate", "nginx": "nginx return 200", "asgi": "ASGI by hand", "fastapi": "FastAPI async def"}


def measure(bench: Bench, table: str, title: str, x_title: str, points: list[Point]) -> Outcome:
    points = [point for point in points if bench.chosen(table, point.series)]
    chosen = present(bench, [reference()] + [point.case for point in points])
    places = {point.case.name: point for point in points}
    # In one piece: with thousands of connections or megabytes of body a short visit would be made of its beginning.
    rows = rate_rows(rounds(bench, chosen, bench.server_core, bench.options.duration), chosen)
    for row in rows:
        if row.name in places:
            row.series, row.x = TITLES[places[row.name].series], places[row.name].x
    columns = [column for column in RATE_COLUMNS if not column.figure.endswith("Busy")]
    picture = Picture("lines", "cpuMicroseconds", "CPU µs per request: lower is better", x_title)
    outcome = Outcome(table, title, columns, rows, [], [picture], versions(chosen))
    mine = sorted((row for row in rows if row.ours), key=lambda row: row.x)
    if len(mine) > 1 and table != "growth-body":  # a larger body is more work, nothing to compare
        named_rows = {row.name: row for row in rows}
        outcome.comparisons.append(Comparison(f"CPU at {mine[-1].x:,} of that at {mine[0].x:,}",
                                              ratios(named_rows, "cpuMicroseconds", mine[-1].name, mine[0].name), "lower"))
    return outcome


def table_of(name: str, title: str, x_title: str, series: tuple[str, ...], points: Callable[[Bench], list[Point]], long: str = "") -> Table:
    return Table(name, title, series, lambda bench: measure(bench, name, title[0].upper() + title[1:], x_title, points(bench)), long)


TABLES = (
    table_of("growth-connections", "growth with connections, 1 to 4096", "connections", ("nginx", "funcgate", "fastapi"), connection_points),
    table_of("growth-apis", "growth with published APIs, 10 to 10,000", "APIs", ("funcgate",), api_points),
    table_of("growth-body", "growth with the body of a request, 1 B to 10 MB", "bytes", ("funcgate", "asgi", "fastapi"), body_points),
    table_of("growth-headers", "growth with the headers of a request, 1 to 500 more", "headers", ("nginx", "funcgate", "asgi"), header_points),
)
