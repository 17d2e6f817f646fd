"""script/bench: its results have their shape, and it never makes a figure of answers that are refusals. Nothing is said about times."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import threading
import xml.etree.ElementTree as xml
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.server import BINARY, ROOT

sys.path.append(str(ROOT / "bench"))

import awake  # noqa: E402 (its folder is added above)
import lateness  # noqa: E402 (its folder is added above)
import load  # noqa: E402
import measure  # noqa: E402
import outcome  # noqa: E402
import picture  # noqa: E402
import report  # noqa: E402
import stalls  # noqa: E402
import turns  # noqa: E402
from peers import Peer, Running  # noqa: E402
from processes import Failure  # noqa: E402
from tables import flood  # noqa: E402

TOOLS = [tool for tool in ("wrk", "taskset", "nginx") if not shutil.which(tool, path="/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin")]
needs_tools = pytest.mark.skipif(bool(TOOLS), reason=f"not installed: {TOOLS}")


def bench(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(["/usr/bin/python3", ROOT / "script/bench", *map(str, arguments)], capture_output=True, text=True, timeout=150, stdin=subprocess.DEVNULL)


@needs_tools
def test_one_case_gives_figures_and_a_picture(tmp_path):
    done = bench("--only", "calls/fixed", "--rounds", 1, "--duration", 1, "--connections", 4, "--no-pin", "--no-install", "--binary", BINARY,
                 "--results", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "calls.json").read_text())
    assert [row["name"] for row in found["rows"]] == ["nginx", "fixed"]
    for row in found["rows"]:
        for figure in ("cpuMicroseconds", "requestsPerSecond", "p50Milliseconds", "p99Milliseconds"):
            assert len(row["figures"][figure]) == 1 and row["figures"][figure][0] >= 0
        assert row["figures"]["requestsPerSecond"][0] > 0
    assert found["rows"][1]["ours"] and not found["rows"][0]["ours"]
    assert found["comparisons"] and all(entry["verdict"] in ("goal", "must", "missed") for entry in found["comparisons"])
    assert found["conditions"]["rounds"] and found["conditions"]["nginx"] and found["conditions"]["funcgate"]
    assert xml.parse(tmp_path / "calls.svg").getroot().tag.endswith("svg")
    assert "Funcgate, fixed field" in done.stdout and "nginx, return 200" in done.stdout


@pytest.mark.parametrize("arguments, told", [
    (("--only", "nothing"), 'there is no "nothing"'),
    (("--only", "calls/nothing"), 'there is no "calls/nothing"'),
    (("--only", "calls", "--no-install", "--binary", "/nowhere"), "/nowhere is missing"),
])
def test_what_cannot_be_measured_is_told(arguments, told):
    done = bench("--no-pin", *arguments)
    assert done.returncode == 1 and told in done.stderr and "Traceback" not in done.stderr


def test_keys_have_figures_of_every_round(tmp_path):
    done = bench("--only", "growth-keys/10", "--only", "growth-keys/1000", "--rounds", 2, "--duration", 1, "--no-pin", "--no-install", "--binary", BINARY,
                 "--results", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "growth-keys.json").read_text())
    assert [row["x"] for row in found["rows"]] == [10, 1000]
    assert all(len(values) == 2 for row in found["rows"] for values in row["figures"].values())
    assert len(found["comparisons"]) == 3 and all(len(entry["values"]) == 2 for entry in found["comparisons"])


def test_every_table_has_its_place_on_the_page():
    """`--write` finds a mark for each table that --list names."""
    listed = bench("--list")
    names = [line.split(":")[0] for line in listed.stdout.splitlines() if not line.startswith(" ")]
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert len(names) >= 12 and all(f"<!-- figures: {name} -->" in page for name in names)


# --- a peer that does not do what it should

class Answers(BaseHTTPRequestHandler):
    """`answered` for the first `good` requests with the right token, 401 for everything else."""

    protocol_version = "HTTP/1.1"
    good, answered = 0, {}

    def do_GET(self):
        kind = type(self)
        status, body = 401, b"{}"
        if self.headers.get("X-Token") == "right" and kind.good > 0:
            kind.good -= 1
            status, body = kind.answered.get("status", 200), kind.answered.get("body", b"{}")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Stub(Peer):
    name = "stub"


@pytest.fixture
def stub():
    """`stub(good, answered)`: (case, running) of a server in this process that answers as `Answers` says; `answered` may change."""
    servers = []

    def make(good: int, answered: dict | None = None):
        handler = type("Counted", (Answers,), {"good": good, "answered": answered or {}})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # wrk leaves amid an answer
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        sleeper = subprocess.Popen(["sleep", "60"])
        servers.append(sleeper)
        case = measure.Case("stub", "a stub", Stub(), load.Call(headers={"X-Token": "right"}), {"X-Token": "wrong"})
        return case, Running(sleeper, server.server_address[1])

    yield make
    for server in servers:
        if isinstance(server, ThreadingHTTPServer):
            server.shutdown()
            server.server_close()
        else:
            server.kill()
            server.wait(10)


@needs_tools
@pytest.mark.parametrize("good, told", [(0, "'status': "), (5, "'status': ")])
def test_refusals_during_a_round_end_it(stub, tmp_path, good, told):
    """A server that answers 401 is not fast, it refuses; also if it does so only now and then."""
    case, running = stub(good)
    with pytest.raises(Failure, match=told):
        load.send(case.name, tmp_path, running.port, running.pid, case.call, load.Load(connections=2, seconds=1))


MANY = 10**9  # answers


def small_bench(folder) -> measure.Bench:
    return measure.Bench(argparse.Namespace(connections=2, duration=1.0, rounds=1), folder, None, None)


@needs_tools
@pytest.mark.parametrize("status", [302, 304])
def test_what_is_not_2xx_ends_the_warm_up(stub, tmp_path, status):
    """wrk takes it for a success."""
    case, running = stub(MANY, {"status": status, "body": b""})
    measure.one_round(small_bench(tmp_path), case, running)
    with pytest.raises(Failure, match=f"answers were not 2xx, the last one {status}"):
        measure.warm_up(small_bench(tmp_path), case, running)


@needs_tools
def test_other_answers_than_in_the_warm_up_end_a_round(stub, tmp_path):
    answered = {"status": 201, "body": b"as ever"}
    case, running = stub(MANY, answered)
    measure.warm_up(small_bench(tmp_path), case, running)
    measure.one_round(small_bench(tmp_path), case, running)
    answered["body"] = b"something else, which is longer"
    with pytest.raises(Failure, match="in the warm-up it had .* other answers"):
        measure.one_round(small_bench(tmp_path), case, running)


class OneServer:
    """A Stage on which one server runs."""

    def __init__(self, running):
        self.of = lambda peer: running


@needs_tools
@pytest.mark.parametrize("good, changes, told", [(5, False, "'status': "), (MANY, True, "in the warm-up it had .* other answers")])
def test_loads_that_take_turns_need_right_answers_as_well(stub, tmp_path, good, changes, told):
    answered = {"body": b"as ever"}
    case, running = stub(good, answered)
    if changes:
        measure.warm_up(small_bench(tmp_path), case, running)
        answered["body"] = b"something else, which is longer"
    with pytest.raises(Failure, match=told):
        turns.one_round(small_bench(tmp_path), [case], OneServer(running))


def test_the_time_of_a_turn_is_what_living_processes_spent(monkeypatch):
    looks = [{1: 10.0, 2: 5.0}, {1: 10.5, 2: 5.25}, {1: 11.0, 3: 0.125}]  # 2 ended and 3 came in its place
    monkeypatch.setattr(turns, "run_seconds", lambda root: looks.pop(0))
    server = turns.Server(1)
    assert [server.spent_s(), server.spent_s()] == [0.75, 0.625]


@needs_tools
def test_what_a_scheme_costs_is_told_of_the_open_call(tmp_path):
    done = bench("--only", "calls/anonymous", "--only", "calls/key", "--rounds", 2, "--duration", 1, "--connections", 4, "--no-pin", "--no-install",
                 "--binary", BINARY, "--results", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {entry["title"]: entry["values"] for entry in json.loads((tmp_path / "calls.json").read_text())["comparisons"]}
    values = found["CPU of authentication: API key of anonymous"]
    assert len(values) == 2 and all(0.3 < value < 3 for value in values)
    assert not any("fixed field of anonymous" in title for title in found)


@pytest.mark.parametrize("requests, size, connections, differs", [
    (1000, 1000 * 100, 4, False), (1000, 1000 * 108, 4, True), (1000, 1000 * 92, 4, True), (1000, 1000 * 104, 4, False),
    (8, 15 * 100, 8, False),  # seven more were on their way at the end
    (8, 24 * 100, 8, True),
])
def test_sizes_of_answers(requests, size, connections, differs):
    warm = load.Round(1000, 1, 1000, 1, 1, 1, 1, 1, (100 * 1000 / 1004, 100))
    made = load.Round(requests, 1, requests, 1, 1, 1, 1, 1, (size / (requests + connections), size / requests))
    assert load.differ(made, warm) == load.differ(warm, made) == differs


@pytest.mark.parametrize("readings_us, share, longest_ms", [
    ((0, 50, 100, 200, 300, 1000), 0.7, 0.7),  # up to a tenth of a millisecond it is the program itself
    ((0, 90, 2090, 2180, 6180, 6200), 6000 / 6200, 4.0),
    ((0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000), 0, 0),
])
def test_gaps_of_a_clock_are_stalls(readings_us, share, longest_ms):
    readings = iter(readings_us)
    found = stalls.look(None, seconds=readings_us[-1] / 1e6, clock=lambda: next(readings) * 1000)
    assert (found.share, found.longest_ms) == (pytest.approx(share), pytest.approx(longest_ms))
    assert str(stalls.Stalls(0.0123, 4.04)) == "1.23% of a second, 4.0 ms at once"


@pytest.mark.parametrize("histogram, late_s", [
    ("# Histogram\n000012 000400\n000100 000007\n# Histogram Overflows: 00000\n", 0),  # up to a tenth of a millisecond nobody was away
    ("000101 000002\n000600 000010\n# Thread 0:\n", 0.006202),
    ("000012 000400\n# Histogram Overflows: 00002\n", 0.04),
    ("", 0),
])
def test_lateness_is_what_a_histogram_has_beyond_a_tenth_of_a_millisecond(histogram, late_s):
    assert lateness.parse(histogram) == pytest.approx(late_s)


@pytest.mark.parametrize("late_s, gives, again, disturbed", [
    ((0.0029,), 1, 0, 0),
    ((0.0031, 0.003), 2, 1, 0),
    ((0.009, 0.004, 0.006, 0.02), 2, 3, 1),  # none was calm: the calmest counts, and the table says so
    ((None,), 1, 0, 0),  # it was not watched: what was measured counts
])
def test_disturbed_visits_are_made_again(monkeypatch, late_s, gives, again, disturbed):
    left, made = list(late_s), []
    watch = lateness.Watch(0)

    def look(measure):
        measure()
        return left.pop(0)
    monkeypatch.setattr(watch, "lateness", look)
    assert watch.undisturbed(1.0, lambda: made.append(1) or len(made)) == gives
    assert (watch.visits, watch.again, watch.disturbed, watch.unwatched, left) == (1, again, disturbed, late_s.count(None), [])


def test_without_a_core_nobody_watches():
    watch = lateness.Watch.of(None)
    assert watch.undisturbed(1.0, lambda: "made") == "made" and str(watch).startswith("not looked for")


@pytest.mark.parametrize("name, sleeps, can", [("POLL", False, True), ("POLL", True, False), ("haltpoll", False, False)])
def test_cores_count_as_awake_when_they_were_seen_to_be(monkeypatch, tmp_path, name, sleeps, can):
    """The wish alone is no proof: a kernel may take it and let cores sleep all the same."""
    for number, (state, time_us) in enumerate(((name, 7), ("halt", 1000))):
        folder = tmp_path / f"state{number}"
        folder.mkdir()
        (folder / "name").write_text(f"{state}\n")
        (folder / "time").write_text(f"{time_us}\n")

    def rest(seconds):
        if sleeps:
            (tmp_path / "state1/time").write_text(f"{int((tmp_path / 'state1/time').read_text()) + int(seconds * 1e6)}\n")
    monkeypatch.setattr(awake.time, "sleep", rest)
    monkeypatch.setattr(awake, "STATES", str(tmp_path))
    monkeypatch.setattr(awake, "WISH", tmp_path / "wish")
    (tmp_path / "wish").touch()
    assert awake.can_stay_awake(0) is can
    assert (tmp_path / "wish").read_bytes() == (b"" if name != "POLL" else bytes(4))


def test_without_a_wish_cores_sleep(monkeypatch, tmp_path):
    monkeypatch.setattr(awake, "WISH", tmp_path / "missing")
    assert not awake.can_stay_awake(0) and not awake.can_stay_awake(None)


def test_visits_of_a_round_are_summed():
    """Whoever answers more weighs more per request; of percentiles it is the median, so that one disturbed visit does not make the round."""
    parts = [load.Round(100, 1, 100, 20, 1, 2, 0.5, 0.2, (90, 100)), load.Round(300, 1, 300, 10, 2, 99, 1, 0.4, (95, 102)),
             load.Round(200, 2, 100, 12, 3, 4, 0.7, 0.6, (92, 99))]
    made = load.together(parts)
    assert (made.requests, made.seconds, made.rate, made.p50_ms, made.p99_ms) == (600, 4, 150, 2, 4)
    assert made.cpu_us == pytest.approx((100 * 20 + 300 * 10 + 200 * 12) / 600)
    assert (made.server_busy, made.load_busy) == (pytest.approx(2.9 / 4), pytest.approx(1.8 / 4))
    assert made.answer_bytes == (90, 102)


@pytest.mark.parametrize("duration, visit_s, order", [
    (3.0, 1.0, [("a", 1), ("b", 1)] * 3), (1.0, 1.0, [("a", 1), ("b", 1)]), (3.0, 3.0, [("a", 3), ("b", 3)]), (1.0, 3.0, [("a", 1), ("b", 1)]),
])
def test_visits_take_turns(monkeypatch, tmp_path, duration, visit_s, order):
    bench = measure.Bench(argparse.Namespace(connections=2, duration=duration, rounds=2), tmp_path, None, None)
    for name in ("check", "warm_up"):
        monkeypatch.setattr(measure, name, lambda *_: None)
    monkeypatch.setattr(measure.Stage, "of", lambda *_: None)
    seen = []

    def visit(case, running, seconds):
        seen.append((case.name, seconds))
        return (load.Round(10, seconds, 10 / seconds, 1, 1, 1, 1, 1, (1, 1)),)

    cases = [measure.Case(name, name, Stub(), load.Call()) for name in ("a", "b")]
    made = list(measure.interleaved(bench, cases, None, visit, visit_s))
    assert seen == order * 2
    assert [(name, one.requests) for round_ in made for name, (one,) in round_.items()] == [("a", 5 * len(order)), ("b", 5 * len(order))] * 2


@pytest.mark.parametrize("good, wrong, told", [
    (0, {"X-Token": "wrong"}, "right credentials gave 401"),
    (9, {"X-Token": "right"}, "wrong credentials gave 200"),
])
def test_who_admits_nobody_or_everybody_is_not_measured(stub, good, wrong, told):
    case, running = stub(good)
    case.wrong = wrong
    with pytest.raises(Failure, match=told):
        measure.check(case, running)


def test_a_careful_server_is_measured(stub):
    case, running = stub(9)
    measure.check(case, running)


@pytest.mark.parametrize("in_flight, judged", [(3.0, 20.0), (66.0, 0.5)])
def test_without_guesses_there_is_no_flood(monkeypatch, in_flight, judged):
    flooded = {"in_flight": in_flight, "judged_per_s": judged, "answers_to_guesses": {"401": 1}}
    monkeypatch.setattr(flood.flood, "parallel", lambda *_: {"flooded": flooded})
    with pytest.raises(Failure, match="no figure is made of that"):
        flood.one(None, 100)


# --- what is made of figures

def made(better: str, values: list[float], must=None, goal=None) -> outcome.Comparison:
    return outcome.Comparison("a ratio", values, better, must, goal)


@pytest.mark.parametrize("comparison, verdict", [
    (made("lower", [1.0, 1.2, 9.0], 2, 1.3), "goal"),
    (made("lower", [1.4, 1.5, 1.6], 2, 1.3), "must"),
    (made("lower", [2.1], 2, 1.3), "missed"),
    (made("higher", [0.5, 0.8, 0.9], 0.6, 0.8), "goal"),
    (made("higher", [0.5], 0.6, 0.8), "missed"),
    (made("higher", [0.5]), ""),
])
def test_verdicts_are_of_the_median(comparison, verdict):
    assert comparison.verdict() == verdict


def test_the_commit_is_told_or_left_out(monkeypatch, tmp_path):
    """A copy without history, here a folder below a repository, has none."""
    options = argparse.Namespace(rounds=1, duration=1, connections=1)
    if (ROOT / ".git").exists() and shutil.which("git"):
        assert re.fullmatch(r"[0-9a-f]{7,}\+?", report.conditions(options, 0, 1)["code"])
    monkeypatch.setattr(report, "ROOT", tmp_path)
    assert "code" not in report.conditions(options, 0, 1)
    (tmp_path / ".git").write_text("no repository")
    assert "code" not in report.conditions(options, 0, 1)


def test_ratios_are_of_the_same_round():
    rows = {"a": outcome.Row("a", "A", {"x": [10.0, 40.0]}), "b": outcome.Row("b", "B", {"x": [5.0, 10.0]})}
    assert outcome.ratios(rows, "x", "a", "b") == [2.0, 4.0]
    assert outcome.ratios(rows, "x", "a", "c") == []


@pytest.mark.parametrize("kind", ["bars", "lines"])
def test_pictures_are_xml_and_show_each_row(kind):
    rows = [outcome.Row(f"r{x}", f"row <{x}>", {"cpu": [x * 1.0, x * 2.0]}, x == 10, f"series {x}", x) for x in (1, 10, 1000)]
    drawn = picture.draw(outcome.Outcome("t", "T & more", [], rows, [], []), outcome.Picture(kind, "cpu", "shorter", "things"))
    root = xml.fromstring(drawn)
    texts = " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))
    assert all((f"row <{x}>" if kind == "bars" else f"series {x}") in texts for x in (1, 10, 1000))
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")


def test_the_page_gets_the_table_in_its_place(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures: t -->\nold\n<!-- end -->\nafter\n<!-- figures: u -->\n<!-- end -->\n")
    shown = outcome.Outcome("t", "T", [outcome.Column("cpu", "CPU")], [outcome.Row("a", "A", {"cpu": [1.0, 3.0, 2.0]})], [made("lower", [1.0], 2, 1)],
                            [outcome.Picture("bars", "cpu", "shorter")], {"machine": "this one"}, ["left out: nothing"])
    report.keep(shown, tmp_path / "results")
    report.write_page(shown, tmp_path / "results", page)
    text = page.read_text()
    assert text.startswith("before\n<!-- figures: t -->\n![T](results/t.svg)") and text.endswith("after\n<!-- figures: u -->\n<!-- end -->\n")
    assert "| A | 2.0 (1.0–3.0) |" in text and "| a ratio | 1.00 | ≤ 2 | ≤ 1 | goal |" in text and "old" not in text
    assert "* machine: this one" in text and (tmp_path / "results/t.svg").exists()
    with pytest.raises(Failure, match="no place for v"):
        report.write_page(outcome.Outcome("v", "V", [], [], [], []), tmp_path, page)
