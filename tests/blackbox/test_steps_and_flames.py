"""script/bench --micro and bench/flame.py: what they make of the output of Google Benchmark and perf. Nothing is said about times."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
from collections import Counter

import pytest

from support.server import BINARY, ROOT, environment

sys.path.append(str(ROOT / "bench"))

import flame  # noqa: E402 (its folder is added above)
import flame_picture  # noqa: E402
import steps  # noqa: E402
from flame_picture import Frame  # noqa: E402
from processes import Failure  # noqa: E402

SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "bench/micro").glob("*.cpp")))
MICRO = BINARY.with_name("funcgate-micro")


def python(*arguments, within_s: float = 150, **more) -> subprocess.CompletedProcess:
    return subprocess.run(["/usr/bin/python3", *map(str, arguments)], capture_output=True, text=True, timeout=within_s, stdin=subprocess.DEVNULL, **more)


# --- script/bench --micro

def written(times: dict[str, list[float]], unit: str = "ns") -> dict:
    """As Google Benchmark writes it; rounds in reverse order, because their order is random."""
    runs = [{"name": f"{name}/repeats", "run_name": name, "run_type": "iteration", "repetition_index": index, "cpu_time": value, "real_time": 9e9, "time_unit": unit}
            for name, values in times.items() for index, value in reversed(list(enumerate(values)))]
    return {"benchmarks": runs + [{"name": "x_mean", "run_name": "x", "run_type": "aggregate", "cpu_time": 1, "time_unit": unit}]}


STEPS = [steps.Step("a/one", "a step", (("a/one|other", "another way"), ("b/two", "a smaller one"))), steps.Step("b/two", "the smaller one")]


def test_a_ratio_is_made_of_times_of_the_same_round():
    measured = steps.times(written({"a/one": [100, 200, 300], "a/one|other": [50, 400, 100], "b/two": [10, 10, 10]}), STEPS)
    made = steps.outcome_of(measured, STEPS)
    assert made.comparisons[0].title == "a/one of a/one|other" and made.comparisons[0].values == [2.0, 0.5, 3.0]
    assert [row.name for row in made.rows] == ["a/one", "a/one|other", "b/two"]
    assert steps.cells(made, STEPS)[1:] == [["a step", "200 ns (100–300)", "another way", "100 ns (50–400)", "2.00 (0.50–3.00)"],
                                            ["", "", "a smaller one", "10.0 ns (10.0–10.0)", "20.0 (10.0–30.0)"],
                                            ["the smaller one", "10.0 ns (10.0–10.0)", "–", "–", "–"]]


def test_units_are_those_of_the_program():
    measured = steps.times(written({"a/one": [1.5], "a/one|other": [0.5], "b/two": [2500.0]}, "us"), STEPS)
    assert [steps.shown(measured[name]) for name in ("a/one", "a/one|other", "b/two")] == ["1.50 µs", "500 ns", "2.50 ms"]


def test_what_is_missing_or_went_wrong_gives_no_figures():
    with pytest.raises(Failure, match="does not know b/two"):
        steps.times(written({"a/one": [1], "a/one|other": [1]}), STEPS)
    broken = written({"a/one": [1], "a/one|other": [1], "b/two": [1]})
    broken["benchmarks"][0] |= {"error_occurred": True, "error_message": "it was refused"}
    with pytest.raises(Failure, match="it was refused"):
        steps.times(broken, STEPS)


def test_without_orjson_the_rest_is_shown_and_told():
    chosen = [step for step in steps.STEPS if step.name == "read/pair"]
    made = steps.outcome_of(steps.times(written({"read/pair": [1], "read/pair|json": [4]}), chosen), chosen)
    assert [comparison.values for comparison in made.comparisons] == [[0.25]] and "orjson is not installed" in made.notes[0]


def test_every_benchmark_has_its_line_and_every_line_its_benchmark():
    written_out = set(re.findall(r'->Name\("([^"]+)"\)', SOURCES))
    known = {step.name for step in steps.STEPS} | {other for step in steps.STEPS for other, _ in step.others}
    of_json = {name for name in known if name.startswith(("read/", "write/"))}  # registered with names put together
    assert len(written_out) >= 25 and known - of_json == written_out
    assert len(of_json) == 18 and steps.OPTIONAL == {name for name in of_json if name.endswith("|orjson")}


def test_its_table_has_its_place_on_the_page():
    assert f"<!-- figures: {steps.NAME} -->" in (ROOT / "docs/performance.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments, told", [
    (("--only", "nothing"), 'there is no step "nothing"'),
    (("--only", "check", "--no-install", "--binary", "/nowhere"), "/nowhere is missing"),
])
def test_steps_that_cannot_be_measured_are_told(arguments, told):
    done = python(ROOT / "script/bench", "--micro", "--no-pin", "--no-install", *arguments)
    assert done.returncode == 1 and told in done.stderr and "Traceback" not in done.stderr


def test_steps_are_listed():
    done = python(ROOT / "script/bench", "--micro", "--list")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == len(steps.STEPS)


def test_the_program_gives_a_table():
    if not MICRO.exists():
        pytest.skip(f"{MICRO} is not built (cmake -DFUNCGATE_MICRO=ON)")
    done = python(ROOT / "script/bench", "--micro", "--only", "check", "--rounds", 1, "--no-pin", "--no-install", "--binary", MICRO, "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row["figures"]["nanoseconds"] for row in json.loads(done.stdout)["micro"]["rows"]}
    assert {"check/anonymous", "check/fixed", "check/basic", "check/key", "check/digest"} <= rows.keys() and all(values[0] > 0 for values in rows.values())


# --- bench/flame.py

PERF = """io-0   812/815
\tffffffff82018730 tcp_sendmsg_locked ([kernel.kallsyms])
\tffffffff821ec951 do_syscall_64 ([kernel.kallsyms])
\tffffffff81000130 entry_SYSCALL_64_after_hwframe ([kernel.kallsyms])
\t          10a9f3 __send@@GLIBC_2.2.5 (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t          4a9f10 funcgate::http::Connection::write(std::vector<std::pair<int, char>, std::allocator<int> > const&) [clone .resume] (/opt/x/bin/funcgate)
\t          4a0000 funcgate::base::IoThread::loop() (/opt/x/bin/funcgate)
\t           d44a3 [unknown] (/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30)
\t           89144 start_thread (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t          1097db clone3 (/usr/lib/x86_64-linux-gnu/libc.so.6)

io-0   812/815
\t           9a3b2 _int_malloc (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t               7 [unknown] ([unknown])

funcgate-worker   820/820
\t          1ab000 _PyEval_EvalFrameDefault (/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0)
\t           41000 main (/opt/x/bin/funcgate-worker)
\t           271ca __libc_start_call_main (/usr/lib/x86_64-linux-gnu/libc.so.6)
"""


def test_stacks_begin_with_the_thread_and_say_whose_code_it_is():
    seen = flame.stacks(PERF)
    assert seen.total() == 3
    named = {tuple((frame.name, frame.kind) for frame in stack) for stack in seen}
    assert named == {
        (("io-0", "none"), ("base::IoThread::loop", "own"), ("http::Connection::write", "own"), ("__send", "library"), ("system call", "kernel"),
         ("tcp_sendmsg_locked", "kernel")),
        (("io-0", "none"), ("stack not complete", "none"), ("_int_malloc", "library")),
        (("funcgate-worker", "none"), ("main", "own"), ("_PyEval_EvalFrameDefault", "python"))}
    assert all("/" not in frame.library for stack in seen for frame in stack), "folders of this machine are nobody's business"
    assert flame.shares(seen) == {"python": pytest.approx(1 / 3), "library": pytest.approx(1 / 3), "kernel": pytest.approx(1 / 3)}


def test_boxes_are_as_wide_as_their_share_and_small_ones_are_left_out():
    own, kernel = Frame("a<b>::work", "own", "funcgate"), Frame("tcp & co", "kernel", "kernel")
    seen = Counter({(own,): 600, (own, kernel): 399, (own, Frame("rare", "own", "funcgate")): 1})
    text = flame.draw(seen, "A title", cut=0.003)
    root = xml.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    boxes = {group.find(space + "title").text: group.find(space + "rect") for group in root.iter(space + "g")}
    assert list(boxes) == ["all: 1,000 samples, 100.0%", "a<b>::work [funcgate]: 1,000 samples, 100.0%", "tcp & co [kernel]: 399 samples, 39.9%"]
    widths = [float(box.get("width")) for box in boxes.values()]
    assert widths[0] == widths[1] == flame_picture.WIDTH - 2 * flame_picture.MARGIN and widths[2] == pytest.approx(0.399 * widths[0], abs=0.1)
    rows = [float(box.get("y")) for box in boxes.values()]
    assert rows[0] > rows[1] > rows[2], "callers stand below what they called"
    assert boxes["tcp & co [kernel]: 399 samples, 39.9%"].get("class")[0] != boxes["a<b>::work [funcgate]: 1,000 samples, 100.0%"].get("class")[0]
    assert "<script" not in text and "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_pictures_of_the_page_are_small_whole_and_load_nothing():
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    names = re.findall(r"\.\./bench/results/(flame-[\w-]+\.svg)", page)
    assert len(names) >= 3
    for name in names:
        path = ROOT / "bench/results" / name
        text = path.read_text(encoding="utf-8")
        assert xml.fromstring(text).tag.endswith("svg") and path.stat().st_size < 300_000
        assert "<script" not in text and "href" not in text and str(ROOT) not in text


@pytest.mark.parametrize("case", ["calls/nothing", "nothing", "latency/basic"])
def test_an_unknown_case_is_told_with_the_known_ones(case):
    done = python(ROOT / "bench/flame.py", case)
    assert done.returncode == 1 and f'there is no case "{case}"' in done.stderr and "/basic" in done.stderr and "Traceback" not in done.stderr


def test_without_perf_it_says_so_and_ends_with_one(tmp_path):
    for name in ("wrk", "taskset"):
        if found := shutil.which(name):
            (tmp_path / name).symlink_to(found)
    done = python(ROOT / "bench/flame.py", "calls/fixed", "--binary", BINARY, "--no-pin", env={**environment(), "PATH": str(tmp_path)})
    assert done.returncode == 1 and "not installed: perf" in done.stderr and "linux-perf" in done.stderr and "Traceback" not in done.stderr
