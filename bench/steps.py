"""Steps of a call alone: builds and runs bench/micro (Google Benchmark) for script/bench --micro, and compares.

Times are CPU time per operation, from interleaved rounds in one process; a ratio is made of the two times of the same round. The
program CHECKs what it measures and ends without figures if something is refused that must be accepted.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import report
from outcome import Column, Comparison, Outcome, Row
from processes import ROOT, Failure, pinned

FOLDER = ROOT / "build/micro"
PROGRAM = FOLDER / "bin/funcgate-micro"
ROUND_S = 0.2  # of every benchmark
RUN_S = 1800.0
NAME = "micro"


@dataclass(frozen=True)
class Step:
    """`name`: of the benchmark. `others`: what it is compared with, as benchmark and title; a benchmark STEP|… is of that step alone."""

    name: str
    title: str
    others: tuple[tuple[str, str], ...] = ()


def beside(name: str, title: str, **others: str) -> Step:
    return Step(name, title, tuple((f"{name}|{other}", what) for other, what in others.items()))


def over(name: str, title: str, other: str, what: str) -> Step:
    return Step(name, title, ((other, what),))


STEPS = (
    beside("head/program", "head of a program's request, 4 fields", Beast="Beast's own parser into its own fields"),
    beside("head/browser", "head of a browser's request, 14 fields", Beast="Beast's own parser into its own fields"),
    beside("authorization/basic", "Authorization of Basic: split and decoded", OpenSSL="OpenSSL decodes the same base64"),
    Step("authorization/digest", "Authorization of Digest: 9 parameters"),
    Step("check/anonymous", "check of an anonymous call"),
    over("check/fixed", "check of a fixed field", "check/anonymous", "anonymous"),
    over("check/basic", "check of HTTP Basic, remembered", "check/anonymous", "anonymous"),
    beside("check/key", "check of an API key, remembered", signature="its signature and claims, not remembered"),
    over("check/func", "check of an authentication function, its verdict remembered", "check/anonymous", "anonymous"),
    beside("check/digest", "check of HTTP Digest SHA-256, each count once", hashes="the hashes of RFC 7616 alone"),
    Step("catalog/10", "API by its id, among 10"),
    over("catalog/many", "API by its id, among 100,000", "catalog/10", "among 10"),
    Step("keys/10", "API key, its user and the privilege, among 10"),
    over("keys/million", "API key, its user and the privilege, among 1,000,000", "keys/10", "among 10"),
    *(beside(f"{verb}/{size}", f"{title}, {of}", json=f"json.{function}", orjson=f"orjson.{function}")
      for size, of in (("pair", "13 bytes"), ("record", "an order of 320 bytes"), ("megabyte", "a megabyte of orders"))
      for verb, title, function in (("read", "JSON to Python", "loads"), ("write", "Python to JSON", "dumps"))),
    beside("frame/encode-call", "frame of a call: encode", copy="copying the same bytes"),
    Step("frame/decode-call", "frame of a call: decode"),
    beside("frame/encode-reply", "frame of a reply: encode", copy="copying the same bytes"),
    Step("frame/decode-reply", "frame of a reply: decode"),
    beside("ring/one", "reply ring: put one, take one", socket="through a Unix socket"),
    beside("ring/sixteen", "reply ring: put sixteen, take them at once", socket="through a Unix socket"),
    Step("record/hand-over", "record of a call: made and handed over"),
    Step("record/journal", "record of a call: packed, hashed, sealed, of 4,096"),
)
OPTIONAL = {f"{verb}/{size}|orjson" for verb in ("read", "write") for size in ("pair", "record", "megabyte")}


def chosen(names: list[str]) -> list[Step]:
    """Steps by name or by the part before the slash; all without names."""
    for name in names:
        if not any(name in (step.name, step.name.split("/")[0]) for step in STEPS):
            raise Failure(f'there is no step "{name}": script/bench --micro --list shows them')
    return [step for step in STEPS if not names or step.name in names or step.name.split("/")[0] in names]


def build() -> None:
    """Configures once and compiles what changed; compiled files come from ccache if another folder has them."""
    wanted = [["cmake", "--build", FOLDER, "--parallel", os.environ.get("FUNCGATE_JOBS", str(os.cpu_count())), "--target", "funcgate-micro"]]
    if not (FOLDER / "build.ninja").exists():
        wanted.insert(0, ["cmake", "--preset", "release", "-B", FOLDER, "-DFUNCGATE_MICRO=ON", "-DFUNCGATE_TESTS=OFF"])
    for command in wanted:
        if subprocess.run([str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode:
            raise Failure(f"{command[0]} {command[1]} {command[2]} did not succeed; what is missing is told above")


def run_program(program: Path, steps: list[Step], rounds: int, core: int | None) -> dict:
    """What Google Benchmark wrote."""
    names = sorted({step.name for step in steps} | {other for step in steps for other, _ in step.others})
    pattern = "^(" + "|".join(re.escape(name).replace("\\-", "-") for name in names) + ")$"
    arguments = ["--benchmark_format=json", f"--benchmark_repetitions={rounds}", "--benchmark_enable_random_interleaving=true",
                 f"--benchmark_min_time={ROUND_S}", f"--benchmark_filter={pattern}"]
    try:
        done = subprocess.run(pinned(core, program, *arguments), capture_output=True, text=True, timeout=RUN_S, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Failure(f"{program} was not ready after {RUN_S:g} s") from None
    if done.returncode:
        raise Failure(f"{program} ended with {done.returncode}: {done.stderr.strip()[-1000:]}")
    return json.loads(done.stdout)


def times(found: dict, steps: list[Step]) -> dict[str, list[float]]:
    """Nanoseconds of CPU per operation by benchmark, in the order of the rounds. Failure: one is missing, or ended with an error."""
    scale = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
    measured: dict[str, dict[int, float]] = {}
    for run in found["benchmarks"]:
        if run.get("run_type") != "iteration":
            continue
        if run.get("error_occurred"):
            raise Failure(f"{run['name']}: {run.get('error_message', 'an error')}")
        measured.setdefault(run["run_name"], {})[run.get("repetition_index", 0)] = run["cpu_time"] * scale[run["time_unit"]]
    wanted = {step.name for step in steps} | {other for step in steps for other, _ in step.others}
    if missing := sorted(wanted - measured.keys() - OPTIONAL):
        raise Failure(f"the program does not know {', '.join(missing)}: build it again")
    return {name: [by_round[index] for index in sorted(by_round)] for name, by_round in measured.items()}


def outcome_of(measured: dict[str, list[float]], steps: list[Step]) -> Outcome:
    columns = [Column("nanoseconds", "ns of CPU")]
    made = Outcome(NAME, "Steps of a call alone", columns, [], [], [])
    for step in steps:
        made.rows.append(Row(step.name, step.title, {"nanoseconds": measured[step.name]}, ours=True))
        for other, title in step.others:
            if other not in measured:
                made.notes.append(f"{other} is left out: orjson is not installed (script/bootstrap bench)")
                continue
            if "|" in other:
                made.rows.append(Row(other, title, {"nanoseconds": measured[other]}))
            values = [ours / theirs for ours, theirs in zip(measured[step.name], measured[other])]
            made.comparisons.append(Comparison(f"{step.name} of {other}", values, "lower"))
    return made


def shown(nanoseconds: list[float]) -> str:
    """Median with a unit, and the spread in the same unit."""
    median = statistics.median(nanoseconds)
    size, unit = next(((size, unit) for size, unit in ((1e6, "ms"), (1e3, "µs")) if median >= size * 0.9995), (1.0, "ns"))
    digits = 2 if median / size < 10 else 1 if median / size < 100 else 0
    text = f"{median / size:.{digits}f} {unit}"
    return text if len(nanoseconds) == 1 else f"{text} ({min(nanoseconds) / size:.{digits}f}–{max(nanoseconds) / size:.{digits}f})"


def cells(outcome: Outcome, steps: list[Step]) -> list[list[str]]:
    """A line for each comparison, and one for a step that has none."""
    by_name, ratio_of = {row.name: row for row in outcome.rows}, {made.title: made.values for made in outcome.comparisons}
    rows = [["step", "CPU time", "compared with", "its CPU time", "ratio"]]
    for step in steps:
        head = [step.title, shown(by_name[step.name].figures["nanoseconds"])]
        compared = [(other, title) for other, title in step.others if f"{step.name} of {other}" in ratio_of]
        for other, title in compared:
            ratio = ratio_of[f"{step.name} of {other}"]
            digits = 1 if statistics.median(ratio) >= 10 else 2 if statistics.median(ratio) >= 0.1 else 3
            rows.append([*head, title, shown(by_name[other].figures["nanoseconds"]), report.shown(ratio, digits)])
            head = ["", ""]
        if not compared:
            rows.append([*head, "–", "–", "–"])
    return rows


def with_what_it_is_compared_with(steps: list[Step]) -> list[Step]:
    """Also the steps that others are compared with, so that their times stand in the table."""
    wanted = {step.name for step in steps} | {other for step in steps for other, _ in step.others}
    return [step for step in STEPS if step.name in wanted]


def conditions(options, core: int | None) -> dict[str, str]:
    told = report.conditions(options, core, core)
    kept = {name: told[name] for name in ("date", "code", "machine", "load of the machine before") if name in told}
    return {**kept, "core": "not pinned" if core is None else str(core), "rounds": f"{options.rounds} of {ROUND_S:g} s, in random order"}


def run(options) -> None:
    if options.list:
        print("\n".join(f"{step.name}: {step.title}" for step in STEPS))
        return
    steps = with_what_it_is_compared_with(chosen(options.only))
    program = options.binary or PROGRAM
    if options.install and not options.binary:
        build()
    if not program.exists():
        raise Failure(f"{program} is missing: run script/bench --micro without --no-install")
    core = options.server_core if options.pin else None
    told = conditions(options, core)
    outcome = outcome_of(times(run_program(program, steps, options.rounds, core), steps), steps)
    outcome.conditions = told
    table = cells(outcome, steps)
    if options.json:
        print(json.dumps({NAME: outcome.as_json()}, indent=1, ensure_ascii=False))
    else:
        told_line = "; ".join(f"{name}: {value}" for name, value in told.items())
        notes = [f"note: {note}" for note in outcome.notes]
        print("\n".join([outcome.title, told_line, "median (lowest–highest)", "", report.plain(table, (0, 2)), *notes]))
    if options.results or not options.only:
        report.keep(outcome, options.results or report.RESULTS)
    if options.write and not options.only:
        report.put_on_page(outcome, [report.markdown(table)])
