"""The command line of script/bench: what is measured, how often, where the results go."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import report
import stalls
import steps
from measure import Bench
from processes import BINARY, ROOT, Failure, open_files_max
from tables import Table, all_tables


def read_options(description: str, arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help="measure only this table, or this case of a table (TABLE/CASE); may be repeated")
    parser.add_argument("--list", action="store_true", help="show tables and cases, or with --micro the steps; measure nothing")
    parser.add_argument("--micro", action="store_true",
                        help="measure steps of a call alone instead, in a program of Google Benchmark that is built if needed; --only names steps")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of every case; at least 5 for figures that are told to others (default 5)")
    parser.add_argument("--duration", type=float, default=3.0, help="length of a round in seconds, whole ones (default 3)")
    parser.add_argument("--connections", type=int, default=64, help="keep-alive connections of the load (default 64)")
    parser.add_argument("--pin", action=argparse.BooleanOptionalAction, default=True, help="bind servers and load to a core each (default)")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--results", type=Path,
                        help="folder for JSON and pictures; default bench/results, but nothing is kept of a table that is measured in parts")
    parser.add_argument("--write", action="store_true", help="put the whole tables into docs/performance.md")
    parser.add_argument("--binary", type=Path,
                        help="the server; default build/release/bin/funcgate, or FUNCGATE_BIN. With --micro the program; default that of build/micro")
    parser.add_argument("--install", action=argparse.BooleanOptionalAction, default=True, help="install and build what is missing (default)")
    options = parser.parse_args(arguments)
    if not options.micro:
        options.binary = options.binary or BINARY
    if options.rounds < 1 or not 1 <= options.duration <= 200 or not 1 <= options.connections <= 10_000:
        parser.error("--rounds is at least 1, --duration lies between 1 and 200, --connections between 1 and 10000")
    cores = os.sched_getaffinity(0)
    if options.pin and not options.list and (options.server_core == options.load_core or not {options.server_core, options.load_core} <= cores):
        parser.error(f"server and load need two different cores of {sorted(cores)} (--server-core, --load-core), or --no-pin")
    return options


def choose(names: list[str], tables: dict[str, Table]) -> dict[str, set[str]]:
    """Tables to measure, each with the chosen cases; an empty set means all of them."""
    if not names:
        return {name: set() for name, table in tables.items() if not table.long}
    chosen: dict[str, set[str]] = {}
    for name in names:
        table, _, case = name.partition("/")
        if table not in tables or (case and case not in tables[table].cases):
            raise Failure(f'there is no "{name}": script/bench --list shows tables and cases')
        if not case:
            chosen[table] = set()
        elif chosen.get(table) != set() or table not in chosen:
            chosen.setdefault(table, set()).add(case)
    return chosen


def show_list(tables: dict[str, Table]) -> None:
    for table in tables.values():
        print(f"{table.name}: {table.title}{f' ({table.long})' if table.long else ''}")
        for case in table.cases:
            print(f"  {table.name}/{case}")


def install(binary: Path | None) -> None:
    """What is missing on a fresh machine. Both scripts change nothing if nothing is missing. None: no server is needed."""
    wanted = [["script/bootstrap", "bench"]]
    if binary and binary == ROOT / "build/release/bin/funcgate" and not binary.exists():
        wanted.append(["script/build", "release"])
    for command in wanted:
        if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode:
            raise Failure(f"{' '.join(command)} did not succeed; --no-install leaves it out")


def measure(options: argparse.Namespace, table: Table, chosen: dict[str, set[str]], folder: Path) -> report.Outcome:
    cores = (options.server_core, options.load_core) if options.pin else (None, None)
    bench = Bench(options, folder, *cores, wanted=chosen)
    bench.say(f"{table.name}: {table.title}")
    told = {**report.conditions(options, *cores), "taken away from a spinning program before": str(stalls.look(cores[0]))}
    outcome = table.run(bench)
    outcome.conditions = {**told, **outcome.conditions}
    outcome.notes += bench.notes
    return outcome


def run_steps(options: argparse.Namespace) -> None:
    if options.install and not options.list:
        install(None)
    steps.run(options)


def run(options: argparse.Namespace) -> None:
    if options.micro:
        return run_steps(options)
    tables = all_tables()
    if options.list:
        return show_list(tables)
    chosen = choose(options.only, tables)
    if options.install:
        install(options.binary)
    if not options.binary.exists():
        raise Failure(f"{options.binary} is missing: run script/build first")
    open_files_max()
    everything = {}
    with tempfile.TemporaryDirectory(prefix="funcgate-bench-") as name:
        Path(name).chmod(0o755)
        for table_name, cases in chosen.items():
            outcome = measure(options, tables[table_name], chosen, Path(name))
            everything[table_name] = outcome.as_json()
            if not options.json:
                print(report.printed(outcome), flush=True)
            if options.results or not cases:
                report.keep(outcome, options.results or report.RESULTS)
            if options.write and not cases:
                report.write_page(outcome, options.results or report.RESULTS)
    if options.json:
        print(json.dumps(everything, indent=1, ensure_ascii=False))


def main(description: str, arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that what was started is ended
    try:
        run(read_options(description, arguments))
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
